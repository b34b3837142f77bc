import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { JsonObject, JsonValue } from '../../server/content/content.ts'
import { isPen, PENS } from '../../server/content/pens.ts'
import { ContentView } from '../../server/content/view.ts'

const SERVER = 4_294_967_290

/** A json document as the server writes it. */
function written() {
  const doc = new Y.Doc({ gc: true })
  doc.clientID = SERVER
  const view = new ContentView(doc, 'json', 'content')
  const write = (content: JsonObject): void => doc.transact(() => view.write(content))
  return { doc, view, write, bytes: () => Y.encodeStateAsUpdate(doc).length }
}

/** Writes places in turns; answers the bytes of the state after a tenth of the writes, and after all. */
function inTurns(contentOf: (values: readonly number[]) => JsonObject, places: number, writes: number) {
  const document = written()
  let values = Array.from({ length: places }, () => 0)
  document.write(contentOf(values))
  let early = 0
  for (let n = 1; n <= writes; n++) {
    values = values.with(n % places, n)
    document.write(contentOf(values))
    if (n === writes / 10) early = document.bytes()
  }
  expect(document.view.content()).toEqual(contentOf(values))
  return { ...document, early, late: document.bytes() }
}

/** Made once: of 5,000 contents of 500 members the names alone were a quarter of all the work. */
const KEYS = Array.from({ length: 500 }, (_, n) => `key ${n}`)
const named = (n: number): string => KEYS[n] ?? expect.fail()

const members = (values: readonly number[]): JsonObject =>
  Object.fromEntries(values.map((value, n) => [named(n), value]))
const elements = (values: readonly number[]): JsonObject => ({ list: [...values] })
const objects = (values: readonly number[]): JsonObject =>
  Object.fromEntries(values.map((value, n): [string, JsonValue] => [named(n), value % 2 === 0 ? [value] : { value }]))

describe('[DOC-8] places of a json content that are written in turns', () => {
  it.each([1, 2, 10, 60])('[DOC-8] leave nothing behind: %d members, 20,000 writes', (count) => {
    const { early, late } = inTurns(members, count, 20_000)
    // Clocks are longer numbers by then.
    expect(late - early).toBeLessThan(count * 8)
  })

  it.each([1, 2, 10, 60])('[DOC-8] leave nothing behind: %d elements of an array', (count) => {
    const { early, late } = inTurns(elements, count, 5_000)
    expect(late - early).toBeLessThan(count * 8)
  })

  it.each([1, 2, 10])('[DOC-8] leave nothing behind: %d objects that become others', (count) => {
    const { early, late } = inTurns(objects, count, 5_000)
    expect(late - early).toBeLessThan(count * 20 + 100)
  })

  it('[DOC-8] of which there are more than ids leave few bytes each time', () => {
    const { late } = inTurns(members, 500, 5_000)
    expect(late).toBeLessThan(5_000 * 12)
  })

  it('[DOC-8] take few ids, and none but the first where nothing is written in turns', () => {
    const { doc } = inTurns(members, 200, 2_000)
    expect(doc.store.clients.size).toBe(PENS)
    for (const client of doc.store.clients.keys()) expect(isPen(doc, client)).toBe(true)
    expect(doc.clientID).toBe(SERVER)
    const once = written()
    for (let n = 0; n < 200; n++) once.write({ ...(once.view.content() as JsonObject), [`key ${n}`]: n })
    expect(once.doc.store.clients.size).toBe(1)
  })

  it('[DOC-8] [SYNC-2] are the same in every copy, in whatever pieces it came', () => {
    const { doc, view } = inTurns(members, 70, 3_000)
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
    expect(copy.getMap('content').toJSON()).toEqual(view.content())
    const other = written()
    const follower = new Y.Doc()
    other.doc.on('update', (update: Uint8Array) => Y.applyUpdate(follower, update))
    for (let n = 0; n < 500; n++) other.write(objects(Array.from({ length: 5 }, (_, i) => n * (i + 1))))
    expect(follower.getMap('content').toJSON()).toEqual(other.view.content())
  })
})
