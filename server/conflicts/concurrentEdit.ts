/**
 * The record of a live merge in which both sides changed the same place (SPEC CONF-6). Pure.
 */
import type { Content } from '../content/content.ts'
import { contentHash } from '../content/equal.ts'
import { liveOverlaps, type LiveExpectation, type LiveSides } from '../content/liveMerge.ts'
import type { FormAt } from '../content/mergeJson.ts'
import type { LiveOverlap } from '../content/overlap.ts'
import { toPointer } from '../content/pointer.ts'
import type { Head } from '../documents/document.ts'
import type { ConflictId, PrincipalId, Version } from '../foundation/ids.ts'
import type { ConflictRecord, ContentHash, LiveFacts } from './conflict.ts'
import { placesOf } from './staleWrite.ts'

/** Versions of the returning client itself that are remembered with a conflict; more are taken for others' in `authors`. */
const MAX_OWN = 1_000
/** Pointers of either form kept, together; what is past it is compared like plain values. */
const MAX_FORM_CHARACTERS = 64 * 1024

/** A return as it was merged. */
export interface MergedReturn {
  readonly id: ConflictId
  readonly at: number
  /** Right after the merge. */
  readonly head: Head
  readonly author: PrincipalId
  readonly base: { readonly content: Content; readonly version: Version | null }
  readonly since: Version
  readonly own: readonly Version[]
  readonly current: { readonly content: Content; readonly version: Version }
  readonly incoming: Content
  readonly merged: Content
  readonly forms: Forms
  /** Of the three sides, if it was worked out before the merge. */
  readonly expectation: LiveExpectation | null
}

/** See `LiveFacts`. */
export type Forms = Pick<LiveFacts, 'texts' | 'wholes'>

/** What is kept of a return in which nothing overlaps: null. */
export function concurrentEdit(
  merge: MergedReturn,
): { record: ConflictRecord; contents: ReadonlyMap<ContentHash, Content> } | null {
  const { base, current, incoming, merged, head } = merge
  const forms: Forms = { texts: withinCharacters(merge.forms.texts), wholes: withinCharacters(merge.forms.wholes) }
  const sides = { base: base.content, current: current.content, incoming, merged, seen: merged }
  const overlaps = overlapsOf(sides, forms, merge.expectation)
  if (overlaps.length === 0) return null
  const incomingHash = contentHash(incoming)
  const contents = new Map([[incomingHash, incoming]])
  const baseHash = base.version === null ? contentHash(base.content) : null
  if (baseHash !== null) contents.set(baseHash, base.content)
  const live: LiveFacts = {
    merged: head.version,
    seen: head.version,
    since: merge.since,
    own: merge.own.slice(0, MAX_OWN),
    ...forms,
  }
  const record: ConflictRecord = {
    id: merge.id,
    kind: 'concurrent-edit',
    document: head.id,
    documentKind: head.kind,
    incarnation: head.incarnation,
    author: merge.author,
    detectedAt: merge.at,
    base: baseHash === null ? { version: base.version ?? merge.since, hash: null } : { version: null, hash: baseHash },
    current: { version: current.version, hash: null },
    incoming: { version: null, hash: incomingHash },
    places: placesOf(overlaps),
    live,
    clean: false,
    state: { status: 'open' },
    proposals: [],
    revision: 1,
  }
  return { record, contents }
}

/** The overlaps of a live merge, with the forms its record names. */
export function overlapsOf(sides: LiveSides, forms: Forms, expectation: LiveExpectation | null = null): LiveOverlap[] {
  return liveOverlaps(sides, formsAt(forms), expectation)
}

export function formsAt({ texts, wholes }: Forms): FormAt {
  const [lines, whole] = [new Set(texts), new Set(wholes)]
  return (current) => {
    const pointer = toPointer(current)
    return whole.has(pointer) ? 'whole' : lines.has(pointer) ? 'lines' : 'parts'
  }
}

/** The same conflict, its places looked for in a newer version (RES-1). */
export function lookedAt(
  record: ConflictRecord,
  live: LiveFacts,
  seen: Version,
  overlaps: readonly LiveOverlap[],
): ConflictRecord {
  return { ...record, live: { ...live, seen }, places: placesOf(overlaps), revision: record.revision + 1 }
}

function withinCharacters(pointers: readonly string[]): readonly string[] {
  let room = MAX_FORM_CHARACTERS
  return pointers.filter((pointer) => (room -= pointer.length) >= 0)
}
