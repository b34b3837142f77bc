import * as Y from 'yjs'
import { isPen } from '../../content/pens.ts'
import { refuse, type Struct } from './updateReader.ts'

/** Where a surrogate pair was torn apart, some copies hold its halves and others U+FFFD. */
const isTorn = (unit: number): boolean => unit === 0xfffd || (unit >= 0xd800 && unit <= 0xdfff)

/**
 * Refuses `other-history` where a struct that is known already says something else than what is known of it: two
 * documents have written under one Yjs client id, and each would take the other's edits for its own (SPEC SYNC-7). What
 * either has deleted cannot be compared.
 */
export function assertSameHistory(struct: Struct, store: Y.Doc['store'], known: number): void {
  if (!(struct instanceof Y.Item)) return
  const { client, clock } = struct.id
  const end = Math.min(clock + struct.length, known)
  for (let at = clock; at < end;) {
    const other: Struct = Y.getItem(store, Y.createID(client, at))
    const next = Math.min(end, other.id.clock + other.length)
    if (other instanceof Y.Item && !isSame(struct, at - clock, other, at - other.id.clock, next - at)) {
      refuse('other-history', 'another document has written under the same Yjs client id')
    }
    at = next
  }
}

function isSame(one: Y.Item, oneStart: number, other: Y.Item, otherStart: number, length: number): boolean {
  const [a, b] = [one.content, other.content]
  if (other.deleted || a instanceof Y.ContentDeleted || b instanceof Y.ContentDeleted) return true
  if (a.constructor !== b.constructor) return false
  if (a instanceof Y.ContentString && b instanceof Y.ContentString) {
    return isSameText(a.str.slice(oneStart, oneStart + length), b.str.slice(otherStart, otherStart + length))
  }
  if (!(a instanceof Y.ContentAny) || !(b instanceof Y.ContentAny)) return true
  const values: readonly unknown[] = b.arr
  return a.arr.slice(oneStart, oneStart + length).every((value, i) => isSameScalar(value, values[otherStart + i]))
}

/** Objects and arrays are as good as never the only difference. */
function isSameScalar(one: unknown, other: unknown): boolean {
  const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null
  return isScalar(one) && isScalar(other) ? Object.is(one, other) : isScalar(one) === isScalar(other)
}

function isSameText(one: string, other: string): boolean {
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one.charCodeAt(i), other.charCodeAt(i)]
    if (a !== b && !isTorn(a) && !isTorn(b)) return false
  }
  return true
}

/** Documents of more clients are asked for no tails: each is a struct of the answer, at every connection. */
const MAX_TAILS = 256
/** As many as tell two texts from each other, unless they end alike. */
const TAIL_CLOCKS = 16
/** Where few have written they are asked for more of what is brief: for so much in all, so that short texts are compared whole. */
const MAX_CLOCKS = MAX_TAILS * TAIL_CLOCKS

/**
 * The state vector by which a client is asked for what the document lacks, and for the newest it has of each client, so
 * that `assertSameHistory` can compare that.
 */
export function askingForTails(doc: Y.Doc): Uint8Array {
  const { clients } = doc.store
  if (clients.size > MAX_TAILS) return Y.encodeStateVector(doc)
  const clocks = new Map<number, number>()
  const most = Math.floor(MAX_CLOCKS / clients.size)
  for (const [client, structs] of clients) {
    clocks.set(client, isPen(doc, client) ? Y.getState(doc.store, client) : tailOf(structs, most))
  }
  return Y.encodeStateVector(clocks)
}

/** Where the tail of these structs begins: at most so many clocks before their end, of values at most `TAIL_CLOCKS`. */
function tailOf(structs: readonly Struct[], most: number): number {
  const last = structs.at(-1)
  const end = last ? last.id.clock + last.length : 0
  let start = end
  for (let index = structs.length - 1; index >= 0; index--) {
    const struct = structs[index]
    if (struct === undefined) break
    const least = end - (isBrief(struct) ? most : TAIL_CLOCKS)
    if (start <= least) break
    start = Math.max(struct.id.clock, least)
  }
  return start
}

/** A value may be long, though it is one clock. */
const isBrief = (struct: Struct): boolean =>
  !(struct instanceof Y.Item) ||
  struct.deleted ||
  struct.content instanceof Y.ContentString ||
  struct.content instanceof Y.ContentFormat
