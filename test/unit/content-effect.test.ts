import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue, Value } from '../../server/content/content.ts'
import {
  applyEffect,
  decodeEffect,
  effectBetween,
  effectPointers,
  encodeEffect,
  type Effect,
} from '../../server/content/effect.ts'
import { applyJsonEdits, jsonEdits, type JsonEdit } from '../../server/content/jsonEdits.ts'
import { parsePointer, toPointer, valueAt } from '../../server/content/pointer.ts'

describe('jsonEdits', () => {
  it.each<[string, JsonObject, JsonObject, JsonEdit[]]>([
    ['nothing', { a: { b: [1] } }, { a: { b: [1] } }, []],
    ['the order of members', { a: 1, b: 2 }, { b: 2, a: 1 }, []],
    [
      'a member deep down',
      { a: { b: { c: 1, d: 2 } } },
      { a: { b: { c: 3, d: 2 } } },
      [{ at: ['a', 'b', 'c'], value: 3 }],
    ],
    ['an added member', { a: {} }, { a: { b: null } }, [{ at: ['a', 'b'], value: null }]],
    ['a removed member', { a: { b: null } }, { a: {} }, [{ at: ['a', 'b'], removed: true }]],
    ['another type', { a: {} }, { a: [] }, [{ at: ['a'], value: [] }]],
    ['an appended element', { a: [1] }, { a: [1, 2] }, [{ at: ['a'], index: 1, remove: 0, insert: [2] }]],
    ['an element in front', { a: [1] }, { a: [0, 1] }, [{ at: ['a'], index: 0, remove: 0, insert: [0] }]],
    ['a removed element', { a: [1, 2, 3] }, { a: [1, 3] }, [{ at: ['a'], index: 1, remove: 1, insert: [] }]],
    [
      'a changed element',
      { a: [1, { b: 1, c: 2 }, 3] },
      { a: [1, { b: 1, c: 4 }, 3] },
      [{ at: ['a', 1, 'c'], value: 4 }],
    ],
    ['a longer run', { a: [1, 2] }, { a: [1, 3, 4] }, [{ at: ['a'], index: 1, remove: 1, insert: [3, 4] }]],
  ])('[DOC-8] %s', (_, from, to, edits) => {
    expect(jsonEdits(from, to)).toEqual(edits)
    expect(applyJsonEdits(from, edits)).toEqual(to)
  })

  it('[DOC-8] every index is one of the content before', () => {
    const from = { a: [1, 2, 3, 4, 5, { x: 1 }] }
    const to = { a: [0, 1, 3, 4, { x: 2 }] }
    expect(jsonEdits(from, to)).toEqual([
      { at: ['a'], index: 4, remove: 2, insert: [{ x: 2 }] },
      { at: ['a'], index: 1, remove: 1, insert: [] },
      { at: ['a'], index: 0, remove: 0, insert: [0] },
    ])
    expect(applyJsonEdits(from, jsonEdits(from, to))).toEqual(to)
  })

  it('[DOC-8] elements are replaced one by one, but past 1,000 of a write with all that lies between them', () => {
    const count = (length: number, offset: number): number[] => Array.from({ length }, (_, i) => i + offset)
    const few = { a: count(2_000, 0) }
    const some = { a: few.a.map((n) => (n % 500 === 7 ? -n : n)) }
    expect(jsonEdits(few, some)).toEqual([1_507, 1_007, 507, 7].map((n) => ({ at: ['a', n], value: -n })))
    expect(jsonEdits({ a: count(1_000, 0) }, { a: count(1_000, 9_000) })).toHaveLength(1_000)

    const [from, to] = [{ a: ['same', ...count(50_000, 0)] }, { a: ['same', ...count(50_000, 90_000)] }]
    expect(jsonEdits(from, to)).toEqual([{ at: ['a'], index: 1, remove: 50_000, insert: to.a.slice(1) }])
    expect(applyJsonEdits(from, jsonEdits(from, to))).toEqual(to)

    const rows = (offset: number): JsonObject => ({ a: count(300, 0).map((row) => count(300, offset + 300 * row)) })
    const edits = jsonEdits(rows(0), rows(900_000))
    expect(edits).toHaveLength(3 * 300 + 297)
    expect(applyJsonEdits(rows(0), edits)).toEqual(rows(900_000))
  })

  it('[DOC-8] a long string is changed by a delta, a short one or a quite different one is replaced', () => {
    const long = 'a string that is rather long and changes in one place only'
    expect(jsonEdits({ s: long }, { s: `${long}!` })).toEqual([{ at: ['s'], delta: [long.length, '!'] }])
    expect(jsonEdits({ s: 'ab' }, { s: 'abc' })).toEqual([{ at: ['s'], value: 'abc' }])
    const other = '0123456789012345678901234567890123456789'
    expect(jsonEdits({ s: long }, { s: other })).toEqual([{ at: ['s'], value: other }])
  })

  it('shares what an edit leaves alone, and changes no input', () => {
    const from = { kept: { a: [1] }, list: [{ b: 1 }, { c: 1 }] }
    const before = structuredClone(from)
    const to = applyJsonEdits(from, [{ at: ['list', 0, 'b'], value: 2 }])
    expect(to).toEqual({ kept: { a: [1] }, list: [{ b: 2 }, { c: 1 }] })
    expect(from).toEqual(before)
    expect(to['kept']).toBe(from.kept)
    expect((to['list'] as JsonValue[])[1]).toBe(from.list[1])
  })

  it('subtrees that are the same in memory are not walked', () => {
    const trap = new Proxy<JsonObject>({}, { ownKeys: () => expect.unreachable('it was walked') })
    expect(jsonEdits({ a: trap, b: [trap], c: 1 }, { a: trap, b: [trap, 2], c: 2 })).toHaveLength(2)
  })

  it('takes __proto__ for plain data', () => {
    const from: JsonObject = JSON.parse('{"a":{"__proto__":{"x":1}}}')
    const to: JsonObject = JSON.parse('{"a":{"__proto__":{"x":2}},"__proto__":3}')
    const result = applyJsonEdits(from, jsonEdits(from, to))
    expect(JSON.stringify(result)).toBe(JSON.stringify(to))
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
  })

  it('takes in 100,000 elements at once', () => {
    const list = Array.from({ length: 100_000 }, (_, i) => i)
    const to = applyJsonEdits({ a: [-1] }, jsonEdits({ a: [-1] }, { a: [...list, -1] }))
    expect((to['a'] as JsonValue[]).length).toBe(100_001)
  })
})

describe('effect', () => {
  it('is null between equal contents', () => {
    expect(effectBetween('a', 'a')).toBeNull()
    expect(effectBetween({ a: [1] }, { a: [1] })).toBeNull()
    expect(applyEffect('a', null)).toBe('a')
    expect(encodeEffect(null)).toBeNull()
    expect(decodeEffect(null)).toBeNull()
  })

  it('of one typed character is stored in few bytes', () => {
    const text = 'x'.repeat(200)
    expect(encodeEffect(effectBetween(text, `${text.slice(0, 120)}a${text.slice(120)}`))).toHaveLength(9)
    expect(encodeEffect({ kind: 'text', delta: [120, 'a'] })).toBe('[120,"a"]')
    expect(encodeEffect(effectBetween({ a: 1 }, { a: 2 }))).toBe('[[["a"],2]]')
  })

  it.each<Effect>([
    { kind: 'text', delta: ['a'] },
    { kind: 'text', delta: [1, -2, '[]', 3, '😀'] },
    { kind: 'json', edits: [{ at: ['a', 0, ''], value: null }] },
    {
      kind: 'json',
      edits: [
        { at: ['0'], removed: true },
        { at: [0], value: [1] },
      ],
    },
    { kind: 'json', edits: [{ at: [], index: 0, remove: 2, insert: [] }] },
    { kind: 'json', edits: [{ at: ['a'], index: 3, remove: 0, insert: [null, { b: [] }] }] },
    {
      kind: 'json',
      edits: [
        { at: ['s'], delta: [12, -1] },
        { at: ['t'], value: [1, 2, 3] },
      ],
    },
  ])('%j survives being stored', (effect) => {
    expect(decodeEffect(encodeEffect(effect))).toEqual(effect)
  })

  it('[CONF-2] names the pointers it touched by indices before it, an insertion by its index', () => {
    const effect = effectBetween(
      { z: 1, list: [1, 2, 3, { 'a/b': 1 }], 'm~': { n: 1 } },
      { list: [0, 1, 3, { 'a/b': 2 }], 'm~': { n: 2 } },
    )
    expect(effectPointers(effect)).toEqual(['/list/0', '/list/1', '/list/3/a~1b', '/m~0/n', '/z'])
    expect(effectPointers(effectBetween('a', 'b'))).toEqual([])
    expect(effectPointers(null)).toEqual([])
  })

  it('names at most 50 pointers', () => {
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`k${i}`, i]))
    expect(effectPointers(effectBetween({}, many))).toHaveLength(50)
    expect(effectPointers({ kind: 'json', edits: [{ at: [], index: 0, remove: 100_000, insert: [] }] })).toHaveLength(
      50,
    )
  })
})

describe('pointer', () => {
  // RFC 6901, section 5.
  const document: JsonObject = JSON.parse(
    '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8}',
  )
  it.each<[string, JsonValue]>([
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('RFC 6901: %j', (pointer, value) => {
    expect(valueAt(document, pointer)).toEqual({ present: true, value })
    expect(toPointer(parsePointer(pointer) ?? ['none'])).toBe(pointer)
  })

  it.each([
    '/nothing',
    '/foo/2',
    '/foo/-',
    '/foo/01',
    '/foo/1e0',
    '/foo/0/x',
    'foo',
    '/~2',
    '/~',
    '/toString',
    '/__proto__',
  ])('finds nothing at %j', (pointer) => expect(valueAt(document, pointer)).toEqual<Value>({ present: false }))

  it('~01 is ~1, not a slash', () => {
    expect(parsePointer('/~01')).toEqual(['~1'])
    expect(toPointer(['~1', '~/'])).toBe('/~01/~0~1')
    expect(toPointer(['a', 0])).toBe('/a/0')
  })
})
