import * as Y from 'yjs'

/** A range of Yjs clocks of one client, `[clock, clock + length)`. */
export interface ClockRange {
  readonly client: number
  readonly clock: number
  readonly length: number
}

/** What a Yjs v1 update brings and deletes, as clock ranges; neighbouring structs of one client are one range. */
export function clockRanges(update: Uint8Array): { structs: ClockRange[]; deletes: ClockRange[] } {
  const structs: ClockRange[] = []
  const deletes: ClockRange[] = []
  if (update.length === 0) return { structs, deletes }
  const decoded = Y.decodeUpdate(update)
  for (const struct of decoded.structs) {
    const { client, clock } = struct.id
    const last = structs.at(-1)
    if (last && last.client === client && last.clock + last.length === clock) {
      structs[structs.length - 1] = { ...last, length: last.length + struct.length }
    } else {
      structs.push({ client, clock, length: struct.length })
    }
  }
  for (const [client, ranges] of decoded.ds.clients) {
    for (const range of ranges) deletes.push({ client, clock: range.clock, length: range.len })
  }
  return { structs, deletes }
}
