import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import type { WebSocket } from 'ws'
import type { Principal } from '../../server/access/access.ts'
import { parseAccess } from '../../server/access/access.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { bucketOfMinute } from '../../server/limits/budget.ts'
import { DEFAULT_SYNC_LIMITS } from '../../server/sync/limits.ts'
import { Rooms, type EmptyDocuments, type LiveReplicas } from '../../server/sync/rooms.ts'
import type { SocketStream } from '../../server/sockets/peer.ts'
import { readSyncRequest, syncEndpoint, YWebsocketEndpoint } from '../../server/api/yWebsocket.ts'
import { deferred } from '../support/deferred.ts'
import { FakeReplica } from '../support/fakeReplica.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { frames, readFrame } from '../support/rawClient.ts'

const DAY_MS = 24 * 3600 * 1000

/** A WebSocket whose peer answers a close at once, unless it is deaf. */
class FakeSocket extends EventEmitter {
  readonly sent: Uint8Array[] = []
  closed: { code: number; reason: string } | null = null
  isTerminated = false
  isPaused = false
  isDeaf = false
  pings = 0

  readonly OPEN = 1
  /** What goes past ws: whole frames. */
  readonly stream = {
    bytesRead: 0,
    bytesWritten: 0,
    write: (frame: Buffer, taken: () => void): void => {
      this.sent.push(payloadOf(frame))
      if (!this.isDeaf) taken()
    },
  }

  get readyState(): number {
    return this.closed ? 2 : this.OPEN
  }
  close(code: number, reason: string): void {
    this.closed ??= { code, reason }
    if (!this.isDeaf && !this.isPaused) this.emit('close')
  }
  terminate(): void {
    this.isTerminated = true
    this.emit('close')
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  ping(): void {
    this.pings += 1
    if (!this.isDeaf) this.emit('pong', Buffer.alloc(0))
  }
  /** What the peer sends. */
  receive(frame: Uint8Array): void {
    this.emit('message', Buffer.from(frame), true)
  }
  get types(): string[] {
    const types = this.sent.map((frame) => readFrame(frame).type)
    // Later questions are not what these tests are about.
    return types.filter((type, n) => type !== 'sync-step-1' || types.indexOf(type) === n)
  }
}

/** Of a frame with less than 126 bytes, which all are here. */
const payloadOf = (frame: Buffer): Uint8Array => Uint8Array.from(frame.subarray(2))

function principal(expiresAtMs: number, access: Record<string, string[]> = { '*': ['read', 'write'] }): Principal {
  const grants = parseAccess(access) ?? []
  return { sub: toPrincipalId('alice'), name: null, grants, issuedAt: 0, expiresAt: expiresAtMs / 1000, tokenId: null }
}

/** Nothing is ever raised. */
const noJudge = { prepare: () => Promise.resolve(null) }

function setUp(
  options: {
    refused?: number
    replicas?: LiveReplicas
    createEmpty?: EmptyDocuments['createEmpty']
    messagesPerMinute?: number
  } = {},
) {
  const environment = new ManualEnvironment()
  const replica = new FakeReplica()
  const release = vi.fn()
  const onGivenUp = vi.fn()
  const onUnexpected = vi.fn()
  const lease = () => Promise.resolve({ replica, release })
  const budget = { messages: bucketOfMinute(options.messagesPerMinute ?? 0), bytes: null }
  const limits = { ...DEFAULT_SYNC_LIMITS, refusedConnections: options.refused ?? 10, budget }
  const onFlood = vi.fn()
  const replicas: LiveReplicas = options.replicas ?? { lease }
  const keeper = { keep: () => Promise.resolve(), bytes: () => 0 }
  const writer = { createEmpty: options.createEmpty ?? (() => Promise.resolve()) }
  const rooms = new Rooms({ replicas, writer, judge: noJudge, keeper, environment, limits, onGivenUp, onUnexpected })
  const authenticate = vi.fn(() => Promise.resolve(principal(environment.now() + 60 * DAY_MS)))
  const isValid = vi.fn((_principal: Principal) => true)
  const endpoint = new YWebsocketEndpoint({
    rooms,
    authenticate,
    isValid,
    environment,
    limits,
    onFlood,
    onUnexpected,
  })
  const connect = (path = 'doc', token: string | null = 'token') => {
    const socket = new FakeSocket()
    endpoint.accept(socket as unknown as WebSocket, socket.stream as unknown as SocketStream, {
      path,
      query: new URLSearchParams(),
      token,
    })
    return socket
  }
  return { environment, replica, rooms, release, onFlood, onUnexpected, authenticate, isValid, endpoint, connect }
}

describe('a connection', () => {
  it('[SYNC-1] is not read before it is authenticated; what came already is heard then, in order', async () => {
    const { authenticate, connect } = setUp()
    const who = deferred<Principal>()
    authenticate.mockReturnValueOnce(who.promise)
    const socket = connect()
    expect(socket.isPaused).toBe(true)
    socket.receive(frames.syncStep1())
    socket.receive(frames.queryAwareness())
    await settled()
    expect(socket.sent).toEqual([])
    who.resolve(principal(Date.UTC(2030, 1)))
    await settled()
    expect(socket.isPaused).toBe(false)
    expect(socket.types).toEqual(['sync-step-1', 'awareness', 'sync-step-2'])
  })

  it('[SYNC-6] holds little of what comes before that', async () => {
    const { authenticate, connect } = setUp()
    authenticate.mockReturnValueOnce(deferred<Principal>().promise)
    const socket = connect()
    for (let i = 0; i < 3; i++) socket.receive(frames.update(new Uint8Array(100 * 1024)))
    expect(socket.closed?.code).toBe(1013)
  })

  it('[SYNC-10] that is gone before it is authenticated takes no seat', async () => {
    const { authenticate, connect, rooms, release } = setUp()
    const who = deferred<Principal>()
    authenticate.mockReturnValueOnce(who.promise)
    connect().emit('close')
    who.resolve(principal(Date.UTC(2030, 1)))
    await settled()
    expect([rooms.size, rooms.sessions]).toEqual([0, 0])
    expect(release).toHaveBeenCalledOnce()
  })

  it('[SYNC-10] leaves its seat when it is gone, and nothing behind', async () => {
    const { connect, rooms, environment, release } = setUp()
    const sockets = [connect(), connect()]
    await settled()
    expect([rooms.size, rooms.sessions]).toEqual([1, 2])
    for (const socket of sockets) socket.emit('close')
    await settled()
    expect([rooms.size, rooms.sessions]).toEqual([0, 0])
    expect(environment.pending).toBe(0)
    expect(release).toHaveBeenCalledTimes(2)
  })

  it('[SYNC-8] ends when its token does, also in two months', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    environment.jump(60 * DAY_MS - 1)
    await environment.advance(0)
    expect(socket.closed).toBeNull()
    await environment.advance(1)
    expect(socket.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })

  it('[SYNC-8] ends at once when its token is revoked, also while it is being opened; others stay', async () => {
    const { connect, endpoint, isValid, rooms, authenticate } = setUp()
    const [open, other] = [connect(), connect()]
    await settled()
    const who = deferred<Principal>()
    authenticate.mockReturnValueOnce(who.promise)
    const opening = connect()
    isValid.mockReturnValueOnce(false)
    endpoint.revalidate()
    expect([open.closed, other.closed]).toEqual([{ code: 4401, reason: 'the token was revoked' }, null])
    isValid.mockReturnValueOnce(false)
    who.resolve(principal(Date.UTC(2030, 1)))
    await settled()
    expect(opening.closed?.code).toBe(4401)
    expect(rooms.sessions).toBe(1)
  })

  it('is cut when its peer shows no sign of life', async () => {
    const { connect, environment } = setUp()
    const [deaf, alive] = [connect(), connect()]
    await settled()
    deaf.isDeaf = true
    await environment.advance(89_999)
    expect([deaf.isTerminated, alive.isTerminated]).toEqual([false, false])
    await environment.advance(1)
    expect([deaf.isTerminated, alive.isTerminated]).toEqual([true, false])
    expect(alive.pings).toBe(3)
  })

  it('[SYNC-9] is not cut while a message of its peer is on its way, however long that takes', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    for (let second = 0; second < 600; second += 20) {
      socket.stream.bytesRead += 20 * 1024
      await environment.advance(20_000)
    }
    expect(socket.isTerminated).toBe(false)
    await environment.advance(120_000)
    expect(socket.isTerminated).toBe(true)
  })

  it('[SYNC-9] is given the time that a line of 32 KiB/s needs for what was sent before a ping', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    socket.stream.bytesWritten += 4 * 1024 * 1024
    await environment.advance(6 * 30_000)
    expect(socket.isTerminated).toBe(false)
    await environment.advance(30_000)
    expect(socket.isTerminated).toBe(true)
  })

  it('is not cut while it is not read', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    socket.pause()
    await environment.advance(300_000)
    expect(socket.isTerminated).toBe(false)
  })

  it('[OPS-4] is cut when its peer does not answer a close', async () => {
    const { connect, environment, endpoint } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    const closed = vi.fn()
    void endpoint.close().then(closed)
    expect(socket.closed).toEqual({ code: 1012, reason: 'the server is stopping' })
    await environment.advance(2_999)
    expect(closed).not.toHaveBeenCalled()
    await environment.advance(1)
    expect(socket.isTerminated).toBe(true)
    expect(closed).toHaveBeenCalledOnce()
  })

  it('[OPS-2] that comes while the server stops is turned away', async () => {
    const { connect, endpoint, authenticate } = setUp()
    await endpoint.close()
    const socket = connect()
    expect(socket.closed?.code).toBe(1012)
    expect(authenticate).not.toHaveBeenCalled()
  })

  it('is closed with what fits of a long reason', async () => {
    const { connect, replica } = setUp()
    const socket = connect()
    await settled()
    replica.end(new ParleyError('document-deleted', 'é'.repeat(100)))
    expect(socket.closed).toEqual({ code: 4404, reason: 'é'.repeat(61) })
  })

  it('copies what it is lent', async () => {
    const { connect, replica } = setUp()
    const socket = connect()
    await settled()
    const lent = Buffer.from(frames.update(Uint8Array.of(1, 1, 1, 0, 4, 1, 7, ...Buffer.from('content'), 1, 0x61, 0)))
    const applied: Uint8Array[] = []
    vi.spyOn(replica, 'applyLive').mockImplementation((update) => {
      applied.push(update)
      return Promise.resolve(null)
    })
    socket.receive(frames.syncStep1())
    socket.emit('message', lent, true)
    const before = Uint8Array.from(applied[0] ?? [])
    lent.fill(0)
    expect(before.length).toBeGreaterThan(0)
    expect(applied[0]).toEqual(before)
  })
})

describe('[RATE-1] a connection that sends more than it may', () => {
  const send = (socket: FakeSocket, count: number): void => {
    for (let n = 0; n < count; n++) socket.receive(frames.queryAwareness())
  }

  it('[RATE-1] is not read for a while; nothing of it is lost, and it is read again', async () => {
    const { connect, environment, onFlood } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    const before = socket.sent.length
    send(socket, 65)
    await settled()
    expect(socket.isPaused).toBe(true)
    expect(socket.sent.length - before).toBe(65)
    await environment.advance(4_000)
    expect(socket.isPaused).toBe(true)
    await environment.advance(1_000)
    expect(socket.isPaused).toBe(false)
    expect([socket.closed, onFlood.mock.calls.length]).toEqual([null, 0])
  })

  it('[RATE-1] stays unread for as long as what one read brought adds up to', async () => {
    const { connect, environment } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    send(socket, 61)
    await environment.advance(500)
    send(socket, 10)
    await environment.advance(5_000)
    expect(socket.isPaused).toBe(true)
    await environment.advance(6_000)
    expect(socket.isPaused).toBe(false)
  })

  it('[RATE-1] is closed with 4529 where it never stops, and that is told', async () => {
    const { connect, environment, onFlood } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    send(socket, 61)
    for (let n = 0; n < 200 && socket.closed === null; n++) {
      await environment.advance(1_000)
      if (!socket.isPaused) send(socket, 1)
    }
    expect(socket.closed?.code).toBe(4529)
    expect(onFlood).toHaveBeenCalledTimes(1)
    expect(socket.isPaused).toBe(false)
  })

  it('[RATE-1] pays for pings and pongs as well', async () => {
    const { connect } = setUp({ messagesPerMinute: 60 })
    const [pinging, ponging] = [connect(), connect()]
    await settled()
    for (let n = 0; n < 61; n++) {
      pinging.emit('ping', Buffer.alloc(0))
      ponging.emit('pong', Buffer.alloc(0))
    }
    expect([pinging.isPaused, ponging.isPaused]).toEqual([true, true])
  })

  it('[RATE-1] [SYNC-8] ends when its token does, also while it is held back', async () => {
    const { connect, environment, endpoint, isValid } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    send(socket, 100)
    isValid.mockReturnValue(false)
    endpoint.revalidate()
    expect(socket.closed?.code).toBe(4401)
    expect(socket.isPaused).toBe(false)
    await environment.advance(120_000)
    expect(socket.isTerminated).toBe(false)
  })
})

describe('a refused connection', () => {
  it('[SYNC-4] is told why, not heard, and closed after 5 s', async () => {
    const { connect, environment } = setUp()
    const socket = connect('doc', null)
    await settled()
    expect(socket.types).toEqual(['denied'])
    socket.receive(Uint8Array.of(99))
    await environment.advance(4_999)
    expect(socket.closed).toBeNull()
    await environment.advance(1)
    expect(socket.closed?.code).toBe(4401)
    expect(socket.types).toEqual(['denied'])
    expect(environment.pending).toBe(0)
  })

  it('[SYNC-4] is not told that it is denied for what may pass', async () => {
    const { connect, environment } = setUp({
      replicas: { lease: () => Promise.reject(new ParleyError('storage-unavailable', 'out of reach')) },
    })
    const socket = connect()
    await settled()
    expect(socket.sent).toEqual([])
    await environment.advance(5_000)
    expect(socket.closed?.code).toBe(1013)
  })

  it('[SYNC-4] is closed at once when there are many', async () => {
    const { connect } = setUp({ refused: 2 })
    const sockets = [connect('doc', null), connect('doc', null), connect('doc', null)]
    await settled()
    expect(sockets.map((socket) => socket.closed?.code ?? null)).toEqual([null, null, 4401])
  })

  it('[OPS-6] for a damaged document gets 1011, for a bug too, which is told', async () => {
    const bug = new TypeError('a bug')
    const failures = [new ParleyError('document-damaged', 'damaged'), bug]
    const { connect, environment, onUnexpected } = setUp({
      replicas: { lease: () => Promise.reject(failures.shift()) },
    })
    const sockets = [connect(), connect()]
    await environment.advance(5_000)
    expect(sockets.map((socket) => socket.closed?.code)).toEqual([1011, 1011])
    expect(onUnexpected.mock.calls).toEqual([[bug]])
  })
})

describe('rooms', () => {
  it('[SYNC-3] join what another was faster to create', async () => {
    const replica = new FakeReplica()
    const found = [{ absent: 'never' as const }, { replica, release: vi.fn() }]
    const createEmpty = vi.fn(() => Promise.reject(new ParleyError('already-exists', 'taken')))
    const replicas: LiveReplicas = { lease: () => Promise.resolve(found.shift() ?? { absent: 'never' }) }
    const { connect } = setUp({ replicas, createEmpty })
    const socket = connect()
    await settled()
    expect(socket.types).toEqual(['sync-step-1'])
    expect(createEmpty).toHaveBeenCalledOnce()
  })

  it('[SYNC-2] open anew when the replica has ended', async () => {
    const replicas = [new FakeReplica('text', 1_001), new FakeReplica('text', 1_002)]
    const release = vi.fn()
    const { connect, rooms } = setUp({
      replicas: {
        lease: () => {
          const replica = replicas.find((one) => !one.ended)
          return replica ? Promise.resolve({ replica, release }) : Promise.reject(new Error('none left'))
        },
      },
    })
    const first = connect()
    await settled()
    replicas[0]?.end(new ParleyError('overloaded', 'loaded anew'))
    expect(first.closed?.code).toBe(1013)
    expect(rooms.size).toBe(0)
    const second = connect()
    await settled()
    replicas[1]?.write((doc) => doc.getText('content').insert(0, 'x'))
    second.receive(frames.syncStep1())
    await settled()
    expect(second.types).toEqual(['sync-step-1', 'sync-step-2'])
  })

  it('[SYNC-2] refuse a replica that ended while it was handed over', async () => {
    const { connect, replica, release, environment } = setUp()
    replica.ended = new ParleyError('overloaded', 'loaded anew')
    const socket = connect()
    await environment.advance(5_000)
    expect(socket.closed?.code).toBe(1013)
    expect(release).toHaveBeenCalledOnce()
  })
})

describe('readSyncRequest', () => {
  const request = (url: string, headers: Record<string, string> = {}) => readSyncRequest({ url, headers })

  it('[SYNC-1] takes the whole path after /sync/ as it came', () => {
    expect(request('/sync/doc?token=t').path).toBe('doc')
    expect(request('/v1/sync/doc').path).toBe('doc')
    expect(request('/sync/fold%20er/d%C3%A9?token=t').path).toBe('fold%20er/d%C3%A9')
    expect(request('/sync/a/../b').path).toBe('a/../b')
    expect(request('/other/sync/doc').path).toBe('')
    expect(request('/sync/doc?kind=json&token=t').query.get('kind')).toBe('json')
  })

  it('[AUTH-1] takes the token of the header first, then the query, then a subprotocol that is one', () => {
    const protocols = { 'sec-websocket-protocol': 'parley, aaa.bbb.ccc' }
    expect(request('/sync/doc?token=q', { authorization: 'Bearer h', ...protocols }).token).toBe('h')
    expect(request('/sync/doc?token=q', protocols).token).toBe('q')
    expect(request('/sync/doc', protocols).token).toBe('aaa.bbb.ccc')
    expect(request('/sync/doc', { 'sec-websocket-protocol': 'parley' }).token).toBeNull()
    expect(request('/sync/doc?token=a&token=b', protocols).token).toBeNull()
  })

  it('[SYNC-6] allows frames of the content limit and one MiB', () => {
    const { endpoint } = setUp()
    const { maxPayloadBytes, chooseProtocol, serves } = syncEndpoint(endpoint, () => Promise.resolve(), {
      maxBytes: 10 * 1024 * 1024,
    })
    expect(maxPayloadBytes).toBe(11 * 1024 * 1024)
    expect([chooseProtocol([]), chooseProtocol(['a', 'b'])]).toEqual([null, 'a'])
    expect([serves('/sync/doc'), serves('/sync/'), serves('/synchronous')]).toEqual([true, true, false])
  })
})
