import * as Y from 'yjs'
import { bringsSomething, knowsAll } from '../documents/knowledge.ts'
import type { ClockSet } from '../model/clockSet.ts'
import type { Version } from '../foundation/ids.ts'
import type { Environment } from '../foundation/environment.ts'
import { decide } from '../model/lock.ts'
import { Brought } from './brought.ts'
import type { ClientIds } from './clientIds.ts'
import type { Departure, Departures } from './departures.ts'
import type { SyncLimits } from './limits.ts'
import type { Member } from './member.ts'
import type { StateVector } from '../model/clockSet.ts'
import type { LiveReplica } from './liveReplica.ts'
import type { SessionState, Silence, Surroundings } from './session.ts'

/** What a room shows its sessions of itself. */
export interface RoomParts {
  readonly replica: LiveReplica
  readonly limits: SyncLimits
  readonly environment: Environment
  readonly departures: Departures
  readonly clientIds: ClientIds
  members(): Iterable<Member>
  /** Bytes that sessions left which are gone. */
  leftBytes(): number
  isListShorter(member: Member): boolean
}

/** The room as one session finds it, at the moment at which it looks. */
export class RoomAround implements Surroundings {
  readonly limits: SyncLimits
  readonly #room: RoomParts
  readonly #member: Member

  constructor(room: RoomParts, member: Member) {
    this.limits = room.limits
    this.#room = room
    this.#member = member
  }

  get nowMs(): number {
    return this.#room.environment.monotonicMs()
  }
  get version(): Version {
    return this.#room.replica.appliedVersion
  }
  get isEmpty(): boolean {
    return this.#doc.store.clients.size === 0
  }
  get isBarred(): boolean {
    return decide(this.#room.replica.lock.state, { type: 'writes', pass: this.#member.pass }).do === 'refuse'
  }
  get #doc(): Y.Doc {
    return this.#room.replica.doc
  }

  silence(): Silence {
    return { after: this.version, stateVector: Y.decodeStateVector(Y.encodeStateVector(this.#doc)) }
  }

  waitingBytes(): number {
    let bytes = this.#room.leftBytes()
    for (const other of this.#room.members()) if (other !== this.#member) bytes += waitingIn(other.state)
    return bytes
  }

  stateOf(client: number): number {
    return Y.getState(this.#doc.store, client)
  }

  knowsAll(clocks: StateVector, deletes: ClockSet): boolean {
    return knowsAll(this.#doc, clocks, deletes)
  }

  bringsSomething(update: Uint8Array): boolean {
    return bringsSomething(this.#doc, update)
  }

  addsTo(held: readonly Uint8Array[], { clocks }: Brought): boolean {
    const more = [...clocks].filter(([client, clock]) => clock > this.stateOf(client))
    if (more.length === 0) return false
    const known = held.map((update) => new Brought(update, 'update').clocks)
    return more.some(([client, clock]) => known.every((one) => clock > (one.get(client) ?? 0)))
  }

  isUsed(client: number): boolean {
    return this.#room.clientIds.memberOf(client) !== null
  }

  departureOf(client: number): Departure | null {
    return this.#room.departures.find(this.#room.replica.id, client)
  }

  isListShorter(): boolean {
    return this.#room.isListShorter(this.#member)
  }
}

/** Bytes of what waits for a lock. */
const waitingIn = (state: SessionState): number => ('silence' in state && state.silence ? state.held.bytes : 0)
