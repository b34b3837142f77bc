/** What routes may refuse that no suite of their feature meets, so that every described code is met. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { DemoServer } from '../support/demoServer.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'

const WEAK = { 'if-match': 'W/"a-1"' }
const NEW = { 'if-none-match': '*' }
const LOST = { 'lock-token': 'of nobody' }

describe('every refusal', () => {
  let server: TestServer
  let ann: Caller
  let ben: Caller
  beforeAll(async () => {
    server = await startTestServer({ variables: { PARLEY_MAX_CONTENT_DEPTH: '4' } })
    ann = await server.as('ann', { '*': ['admin'] })
    ben = await server.as('ben', { '*': ['read', 'write', 'resolve'] })
    await ann.post('/documents', { id: 'text', kind: 'text', content: 'a' })
    await ann.post('/documents', { id: 'json', kind: 'json', content: { a: 'x' } })
    await ann.post('/documents', { id: 'gone', kind: 'text', content: 'a' })
  })
  afterAll(() => server.stop())

  it.each([
    ['a weak tag', 'PATCH', '/documents/text', {}, WEAK, 'weak-etag'],
    ['what is there already', 'PATCH', '/documents/text', {}, NEW, 'precondition-failed'],
    ['what is there already', 'PATCH', '/documents/text/content', [], NEW, 'precondition-failed'],
    ['what is there already', 'POST', '/documents/text/restore', { version: 1 }, NEW, 'precondition-failed'],
    ['what is there already', 'POST', '/documents/text/revert', { author: 'b', since: 0 }, NEW, 'precondition-failed'],
    ['a weak tag', 'POST', '/documents/text/restore', { version: 1 }, WEAK, 'weak-etag'],
    ['a weak tag', 'POST', '/documents/text/revert', { author: 'b', since: 0 }, WEAK, 'weak-etag'],
    ['a lock lost', 'POST', '/documents/text/restore', { version: 1, baseVersion: 1 }, LOST, 'lock-lost'],
    ['a weak tag', 'PUT', '/documents/text/content', 'b', { ...WEAK, 'content-type': 'text/plain' }, 'weak-etag'],
    [
      'an unknown base',
      'PUT',
      '/documents/text/content?baseVersion=9',
      'b',
      { 'content-type': 'text/plain' },
      'unknown-base',
    ],
    ['a page that is none', 'GET', '/conflict-notifications/webhooks?cursor=x', undefined, {}, 'invalid-cursor'],
    ['a problem that is none', 'GET', '/problems/nonsense', undefined, {}, 'not-found'],
  ])('[API-3] %s: %s %s', async (_what, method, path, body, headers, code) => {
    const type =
      path.endsWith('content') && method === 'PATCH' ? { 'content-type': 'application/vnd.parley.delta+json' } : {}
    expect((await ann.call(method, path, body, { ...type, ...headers })).body.code).toBe(code)
  })

  it('[API-3] a webhook that moves to a private address, and one that is none', async () => {
    const { body } = await ann.post('/conflict-notifications', { url: 'https://hooks.example/', documents: ['a'] })
    const moved = await ann.patch(`/conflict-notifications/${body.id}`, { url: 'http://127.0.0.1/' })
    expect(moved.body.code).toBe('address-refused')
    const none = '/conflict-notifications/whk_01ARZ3NDEKTSV4RRFFQ69G5FAV/secret'
    expect((await ann.post(none, {})).body.code).toBe('not-found')
  })

  it('[API-3] [AUTH-5] a guest who asks wrongly, or from a page of somewhere else', async () => {
    const guests = await DemoServer.start(2_000)
    try {
      const ask = async (headers: Record<string, string>, body: string): Promise<unknown> => {
        const answer = await fetch(`${guests.url}/demo/token`, { method: 'POST', headers, body })
        return JSON.parse(await answer.text()).code
      }
      const json = { 'content-type': 'application/json' }
      expect(await ask(json, '{')).toBe('invalid-json')
      expect(await ask(json, '{"sub":"root"}')).toBe('invalid-request')
      expect(await ask({ 'content-type': 'text/plain' }, 'x')).toBe('unsupported-media-type')
      expect(await ask({ ...json, origin: 'https://elsewhere.example' }, '{}')).toBe('forbidden')
    } finally {
      await guests.stop()
    }
  })

  it('[API-3] revoking takes `admin` on everything', async () => {
    expect((await ben.post('/revocations', { sub: 'ann' })).body.code).toBe('forbidden')
  })

  it('[API-3] all problems are listed for programs', async () => {
    const { body } = await ann.get('/problems', { accept: 'application/json' })
    expect(body.items.length).toBeGreaterThan(50)
  })

  it('[API-3] taking back a change that the schema needs', async () => {
    const schema = { type: 'object', properties: { a: { type: 'number' } } }
    await ben.put('/documents/json', { content: { a: 1 }, baseVersion: 1 })
    await ann.patch('/documents/json', { schema, baseVersion: 2 })
    const answer = await ann.post('/documents/json/revert', { author: 'ben', since: 0, baseVersion: 3 })
    expect(answer.body.code).toBe('schema-violation')
    const locked = await ann.post('/documents/json/revert', { author: 'ben', since: 0, baseVersion: 3 }, LOST)
    expect(locked.body.code).toBe('lock-lost')
  })

  it('[API-3] what a deleted document and its conflict answer', async () => {
    await ann.put('/documents/gone', { content: 'b', baseVersion: 1 })
    const { body } = await ben.put('/documents/gone', { content: 'c', baseVersion: 1 })
    const { id } = body.conflict
    const writer = await server.as('cid', { '*': ['read', 'write'] })
    const asked = { conflictId: id, baseVersion: 2, use: 'incoming' }
    const { body: proposed } = await writer.post('/resolve-conflict', asked)
    await ann.delete('/documents/gone?baseVersion=2')
    const reverted = await ben.post('/documents/gone/revert', { author: 'ben', since: 0, baseVersion: 2 })
    const begun = { operations: [{ action: 'put', document: 'gone', content: 'd', baseVersion: 2 }], commit: true }
    const answers = [
      reverted,
      await ben.get(`/conflicts/${id}/overlaps`),
      await ben.get(`/conflicts/${id}/proposals/${proposed.proposal.id}`),
      await ben.post('/transactions', begun),
    ]
    expect(answers.map((answer) => answer.body.code)).toEqual([
      'document-deleted',
      'conflict-expired',
      'conflict-expired',
      'document-deleted',
    ])
  })

  it('[API-3] a resolution that is too deep', async () => {
    await ann.post('/documents', { id: 'deep', kind: 'json', content: { a: 1 } })
    await ann.put('/documents/deep', { content: { a: 2 }, baseVersion: 1 })
    const { body } = await ben.put('/documents/deep', { content: { a: 3 }, baseVersion: 1 })
    const content = { a: { b: { c: { d: { e: 1 } } } } }
    const asked = { conflictId: body.conflict.id, baseVersion: 2, use: 'content', content }
    expect((await ann.post('/resolve-conflict', asked)).body.code).toBe('content-too-complex')
  })

  describe('of a transaction', () => {
    const put = (members: object) => ({ action: 'put', document: 'deep', content: {}, ...members })

    it.each([
      ['content-too-complex', put({ content: { a: { b: { c: { d: { e: 1 } } } } }, baseVersion: 2 })],
      ['kind-mismatch', put({ content: 'text', baseVersion: 2 })],
      ['precondition-required', put({})],
      ['lock-lost', put({ baseVersion: 2, lockToken: 'of nobody' })],
      ['schema-violation', { action: 'put', document: 'json', content: { a: 'x' }, baseVersion: 3 }],
    ])('[API-3] %s, at once and staged', async (code, operation) => {
      const { body } = await ann.post('/transactions', { operations: [operation] })
      expect((await ann.post(`/transactions/${body.id}/commit`, {})).body.code).toBe(code)
      expect((await ann.post('/transactions', { operations: [operation], commit: true })).body.code).toBe(code)
    })

    it('[API-3] what may not be staged', async () => {
      const { body } = await ben.post('/transactions', {})
      const reader = await server.as('dan', { '*': ['read'] })
      const { body: readers } = await reader.post('/transactions', {})
      const unusable = { action: 'create', document: 'new', kind: 'json', schema: { $ref: 'https://x.example' } }
      const path = (id: string): string => `/transactions/${id}/operations`
      expect((await ben.post(path(body.id), { operations: [unusable] })).body.code).toBe('invalid-schema')
      expect((await reader.post(path(readers.id), { operations: [put({ baseVersion: 2 })] })).body.code).toBe(
        'forbidden',
      )
    })
  })

  it.each([
    ['internal', new Error('a bug')],
    ['overloaded', new ParleyError('overloaded', 'Too much waits.')],
    ['document-damaged', new ParleyError('document-damaged', 'Its log has a hole.')],
  ])('[API-3] %s, where storage fails so', async (code, error) => {
    const failing = await startTestServer({
      variables: { PARLEY_LOG_LEVEL: 'silent' },
      internals: {
        wrapStorage: (storage) => storageThatFails(storage, error),
      },
    })
    try {
      const eve = await failing.as('eve')
      expect((await eve.get('/documents/a')).body.code).toBe(code)
    } finally {
      await failing.stop()
    }
  })
})

/** A storage that looks nothing up, and works but for that. */
const storageThatFails = (storage: Storage, error: Error): Storage =>
  new Proxy(storage, {
    get(target, name) {
      if (name === 'head' || name === 'read') return () => Promise.reject(error)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (...given: unknown[]): unknown => Reflect.apply(value, target, given) : value
    },
  })
