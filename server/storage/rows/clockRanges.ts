import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { ClockRange } from '../storage.ts'

const NONE = new Uint8Array(0)

/**
 * Ranges as bytes, in order: runs of ranges of one client, each `client, count, (clock, length) × count`,
 * all numbers variable-length. No ranges are no bytes.
 */
export function encodeRanges(ranges: readonly ClockRange[]): Uint8Array {
  if (ranges.length === 0) return NONE
  const encoder = encoding.createEncoder()
  for (const run of runsOfOneClient(ranges)) {
    encoding.writeVarUint(encoder, run.client)
    encoding.writeVarUint(encoder, run.ranges.length)
    for (const range of run.ranges) {
      encoding.writeVarUint(encoder, range.clock)
      encoding.writeVarUint(encoder, range.length)
    }
  }
  return encoding.toUint8Array(encoder)
}

/** The inverse. Throws on bytes that `encodeRanges` did not make. */
export function decodeRanges(bytes: Uint8Array): ClockRange[] {
  const decoder = decoding.createDecoder(bytes)
  const ranges: ClockRange[] = []
  while (decoding.hasContent(decoder)) {
    const client = decoding.readVarUint(decoder)
    for (let left = decoding.readVarUint(decoder); left > 0; left -= 1) {
      ranges.push({ client, clock: decoding.readVarUint(decoder), length: decoding.readVarUint(decoder) })
    }
  }
  return ranges
}

function runsOfOneClient(ranges: readonly ClockRange[]): { client: number; ranges: ClockRange[] }[] {
  const runs: { client: number; ranges: ClockRange[] }[] = []
  for (const range of ranges) {
    const last = runs.at(-1)
    if (last && last.client === range.client) last.ranges.push(range)
    else runs.push({ client: range.client, ranges: [range] })
  }
  return runs
}
