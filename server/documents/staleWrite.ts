/**
 * How the record of a refused (or overridden) write is made and kept up to date. Pure.
 */
import type { Kind } from '../content/content.ts'
import type { Overlap, ReachingMerge } from '../content/merge.ts'
import type { ConflictId, DocumentId, Incarnation, PrincipalId, Version } from '../foundation/ids.ts'
import type { ConflictRecord, ConflictState, ContentHash, Place } from '../model/conflict.ts'

/** More places than these are shown only by the conflict itself; lists of many conflicts have them too. */
const MAX_PLACES = 1_000
/** Their pointers and ids together: a key may be as long as the content. */
const MAX_PLACE_CHARACTERS = 64 * 1024

export interface StaleWrite {
  readonly id: ConflictId
  readonly document: DocumentId
  readonly documentKind: Kind
  readonly incarnation: Incarnation
  readonly author: PrincipalId
  readonly at: number
  readonly baseVersion: Version
  readonly currentVersion: Version
  readonly incomingHash: ContentHash
  readonly merge: ReachingMerge
  readonly state: ConflictState
}

/** The record of a stale write as it is first kept. */
export function newStaleWrite(write: StaleWrite): ConflictRecord {
  return {
    id: write.id,
    kind: 'stale-write',
    document: write.document,
    documentKind: write.documentKind,
    incarnation: write.incarnation,
    author: write.author,
    detectedAt: write.at,
    base: { version: write.baseVersion, hash: null },
    current: { version: write.currentVersion, hash: null },
    incoming: { version: null, hash: write.incomingHash },
    places: placesOf(write.merge.overlaps),
    reach: { version: write.currentVersion, reach: write.merge.reach },
    clean: write.merge.clean,
    whitespaceOnly: write.merge.blanksOnly,
    state: write.state,
    proposals: [],
    revision: 1,
  }
}

/** The same conflict seen from a newer current version (SPEC WRITE-7, RES-4). */
export function refreshed(
  record: ConflictRecord,
  current: { readonly version: Version; readonly merge: ReachingMerge },
): ConflictRecord {
  return {
    ...record,
    current: { version: current.version, hash: null },
    places: placesOf(current.merge.overlaps),
    reach: { version: current.version, reach: current.merge.reach },
    clean: current.merge.clean,
    whitespaceOnly: current.merge.blanksOnly,
    revision: record.revision + 1,
  }
}

/** The first overlaps as places, as far as they fit. */
export function placesOf(overlaps: readonly Overlap[]): Place[] {
  const places: Place[] = []
  let roomCharacters = MAX_PLACE_CHARACTERS
  for (const overlap of overlaps.slice(0, MAX_PLACES)) {
    const { id } = overlap
    const place: Place = 'pointer' in overlap ? { id, pointer: overlap.pointer } : { id, lines: overlap.lines }
    roomCharacters -= nameCharacters(overlap)
    if (roomCharacters < 0) break
    places.push(place)
  }
  return places
}

/** How long the id and the pointer of an overlap are together; nothing is made of them to find out. */
export const nameCharacters = (overlap: Overlap): number =>
  overlap.id.length + ('pointer' in overlap ? overlap.pointer.length : 0)
