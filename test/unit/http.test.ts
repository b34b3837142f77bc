import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Type } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { requirePermission } from '../../server/http/access.ts'
import { JSON_PATCH, MERGE_PATCH, TEXT_BODY, JSON_BODY } from '../../server/http/bodies.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { PROBLEMS } from '../../server/foundation/problemTable.ts'
import { parseDocumentId } from '../../server/foundation/ids.ts'
import type { Routes } from '../../server/http/mount.ts'
import type { HttpServerOptions } from '../../server/http/server.ts'
import { bearer, principalNamed, PUBLIC_URL, serverWith } from './httpServer.ts'

const CLOSED = { additionalProperties: false }
const PutBody = Type.Object(
  {
    content: Type.Union([Type.String(), Type.Record(Type.String(), Type.Unknown())]),
    baseVersion: Type.Optional(Type.Integer()),
  },
  CLOSED,
)
const Action = Type.Union([
  Type.Object({ action: Type.Literal('put'), content: Type.String() }, CLOSED),
  Type.Object({ action: Type.Literal('delete'), baseVersion: Type.Integer() }, CLOSED),
])

/** One route of each kind there is. */
const routes: Routes = async (app) => {
  const params = Type.Object({ id: Type.String() }, CLOSED)
  app.get(
    '/documents/:id',
    { config: { access: { document: 'id', needs: 'read' } }, schema: { params } },
    (request) => ({
      id: request.documentId,
      by: request.principal.sub,
    }),
  )
  app.put(
    '/documents/:id',
    { config: { access: { document: 'id', needs: 'write' } }, schema: { params, body: PutBody } },
    (request) => ({ got: request.body.content, by: request.principal.sub }),
  )
  app.put(
    '/documents/:id/content',
    { config: { access: { document: 'id', needs: 'write' }, consumes: [TEXT_BODY, JSON_BODY] } },
    (request) => ({ got: request.body, length: typeof request.body === 'string' ? request.body.length : null }),
  )
  app.patch(
    '/documents/:id/content',
    { config: { access: { document: 'id', needs: 'write' }, consumes: [MERGE_PATCH, JSON_PATCH] } },
    (request) => ({ got: request.body }),
  )
  app.delete('/documents/:id', { config: { access: { document: 'id', needs: 'write' } } }, (_request, reply) =>
    reply.code(204).send(),
  )
  const query = Type.Object({ limit: Type.Optional(Type.String()) }, CLOSED)
  app.get(
    '/documents',
    { config: { access: 'authenticated' }, schema: { querystring: query } },
    (request) => request.query,
  )
  app.post('/actions', { config: { access: 'authenticated' }, schema: { body: Action } }, (request) => request.body)
  app.post('/stream', { config: { access: 'authenticated', queryToken: true, openQuery: true } }, () => ({}))
  app.get('/broken', { config: { access: 'public' } }, () => {
    throw new Error('secret of the house')
  })
  app.get('/damaged', { config: { access: 'public' } }, () => {
    throw new ParleyError('document-damaged', 'The log of x is damaged.', { extras: { status: 1, note: 'kept' } })
  })
  app.get('/busy', { config: { access: 'public' } }, () => {
    throw new ParleyError('overloaded', 'Later.')
  })
}

const started: FastifyInstance[] = []
function server(options: Partial<HttpServerOptions> = {}): FastifyInstance {
  const app = serverWith(routes, options)
  started.push(app)
  return app
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.close()))
})

async function listening(
  options: Partial<HttpServerOptions> = {},
): Promise<{ app: FastifyInstance; url: string; port: number }> {
  const app = server(options)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address() as AddressInfo
  return { app, url, port: address.port }
}

const json = { 'content-type': 'application/json' }

describe('routes', () => {
  it('[API-1] serves every route under /v1 and without prefix', async () => {
    const app = server()
    for (const prefix of ['', '/v1']) {
      const answer = await app.inject({ url: `${prefix}/documents/doc:a`, headers: bearer('reader') })
      expect(answer.json()).toEqual({ id: 'doc:a', by: 'reader' })
    }
    expect((await app.inject({ url: '/v2/documents/doc:a', headers: bearer('reader') })).statusCode).toBe(404)
  })

  it('does not start with a route that declares no access', async () => {
    const app = serverWith(async (instance) => {
      instance.get('/open', () => 'oops')
    })
    await expect(app.ready()).rejects.toThrow('/open declares no access')
  })

  it.each([
    ['body', { body: Type.Object({ a: Type.String() }) }],
    ['body', { body: Type.Union([Type.Object({ a: Type.String() }, CLOSED), Type.Object({ b: Type.String() })]) }],
    ['querystring', { querystring: Type.Object({ a: Type.String() }) }],
  ])('does not start with a route whose %s lets unknown members pass', async (part, schema) => {
    const app = serverWith(async (instance) => {
      instance.post('/loose', { config: { access: 'public' }, schema }, () => 'oops')
    })
    await expect(app.ready()).rejects.toThrow(`unknown members of its ${part}`)
  })

  it('answers HEAD as GET without the body, and tells browsers not to guess types', async () => {
    const answer = await server().inject({ method: 'HEAD', url: '/documents/doc:a', headers: bearer('reader') })
    expect(answer).toMatchObject({ statusCode: 200, body: '' })
    expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'content-length': '28' })
  })
})

describe('problem documents', () => {
  it('[API-2] every error is application/problem+json with all members', async () => {
    const answer = await server().inject({ url: '/documents/doc:a?x=%41', headers: { ...bearer('reader') } })
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toEqual({
      type: `${PUBLIC_URL}/problems/invalid-request`,
      title: PROBLEMS['invalid-request'].title,
      status: 400,
      detail: 'The query string holds the unknown parameter `x`.',
      instance: '/documents/doc:a',
      code: 'invalid-request',
      retryable: false,
    })
  })

  it('[API-2] `type` leads to a page of this server, for every code there is', async () => {
    const app = server()
    for (const code of Object.keys(PROBLEMS)) {
      const answer = await app.inject({ url: `/problems/${code}`, headers: { accept: 'text/html' } })
      expect(answer.statusCode, code).toBe(200)
      expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
      expect(answer.body).toContain(`<code>${code}</code>`)
    }
    expect((await app.inject('/problems')).body).toContain('problems/version-conflict')
  })

  it('[API-2] the page is JSON for those who ask, and 404 for names that are none', async () => {
    const app = server()
    const page = await app.inject({ url: '/problems/weak-etag', headers: { accept: 'application/json' } })
    expect(page.json()).toMatchObject({ code: 'weak-etag', status: 409, type: `${PUBLIC_URL}/problems/weak-etag` })
    for (const name of ['nope', 'constructor', '__proto__', '<script>']) {
      const answer = await app.inject(`/problems/${encodeURIComponent(name)}`)
      expect(answer.json(), name).toMatchObject({ code: 'not-found' })
    }
  })

  it('[API-2] the page allows its own style by hash and nothing else', async () => {
    const { createHash } = await import('node:crypto')
    const answer = await server().inject('/problems/forbidden')
    const style = /<style>([^]*)<\/style>/.exec(answer.body)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    expect(answer.headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`)
    expect(answer.body).not.toMatch(/<script| style=| on[a-z]+=/)
  })

  it('[API-2] an unexpected error says nothing of the inside, and is logged with its request id', async () => {
    const lines: string[] = []
    const app = server({ logLevel: 'error', logStream: { write: (line) => lines.push(line) } })
    const answer = await app.inject('/broken')
    expect(answer.json()).toMatchObject({ code: 'internal', status: 500, retryable: true })
    expect(answer.body).not.toContain('secret of the house')
    const logged: unknown = JSON.parse(lines.join(''))
    expect(logged).toMatchObject({ err: { message: 'secret of the house' } })
    expect(answer.json<{ detail: string }>().detail).toContain((logged as { reqId: string }).reqId)
  })

  it('[API-2] extra members are kept but never replace one that every problem has', async () => {
    const answer = await server().inject('/damaged')
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ status: 500, code: 'document-damaged', note: 'kept' })
  })

  it('says when to try again after a 503', async () => {
    const answer = await server().inject('/busy')
    expect(answer).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } })
  })

  it('[API-2] a path unknown to every method is 404, in both prefixes, whatever the body', async () => {
    const app = server()
    for (const url of ['/nowhere', '/v1/nowhere', '/', '/documents/doc:a/']) {
      const answer = await app.inject({ method: 'POST', url, headers: json, payload: '{' })
      expect(answer.json(), url).toMatchObject({ code: 'not-found', status: 404 })
    }
  })

  it('[API-4] a known path with another method is 405 with Allow, without a look at the body', async () => {
    const app = server()
    const answer = await app.inject({ method: 'POST', url: '/documents/doc:a', headers: json, payload: '{' })
    expect(answer.json()).toMatchObject({ code: 'method-not-allowed', status: 405 })
    expect(answer.headers['allow']).toBe('GET, HEAD, PUT, DELETE, OPTIONS')
    const other = await app.inject({ method: 'TRACE' as 'GET', url: '/v1/actions' })
    expect(other).toMatchObject({ statusCode: 405, headers: { allow: 'POST, OPTIONS' } })
  })

  it('answers OPTIONS with what the path takes', async () => {
    const app = server()
    const known = await app.inject({ method: 'OPTIONS', url: '/documents/doc:a/content' })
    expect(known).toMatchObject({ statusCode: 204, body: '', headers: { allow: 'PUT, PATCH, OPTIONS' } })
    expect((await app.inject({ method: 'OPTIONS', url: '/nowhere' })).statusCode).toBe(404)
  })
})

describe('bodies and queries', () => {
  const put = (payload: string | Buffer, headers: Record<string, string> = json) =>
    server().inject({ method: 'PUT', url: '/documents/doc:a', headers: { ...bearer('writer'), ...headers }, payload })

  it('refuses unknown members and names them', async () => {
    const answer = await put('{"content":"x","colour":1}')
    expect(answer.json()).toMatchObject({
      code: 'invalid-request',
      detail: 'The body holds the unknown member `colour`.',
    })
  })

  it('coerces nothing, drops nothing, adds nothing', async () => {
    const wrong = await put('{"content":"x","baseVersion":"5"}')
    expect(wrong.json()).toMatchObject({ code: 'invalid-request', detail: expect.stringContaining('/baseVersion') })
    const content = { a: null, constructor: { prototype: 1 }, n: 1.5 }
    expect((await put(JSON.stringify({ content }))).json()).toEqual({ got: content, by: 'writer' })
  })

  it('names what is missing, also where a body is', async () => {
    expect((await put('{}')).json()).toMatchObject({ detail: 'The body lacks `content`.' })
    expect((await put('')).json()).toMatchObject({ code: 'invalid-request', detail: 'The body must be object.' })
    expect((await put('[]')).json()).toMatchObject({ code: 'invalid-request' })
    expect((await put('null')).json()).toMatchObject({ code: 'invalid-request' })
  })

  it('of a union tells about the branch that was meant', async () => {
    const post = async (payload: object) =>
      (await server().inject({ method: 'POST', url: '/actions', headers: bearer('reader'), payload })).json<{
        detail: string
      }>()
    expect((await post({ action: 'put', content: 5 })).detail).toContain('/content')
    expect((await post({ action: 'delete', baseVersion: 1, force: true })).detail).toContain('force')
  })

  it('is strict about JSON', async () => {
    for (const payload of [
      '{',
      '{"content":"a","content":"b"}',
      '{"content":"\\ud800"}',
      '{"content":{"__proto__":1}}',
    ]) {
      expect((await put(payload)).json(), payload).toMatchObject({ code: 'invalid-json', status: 400 })
    }
    expect((await put(Buffer.from([0x22, 0xff, 0x22]))).json()).toMatchObject({ code: 'invalid-json' })
  })

  it('takes UTF-8 only', async () => {
    expect((await put('{"content":"x"}', { 'content-type': 'application/json; charset="UTF-8"' })).statusCode).toBe(200)
    for (const charset of ['utf-16', 'iso-8859-1', '"latin1"', '']) {
      const answer = await put('{"content":"x"}', { 'content-type': `application/json;charset=${charset}` })
      expect(answer.json(), charset).toMatchObject({ code: 'unsupported-media-type', status: 415 })
    }
  })

  it('refuses other types, encoded bodies, and a body without a type', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/jsonx', 'nonsense', 'application/json/x']) {
      expect((await put('{"content":"x"}', { 'content-type': type })).statusCode, type).toBe(415)
    }
    expect((await put('{"content":"x"}', { ...json, 'content-encoding': 'br' })).statusCode).toBe(415)
    const { port } = await listening()
    const bare = await exchange(port, request('PUT /documents/doc:a', 'writer', 'Content-Length: 2', '{}'))
    expect(bare).toMatch(/^HTTP\/1.1 415 /)
  })

  it('lists what a path takes', async () => {
    const answer = await server().inject({
      method: 'PATCH',
      url: '/documents/doc:a/content',
      headers: { ...bearer('writer'), ...json },
      payload: '{}',
    })
    expect(answer).toMatchObject({ statusCode: 415, headers: { 'accept-patch': `${MERGE_PATCH}, ${JSON_PATCH}` } })
    const patched = await server().inject({
      method: 'PATCH',
      url: '/documents/doc:a/content',
      headers: { ...bearer('writer'), 'content-type': `${MERGE_PATCH}; charset=utf-8` },
      payload: '{"a":null}',
    })
    expect(patched.json()).toEqual({ got: { a: null } })
  })

  it('keeps text to the byte', async () => {
    const text = '\ufeffa\r\nb\u0000\u2028😀\r'
    const answer = await server().inject({
      method: 'PUT',
      url: '/documents/doc:a/content',
      headers: { ...bearer('writer'), 'content-type': 'text/plain; charset=utf-8' },
      payload: text,
    })
    expect(answer.json()).toEqual({ got: text, length: text.length })
  })

  it('refuses text that is not UTF-8, and takes an empty one', async () => {
    const send = (payload: Buffer) =>
      server().inject({
        method: 'PUT',
        url: '/documents/doc:a/content',
        headers: { ...bearer('writer'), 'content-type': 'text/plain' },
        payload,
      })
    expect((await send(Buffer.from([0x61, 0xe9]))).json()).toMatchObject({ code: 'invalid-request', status: 400 })
    expect((await send(Buffer.alloc(0))).json()).toEqual({ got: '', length: 0 })
  })

  it('lets routes without a body be called with none or an empty object, and nothing else', async () => {
    const send = (payload?: string, headers: Record<string, string> = json) =>
      server().inject({
        method: 'DELETE',
        url: '/documents/doc:a',
        headers: { ...bearer('writer'), ...headers },
        ...(payload === undefined ? {} : { payload }),
      })
    expect((await send(undefined, {})).statusCode).toBe(204)
    expect((await send()).statusCode).toBe(204)
    expect((await send('{}')).statusCode).toBe(204)
    expect((await send('{"force":true}')).json()).toMatchObject({
      code: 'invalid-request',
      detail: expect.stringContaining('force'),
    })
    expect((await send('x', { 'content-type': 'text/plain' })).statusCode).toBe(415)
  })

  it('refuses query parameters that are unknown, repeated or badly encoded', async () => {
    const get = async (query: string) => {
      const answer = await server().inject({ url: `/documents?${query}`, headers: bearer('reader') })
      return { status: answer.statusCode, ...answer.json<object>() }
    }
    expect(await get('limit=5')).toEqual({ status: 200, limit: '5' })
    expect(await get('lim=5')).toMatchObject({ status: 400, detail: expect.stringContaining('`lim`') })
    expect(await get('limit=5&limit=6')).toMatchObject({ status: 400, detail: expect.stringContaining('limit') })
    expect(await get('limit=%zz')).toMatchObject({ status: 400, detail: expect.stringContaining('percent') })
    expect(await get('limit=%ff')).toMatchObject({ status: 400 })
    expect(await get('__proto__=1')).toMatchObject({ status: 400 })
    expect(await get('token=abc')).toMatchObject({ status: 400 })
  })

  it('leaves the query of a page to its script', async () => {
    const answer = await server().inject({ method: 'POST', url: '/stream?token=reader&anything=%zz' })
    expect(answer.statusCode).toBe(200)
  })
})

describe('sizes', () => {
  const limit = 64 * 1024
  const putText = (url: string, size: number) =>
    fetch(`${url}/documents/doc:a/content`, {
      method: 'PUT',
      headers: { ...bearer('writer'), 'content-type': 'text/plain' },
      body: 'x'.repeat(size),
    })

  it('takes a text of exactly the content limit, and answers 413 to one byte more', async () => {
    const { url } = await listening({ maxContentBytes: limit })
    expect((await putText(url, limit)).status).toBe(200)
    const refused = await putText(url, limit + 1)
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({
      code: 'content-too-large',
      retryable: false,
      detail: expect.stringContaining(`${limit} bytes`),
    })
  })

  it('takes a content of control characters, six times as long when escaped', async () => {
    const { url } = await listening({ maxContentBytes: limit })
    const put = (content: string) =>
      fetch(`${url}/documents/doc:a`, {
        method: 'PUT',
        headers: { ...bearer('writer'), ...json },
        body: JSON.stringify({ content }),
      })
    expect((await put('\u0001'.repeat(limit))).status).toBe(200)
    expect((await put('\u0001'.repeat(limit + 1024 * 1024))).status).toBe(413)
  })

  it('a client that sends far too much, and reads only then, still finds the 413', async () => {
    const { port } = await listening({ maxContentBytes: limit })
    const body = 'x'.repeat(20 * 1024 * 1024)
    const length = `Content-Type: text/plain\r\nContent-Length: ${body.length}`
    const head = request('PUT /documents/doc:a/content', 'writer', length).replace('Connection: close\r\n', '')
    expect(await exchange(port, head + body, 'writes all, then reads')).toMatch(/^HTTP\/1.1 413 /)
  })

  it('counts chunked bodies too', async () => {
    const { port } = await listening({ maxContentBytes: limit })
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const sent = request(
      'PUT /documents/doc:a/content',
      'writer',
      'Transfer-Encoding: chunked\r\nContent-Type: text/plain',
    )
    expect(await exchange(port, `${sent}${chunk}${chunk}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /)
  })
})

/** A request as bytes; the last header closes the connection, so that the answer has an end. */
function request(line: string, token: string | null, headers: string, body = ''): string {
  const authorization = token === null ? '' : `Authorization: Bearer ${token}\r\n`
  return `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${authorization}${headers}\r\n\r\n${body}`
}

/** Sends bytes and answers what comes back: all until the server closes, or what is there once everything was sent. */
function exchange(port: number, bytes: string, manner?: 'writes all, then reads'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8')
    const read = (): void => {
      socket.on('data', (text: string) => {
        answer += text
        if (manner) socket.end()
      })
    }
    if (!manner) read()
    socket.write(bytes, manner ? read : undefined)
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

it('[AUTH-1] every request on a connection is judged by its own token', async () => {
  const { port } = await listening()
  const line = 'GET /documents/doc:1'
  const kept = (token: string | null): string => request(line, token, 'X: y').replace('Connection: close\r\n', '')
  const tokens = ['reader', 'reader', 'nobody', 'writer', null, 'blindWriter']
  const answer = await exchange(port, tokens.map(kept).join('') + request(line, 'reader', 'X: y'))
  const answers = answer.split('HTTP/1.1 ').slice(1)
  expect(answers.map((one) => one.slice(0, 3))).toEqual(['200', '200', '401', '200', '401', '404', '200'])
  expect(answers.map((one) => /"by":"(\w+)"/.exec(one)?.[1])).toEqual([
    'reader',
    'reader',
    undefined,
    'writer',
    undefined,
    undefined,
    'reader',
  ])
})

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

/** As `exchange`, for a request whose body stays away: the answer's head is enough. */
function exchangeHead(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
    socket.on('error', reject)
  })
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}

describe('sockets', () => {
  it('[API-2] answers bytes that are not HTTP with a problem document', async () => {
    const { port } = await listening()
    const answer = await exchange(port, 'nonsense\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\nContent-Type: application\/problem\+json/)
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'invalid-request', status: 400 })
  })

  it('[API-2] answers a request without Host with a problem document', async () => {
    const { port } = await listening()
    const answer = await exchange(port, 'GET /problems HTTP/1.1\r\nConnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*"detail":"The Host header is missing."/)
    expect(await exchange(port, 'GET /problems HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /)
  })

  it('[API-2] answers headers beyond 16 KiB with 431', async () => {
    const { port } = await listening()
    const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 431 /)
    expect(answer).toContain('"code":"headers-too-large"')
  })

  it('bounds how long headers and bodies may take to arrive', async () => {
    const app = server()
    expect(app.server.headersTimeout).toBe(20_000)
    expect(app.server.requestTimeout).toBe(300_000)
    const late = await listening({ headersTimeoutMs: 100, requestTimeoutMs: 200 })
    expect(late.app.server).toMatchObject({ headersTimeout: 100, requestTimeout: 200 })
  })

  it('[OPS-2] finishes what it has begun, and answers 503 to what still comes while it stops', async () => {
    const release = deferred()
    const closing = deferred()
    const app = serverWith(async (instance) => {
      instance.get('/slow', { config: { access: 'public' } }, async () => {
        await release.promise
        return { slow: true }
      })
    })
    app.addHook('preClose', (done) => {
      closing.resolve()
      done()
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    const answers = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (data) => (text += data.toString()))
      socket.on('close', () => resolve(text))
    })
    const send = async () => {
      const arrived = once(app.server, 'request')
      socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
      await arrived
    }
    await send()
    const closed = app.close()
    await closing.promise
    await send()
    release.resolve()
    await closed
    expect(await answers).toMatch(/^HTTP\/1.1 200 [^]*\{"slow":true\}HTTP\/1.1 503 [^]*"code":"shutting-down"/)
  })
})

describe('logging', () => {
  it('[AUTH-1] logs requests at debug, and never a token', async () => {
    const lines: string[] = []
    const app = server({ logLevel: 'trace', logStream: { write: (line) => lines.push(line) } })
    await app.inject({ url: '/documents/doc:a', headers: bearer('reader') })
    await app.inject({ method: 'POST', url: '/stream?token=reader-token-in-query', headers: {} })
    await app.inject({ url: '/nowhere?%74oken=reader-token-in-query', headers: bearer('reader-token-in-header') })
    await app.inject({ url: '/documents/doc:a', headers: bearer('reader-token-in-header') })
    const log = lines.join('')
    expect(log).toContain('"path":"/documents/doc:a","status":200')
    expect(log).toContain('"path":"/stream","status":401')
    expect(log).not.toContain('token-in')
    expect(log).not.toMatch(/bearer/i)
  })
})
