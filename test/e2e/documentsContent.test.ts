import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { startDocumentServer, verdict, type DocumentServer } from '../support/documents.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')

const TEXT = { 'content-type': 'text/plain' }
const MERGE = { 'content-type': 'application/merge-patch+json' }

const TEXTS: readonly [string, string][] = [
  ['ASCII', 'plain text\n'],
  ['astral characters', '𝒳😀𠮷'],
  ['a family joined by ZWJ', '👩‍👩‍👧‍👦'],
  ['combining marks, not composed', 'e\u0301a\u0308\u0323'],
  ['composed and decomposed side by side', '\u00e9e\u0301'],
  ['flags and skin tones', '🇩🇪👋🏽'],
  ['right to left with marks', '\u200fשלום\u202e\u2066x\u2069'],
  ['line and paragraph separators', 'a\u2028b\u2029c\u0085d'],
  ['every kind of line end', 'a\r\nb\rc\n\n\r\n'],
  ['a byte order mark', '\ufeffafter'],
  ['non-characters and private use', '\uffff\ufffe\ue000\u{10ffff}'],
  ['the replacement character', 'a\ufffdb'],
  ['control characters, NUL included', '\u0000\u0001\u001f\u007f'],
  ['quotes and backslashes', '"\\\\u0041\\"'],
  ['only white space', ' \t\n '],
  ['long lines', `${'x'.repeat(50_000)}\n${'😀'.repeat(10_000)}`],
]

describe('[DOC-9] text is kept exactly', () => {
  it.each(TEXTS)('[DOC-9] %s', async (_name, text) => {
    const id = await server.create(text)
    expect((await alice.get(`/documents/${id}`)).body.content).toBe(text)
    expect(await bytesOf(`/documents/${id}/content`)).toEqual(Buffer.from(text))
    expectStatus(await alice.put(`/documents/${id}/content?baseVersion=1`, `before\n${text}`, TEXT), 200)
    expectStatus(await alice.put(`/documents/${id}`, { content: `${text}after`, baseVersion: 2 }), 200)
    expect((await alice.get(`/documents/${id}`)).body.content).toBe(`${text}after`)
  })

  it('[DOC-9] survives a restart, and every step of the way there', async () => {
    const id = await server.create('')
    for (const [n, [, text]] of TEXTS.entries()) {
      expectStatus(await alice.put(`/documents/${id}/content?baseVersion=${n + 1}`, text, TEXT), 200)
    }
    await server.restart()
    const last = TEXTS.at(-1)?.[1]
    expect(await read(alice, id)).toEqual({ content: last, version: TEXTS.length + 1 })
    // A stale write shows what stood at its base.
    for (const [n, [, text]] of TEXTS.entries()) {
      if (n === TEXTS.length - 1) continue
      const refused = await alice.put(`/documents/${id}`, { content: 'other', baseVersion: n + 2 })
      expect([n, refused.status, refused.body.conflict?.base.content]).toEqual([n, 409, text])
    }
  })

  it.each<[string, string, string]>([
    ['one astral character by another with the same first half', '😀', '😁'],
    ['with the same second half', '\u{1F400}', '\u{1F800}'],
    ['inside a joined family', '👩‍👩‍👧‍👦', '👩‍👧‍👦'],
    ['an insertion between two equal ones', '😀😀', '😀😀😀'],
    ['a swap', '😀😁', '😁😀'],
  ])('[DOC-8] no diff splits a surrogate pair: %s', async (_name, from, to) => {
    const id = await server.create(from)
    expectStatus(await alice.put(`/documents/${id}`, { content: to, baseVersion: 1 }), 200)
    await server.restart()
    expect((await alice.get(`/documents/${id}`)).body.content).toBe(to)
  })

  it.each<[string, string | Buffer, Record<string, string>]>([
    ['invalid UTF-8 as text', Buffer.from([0x61, 0xff, 0x62]), TEXT],
    ['an encoded surrogate as text', Buffer.from([0xed, 0xa0, 0x80]), TEXT],
    ['an overlong form as text', Buffer.from([0xc0, 0xaf]), TEXT],
    [
      'invalid UTF-8 in JSON',
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      { 'content-type': 'application/json' },
    ],
    ['a lone surrogate', '{"a":"\\ud83d"}', { 'content-type': 'application/json' }],
    ['a lone surrogate in a key', '{"\\ude00":1}', { 'content-type': 'application/json' }],
    ['halves in the wrong order', '{"a":"\\ude00\\ud83d"}', { 'content-type': 'application/json' }],
    ['a key twice', '{"a":1,"b":{"c":1,"c":2}}', { 'content-type': 'application/json' }],
    ['a key twice, once escaped', '{"a":1,"\\u0061":2}', { 'content-type': 'application/json' }],
    ['a number past the doubles', '{"a":1e309}', { 'content-type': 'application/json' }],
    ['`__proto__` as a key', '{"a":[{"__proto__":{}}]}', { 'content-type': 'application/json' }],
    ['NaN', '{"a":NaN}', { 'content-type': 'application/json' }],
    ['a trailing comma', '{"a":1,}', { 'content-type': 'application/json' }],
    ['two values', '{}{}', { 'content-type': 'application/json' }],
    ['an array as root', '[1]', { 'content-type': 'application/json' }],
    ['a scalar as root', '5', { 'content-type': 'application/json' }],
    ['nothing as JSON', '', { 'content-type': 'application/json' }],
  ])('[DOC-9] %s is 400', async (_name, body, headers) => {
    const id = await server.create(headers['content-type'] === 'text/plain' ? 'x' : {})
    const answer = await fetch(`${server.url}/documents/${id}/content?baseVersion=1`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${alice.token}`, ...headers },
      body,
    })
    expect(answer.status).toBe(400)
    expect((await read(alice, id)).version).toBe(1)
  })
})

describe('[DOC-9] JSON survives a round trip', () => {
  /** Sent and read back as text, so that nothing but the server touches it. */
  async function roundTrip(json: string): Promise<string> {
    const id = server.newId()
    expectStatus(
      await alice.put(`/documents/${id}/content?baseVersion=0`, json, { 'content-type': 'application/json' }),
      201,
    )
    return (await bytesOf(`/documents/${id}/content`)).toString()
  }

  it.each([
    '0',
    '1',
    '-1',
    '63',
    '64',
    '127',
    '128',
    '2147483647',
    '2147483648',
    '-2147483648',
    '4294967296',
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '-0.5',
    '3.5',
    '1e+21',
    '1.7976931348623157e+308',
    '5e-324',
    '2.2250738585072014e-308',
    '0.30000000000000004',
    '16777217',
    '1.401298464324817e-45',
    '123456789.12345679',
  ])('[DOC-9] the number %s', async (number) => {
    expect(await roundTrip(`{"n":${number}}`)).toBe(`{"n":${number}}`)
  })

  it('[DOC-9] a number is its double, however it was written', async () => {
    const numbers = '{"a":9007199254740992,"b":1E2,"c":1.0,"d":0.1e1,"e":0.10000000000000001,"f":1e0}'
    expect(JSON.parse(await roundTrip(numbers))).toEqual({ a: 9007199254740992, b: 100, c: 1, d: 1, e: 0.1, f: 1 })
    // No equality of JSON tells the negative zero from zero.
    expect(await roundTrip('{"z":-0}')).toBe('{"z":0}')
  })

  it.each<[string, unknown]>([
    ['scalars', { t: true, f: false, n: null, s: '', i: 5 }],
    ['empty containers', { o: {}, a: [], d: { e: { f: [] } }, l: [[], {}, [[]]] }],
    ['order of arrays, with repetitions', { a: [3, 1, 2, 1, 3, null, null, { x: 1 }, { x: 1 }] }],
    ['mixed arrays', { a: [1, 'two', null, true, [3, [4]], { five: 5 }] }],
    ['an empty key', { '': { '': 1 } }],
    ['keys with / and ~', { 'a/b': 1, 'c~d': 2, '~1': 3, '~0': 4, '/': 5 }],
    [
      'keys that objects have',
      { constructor: 1, prototype: 2, toString: 3, hasOwnProperty: 4, valueOf: { constructor: {} }, length: 5 },
    ],
    ['keys that are numbers', { '0': 'a', '1': 'b', '-1': 'c', '1.5': 'd', '01': 'e' }],
    ['keys of Unicode', { é: 1, 'e\u0301': 2, '😀': 3, '\u2028': 4, '\u0000': 5, ' ': 6 }],
    ['a long key', { ['k'.repeat(4_095)]: 1 }],
    ['nested text', { a: 'line\n\u2028\u0000😀"\\' }],
  ])('[DOC-9] %s', async (_name, content) => {
    expect(JSON.parse(await roundTrip(JSON.stringify(content)))).toEqual(content)
    // Reached by a change as well, and from memory that was read back from disk.
    const id = await server.create({ other: 1 })
    expectStatus(await alice.put(`/documents/${id}`, { content, baseVersion: 1 }), 200)
    expect((await alice.get(`/documents/${id}`)).body.content).toEqual(content)
  })

  it('[DOC-9] all of it through a restart, and back to nothing', async () => {
    const content = { a: [1, { b: [2, { c: null }] }], constructor: { 'x/y': [] }, '': '' }
    const id = await server.create(content)
    await server.restart()
    expect((await alice.get(`/documents/${id}`)).body.content).toEqual(content)
    expectStatus(await alice.put(`/documents/${id}`, { content: {}, baseVersion: 1 }), 200)
    await server.restart()
    expect((await alice.get(`/documents/${id}`)).body.content).toEqual({})
  })

  it('[DOC-9] a kind of value may become any other', async () => {
    const values = [1, 'one', null, [], {}, [[1]], { a: 1 }]
    const id = await server.create({ v: 0 })
    let version = 1
    for (const from of values) {
      for (const to of [from, ...values]) {
        const answer = await alice.put(`/documents/${id}`, { content: { v: to }, baseVersion: version })
        expectStatus(answer, 200)
        version = answer.body.version
        expect((await read(alice, id)).content).toEqual({ v: to })
      }
    }
  })
})

describe('[DOC-10] limits', () => {
  let small: DocumentServer
  let writer: Caller
  const MAX = 2_048
  beforeAll(async () => {
    small = await startDocumentServer({
      PARLEY_MAX_CONTENT_BYTES: String(MAX),
      PARLEY_MAX_CONTENT_DEPTH: '5',
      PARLEY_MAX_CONTENT_NODES: '20',
    })
    writer = await small.as('writer')
  })
  afterAll(() => small.stop())

  it.each<[string, (bytes: number) => string]>([
    ['ASCII', (bytes) => 'x'.repeat(bytes)],
    ['two bytes a character', (bytes) => 'é'.repeat(Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2)],
    ['four bytes a character', (bytes) => '😀'.repeat(Math.floor(bytes / 4)) + 'x'.repeat(bytes % 4)],
    // Six bytes each as JSON, one as text.
    ['control characters', (bytes) => '\u0001'.repeat(bytes)],
  ])('[DOC-10] a text of exactly the limit is kept, one byte more is 413: %s', async (_name, text) => {
    for (const path of ['POST', 'PUT', 'bare'] as const) {
      const put = async (content: string) => {
        const id = small.newId()
        if (path === 'POST') return writer.post('/documents', { id, kind: 'text', content })
        if (path === 'PUT') return writer.put(`/documents/${id}`, { content, baseVersion: 0 })
        return writer.put(`/documents/${id}/content?baseVersion=0`, content, TEXT)
      }
      expect([path, (await put(text(MAX))).status]).toEqual([path, 201])
      const refused = await put(text(MAX + 1))
      expect([path, verdict(refused)]).toEqual([path, '413 content-too-large'])
    }
  })

  it('[DOC-10] json counts as it is written without white space', async () => {
    const padded = (bytes: number): string => `{ "a" :\n"${'x'.repeat(bytes - 8)}" }`
    const id = small.newId()
    const json = { 'content-type': 'application/json' }
    expectStatus(await writer.put(`/documents/${id}/content?baseVersion=0`, padded(MAX), json), 201)
    expect((await bytesOf(`/documents/${id}/content`, small, writer)).length).toBe(MAX)
    expect(verdict(await writer.put(`/documents/${id}/content?baseVersion=1`, padded(MAX + 1), json))).toBe(
      '413 content-too-large',
    )
    expect(verdict(await writer.put(`/documents/${id}/content?baseVersion=1`, { a: 'é'.repeat(MAX / 2) }))).toBe(
      '413 content-too-large',
    )
  })

  it('[DOC-10] a patch whose result is too large is refused, the content stays', async () => {
    const text = await small.create('x'.repeat(MAX - 10))
    const delta = { 'content-type': 'application/vnd.parley.delta+json' }
    const grow = (by: number) =>
      writer.patch(`/documents/${text}/content?baseVersion=1`, [{ insert: 'y'.repeat(by) }], delta)
    expect(verdict(await grow(11))).toBe('413 content-too-large')
    expect(verdict(await grow(10))).toBe('200 written')
    const json = await small.create({ a: 'x'.repeat(1_000) })
    const doubled = [
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'copy', from: '/a', path: '/c' },
    ]
    const patch = { 'content-type': 'application/json-patch+json' }
    expect(verdict(await writer.patch(`/documents/${json}/content?baseVersion=1`, doubled, patch))).toBe(
      '413 content-too-large',
    )
    expect((await read(writer, json)).version).toBe(1)
  })

  it('[DOC-10] two sides that fit and a merge that does not are a conflict', async () => {
    const half = 'x'.repeat(900)
    const id = await small.create({ a: '', b: '', c: 'y'.repeat(400) }, { conflictPolicy: 'merge' })
    expectStatus(
      await writer.put(`/documents/${id}`, { content: { a: half, b: '', c: 'y'.repeat(400) }, baseVersion: 1 }),
      200,
    )
    const refused = await writer.put(`/documents/${id}`, {
      content: { a: '', b: half, c: 'y'.repeat(400) },
      baseVersion: 1,
    })
    expect(verdict(refused)).toBe('409 version-conflict')
    expect((await read(writer, id)).version).toBe(2)
  })

  it('[DOC-10] depth and nodes at their limits', async () => {
    const nested = (depth: number): object => (depth === 1 ? {} : { a: nested(depth - 1) })
    const wide = (nodes: number): object => ({ a: Array.from({ length: nodes - 2 }, () => 0) })
    const outcomes: string[] = []
    for (const content of [
      nested(5),
      nested(6),
      { a: [[[[]]]] },
      { a: [[[[[]]]]] },
      { a: [[[['leaf']]]] },
      wide(20),
      wide(21),
    ]) {
      outcomes.push(verdict(await writer.post('/documents', { id: small.newId(), kind: 'json', content })))
    }
    expect(outcomes).toEqual([
      '201',
      '422 content-too-complex',
      '201',
      '422 content-too-complex',
      '201',
      '201',
      '422 content-too-complex',
    ])
    const id = await small.create(nested(5))
    const deeper = await writer.patch(
      `/documents/${id}/content?baseVersion=1`,
      { a: { a: { a: { a: { a: {} } } } } },
      MERGE,
    )
    expect(verdict(deeper)).toBe('422 content-too-complex')
    expect((await read(writer, id)).version).toBe(1)
  })

  it('[DOC-10] what cannot be kept opens no conflict', async () => {
    const id = await small.create({ a: 1 })
    expectStatus(await writer.put(`/documents/${id}`, { content: { a: 2 }, baseVersion: 1 }), 200)
    const deep = { a: { a: { a: { a: { a: {} } } } } }
    expect(verdict(await writer.put(`/documents/${id}`, { content: deep, baseVersion: 1 }))).toBe(
      '422 content-too-complex',
    )
    expect(verdict(await writer.put(`/documents/${id}`, { content: { a: 'x'.repeat(MAX) }, baseVersion: 1 }))).toBe(
      '413 content-too-large',
    )
    expect((await writer.get(`/conflicts?document=${id}`)).body.items).toEqual([])
  })

  it('[DOC-10] the default limits, once at their real size', async () => {
    const id = server.newId()
    const max = 10 * 1024 * 1024
    const full = 'x'.repeat(max)
    expect(verdict(await alice.put(`/documents/${id}/content?baseVersion=0`, `${full}x`, TEXT))).toBe(
      '413 content-too-large',
    )
    expect(verdict(await alice.put(`/documents/${id}/content?baseVersion=0`, full, TEXT))).toBe('201 created')
    expect(verdict(await alice.put(`/documents/${id}`, { content: `${full}x`, baseVersion: 1 }))).toBe(
      '413 content-too-large',
    )
    expect(verdict(await alice.put(`/documents/${id}`, { content: `${full.slice(1)}y`, baseVersion: 1 }))).toBe(
      '200 written',
    )
    const found = await alice.get(`/documents/${id}/content`)
    expect([found.body.length, found.body.at(-1)]).toEqual([max, 'y'])
    const nested = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`
    const json = { 'content-type': 'application/json' }
    const put = async (content: string) =>
      verdict(await alice.put(`/documents/${server.newId()}/content?baseVersion=0`, content, json))
    expect([await put(nested(64)), await put(nested(65)), await put(nested(100_000))]).toEqual([
      '201 created',
      '422 content-too-complex',
      '422 content-too-complex',
    ])
    const wide = (nodes: number): string => `{"a":[${Array.from({ length: nodes - 2 }, () => 0).join()}]}`
    expect([await put(wide(100_000)), await put(wide(100_001))]).toEqual(['201 created', '422 content-too-complex'])
  })
})

describe('[DOC-8] the smallest change', () => {
  it('[DOC-8] a write that changes one word makes an entry of a few bytes', async () => {
    const lines = Array.from({ length: 2_000 }, (_, n) => `line ${n} of a longer text`)
    const id = await server.create(lines.join('\n'))
    lines[1_000] = 'line 1000 of a LONGER text'
    expectStatus(await alice.put(`/documents/${id}`, { content: lines.join('\n'), baseVersion: 1 }), 200)
    const act = server.storage.acts.at(-1)
    expect(act?.appends[0]?.entry.update.length).toBeLessThan(100)
  })

  it('[DOC-8] a write that changes one member makes an entry of a few bytes', async () => {
    const content = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`key${n}`, { name: `name ${n}`, list: [1, 2, 3] }]),
    )
    const id = await server.create(content)
    content['key250'] = { name: 'name 250', list: [1, 2, 4] }
    expectStatus(await alice.put(`/documents/${id}`, { content, baseVersion: 1 }), 200)
    expect(server.storage.acts.at(-1)?.appends[0]?.entry.update.length).toBeLessThan(100)
  })
})

/** The bare bytes of an answer; `fetch` would decode them. */
async function bytesOf(path: string, from: DocumentServer = server, by: Caller = alice): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${from.url}${path}`, { headers: { authorization: `Bearer ${by.token}` } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve(Buffer.concat(chunks)))
    })
    sent.on('error', reject)
    sent.end()
  })
}
