import { crc32 } from 'node:zlib'
import { ParleyError } from '../../foundation/problems.ts'

/** CRC-32 of an entry's update bytes: what `Storage.storeSnapshot` asks for. */
export const entryChecksum = (update: Uint8Array): number => crc32(update)

/** CRC-32 over some fields of a row, then over its long parts. SQLite itself does not notice a flipped bit. */
export function rowChecksum(
  fields: readonly (string | number | null)[],
  ...parts: readonly (string | Uint8Array)[]
): number {
  // Texts that follow each other are summed up in one call, for a call costs more than the sum of a short text.
  let text = JSON.stringify(fields)
  let sum = 0
  for (const part of parts) {
    if (typeof part === 'string') text += part
    else {
      sum = summedUp(part, summedUp(text, sum))
      text = ''
    }
  }
  return summedUp(text, sum)
}

/** Bytes without any may lie nowhere, and zlib takes that as the wish to start anew. */
const summedUp = (part: string | Uint8Array, sum: number): number => (part.length > 0 ? crc32(part, sum) : sum)

/** What a row that fails its checksum is answered with (SPEC OPS-6). `what` names the row and its document. */
export const damaged = (what: string, cause?: unknown): ParleyError =>
  new ParleyError('document-damaged', `${what} is damaged in storage.`, { cause })
