import { readFileSync } from 'node:fs'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import type { Kind } from '../../server/content/content.ts'
import { admit } from '../../server/documents/admission/admission.ts'
import { fromHex } from '../support/rawClient.ts'
import { rawUpdate, TYPES, type RawSection, type RawStruct } from '../support/rawUpdate.ts'
import {
  admitJson,
  admitText,
  by2,
  complex,
  contextOf,
  gap,
  helloDoc,
  malformed,
  ok,
  refused,
  serverDoc,
} from './admissionSupport.ts'

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
