/**
 * Content that live edits made break its schema (SPEC CONF-8): where it broke, and the record of it. Pure.
 */
import type { Content, Violation } from '../content/content.ts'
import { merge } from '../content/merge.ts'
import { type ConflictId, previousVersion, type PrincipalId, toVersion, type Version } from '../foundation/ids.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { Head } from '../model/document.ts'
import type { VersionFacts } from '../storage/history.ts'

/** Pointers and messages kept with a conflict: every list of conflicts reads its records whole. */
const MAX_VIOLATION_CHARACTERS = 128 * 1024

/** Where a content broke: the entry `after` came upon `before`. */
export interface Break {
  readonly before: Version
  readonly after: Version
  /** Of the entry `after`. */
  readonly author: PrincipalId
}

/** What looking for the break asks. */
export interface PastValidity {
  /** The row that holds a version. */
  rowAt(version: Version): Promise<Pick<VersionFacts, 'version' | 'firstVersion' | 'author'>>
  isValidAt(version: Version): Promise<boolean>
  /** Whether to make do with what was found so far. */
  isEnough(): boolean
}

/**
 * The entry that made the content invalid which it is at `invalid`: back in steps that double until a content is
 * valid, then by halves, so that it takes some twenty judgements among thousands of entries. `first` begins the
 * incarnation. Stopped early, or where nothing before was valid, `before` is the oldest that was looked at, or the
 * newest valid one, further back than one entry.
 */
export async function findBreak(past: PastValidity, first: Version, invalid: Version): Promise<Break> {
  let broken = await past.rowAt(invalid)
  let valid: Version | null = null
  for (let step = 1; valid === null && broken.firstVersion > first && !past.isEnough(); step *= 2) {
    const row = await past.rowAt(toVersion(Math.max(first, broken.firstVersion - step)))
    if (await past.isValidAt(row.version)) valid = row.version
    else broken = row
  }
  while (valid !== null && broken.firstVersion > valid + 1 && !past.isEnough()) {
    const row = await past.rowAt(toVersion(Math.floor((valid + broken.firstVersion) / 2)))
    if (await past.isValidAt(row.version)) valid = row.version
    else broken = row
  }
  const before = valid ?? (broken.firstVersion > first ? previousVersion(broken.firstVersion) : broken.version)
  return { before, after: broken.version, author: broken.author }
}

/**
 * Whether taking back what lies between `current` and `incoming` would do, now that the content has gone on to
 * `newest`: nobody wrote over it, and what remains is valid.
 */
export async function sufficesToTakeBack(
  sides: { readonly current: Content; readonly incoming: Content },
  newest: Content,
  isValid: (content: Content) => boolean | Promise<boolean>,
): Promise<boolean> {
  const left = merge(sides.incoming, newest, sides.current)
  return left.clean && (await isValid(left.content))
}

export interface InvalidMerge {
  readonly id: ConflictId
  readonly at: number
  readonly head: Head
  readonly found: Break
  /** `found.after`, or later where taking that entry back does not do. */
  readonly incoming: Version
  readonly violations: readonly Violation[]
}

/** The record as it is first kept. */
export function invalidMerge({ id, at, head, found, incoming, violations }: InvalidMerge): ConflictRecord {
  return {
    id,
    kind: 'invalid-merge',
    document: head.id,
    documentKind: head.kind,
    incarnation: head.incarnation,
    author: found.author,
    detectedAt: at,
    base: { version: found.before, hash: null },
    current: { version: found.before, hash: null },
    incoming: { version: incoming, hash: null },
    places: [],
    violations: kept(violations),
    clean: false,
    whitespaceOnly: false,
    state: { status: 'open' },
    proposals: [],
    revision: 1,
  }
}

/** The same conflict after further entries; null where they changed nothing about it. */
export function seenAgain(
  record: ConflictRecord,
  incoming: Version,
  violations: readonly Violation[],
): ConflictRecord | null {
  const listed = kept(violations)
  const isSame = record.incoming.version === incoming && JSON.stringify(record.violations) === JSON.stringify(listed)
  if (isSame) return null
  return { ...record, incoming: { version: incoming, hash: null }, violations: listed, revision: record.revision + 1 }
}

/** The first of them, as far as they fit. */
function kept(violations: readonly Violation[]): readonly Violation[] {
  let room = MAX_VIOLATION_CHARACTERS
  return violations.filter(({ pointer, message }) => (room -= pointer.length + message.length) >= 0)
}
