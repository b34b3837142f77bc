import { describe, expect, it } from 'vitest'
import { requirePermission } from '../../server/http/access.ts'
import { parseDocumentId } from '../../server/foundation/ids.ts'
import { exchangeHead, listening, request, server } from './httpRoutes.ts'
import { bearer, principalNamed } from './httpServer.ts'

describe('order of refusal', () => {
  interface Step {
    readonly status: number
    readonly title: string
    readonly method?: 'PUT' | 'GET'
    readonly url?: string
    readonly token?: string
    readonly type?: string
    readonly body?: string
  }
  const tooLong = 'x'.repeat(10_000_000)
  /** Each request mends the fault of the one before it and keeps all that come later in the order. */
  const steps: Step[] = [
    { status: 401, title: 'no token', url: '/documents/b*d?x=1', type: 'text/css', body: tooLong },
    { status: 401, title: 'a bad token', url: '/documents/b*d?x=1', token: 'nobody', type: 'text/css', body: tooLong },
    {
      status: 400,
      title: 'a bad id in the path',
      url: '/documents/b*d?x=1',
      token: 'writer',
      type: 'text/css',
      body: tooLong,
    },
    {
      status: 404,
      title: 'a document one may not read',
      url: '/documents/other?x=1',
      token: 'writer',
      type: 'text/css',
      body: tooLong,
    },
    {
      status: 404,
      title: 'writing without reading',
      url: '/documents/doc:a?x=1',
      token: 'blindWriter',
      type: 'text/css',
      body: tooLong,
    },
    {
      status: 403,
      title: 'reading without writing',
      url: '/documents/doc:a?x=1',
      token: 'reader',
      type: 'text/css',
      body: tooLong,
    },
    {
      status: 415,
      title: 'another type',
      url: '/documents/doc:a?x=1',
      token: 'writer',
      type: 'text/css',
      body: tooLong,
    },
    {
      status: 413,
      title: 'too long',
      url: '/documents/doc:a?x=1',
      token: 'writer',
      type: 'application/json',
      body: tooLong,
    },
    {
      status: 400,
      title: 'not JSON',
      url: '/documents/doc:a?x=1',
      token: 'writer',
      type: 'application/json',
      body: '{',
    },
    {
      status: 400,
      title: 'unknown query',
      url: '/documents/doc:a?x=1',
      token: 'writer',
      type: 'application/json',
      body: '{"content":""}',
    },
    {
      status: 200,
      title: 'nothing wrong',
      url: '/documents/doc:a',
      token: 'writer',
      type: 'application/json',
      body: '{"content":""}',
    },
  ]
  it.each(steps)('[API-4] $status for $title, whatever else is wrong', async ({ status, url, token, type, body }) => {
    const answer = await server({ maxContentBytes: 1024 }).inject({
      method: 'PUT',
      url: url ?? '/',
      headers: { ...(token ? bearer(token) : {}), 'content-type': type ?? '' },
      payload: body ?? '',
    })
    expect(answer.statusCode).toBe(status)
  })

  it('[API-4] nothing of the body is read before access is judged', async () => {
    const { port } = await listening()
    const head = request('PUT /documents/doc:a', 'reader', 'Content-Type: application/json\r\nContent-Length: 1000')
    // The body never comes: whoever waited for it would not answer.
    expect(await exchangeHead(port, head)).toMatch(/^HTTP\/1.1 403 /)
  })

  it('[AUTH-2] nobody can tell a document they may not read from one that never was', async () => {
    const answer = await server().inject({ url: '/documents/secret', headers: bearer('reader') })
    const document = parseDocumentId('secret')
    if (!document) throw new Error('not an id')
    expect(answer.json()).toMatchObject({ code: 'not-found', detail: 'There is no document secret.' })
    const reader = await principalNamed('reader')
    expect(() => requirePermission(reader, 'write', document)).toThrow('There is no document secret.')
  })

  it('[AUTH-2] a 403 names the permission that is missing', async () => {
    const answer = await server().inject({ method: 'DELETE', url: '/documents/doc:a', headers: bearer('reader') })
    expect(answer.json()).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('`write`') })
  })

  it('[API-4] a path that cannot be decoded is 401 without a token, then 400', async () => {
    const app = server()
    expect((await app.inject('/documents/%zz')).json()).toMatchObject({ code: 'unauthenticated' })
    const answer = await app.inject({ url: '/documents/%zz', headers: bearer('reader') })
    expect(answer.json()).toMatchObject({ code: 'invalid-request', status: 400 })
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  })

  it.each(['%00', 'a%2Fb', 'a b', '%20', 'x'.repeat(129), 'x'.repeat(3000), '.a', 'é', '*'])(
    '[API-6] %.20s is no document id',
    async (id) => {
      const url = `/documents/${encodeURI(decodeURIComponent(id)).replaceAll('/', '%2F')}`
      const answer = await server().inject({ url, headers: bearer('admin') })
      expect(answer.json()).toMatchObject({ code: 'invalid-id', status: 400 })
    },
  )

  it.each(['a', 'A0', 'x'.repeat(128), 'team:notes', 'a._:~-', '0'])('[API-6] %.20s is a document id', async (id) => {
    const app = server()
    expect((await app.inject({ url: `/documents/${id}`, headers: bearer('admin') })).json()).toMatchObject({ id })
    const encoded = [...id].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('')
    expect((await app.inject({ url: `/documents/${encoded}`, headers: bearer('admin') })).json()).toMatchObject({ id })
  })
})
