import { afterEach, describe, expect, it } from 'vitest'
import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'
import { formatCursor } from '../../server/notifications/envelope.ts'
import { CHANGED, type NewEvent } from '../../server/model/event.ts'
import { DEFAULT_HUB_LIMITS, type HubLimits } from '../../server/notifications/hub.ts'
import { deferred } from '../support/deferred.ts'
import { aHead, FakeFeedStorage, id } from '../support/fakeFeed.ts'
import { startHub, tokenOf, type HubClient, type HubServer } from '../support/hubServer.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { waitUntil } from '../support/waitFor.ts'

let server: HubServer
let storage: FakeFeedStorage
let committed: number

afterEach(async () => {
  await server.stop()
  expect(server.unexpected).toEqual([])
})

async function start(environment: Environment = systemEnvironment, limits: Partial<HubLimits> = {}): Promise<void> {
  storage = new FakeFeedStorage(() => environment.now())
  server = await startHub(storage, environment, limits)
  committed = 0
}

async function startManual(limits: Partial<HubLimits> = {}): Promise<ManualEnvironment> {
  const environment = new ManualEnvironment()
  await start(environment, limits)
  return environment
}

/** Commits one event of each document; its data counts up. */
function commit(...documents: string[]): void {
  storage.commit(documents.map((document) => event(document)))
}

const event = (document: string, filler = ''): NewEvent => ({
  type: 'parley.conflict.detected',
  document: id(document),
  data: { n: ++committed, filler },
})

const cursorAt = (sequence: number, epoch = storage.epoch): string =>
  formatCursor(epoch, { ...storage.pointAt(sequence), told: null, change: null })

/** An authenticated client. */
async function client(patterns = '*', more = ''): Promise<HubClient> {
  const connected = await server.connect(`?token=${encodeURIComponent(tokenOf('alice', patterns))}${more}`)
  await connected.next('welcome')
  return connected
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

describe('authentication', () => {
  it('[NOTE-2] a token by query or by frame is answered by welcome, each time', async () => {
    await start()
    const byQuery = await client()
    expect(byQuery.socket.protocol).toBe('conflict-notifications.v1')
    expect(byQuery.frames).toEqual([{ type: 'welcome' }])
    const byFrame = await server.connect()
    for (let n = 0; n < 3; n++) {
      byFrame.send({ type: 'authenticate', token: tokenOf('bob') })
      await byFrame.next('welcome')
    }
    expect(byFrame.frames).toHaveLength(3)
  })

  it('[NOTE-2] a bad or expired token closes with 4401 after an error that says so', async () => {
    await start()
    const bad = await server.connect()
    bad.send({ type: 'authenticate', token: 'nonsense' })
    const atOnce = await server.connect('?token=nonsense')
    const expired = await server.connect()
    expired.send({ type: 'authenticate', token: tokenOf('alice', '*', 1_000) })
    const replaced = await client()
    replaced.send({ type: 'authenticate', token: 'nonsense' })
    for (const one of [bad, atOnce, expired, replaced]) {
      expect(await one.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
      expect(one.frames.at(-1)).toMatchObject({
        type: 'error',
        problem: {
          type: 'https://parley.test/problems/unauthenticated',
          title: 'Authentication is required',
          status: 401,
          detail: expect.any(String),
          instance: '/conflict-notifications',
          code: 'unauthenticated',
          retryable: false,
        },
      })
    }
    await waitUntil(() => server.hub.size === 0)
  })

  it('[NOTE-2] no token within 10 s closes with 4401; a token in time does not', async () => {
    const environment = await startManual()
    const silent = await server.connect()
    const late = await server.connect()
    await environment.advance(9_000)
    expect(silent.closed).toBeNull()
    late.send({ type: 'authenticate', token: tokenOf('bob') })
    await late.next('welcome')
    await environment.advance(1_000)
    expect(await silent.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    await late.roundTrip()
    expect(late.closed).toBeNull()
  })

  it('[NOTE-2] before a token, a subscription is refused and nothing is told, but the socket stays', async () => {
    await start()
    const waiting = await server.connect('?documents=*')
    waiting.send({ type: 'subscribe', id: 'x', documents: ['*'] })
    expect(await waiting.next('error')).toMatchObject({ id: 'x', problem: { code: 'unauthenticated', status: 401 } })
    commit('a')
    await waiting.roundTrip()
    expect(waiting.frames.map((frame) => frame.type)).toEqual(['error', 'pong'])
    waiting.send({ type: 'authenticate', token: tokenOf('bob') })
    await waiting.next('subscribed')
    commit('a')
    await waiting.next('event')
    expect(waiting.numbers).toEqual([2])
  })

  it('[NOTE-2] an error names the frame that it answers, whatever id that has', async () => {
    await start()
    const one = await server.connect()
    one.send({ type: 'authenticate', token: tokenOf('bob') })
    await one.next('welcome')
    for (const id of ['a', 'a', 7, null, '', 'x'.repeat(65), { id: 'a' }]) one.send({ type: 'subscribe', id })
    one.send({ type: 'subscribe' })
    one.send({ type: 'subscribe', id: 'b', documents: ['no pattern!'] })
    await one.roundTrip()
    const errors = one.frames.filter(({ type }) => type === 'error')
    expect(errors.map(({ frame, id }) => [frame, id])).toEqual([
      [3, 'a'],
      [4, undefined],
      [5, undefined],
      [6, undefined],
      [7, undefined],
      [8, undefined],
      [9, undefined],
      [10, 'b'],
    ])
  })

  it('[NOTE-2] frames that follow a token wait until it is verified', async () => {
    await start()
    const eager = await server.connect()
    let release = (): void => undefined
    server.holdTokens(new Promise((resolve) => (release = resolve)))
    eager.send({ type: 'authenticate', token: tokenOf('bob') })
    eager.send({ type: 'subscribe', id: '1' })
    eager.send({ type: 'ping' })
    const other = await server.connect()
    await other.roundTrip()
    expect(eager.frames).toEqual([])
    release()
    await eager.next('pong')
    expect(eager.frames.map((frame) => frame.type)).toEqual(['welcome', 'subscribed', 'pong'])
  })

  it('[NOTE-2] a token that expires closes with 4401, to the second, and nothing is told after it', async () => {
    const environment = new ManualEnvironment()
    const until = environment.now() / 1_000 + 60
    // So that the hub looks at deadlines half a second after the token expires.
    environment.jump(500)
    await start(environment)
    const short = await server.connect(`?token=${encodeURIComponent(tokenOf('alice', '*', until))}`)
    const long = await client()
    await short.subscribe('1')
    await environment.advance(59_000)
    commit('a')
    await environment.advance(0)
    await short.roundTrip()
    expect(short.numbers).toEqual([1])
    // The clock passes the expiry before any timer runs.
    environment.jump(500)
    storage.commit([event('a')])
    await environment.advance(0)
    expect(await short.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(short.numbers).toEqual([1])
    await long.roundTrip()
    expect(long.closed).toBeNull()
  })

  it('[NOTE-2] an idle session whose token expires is closed too; a newer token keeps it open', async () => {
    const environment = await startManual()
    const until = environment.now() / 1_000 + 5
    const idle = await server.connect(`?token=${encodeURIComponent(tokenOf('alice', '*', until))}`)
    const renewed = await server.connect(`?token=${encodeURIComponent(tokenOf('bob', '*', until))}`)
    await renewed.next('welcome')
    renewed.send({ type: 'authenticate', token: tokenOf('bob', '*', until + 3_600) })
    await renewed.next('welcome')
    await environment.advance(6_000)
    expect(await idle.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    await renewed.roundTrip()
    expect(renewed.closed).toBeNull()
  })

  it('[NOTE-7] a revoked principal is closed with 4401, others stay', async () => {
    await start()
    const alice = await client()
    const bob = await server.connect(`?token=${encodeURIComponent(tokenOf('bob'))}`)
    await bob.next('welcome')
    const waiting = await server.connect()
    server.revoke('alice')
    expect(await alice.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(alice.frames.at(-1).problem.detail).toContain('revoked')
    await waiting.roundTrip()
    await bob.roundTrip()
    expect(bob.closed).toBeNull()
  })

  it('[NOTE-7] a token revoked while it was verified opens nothing', async () => {
    await start()
    const { promise, resolve } = deferred()
    server.holdTokens(promise)
    const alice = await server.connect(`?token=${encodeURIComponent(tokenOf('alice'))}&documents=a`)
    server.revoke('alice')
    resolve()
    expect(await alice.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(alice.frames.map((frame) => frame.type)).toEqual(['error'])
  })
})

describe('subscribing', () => {
  it('[NOTE-2] subscribed tells the cursor, and event the subscriptions and a CloudEvent', async () => {
    await start()
    const one = await client()
    const { cursor } = await one.subscribe('mine', { documents: ['a'] })
    expect(cursor).toEqual(expect.any(String))
    commit('a')
    const frame = await one.next('event')
    expect(frame).toEqual({
      type: 'event',
      subscriptions: ['mine'],
      event: {
        specversion: '1.0',
        id: cursorAt(1),
        source: 'https://parley.test',
        type: 'parley.conflict.detected',
        subject: 'documents/a',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        datacontenttype: 'application/json',
        data: { n: 1, filler: '' },
      },
    })
  })

  it('[NOTE-2] several matching subscriptions of one socket share one frame that lists them', async () => {
    await start()
    const one = await client()
    await one.subscribe('exact "quoted"', { documents: ['a'] })
    await one.subscribe('prefix', { documents: ['a*'] })
    await one.subscribe('other', { documents: ['b'] })
    await one.subscribe('all', {})
    const two = await client()
    await two.subscribe('all', {})
    commit('a', 'b')
    await one.until(() => one.events.length === 2)
    await two.until(() => two.events.length === 2)
    expect(one.events.map((frame) => frame.subscriptions.toSorted())).toEqual([
      ['all', 'exact "quoted"', 'prefix'],
      ['all', 'other'],
    ])
    expect(two.events.map((frame) => frame.subscriptions)).toEqual([['all'], ['all']])
  })

  it('[NOTE-2] the query subscribes at once, without a frame', async () => {
    await start()
    commit('a', 'b', 'b1', 'c')
    await waitUntil(() => server.feed.settled().place.sequence === 4)
    const some = await client('*', '&documents=a,b*')
    const all = await client('*', `&since=${encodeURIComponent(cursorAt(2))}`)
    const typed = await client('*', '&events=parley.conflict.resolved')
    const bare = await client()
    await Promise.all([some, all, typed].map((one) => one.next('subscribed')))
    await bare.roundTrip()
    commit('a', 'c')
    await some.until(() => some.events.length === 1)
    await all.until(() => all.events.length === 4)
    await typed.roundTrip()
    await bare.roundTrip()
    expect(some.events.map((frame) => frame.subscriptions)).toEqual([['query']])
    expect(some.numbers).toEqual([5])
    expect(all.numbers).toEqual([3, 4, 5, 6])
    expect(typed.events).toEqual([])
    expect(bare.frames.map((frame) => frame.type)).toEqual(['welcome', 'pong', 'pong'])
  })

  it('[NOTE-2] a query that asks for nonsense is refused with an error and a close', async () => {
    await start()
    for (const [query, code] of [
      ['documents=a b', 'invalid-request'],
      ['documents=', 'invalid-request'],
      ['events=nonsense', 'invalid-request'],
      ['document=a', 'invalid-request'],
      ['since=nonsense', 'invalid-cursor'],
    ] as const) {
      const one = await server.connect(`?token=${encodeURIComponent(tokenOf('alice'))}&${query}`)
      expect(await one.ended(), query).toEqual({ code: 4400, reason: code })
      expect(one.frames).toMatchObject([{ type: 'error', problem: { code, status: 400 } }])
    }
  })

  it('[NOTE-2] unsubscribe ends it at once; its id is free again', async () => {
    await start()
    const one = await client()
    await one.subscribe('1')
    commit('a')
    await one.next('event')
    one.send({ type: 'unsubscribe', id: '1' })
    await one.roundTrip()
    commit('a')
    await one.subscribe('1')
    commit('a')
    await one.next('event')
    await one.roundTrip()
    expect(one.numbers).toEqual([1, 3])
    expect(one.frames.filter((frame) => frame.type === 'error')).toEqual([])
  })

  it('[NOTE-2] since brings what was missed, in order, before what happens', async () => {
    await start()
    for (let n = 0; n < 300; n++) commit(`doc${n % 7}`)
    const one = await client()
    await one.subscribe('1', { since: cursorAt(17) })
    for (let n = 0; n < 50; n++) commit(`doc${n % 7}`)
    await one.until(() => one.events.length === 333)
    expect(one.numbers).toEqual(range(18, 350))
  })

  it('[NOTE-2] a cursor of another epoch or too old is answered by resync, and the subscription goes on', async () => {
    await start()
    for (let n = 0; n < 10; n++) commit('a')
    storage.prune(5)
    const one = await client()
    await one.subscribe('old', { since: cursorAt(4) })
    await one.subscribe('foreign', { since: cursorAt(9, 'otherepoch') })
    await one.until(() => one.frames.filter((frame) => frame.type === 'resync').length === 2)
    const resyncs = one.frames.filter((frame) => frame.type === 'resync')
    expect(resyncs.map((frame) => frame.id).toSorted()).toEqual(['foreign', 'old'])
    commit('a')
    await one.next('event')
    expect(one.numbers).toEqual([11])
    const again = await client('*', `&since=${encodeURIComponent(resyncs[0].cursor)}`)
    await again.next('event')
    expect(again.numbers).toEqual([11])
    expect(again.frames.some((frame) => frame.type === 'resync')).toBe(false)
  })

  it('[NOTE-2] changes are told to those who ask for them, and their id is a cursor', async () => {
    await start()
    const asks = await client('*', `&events=${CHANGED}`)
    const others = await client('*', '&documents=*')
    await asks.next('subscribed')
    await others.next('subscribed')
    storage.commit([], [aHead('a', 2, systemEnvironment.now())])
    const frame = await asks.next('event')
    expect(frame.event).toMatchObject({ type: CHANGED, subject: 'documents/a', data: { document: 'a', version: 2 } })
    const resumed = await client('*', `&events=${CHANGED}&since=${encodeURIComponent(frame.event.id)}`)
    storage.commit([], [aHead('b', 5, systemEnvironment.now())])
    expect((await resumed.next('event')).event).toMatchObject({ subject: 'documents/b', data: { version: 5 } })
    await others.roundTrip()
    expect(others.events).toEqual([])
  })
})

describe('rights', () => {
  it('[NOTE-2] a pattern over unreadable documents is accepted and silent', async () => {
    await start()
    const one = await client('team:*')
    await one.subscribe('unreadable', { documents: ['secret', 'other:*'] })
    await one.subscribe('mixed', { documents: ['*'] })
    commit('secret', 'other:x', 'team:a')
    await one.next('event')
    await one.roundTrip()
    expect(one.events.map((frame) => frame.subscriptions)).toEqual([['mixed']])
    expect(one.numbers).toEqual([3])
    const before = await client('team:*', `&since=${encodeURIComponent(cursorAt(0))}`)
    await before.next('event')
    await before.roundTrip()
    expect(before.numbers).toEqual([3])
  })

  it('[NOTE-7] a newer token replaces the rights at once, both ways, for standing subscriptions', async () => {
    await start()
    const one = await client('a')
    await one.subscribe('1', { documents: ['*'] })
    commit('a', 'b')
    await one.next('event')
    one.send({ type: 'authenticate', token: tokenOf('alice', 'b') })
    await one.next('welcome')
    commit('a', 'b')
    await one.until(() => one.events.length === 2)
    await one.roundTrip()
    expect(one.numbers).toEqual([1, 4])
  })
})

describe('frames that are wrong', () => {
  it('[NOTE-2] each is answered by an error with a problem document, and harms nothing else', async () => {
    await start()
    const one = await client()
    await one.subscribe('taken')
    const wrong: [frame: unknown, code: string, id?: string][] = [
      ['', 'invalid-json'],
      ['{', 'invalid-json'],
      ['{"type":"ping","type":"ping"}', 'invalid-json'],
      ['{"type":"ping","__proto__":{}}', 'invalid-json'],
      [String.raw`{"type":"subscribe","id":"\ud800"}`, 'invalid-json'],
      ['[]', 'invalid-request'],
      ['null', 'invalid-request'],
      ['"ping"', 'invalid-request'],
      [{}, 'invalid-request'],
      [{ type: 'welcome' }, 'invalid-request'],
      [{ type: 'toString' }, 'invalid-request'],
      [{ type: 'ping', extra: true }, 'invalid-request'],
      [{ type: 'subscribe' }, 'invalid-request'],
      [{ type: 'subscribe', id: 'taken' }, 'invalid-request', 'taken'],
      [{ type: 'subscribe', id: 'x', documents: ['a b'] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', documents: 'a' }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', documents: [] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', events: ['parley.nonsense'] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', events: ['changed'] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', since: 'nonsense' }, 'invalid-cursor', 'x'],
      [{ type: 'subscribe', id: 'x', filter: 1 }, 'invalid-request', 'x'],
      [{ type: 'unsubscribe', id: 'never' }, 'invalid-request', 'never'],
      [{ type: 'authenticate' }, 'invalid-request'],
    ]
    for (const [frame, code, subscription] of wrong) {
      one.send(frame)
      const answer = await one.next('error')
      const { status } = answer.problem
      expect({ code: answer.problem.code, id: answer.id, status }, JSON.stringify(frame)).toEqual({
        code,
        id: subscription,
        status: 400,
      })
    }
    commit('a')
    await one.next('event')
    expect(one.closed).toBeNull()
  })

  it('[NOTE-2] a socket holds so many subscriptions and no more', async () => {
    await start(systemEnvironment, { subscriptions: 3 })
    const one = await client('*', '&documents=a')
    await one.subscribe('1')
    await one.subscribe('2')
    one.send({ type: 'subscribe', id: '3' })
    expect(await one.next('error')).toMatchObject({ id: '3', problem: { code: 'invalid-request' } })
    one.send({ type: 'unsubscribe', id: 'query' })
    await one.subscribe('3')
  })

  it('binary, oversized and too many frames end the socket with an error, and no other one', async () => {
    await start(systemEnvironment, { framesAtOnce: 20, framesPerSecond: 0.001 })
    const bystander = await client()
    const binary = await client()
    binary.socket.send(Buffer.from('{"type":"ping"}'), { binary: true })
    expect(await binary.ended()).toEqual({ code: 4400, reason: 'invalid-request' })
    expect(binary.frames.at(-1)).toMatchObject({ type: 'error', problem: { code: 'invalid-request' } })

    const oversized = await client()
    oversized.send({ type: 'subscribe', id: 'x'.repeat(DEFAULT_HUB_LIMITS.frameBytes) })
    expect(await oversized.ended()).toEqual({ code: 1009, reason: 'message-too-large' })
    expect(oversized.frames.at(-1)).toMatchObject({ type: 'error', problem: { code: 'message-too-large' } })

    const huge = await client()
    huge.send('x'.repeat(1024 * 1024))
    expect((await huge.ended()).code).toBe(1009)

    const flood = await client()
    for (let n = 0; n < 100; n++) flood.send({ type: 'ping' })
    expect(await flood.ended()).toEqual({ code: 4529, reason: 'too-many-requests' })
    // The token took one turn of twenty.
    expect(flood.frames.filter((frame) => frame.type === 'pong').length).toBeLessThanOrEqual(19)
    expect(flood.frames.at(-1)).toMatchObject({ type: 'error', problem: { code: 'too-many-requests', status: 429 } })

    await bystander.roundTrip()
    expect(bystander.closed).toBeNull()
  })

  it('frames that pile up behind a token end the socket, before they take much memory', async () => {
    await start(systemEnvironment, { frameBytes: 1_000 })
    const one = await server.connect()
    server.holdTokens(new Promise(() => undefined))
    one.send({ type: 'authenticate', token: tokenOf('bob') })
    for (let n = 0; n < 10; n++) one.send({ type: 'authenticate', token: 'x'.repeat(900) })
    expect(await one.ended()).toEqual({ code: 4529, reason: 'too-many-requests' })
  })

  it('sockets without a token are bounded, those with one are not held up by them', async () => {
    await start(systemEnvironment, { waitingSessions: 2 })
    const waiting = [await server.connect(), await server.connect()]
    const refused = await server.connect()
    expect(await refused.ended()).toEqual({ code: 1013, reason: 'overloaded' })
    for (const one of waiting) {
      one.send({ type: 'authenticate', token: tokenOf('bob') })
      await one.next('welcome')
    }
    const next = await server.connect()
    await next.roundTrip()
    expect(next.closed).toBeNull()
  })
})

describe('readers that do not keep up', () => {
  const BIG = 'x'.repeat(8_000)

  it('[NOTE-6] a slow reader is closed with 1013, resumes without loss, and slows no one', async () => {
    await start(systemEnvironment, { bufferBytes: 256 * 1024, closeGraceMs: 60_000 })
    const fast = await client('*', '&documents=a')
    const slow = await client('*', '&documents=a')
    await fast.next('subscribed')
    await slow.next('subscribed')
    slow.socket.pause()
    // Nearly 20 MB: more than the network takes on loopback.
    const COUNT = 300
    for (let n = 1; n <= COUNT; n++) {
      storage.commit([event('a', BIG.repeat(8))])
      // The fast one reads each batch before the next is written: only one who does not read falls behind.
      if (n % 3 === 0) await fast.until(() => fast.events.length === n)
    }
    expect(fast.numbers).toEqual(range(1, COUNT))
    slow.socket.resume()
    expect(await slow.ended()).toEqual({ code: 1013, reason: 'too-slow' })
    expect(slow.events.length).toBeLessThan(COUNT)
    const numbers = slow.numbers
    const last = slow.events.at(-1).event.id
    const resumed = await client('*', `&documents=a&since=${encodeURIComponent(last)}`)
    await resumed.until(() => resumed.events.length === COUNT - numbers.length)
    expect([...numbers, ...resumed.numbers]).toEqual(range(1, COUNT))
  })

  it('[NOTE-6] a reader that catches up slowly is waited for, however much it missed', async () => {
    await start(systemEnvironment, { bufferBytes: 64 * 1024 })
    for (let n = 0; n < 2_000; n++) storage.commit([event('a', BIG)])
    const one = await client()
    const reads = storage.reads
    one.send({ type: 'subscribe', id: '1', since: cursorAt(0) })
    await one.next('subscribed')
    one.socket.pause()
    const other = await client()
    await other.subscribe('1', { since: cursorAt(1_900) })
    await other.until(() => other.events.length === 100)
    expect(storage.reads - reads).toBeLessThan(20)
    one.socket.resume()
    await one.until(() => one.events.length === 2_000)
    expect(one.numbers).toEqual(range(1, 2_000))
  })

  it('[NOTE-6] 500 sockets on one document all get every event in order', async () => {
    await start()
    const clients = await Promise.all(range(1, 500).map((n) => client('*', `&documents=${n % 2 ? 'shared' : 'sh*'}`)))
    await Promise.all(clients.map((one) => one.next('subscribed')))
    for (let n = 0; n < 10; n++) commit('shared', 'other')
    await Promise.all(clients.map((one) => one.until(() => one.events.length === 10)))
    const wanted = range(0, 9).map((n) => 2 * n + 1)
    for (const one of clients) expect(one.numbers).toEqual(wanted)
  })
})

describe('liveness', () => {
  it('a client that answers no pings is cut off, one that does stays', async () => {
    const environment = await startManual()
    const alive = await client()
    const dead = await client()
    let pings = 0
    alive.socket.on('ping', () => pings++)
    dead.socket.pause()
    for (let seconds = 0; seconds < 46; seconds++) {
      await environment.advance(1_000)
      await alive.roundTrip()
    }
    await waitUntil(() => server.hub.size === 1)
    dead.socket.resume()
    expect((await dead.ended()).code).toBe(1006)
    expect(pings).toBe(3)
    expect(alive.closed).toBeNull()
  })

  it('[NOTE-2] bookmarks move the cursor of an idle subscriber on, and only when it moves', async () => {
    const environment = await startManual()
    const one = await client()
    await one.subscribe('1', { documents: ['mine'] })
    const bare = await client()
    for (let n = 0; n < 20; n++) commit('others')
    await environment.advance(15_000)
    const bookmark = await one.next('bookmark')
    await environment.advance(60_000)
    await one.roundTrip()
    await bare.roundTrip()
    expect(one.frames.filter((frame) => frame.type === 'bookmark')).toHaveLength(1)
    expect(bare.frames.filter((frame) => frame.type === 'bookmark')).toEqual([])
    // What it stands for is forgotten later, and it still resumes.
    storage.prune(20)
    commit('mine')
    const resumed = await client()
    await resumed.subscribe('1', { since: bookmark.cursor })
    await environment.advance(0)
    await resumed.next('event')
    expect(resumed.numbers).toEqual([21])
    expect(resumed.frames.some((frame) => frame.type === 'resync')).toBe(false)
  })

  it('no bookmark is sent while a subscription still catches up', async () => {
    const environment = await startManual({ bufferBytes: 64 * 1024 })
    for (let n = 0; n < 5; n++) commit('a')
    await environment.advance(0)
    let open = (): void => undefined
    storage.gate = new Promise((resolve) => (open = resolve))
    const one = await client()
    await one.subscribe('live')
    await one.subscribe('behind', { since: cursorAt(0) })
    await environment.advance(20_000)
    await one.roundTrip()
    expect(one.frames.filter((frame) => frame.type === 'bookmark')).toEqual([])
    open()
    await one.until(() => one.events.length === 5)
  })
})

describe('the end', () => {
  it('[OPS-2] closing ends every socket with 1012, also one that never answers, and refuses new ones', async () => {
    const environment = await startManual()
    const one = await client('*', '&documents=*')
    const mute = await client()
    mute.socket.pause()
    let gone = false
    const closing = server.hub.close().then(() => (gone = true))
    expect(await one.ended()).toEqual({ code: 1012, reason: 'shutting-down' })
    expect(gone).toBe(false)
    await environment.advance(DEFAULT_HUB_LIMITS.closeGraceMs)
    await closing
    expect(server.hub.size).toBe(0)
    const late = await server.connect()
    expect(await late.ended()).toEqual({ code: 1012, reason: 'shutting-down' })
  })

  it('a client that leaves, politely or not, leaves nothing behind', async () => {
    const environment = await startManual()
    const polite = await client('*', '&documents=*')
    const rude = await client('*', '&documents=*')
    const failed = await client('*', '&documents=*')
    await Promise.all([polite, rude, failed].map((one) => one.next('subscribed')))
    expect(server.feed.size).toBe(3)
    polite.socket.close()
    rude.socket.terminate()
    failed.send({ type: 'authenticate', token: 'nonsense' })
    await waitUntil(() => server.hub.size === 0)
    expect(server.feed.size).toBe(0)
    // The hub's own tick, and none that waits to cut a socket off.
    expect(environment.pending).toBe(1)
    commit('a')
    await environment.advance(5_000)
    expect(environment.pending).toBe(1)
  })

  it('an error nobody expected is reported, and ends only the session it happened in', async () => {
    await start()
    commit('a')
    await waitUntil(() => server.feed.settled().place.sequence === 1)
    const other = await client()
    const one = await client()
    storage.failure = new RangeError('a bug')
    one.send({ type: 'subscribe', id: '1', since: cursorAt(0) })
    expect(await one.ended()).toEqual({ code: 1011, reason: 'internal' })
    expect(JSON.stringify(one.frames)).not.toContain('a bug')
    expect(server.unexpected.splice(0)).toEqual([storage.failure])
    await other.roundTrip()
  })
})
