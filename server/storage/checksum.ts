import { crc32 } from 'node:zlib'
import { ParleyError } from '../foundation/problems.ts'

/** CRC-32 of an entry's update bytes: what `Storage.storeSnapshot` asks for. */
export const entryChecksum = (update: Uint8Array): number => crc32(update)

/** CRC-32 over some fields of a row, then over its long parts. SQLite itself does not notice a flipped bit. */
export function rowChecksum(
  fields: readonly (string | number | null)[],
  ...parts: readonly (string | Uint8Array)[]
): number {
  let sum = crc32(JSON.stringify(fields))
  for (const part of parts) {
    // Bytes without any may lie nowhere, and zlib takes that as the wish to start anew.
    if (part.length > 0) sum = crc32(part, sum)
  }
  return sum
}

/** What a row that fails its checksum is answered with (SPEC OPS-6). `what` names the row and its document. */
export const damaged = (what: string, cause?: unknown): ParleyError =>
  new ParleyError('document-damaged', `${what} is damaged in storage.`, { cause })
