import { placesOf } from '../documents/staleWrite.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import type { StorageView } from '../storage/view.ts'
import { readHistory } from './history.ts'
import { workOut } from './show.ts'
import { authoredOverlaps } from './showOverlaps.ts'

/** Overlaps shown in one page, together, as JSON; one that is larger by itself comes without its values. */
const PAGE_BYTES = 1024 * 1024

export interface OverlapPage {
  readonly items: readonly object[]
  /** How many overlaps came before the next page; null on the last one. */
  readonly next: number | null
}

/** Up to `limit` overlaps of a conflict that follow the first `after` of them, however many there are (SPEC CONF-4). */
export async function overlapPage(
  storage: StorageView,
  record: ConflictRecord,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<OverlapPage> {
  const { sides, merged } = await workOut(storage, record)
  const overlaps = merged.overlaps.slice(after, after + limit)
  const shown = await authoredOverlaps(storage, record, sides, overlaps, await readHistory(storage, record))
  const items: object[] = []
  let roomBytes = PAGE_BYTES
  for (const overlap of shown) {
    const bytes = Buffer.byteLength(JSON.stringify(overlap))
    if (bytes > roomBytes) break
    roomBytes -= bytes
    items.push(overlap)
  }
  if (items.length === 0) items.push(...placesOf(overlaps.slice(0, 1)))
  const end = after + items.length
  return { items, next: items.length > 0 && end < merged.overlaps.length ? end : null }
}

/** What the places of a conflict belong to: they are others once it is seen from a newer version. */
export const seenVersion = ({ live, current }: ConflictRecord): number => live?.seen ?? current.version ?? 0
