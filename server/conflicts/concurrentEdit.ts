/**
 * The record of a live merge in which both sides changed the same place (SPEC CONF-6). Pure.
 */
import { granularityOf, type Granularities } from '../content/granularity.ts'
import type { Content } from '../content/content.ts'
import { liveOverlaps, type LiveExpectation, type LiveSides } from '../content/liveMerge.ts'
import { differInBlanksOnly, type LiveOverlap } from '../content/overlap.ts'
import type { Head } from '../model/document.ts'
import type { ConflictId, PrincipalId, Version } from '../foundation/ids.ts'
import type { ConflictRecord, ContentHash, LiveFacts, SideRef } from '../model/conflict.ts'
import { placesOf } from '../documents/staleWrite.ts'

/** Versions of the returning client itself that are remembered with a conflict; more are taken for others' in `authors`. */
const MAX_OWN = 1_000

/** A return as it was merged. */
export interface MergedReturn {
  readonly id: ConflictId
  readonly at: number
  /** Right after the merge. */
  readonly head: Head
  readonly author: PrincipalId
  readonly base: { readonly content: Content; readonly ref: SideRef }
  readonly since: Version
  readonly waited: boolean
  readonly own: readonly Version[]
  readonly current: { readonly content: Content; readonly version: Version }
  readonly incoming: { readonly content: Content; readonly hash: ContentHash }
  readonly merged: Content
  readonly granularities: Granularities
  /** Of the three sides and the granularities, if it was worked out before the merge. */
  readonly expectation: LiveExpectation | null
}

/** What is kept of a return in which nothing overlaps: null. */
export function concurrentEdit(
  merge: MergedReturn,
): { record: ConflictRecord; contents: ReadonlyMap<ContentHash, Content> } | null {
  const { base, current, incoming, merged, head, granularities } = merge
  const sides = { base: base.content, current: current.content, incoming: incoming.content, merged, seen: merged }
  const overlaps = overlapsOf(sides, granularities, merge.expectation)
  if (overlaps.length === 0) return null
  const contents = new Map([[incoming.hash, incoming.content]])
  if (base.ref.hash !== null) contents.set(base.ref.hash, base.content)
  const live: LiveFacts = {
    merged: head.version,
    seen: head.version,
    since: merge.since,
    own: merge.own.slice(0, MAX_OWN),
    ...granularities,
    ...(merge.waited && { waited: true }),
  }
  const record: ConflictRecord = {
    id: merge.id,
    kind: 'concurrent-edit',
    document: head.id,
    documentKind: head.kind,
    incarnation: head.incarnation,
    author: merge.author,
    detectedAt: merge.at,
    base: base.ref,
    current: { version: current.version, hash: null },
    incoming: { version: null, hash: incoming.hash },
    places: placesOf(overlaps),
    live,
    clean: false,
    whitespaceOnly: differInBlanksOnly(overlaps),
    state: { status: 'open' },
    proposals: [],
    revision: 1,
  }
  return { record, contents }
}

/** The overlaps of a live merge, with the granularities its record names. */
export function overlapsOf(
  sides: LiveSides,
  granularities: Granularities,
  expectation: LiveExpectation | null = null,
): LiveOverlap[] {
  return liveOverlaps(sides, granularityOf(granularities), expectation)
}

/** The same conflict, its places looked for in a newer version (RES-1). */
export function lookedAt(
  record: ConflictRecord,
  live: LiveFacts,
  seen: Version,
  overlaps: readonly LiveOverlap[],
): ConflictRecord {
  return {
    ...record,
    live: { ...live, seen },
    places: placesOf(overlaps),
    whitespaceOnly: differInBlanksOnly(overlaps),
    revision: record.revision + 1,
  }
}
