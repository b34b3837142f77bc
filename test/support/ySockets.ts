import { EventEmitter } from 'node:events'
import { vi } from 'vitest'
import type { WebSocket } from 'ws'
import type { Principal } from '../../server/access/access.ts'
import { parseAccess } from '../../server/access/access.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { bucketOfMinute } from '../../server/limits/budget.ts'
import { DEFAULT_SYNC_LIMITS } from '../../server/sync/limits.ts'
import { Rooms, type EmptyDocuments, type LiveReplicas } from '../../server/sync/rooms.ts'
import type { SocketStream } from '../../server/sockets/peer.ts'
import { YWebsocketEndpoint } from '../../server/api/yWebsocket.ts'
import { FakeReplica } from './fakeReplica.ts'
import { ManualEnvironment } from './manualEnvironment.ts'
import { readFrame } from './rawClient.ts'

export const DAY_MS = 24 * 3600 * 1000

/** A WebSocket whose peer answers a close at once, unless it is deaf. */
export class FakeSocket extends EventEmitter {
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

/** Alice, whose token holds until then. */
export function principal(
  expiresAtMs: number,
  access: Record<string, string[]> = { '*': ['read', 'write'] },
): Principal {
  const grants = parseAccess(access) ?? []
  return { sub: toPrincipalId('alice'), name: null, grants, issuedAt: 0, expiresAt: expiresAtMs / 1000, tokenId: null }
}

/** Nothing is ever raised. */
const noJudge = { prepare: () => Promise.resolve(null) }

/** An endpoint over rooms of one replica in memory, and whoever connects to it. */
export function setUp(
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
