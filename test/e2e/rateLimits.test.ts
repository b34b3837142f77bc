import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'
import { RATE_CLASSES, type RateClass } from '../../server/limits/rates.ts'
import { caller, startTestServer, type Answer, type Caller, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waitFor.ts'

const LIMIT = 20
/** What a token takes to come back. */
const TOKEN_MS = 60_000 / LIMIT

/** Time for buckets goes on where the test says so. */
let nowMs = 0
const environment: Environment = { ...systemEnvironment, monotonicMs: () => nowMs }

let server: TestServer
let names = 0

async function start(
  limits: Partial<Record<RateClass, number>>,
  variables: Record<string, string> = {},
): Promise<void> {
  const rates = Object.entries(limits).map(([name, limit]) => [`PARLEY_RATE_${name.toUpperCase()}`, String(limit)])
  server = await startTestServer({ environment, variables: { ...Object.fromEntries(rates), ...variables } })
}

/** Somebody with a full bucket. */
const somebody = (access: Record<string, string[]> = { '*': ['admin'] }): Promise<Caller> =>
  server.as(`somebody-${(names += 1)}`, access)

/** The answer to an upgrade, as far as limits are concerned. */
async function connect(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}${path}`, { headers })
  socket.on('error', () => undefined)
  onTestFinished(() => socket.terminate())
  const [response] = (await Promise.race([
    once(socket, 'upgrade'),
    once(socket, 'unexpected-response').then(([, answer]: unknown[]) => [answer]),
  ])) as [{ statusCode: number; headers: Record<string, string> }]
  return { status: response.statusCode, headers: new Headers(response.headers), body: null }
}

const resolution = { conflictId: 'cfl_01JD0000000000000000000000', dismiss: true }
const bearer = ({ token }: Caller) => ({ authorization: `Bearer ${token}` })

/** One request of each class that costs one token, whatever becomes of it otherwise. */
const ONE: Readonly<Record<RateClass, (who: Caller) => Promise<Answer>>> = {
  read: (who) => who.get('/documents/none'),
  write: (who) => who.put('/documents/none', { content: 'x', baseVersion: 1 }),
  resolve: (who) => who.post('/resolve-conflict', resolution),
  connect: (who) => connect('/sync/doc', bearer(who)),
  token: (who) => who.post('/tokens', { sub: 'x', access: {}, ttlSeconds: 1 }),
}

describe('[RATE-1] requests', () => {
  beforeAll(() => start({ read: LIMIT, write: LIMIT, resolve: LIMIT, connect: LIMIT, token: LIMIT }))
  afterAll(() => server.stop())

  describe.each(RATE_CLASSES)('[RATE-1] of the class %s', (rateClass) => {
    it('[RATE-1] within the limit are answered, and told what is left', async () => {
      const who = await somebody()
      for (let left = LIMIT - 1; left >= 0; left--) {
        const { status, headers } = await ONE[rateClass](who)
        expect(status).not.toBe(429)
        expect(headers.get('ratelimit-policy')).toBe(`"${rateClass}";q=${LIMIT};w=60`)
        expect(headers.get('ratelimit')).toBe(`"${rateClass}";r=${left};t=${(LIMIT - left) * 3}`)
        expect(headers.has('retry-after')).toBe(false)
      }
    })

    it('[RATE-1] over the limit get 429, and are welcome when Retry-After says', async () => {
      const who = await somebody()
      for (let n = 0; n < LIMIT; n++) await ONE[rateClass](who)
      nowMs += TOKEN_MS - 1_500
      const refused = await ONE[rateClass](who)
      expect(refused.status).toBe(429)
      expect(refused.headers.get('retry-after')).toBe('2')
      expect(refused.headers.get('content-type')).toContain('application/problem+json')
      expect(refused.headers.get('ratelimit')).toBe(`"${rateClass}";r=0;t=59`)
      if (rateClass !== 'connect') expect(refused.body).toMatchObject({ code: 'too-many-requests', retryable: true })
      nowMs += 2_000
      expect((await ONE[rateClass](who)).status).not.toBe(429)
    })

    it('[RATE-1] of one principal take nothing from another, nor from other classes', async () => {
      const who = await somebody()
      for (let n = 0; n <= LIMIT; n++) await ONE[rateClass](who)
      expect((await ONE[rateClass](await somebody())).status).not.toBe(429)
      for (const other of RATE_CLASSES) if (other !== rateClass) expect((await ONE[other](who)).status).not.toBe(429)
    })
  })

  it('[RATE-1] are counted by principal, whichever of their tokens they show', async () => {
    const one = await server.as('many-tokens')
    const other = await server.as('many-tokens', { 'a*': ['read'] })
    for (let n = 0; n < LIMIT; n++) await one.get('/documents/none')
    expect((await other.get('/documents/none')).status).toBe(429)
  })

  it('[RATE-1] cost what they take, and what costs more than a bucket holds costs all of it', async () => {
    const who = await somebody()
    await who.post('/documents', { id: 'costly', kind: 'text', content: 'one' })
    expect((await who.get('/documents/costly/blame')).headers.get('ratelimit')).toBe('"read";r=0;t=60')
    const refused = await who.get('/documents/costly/blame')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    nowMs += 60_000
    expect((await who.get('/documents/costly/diff?from=0&to=1')).status).toBe(200)
  })

  it('[RATE-1] [API-4] are refused after 401 and before all else', async () => {
    const who = await somebody({ 'mine*': ['write', 'read'] })
    for (let n = 0; n < LIMIT; n++) await who.put('/documents/none', { content: 'x', baseVersion: 1 })
    const forbidden = await who.put('/documents/a%20bad%20id', 'no json', { 'content-type': 'text/csv' })
    expect(forbidden.status).toBe(429)
    expect((await caller(() => server.url, 'bad').put('/documents/x', {})).status).toBe(401)
  })

  it('[RATE-1] of any outcome carry the headers', async () => {
    const who = await somebody()
    await who.post('/documents', { id: 'headers', kind: 'text', content: 'one' })
    const etag = (await who.get('/documents/headers')).headers.get('etag') ?? ''
    const answers = [
      await who.get('/documents/headers', { 'if-none-match': etag }),
      await who.get('/documents/none'),
      await who.get('/documents/headers?unknown=1'),
      await who.put('/documents/headers', 'x', { 'content-type': 'text/csv' }),
      await who.put('/documents/headers', { content: 'two' }),
      await who.call('GET', '/nothing-here'),
      await who.call('DELETE', '/documents'),
      await who.get('/documents/%zz'),
      await who.get('/conflict-notifications'),
      await who.get('/problems/too-many-requests'),
      await caller(() => server.url, 'bad').get('/documents/headers'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([304, 404, 400, 415, 428, 404, 405, 400, 200, 200, 401])
    for (const { headers } of answers) {
      expect(headers.get('ratelimit-policy')).toMatch(/^"(read|write)";q=20;w=60$/)
      expect(headers.get('ratelimit')).toMatch(/^"(read|write)";r=[0-9]+;t=[0-9]+$/)
    }
  })

  it('[RATE-1] for a stream of events are connections, and the stream carries the headers', async () => {
    const who = await somebody()
    const stream = await fetch(`${server.url}/conflict-notifications`, {
      headers: { ...bearer(who), accept: 'text/event-stream' },
    })
    onTestFinished(() => stream.body?.cancel())
    expect(stream.headers.get('ratelimit')).toBe(`"connect";r=${LIMIT - 1};t=3`)
  })

  it('[RATE-1] for health carry no headers and are never refused', async () => {
    const who = await somebody()
    for (let n = 0; n < LIMIT * 2; n++) {
      const { status, headers } = await who.get('/healthz')
      expect([status, headers.has('ratelimit'), headers.has('ratelimit-policy')]).toEqual([200, false, false])
    }
  })

  it('[RATE-1] that were answered already cost as much when they are repeated', async () => {
    const who = await somebody()
    const create = () => who.post('/documents', { id: 'keyed', kind: 'text' }, { 'idempotency-key': 'k1' })
    expect((await create()).headers.get('ratelimit')).toBe(`"write";r=${LIMIT - 1};t=3`)
    const repeated = await create()
    expect(repeated.status).toBe(201)
    expect(repeated.headers.get('ratelimit')).toBe(`"write";r=${LIMIT - 2};t=6`)
  })
})

describe('[RATE-1] the table of the specification', () => {
  const PLENTY = 1_000
  beforeAll(() => start({ read: PLENTY, write: PLENTY, resolve: PLENTY, token: PLENTY }))
  afterAll(() => server.stop())

  const text = readFileSync(new URL('../../server/SPEC.md', import.meta.url), 'utf8')
  const rows = Array.from(
    text.matchAll(/^ {2}\| `(\w+)` \| ([0-9]+) \| (.*) \|$/gm),
    ([, rateClass, tokens, requests = '']) =>
      Array.from(requests.matchAll(/`([A-Z]+) ([^`]+)`/g), ([, method = '', path = '']) => ({
        rateClass,
        tokens,
        method,
        path,
      })),
  ).flat()

  it.each(rows)(
    '[RATE-1] says what is taken: $tokens of $rateClass for $method $path',
    async ({ rateClass, tokens, method, path }) => {
      const target = path.replace('/notifications/{id}', '/whk_x').replaceAll(/\{\w+\}/g, '1')
      const { headers } = await (await somebody()).call(method, target, method === 'POST' ? {} : undefined)
      expect(headers.get('ratelimit')).toMatch(`"${rateClass}";r=${PLENTY - Number(tokens)};`)
    },
  )

  it('[RATE-1] names the routes that cost more than one token, and no few of them', () => {
    expect(rows.length).toBeGreaterThan(18)
  })
})

describe('[RATE-1] attempts without a token that counts', () => {
  afterEach(() => server.stop())

  /** As many as an address may make. */
  const exhaust = async (headers: Record<string, string> = {}): Promise<void> => {
    for (let n = 0; n < LIMIT / 10; n++) {
      expect((await caller(() => server.url, `bad-${n}`).get('/documents', headers)).status).toBe(401)
    }
  }

  it.each([
    ['with a bad token', () => caller(() => server.url, 'bad').get('/documents')],
    ['with an expired one', async () => caller(() => server.url, await expiredToken()).get('/documents')],
    ['without one', async () => answerOf(await fetch(`${server.url}/documents`))],
    [
      'with a malformed header',
      async () => answerOf(await fetch(`${server.url}/documents`, { headers: { authorization: 'Bearer ()' } })),
    ],
  ])('[RATE-1] %s get 429 once there were too many from their address', async (_how, attempt) => {
    await start({ read: LIMIT })
    const statuses = []
    for (let n = 0; n < 4; n++) statuses.push((await attempt()).status)
    expect(statuses).toEqual([401, 401, 429, 429])
    nowMs += 10 * TOKEN_MS
    expect((await attempt()).status).toBe(401)
  })

  it('[RATE-1] bar no token that is known, and a new one until a failure could be paid for again', async () => {
    await start({ read: LIMIT })
    const known = await somebody()
    await known.get('/documents/none')
    await exhaust()
    expect((await known.get('/documents/none')).status).toBe(404)
    const fresh = await somebody()
    const refused = await fresh.get('/documents/none')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
    nowMs += 30_000
    expect((await fresh.get('/documents/none')).status).toBe(404)
  })

  it('[RATE-1] that succeed cost the address nothing', async () => {
    await start({ read: LIMIT })
    for (let n = 0; n < LIMIT * 3; n++) expect((await (await somebody()).get('/documents/none')).status).toBe(404)
  })

  it('[RATE-1] over a socket count as well', async () => {
    await start({ connect: LIMIT })
    const statuses = []
    for (let n = 0; n < 3; n++) statuses.push((await connect(`/sync/doc?token=bad-${n}`)).status)
    for (let n = 0; n < 2; n++) statuses.push((await connect(`/conflict-notifications?token=bad-${n}`)).status)
    // A stock client of live editing hears why over its socket only.
    expect(statuses).toEqual([101, 101, 429, 429, 429])
    expect((await connect('/conflict-notifications')).status).toBe(429)
  })

  it('[RATE-1] [NOTE-2] count where a socket leaves before it showed a token', async () => {
    await start({ connect: LIMIT })
    for (let n = 0; n < 2; n++) {
      const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/conflict-notifications`)
      await once(socket, 'open')
      socket.close()
      await once(socket, 'close')
    }
    // Who stays without a token pays after 10 s, and so do those that look; by then it must have been found.
    const status = async (): Promise<number> => (await connect('/conflict-notifications')).status
    await expect.poll(status, { timeout: 5_000, interval: 250 }).toBe(429)
  })

  it('[RATE-1] are counted by the address that trusted proxies tell, in IPv6 by /64', async () => {
    await start({ read: LIMIT }, { PARLEY_TRUSTED_PROXIES: '127.0.0.0/8' })
    await exhaust({ 'x-forwarded-for': '2001:db8:1:2::1' })
    const bad = caller(() => server.url, 'bad')
    expect((await bad.get('/documents', { 'x-forwarded-for': '2001:db8:1:2:ffff::9' })).status).toBe(429)
    expect((await bad.get('/documents', { 'x-forwarded-for': '8.8.8.8, 2001:db8:1:2::5' })).status).toBe(429)
    expect((await bad.get('/documents', { 'x-forwarded-for': '2001:db8:1:3::1' })).status).toBe(401)
    expect((await bad.get('/documents')).status).toBe(401)
  })

  it.each(['8.8.8.8', 'unknown', ',,,', '\u{e9}', '127.0.0.1', '1.1.1.1, 2.2.2.2'])(
    '[RATE-1] are counted by the connection where no proxy is trusted, whatever X-Forwarded-For says: %s',
    async (spoofed) => {
      await start({ read: LIMIT })
      await exhaust()
      const { status } = await caller(() => server.url, 'bad').get('/documents', { 'x-forwarded-for': spoofed })
      expect(status).toBe(429)
    },
  )
})

describe('[RATE-1] sockets and streams that are open', () => {
  afterEach(() => server.stop())
  const stream = async ({ token }: Caller): Promise<Response> =>
    fetch(`${server.url}/conflict-notifications`, {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    })
  const open = (path: string): WebSocket => {
    const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}${path}`)
    onTestFinished(() => socket.terminate())
    return socket
  }

  it('[RATE-1] of one principal are bounded together, and one that ends makes room', async () => {
    await start({ connect: LIMIT }, { PARLEY_MAX_CONNECTIONS: '3' })
    const [who, other] = [await somebody(), await somebody()]
    const live = open(`/sync/doc?token=${who.token}`)
    const hub = open(`/conflict-notifications?token=${who.token}`)
    await Promise.all([once(live, 'open'), once(hub, 'open')])
    const events = await stream(who)
    expect(events.status).toBe(200)
    const left = events.headers.get('ratelimit')
    const refused = [
      await connect('/sync/doc', bearer(who)),
      await connect('/conflict-notifications', bearer(who)),
      answerOf(await stream(who)),
    ]
    for (const { status, headers } of refused) {
      expect([status, headers.get('ratelimit')]).toEqual([429, left])
      expect(headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
    }
    expect((await connect('/sync/doc', bearer(other))).status).toBe(101)
    expect((await who.get('/documents')).status).toBe(200)
    live.terminate()
    await eventually(async () => expect((await connect('/conflict-notifications', bearer(who))).status).toBe(101))
    await events.body?.cancel()
    await eventually(async () => expect((await stream(who)).status).toBe(200))
  })

  it('[RATE-1] [NOTE-2] count where the token comes over the socket, once however often it is shown', async () => {
    await start({}, { PARLEY_MAX_CONNECTIONS: '1' })
    const who = await somebody()
    const authenticate = JSON.stringify({ type: 'authenticate', token: who.token })
    const first = open('/conflict-notifications')
    await once(first, 'open')
    for (let n = 0; n < 3; n++) {
      first.send(authenticate)
      const [answer] = (await once(first, 'message')) as [Buffer]
      expect(JSON.parse(answer.toString())).toMatchObject({ type: 'welcome' })
    }
    const second = open('/conflict-notifications')
    await once(second, 'open')
    second.send(authenticate)
    expect((await once(second, 'close'))[0]).toBe(4529)
    expect(first.readyState).toBe(WebSocket.OPEN)
  })
})

describe('[RATE-1] a class with the limit 0', () => {
  afterEach(() => server.stop())

  it('[RATE-1] has none, and no headers', async () => {
    await start({ read: 0, write: LIMIT })
    const who = await somebody()
    for (let n = 0; n < 100; n++) {
      const { status, headers } = await who.get('/documents/none')
      expect([status, headers.has('ratelimit'), headers.has('ratelimit-policy')]).toEqual([404, false, false])
    }
  })
})

async function expiredToken(): Promise<string> {
  const token = await server.token('late')
  const [, claims = ''] = token.split('.')
  return token.replace(claims, Buffer.from(JSON.stringify({ sub: 'late', exp: 1, access: {} })).toString('base64url'))
}

const answerOf = (response: Response): Answer => ({ status: response.status, headers: response.headers, body: null })
