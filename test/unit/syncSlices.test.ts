import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { describe, expect, it, vi } from 'vitest'
import { rawUpdate } from '../support/rawUpdate.ts'
import { SLICE_BYTES, slices as lazily } from '../../server/sync/slices.ts'

const slices = (update: Uint8Array): Uint8Array[] => [...lazily(update)]

function docWith(change: (doc: Y.Doc) => void): Y.Doc {
  const doc = new Y.Doc()
  doc.transact(() => change(doc))
  return doc
}

/** The document that the updates give, one applied after the other. */
function assembled(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/** A document several people have typed and deleted in, far larger than a slice. */
function busyDoc(): Y.Doc {
  const docs = [1, 2, 3].map((client) => {
    const doc = new Y.Doc()
    doc.clientID = client
    return doc
  })
  for (let round = 0; round < 20; round++) {
    for (const doc of docs) {
      const text = doc.getText('content')
      for (let i = 0; i < 20; i++) {
        text.insert((i * 7919 + round * 31) % (text.length + 1), `${round} ${i} 😀 `.repeat(30))
      }
      text.delete((round * 17) % Math.max(1, text.length - 40), 20)
      doc.getMap('other').set(`key ${round % 7}`, { round, nested: [1, 2, 3] })
    }
    for (const from of docs)
      for (const to of docs) if (from !== to) Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)))
  }
  return docs[0] ?? new Y.Doc()
}

describe('slices', () => {
  it('[SYNC-9] leaves a small update as it is', () => {
    const update = Y.encodeStateAsUpdate(docWith((doc) => doc.getText('content').insert(0, 'hello')))
    expect(slices(update)).toEqual([update])
  })

  it.each([
    ['in order', (cut: Uint8Array[]) => cut],
    ['backwards', (cut: Uint8Array[]) => cut.toReversed()],
  ])('[SYNC-9] cuts a large state into small updates that give the same document %s', (_name, arrange) => {
    const doc = busyDoc()
    const update = Y.encodeStateAsUpdate(doc)
    const cut = slices(update)
    expect(update.length).toBeGreaterThan(SLICE_BYTES)
    expect(cut.length).toBeGreaterThan(1)
    expect(Math.max(...cut.map((slice) => slice.length))).toBeLessThanOrEqual(SLICE_BYTES)
    const copy = assembled(arrange(cut))
    expect(copy.getText('content').toString()).toBe(doc.getText('content').toString())
    expect(copy.getMap('other').toJSON()).toEqual(doc.getMap('other').toJSON())
    expect(Buffer.compare(Y.encodeStateAsUpdate(copy), Y.encodeStateAsUpdate(doc))).toBe(0)
    expect(copy.store.pendingStructs).toBeNull()
    expect(copy.store.pendingDs).toBeNull()
  })

  it('[SYNC-9] cuts one long text, never through a surrogate pair', () => {
    const long = `x${'😀'.repeat(400_000)}`
    const cut = slices(Y.encodeStateAsUpdate(docWith((doc) => doc.getText('content').insert(0, long))))
    expect(cut.length).toBeGreaterThan(6)
    expect(Math.max(...cut.map((slice) => slice.length))).toBeLessThanOrEqual(SLICE_BYTES)
    expect(assembled(cut).getText('content').toString()).toBe(long)
  })

  it('[SYNC-9] cuts a list of large values between them, and leaves a single value whole', () => {
    const values = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(10_000))
    const huge = 'y'.repeat(600_000)
    const doc = docWith((made) => {
      made.getArray('list').insert(0, values)
      made.getMap('content').set('huge', huge)
    })
    const cut = slices(Y.encodeStateAsUpdate(doc))
    expect(cut.filter((slice) => slice.length > SLICE_BYTES)).toHaveLength(1)
    const copy = assembled(cut)
    expect(copy.getArray('list').toJSON()).toEqual(values)
    expect(copy.getMap('content').get('huge')).toBe(huge)
  })

  it('[SYNC-9] leaves a client nothing to keep until a later slice', () => {
    const doc = new Y.Doc()
    for (const slice of slices(Y.encodeStateAsUpdate(busyDoc()))) {
      Y.applyUpdate(doc, slice)
      expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null])
    }
  })

  it('[OPS-8] are made one by one, as they are asked for', () => {
    const update = Y.encodeStateAsUpdate(docWith((doc) => doc.getText('content').insert(0, 'x'.repeat(4_000_000))))
    const started = lazily(update)
    const written = vi.spyOn(Y.UpdateEncoderV1.prototype, 'writeString')
    started.next()
    const ofOne = written.mock.calls.length
    written.mockRestore()
    expect(ofOne).toBeLessThan(20)
    expect([...started].length).toBeGreaterThan(15)
  })

  it('[SYNC-9] takes what very many clients deleted together, not each by itself', () => {
    const word = 'a word and some more of them, said once.'
    const clients = Array.from({ length: 8_000 }, (_, n) => n + 1)
    const update = rawUpdate(
      clients.map((client) => ({
        client,
        structs: [{ text: word, ...(client > 1 ? { origin: [client - 1, word.length - 1] as const } : {}) }],
      })),
      clients.map((client) => [client, 3, 1] as const),
    )
    const cut = slices(update)
    expect([update.length > SLICE_BYTES, cut.length <= 6]).toEqual([true, true])
    expect(assembled(cut).getText('content').length).toBe(8_000 * (word.length - 1))
  })

  it('[SYNC-9] cuts a large delete set', () => {
    const deletes = encodeDeletes(Array.from({ length: 60_000 }, (_, i) => 3_000_000 + 2 * i))
    const cut = slices(deletes)
    expect(cut.length).toBeGreaterThan(1)
    expect(Math.max(...cut.map((slice) => slice.length))).toBeLessThanOrEqual(SLICE_BYTES)
    const ranges = (update: Uint8Array) => Y.decodeUpdate(update).ds.clients.get(7) ?? []
    expect(cut.flatMap(ranges)).toEqual(ranges(deletes))
  })
})

/** An update that deletes one unit of client 7 at each clock. */
function encodeDeletes(clocks: readonly number[]): Uint8Array {
  const encoder = encoding.createEncoder()
  for (const number of [0, 1, 7, clocks.length]) encoding.writeVarUint(encoder, number)
  for (const clock of clocks) {
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarUint(encoder, 1)
  }
  return encoding.toUint8Array(encoder)
}
