import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { changesOf, merge, touches } from '../../server/content/merge.ts'

describe('changesOf json', () => {
  it('[CONF-2] lists the deepest places, by base indices', () => {
    expect(
      changesOf({ b: 1, l: [1, 2, 3, { x: 1 }], o: { p: 1 } }, { a: null, l: [1, { x: 2 }, 4, 5], o: { p: 2 } }),
    ).toEqual([
      { pointer: '/a', base: { present: false }, side: { present: true, value: null } },
      { pointer: '/b', base: { present: true, value: 1 }, side: { present: false } },
      { pointer: '/l/1', base: { present: true, value: 2 }, side: { present: true, value: { x: 2 } } },
      { pointer: '/l/2', base: { present: true, value: 3 }, side: { present: true, value: 4 } },
      { pointer: '/l/3', base: { present: true, value: { x: 1 } }, side: { present: true, value: 5 } },
      { pointer: '/o/p', base: { present: true, value: 1 }, side: { present: true, value: 2 } },
    ])
  })

  it('[CONF-2] an added or removed element is one change, several in one place are listed', () => {
    expect(changesOf({ l: [1, 2, 3] }, { l: [1] })).toEqual([
      { pointer: '/l/1', base: { present: true, value: 2 }, side: { present: false } },
      { pointer: '/l/2', base: { present: true, value: 3 }, side: { present: false } },
    ])
    expect(changesOf({ l: [1] }, { l: [1, 2] })).toEqual([
      { pointer: '/l/1', base: { present: false }, side: { present: true, value: 2 } },
    ])
    expect(changesOf({ l: [1] }, { l: [1, 2, 3] })).toEqual([
      { pointer: '/l/1', elements: true, base: { present: false }, side: { present: true, value: [2, 3] } },
    ])
  })
})

describe('touches for json', () => {
  const base = { a: { b: { c: 1 } }, l: [0, { x: 1 }, 2], other: 1 }
  const current = { a: { b: { c: 2 } }, l: ['new', 0, { x: 2 }, 2], other: 1 }
  const incoming = { a: { b: { c: 3 } }, l: [0, { x: 3 }, 2], other: 1 }
  const { overlaps } = merge(base, current, incoming)

  it('there are overlaps to touch', () => {
    expect(overlaps.map((overlap) => overlap.id)).toEqual(['P/a/b/c', 'P/l/1/x'])
  })

  it.each<[string, JsonObject, boolean]>([
    ['sets the place', { ...current, a: { b: { c: 9 } } }, true],
    ['removes something above it', { l: current.l, other: 1 }, true],
    ['sets something below it', { ...current, a: { b: { c: { deep: 1 } } } }, true],
    ['sets something beside it', { ...current, a: { b: { c: 2, d: 1 } } }, false],
    ['sets another member', { ...current, other: 2 }, false],
    ['sets the element where it is now', { ...current, l: ['new', 0, { x: 9 }, 2] }, true],
    ['sets the element that has its base index now', { ...current, l: ['new', 9, { x: 2 }, 2] }, false],
    ['removes the element', { ...current, l: ['new', 0, 2] }, true],
    ['inserts before the element', { ...current, l: ['new', 0, 'more', { x: 2 }, 2] }, false],
    ['appends', { ...current, l: ['new', 0, { x: 2 }, 2, 3] }, false],
    ['changes nothing', structuredClone(current), false],
  ])('[WRITE-7] a write that %s', (_, after, expected) => {
    expect(touches(effectBetween(current, after), current, overlaps)).toBe(expected)
  })

  it('[WRITE-7] a place of several elements is touched at each of them', () => {
    const now = { l: [1, 'x', 'y', 5] }
    const several = merge({ l: [1, 5] }, now, { l: [1, 'z', 5] }).overlaps
    expect(touches(effectBetween(now, { l: [1, 'x', 'Y', 5] }), now, several)).toBe(true)
    expect(touches(effectBetween(now, { l: [1, 'x', 'y', 6] }), now, several)).toBe(false)
  })

  it('[WRITE-7] where current has nothing, only what is put there touches it', () => {
    const now = { l: [1, 3] }
    const removed = merge({ l: [1, 2, 3] }, now, { l: [1, 9, 3] }).overlaps
    expect(touches(effectBetween(now, { l: [1, 7, 3] }), now, removed)).toBe(true)
    expect(touches(effectBetween(now, { l: [1, 7] }), now, removed)).toBe(false)
  })
})
