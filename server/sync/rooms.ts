import { can, type Principal } from '../access/access.ts'
import type { Kind } from '../content/content.ts'
import type { Absent } from '../documents/replicas.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { documentDeleted, documentNotFound, ParleyError } from '../foundation/problems.ts'
import { hashGiven } from '../model/lockToken.ts'
import type { WaitingEdits } from '../storage/waiting.ts'
import { Departures } from './departures.ts'
import { DEFAULT_SYNC_LIMITS, type SyncLimits } from './limits.ts'
import type { LiveLease, LiveReplica } from './liveReplica.ts'
import type { Channel } from './member.ts'
import type { RoomJudge } from './offlineMerges.ts'
import { Room, type EditsKeeper, type Seat } from './room.ts'

/** The documents in memory, as rooms use them. */
export interface LiveReplicas<R extends LiveReplica = LiveReplica> {
  lease(id: DocumentId): Promise<LiveLease<R> | Absent>
}

/** Creates documents that are empty. */
export interface EmptyDocuments {
  /** Rejects with `already-exists` when another was faster. */
  createEmpty(wanted: { readonly id: DocumentId; readonly kind: Kind }, by: PrincipalId): Promise<unknown>
}

export interface RoomsOptions<R extends LiveReplica = LiveReplica> {
  readonly replicas: LiveReplicas<R>
  readonly writer: EmptyDocuments
  readonly judge: RoomJudge<R>
  /** Keeps what sessions leave behind a lock (LOCK-4). */
  readonly keeper: EditsKeeper
  readonly environment: Environment
  readonly limits?: SyncLimits
  /** Told of edits that cannot go in, by somebody who is gone and does not hear it. */
  readonly onGivenUp: (
    facts: { readonly document: DocumentId; readonly author: PrincipalId },
    problem: ParleyError,
  ) => void
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

export interface JoinRequest {
  readonly id: DocumentId
  /** What the client wants the document to be; null where it takes what there is, or text. */
  readonly kind: Kind | null
  readonly principal: Principal
  /** The token of a lock that the session shows, if it does (LOCK-4). */
  readonly lockToken?: string | null
  readonly channel: Channel
}

/** How often a document is created that is gone again when it is looked for. */
const CREATE_ATTEMPTS = 3

/** Waiting edits as far as they are judged by what there is. */
type LeftOffer = Pick<WaitingEdits, 'author' | 'update' | 'handedOn'>

/** The rooms of all documents that have open sessions: one opens with the first session, closes with the last. */
export class Rooms<R extends LiveReplica = LiveReplica> {
  readonly #options: RoomsOptions<R>
  readonly #rooms = new Map<DocumentId, Room<R>>()
  readonly #departures = new Departures()

  constructor(options: RoomsOptions<R>) {
    this.#options = options
  }

  /** Open sessions of all documents. */
  get sessions(): number {
    let sessions = 0
    for (const room of this.#rooms.values()) sessions += room.size
    return sessions
  }

  /** Documents with open sessions. */
  get size(): number {
    return this.#rooms.size
  }

  /**
   * Opens a session. A document that never existed is created for whoever may write it (SYNC-3).
   * Rejects with `forbidden` (may not read, whether or not it exists), `not-found`, `document-deleted`,
   * `kind-mismatch`, or what loading it failed with.
   */
  async join({ id, kind, principal, lockToken, channel }: JoinRequest): Promise<Seat> {
    if (!can(principal, 'read', id)) throw new ParleyError('forbidden', 'You may not read this document.')
    const mayWrite = can(principal, 'write', id)
    const lease = await this.#leaseOrCreate({ id, kind: kind ?? 'text' }, mayWrite ? principal.sub : null)
    try {
      const { head, ended } = lease.replica
      if (ended) throw ended
      if (kind !== null && kind !== head.kind)
        throw new ParleyError('kind-mismatch', `This is a ${head.kind} document.`)
      const access = mayWrite ? 'write' : 'read'
      return this.#roomOf(lease).join(channel, principal.sub, access, hashGiven(lockToken))
    } catch (error) {
      lease.release()
      throw error
    }
  }

  /** Resolves once everything is taken in that sessions brought which are gone. */
  async settled(): Promise<void> {
    await Promise.all([...this.#rooms.values()].map((room) => room.settled()))
  }

  /** What refuses an update by someone who has no session open, null where nothing does (SYNC-6). */
  refusal(replica: R, { author, update, handedOn }: LeftOffer): ParleyError | null {
    const userOf = (client: number): PrincipalId | null => this.#rooms.get(replica.id)?.userOf(client) ?? null
    const owns = (client: number): boolean => handedOn?.includes(client) !== true
    // Whoever left them was the one who used their ids.
    const admission = replica.admit(update, { principal: author, userOf, isOwn: () => true, owns, takes: 'whole' })
    return admission.admitted ? null : new ParleyError(admission.code, admission.reason)
  }

  /** `by`: who creates it where it does not exist; null where nobody may. */
  async #leaseOrCreate(
    wanted: { readonly id: DocumentId; readonly kind: Kind },
    by: PrincipalId | null,
  ): Promise<LiveLease<R>> {
    const { replicas, writer } = this.#options
    for (let attempt = 0; ; attempt++) {
      const found = await replicas.lease(wanted.id)
      if ('replica' in found) return found
      if (found.absent === 'deleted') throw documentDeleted(wanted.id, found.lastVersion)
      if (by === null) throw documentNotFound(wanted.id)
      if (attempt === CREATE_ATTEMPTS) throw new ParleyError('overloaded', 'The document comes and goes too fast.')
      await writer.createEmpty(wanted, by).catch((error: unknown) => {
        // Another was faster, and may have deleted it again.
        if (!(error instanceof ParleyError && error.code === 'already-exists')) throw error
      })
    }
  }

  /** The room of the leased replica. It keeps the lease of whoever opened it; another's is given back. */
  #roomOf(lease: LiveLease<R>): Room<R> {
    const { id } = lease.replica
    const known = this.#rooms.get(id)
    if (known?.replica === lease.replica) {
      lease.release()
      return known
    }
    const { judge, keeper, environment, onUnexpected, onGivenUp, limits = DEFAULT_SYNC_LIMITS } = this.#options
    const onClosed = (): void => {
      if (this.#rooms.get(id) === room) this.#rooms.delete(id)
    }
    const room = new Room({
      lease,
      judge,
      keeper,
      departures: this.#departures,
      limits,
      environment,
      onClosed,
      onGivenUp: (author, problem) => onGivenUp({ document: id, author }, problem),
      onUnexpected,
    })
    this.#rooms.set(id, room)
    return room
  }
}
