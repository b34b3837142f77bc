import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { tagAt, etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import type { Answer, Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')

const MERGE = 'application/merge-patch+json'
const PATCH = 'application/json-patch+json'
const DELTA = 'application/vnd.parley.delta+json'

const patch = (by: Caller, id: string, type: string, body: unknown, base: string | number = 1): Promise<Answer> =>
  typeof base === 'number'
    ? by.patch(`/documents/${id}/content?baseVersion=${base}`, body, { 'content-type': type })
    : by.patch(`/documents/${id}/content`, body, { 'content-type': type, 'if-match': base })

describe('[DOC-5] merge patches (RFC 7396)', () => {
  it.each<[string, object, unknown, object]>([
    ['sets, adds and removes', { a: 1, b: 2, c: 3 }, { a: 9, b: null, d: 4 }, { a: 9, c: 3, d: 4 }],
    ['goes into objects', { o: { a: 1, b: { c: 2 } } }, { o: { b: { c: null, d: 3 } } }, { o: { a: 1, b: { d: 3 } } }],
    ['replaces arrays', { l: [1, 2, 3] }, { l: [4] }, { l: [4] }],
    ['makes objects where there were none', { a: 'text' }, { a: { b: { c: 1, d: null } } }, { a: { b: { c: 1 } } }],
    ['removes what is not there', { a: 1 }, { b: null }, { a: 1 }],
    ['keeps a null that stands there', { a: null, b: 1 }, { b: 2 }, { a: null, b: 2 }],
    ['has no hidden members', { a: 1 }, { constructor: null, toString: 1 }, { a: 1, toString: 1 }],
  ])('[DOC-5] %s', async (_name, content, body, wanted) => {
    const id = await server.create(content)
    const answer = expectStatus(await patch(alice, id, MERGE, body), 200)
    expect((await read(alice, id)).content).toEqual(wanted)
    expect(answer.body.outcome).toBe(JSON.stringify(content) === JSON.stringify(wanted) ? 'unchanged' : 'written')
  })

  it('[DOC-5] one that leaves no object is 422', async () => {
    const id = await server.create({ a: 1 })
    for (const body of ['null', '[]', '5', '"text"']) {
      expect(verdict(await patch(alice, id, MERGE, body))).toBe('422 kind-mismatch')
    }
    expect(verdict(await patch(alice, id, MERGE, ''))).toBe('400 invalid-request')
    expect((await read(alice, id)).version).toBe(1)
  })
})

describe('[DOC-5] JSON patches (RFC 6902)', () => {
  it('[DOC-5] every operation, in order', async () => {
    const id = await server.create({ a: 1, l: ['x', 'y'], o: { 'k/~': true } })
    const operations = [
      { op: 'test', path: '/o/k~1~0', value: true },
      { op: 'add', path: '/l/-', value: 'z' },
      { op: 'add', path: '/l/0', value: 'w' },
      { op: 'replace', path: '/a', value: { deep: [] } },
      { op: 'move', from: '/l/1', path: '/a/deep/0' },
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'remove', path: '/o/k~1~0' },
    ]
    expectStatus(await patch(alice, id, PATCH, operations), 200)
    expect((await read(alice, id)).content).toEqual({
      a: { deep: ['x'] },
      b: { deep: ['x'] },
      l: ['w', 'y', 'z'],
      o: {},
    })
  })

  it('[DOC-5] is applied whole or not at all', async () => {
    const id = await server.create({ a: 1, l: [] })
    for (const last of [
      { op: 'test', path: '/a', value: 2 },
      { op: 'test', path: '/missing', value: null },
      { op: 'remove', path: '/missing' },
      { op: 'replace', path: '/l/0', value: 1 },
      { op: 'add', path: '/l/1', value: 1 },
      { op: 'add', path: '/l/01', value: 1 },
      { op: 'add', path: '/missing/x', value: 1 },
      { op: 'move', from: '/a', path: '/a/b' },
      { op: 'copy', from: '/constructor', path: '/c' },
    ]) {
      const answer = await patch(alice, id, PATCH, [{ op: 'add', path: '/z', value: 1 }, last])
      expect([last, verdict(answer)]).toEqual([last, '409 patch-failed'])
      expect(answer.body.detail).toMatch(/peration 1/)
      expect(answer.body).not.toHaveProperty('conflict')
    }
    expect(await read(alice, id)).toEqual({ content: { a: 1, l: [] }, version: 1 })
  })

  it('[DOC-5] a malformed one is 400', async () => {
    const id = await server.create({ a: 1 })
    for (const body of [
      {},
      [{ op: 'set', path: '/a', value: 1 }],
      [{ op: 'add', path: '/a' }],
      [{ op: 'add', value: 1 }],
      [{ op: 'add', path: 'a', value: 1 }],
      [{ op: 'add', path: '/~2', value: 1 }],
      [{ op: 'move', path: '/a' }],
      [null],
      'null',
      '[',
      '',
    ]) {
      expect([body, (await patch(alice, id, PATCH, body)).status]).toEqual([body, 400])
    }
  })

  it('[DOC-5] one that replaces the root by no object is 422, by an object is fine', async () => {
    const id = await server.create({ a: 1 })
    expect(verdict(await patch(alice, id, PATCH, [{ op: 'replace', path: '', value: [1] }]))).toBe('422 kind-mismatch')
    expect(verdict(await patch(alice, id, PATCH, [{ op: 'replace', path: '', value: 'x' }]))).toBe('422 kind-mismatch')
    expect(verdict(await patch(alice, id, PATCH, [{ op: 'replace', path: '', value: { b: 1 } }]))).toBe('200 written')
    expect((await read(alice, id)).content).toEqual({ b: 1 })
    expect(verdict(await patch(alice, id, PATCH, [], 2))).toBe('200 unchanged')
  })
})

describe('[DOC-5] deltas', () => {
  it.each<[string, string, object[], string]>([
    ['inserts at the start', 'abc', [{ insert: 'X' }], 'Xabc'],
    ['inserts at the end', 'abc', [{ retain: 3 }, { insert: 'X' }], 'abcX'],
    ['replaces', 'abcdef', [{ retain: 2 }, { delete: 2 }, { insert: 'X' }], 'abXef'],
    ['deletes everything', 'abc', [{ delete: 3 }], ''],
    ['counts UTF-16 units', 'a😀b', [{ retain: 3 }, { insert: 'X' }], 'a😀Xb'],
    ['deletes a whole pair', 'a😀b', [{ retain: 1 }, { delete: 2 }], 'ab'],
    ['does nothing', 'abc', [], 'abc'],
    ['retains to the very end', 'abc', [{ retain: 3 }], 'abc'],
  ])('[DOC-5] %s', async (_name, content, delta, wanted) => {
    const id = await server.create(content)
    expectStatus(await patch(alice, id, DELTA, delta), 200)
    expect((await read(alice, id)).content).toBe(wanted)
  })

  it('[DOC-5] past the end or through a surrogate pair is 409', async () => {
    const id = await server.create('a😀b')
    for (const delta of [
      [{ retain: 5 }, { insert: 'x' }],
      [{ delete: 5 }],
      [{ retain: 4 }, { delete: 1 }],
      [{ retain: 2 }, { insert: 'x' }],
      [{ retain: 1 }, { delete: 1 }],
      [{ retain: 2 }, { delete: 1 }],
      [{ retain: 5 }],
    ]) {
      expect([delta, verdict(await patch(alice, id, DELTA, delta))]).toEqual([delta, '409 patch-failed'])
    }
    expect(await read(alice, id)).toEqual({ content: 'a😀b', version: 1 })
  })

  it('[DOC-5] a malformed one is 400', async () => {
    const id = await server.create('abc')
    for (const body of [
      {},
      [{ keep: 1 }],
      [{ retain: -1 }],
      [{ retain: 1.5 }],
      [{ retain: '1' }],
      [{ insert: 5 }],
      [{ insert: 'x', attributes: { bold: true } }],
      [{ insert: 'x', delete: 1 }],
      [[]],
      '[{"insert":"\\ud83d"}]',
    ]) {
      expect([body, (await patch(alice, id, DELTA, body)).status]).toEqual([body, 400])
    }
  })
})

describe('[DOC-5] which patch for which document', () => {
  it('[DOC-5] another media type is 415 and lists them', async () => {
    const id = await server.create({})
    for (const type of ['application/json', 'text/plain', 'application/merge-patch', 'application/xml']) {
      const answer = await patch(alice, id, type, '{}')
      expect([type, verdict(answer)]).toEqual([type, '415 unsupported-media-type'])
      expect(answer.headers.get('accept-patch')?.split(', ').toSorted()).toEqual([PATCH, MERGE, DELTA].toSorted())
    }
    const settings = await alice.patch(`/documents/${id}`, '{}', { 'content-type': MERGE })
    expect([settings.status, settings.headers.get('accept-patch')]).toEqual([415, 'application/json'])
    const bare = await alice.put(`/documents/${id}/content?baseVersion=1`, '<a/>', {
      'content-type': 'application/xml',
    })
    expect([bare.status, bare.headers.get('accept')]).toEqual([415, 'text/plain, application/json'])
  })

  it('[DOC-5] a patch of the other kind is 422', async () => {
    const [text, json] = [await server.create('abc'), await server.create({})]
    expect(verdict(await patch(alice, text, MERGE, { a: 1 }))).toBe('422 kind-mismatch')
    expect(verdict(await patch(alice, text, PATCH, [{ op: 'add', path: '/a', value: 1 }]))).toBe('422 kind-mismatch')
    expect(verdict(await patch(alice, json, DELTA, [{ insert: 'x' }]))).toBe('422 kind-mismatch')
  })

  it('[DOC-5] a patch names its base like every write', async () => {
    const id = await server.create({ a: 1 })
    const answer = await alice.patch(`/documents/${id}/content`, { a: 2 }, { 'content-type': MERGE })
    expect(verdict(answer)).toBe('428 precondition-required')
    expect(verdict(await patch(alice, id, MERGE, { a: 2 }, 9))).toBe('409 unknown-base')
    expect(verdict(await patch(alice, id, MERGE, { a: 2 }, `W/${await etagOf(alice, id)}`))).toBe('409 weak-etag')
  })
})

describe('[DOC-5] a stale patch', () => {
  it('[DOC-5] applies to the content of the base it names', async () => {
    const id = await server.create('one\ntwo\nthree\n', { conflictPolicy: 'merge' })
    expectStatus(await bob.put(`/documents/${id}`, { content: 'zero\none\ntwo\nthree\n', baseVersion: 1 }), 200)
    // Offsets of version 1: of `three`.
    const merged = await patch(alice, id, DELTA, [{ retain: 8 }, { delete: 5 }, { insert: 'THREE' }])
    expect(verdict(merged)).toBe('200 merged')
    expect((await read(alice, id)).content).toBe('zero\none\ntwo\nTHREE\n')
  })

  it('[DOC-5] its result is the incoming content of the conflict', async () => {
    const id = await server.create({ a: 1, b: [1] })
    const etag = await etagOf(alice, id)
    expectStatus(await bob.put(`/documents/${id}`, { content: { a: 2, b: [1] }, baseVersion: 1 }), 200)
    for (const [type, body] of [
      [MERGE, { a: 3, c: 1 }],
      [
        PATCH,
        [
          { op: 'replace', path: '/a', value: 3 },
          { op: 'add', path: '/c', value: 1 },
        ],
      ],
    ] as const) {
      for (const base of [1, etag]) {
        const refused = await patch(alice, id, type, body, base)
        expect(verdict(refused)).toBe('409 version-conflict')
        expect(refused.body.conflict).toMatchObject({
          base: { version: 1 },
          incoming: { content: { a: 3, b: [1], c: 1 } },
        })
      }
    }
    // The same content on the same base, however it was sent, is one conflict.
    expect((await alice.get(`/conflicts?document=${id}`)).body.items).toHaveLength(1)
  })

  it('[DOC-5] a test that fails at the base is 409 before staleness; one that would fail at the head only is not', async () => {
    const id = await server.create({ n: 1 })
    expectStatus(await bob.put(`/documents/${id}`, { content: { n: 2 }, baseVersion: 1 }), 200)
    const asks = (value: number) => [
      { op: 'test', path: '/n', value },
      { op: 'replace', path: '/n', value: 9 },
    ]
    expect(verdict(await patch(alice, id, PATCH, asks(2), 1))).toBe('409 patch-failed')
    expect(verdict(await patch(alice, id, PATCH, asks(1), 1))).toBe('409 version-conflict')
    expect((await alice.get(`/conflicts?document=${id}`)).body.items).toHaveLength(1)
    expect(verdict(await patch(alice, id, PATCH, asks(2), 2))).toBe('200 written')
  })

  it('[DOC-5] a patch on version 0 starts from nothing', async () => {
    const id = await server.create({ a: 1 }, { conflictPolicy: 'merge' })
    const answer = await patch(alice, id, MERGE, { b: 2 }, 0)
    expect([verdict(answer), answer.body.content]).toEqual(['200 merged', { a: 1, b: 2 }])
  })

  it('[WRITE-4] what others have done already is unchanged', async () => {
    const id = await server.create({ a: 1 })
    const etag = await etagOf(alice, id)
    expectStatus(await bob.put(`/documents/${id}`, { content: { a: 2 }, baseVersion: 1 }), 200)
    expect(verdict(await patch(alice, id, MERGE, { a: 2 }, etag))).toBe('200 unchanged')
    expect(verdict(await patch(alice, id, MERGE, {}, await tagAt(alice, id, 2)))).toBe('200 unchanged')
    expect((await read(alice, id)).version).toBe(2)
  })
})
