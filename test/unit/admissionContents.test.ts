import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { rawUpdate, TYPES, type RawStruct } from '../support/rawUpdate.ts'
import { admitJson, admitText, by2, complex, helloDoc, malformed, ok, serverDoc } from './admissionSupport.ts'

describe('where an update puts something', () => {
  it.each([
    ['a map entry', { any: [1], key: 'k' }],
    ['a text under a key', { text: 'x', key: 'k' }],
    ['a list item', { any: [1] }],
    ['an old list item', { json: ['1'] }],
  ] satisfies [string, RawStruct][])('[SYNC-6] %s has no place in a text', (_name, struct) => {
    expect(admitText(rawUpdate([by2(struct)]))).toEqual(malformed)
  })

  it.each([
    ['a text without a key', { text: 'x' }],
    ['a list item', { any: [1] }],
    ['a text under a key', { text: 'x', key: 'k' }],
    ['a format', { format: ['b', 'true'], key: 'k' }],
    ['an embed', { embed: '{}', key: 'k' }],
    ['an XML element', { type: TYPES.xmlElement, name: 'p', key: 'k' }],
  ] satisfies [string, RawStruct][])('[SYNC-6] %s has no place in a json document', (_name, struct) => {
    expect(admitJson(rawUpdate([by2(struct)]))).toEqual(malformed)
  })

  it('[SYNC-6] what has no place in a nested type is refused as well, also through the origin alone', () => {
    const nested = rawUpdate([
      by2(
        { type: TYPES.array, key: 'a' },
        { any: [1], parent: [2, 0] },
        { type: TYPES.text, key: 't' },
        { text: 'x', parent: [2, 2] },
      ),
    ])
    const doc = serverDoc('json')
    expect(admitJson(nested, doc)).toEqual(ok(2))
    Y.applyUpdate(doc, nested)
    const by3 = (struct: RawStruct) => rawUpdate([{ client: 3, structs: [struct] }])
    expect(admitJson(by3({ any: [2], origin: [2, 1] }), doc)).toEqual(ok(3))
    expect(admitJson(by3({ text: 'y', origin: [2, 3] }), doc)).toEqual(ok(3))
    expect(admitJson(by3({ text: 'y', origin: [2, 1] }), doc)).toEqual(malformed)
    expect(admitJson(by3({ any: [2], right: [2, 3] }), doc)).toEqual(malformed)
    expect(admitJson(by3({ any: [2], key: 'k', parent: [2, 0] }), doc)).toEqual(malformed)
    expect(admitJson(by3({ text: 'y', origin: [2, 3], right: [2, 1] }), doc), 'between two types').toEqual(malformed)
  })

  it('[SYNC-6] an item that contradicts what is known of it is refused', () => {
    const doc = helloDoc()
    const elsewhere = rawUpdate([{ client: 1, structs: [{ text: 'hello world', parent: 'other' }] }])
    expect(admitText(elsewhere, doc)).toEqual(malformed)
    Y.applyUpdate(doc, rawUpdate([{ client: 1, clock: 5, structs: [{ gc: 3 }] }]))
    expect(admitText(rawUpdate([{ client: 1, structs: [{ text: 'hello world' }] }]), doc)).toEqual(malformed)
  })

  it('[SYNC-11] more than 64 roots are refused, even if only known structs name them', () => {
    const doc = helloDoc()
    const roots = (count: number) => Array.from({ length: count }, (_, i) => ({ text: 'x', parent: `root ${i}` }))
    expect(admitText(rawUpdate([by2(...roots(63))]), doc)).toEqual(ok(2))
    expect(admitText(rawUpdate([by2(...roots(64))]), doc)).toEqual(malformed)
    Y.applyUpdate(doc, rawUpdate([by2(...roots(63))]))
    expect(admitText(rawUpdate([{ client: 3, structs: [{ text: 'x', parent: 'root 5' }] }]), doc)).toEqual(ok(3))
    expect(admitText(rawUpdate([{ client: 1, structs: [{ text: 'h', parent: 'one more' }] }]), doc)).toEqual(malformed)
  })

  it('[SYNC-11] a root name has at most 128 characters', () => {
    expect(admitText(rawUpdate([by2({ text: 'x', parent: 'r'.repeat(128) })]))).toEqual(ok(2))
    expect(admitText(rawUpdate([by2({ text: 'x', parent: 'r'.repeat(129) })]))).toEqual(malformed)
  })
})

describe('a forbidden key', () => {
  const poisoned = JSON.parse('{"__proto__":{"isAdmin":true}}') as unknown
  it.each([
    ['a map key', { any: [1], key: '__proto__' }],
    ['a key of a value', { any: [poisoned], key: 'k' }],
    ['a key deep in a value', { any: [[{ a: [poisoned] }]], key: 'k' }],
    ['a key of an old value', { json: ['{"a":{"__proto__":1}}'], key: 'k' }],
    ['a root', { any: [1], parent: '__proto__' }],
    ['an element name', { type: TYPES.xmlElement, name: '__proto__', parent: 'page' }],
  ] satisfies [string, RawStruct][])('[SYNC-6] is refused as %s', (_name, struct) => {
    expect(admitJson(rawUpdate([by2(struct)]))).toEqual(malformed)
  })

  it.each([
    ['a format', { format: ['__proto__', 'true'] }],
    ['a key of a format', { format: ['b', '{"__proto__":1}'] }],
    ['a key of an embed', { embed: '{"a":[{"__proto__":1}]}' }],
  ] satisfies [string, RawStruct][])('[SYNC-6] is refused as %s in a text', (_name, struct) => {
    expect(admitText(rawUpdate([by2(struct)]))).toEqual(malformed)
  })
})

describe('a value that JSON has no form for', () => {
  const VALUES = [
    ['a bigint', { any: [12n] }],
    ['bytes', { any: [Uint8Array.of(1)] }],
    ['bytes as content', { bytes: Uint8Array.of(1) }],
    ['NaN', { any: [Number.NaN] }],
    ['Infinity', { any: [[Number.POSITIVE_INFINITY]] }],
    ['-Infinity', { any: [{ a: Number.NEGATIVE_INFINITY }] }],
    ['a number JSON cannot hold', { json: ['1e999'] }],
    ['a document', { document: 'guid' }],
  ] satisfies [string, RawStruct][]

  it.each(VALUES)('[SYNC-6] is refused in the content: %s', (_name, struct) => {
    expect(admitJson(rawUpdate([by2({ ...struct, key: 'k' })]))).toEqual(malformed)
    const nested = [
      { type: TYPES.array, key: 'list' },
      { ...struct, parent: [2, 0] as const },
    ]
    expect(admitJson(rawUpdate([by2(...nested)]))).toEqual(malformed)
  })

  it.each([...VALUES, ['undefined', { any: [undefined] }]] satisfies [string, RawStruct][])(
    '[SYNC-11] is taken in other roots: %s',
    (_name, struct) => {
      expect(admitText(rawUpdate([by2({ ...struct, parent: 'elsewhere' })]))).toEqual(ok(2))
      expect(admitJson(rawUpdate([by2({ ...struct, parent: 'elsewhere', key: 'k' })]))).toEqual(ok(2))
    },
  )

  it.each([
    ['a member', { any: [undefined], key: 'k' }, ok(2)],
    ['a member, the old way', { json: ['undefined'], key: 'k' }, ok(2)],
    ['a member of a value', { any: [{ a: undefined, b: [{ c: undefined }] }], key: 'k' }, ok(2)],
    ['an element of a value', { any: [[undefined]], key: 'k' }, malformed],
  ] satisfies [string, RawStruct, unknown][])('[SYNC-6] undefined is absent as %s', (_name, struct, expected) => {
    expect(admitJson(rawUpdate([by2(struct)]))).toEqual(expected)
  })

  it('[SYNC-6] undefined is no element of an array', () => {
    const list: RawStruct = { type: TYPES.array, key: 'list' }
    expect(admitJson(rawUpdate([by2(list, { any: [undefined], parent: [2, 0] })]))).toEqual(malformed)
  })

  it('[SYNC-11] documents inside a document are bounded in number', () => {
    const some = (count: number): RawStruct[] =>
      Array.from({ length: count }, (_, i) => ({ document: `guid ${i}`, parent: 'elsewhere' }))
    const doc = serverDoc()
    expect(admitText(rawUpdate([by2(...some(1_001))]))).toEqual(complex)
    Y.applyUpdate(doc, rawUpdate([by2(...some(1_000))]))
    expect(admitText(rawUpdate([{ client: 3, structs: some(1) }]), doc)).toEqual(complex)
  })
})

describe('depth', () => {
  const value = (depth: number): unknown => (depth === 0 ? 1 : [value(depth - 1)])
  const chain = (maps: number): RawStruct[] =>
    Array.from({ length: maps }, (_, i) => ({
      type: TYPES.map,
      key: 'k',
      parent: i === 0 ? 'content' : ([2, i - 1] as const),
    }))

  it('[SYNC-6] counts nested types, the root being 1', () => {
    expect(admitJson(rawUpdate([by2(...chain(63))]))).toEqual(ok(2))
    expect(admitJson(rawUpdate([by2(...chain(64))]))).toEqual(complex)
  })

  it('[SYNC-6] counts objects and arrays inside a value', () => {
    expect(admitJson(rawUpdate([by2({ any: [value(63)], key: 'k' })]))).toEqual(ok(2))
    expect(admitJson(rawUpdate([by2({ any: [value(64)], key: 'k' })]))).toEqual(complex)
    expect(admitJson(rawUpdate([by2({ json: [JSON.stringify(value(64))], key: 'k' })]))).toEqual(complex)
    expect(admitJson(rawUpdate([by2({ any: [value(5_000)], key: 'k' })]))).toEqual(complex)
  })

  it('[SYNC-6] counts them together, and on top of what the document has', () => {
    const doc = serverDoc('json')
    Y.applyUpdate(doc, rawUpdate([by2(...chain(60))]))
    const below = (struct: RawStruct) => rawUpdate([{ client: 3, structs: [{ ...struct, parent: [2, 59], key: 'x' }] }])
    expect(admitJson(below({ any: [value(3)] }), doc)).toEqual(ok(3))
    expect(admitJson(below({ any: [value(4)] }), doc)).toEqual(complex)
    expect(admitJson(rawUpdate([{ client: 3, structs: [{ any: [value(4)], origin: [2, 59] }] }]), doc)).toEqual(ok(3))
  })

  it('[SYNC-6] takes a nested text for the string it is', () => {
    const leaf: RawStruct = { type: TYPES.text, key: 't', parent: [2, 62] }
    expect(admitJson(rawUpdate([by2(...chain(63), leaf, { text: 'x', parent: [2, 63] })]))).toEqual(ok(2))
    const embedded: RawStruct = { type: TYPES.map, parent: [2, 63] }
    expect(admitJson(rawUpdate([by2(...chain(63), leaf, embedded)]))).toEqual(complex)
  })

  it('[SYNC-6] is bounded in other roots and inside embeds too', () => {
    const elsewhere = chain(64).map((struct, i) => (i === 0 ? { ...struct, parent: 'elsewhere' } : struct))
    expect(admitText(rawUpdate([by2(...elsewhere)]))).toEqual(complex)
    expect(admitText(rawUpdate([by2({ embed: '['.repeat(5_000) + ']'.repeat(5_000) })]))).toEqual(complex)
  })
})
