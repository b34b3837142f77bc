import type { Committer } from '../documents/commit.ts'
import type { DocumentReader } from '../documents/read.ts'
import type { Replica } from '../documents/replica.ts'
import type { Replicas } from '../documents/replicas.ts'
import { missing } from '../documents/write.ts'
import { invariant } from '../foundation/assert.ts'
import type { Keep, StoredAnswer } from '../foundation/answer.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { documentLocked, documentUnlocked } from '../model/events.ts'
import type { NewEvent } from '../model/event.ts'
import type { ActResult, LockWrite, Storage } from '../storage/storage.ts'
import { decide, type HeldLock, type LockAction, type LockEvent, type LockState } from '../model/lock.ts'
import { lockLostProblem } from '../model/lockRefusal.ts'
import { hashLockToken, newLockToken } from '../model/lockToken.ts'

/** How often a change is tried anew because the lock moved meanwhile; each round answers to another's success. */
const MAX_ROUNDS = 8

export interface LockParts {
  readonly storage: Storage
  readonly committer: Committer
  readonly replicas: Replicas
  readonly reader: DocumentReader
  readonly environment: Environment
}

export interface LockRequest {
  readonly document: DocumentId
  readonly owner: PrincipalId
  readonly ttlMs: number
  /** Renders the answer that is stored with the lock (SPEC WRITE-8). */
  readonly keep?: Keep<OwnedLock> | null
}

/** A lock that was taken or renewed, with the token that only its owner has. */
export interface OwnedLock {
  readonly token: string
  readonly fence: number
  readonly owner: PrincipalId
  /** Milliseconds since the epoch: by the database host's clock, in a stored answer by this one's. */
  readonly expiresAt: number
}

/** What one try to take a lock came to. */
export type Attempt =
  | { readonly outcome: 'granted'; readonly lock: OwnedLock }
  | { readonly outcome: 'held'; readonly lock: HeldLock }
  /** Whoever asked did not want it any more. */
  | { readonly outcome: 'unwanted' }

/**
 * The locks of all documents (SPEC LOCK-1 to LOCK-3). The row in storage is the truth, for all nodes; each change names
 * the fence it saw, and is tried anew when another was faster. Who waits for a lock is waiting.ts' to know.
 */
export class DocumentLocks {
  readonly #parts: LockParts

  constructor(parts: LockParts) {
    this.#parts = parts
  }

  /** Rejects with `not-found` or `document-deleted`. */
  async state(document: DocumentId): Promise<LockState> {
    await this.#parts.reader.head(document)
    return this.#parts.storage.lock(document)
  }

  /**
   * Takes the lock if nobody holds it; `isWanted` is asked right before. Rejects with `not-found`, `document-deleted`
   * or `storage-unavailable`.
   */
  tryAcquire(request: LockRequest, isWanted: () => boolean): Promise<Attempt> {
    const { document } = request
    return this.#rounds(document, async () => {
      // Held in memory, it hears of the lock before anything else can be applied to it.
      const lease = await this.#parts.replicas.lease(document)
      if ('absent' in lease) throw missing(document, lease)
      try {
        return await this.#tryOnce(request, lease.replica, isWanted)
      } finally {
        lease.release()
      }
    })
  }

  async #tryOnce(request: LockRequest, replica: Replica, isWanted: () => boolean): Promise<Attempt | 'again'> {
    const state = await this.#parts.storage.lock(request.document)
    if (replica.ended) return 'again'
    const action = decide(state, { type: 'acquires' })
    if (action.do === 'wait') return { outcome: 'held', lock: action.lock }
    invariant(action.do === 'grant', 'a lock that nobody holds is given')
    return isWanted() ? this.#grant(request, action, replica) : { outcome: 'unwanted' }
  }

  async #grant(
    { document, owner, ttlMs, keep = null }: LockRequest,
    { fence, expired }: Extract<LockAction, { do: 'grant' }>,
    replica: Replica,
  ): Promise<Attempt | 'again'> {
    const { environment, storage } = this.#parts
    const token = newLockToken(environment, fence)
    const holding = { fence, owner, tokenHash: hashLockToken(token), ttlMs }
    const ended = expired ? [documentUnlocked(document, expired, 'expired', null)] : []
    const lapsed = expired !== null
    const write = { op: 'acquire', document, ...holding, lapsed } as const
    // The answer is told before the act, so it cannot name the time at which the database will set it.
    const planned: OwnedLock = { token, fence, owner, expiresAt: environment.now() + ttlMs }
    const answer = keep === null ? null : await keep(planned)
    if (replica.ended) return 'again'
    const result = this.#commit([...ended, documentLocked(document, holding)], write, answer)
    // From this tick on whatever is applied would reach storage behind the lock.
    const expiresAt = environment.now() + ttlMs
    replica.lock.see({ name: 'held', ...holding, expiresAt, remainingMs: ttlMs })
    try {
      const settled = await result
      if (settled.status === 'committed') {
        const lock = answer === null ? { ...planned, expiresAt: expiryOf(settled) } : planned
        return { outcome: 'granted', lock }
      }
    } catch (problem) {
      replica.lock.retract(fence, { name: 'free', fence: fence - 1 })
      throw problem
    }
    replica.lock.retract(fence, await storage.lock(document))
    return 'again'
  }

  /** Gives the lock of this token `ttlMs` from now on, null: as much as it was given last. Rejects with `lock-lost`. */
  renew(
    document: DocumentId,
    token: string,
    ttlMs: number | null,
    keep: Keep<OwnedLock> | null = null,
  ): Promise<OwnedLock> {
    return this.#rounds(document, async () => {
      const action = await this.#decide(document, { type: 'renews', tokenHash: hashLockToken(token) })
      invariant(action.do === 'renew', 'what is not refused is renewed')
      const { fence, owner } = action.lock
      const write = { op: 'renew', document, fence, ttlMs: ttlMs ?? action.lock.ttlMs } as const
      const planned: OwnedLock = { token, fence, owner, expiresAt: this.#parts.environment.now() + write.ttlMs }
      const answer = keep === null ? null : await keep(planned)
      const result = await this.#commit([], write, answer)
      if (result.status !== 'committed') return 'again'
      await this.see(document)
      return answer === null ? { ...planned, expiresAt: expiryOf(result) } : planned
    })
  }

  /** Ends the lock of this token. Rejects with `lock-lost`. */
  release(document: DocumentId, token: string, by: PrincipalId, keep: Keep<void> | null = null): Promise<void> {
    return this.#end(document, { type: 'releases', tokenHash: hashLockToken(token) }, by, keep)
  }

  /** Ends the lock, whoever holds it. */
  break(document: DocumentId, by: PrincipalId, keep: Keep<void> | null = null): Promise<void> {
    return this.#end(document, { type: 'breaks' }, by, keep)
  }

  /** Writes down that a lock's time is over, if it is. */
  async expire(document: DocumentId): Promise<void> {
    const action = decide(await this.#parts.storage.lock(document), { type: 'time-passes' })
    // Whoever was faster has written it down, or renewed the lock in time.
    if (action.do === 'end') await this.#commitEnd(document, action, null, null)
  }

  /** Reads the lock for the replica in memory, if there is one: somebody has changed it. */
  async see(document: DocumentId): Promise<void> {
    const lease = this.#parts.replicas.leaseLoaded(document)
    if (!lease) return
    try {
      lease.replica.lock.see(await this.#parts.storage.lock(document))
    } finally {
      lease.release()
    }
  }

  #end(document: DocumentId, event: LockEvent, by: PrincipalId, keep: Keep<void> | null): Promise<void> {
    return this.#rounds(document, async () => {
      const action = await this.#decide(document, event)
      if (action.do !== 'end') return undefined
      return (await this.#commitEnd(document, action, by, keep)) ? undefined : 'again'
    })
  }

  async #commitEnd(
    document: DocumentId,
    { lock, reason }: Extract<LockAction, { do: 'end' }>,
    by: PrincipalId | null,
    keep: Keep<void> | null,
  ): Promise<boolean> {
    const told = documentUnlocked(document, lock, reason, reason === 'expired' ? null : by)
    const answer = keep === null ? null : await keep()
    const result = await this.#commit([told], { op: 'end', document, fence: lock.fence }, answer)
    return result.status === 'committed'
  }

  /** What follows of the event for a living document. Throws `lock-lost`. */
  async #decide(document: DocumentId, event: LockEvent): Promise<LockAction> {
    const state = await this.state(document)
    const action = decide(state, event)
    if (action.do !== 'refuse') return action
    throw lockLostProblem(document, state)
  }

  #commit(events: readonly NewEvent[], lock: LockWrite, answer: StoredAnswer | null): Promise<ActResult> {
    const at = this.#parts.environment.now()
    const parts = { at, conflicts: [], contents: new Map(), events, locks: [lock] }
    return this.#parts.committer.commit([], answer === null ? parts : { ...parts, answer })
  }

  async #rounds<T>(document: DocumentId, round: () => Promise<T | 'again'>): Promise<T> {
    for (let tried = 0; tried < MAX_ROUNDS; tried++) {
      const result = await round()
      if (result !== 'again') return result
    }
    throw new ParleyError('overloaded', `The lock of ${document} changes hands too fast just now.`)
  }
}

function expiryOf(result: Extract<ActResult, { status: 'committed' }>): number {
  invariant(result.lockExpiresAt !== undefined, 'an act that takes or renews a lock is told when it expires')
  return result.lockExpiresAt
}
