/**
 * Which version a write is based on, from what the request names (SPEC WRITE-1, DOC-4). Only tags of older versions are
 * looked up; all else is pure.
 */
import { NO_VERSION, toVersion, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { type Head, headMark, versionMark } from '../model/document.ts'
import type { HistoryReads } from '../storage/history.ts'
import type { StorageEpoch } from '../storage/view.ts'
import { formatEtag, type NamedVersion, versionOfEtag } from './etag.ts'

/** `If-Match` as parsed: `*`, or a list of tags without their quotes. */
export type IfMatch =
  | { readonly kind: 'any' }
  | { readonly kind: 'tags'; readonly tags: readonly { readonly weak: boolean; readonly tag: string }[] }

/** What a request names as its base. */
export interface Precondition {
  readonly ifMatch: IfMatch | null
  /** Only `*` has a meaning for a write: it creates and never overwrites. */
  readonly ifNoneMatch: boolean
  readonly baseVersion: number | null
}

/** What the request asks for before the document is looked at. */
export type Intent =
  | { readonly type: 'create'; readonly by: 'if-none-match' | 'base-version' }
  | { readonly type: 'unconditional' }
  | { readonly type: 'tags'; readonly tags: readonly { readonly weak: boolean; readonly tag: string }[] }
  | { readonly type: 'version'; readonly version: Version }
  | { readonly type: 'none' }

/** Where a write starts from. `strict` is `If-Match`: the method is never performed on another version. */
export type Base =
  | { readonly type: 'unconditional' }
  | { readonly type: 'version'; readonly version: Version; readonly strict: boolean }

/** As far as the head alone tells it: whether tags name older versions as they are in the log is left to look up. */
export type BaseByHead =
  | Base
  | { readonly type: 'older'; readonly named: readonly NamedVersion[]; readonly otherwise: ParleyError }

/** Reads the intent; throws `invalid-request` (400) where the parts contradict each other. */
export function intentOf(precondition: Precondition): Intent {
  const { ifMatch, ifNoneMatch, baseVersion } = precondition
  if (ifNoneMatch) {
    if (ifMatch || (baseVersion !== null && baseVersion !== 0)) {
      throw new ParleyError('invalid-request', 'If-None-Match: * creates; it cannot be combined with a base version.')
    }
    return { type: 'create', by: 'if-none-match' }
  }
  if (ifMatch) return intentOfIfMatch(ifMatch, baseVersion)
  if (baseVersion === null) return { type: 'none' }
  return baseVersion === 0
    ? { type: 'create', by: 'base-version' }
    : { type: 'version', version: toVersion(baseVersion) }
}

/** Of a list only the tags count that `baseVersion` agrees with, where it is sent too. */
function intentOfIfMatch(ifMatch: IfMatch, baseVersion: number | null): Intent {
  if (baseVersion === null) {
    return ifMatch.kind === 'any' ? { type: 'unconditional' } : { type: 'tags', tags: ifMatch.tags }
  }
  const agreeing = ifMatch.kind === 'any' ? [] : ifMatch.tags.filter((one) => one.tag.endsWith(`-${baseVersion}`))
  if (agreeing.length > 0) return { type: 'tags', tags: agreeing }
  throw new ParleyError('invalid-request', 'If-Match and baseVersion name different versions.')
}

/** The base of a write to a living document; throws as `baseByHead`. */
export function baseOf(
  intent: Intent,
  head: Head,
  storage: StorageEpoch & Pick<HistoryReads, 'versionAt'>,
): Base | Promise<Base> {
  const base = baseByHead(intent, head, storage.epoch)
  return base.type === 'older' ? olderBase(base, head, storage) : base
}

async function olderBase(
  base: Extract<BaseByHead, { type: 'older' }>,
  head: Head,
  storage: Pick<HistoryReads, 'versionAt'>,
): Promise<Base> {
  for (const { version, mark } of base.named) {
    const facts = await storage.versionAt(head.id, version)
    // One that became part of another cannot be told, and cannot be a base either.
    const isKept = facts?.version === version
    if (facts !== null && (!isKept || versionMark(facts) === mark)) return { type: 'version', version, strict: true }
  }
  throw base.otherwise
}

/**
 * The same by the head alone. Throws `precondition-required`, `weak-etag`, `unknown-base`, and for a `create` intent
 * `precondition-failed` where If-None-Match demands it (RFC 9110 section 13.1.2).
 */
export function baseByHead(intent: Intent, head: Head, epoch: string): BaseByHead {
  switch (intent.type) {
    case 'none':
      throw new ParleyError(
        'precondition-required',
        'Name the version this write is based on: If-Match: "<etag>" or baseVersion.',
      )
    case 'unconditional':
      return intent
    case 'create':
      if (intent.by === 'if-none-match') {
        throw new ParleyError('precondition-failed', `${head.id} exists already.`, {
          headers: currentEtag(head, epoch),
        })
      }
      return { type: 'version', version: NO_VERSION, strict: false }
    case 'version':
      if (!isKnown(intent.version, head)) throw unknownBase(head, epoch)
      return { type: 'version', version: intent.version, strict: false }
    case 'tags':
      return baseOfTags(intent.tags, head, epoch)
  }
}

function baseOfTags(tags: readonly { weak: boolean; tag: string }[], head: Head, epoch: string): BaseByHead {
  const named = tags
    .filter((one) => !one.weak)
    .map((one) => versionOfEtag(one.tag, head, epoch))
    .filter((one): one is NamedVersion => one !== null && isKnown(one.version, head))
  const isCurrent = named.some(({ version, mark }) => version === head.version && mark === headMark(head))
  if (isCurrent) return { type: 'version', version: head.version, strict: true }
  const otherwise = tags.some((one) => one.weak) ? weakTag(head, epoch) : unknownBase(head, epoch)
  const older = named.filter(({ version }) => version < head.version)
  if (older.length === 0) throw otherwise
  return { type: 'older', named: older, otherwise }
}

const weakTag = (head: Head, epoch: string): ParleyError =>
  new ParleyError(
    'weak-etag',
    'If-Match compares strongly, and a weak tag never matches. A proxy on the way may have weakened it.',
    { headers: currentEtag(head, epoch) },
  )

/** Whether the present incarnation has, or had, this version. */
export const isKnown = (version: Version, head: Head): boolean =>
  version >= head.firstVersion && version <= head.version

export function unknownBase(head: Head, epoch: string): ParleyError {
  return new ParleyError('unknown-base', `${head.id} never had this version in its present incarnation.`, {
    extras: { current: head.version },
    headers: currentEtag(head, epoch),
  })
}

function currentEtag(head: Head, epoch: string): Record<string, string> {
  return { etag: `"${formatEtag(head, epoch)}"` }
}
