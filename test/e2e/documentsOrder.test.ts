import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import type { Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const MAX = 2_048
const server = suiteServer(() => startDocumentServer({ PARLEY_MAX_CONTENT_BYTES: String(MAX) }))
const alice = server.caller('alice', { '*': ['read', 'write'] })
const reader = server.caller('reader', { '*': ['read'] })
const stranger = server.caller('stranger', { 'elsewhere:*': ['admin'], 'doc-*': ['write', 'overwrite', 'resolve'] })

const TEXT = 'text/plain'
const JSON_TYPE = 'application/json'
const PATCH = 'application/json-patch+json'
/** Longer than any body may be. */
const HUGE = `{"content":"${'x'.repeat(2 * 1024 * 1024)}"}`
const TOO_LARGE = 'x'.repeat(MAX + 1)

describe('[API-4] the order of refusals', () => {
  it('[API-4] each step hides those behind it', async () => {
    const id = await server.create({ n: 1 }, { schema: { properties: { n: { type: 'number' } } } })
    expectStatus(await alice.put(`/documents/${id}`, { content: { n: 2 }, baseVersion: 1 }), 200)
    const gone = await server.create({ n: 1 })
    expectStatus(await alice.delete(`/documents/${gone}?baseVersion=1`), 204)
    const etag = await etagOf(alice, id)
    // Of all that is wrong with the first request, each row has set right what was told.
    const rows: [string, () => Promise<{ status: number; body: { code?: string } }>][] = [
      [
        '401 unauthenticated',
        () =>
          alice.call('PUT', '/documents/_bad_/content?x=1', HUGE, {
            authorization: '',
            'content-type': 'a/b',
            'if-match': '*',
          }),
      ],
      [
        '400 invalid-id',
        () => stranger.call('PUT', '/documents/_bad_/content?x=1', HUGE, { 'content-type': 'a/b', 'if-match': '*' }),
      ],
      [
        '404 not-found',
        () => stranger.call('PUT', `/documents/${id}/content?x=1`, HUGE, { 'content-type': 'a/b', 'if-match': '*' }),
      ],
      [
        '403 forbidden',
        () => reader.call('PUT', `/documents/${id}/content?x=1`, HUGE, { 'content-type': 'a/b', 'if-match': '*' }),
      ],
      // `write` without `overwrite`
      [
        '403 forbidden',
        () => alice.call('PUT', `/documents/${id}/content?x=1`, HUGE, { 'content-type': 'a/b', 'if-match': '*' }),
      ],
      [
        '415 unsupported-media-type',
        () => alice.call('PUT', `/documents/${id}/content?x=1`, HUGE, { 'content-type': 'a/b' }),
      ],
      [
        '413 content-too-large',
        () => alice.call('PUT', `/documents/${id}/content?x=1`, HUGE, { 'content-type': JSON_TYPE }),
      ],
      [
        '400 invalid-request',
        () => alice.call('PUT', `/documents/${gone}/content?x=1`, '{"n":"x"}', { 'content-type': JSON_TYPE }),
      ],
      [
        '410 document-deleted',
        () => alice.call('PUT', `/documents/${gone}/content`, '{"n":"x"}', { 'content-type': JSON_TYPE }),
      ],
      [
        '404 not-found',
        () => alice.call('PUT', '/documents/never-was/content', '{"n":"x"}', { 'content-type': JSON_TYPE }),
      ],
      [
        '428 precondition-required',
        () => alice.call('PUT', `/documents/${id}/content`, '{"n":"x"}', { 'content-type': JSON_TYPE }),
      ],
      [
        '412 precondition-failed',
        () =>
          alice.call('PUT', `/documents/${id}/content`, '{"n":"x"}', {
            'content-type': JSON_TYPE,
            'if-none-match': '*',
          }),
      ],
      [
        '409 version-conflict',
        () => alice.call('PUT', `/documents/${id}/content?baseVersion=1`, '{"n":"x"}', { 'content-type': JSON_TYPE }),
      ],
      [
        '422 schema-violation',
        () =>
          alice.call('PUT', `/documents/${id}/content`, '{"n":"x"}', { 'content-type': JSON_TYPE, 'if-match': etag }),
      ],
      [
        '200 written',
        () => alice.call('PUT', `/documents/${id}/content`, '{"n":3}', { 'content-type': JSON_TYPE, 'if-match': etag }),
      ],
    ]
    for (const [index, [wanted, send]] of rows.entries()) {
      expect([index, verdict(await send())]).toEqual([index, wanted])
    }
  })

  it('[API-4] content past its limit is 413 before anything is known of the document', async () => {
    const id = await server.create('x')
    const json = { a: TOO_LARGE }
    const outcomes: string[] = []
    const put = (document: string, content: unknown) => ({ action: 'put', document, content, baseVersion: 1 })
    const staged = String((await alice.post('/transactions', {})).headers.get('location'))
    for (const answer of [
      await alice.put(`/documents/${id}`, { content: TOO_LARGE }),
      await alice.put(`/documents/${id}`, { content: TOO_LARGE, baseVersion: 9 }),
      await alice.put(`/documents/${id}`, { content: json, baseVersion: 1 }),
      await alice.put('/documents/never-was', { content: TOO_LARGE, baseVersion: 1 }),
      await alice.put(`/documents/${id}/content`, TOO_LARGE, { 'content-type': TEXT }),
      await alice.put(`/documents/${id}/content`, json),
      await alice.post('/documents', { id, kind: 'text', content: TOO_LARGE }),
      await alice.post('/documents', { id, kind: 'text', content: json }),
      await alice.put(`/documents/${id}`, { content: TOO_LARGE, baseVersion: 1, unknown: 1 }),
      await alice.put(`/documents/${id}`, { content: json, kind: 'nonsense' }),
      await alice.put(`/documents/${id}/content?x=1`, TOO_LARGE, { 'content-type': TEXT }),
      await alice.put(`/documents/${id}/content?x=1`, json),
      await alice.put(`/documents/${id}/content?x=%zz`, json),
      await alice.post('/documents', { id, kind: 'text', content: TOO_LARGE, unknown: 1 }),
      await alice.post('/resolve-conflict', { conflictId: 'nonsense', content: TOO_LARGE }),
      await alice.post('/transactions', { operations: [put(id, TOO_LARGE)], commit: true, unknown: 1 }),
      await alice.post('/transactions', { operations: [put(id, 'y'), { ...put(id, TOO_LARGE), unknown: 1 }] }),
      await alice.post('/transactions', { operations: [{ action: 'nonsense', content: json }], commit: 'no' }),
      await alice.post(`${staged}/operations`, { operations: [put(id, TOO_LARGE)], unknown: 1 }),
    ]) {
      outcomes.push(verdict(answer))
    }
    expect(outcomes).toEqual(outcomes.map(() => '413 content-too-large'))
    expect(await read(alice, id)).toEqual({ content: 'x', version: 1 })
  })

  it('[API-4] creating: what the body says comes before what the id is, but for the rights', async () => {
    const id = await server.create({})
    const rows: [Caller, string | object, Record<string, string>, string][] = [
      [alice, { id, kind: 'json' }, { authorization: '' }, '401 unauthenticated'],
      [alice, '{}', { 'content-type': TEXT }, '415 unsupported-media-type'],
      [alice, HUGE.repeat(4), {}, '413 content-too-large'],
      [reader, { id, kind: 'xml' }, {}, '400 invalid-request'],
      [reader, { id, kind: 'json' }, {}, '403 forbidden'],
      [reader, { id: 'never-was', kind: 'json' }, {}, '403 forbidden'],
      [stranger, { id, kind: 'json' }, {}, '404 not-found'],
      [stranger, { id: 'doc-never', kind: 'json' }, {}, '404 not-found'],
      [await server.as('none', {}), { id, kind: 'json' }, {}, '403 forbidden'],
      [alice, { id, kind: 'text', schema: {} }, {}, '400 invalid-request'],
      [alice, { id, kind: 'json', schema: { $ref: 'https://a.example/' } }, {}, '400 invalid-schema'],
      [alice, { id, kind: 'json', content: 'x', schema: false }, {}, '409 already-exists'],
      [alice, { id: server.newId(), kind: 'json', content: 'x', schema: false }, {}, '422 kind-mismatch'],
      [alice, { id: server.newId(), kind: 'json', schema: false }, {}, '422 schema-violation'],
    ]
    for (const [index, [by, body, headers, wanted]] of rows.entries()) {
      expect([index, verdict(await by.post('/documents', body, headers))]).toEqual([index, wanted])
    }
  })

  it('[API-4] patches: malformed, then missing, then base, then whether it applies, then whether it is stale', async () => {
    const id = await server.create({ n: 1 }, { schema: { properties: { n: { type: 'number' } } } })
    expectStatus(await alice.put(`/documents/${id}`, { content: { n: 2 }, baseVersion: 1 }), 200)
    const send = async (name: string, query: string, body: unknown, type = PATCH): Promise<string> =>
      verdict(await alice.patch(`/documents/${name}/content${query}`, body, { 'content-type': type }))
    const breaks = (path: string) => [{ op: 'replace', path, value: 'x' }]
    expect([
      await send('never-was', '?x=1', breaks('/m'), JSON_TYPE),
      await send('never-was', '?x=1', breaks('/m')),
      await send('never-was', '', [{ op: 'nothing' }]),
      await send('never-was', '', breaks('/m')),
      await send(id, '', breaks('/m')),
      await send(id, '?baseVersion=7', breaks('/m')),
      await send(id, '?baseVersion=1', breaks('/m')),
      await send(id, '?baseVersion=1', breaks('/n')),
      await send(id, '?baseVersion=2', breaks('/n')),
    ]).toEqual([
      '415 unsupported-media-type',
      '400 invalid-request',
      '400 invalid-request',
      '404 not-found',
      '428 precondition-required',
      '409 unknown-base',
      '409 patch-failed',
      '409 version-conflict',
      '422 schema-violation',
    ])
  })

  it('[AUTH-2] what one may not read is 404 for every method, there or not, and says the same', async () => {
    const id = await server.create('secret')
    const calls = (name: string) =>
      [
        stranger.get(`/documents/${name}`),
        stranger.get(`/documents/${name}/content`),
        stranger.get(`/documents/${name}/lock`),
        stranger.put(`/documents/${name}`, { content: 'x', baseVersion: 1 }),
        stranger.put(`/documents/${name}`, { content: 'x', baseVersion: 0 }),
        stranger.put(`/documents/${name}`, { content: 'x' }, { 'if-match': '*' }),
        stranger.patch(`/documents/${name}`, { conflictPolicy: 'merge', baseVersion: 1 }),
        stranger.patch(`/documents/${name}/content?baseVersion=1`, [], { 'content-type': PATCH }),
        stranger.delete(`/documents/${name}?baseVersion=1`),
      ] as const
    const [there, not] = await Promise.all([Promise.all(calls(id)), Promise.all(calls('doc-nowhere'))])
    for (const [index, answer] of there.entries()) {
      expect([index, verdict(answer)]).toEqual([index, '404 not-found'])
      const hide = (text: string): string => text.replaceAll(id, 'ID').replaceAll('doc-nowhere', 'ID')
      expect(hide(JSON.stringify(not[index]?.body))).toBe(hide(JSON.stringify(answer.body)))
    }
    expect(await read(alice, id)).toEqual({ content: 'secret', version: 1 })
  })

  it('[AUTH-2] what one may read only is 403 for every change, also of what is gone or never was', async () => {
    const id = await server.create('x')
    const gone = await server.create('x')
    expectStatus(await alice.delete(`/documents/${gone}?baseVersion=1`), 204)
    for (const name of [id, gone, 'never-was']) {
      for (const answer of [
        await reader.put(`/documents/${name}`, { content: 'y', baseVersion: 0 }),
        await reader.put(`/documents/${name}`, { content: 'y' }),
        await reader.patch(`/documents/${name}`, { conflictPolicy: 'merge', baseVersion: 1 }),
        await reader.patch(`/documents/${name}/content?baseVersion=1`, [], { 'content-type': PATCH }),
        await reader.delete(`/documents/${name}?baseVersion=1`),
      ]) {
        expect(verdict(answer)).toBe('403 forbidden')
      }
    }
  })

  it('[API-4] another method is 405 with Allow', async () => {
    const id = await server.create('x')
    for (const [method, path, allow] of [
      ['POST', `/documents/${id}`, 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'],
      ['DELETE', `/documents/${id}/content`, 'GET, HEAD, PUT, PATCH, OPTIONS'],
      ['PUT', '/documents', 'GET, HEAD, POST, OPTIONS'],
    ] as const) {
      const answer = await alice.call(method, path)
      expect([verdict(answer), answer.headers.get('allow')]).toEqual(['405 method-not-allowed', allow])
    }
  })

  it('[API-2] every refusal is a problem document', async () => {
    const id = await server.create('x')
    for (const answer of [
      await alice.put(`/documents/${id}`, { content: 'y' }),
      await alice.get('/documents/never-was'),
      await alice.put(`/documents/${id}`, { content: {}, baseVersion: 1 }),
      await alice.post('/documents', '{', {}),
    ]) {
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(answer.body).toMatchObject({
        type: `${server.url}/problems/${answer.body.code}`,
        title: expect.any(String),
        status: answer.status,
        detail: expect.any(String),
        instance: expect.stringMatching(/^\/documents/),
        retryable: false,
      })
    }
  })
})
