import * as Y from 'yjs'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import type { ProblemCode } from '../../server/foundation/problems.ts'
import type { Channel } from '../../server/sync/member.ts'
import { decodeMessage, encodeMessage } from '../../server/sync/protocol.ts'
import type { LiveReplica, Room, Seat } from '../../server/sync/room.ts'
import { frames, readFrame } from './rawClient.ts'

type Arrival = { readonly frame: Uint8Array } | { readonly ping: number }

/**
 * A client that does what a stock y-websocket provider does, on a line the test holds in its hands: what is under
 * way arrives when `deliver` is called, or never.
 */
export class SimulatedClient implements Channel {
  readonly doc: Y.Doc
  readonly name: string
  closed: ProblemCode | null = null
  /** Updates that reached it. */
  updates = 0
  #seat: Seat | null = null
  #toServer: Uint8Array[] = []
  #toClient: Arrival[] = []
  #pongs: number[] = []
  #awarenessClock = 0

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

  connect<R extends LiveReplica>(room: Room<R>, access: 'read' | 'write' = 'write'): void {
    this.#seat = room.join(this, toPrincipalId(this.name), access)
    this.#awarenessClock += 1
    const state = { client: this.doc.clientID, clock: this.#awarenessClock, state: { name: this.name } }
    this.#toServer.push(frames.syncStep1(Y.encodeStateVector(this.doc)), frames.states([state]))
  }

  /** Cuts the line; what is under way in either direction is lost. */
  disconnect(): void {
    this.#toServer = []
    this.#toClient = []
    this.#pongs = []
    const seat = this.#seat
    this.#seat = null
    seat?.leave()
  }

  /** Everything the client has sent reaches the server. Whether there was anything. */
  deliverUp(): boolean {
    const arriving = this.#toServer.splice(0)
    const pongs = this.#pongs.splice(0)
    for (const frame of arriving) {
      const message = decodeMessage(frame)
      if (message.type === 'malformed') throw new Error(message.reason)
      this.#seat?.receive(message)
    }
    for (const mark of pongs) this.#seat?.answered(mark)
    return arriving.length + pongs.length > 0
  }

  /** What the server has sent reaches the client, in all up to so many updates. Whether there was anything. */
  deliverDown(maxUpdates = Number.POSITIVE_INFINITY): boolean {
    let count = 0
    for (let one = this.#toClient[0]; one; one = this.#toClient[0]) {
      if ('ping' in one) this.#pongs.push(one.ping)
      else if (this.updates >= maxUpdates && readFrame(one.frame).type === 'update') break
      else this.#take(one.frame)
      this.#toClient.shift()
      count += 1
    }
    return count > 0
  }

  frameOf = encodeMessage

  write(frame: Uint8Array, taken: () => void): void {
    this.#toClient.push({ frame })
    taken()
  }

  ping(mark: number): void {
    this.#toClient.push({ ping: mark })
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

  #take(bytes: Uint8Array): void {
    const frame = readFrame(bytes)
    switch (frame.type) {
      case 'sync-step-1': {
        const encoded = Y.encodeStateVector(frame.stateVector)
        this.#toServer.push(frames.syncStep2(Y.encodeStateAsUpdate(this.doc, encoded)))
        return
      }
      case 'sync-step-2':
      case 'update':
        if (frame.type === 'update') this.updates += 1
        Y.applyUpdate(this.doc, frame.update, this)
        return
      default:
    }
  }
}
