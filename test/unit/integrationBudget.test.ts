import * as Y from 'yjs'
import { describe, expect, it, vi } from 'vitest'
import { MAX_INTEGRATION_STEPS, withIntegrationBudget } from '../../server/documents/integrationBudget.ts'
import { rawUpdate, type RawSection } from '../support/rawUpdate.ts'

const SIZE = 4_000

/** A text, one item a character, and items before it whose order contradicts that of the text. */
const contradictingText = (size: number): Uint8Array =>
  rawUpdate([
    { client: 1, structs: chain(size) },
    ...Array.from({ length: size }, (_, i) => ({
      client: 1_000_000 - i,
      structs: [{ text: 'b', right: [1, size - 1 - i] as const }],
    })),
  ])
const chain = (size: number): RawSection['structs'] =>
  Array.from({ length: size }, (_, i) => ({ text: 'a', ...(i > 0 ? { origin: [1, i - 1] as const } : {}) }))

/** Values of one key, none of which says what it replaces. */
const unrelatedValues = (size: number): Uint8Array =>
  rawUpdate([{ client: 1, structs: Array.from({ length: size }, (_, i) => ({ any: [i], key: 'k' })) }])

function apply(update: Uint8Array, doc = new Y.Doc(), steps = MAX_INTEGRATION_STEPS): Y.Doc {
  withIntegrationBudget(steps, () => Y.applyUpdate(doc, update))
  return doc
}

describe('a budget for placing what an update brings', () => {
  it.each([
    ['text', contradictingText],
    ['values of one key', unrelatedValues],
  ])('[SYNC-6] (%s) refuses what grows by the square, and takes a little of it', (_name, updateOf) => {
    expect(() => apply(updateOf(SIZE))).toThrow(expect.objectContaining({ code: 'content-too-complex' }))
    const small = updateOf(200)
    const unlimited = new Y.Doc()
    Y.applyUpdate(unlimited, small)
    expect(Y.encodeStateAsUpdate(apply(small))).toEqual(Y.encodeStateAsUpdate(unlimited))
  })

  it('counts what the walk of Yjs itself visits', () => {
    const update = contradictingText(50)
    const visited = visitsOf(() => Y.applyUpdate(new Y.Doc(), update))
    expect(visited).toBeGreaterThan(1_000)
    expect(() => apply(update, new Y.Doc(), visited + 1)).not.toThrow()
    expect(() => apply(update, new Y.Doc(), visited)).toThrow(expect.objectContaining({ code: 'content-too-complex' }))
  })

  it('takes two people who each typed at one place for hours while apart', () => {
    const [one, other] = [new Y.Doc(), new Y.Doc()]
    one.getText('content').insert(0, 'xy')
    Y.applyUpdate(other, Y.encodeStateAsUpdate(one))
    for (let n = 0; n < 1_000; n++) {
      one.getText('content').insert(1, 'p')
      other.getText('content').insert(1, 'q')
    }
    apply(Y.encodeStateAsUpdate(other), one)
    expect(one.getText('content').length).toBe(2_002)
  })

  it('costs a long text typed forwards nothing', () => {
    expect(apply(rawUpdate([{ client: 1, structs: chain(SIZE) }]), new Y.Doc(), 1).getText('content').length).toBe(SIZE)
  })

  it('is over when the change is, also one that throws', () => {
    expect(() => apply(contradictingText(100), new Y.Doc(), 1)).toThrow()
    const doc = new Y.Doc()
    Y.applyUpdate(doc, contradictingText(100))
    expect(doc.store.clients.size).toBe(101)
  })
})

/** How many items Yjs passes in its walks: it adds each of them to two sets. */
function visitsOf(task: () => void): number {
  const add = vi.spyOn(Set.prototype, 'add')
  task()
  const added = add.mock.calls.filter(([value]) => value instanceof Y.Item)
  add.mockRestore()
  return added.length / 2
}
