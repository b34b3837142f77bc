import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { joinInSteps, UpdatePile } from '../../server/documents/joinUpdates.ts'

const KIBIBYTE = 1024

/** Updates of someone who types, one for each key. */
function typed(text: string, client = 7): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = client
  return updatesOf(doc, () => {
    for (const [at, key] of [...text].entries()) doc.getText('content').insert(at, key)
  })
}

function updatesOf(doc: Y.Doc, change: () => void): Uint8Array[] {
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  change()
  return updates
}

function docOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

describe('updates that wait', () => {
  it('[OPS-8] are joined as they come, so that they stay few and small, however many there are', () => {
    let pile = UpdatePile.EMPTY
    const updates = typed('x'.repeat(20_000))
    let most = 0
    for (const update of updates) {
      pile = pile.with(update)
      most = Math.max(most, pile.updates.length)
    }
    expect(most).toBeLessThanOrEqual(60)
    expect(pile.bytes).toBe(pile.updates.reduce((sum, { length }) => sum + length, 0))
    // What was typed, once, and not what each key was sent as.
    expect(pile.bytes).toBeLessThan(20_000 + KIBIBYTE)
    expect(docOf(pile.updates).getText('content').length).toBe(20_000)
  })

  it('[OPS-8] are joined with large ones at the end only', () => {
    let pile = UpdatePile.EMPTY
    const doc = new Y.Doc()
    const large = updatesOf(doc, () => {
      for (let n = 0; n < 40; n++) doc.getText('content').insert(0, 'x'.repeat(70 * KIBIBYTE))
    })
    for (const update of large) pile = pile.with(update)
    expect(pile.updates.every((update, n) => update === large[n])).toBe(true)
    expect(pile.updates).toHaveLength(40)
  })

  it('[OPS-8] are joined in steps, between which others have their turn', async () => {
    const updates = typed('x'.repeat(1_024))
    let turns = 0
    let isDone = false
    const watch = (): void => {
      turns += 1
      if (!isDone) setImmediate(watch)
    }
    setImmediate(watch)
    const joined = await joinInSteps(updates)
    isDone = true
    expect(turns).toBeGreaterThan(64)
    expect(docOf([joined]).getText('content').length).toBe(1_024)
  })

  it('[OPS-8] come to the same document, joined or not, whoever wrote where', async () => {
    const step = fc.record({
      who: fc.nat(2),
      at: fc.nat(1_000),
      text: fc.constantFrom('a', 'b', '😀', '\ud83d', 'word '),
      deletes: fc.boolean(),
      sees: fc.boolean(),
    })
    const histories = fc.array(step, { minLength: 1, maxLength: 80 })
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const docs = [1, 2, 3].map((client) => {
          const doc = new Y.Doc()
          doc.clientID = client
          return doc
        })
        const updates: Uint8Array[] = []
        for (const doc of docs)
          doc.on('update', (update: Uint8Array, by: unknown) => by === null && updates.push(update))
        for (const { who, at, text, deletes, sees } of steps) {
          const doc = docs[who]
          if (!doc) continue
          if (sees) for (const update of [...updates]) Y.applyUpdate(doc, update, 'others')
          const content = doc.getText('content')
          const place = at % (content.length + 1)
          if (deletes && place < content.length) content.delete(place, 1)
          else content.insert(place, text)
        }
        const wanted = docOf(updates)
        const joined = docOf([await joinInSteps(updates)])
        let pile = UpdatePile.EMPTY
        for (const update of updates) pile = pile.with(update)
        for (const doc of [joined, docOf(pile.updates)]) {
          expect(doc.getText('content').toString()).toBe(wanted.getText('content').toString())
          expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(wanted))
          expect(doc.store.pendingStructs).toBeNull()
        }
        const oneByOne = new Y.Doc()
        for (const update of pile.updates) {
          Y.applyUpdate(oneByOne, update)
          expect(oneByOne.store.pendingStructs, 'none builds on a later one').toBeNull()
        }
      }),
      { numRuns: 200 },
    )
  })
})
