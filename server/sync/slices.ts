import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import type { Struct } from './updateReader.ts'

/**
 * A stock client gives up after 30 s without a whole message, so a message must arrive in less on a slow line:
 * 256 KiB need 70 kbit/s (WIRE).
 */
export const SLICE_BYTES = 256 * 1024
/** A longer string (UTF-16 units, at most 3 bytes each) or list (bytes) is cut in halves … */
const PIECE_UNITS = 24 * 1024
const PIECE_BYTES = 72 * 1024
/** … and a slice ends once it holds so much, so that one more piece still fits below SLICE_BYTES. */
const FULL_BYTES = 160 * 1024
/** Delete ranges of one slice: at most 22 bytes each. */
const SLICE_DELETE_RANGES = 8 * 1024

/**
 * Cuts an update into updates of at most SLICE_BYTES that give the same document in any order (a single
 * value larger than that stays whole). Meant for the server's own updates: throws on malformed ones.
 */
export function slices(update: Uint8Array): Uint8Array[] {
  if (update.length <= SLICE_BYTES) return [update]
  const { structs, ds } = Y.decodeUpdate(update)
  return [...structSlices(structs), ...deleteSlices(ds.clients)]
}

function structSlices(structs: readonly Struct[]): Uint8Array[] {
  const done: Uint8Array[] = []
  let slice = new Slice()
  for (const struct of structs) {
    for (const piece of pieces(struct)) {
      if (slice.bytes >= FULL_BYTES) {
        done.push(slice.finish())
        slice = new Slice()
      }
      slice.add(piece)
    }
  }
  done.push(slice.finish())
  return done
}

/** The structs of one slice, grouped as an update wants them: by client, in clock order. */
class Slice {
  readonly #sections: { client: number; clock: number; count: number; encoder: Y.UpdateEncoderV1 }[] = []
  #doneBytes = 0

  get bytes(): number {
    const open = this.#sections.at(-1)
    return this.#doneBytes + (open ? encoding.length(open.encoder.restEncoder) : 0)
  }

  add(struct: Struct): void {
    struct.write(this.#section(struct).encoder, 0)
  }

  finish(): Uint8Array {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, this.#sections.length)
    for (const section of this.#sections) {
      encoding.writeVarUint(encoder, section.count)
      encoding.writeVarUint(encoder, section.client)
      encoding.writeVarUint(encoder, section.clock)
      encoding.writeUint8Array(encoder, encoding.toUint8Array(section.encoder.restEncoder))
    }
    encoding.writeVarUint(encoder, 0)
    return encoding.toUint8Array(encoder)
  }

  #section({ id: { client, clock } }: Struct): { count: number; encoder: Y.UpdateEncoderV1 } {
    const open = this.#sections.at(-1)
    if (open?.client === client) {
      open.count += 1
      return open
    }
    this.#doneBytes = this.bytes
    const section = { client, clock, count: 1, encoder: new Y.UpdateEncoderV1() }
    this.#sections.push(section)
    return section
  }
}

/** The struct, or what it is when its long string or list was inserted piece after piece. */
function* pieces(struct: Struct): Generator<Struct> {
  const at = struct instanceof Y.Item ? middleOfTooLong(struct) : null
  if (!(struct instanceof Y.Item) || at === null) {
    yield struct
    return
  }
  const { client, clock } = struct.id
  const tail = new Y.Item(
    Y.createID(client, clock + at),
    null,
    Y.createID(client, clock + at - 1),
    null,
    struct.rightOrigin,
    null,
    struct.parentSub,
    struct.content.splice(at),
  )
  struct.length = at
  yield* pieces(struct)
  yield* pieces(tail)
}

/** Where to cut the item in two; null if it is short enough or one value. */
function middleOfTooLong(item: Y.Item): number | null {
  const { content, length } = item
  const middle = length >> 1
  if (content instanceof Y.ContentString && length > PIECE_UNITS) {
    const unit = content.str.charCodeAt(middle - 1)
    // Between the halves of a surrogate pair Yjs would put U+FFFD for both.
    return unit >= 0xd800 && unit <= 0xdbff ? middle - 1 : middle
  }
  return content instanceof Y.ContentAny && length > 1 && encodedBytes(item) > PIECE_BYTES ? middle : null
}

function encodedBytes(item: Y.Item): number {
  const encoder = new Y.UpdateEncoderV1()
  item.write(encoder, 0)
  return encoding.length(encoder.restEncoder)
}

function deleteSlices(clients: ReadonlyMap<number, readonly { clock: number; len: number }[]>): Uint8Array[] {
  const done: Uint8Array[] = []
  for (const [client, ranges] of clients) {
    for (let start = 0; start < ranges.length; start += SLICE_DELETE_RANGES) {
      done.push(encodeDeletes(client, ranges.slice(start, start + SLICE_DELETE_RANGES)))
    }
  }
  return done
}

function encodeDeletes(client: number, ranges: readonly { clock: number; len: number }[]): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, 0)
  encoding.writeVarUint(encoder, 1)
  encoding.writeVarUint(encoder, client)
  encoding.writeVarUint(encoder, ranges.length)
  for (const { clock, len } of ranges) {
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarUint(encoder, len)
  }
  return encoding.toUint8Array(encoder)
}
