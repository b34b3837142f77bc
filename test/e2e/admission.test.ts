import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'

let server: TestServer
let alice: Caller
beforeAll(async () => {
  server = await startTestServer()
  alice = await server.as('alice')
})
afterAll(() => server.stop())

const nested = (open: string, depth: number, close: string, inner = '1'): string =>
  open.repeat(depth) + inner + close.repeat(depth)

describe('what nests thousands of levels deep', () => {
  const content = nested('{"a":', 20_000, '}')
  const schema = nested('{"not":', 20_000, '}', '{}')
  const json = { 'content-type': 'application/json' }

  it('[DOC-7] is no usable schema, wherever one can stand', async () => {
    await alice.post('/documents', { id: 'flat', kind: 'json' })
    const answers = [
      await alice.call('POST', '/documents', `{"kind":"json","id":"deep","schema":${schema}}`, json),
      await alice.call('PATCH', '/documents/flat', `{"baseVersion":1,"schema":${schema}}`, json),
      await alice.call(
        'POST',
        '/transactions',
        `{"operations":[{"action":"create","document":"deep","kind":"json","schema":${schema}}]}`,
        json,
      ),
    ]
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(answers.map(() => [400, 'invalid-schema']))
  })

  it('[DOC-10] is a content that is too complex, also when it was staged in a transaction first', async () => {
    const written = await alice.call('PUT', '/documents/deep/content?baseVersion=0', content, json)
    expect([written.status, written.body.code]).toEqual([422, 'content-too-complex'])
    const staged = await alice.call(
      'POST',
      '/transactions',
      `{"operations":[{"action":"create","document":"deep","kind":"json","content":${content}}]}`,
      json,
    )
    expect(staged.status).toBe(201)
    const shown = await alice.get(`/transactions/${staged.body.id}`)
    expect(shown.body.operations[0].problem.code).toBe('content-too-complex')
    const committed = await alice.post(`/transactions/${staged.body.id}/commit`, {})
    expect([committed.status, committed.body.code]).toEqual([422, 'content-too-complex'])
  })
})
