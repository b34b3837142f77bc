import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { contentEquals } from '../../server/content/equal.ts'
import { readJson, writeJson } from '../../server/content/json.ts'
import { jsonEdits } from '../../server/content/jsonEdits.ts'
import { mergeJson } from '../../server/content/mergeJson.ts'
import { inOrder } from '../../server/content/order.ts'
import { jsonObject } from '../support/contentArbitraries.ts'

/** The same value with the members of every object in another order. */
function shuffled(value: unknown, random: () => number): unknown {
  if (Array.isArray(value)) return value.map((element) => shuffled(element, random))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, member]) => [key, shuffled(member, random)] as const)
  return Object.fromEntries(
    entries
      .map((entry) => ({ entry, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ entry }) => entry),
  )
}

describe('[DOC-9] the order of members', () => {
  it('is indices by number, then keys by code units, at every depth', () => {
    const value = {
      b: [{ z: 1, a: 2 }],
      A: 1,
      '10': 1,
      '9': { y: 1, x: 2 },
      '-1': 0,
      '01': 0,
      '4294967295': 1,
      a: null,
    }
    expect(JSON.stringify(inOrder(value))).toBe(
      '{"9":{"x":2,"y":1},"10":1,"-1":0,"01":0,"4294967295":1,"A":1,"a":null,"b":[{"a":2,"z":1}]}',
    )
  })

  it('leaves what is in order the same object', () => {
    const value = { '2': [1, { a: 1, b: [] }], '10': null, a: {}, b: 'x' }
    expect(inOrder(value)).toBe(value)
    const unordered = { a: value, c: [1], b: 0 }
    expect(inOrder(unordered).a).toBe(value)
    expect(Object.keys(unordered)).toEqual(['a', 'c', 'b'])
  })

  it('is the same for every order in which members were written (property)', () => {
    fc.assert(
      fc.property(jsonObject(), fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (content, chances) => {
        const random = (): number => chances.next().value ?? 0
        const other = shuffled(content, random)
        expect(contentEquals(content, other as typeof content)).toBe(true)
        expect(JSON.stringify(inOrder(other as typeof content))).toBe(JSON.stringify(inOrder(content)))
      }),
    )
  })

  it('does not depend on the order in which a shared map got its keys, nor on loading it anew (property)', () => {
    fc.assert(
      fc.property(fc.array(jsonObject(), { minLength: 1, maxLength: 5 }), (contents) => {
        const doc = new Y.Doc()
        const root = doc.getMap('content')
        for (const [index, content] of contents.entries()) {
          // Each by another client, because a map that is loaded has its keys in the order of their clients.
          doc.clientID = 1_000_000 - index
          doc.transact(() => writeJson(root, jsonEdits(readJson(root), content)))
        }
        const loaded = new Y.Doc()
        Y.applyUpdate(loaded, Y.encodeStateAsUpdate(doc))
        const expected = JSON.stringify(inOrder(contents.at(-1) ?? {}))
        expect(JSON.stringify(readJson(root))).toBe(expected)
        expect(JSON.stringify(readJson(loaded.getMap('content')))).toBe(expected)
      }),
    )
  })

  it('survives a merge of contents in order (property)', () => {
    fc.assert(
      fc.property(jsonObject(), jsonObject(), jsonObject(), (base, current, incoming) => {
        const merged = mergeJson(inOrder(base), inOrder(current), inOrder(incoming), () => 'current')
        expect(inOrder(merged)).toBe(merged)
      }),
    )
  })
})
