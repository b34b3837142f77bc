import { readFileSync } from 'node:fs'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import type { Kind } from '../../server/content/content.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { admit, MAX_CLIENT_IDS, type Admission, type GuardContext } from '../../server/documents/admission/admission.ts'
import { fromHex } from '../support/rawClient.ts'
import { rawUpdate, TYPES, type RawSection, type RawStruct } from '../support/rawUpdate.ts'

const SERVER = 4_000_000_000
const alice = toPrincipalId('alice')
const bob = toPrincipalId('bob')

function contextOf(doc: Y.Doc, kind: Kind = 'text', more: Partial<GuardContext> = {}): GuardContext {
  const limits = { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }
  const nothingElse = { owners: new Map(), formerClients: new Map(), takes: 'whole' } as const
  return { doc, kind, root: 'content', limits, principal: alice, userOf: () => null, ...nothingElse, ...more }
}

/** A document as the server holds it: its root has its type. */
function serverDoc(kind: Kind = 'text'): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = SERVER
  if (kind === 'text') doc.getText('content')
  else doc.getMap('content')
  return doc
}

/** A text document in which client 1 has written `hello`. */
function helloDoc(): Y.Doc {
  const doc = serverDoc()
  Y.applyUpdate(doc, rawUpdate([{ client: 1, structs: [{ text: 'hello' }] }]))
  return doc
}

const admitText = (update: Uint8Array, doc = serverDoc()): Admission => admit(update, contextOf(doc))
const admitJson = (update: Uint8Array, doc = serverDoc('json')): Admission => admit(update, contextOf(doc, 'json'))
const by2 = (...structs: RawStruct[]): RawSection => ({ client: 2, structs })

const ok = (...extended: number[]) => expect.objectContaining({ admitted: true, extended, left: null })
const refused = (code: string) => expect.objectContaining({ admitted: false, code })
const malformed = refused('invalid-request')
const gap = refused('missing-dependencies')
const complex = refused('content-too-complex')

describe('an honest update', () => {
  it('[SYNC-1] is admitted, and names the clients it extends', () => {
    const doc = helloDoc()
    expect(admitText(rawUpdate([by2({ text: ' you', origin: [1, 4] })]), doc)).toEqual(ok(2))
    expect(admitText(rawUpdate([], [[1, 0, 5]]), doc)).toEqual(ok())
    expect(admitText(Uint8Array.of(0, 0), doc)).toEqual(ok())
  })

  it('[SYNC-1] may bring what is known already, wholly or in part', () => {
    const doc = helloDoc()
    expect(admitText(Y.encodeStateAsUpdate(doc), doc)).toEqual(ok())
    const longer = rawUpdate([{ client: 1, structs: [{ text: 'hello world' }] }])
    expect(admitText(longer, doc)).toEqual(ok(1))
    expect(
      admitText(rawUpdate([{ client: 1, clock: 3, structs: [{ text: 'lo world', origin: [1, 2] }] }]), doc),
    ).toEqual(ok(1))
  })

  it('[SYNC-1] may depend on structs of other clients in either direction within itself', () => {
    const update = rawUpdate([
      { client: 1, structs: [{ text: 'a' }, { text: 'c', origin: [2, 0] }] },
      {
        client: 2,
        structs: [
          { text: 'b', origin: [1, 0] },
          { text: 'd', origin: [1, 1] },
        ],
      },
    ])
    expect(admitText(update)).toEqual(ok(1, 2))
    expect(admitText(rawUpdate([{ client: 3, structs: [{ text: 'x', origin: [2, 0] }] }, by2({ text: 'y' })]))).toEqual(
      ok(3, 2),
    )
  })

  it('[SYNC-1] may delete what it brings itself', () => {
    expect(admitText(rawUpdate([by2({ text: 'abc' })], [[2, 0, 3]]))).toEqual(ok(2))
  })

  it('[SYNC-1] may tell in one range that a client threw away what the server knows in part', () => {
    const doc = serverDoc('json')
    Y.applyUpdate(doc, rawUpdate([by2({ type: TYPES.map, key: 'a' }, { any: [1], parent: [2, 0], key: 'b' })]))
    const thrownAway = rawUpdate([{ client: 2, structs: [{ deleted: 1, key: 'a' }, { gc: 4 }] }], [[2, 0, 5]])
    expect(admitJson(thrownAway, doc)).toEqual(ok(2))
    Y.applyUpdate(doc, thrownAway)
    expect(doc.getMap('content').toJSON()).toEqual({})
  })

  it('[SYNC-1] may write below a parent that was deleted meanwhile', () => {
    const doc = serverDoc('json')
    Y.applyUpdate(
      doc,
      rawUpdate([by2({ type: TYPES.map, key: 'a' }, { any: [1], parent: [2, 0], key: 'b' })], [[2, 0, 1]]),
    )
    expect(admitJson(rawUpdate([{ client: 3, structs: [{ any: [2], parent: [2, 0], key: 'c' }] }]), doc)).toEqual(ok(3))
    expect(admitJson(rawUpdate([{ client: 3, structs: [{ any: [2], origin: [2, 1] }] }]), doc)).toEqual(ok(3))
  })

  it('[SYNC-1] may bring several values under one key, which is how Yjs joins those that an undo keeps', () => {
    expect(admitJson(rawUpdate([by2({ any: [1, 2], key: 'k' })], [[2, 0, 2]]))).toEqual(ok(2))
  })

  it('[SYNC-11] may use other roots as it likes', () => {
    const structs: RawStruct[] = [
      { text: 'x', parent: 'notes' },
      { any: [1], parent: 'notes', key: 'k' },
      { type: TYPES.xmlElement, name: 'p', parent: 'page' },
      { any: [1, 2], parent: '' },
    ]
    expect(admitText(rawUpdate([by2(...structs)]))).toEqual(ok(2))
  })

  it('[SYNC-6] may use `constructor` and `prototype` as keys, and write the words `__proto__`', () => {
    const structs: RawStruct[] = [
      { any: [{ constructor: 1, prototype: { a: 1 } }], key: 'constructor' },
      { any: ['__proto__'], key: 'prototype' },
    ]
    expect(admitJson(rawUpdate([by2(...structs)]))).toEqual(ok(2))
    expect(admitText(rawUpdate([by2({ text: '__proto__' })]))).toEqual(ok(2))
  })

  it('[SYNC-1] comes through whatever a stock editor does to a text and to a map', () => {
    const text = new Y.Doc()
    const server = serverDoc()
    text.on('update', (update: Uint8Array) => {
      expect(admitText(update, server)).toEqual(ok(...(update[0] ? [text.clientID] : [])))
      Y.applyUpdate(server, update)
    })
    text.getText('content').insert(0, 'hello 😀')
    text.getText('content').format(0, 3, { bold: true })
    text.getText('content').insertEmbed(2, { image: 'x' })
    text.getText('content').insertEmbed(2, new Y.Map([['a', 1]]))
    text.getText('content').delete(1, 4)
    expect(server.getText('content').toDelta()).toEqual(text.getText('content').toDelta())
  })

  it('[SYNC-1] comes through whatever a stock editor does to a map', () => {
    const json = new Y.Doc()
    const server = serverDoc('json')
    const undo = new Y.UndoManager(json.getMap('content'))
    json.on('update', (update: Uint8Array) => {
      expect(admitJson(update, server)).toMatchObject({ admitted: true })
      Y.applyUpdate(server, update)
    })
    const map = json.getMap<unknown>('content')
    map.set('list', Y.Array.from([1, 'two', null, { three: [true] }]))
    map.set('text', new Y.Text('words'))
    map.set('inner', new Y.Map([['a', 1.5]]))
    undo.stopCapturing()
    map.delete('inner')
    map.set('list', [])
    undo.undo()
    undo.redo()
    expect(server.getMap('content').toJSON()).toEqual({ list: [], text: 'words' })
  })
})

describe('malformed bytes', () => {
  const valid = rawUpdate(
    [{ client: 1, structs: [{ text: 'hello' }, { any: [1, { a: 'b' }], parent: 'x' }] }],
    [[1, 0, 2]],
  )

  it('[SYNC-6] are refused wherever a valid update is cut', () => {
    expect(admitText(valid)).toEqual(ok(1))
    const admissions = Array.from(valid, (_, end) => admitText(valid.subarray(0, end)))
    expect(admissions).toEqual(admissions.map(() => malformed))
  })

  it('[SYNC-6] are refused after an update', () => {
    expect(admitText(Uint8Array.of(...valid, 0))).toEqual(malformed)
  })

  it.each([
    ['an empty string', { text: '' }],
    ['an empty list', { any: [] }],
    ['an empty range', { gc: 0 }],
    ['a range past what clocks can count', { gc: 2 ** 31 }],
    ['a deleted range past what clocks can count', { deleted: 2 ** 50 }],
  ] satisfies [string, RawStruct][])('[SYNC-6] %s is refused', (_name, struct) => {
    expect(admitText(rawUpdate([by2(struct)]))).toEqual(malformed)
  })

  it('[SYNC-6] two sections of one client are refused', () => {
    expect(admitText(rawUpdate([by2({ text: 'a' }), { client: 2, clock: 1, structs: [{ text: 'b' }] }]))).toEqual(
      malformed,
    )
    expect(admitText(rawUpdate([by2({ text: 'a' }), by2()]))).toEqual(malformed)
  })

  it.each([
    ['empty', [2, 0, 0]],
    ['past what clocks can count', [2, 0, 2 ** 31]],
  ] as const)('[SYNC-6] a delete range %s is refused', (_name, range) => {
    expect(admitText(rawUpdate([by2({ text: 'a' })], [range]))).toEqual(malformed)
  })

  it('[SYNC-6] more structs or deletes than one update may have are refused', () => {
    const structs = Array.from({ length: 400_001 }, () => ({ gc: 1 }))
    expect(admitText(rawUpdate([{ client: 2, structs: structs.slice(1) }]))).toEqual(ok(2))
    expect(admitText(rawUpdate([{ client: 2, structs }]))).toEqual(complex)
    const ranges = structs.map((_, i) => [2, i, 1] as const)
    expect(admitText(rawUpdate([by2({ gc: 400_001 })], ranges.slice(1)))).toEqual(ok(2))
    expect(admitText(rawUpdate([by2({ gc: 400_001 })], ranges))).toEqual(complex)
  })
})

describe('what an update builds on', () => {
  it.each([
    ['a struct after a gap', [{ client: 1, clock: 6, structs: [{ text: 'x' }] }]],
    ['a struct of a new client that does not start at 0', [{ client: 2, clock: 1, structs: [{ text: 'x' }] }]],
    ['a gap inside', [{ client: 1, clock: 5, structs: [{ skip: 2 }, { text: 'x', origin: [1, 4] }] }]],
    ['an unknown origin', [by2({ text: 'x', origin: [3, 0] })]],
    ['an origin past what is known of its client', [by2({ text: 'x', origin: [1, 5] })]],
    ['an unknown right origin', [by2({ text: 'x', right: [1, 5] })]],
    ['an unknown parent', [by2({ text: 'x', parent: [3, 0] })]],
    ['a circle of two', [by2({ text: 'a', origin: [3, 0] }), { client: 3, structs: [{ text: 'b', origin: [2, 0] }] }]],
    [
      'a circle of three',
      [
        by2({ text: 'a', origin: [4, 0] }),
        { client: 3, structs: [{ text: 'b', origin: [2, 0] }] },
        { client: 4, structs: [{ text: 'c', origin: [3, 0] }] },
      ],
    ],
    ['a known struct that names an unknown origin', [{ client: 1, structs: [{ text: 'hello', origin: [9, 9] }] }]],
  ] satisfies [string, RawSection[]][])('[SYNC-6] %s is a missing dependency', (_name, sections) => {
    const doc = helloDoc()
    expect(admitText(rawUpdate(sections), doc)).toEqual(gap)
    Y.applyUpdate(doc, rawUpdate(sections))
    expect(doc.store.pendingStructs, 'Yjs would keep it pending').not.toBeNull()
  })

  it.each([
    ['of an unknown client', [2, 0, 1]],
    ['past what is known', [1, 4, 2]],
    ['after what is known', [1, 5, 1]],
  ] as const)('[SYNC-6] a delete %s is a missing dependency', (_name, range) => {
    expect(admitText(rawUpdate([], [range]), helloDoc())).toEqual(gap)
  })

  it('[SYNC-6] a struct that builds on itself or on what follows it is malformed', () => {
    expect(admitText(rawUpdate([by2({ text: 'x', origin: [2, 0] })]))).toEqual(malformed)
    expect(admitText(rawUpdate([by2({ text: 'x', right: [2, 1] }, { text: 'y' })]))).toEqual(malformed)
    expect(admitJson(rawUpdate([by2({ type: TYPES.map, key: 'a', parent: [2, 0] })]))).toEqual(malformed)
  })
})

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

describe('a Yjs client id', () => {
  const extendsBy = (principal: GuardContext['principal'], used: Record<number, GuardContext['principal']>) => {
    const update = rawUpdate([{ client: 1, clock: 5, structs: [{ text: '!', origin: [1, 4] }] }])
    return admit(update, contextOf(helloDoc(), 'text', { principal, userOf: (client) => used[client] ?? null }))
  }

  it('[SYNC-6] in use belongs to the principal that uses it; one nobody uses may be extended', () => {
    expect(extendsBy(alice, {})).toEqual(ok(1))
    expect(extendsBy(alice, { 1: alice })).toEqual(ok(1))
    expect(extendsBy(bob, { 1: alice })).toEqual(malformed)
    expect(extendsBy(bob, { 2: alice })).toEqual(ok(1))
  })

  it('[SYNC-6] of somebody else may be sent with what is known of it, and its text deleted', () => {
    const doc = helloDoc()
    const context = contextOf(doc, 'text', { principal: bob, userOf: () => alice })
    expect(admit(Y.encodeStateAsUpdate(doc), context)).toEqual(ok())
    expect(admit(rawUpdate([], [[1, 0, 5]]), context)).toEqual(ok())
  })

  it('[SYNC-6] of the server is never extended', () => {
    expect(admitText(rawUpdate([{ client: SERVER, structs: [{ text: 'x' }] }]))).toEqual(malformed)
  })

  it('[SYNC-6] cannot be poisoned while its owner is there', () => {
    const doc = serverDoc()
    Y.applyUpdate(doc, rawUpdate([{ client: 1000, structs: [{ text: 'abc' }] }]))
    const poison = rawUpdate([{ client: 1000, clock: 3, structs: [{ gc: 1_000 }] }])
    expect(admit(poison, contextOf(doc, 'text', { principal: bob, userOf: () => alice }))).toEqual(malformed)
  })
})

describe('hostile vectors', () => {
  const file = new URL('../fixtures/hostile-vectors.json', import.meta.url)
  const vectors = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)

  // Yjs takes documents inside a document, and so does a root that is not the content's.
  const hostile = vectors.filter(([name]) => name !== 'subdoc')
  it.each(hostile.flatMap(([name, hex]) => [['text', name, hex] as const, ['json', name, hex] as const]))(
    '[SYNC-6] in a %s document: %s is refused and touches nothing',
    (kind, _name, hex) => {
      const doc = serverDoc(kind)
      Y.applyUpdate(doc, rawUpdate([{ client: 1000, structs: [{ text: 'abc', parent: 'notes' }] }]))
      const before = Y.encodeStateAsUpdate(doc)
      const roots = [...doc.share.keys()]
      expect(admit(fromHex(hex), contextOf(doc, kind))).toMatchObject({ admitted: false })
      expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
      expect([...doc.share.keys()]).toEqual(roots)
    },
  )
})

describe('what is known already', () => {
  const docOf = (structs: RawStruct[], kind: Kind = 'text'): Y.Doc => {
    const doc = serverDoc(kind)
    Y.applyUpdate(doc, rawUpdate([by2(...structs)]))
    return doc
  }
  const other = refused('other-history')

  it.each([
    ['another text', [{ text: 'abc' }], [{ text: 'abX' }], other],
    ['another cut of the same text', [{ text: 'abc' }, { text: 'def', origin: [2, 2] }], [{ text: 'abcdef' }], ok()],
    ['a text of which a part was deleted', [{ deleted: 2 }, { text: 'c', origin: [2, 1] }], [{ text: 'abc' }], ok()],
    ['a text that it deleted', [{ text: 'abc' }], [{ deleted: 3 }], ok()],
    ['a torn pair', [{ text: 'a\ufffd' }], [{ text: 'a\ufffd' }], ok()],
  ] satisfies [string, RawStruct[], RawStruct[], unknown][])(
    '[SYNC-7] is compared: %s',
    (_name, has, brings, expected) => {
      expect(admitText(rawUpdate([by2(...brings)]), docOf(has))).toEqual(expected)
    },
  )

  it('[SYNC-7] is compared by its values too', () => {
    const doc = docOf([{ any: [1], key: 'k' }], 'json')
    expect(admitJson(rawUpdate([by2({ any: [1], key: 'k' })]), doc)).toEqual(ok())
    expect(admitJson(rawUpdate([by2({ any: ['1'], key: 'k' })]), doc)).toEqual(other)
    expect(admitJson(rawUpdate([by2({ type: TYPES.map, key: 'k' })]), doc)).toEqual(other)
  })
})

describe('Yjs client ids', () => {
  it('[DOC-10] are bounded, and those who are there go on', () => {
    const doc = serverDoc()
    for (let client = 1; client <= MAX_CLIENT_IDS; client++)
      doc.store.clients.set(client, [new Y.GC(Y.createID(client, 0), 1)])
    expect(admitText(rawUpdate([{ client: MAX_CLIENT_IDS + 1, structs: [{ text: 'x' }] }]), doc)).toEqual(complex)
    expect(admitText(rawUpdate([{ client: 7, clock: 1, structs: [{ text: 'x' }] }]), doc)).toEqual(ok(7))
  })
})
