import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue, Value } from '../../server/content/content.ts'
import { merge, mergeReaching, type JsonOverlap } from '../../server/content/merge.ts'
import { valueAt } from '../../server/content/pointer.ts'

interface Case {
  title: string
  base: JsonObject
  current: JsonObject
  incoming: JsonObject
  merged: JsonObject
  /** Pointers; none means clean. */
  overlaps?: string[]
}

const cases: Case[] = [
  {
    title: 'different members',
    base: { a: 1, b: 1 },
    current: { a: 2, b: 1 },
    incoming: { a: 1, b: 2 },
    merged: { a: 2, b: 2 },
  },
  { title: 'one member', base: { a: 1 }, current: { a: 2 }, incoming: { a: 3 }, merged: { a: 2 }, overlaps: ['/a'] },
  {
    title: 'one member alike',
    base: { a: 1 },
    current: { a: { x: 1, y: 2 } },
    incoming: { a: { y: 2, x: 1 } },
    merged: { a: { x: 1, y: 2 } },
  },
  {
    title: 'members deep in one object',
    base: { o: { p: { a: 1, b: 1 } } },
    current: { o: { p: { a: 2, b: 1 } } },
    incoming: { o: { p: { a: 1, b: 2 } } },
    merged: { o: { p: { a: 2, b: 2 } } },
  },
  { title: 'added under two keys', base: {}, current: { a: 1 }, incoming: { b: 2 }, merged: { a: 1, b: 2 } },
  { title: 'added under one key', base: {}, current: { a: 1 }, incoming: { a: 2 }, merged: { a: 1 }, overlaps: ['/a'] },
  {
    title: 'two objects added under one key',
    base: {},
    current: { a: { x: 1 } },
    incoming: { a: { y: 2 } },
    merged: { a: { x: 1 } },
    overlaps: ['/a'],
  },
  { title: 'added alike under one key', base: {}, current: { a: [1] }, incoming: { a: [1] }, merged: { a: [1] } },
  { title: 'removed by both', base: { a: 1, b: 1 }, current: { b: 1 }, incoming: { b: 1 }, merged: { b: 1 } },
  { title: 'removed against changed', base: { a: 1 }, current: {}, incoming: { a: 2 }, merged: {}, overlaps: ['/a'] },
  {
    title: 'removed against changed below',
    base: { a: { x: 1, y: 1 } },
    current: {},
    incoming: { a: { x: 2, y: 1 } },
    merged: {},
    overlaps: ['/a'],
  },
  {
    title: 'changed below against removed',
    base: { a: { x: 1, y: 1 } },
    current: { a: { x: 2, y: 1 } },
    incoming: {},
    merged: { a: { x: 2, y: 1 } },
    overlaps: ['/a'],
  },
  {
    title: 'set to null is not removed',
    base: { a: 1 },
    current: { a: null },
    incoming: {},
    merged: { a: null },
    overlaps: ['/a'],
  },
  {
    title: 'replaced by a scalar against changed below',
    base: { a: { x: 1 } },
    current: { a: 5 },
    incoming: { a: { x: 2 } },
    merged: { a: 5 },
    overlaps: ['/a'],
  },
  {
    title: 'object against array',
    base: { a: 1 },
    current: { a: {} },
    incoming: { a: [] },
    merged: { a: {} },
    overlaps: ['/a'],
  },
  {
    title: 'keys that need escapes',
    base: { 'a/b': { 'm~n': 1 } },
    current: { 'a/b': { 'm~n': 2 } },
    incoming: { 'a/b': { 'm~n': 3 } },
    merged: { 'a/b': { 'm~n': 2 } },
    overlaps: ['/a~1b/m~0n'],
  },
  {
    title: 'a key that is a prefix of another',
    base: { a: 1, ab: 1 },
    current: { a: 2, ab: 1 },
    incoming: { a: 1, ab: 2 },
    merged: { a: 2, ab: 2 },
  },
  {
    title: 'constructor is an ordinary key',
    base: {},
    current: { constructor: 1 },
    incoming: { toString: 2 },
    merged: { constructor: 1, toString: 2 },
  },
  {
    title: 'elements apart',
    base: { l: [1, 2, 3] },
    current: { l: [9, 2, 3] },
    incoming: { l: [1, 2, 8] },
    merged: { l: [9, 2, 8] },
  },
  {
    title: 'elements side by side',
    base: { l: [1, 2, 3] },
    current: { l: [9, 2, 3] },
    incoming: { l: [1, 8, 3] },
    merged: { l: [9, 8, 3] },
  },
  {
    title: 'one element',
    base: { l: [1, 2] },
    current: { l: [9, 2] },
    incoming: { l: [8, 2] },
    merged: { l: [9, 2] },
    overlaps: ['/l/0'],
  },
  {
    title: 'members of one element',
    base: { l: [{ a: 1, b: 1 }] },
    current: { l: [{ a: 2, b: 1 }] },
    incoming: { l: [{ a: 1, b: 2 }] },
    merged: { l: [{ a: 2, b: 2 }] },
  },
  {
    title: 'one member of one element, shifted in current',
    base: { l: [{ a: 1 }] },
    current: { l: [0, { a: 1 }], x: 1 },
    incoming: { l: [{ a: 2 }] },
    merged: { l: [0, { a: 2 }], x: 1 },
  },
  {
    title: 'inserted in front against changed first',
    base: { l: [{ a: 1 }, 2] },
    current: { l: [0, { a: 1 }, 2] },
    incoming: { l: [{ a: 3 }, 2] },
    merged: { l: [0, { a: 3 }, 2] },
  },
  {
    title: 'both append',
    base: { l: [1] },
    current: { l: [1, 2] },
    incoming: { l: [1, 3] },
    merged: { l: [1, 2] },
    overlaps: ['/l/1'],
  },
  {
    title: 'both append alike',
    base: { l: [1] },
    current: { l: [1, 2] },
    incoming: { l: [1, 2] },
    merged: { l: [1, 2] },
  },
  {
    title: 'one appends, the other prepends',
    base: { l: [1] },
    current: { l: [1, 2] },
    incoming: { l: [0, 1] },
    merged: { l: [0, 1, 2] },
  },
  {
    title: 'both remove the same element',
    base: { l: [1, 2, 3] },
    current: { l: [1, 3] },
    incoming: { l: [1, 3] },
    merged: { l: [1, 3] },
  },
  {
    title: 'removals that share an element',
    base: { l: [1, 2, 3, 4] },
    current: { l: [1, 4] },
    incoming: { l: [1, 2] },
    merged: { l: [1] },
  },
  {
    title: 'removed against changed element',
    base: { l: [1, { a: 1 }, 3] },
    current: { l: [1, 3] },
    incoming: { l: [1, { a: 2 }, 3] },
    merged: { l: [1, 3] },
    overlaps: ['/l/1'],
  },
  {
    title: 'two removed, one of them changed',
    base: { l: [1, { a: 1 }, { b: 1 }, 4] },
    current: { l: [1, 4] },
    incoming: { l: [1, { a: 1 }, { b: 2 }, 4] },
    merged: { l: [1, 4] },
    overlaps: ['/l/2'],
  },
  {
    title: 'inserted between two removed',
    base: { l: [1, 2, 3, 4] },
    current: { l: [1, 4] },
    incoming: { l: [1, 2, 9, 3, 4] },
    merged: { l: [1, 4] },
    overlaps: ['/l/1'],
  },
  {
    title: 'two became one against changed one',
    base: { l: [0, 1, 2, 9] },
    current: { l: [0, 5, 9] },
    incoming: { l: [0, 1, 7, 9] },
    merged: { l: [0, 5, 9] },
    overlaps: ['/l/1'],
  },
  {
    title: 'array replaced against changed within',
    base: { l: [1, 2] },
    current: { l: 'none' },
    incoming: { l: [1, 3] },
    merged: { l: 'none' },
    overlaps: ['/l'],
  },
  {
    title: 'nested arrays',
    base: {
      m: [
        [1, 2],
        [3, 4],
      ],
    },
    current: {
      m: [
        [1, 9],
        [3, 4],
      ],
    },
    incoming: {
      m: [
        [8, 2],
        [3, 4, 5],
      ],
    },
    merged: {
      m: [
        [8, 9],
        [3, 4, 5],
      ],
    },
  },
  {
    title: 'an overlap leaves the rest of the array merged',
    base: { l: [1, 2, 3, 4] },
    current: { l: [9, 2, 3, 4] },
    incoming: { l: [8, 2, 3, 7] },
    merged: { l: [9, 2, 3, 7] },
    overlaps: ['/l/0'],
  },
]

const swapped = (overlap: JsonOverlap): JsonOverlap => ({
  ...overlap,
  pointers: { current: overlap.pointers.incoming, incoming: overlap.pointers.current },
  current: overlap.incoming,
  incoming: overlap.current,
})

describe('merge of json', () => {
  it.each(cases)('[CONF-2] $title', ({ base, current, incoming, merged, overlaps = [] }) => {
    const before = JSON.stringify([base, current, incoming])
    const result = merge(base, current, incoming)
    expect(result.content).toEqual(merged)
    expect(result.clean).toBe(overlaps.length === 0)
    expect(result.overlaps.map((overlap) => overlap.id)).toEqual(overlaps.map((pointer) => `P${pointer}`))
    const mirrored = merge(base, incoming, current)
    expect(mirrored.overlaps).toEqual(result.overlaps.map((overlap) => swapped(overlap as JsonOverlap)))
    if (result.clean) expect(mirrored.content).toEqual(merged)
    expect(JSON.stringify([base, current, incoming])).toBe(before)
  })

  const present = (value: JsonValue): Value => ({ present: true, value })
  const absent: Value = { present: false }

  it('[CONF-2] absent is not null in the values of an overlap', () => {
    expect(merge({ a: null }, {}, { a: 1 }).overlaps).toEqual([
      {
        id: 'P/a',
        pointer: '/a',
        pointers: { current: '/a', incoming: '/a' },
        base: present(null),
        current: absent,
        incoming: present(1),
      },
    ])
  })

  it('[CONF-2] an insertion by both has its insertion index and no base', () => {
    expect(merge({ l: [1, 2] }, { l: [1, 2, 'x'] }, { l: [0, 1, 2, 'y'] }).overlaps).toEqual([
      {
        id: 'P/l/2',
        pointer: '/l/2',
        pointers: { current: '/l/2', incoming: '/l/3' },
        base: absent,
        current: present('x'),
        incoming: present('y'),
      },
    ])
  })

  it('[CONF-2] where a side has several elements the values are their lists', () => {
    expect(merge({ l: [1] }, { l: [1, 'x', 'y'] }, { l: [1, 'z'] }).overlaps).toEqual([
      {
        id: 'P/l/1',
        pointer: '/l/1',
        pointers: { current: '/l/1', incoming: '/l/1' },
        elements: true,
        base: absent,
        current: present(['x', 'y']),
        incoming: present(['z']),
      },
    ])
  })

  it('[CONF-2] a pointer has base indices; each side tells where the place is in it', () => {
    const current = { l: [0, 0, 1, 2, { a: 2 }] }
    const result = merge({ l: [1, 2, { a: 1 }] }, current, { l: [2, { a: 3 }] })
    const [overlap] = result.overlaps as JsonOverlap[]
    expect(overlap).toMatchObject({
      id: 'P/l/2/a',
      pointer: '/l/2/a',
      pointers: { current: '/l/4/a', incoming: '/l/1/a' },
    })
    expect(valueAt(current, overlap?.pointers.current ?? '')).toEqual(overlap?.current)
    expect(result.content).toEqual({ l: [0, 0, 2, { a: 2 }] })
  })

  it('[CONF-3] shares with current what incoming leaves alone', () => {
    const current = { kept: { deep: [1] }, a: 1 }
    const { content } = merge({ kept: { deep: [1] }, a: 0 }, current, { kept: { deep: [1] }, a: 0, b: 2 })
    expect(content).toEqual({ kept: { deep: [1] }, a: 1, b: 2 })
    expect((content as typeof current).kept).toBe(current.kept)
  })
})

describe('[CONF-2] a merge of which not all overlaps are named', () => {
  const side = (what: (n: number) => string) =>
    Object.fromEntries(Array.from({ length: 1_200 }, (_, n) => [`key ${n}`, what(n)]))
  const base = side(() => 'base')

  it('[CONF-2] is the same merge, with the first of them', () => {
    const [current, incoming] = [side((n) => (n < 1_150 ? 'current' : 'base')), side((n) => `incoming ${n}`)]
    const [whole, reaching] = [merge(base, current, incoming), mergeReaching(base, current, incoming)]
    expect(whole.overlaps).toHaveLength(1_150)
    expect(reaching.overlaps).toEqual(whole.overlaps.slice(0, 1_001))
    expect([reaching.content, reaching.clean]).toEqual([whole.content, whole.clean])
  })

  it.each([
    ['blanks alone', 'text ', true],
    ['more than blanks', 'other', false],
  ])('[CONF-2] tells of all whether they differ in %s', (_, last, blanksOnly) => {
    const incoming = side((n) => (n === 1_199 ? last : 'text '))
    expect(
      mergeReaching(
        base,
        side(() => 'text'),
        incoming,
      ).blanksOnly,
    ).toBe(blanksOnly)
  })
})
