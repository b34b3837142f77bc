import { vi } from 'vitest'
import * as Y from 'yjs'
import type { ProblemCode } from '../../server/foundation/problemTable.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { Departures } from '../../server/sync/departures.ts'
import { DEFAULT_SYNC_LIMITS, type SyncLimits } from '../../server/sync/limits.ts'
import type { Channel } from '../../server/sync/member.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/yProtocol.ts'
import type { ServerMessage } from '../../server/sync/messages.ts'
import { Room, type Seat } from '../../server/sync/room.ts'
import { FakeReplica } from './fakeReplica.ts'
import { ManualEnvironment, settled } from './manualEnvironment.ts'
import { frames, readFrame, type ServerFrame } from './rawClient.ts'
import { rawUpdate } from './rawUpdate.ts'

const encoded = new WeakMap<ServerMessage, Uint8Array>()

/** The same frame for the same message object, as sockets share it. */
function encodedOnce(message: ServerMessage): Uint8Array {
  const frame = encoded.get(message) ?? encodeMessage(message)
  encoded.set(message, frame)
  return frame
}

/** A client on a line of its own, which takes everything at once until it is told to stall. */
class Client implements Channel {
  readonly received: ServerFrame[] = []
  readonly frames: Uint8Array[] = []
  closed: { code: ProblemCode; reason: string } | null = null
  isPaused = false
  isStalled = false
  #taken: (() => void)[] = []
  #seat: Seat | null = null

  join(room: Room, name: string, access: 'read' | 'write' = 'write'): this {
    this.#seat = room.join(this, toPrincipalId(name), access)
    return this
  }

  send(frame: Uint8Array): void {
    const message = decodeMessage(frame)
    if (message.type === 'malformed') throw new Error(message.reason)
    this.#seat?.receive(message)
  }

  leave(): void {
    this.#seat?.leave()
  }

  frameOf = encodedOnce

  write(frame: Uint8Array, taken: () => void): void {
    this.frames.push(frame)
    const message = readFrame(frame)
    // The first question of the server is for the tests to answer, and to look at.
    const isLater = message.type === 'sync-step-1' && this.types.includes('sync-step-1')
    if (!isLater) this.received.push(message)
    const answer = (): void => {
      taken()
      if (isLater) queueMicrotask(() => this.send(frames.syncStep2(Uint8Array.of(0, 0))))
    }
    if (this.isStalled) this.#taken.push(answer)
    else answer()
  }

  /** The line takes what it was given, or the oldest so many of that. */
  take(count = Number.POSITIVE_INFINITY): void {
    for (const taken of this.#taken.splice(0, count)) taken()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  close(code: ProblemCode, reason: string): void {
    this.closed = { code, reason }
  }

  get types(): string[] {
    return this.received.map((one) => one.type)
  }

  get text(): string {
    const doc = new Y.Doc()
    for (const one of this.received) if ('update' in one) Y.applyUpdate(doc, one.update)
    return doc.getText('content').toString()
  }

  /** The states it was told of, newest last. */
  get told(): unknown[] {
    return this.received.flatMap((one) => (one.type === 'awareness' ? one.entries : []))
  }
}

/** A room on a replica in memory, and who comes to it. */
export function setUp(
  options: { limits?: Partial<SyncLimits>; replica?: FakeReplica; formerClients?: ReadonlyMap<number, number> } = {},
) {
  const replica = options.replica ?? new FakeReplica('text', 4_000_000_000, options.formerClients)
  const environment = new ManualEnvironment()
  const release = vi.fn()
  const onClosed = vi.fn()
  const onUnexpected = vi.fn()
  const room = new Room({
    lease: { replica, release },
    judge: { prepare: () => Promise.resolve(null) },
    keeper: { keep: () => Promise.resolve(), bytes: () => 0 },
    departures: new Departures(),
    limits: { ...DEFAULT_SYNC_LIMITS, ...options.limits },
    environment,
    onClosed,
    onGivenUp: () => undefined,
    onUnexpected,
  })
  const open = (name: string, access: 'read' | 'write' = 'write') => new Client().join(room, name, access)
  /** A session that has asked and was answered. */
  const live = async (name: string, access: 'read' | 'write' = 'write') => {
    const client = open(name, access)
    client.send(frames.syncStep1())
    client.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    return client
  }
  return { replica, environment, room, release, onClosed, onUnexpected, open, live }
}

/** What a client sends that types this text behind what it has typed, which is `clock` letters. */
export const typed = (client: number, text: string, clock = 0): Uint8Array =>
  rawUpdate([{ client, clock, structs: [{ text, ...(clock > 0 ? { origin: [client, clock - 1] as const } : {}) }] }])
