import { once } from 'node:events'
import { connect } from 'node:net'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { JSON_BODY, TEXT_BODY } from '../../server/http/bodies.ts'
import { preferredCoding } from '../../server/http/compression.ts'
import { parseIfMatch } from '../../server/http/preconditions.ts'
import { serverWith } from './httpServer.ts'

const LONG = `Hj${'x'.repeat(2_000)}`
const TAG = '"abc-7"'

let server: FastifyInstance | null = null
afterEach(() => server?.close())

function started(): FastifyInstance {
  server = serverWith(
    async (app) => {
      const config = { access: 'public' } as const
      app.get('/long', { config }, (_request, reply) => reply.type('text/plain').header('etag', TAG).send(LONG))
      app.get('/bytes', { config }, (_request, reply) => reply.type('application/json').send(Buffer.from(`"${LONG}"`)))
      app.get('/short', { config }, (_request, reply) =>
        reply.type('text/plain').header('etag', TAG).send('x'.repeat(1_023)),
      )
      app.get('/picture', { config }, (_request, reply) => reply.type('image/png').send(Buffer.alloc(2_000)))
      app.get('/secret', { config: { ...config, secret: true } }, () => ({ token: LONG }))
      app.get('/same', { config }, (_request, reply) => reply.code(304).header('etag', TAG).send())
      app.put('/long', { config: { ...config, consumes: [TEXT_BODY, JSON_BODY] } }, ({ body }, reply) =>
        reply.header('etag', TAG).send({ got: body, pad: LONG }),
      )
    },
    { maxContentBytes: 100_000 },
  )
  return server
}

describe('[API-8] an answer', () => {
  const ask = (url: string, accepted?: string, headers: Record<string, string> = {}) =>
    started().inject({
      url,
      headers: { ...(accepted === undefined ? {} : { 'accept-encoding': accepted }), ...headers },
    })

  it.each([
    ['gzip, deflate, br', 'br', brotliDecompressSync],
    ['gzip', 'gzip', gunzipSync],
  ] as const)('over 1 KiB is compressed for %s', async (accepted, coding, inflate) => {
    const answer = await ask('/long', accepted)
    expect(answer.headers).toMatchObject({
      'content-encoding': coding,
      'content-length': String(answer.rawPayload.length),
    })
    expect(String(answer.headers['vary']).split(', ')).toEqual(['Accept-Encoding', 'Origin'])
    expect(answer.rawPayload.length).toBeLessThan(200)
    expect(inflate(answer.rawPayload).toString()).toBe(LONG)
    // The bytes are others, so the strong tag is another; both name the version.
    expect(answer.headers).toMatchObject({ etag: `"abc-7-${coding}"`, 'parley-version': '7' })
    const bytes = await ask('/bytes', accepted)
    expect(inflate(bytes.rawPayload).toString()).toBe(`"${LONG}"`)
  })

  it.each([
    ['no coding is taken', '/long', undefined],
    ['only others are taken', '/long', 'deflate, zstd;q=0.5, gzip;q=0'],
    ['it is small', '/short', 'gzip'],
    ['it is a picture', '/picture', 'gzip'],
    ['it holds a secret', '/secret', 'gzip'],
  ])('goes out as it is where %s', async (_why, url, accepted) => {
    const answer = await ask(url, accepted)
    expect(answer.headers['content-encoding']).toBeUndefined()
    expect(answer.headers['etag'] ?? TAG).toBe(TAG)
    expect(String(answer.headers['vary']).includes('Accept-Encoding')).toBe(url === '/long')
  })

  it('to HEAD has the headers of that to GET, and one to a write keeps its tag', async () => {
    const head = await started().inject({ method: 'HEAD', url: '/long', headers: { 'accept-encoding': 'gzip' } })
    const got = await ask('/long', 'gzip')
    for (const name of ['etag', 'content-length', 'content-encoding', 'vary']) {
      expect(head.headers[name]).toBe(got.headers[name])
    }
    const written = await started().inject({
      method: 'PUT',
      url: '/long',
      headers: { 'accept-encoding': 'gzip', 'content-type': 'text/plain' },
      payload: 'x',
    })
    expect(written.headers).toMatchObject({ 'content-encoding': 'gzip', etag: TAG })
  })

  it.each(['"abc-7"', '"abc-7-gzip"', '"abc-7-br"', '"abc-7;gzip"', '"abc-7--gzip"'])(
    'of 304 names %s by the name it was asked for',
    async (tag) => {
      const answer = await ask('/same', 'gzip', { 'if-none-match': `"abc-6", ${tag}` })
      expect(answer.headers).toMatchObject({ etag: tag, 'parley-version': '7' })
      // A cache takes it over for what it keeps.
      expect(String(answer.headers['vary']).split(', ')).toEqual(['Accept-Encoding', 'Origin'])
    },
  )

  it.each([
    ['', null],
    ['*', 'br'],
    ['gzip;q=0.5, br;q=0.4', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['identity, gzip;q=0.5', null],
    ['GZIP;Q=1', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip;q=nonsense', null],
    ['gzip;q=7', null],
    [';;,,q=1', null],
  ])('for Accept-Encoding %j is of coding %j', (header, coding) => {
    expect(preferredCoding(header)).toBe(coding)
  })
})

it.each([
  ['"a-7-gzip"', 'a-7'],
  ['"a-7;gzip"', 'a-7'],
  ['"a-7--gzip"', 'a-7'],
  ['"a-7-br"', 'a-7'],
  ['"a-7"', 'a-7'],
  ['"a-7-x"', 'a-7-x'],
])('[WRITE-1] the tag %s, as a proxy may have renamed it, is %s', (sent, tag) => {
  expect(parseIfMatch(sent)).toEqual({ kind: 'tags', tags: [{ weak: false, tag }] })
})

describe('[API-8] a body', () => {
  const put = (payload: Buffer, coding: string, type = 'text/plain') =>
    started().inject({
      method: 'PUT',
      url: '/long',
      headers: { 'content-type': type, 'content-encoding': coding },
      payload,
    })

  it.each(['gzip', 'x-gzip', 'GZip'])('by %s is taken', async (coding) => {
    expect((await put(gzipSync('one'), coding)).json()).toMatchObject({ got: 'one' })
    expect((await put(gzipSync('{"a":1}'), coding, 'application/json')).json()).toMatchObject({ got: { a: 1 } })
    expect((await put(Buffer.concat([gzipSync('o'), gzipSync('ne')]), coding)).json()).toMatchObject({ got: 'one' })
  })

  it.each(['br', 'deflate', 'gzip, gzip', 'identity, gzip', 'zstd', 'nonsense'])(
    'by %s is refused with what is taken',
    async (coding) => {
      const answer = await put(Buffer.from('x'), coding)
      expect(answer.statusCode).toBe(415)
      expect(answer.headers).toMatchObject({ 'accept-encoding': 'gzip', accept: 'text/plain, application/json' })
    },
  )

  it('may be as long as one that is not compressed, and no longer', async () => {
    expect((await put(gzipSync('x'.repeat(100_000)), 'gzip')).statusCode).toBe(200)
    const over = await put(gzipSync('x'.repeat(100_001)), 'gzip')
    expect(over.statusCode).toBe(413)
    expect(over.json()).toMatchObject({ code: 'content-too-large' })
  })

  it.each([
    ['that is not compressed at all', Buffer.from('plain text')],
    ['that is cut off', gzipSync('x'.repeat(5_000)).subarray(0, 20)],
    ['with a wrong sum', Buffer.concat([gzipSync('x').subarray(0, -8), Buffer.alloc(8)])],
  ])('%s is 400', async (_what, payload) => {
    const answer = await put(payload, 'gzip')
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'invalid-request' })
  })

  it('that would become gigabytes is refused while it comes', async () => {
    const app = started()
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    // Each member is a megabyte of zeros.
    const member = gzipSync(Buffer.alloc(1024 * 1024))
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const head = `PUT /long HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: ${member.length * 2_000}\r\nConnection: close\r\n\r\n`
    socket.write(head)
    for (let n = 0; n < 2_000; n++) socket.write(member)
    const [answer]: Buffer[] = await once(socket, 'data')
    socket.resume()
    await once(socket, 'close')
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /)
  })
})

describe('[API-8] Expect: 100-continue', () => {
  const exchange = async (head: string, body: string): Promise<string> => {
    const url = await started().listen({ host: '127.0.0.1', port: 0 })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString()
      if (answer === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(body)
    })
    socket.write(`PUT ${head}\r\nHost: x\r\nExpect: 100-continue\r\n\r\n`)
    await Promise.race([once(socket, 'close'), waitForAnswer(socket, () => /HTTP\/1.1 [2-5]/.test(answer))])
    socket.destroy()
    return answer
  }
  const waitForAnswer = async (socket: NodeJS.ReadableStream, isThere: () => boolean): Promise<void> => {
    while (!isThere()) await once(socket, 'data')
  }

  it('is answered by 100 where nothing speaks against the head', async () => {
    const answer = await exchange('/long HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 3', 'abc')
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/)
  })

  it.each([
    [413, '/long HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 100001'],
    [415, '/long HTTP/1.1\r\nContent-Type: text/html\r\nContent-Length: 3'],
    [404, '/nowhere HTTP/1.1\r\nContent-Length: 3'],
    [405, '/short HTTP/1.1\r\nContent-Length: 3'],
  ])('is answered by the refusal where the head suffices for %i, and the connection ends', async (status, head) => {
    const answer = await exchange(head, 'abc')
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(answer).not.toContain('100 Continue')
  })

  it('of anything else is nothing to us', async () => {
    const app = started()
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
      socket.write('GET /short HTTP/1.1\r\nHost: x\r\nExpect: the-moon\r\nConnection: close\r\n\r\n'),
    )
    const [answer]: Buffer[] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 /)
  })
})
