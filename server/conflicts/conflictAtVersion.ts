import type { Comparing } from '../content/comparing.ts'
import type { Content } from '../content/content.ts'
import type { Merge, Sides } from '../content/merge.ts'
import type { Version } from '../foundation/ids.ts'
import type { StorageView } from '../storage/view.ts'
import { lookedAt } from './concurrentEdit.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import { liveSides, sidesOf, standing } from './show.ts'
import { refreshed } from '../documents/staleWrite.ts'

/** A conflict as it looks from a newer version, with what was worked out for that (SPEC RES-1, RES-4). */
export interface ConflictAtVersion {
  readonly record: ConflictRecord
  readonly known: { readonly sides: Sides; readonly merged: Merge }
}

/** Of a live merge the places are looked for in the newer content, of a refused write that is its current side. */
export async function conflictAtVersion(
  storage: StorageView,
  record: ConflictRecord,
  newer: { readonly version: Version; readonly content: Content },
  comparing: Pick<Comparing, 'mergeReaching' | 'liveOverlaps'>,
): Promise<ConflictAtVersion> {
  if (record.live) {
    const sides = { ...(await liveSides(storage, record, record.live)), seen: newer.content }
    const overlaps = await comparing.liveOverlaps(sides, record.live)
    const merged = { clean: false, content: newer.content, overlaps }
    return { record: lookedAt(record, record.live, newer.version, overlaps), known: { sides, merged } }
  }
  const kept = await sidesOf(storage, record)
  if (record.kind === 'invalid-merge') {
    return { record: { ...record, revision: record.revision + 1 }, known: { sides: kept, merged: standing(kept) } }
  }
  const { base, incoming } = kept
  const sides = { base, current: newer.content, incoming }
  const merged = await comparing.mergeReaching(sides)
  return { record: refreshed(record, { version: newer.version, merge: merged }), known: { sides, merged } }
}
