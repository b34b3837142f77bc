import * as Y from 'yjs'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import type { ProblemCode } from '../../server/foundation/problemTable.ts'
import type { Channel } from '../../server/sync/member.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/yProtocol.ts'
import type { LiveReplica } from '../../server/sync/liveReplica.ts'
import type { Room, Seat } from '../../server/sync/room.ts'
import { frames, readFrame, type AwarenessEntry } from './rawClient.ts'

/**
 * A client that does what a stock y-websocket provider does, on a line the test holds in its hands: what is under
 * way arrives when `deliver` is called, or never.
 */
export class SimulatedClient implements Channel {
  readonly doc: Y.Doc
  readonly name: string
  closed: ProblemCode | null = null
  /** Answers no SyncStep1, as no stock client does. */
  isMute = false
  /** Updates that reached it. */
  updates = 0
  /** The questions that reached it, oldest first. */
  readonly asked: ('sync-step-1' | 'query-awareness')[] = []
  #seat: Seat | null = null
  #toServer: Uint8Array[] = []
  #toClient: Uint8Array[] = []
  #awarenessClock = 0
  #cursor = 0
  /** The others it knows of. */
  readonly #others = new Map<number, AwarenessEntry>()

  constructor(name: string, clientId: number, kind: 'text' | 'json' = 'text') {
    this.name = name
    this.doc = new Y.Doc()
    this.doc.clientID = clientId
    if (kind === 'text') this.doc.getText('content')
    else this.doc.getMap('content')
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this && this.#seat) this.#toServer.push(frames.update(update))
    })
  }

  get isConnected(): boolean {
    return this.#seat !== null
  }

  /** `first`: what an application does as soon as it hears that its provider is connected. */
  connect<R extends LiveReplica>(
    room: Room<R>,
    access: 'read' | 'write' = 'write',
    first: () => void = () => undefined,
  ): void {
    this.#seat = room.join(this, toPrincipalId(this.name), access)
    first()
    this.#toServer.push(frames.syncStep1(Y.encodeStateVector(this.doc)))
    this.announce()
  }

  /** Sends an update, and asks for nothing. */
  sendOnly<R extends LiveReplica>(room: Room<R>, update: Uint8Array): void {
    this.#seat = room.join(this, toPrincipalId(this.name), 'write')
    this.#toServer.push(frames.update(update))
  }

  moveCursor(): void {
    this.#cursor += 1
    this.announce()
  }

  /** Tells of itself, as stock clients do when somebody moves the cursor, and every 15 s. */
  announce(): void {
    this.#awarenessClock += 1
    this.#toServer.push(frames.states([this.#own]))
  }

  /** Cuts the line; what is under way in either direction is lost. */
  disconnect(): void {
    const seat = this.#seat
    this.lose()
    seat?.leave()
  }

  /** The line ends, and nobody closed it; what is under way in either direction is lost. */
  breakOff(): void {
    const seat = this.#seat
    this.lose()
    seat?.leave(true)
  }

  /** Gives the line up without the server noticing; what is under way in either direction is lost. */
  lose(): void {
    this.#toServer = []
    this.#toClient = []
    this.#others.clear()
    this.#seat = null
  }

  /** Everything the client has sent reaches the server. Whether there was anything. */
  deliverUp(): boolean {
    const arriving = this.#toServer.splice(0)
    for (const frame of arriving) {
      const message = decodeMessage(frame)
      if (message.type === 'malformed') throw new Error(message.reason)
      this.#seat?.receive(message)
    }
    return arriving.length > 0
  }

  /** What the server has sent reaches the client, in all up to so many updates. Whether there was anything. */
  deliverDown(maxUpdates = Number.POSITIVE_INFINITY): boolean {
    let count = 0
    for (let one = this.#toClient[0]; one; one = this.#toClient[0]) {
      if (this.updates >= maxUpdates && readFrame(one).type === 'update') break
      this.#take(one)
      this.#toClient.shift()
      count += 1
    }
    return count > 0
  }

  frameOf = encodeMessage

  write(frame: Uint8Array, taken: () => void): void {
    this.#toClient.push(frame)
    taken()
  }

  pause(): void {
    // The line takes everything.
  }

  resume(): void {
    // It was never paused.
  }

  close(code: ProblemCode): void {
    this.closed = code
    this.#seat = null
  }

  get #own(): AwarenessEntry {
    return { client: this.doc.clientID, clock: this.#awarenessClock, state: { name: this.name, cursor: this.#cursor } }
  }

  #take(bytes: Uint8Array): void {
    const frame = readFrame(bytes)
    switch (frame.type) {
      case 'sync-step-1': {
        this.asked.push(frame.type)
        if (this.isMute) return
        const encoded = Y.encodeStateVector(frame.stateVector)
        this.#toServer.push(frames.syncStep2(Y.encodeStateAsUpdate(this.doc, encoded)))
        return
      }
      case 'sync-step-2':
      case 'update':
        if (frame.type === 'update') this.updates += 1
        Y.applyUpdate(this.doc, frame.update, this)
        return
      case 'awareness':
        for (const entry of frame.entries) {
          if (entry.state === null) this.#others.delete(entry.client)
          else this.#others.set(entry.client, entry)
        }
        return
      case 'query-awareness':
        this.asked.push(frame.type)
        this.#toServer.push(frames.states([this.#own, ...this.#others.values()]))
        return
      default:
    }
  }
}
