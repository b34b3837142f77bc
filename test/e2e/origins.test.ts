import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { ParleyError } from '../../server/foundation/problems.ts'
import { EXPOSED_HEADERS } from '../../server/http/origins.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { serverWith } from '../unit/httpServer.ts'

const APP = 'https://app.example'
const EVIL = 'https://evil.example'

let server: TestServer
let alice: Caller
beforeAll(async () => {
  server = await startTestServer({
    variables: { PARLEY_ORIGINS: ` ${APP}/ `, PARLEY_MAX_CONTENT_BYTES: '1024' },
  })
  alice = await server.as('alice', { '*': ['read', 'write', 'resolve', 'admin'] })
  await alice.post('/documents', { id: 'page', kind: 'text', content: 'a' })
})
afterAll(() => server.stop())

/** What an answer says of origins, whatever made it. */
function expectReadable(head: { get(name: string): string | null }, origin: string): void {
  const isAllowed = origin === APP
  expect(head.get('access-control-allow-origin')).toBe(isAllowed ? APP : null)
  expect(head.get('access-control-expose-headers')).toBe(isAllowed ? EXPOSED_HEADERS : null)
  expect(head.get('access-control-allow-credentials')).toBeNull()
  expect(head.get('vary')?.split(', ')).toContain('Origin')
}

/** Sends bytes as they are and answers the status and the head of what comes back. */
async function exchange(url: string, bytes: string): Promise<{ status: number; head: Headers; body: string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes))
  let text = ''
  socket.on('data', (data) => (text += data.toString()))
  await once(socket, 'close')
  const [head = '', ...body] = text.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers = new Headers(
    fields.map((field): [string, string] => [
      field.slice(0, field.indexOf(':')),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  )
  return { status: Number(line.split(' ')[1]), head: headers, body: body.join('\r\n\r\n') }
}

describe.each([APP, EVIL, 'null'])('[AUTH-4] pages of %s', (origin) => {
  it.each([
    [200, 'GET', '/documents/page', {}, undefined],
    [201, 'POST', '/documents', {}, '{"kind":"text"}'],
    [304, 'GET', '/documents/page', { 'if-none-match': '*' }, undefined],
    [400, 'GET', '/documents/page?no=1', {}, undefined],
    [400, 'GET', '/documents/%', {}, undefined],
    [401, 'GET', '/documents/page', { authorization: 'Bearer nothing' }, undefined],
    [404, 'GET', '/nowhere', {}, undefined],
    [405, 'DELETE', '/conflicts', {}, undefined],
    [409, 'PUT', '/documents/page', { 'if-match': '"abc-9"' }, '{"content":"b"}'],
    [413, 'PUT', '/documents/page/content?baseVersion=1', { 'content-type': 'text/plain' }, 'x'.repeat(1025)],
    [415, 'PUT', '/documents/page', { 'content-type': 'text/html' }, 'x'],
    [428, 'PUT', '/documents/page', {}, '{"content":"b"}'],
    [200, 'GET', '/conflict-notifications?waitSeconds=0', {}, undefined],
    [200, 'GET', '/problems/forbidden', {}, undefined],
    [200, 'GET', '/healthz', {}, undefined],
  ])('read what they may of a %i to %s %s', async (status, method, path, headers, body) => {
    const answer = await fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${alice.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
        origin,
      },
      ...(body === undefined ? {} : { body }),
    })
    await answer.arrayBuffer()
    expect(answer.status).toBe(status)
    expectReadable(answer.headers, origin)
  })

  it('read what they may of Server-Sent Events', async () => {
    const gone = new AbortController()
    const url = `${server.url}/conflict-notifications?token=${alice.token}`
    const answer = await fetch(url, { headers: { accept: 'text/event-stream', origin }, signal: gone.signal })
    gone.abort()
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    expectReadable(answer.headers, origin)
    expect(answer.headers.get('vary')?.split(', ')).toContain('Accept')
  })

  it.each([
    ['too-many-requests', 429],
    ['internal', 500],
    ['storage-unavailable', 503],
  ] as const)('read what they may of %s', async (code, status) => {
    const app = serverWith(async (routes) => {
      routes.get('/fails', { config: { access: 'public' } }, () => {
        throw code === 'internal' ? new Error('unforeseen') : new ParleyError(code, 'Not now.')
      })
    })
    const answer = await app.inject({ url: '/fails', headers: { origin } })
    expect(answer.statusCode).toBe(status)
    expectReadable(new Headers(answer.headers as Record<string, string>), origin)
  })

  it.each([
    ['a line that is none', 400, `GET / nonsense\r\nOrigin: ${origin}\r\n\r\n`],
    [
      'a Content-Length that is none',
      400,
      `PUT /documents/page HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nContent-Length: x\r\n\r\n`,
    ],
    [
      'a head that is too large',
      431,
      `GET / HTTP/1.1\r\nHost: x\r\norigin:${origin}\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
    ],
    ['no Host', 400, `GET / HTTP/1.1\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`],
  ])('read what they may of the answer to %s', async (_what, status, bytes) => {
    const answer = await exchange(server.url, bytes)
    expect(answer.status).toBe(status)
    expect(answer.body).toContain('"code":"')
    expectReadable(answer.head, origin)
  })

  it('read what they may of the answer to a body that does not come', async () => {
    const app = serverWith(async (routes) => {
      routes.put('/slow', { config: { access: 'public', consumes: ['text/plain'] } }, () => 'unreached')
    })
    // Node looks for such bodies every 30 s only.
    app.server.once('request', ({ socket }: IncomingMessage) => {
      setImmediate(() => {
        app.server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket)
      })
    })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const head = `PUT /slow HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc`
    const answer = await exchange(url, head)
    await app.close()
    expect(answer.status).toBe(408)
    expectReadable(answer.head, origin)
  })

  it.each(['/sync/page', '/conflict-notifications', '/nowhere'])(
    'are let in to sockets, or not, at %s',
    async (path) => {
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}?token=${alice.token}`, { origin })
      const status = await new Promise<number>((resolve) => {
        socket.once('open', () => resolve(101))
        socket.once('unexpected-response', (_request, answer) => {
          expectReadable(new Headers(answer.headers as Record<string, string>), origin)
          resolve(answer.statusCode ?? 0)
        })
      })
      socket.on('error', () => undefined)
      socket.terminate()
      expect(status).toBe(origin !== APP ? 403 : path === '/nowhere' ? 404 : 101)
    },
  )

  it('have their preflights answered without a token, for paths that are there and others', async () => {
    for (const path of ['/documents/page', '/v1/documents/page/content', '/nowhere', '/demo/']) {
      const answer = await fetch(server.url + path, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'PUT',
          'access-control-request-headers': 'authorization,if-match,x-trace',
        },
      })
      const isAllowed = origin === APP
      expect(answer.headers.get('access-control-allow-origin')).toBe(isAllowed ? APP : null)
      expect(answer.headers.get('access-control-allow-methods')).toBe(
        isAllowed ? 'GET, HEAD, POST, PUT, PATCH, DELETE' : null,
      )
      expect(answer.headers.get('access-control-allow-headers')).toBe(
        isAllowed ? 'authorization,if-match,x-trace' : null,
      )
      expect(answer.headers.get('vary')).toContain('Origin')
      if (isAllowed) expect(answer.status).toBe(204)
    }
  })

  it('have OPTIONS without a preflight answered as everybody', async () => {
    const answer = await fetch(`${server.url}/documents/page`, { method: 'OPTIONS', headers: { origin } })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('allow')).toBe('GET, HEAD, PUT, PATCH, DELETE, OPTIONS')
    expectReadable(answer.headers, origin)
    expect((await fetch(`${server.url}/nowhere`, { method: 'OPTIONS', headers: { origin } })).status).toBe(404)
  })
})

it('[AUTH-4] [RATE-1] preflights are outside the limits, and a refusal by them can be read', async () => {
  const limited = await startTestServer({
    variables: { PARLEY_ORIGINS: APP, PARLEY_RATE_READ: '1', PARLEY_RATE_WRITE: '1' },
  })
  const token = await limited.token('alice')
  const preflight = { origin: APP, 'access-control-request-method': 'GET' }
  for (let n = 0; n < 5; n++) {
    const answer = await fetch(`${limited.url}/documents/page`, { method: 'OPTIONS', headers: preflight })
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([204, null])
  }
  const ask = () =>
    fetch(`${limited.url}/documents/page`, { headers: { origin: APP, authorization: `Bearer ${token}` } })
  await ask()
  const refused = await ask()
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toMatch(/^[0-9]+$/)
  expectReadable(refused.headers, APP)
  await limited.stop()
})

it('[AUTH-4] answers to programs say that they depend on the origin', async () => {
  const { headers } = await alice.get('/documents/page')
  expect(headers.get('vary')).toBe('Origin')
  expect(headers.get('access-control-allow-origin')).toBeNull()
})

it('[AUTH-4] * lets in every page, and the start warns of it', async () => {
  const lines: string[] = []
  const open = await startTestServer({
    variables: { PARLEY_ORIGINS: '*' },
    internals: { logStream: { write: (line) => lines.push(line) } },
  })
  const answer = await fetch(`${open.url}/healthz`, { headers: { origin: EVIL } })
  expect(answer.headers.get('access-control-allow-origin')).toBe(EVIL)
  await open.stop()
  expect(lines.join('')).toContain('PARLEY_ORIGINS is *')
})

it('[AUTH-6] every answer forbids browsers to take it for a page or to show it within one', async () => {
  for (const path of ['/documents/page', '/documents/page/content', '/nowhere', '/documents/%']) {
    const { headers } = await alice.get(path)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('strict-transport-security')).toBeNull()
  }
  const behindTls = serverWith(async () => undefined)
  const answer = await behindTls.inject({ url: '/problems' })
  expect(answer.headers['strict-transport-security']).toBe('max-age=31536000')
})
