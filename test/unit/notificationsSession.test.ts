import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { Feed } from '../../server/notifications/feed.ts'
import { DEFAULT_HUB_LIMITS, NotificationHub } from '../../server/notifications/hub.ts'
import { parseStrictJson } from '../../server/http/strictJson.ts'
import { problemDocument } from '../../server/http/problem.ts'
import { anEvent, FakeFeedStorage } from '../support/fakeFeed.ts'
import type { SocketStream } from '../../server/sockets/peer.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

/** What of a `ws` socket and of its stream a session uses; the test says how much the network takes. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1
  readonly CLOSED = 3
  readonly isPaused = false
  readonly bytesRead = 0
  readonly bytesWritten = 0
  readyState = 1
  bufferedAmount = 0
  readonly sent: Buffer[] = []
  readonly closes: { readonly code: number; readonly reason: string }[] = []
  readonly #callbacks: (() => void)[] = []

  write(frame: Buffer, callback?: () => void): void {
    this.sent.push(frame)
    this.bufferedAmount += frame.length
    if (callback) this.#callbacks.push(callback)
  }

  /** The network takes everything. */
  take(): void {
    this.bufferedAmount = 0
    for (const callback of this.#callbacks.splice(0)) callback()
  }

  close(code: number, reason: string): void {
    this.readyState = 2
    this.closes.push({ code, reason })
  }

  terminate(): void {
    this.readyState = 3
    this.emit('close')
  }

  resume(): void {
    // It is never paused.
  }

  ping(): void {
    // The bytes of a ping are of no interest.
  }

  get types(): unknown[] {
    return this.sent.map((frame) => (JSON.parse(String(frame.subarray(frame.indexOf('{')))) as { type: unknown }).type)
  }
}

function handOver(socket: FakeSocket, query: string): void {
  const url = new URL(`http://localhost/conflict-notifications${query}`)
  hub.accept(socket as unknown as WebSocket, { stream: socket as unknown as SocketStream, url, token: null, principal })
}

let environment: ManualEnvironment
let storage: FakeFeedStorage
let feed: Feed
let hub: NotificationHub

beforeEach(async () => {
  environment = new ManualEnvironment()
  storage = new FakeFeedStorage(() => environment.now())
  feed = await Feed.open({ storage, environment, source: () => '/' })
  hub = new NotificationHub({
    feed,
    environment,
    authenticate: () => Promise.reject(new Error('No token is sent here.')),
    isValid: () => true,
    parseJson: parseStrictJson,
    problemOf: (error) => problemDocument(error, 'https://parley.test'),
    onUnexpected: (error) => {
      throw error
    },
    onFlood: () => undefined,
    limits: { bufferBytes: 10_000, framesAtOnce: 1e9 },
  })
})

const principal = {
  sub: toPrincipalId('alice'),
  name: null,
  grants: [{ pattern: { prefix: '' }, permissions: new Set(['read'] as const) }],
  issuedAt: 0,
  expiresAt: 9_999_999_999,
  tokenId: null,
}

/** A socket that has subscribed to everything. */
function accept(query = '?documents=*'): FakeSocket {
  const socket = new FakeSocket()
  handOver(socket, query)
  return socket
}

const commit = (bytes: number): void => void storage.commit([anEvent('a', 'x'.repeat(bytes))])

describe('the buffer of a session', () => {
  it('[NOTE-6] never holds more than its bound, whoever fills it', async () => {
    const byEvents = accept()
    for (let n = 0; n < 30; n++) commit(500)
    await environment.advance(0)
    const byAnswers = accept('')
    for (let n = 0; n < 100; n++) byAnswers.emit('message', Buffer.from('{'), false)
    await environment.advance(0)
    for (const socket of [byEvents, byAnswers]) {
      expect(socket.closes).toEqual([{ code: 1013, reason: 'too-slow' }])
      expect(socket.bufferedAmount).toBeLessThanOrEqual(10_000)
      expect(socket.bufferedAmount).toBeGreaterThan(9_000)
    }
    const { length } = byEvents.sent
    commit(1)
    await environment.advance(0)
    expect(byEvents.sent).toHaveLength(length)
    expect(feed.size).toBe(0)
    // Neither peer answers the close.
    await environment.advance(DEFAULT_HUB_LIMITS.closeGraceMs)
    expect(hub.size).toBe(0)
  })

  it('[NOTE-6] live events find room beside what was missed, which waits', async () => {
    for (let n = 0; n < 100; n++) commit(500)
    await environment.advance(0)
    const socket = accept(`?documents=*&since=${storage.epoch}.00000000000.0000000`)
    await environment.advance(0)
    expect(socket.types.filter((type) => type === 'event').length).toBeGreaterThan(0)
    expect(socket.bufferedAmount).toBeLessThan(4_000)
    for (let n = 0; n < 100 && socket.bufferedAmount > 0; n++) {
      socket.take()
      await environment.advance(0)
    }
    expect(socket.types.filter((type) => type === 'event')).toHaveLength(100)
    commit(500)
    await environment.advance(0)
    expect(socket.types.filter((type) => type === 'event')).toHaveLength(101)
    expect(socket.closes).toEqual([])
  })

  it('one frame is made for all sockets whose subscriptions have the same ids', async () => {
    const sockets = Array.from({ length: 300 }, () => accept())
    commit(500)
    await environment.advance(0)
    const frames = new Set(sockets.map((socket) => socket.sent.at(-1)))
    expect(frames.size).toBe(1)
    expect(sockets.every((socket) => socket.types.at(-1) === 'event')).toBe(true)
  })
})

it('a socket that closed before it was taken over is not waited for', async () => {
  const socket = new FakeSocket()
  socket.readyState = 3
  handOver(socket, '')
  expect(hub.size).toBe(0)
  await hub.close()
})
