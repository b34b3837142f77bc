import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { parentId } from '../documents/admission/integration.ts'
import type { Struct } from '../documents/admission/updateReader.ts'
import { UpdateWriter } from '../documents/updateWriter.ts'

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

/**
 * Cuts an update into updates of at most SLICE_BYTES that give the same document in any order (a single
 * value larger than that stays whole). In the order they are answered, none builds on a later one: what a client has to
 * keep until then costs it time by the square. Each is made when it is asked for, so that
 * who sends them keeps nobody waiting. Meant for the server's own updates: throws on malformed ones.
 */
export function* slices(update: Uint8Array): Generator<Uint8Array> {
  if (update.length <= SLICE_BYTES) {
    yield update
    return
  }
  const { structs, ds } = Y.decodeUpdate(update)
  let slice = new UpdateWriter()
  for (const struct of inOrder(structs)) {
    for (const piece of pieces(struct)) {
      if (slice.bytes >= FULL_BYTES) {
        yield slice.finish()
        slice = new UpdateWriter()
      }
      slice.add(piece)
    }
  }
  for (const [client, ranges] of ds.clients) {
    for (const range of ranges) {
      if (slice.bytes >= FULL_BYTES) {
        yield slice.finish()
        slice = new UpdateWriter()
      }
      slice.delete(client, range)
    }
  }
  yield slice.finish()
}

/** The structs of one client, as far as they have been gone through. */
interface SliceProgress {
  readonly structs: Struct[]
  next: number
}

/** The structs, each after all in the update that it builds on. */
function* inOrder(structs: readonly Struct[]): Generator<Struct> {
  const clients = new Map<number, SliceProgress>()
  for (const struct of structs) {
    const progress = clients.get(struct.id.client)
    if (progress) progress.structs.push(struct)
    else clients.set(struct.id.client, { structs: [struct], next: 0 })
  }
  for (const progress of clients.values()) {
    // What waits, and up to which clock what is above it has to go on.
    const waits = [{ progress, clock: Number.POSITIVE_INFINITY }]
    for (let wait = waits.at(-1); wait; wait = waits.at(-1)) {
      const struct = wait.progress.structs[wait.progress.next]
      const missing = struct && struct.id.clock <= wait.clock ? firstMissing(struct, clients) : null
      if (!struct || struct.id.clock > wait.clock) waits.pop()
      else if (missing) waits.push(missing)
      else {
        yield struct
        wait.progress.next += 1
      }
    }
  }
}

/** What the struct builds on that has not been gone through. */
function firstMissing(struct: Struct, clients: ReadonlyMap<number, SliceProgress>) {
  if (!(struct instanceof Y.Item)) return null
  for (const id of [struct.origin, struct.rightOrigin, parentId(struct)]) {
    const progress = id && id.client !== struct.id.client ? clients.get(id.client) : undefined
    const next = progress?.structs[progress.next]
    if (id && progress && next && next.id.clock <= id.clock) return { progress, clock: id.clock }
  }
  return null
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
