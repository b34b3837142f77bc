/** What rows of several tables have in common: checksums, bytes, JSON and packed contents. */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Content } from '../../content/content.ts'
import { inOrder } from '../../content/order.ts'
import { ParleyError } from '../../foundation/problems.ts'
import { type Origin, ORIGINS } from '../../model/document.ts'

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

/** Decodes rows one by one; those that are damaged are left out, so that one does not hide the others (SPEC OPS-6). */
export function pushUndamaged<T>(list: T[], decode: () => T): void {
  try {
    list.push(decode())
  } catch (error) {
    if (!(error instanceof ParleyError && error.code === 'document-damaged')) throw error
  }
}

/**
 * Bytes that own their buffer. A view of a part of a larger one (a received frame, a pool) would take
 * all of it along to another thread, and keep it in memory while it waits.
 */
export const exactBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)

/** The same bytes without Buffer's own methods, some of which mean something else than Uint8Array's. */
export const plainBytes = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** JSON that Parley itself has written, as what it was made of. What comes from outside is never read by this. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what it stored
export function parseStored<T>(json: string): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked before it was written, by a checksum since
  return JSON.parse(json) as T
}

/** All other acts wait for the one that is being packed: speed comes before the last tenth in size. */
const DEFLATE_LEVEL = 1
/** Less is kept as it is: it would lose less than its row takes besides, and to set a compressor up takes 20 us. */
const LEAST_DEFLATED_BYTES = 256

/** A content as it is kept. `name` is what it is kept under, so that it cannot pass for another. */
export interface PackedContent {
  readonly content: Uint8Array
  readonly checksum: number
}

/** Packs the JSON of a content. */
export function packContent(name: readonly (string | number)[], json: string): PackedContent {
  const bytes = Buffer.from(json)
  const content =
    bytes.length < LEAST_DEFLATED_BYTES ? storedBlock(bytes) : deflateRawSync(bytes, { level: DEFLATE_LEVEL })
  return { content, checksum: rowChecksum(name, content) }
}

/** The one block of a deflated stream that holds bytes as they are (RFC 1951 section 3.2.4). */
function storedBlock(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(bytes.length + 5)
  block.set([1, bytes.length & 0xff, bytes.length >> 8, ~bytes.length & 0xff, (~bytes.length >> 8) & 0xff])
  block.set(bytes, 5)
  return block
}

/** Throws `document-damaged`; `what` says of what. */
export function unpackContent(name: readonly (string | number)[], packed: PackedContent, what: string): Content {
  if (rowChecksum(name, packed.content) !== packed.checksum) throw damaged(what)
  // Those of before the order of members was fixed have another.
  return inOrder(parseStored<Content>(inflateRawSync(packed.content).toString()))
}

/** How origins are kept. A number once given is never given to another origin. */
const ORIGIN_NUMBERS: Readonly<Record<Origin, number>> = {
  create: 1,
  write: 2,
  live: 3,
  merge: 4,
  resolution: 5,
  restore: 6,
  revert: 7,
  transaction: 8,
  settings: 9,
  delete: 10,
}
const ORIGIN_OF_NUMBER: ReadonlyMap<number, Origin> = new Map(ORIGINS.map((origin) => [ORIGIN_NUMBERS[origin], origin]))

export const numberOfOrigin = (origin: Origin): number => ORIGIN_NUMBERS[origin]

/** Undefined for a number that stands for none. */
export const originOf = (number: number): Origin | undefined => ORIGIN_OF_NUMBER.get(number)

/** Ids that were handed on, as they are kept beside what was; null for none. */
export const encodeHandedOn = (handedOn: readonly number[] = []): string | null =>
  handedOn.length === 0 ? null : JSON.stringify(handedOn)

export const decodeHandedOn = (stored: string | null): { readonly handedOn?: readonly number[] } =>
  stored === null ? {} : { handedOn: parseStored<number[]>(stored) }

/** About how many bytes the fixed fields of a row hold while it waits to be written, generously. */
export const ROW_BYTES = 256

/** Rows that one step of a question looks at, some 5 ms: of very many that are there, a principal may have asked for few. */
export const STEP_ROWS = 4_096

/** What one step of a question found, and where the next one goes on; null where there is nothing left. */
export interface StorageStep<Found, Place> {
  readonly found: readonly Found[]
  readonly next: Place | null
}

/** What one step erases at most of rows that may be large, which are overwritten with zeros: some 20 ms of work. */
export const ERASED_BYTES = 4 * 1024 * 1024

/** How many of them come to no more than so many bytes; the first always does. */
export function countWithin(rows: readonly { readonly bytes: number }[], mostBytes: number): number {
  let bytes = 0
  const end = rows.findIndex((row, index) => {
    bytes += row.bytes
    return index > 0 && bytes > mostBytes
  })
  return end === -1 ? rows.length : end
}
