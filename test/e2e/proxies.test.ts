import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { ownStepIn } from '../../server/foundation/links.ts'
import { apacheLike, nginxLike, tagDropping, type Proxy } from '../support/proxies.ts'
import { caller, startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { Receiver } from '../support/webhookReceiver.ts'

const PUBLIC = 'https://h.example/parley'

let server: TestServer
let direct: Caller
beforeAll(async () => {
  server = await startTestServer({ variables: { PARLEY_PUBLIC_URL: PUBLIC, PARLEY_WEBHOOK_PRIVATE: 'true' } })
  direct = await server.as('alice')
})
afterAll(() => server.stop())

async function through(start: (upstream: string) => Promise<Proxy>): Promise<{ proxy: Proxy; alice: Caller }> {
  const proxy = await start(server.url)
  onTestFinished(() => proxy.stop())
  return { proxy, alice: caller(() => proxy.url, direct.token) }
}

let count = 0
async function created(content = 'one'): Promise<string> {
  const id = `doc-${++count}`
  expect((await direct.post('/documents', { id, kind: 'text', content })).status).toBe(201)
  return id
}

/** Everything in an answer that leads somewhere. */
function linksOf(headers: Headers, body: unknown): string[] {
  const found = [...(headers.get('location') ? [headers.get('location') ?? ''] : [])]
  for (const [, link = ''] of (headers.get('link') ?? '').matchAll(/<([^>]+)>/g)) found.push(link)
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries(value)) {
      if (['href', 'instance'].includes(name) && typeof member === 'string') found.push(member)
      else walk(member)
    }
  }
  walk(body)
  return found
}

describe.each([
  ['that takes the prefix away', true],
  ['that leaves the prefix', false],
] as const)('[API-7] behind a proxy %s', (_which, strips) => {
  const start = (upstream: string): Promise<Proxy> => nginxLike({ upstream, prefix: '/parley', strips })

  it.each(['', '/v1'])('every link under %j stays under the prefix and the version', async (version) => {
    const { alice } = await through(start)
    const base = `/parley${version}`
    const id = await created()
    const answers = [
      await alice.post(`${version}/documents`, { kind: 'text' }),
      await alice.put(`${version}/documents/${id}-new`, { content: 'x', baseVersion: 0 }),
      await alice.post(`${version}/transactions`, {}),
      await alice.put(`${version}/documents/${id}`, { content: 'two', baseVersion: 1 }),
      await alice.put(`${version}/documents/${id}`, { content: 'three', baseVersion: 1 }),
      await alice.get(`${version}/conflicts?document=${id}`),
      await alice.get(`${version}/documents/${id}?no=1`),
      await alice.get(`${version}/conflict-notifications?since=nonsense`),
    ]
    const conflict = answers[4]?.body.conflict
    answers.push(await alice.get(`${version}/conflicts/${conflict.id}`))
    answers.push(
      await alice.post(`${version}/transactions`, {
        operations: [{ action: 'put', document: id, content: 'four', baseVersion: 1 }],
        commit: true,
      }),
    )
    answers.push(
      await alice.post(`${version}/resolve-conflict`, { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }),
    )
    const links = answers.map(({ headers, body }) => linksOf(headers, body))
    expect(links.map((found) => found.length > 0)).toEqual(answers.map((_, index) => index !== 3))
    for (const link of links.flat()) {
      expect(link.startsWith(`${base}/`), link).toBe(true)
      expect(/^\/parley(\/v1)?\/(?!v1|parley)/.test(link), link).toBe(true)
    }
    for (const { body } of answers)
      if (body.type) expect(body.type).toMatch(/^https:\/\/h\.example\/parley\/problems\//)
    // They lead somewhere: what the proxy shows under its own path is what was meant.
    const followed = await alice.get(conflict.current.href.replace('/parley', ''))
    expect(followed.status).toBe(200)
  })

  it.each(['', '/v1'])('events read under %j lead back by the same way', async (version) => {
    const { proxy, alice } = await through(start)
    const { cursor } = (await alice.get(`${version}/conflict-notifications?waitSeconds=0`)).body
    const id = await created()
    const href = `/parley${version}/documents/${id}`
    const query = `since=${cursor}&documents=${id}`
    const { events } = (await alice.get(`${version}/conflict-notifications?${query}&waitSeconds=20`)).body
    expect(events[0]).toMatchObject({ source: PUBLIC, data: { href } })

    const gone = new AbortController()
    const stream = await fetch(`${proxy.url}${version}/conflict-notifications?${query}&token=${alice.token}`, {
      headers: { accept: 'text/event-stream' },
      signal: gone.signal,
    })
    let text = ''
    for await (const chunk of stream.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (text.includes('parley.document.created')) break
    }
    gone.abort()
    expect(text).toContain(`"href":"${href}"`)

    const address = `${proxy.url.replace('http', 'ws')}${version}/conflict-notifications?${query}&token=${alice.token}`
    const socket = new WebSocket(address)
    const event = new Promise((resolve) => {
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString())
        if (frame.type === 'event') resolve(frame.event)
      })
    })
    expect(await event).toMatchObject({ data: { href } })
    socket.close()
  })

  it('live editing and the page of a problem are found', async () => {
    const { proxy, alice } = await through(start)
    const id = await created()
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/sync/${id}?token=${alice.token}`)
    await once(socket, 'message')
    socket.close()
    expect((await alice.get('/problems/not-found')).status).toBe(200)
    for (const [path, base] of [
      ['', '/parley/'],
      ['/v1', '/parley/v1/'],
    ] as const) {
      const { status, headers, body } = await alice.get(path)
      expect(status).toBe(200)
      const links = linksOf(headers, body)
      expect(links.filter((link) => !link.startsWith(base))).toEqual([])
      expect(links.length).toBeGreaterThan(0)
    }
  })
})

it('[API-7] what is posted to webhooks leads to the public URL', async () => {
  const receiver = new Receiver()
  await receiver.listen()
  onTestFinished(() => receiver.close())
  await direct.post('/conflict-notifications', { url: receiver.url, documents: ['hooked*'] })
  await direct.post('/documents', { id: 'hooked', kind: 'text' })
  await receiver.until(1)
  expect(JSON.parse(receiver.received[0]?.body ?? '').data).toMatchObject({ href: '/parley/documents/hooked' })
})

it('[API-7] [OPS-5] a prefix that could be a path of the API does not start', async () => {
  const start = startTestServer({ variables: { PARLEY_PUBLIC_URL: 'https://h.example/documents/x' } })
  await expect(start).rejects.toThrow(/^PARLEY_PUBLIC_URL [^\n]*\/documents[^\n]*$/)
  const { paths } = (await direct.get('/openapi.json')).body
  const steps = new Set(Object.keys(paths).map((path) => path.split('/')[1]))
  steps.delete('')
  expect(steps.size).toBeGreaterThan(10)
  for (const step of [...steps, 'v1', 'sync', 'docs', 'demo'])
    expect(ownStepIn(`https://h.example/${step}/x`)).toBe(`/${step}`)
  for (const free of ['', '/', '/documentsx', '/api']) expect(ownStepIn(`https://h.example${free}`)).toBeNull()
})

describe('[WRITE-1] [API-9] through a compressing proxy', () => {
  const LONG = 'x'.repeat(3_000)

  it.each([
    ['like Apache', apacheLike, /^"[^"]+-1-gzip"$/],
    ['like nginx', nginxLike, /^W\/"[^"]+-1"$/],
    ['that drops tags', tagDropping, null],
  ] as const)('%s, who reads can write', async (_which, start, renamed) => {
    const { alice } = await through((upstream) => start({ upstream }))
    const id = await created(LONG)
    const read = await alice.get(`/documents/${id}/content`)
    expect(read.headers.get('content-encoding')).toBe('gzip')
    expect(read.headers.get('parley-version')).toBe('1')
    const tag = read.headers.get('etag')
    if (renamed) expect(tag).toMatch(renamed)
    else expect(tag).toBeNull()

    if (tag !== null) {
      expect((await alice.get(`/documents/${id}/content`, { 'if-none-match': tag })).status).toBe(304)
    }
    const written =
      tag?.startsWith('"') === true
        ? await alice.put(`/documents/${id}/content`, 'two', { 'content-type': 'text/plain', 'if-match': tag })
        : await alice.put(`/documents/${id}/content?baseVersion=${read.headers.get('parley-version')}`, 'two', {
            'content-type': 'text/plain',
          })
    expect(written.status).toBe(200)
    expect(written.headers.get('parley-version')).toBe('2')
  })

  it('of our own, who reads can write, and reads nothing twice', async () => {
    const id = await created(LONG)
    const read = await direct.get(`/documents/${id}/content`)
    const tag = read.headers.get('etag') ?? ''
    expect(tag).toMatch(/-1-gzip"$/)
    const again = await direct.get(`/documents/${id}/content`, { 'if-none-match': tag })
    expect([again.status, again.headers.get('etag')]).toEqual([304, tag])
    const answer = await direct.put(`/documents/${id}/content`, 'two', {
      'content-type': 'text/plain',
      'if-match': tag,
    })
    expect(answer.status).toBe(200)
    const stale = await direct.put(`/documents/${id}/content`, 'three', {
      'content-type': 'text/plain',
      'if-match': tag,
    })
    expect([stale.status, stale.headers.get('parley-version')]).toEqual([409, '2'])
  })
})

describe('[API-10] another upgrade than that to a WebSocket', () => {
  /** As Java's client sends it with each call, on one connection. */
  const withUpgrade = (method: string, path: string, body = ''): string =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n` +
    `Authorization: Bearer ${direct.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  it('is an ordinary request, with a body as well, however often on one connection', async () => {
    const id = await created()
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let text = ''
    socket.on('data', (data) => (text += data.toString()))
    const answered = async (request: string): Promise<string> => {
      text = ''
      socket.write(request)
      while (!/\r\n\r\n[^]*\}$/.test(text)) await once(socket, 'data')
      return text
    }
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    for (let version = 1; version <= 30; version++) {
      const body = JSON.stringify({ content: `at ${version}`, baseVersion: version })
      expect(await answered(withUpgrade('PUT', `/documents/${id}`, body))).toMatch(/^HTTP\/1.1 200 [^]*"written"/)
      expect(await answered(withUpgrade('GET', `/documents/${id}`))).toMatch(/^HTTP\/1.1 200 [^]*"content":"at \d+"/)
    }
    expect(warnings).toEqual([])
  })

  it('with the body in pieces, and two requests at once', async () => {
    const id = await created()
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    let text = ''
    socket.on('data', (data) => (text += data.toString()))
    const body = JSON.stringify({ content: 'in pieces', baseVersion: 1 })
    const whole = withUpgrade('PUT', `/documents/${id}`, body)
    socket.write(whole.slice(0, -10))
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.write(
      whole.slice(-10) +
        withUpgrade('GET', '/nowhere') +
        'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    )
    await once(socket, 'close')
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
  })

  it('a handshake that is none is refused with a problem document', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () =>
      socket.write(
        `GET /sync/doc-1?token=${direct.token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      ),
    )
    const [answer]: Buffer[] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 [^]*"code":"invalid-request"/)
  })
})
