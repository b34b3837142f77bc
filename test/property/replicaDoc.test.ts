import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ReplicaDoc } from '../../server/documents/replicaDoc.ts'

const EDITORS = 4
/** More than are gone through for the asking. */
const OTHERS = 70

/** What one editor does: in a text, in a map, or it takes in what the others wrote. */
const Step = fc.record({
  editor: fc.nat(EDITORS - 1),
  act: fc.constantFrom('insert', 'delete', 'set', 'remove', 'nest', 'inside', 'sync'),
  at: fc.nat(30),
  text: fc.string({ minLength: 1, maxLength: 4 }),
})
type Step = typeof Step extends fc.Arbitrary<infer Value> ? Value : never

function perform(doc: Y.Doc, { act, at, text }: Step): void {
  const [letters, map] = [doc.getText('content'), doc.getMap('json')]
  const key = `k${at % 3}`
  if (act === 'insert') letters.insert(Math.min(at, letters.length), text)
  if (act === 'delete' && letters.length > 0) letters.delete(Math.min(at, letters.length - 1), 1)
  if (act === 'set') map.set(key, text)
  if (act === 'remove') map.delete(key)
  if (act === 'nest') map.set(key, new Y.Array())
  const nested = map.get(key)
  if (act === 'inside' && nested instanceof Y.Array) nested.insert(0, [text])
}

/** Updates of editors who write side by side, each of what its editor did since its last one. */
function updatesOf(steps: readonly Step[]): Uint8Array[] {
  const editors = Array.from({ length: EDITORS }, (_, n) => {
    const doc = new Y.Doc()
    doc.clientID = n + 1
    return doc
  })
  const updates: Uint8Array[] = []
  for (const step of steps) {
    const doc = editors[step.editor]
    if (doc === undefined) continue
    if (step.act === 'sync') {
      for (const update of updates) Y.applyUpdate(doc, update)
      continue
    }
    const made: Uint8Array[] = []
    const hear = (update: Uint8Array): void => void made.push(update)
    doc.on('update', hear)
    doc.transact(() => perform(doc, step))
    doc.off('update', hear)
    updates.push(...made)
  }
  return updates
}

const BY_OTHERS = Array.from({ length: OTHERS }, (_, n) => {
  const doc = new Y.Doc()
  doc.clientID = 1_000 + n
  doc.getText('aside').insert(0, 'x')
  return Y.encodeStateAsUpdate(doc)
})

/** Each update, and what of the content each transaction changed. */
function toldBy(doc: Y.Doc): unknown[] {
  const told: unknown[] = []
  doc.on('update', (update: Uint8Array) => told.push(update))
  doc.on('afterTransaction', ({ changed, changedParentTypes, local }: Y.Transaction) => {
    told.push({ local, changed: [...changed.values()].map((keys) => [...keys]), parents: changedParentTypes.size })
  })
  for (const type of [doc.getText('content'), doc.getMap('json')]) {
    type.observeDeep((events) =>
      told.push(
        events.map(({ path, delta, keys }) => [path, delta, [...keys].map(([key, { action }]) => [key, action])]),
      ),
    )
  }
  return told
}

/** As an admission tells them. */
function extendedBy(doc: Y.Doc, update: Uint8Array): number[] {
  const { to } = Y.parseUpdateMeta(update)
  return [...to].filter(([client, clock]) => clock > Y.getState(doc.store, client)).map(([client]) => client)
}

describe('[SYNC-1] a document that goes through what a change extends', () => {
  it('[SYNC-1] holds and tells what any other does, whatever is applied to it, once or again', () => {
    fc.assert(
      fc.property(fc.array(Step, { maxLength: 40 }), fc.boolean(), fc.boolean(), (steps, isRepeated, isTold) => {
        const [plain, replica] = [new Y.Doc(), new ReplicaDoc({ gc: true })]
        for (const update of BY_OTHERS) for (const doc of [plain, replica]) Y.applyUpdate(doc, update)
        for (const doc of [plain, replica]) doc.clientID = 99
        const told = { plain: toldBy(plain), replica: toldBy(replica) }
        const write = (): void => {
          plain.transact(() => plain.getText('content').insert(0, 'server'))
          replica.extending([99], () => replica.transact(() => replica.getText('content').insert(0, 'server')))
        }
        write()
        const updates = updatesOf(steps)
        for (const update of isRepeated ? updates.flatMap((one) => [one, one]) : updates) {
          Y.applyUpdate(plain, update)
          if (isTold) replica.extending(extendedBy(replica, update), () => Y.applyUpdate(replica, update))
          else replica.take(update)
        }
        write()
        expect(told.replica).toEqual(told.plain)
        expect(Y.encodeStateAsUpdate(replica)).toEqual(Y.encodeStateAsUpdate(plain))
        expect(Y.encodeStateVector(replica)).toEqual(Y.encodeStateVector(plain))
        expect(replica.clientID).toBe(plain.clientID)
      }),
    )
  })

  it('[SYNC-1] tells what waited for an update as well, in whatever order they come', () => {
    const chains = fc.array(Step, { maxLength: 20 }).chain((steps) => {
      const updates = updatesOf(steps)
      return fc.shuffledSubarray(updates, { minLength: updates.length })
    })
    fc.assert(
      fc.property(chains, (updates) => {
        const [plain, replica] = [new Y.Doc(), new ReplicaDoc({ gc: true })]
        for (const update of BY_OTHERS) for (const doc of [plain, replica]) Y.applyUpdate(doc, update)
        const told = { plain: toldBy(plain), replica: toldBy(replica) }
        for (const update of updates) {
          Y.applyUpdate(plain, update)
          replica.take(update)
        }
        expect(told.replica).toEqual(told.plain)
        expect(Y.encodeStateAsUpdate(replica)).toEqual(Y.encodeStateAsUpdate(plain))
      }),
    )
  })

  it('[SYNC-1] goes through everything again once the change is made, or has failed', () => {
    const doc = new ReplicaDoc({ gc: true })
    for (const update of updatesOf([0, 1, 2].map((editor) => ({ editor, act: 'insert', at: 0, text: 'x' })))) {
      Y.applyUpdate(doc, update)
    }
    const seen = (): number[] => {
      const clients: number[] = []
      doc.store.clients.forEach((_, client) => clients.push(client))
      return clients
    }
    doc.extending([2, 77], () => expect(seen()).toEqual([2]))
    expect(seen()).toEqual([1, 2, 3])
    expect(() =>
      doc.extending([1], () => {
        throw new Error('in the middle')
      }),
    ).toThrow('in the middle')
    expect(seen()).toEqual([1, 2, 3])
  })
})
