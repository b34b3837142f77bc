import type { Acts } from '../documents/acts/acts.ts'
import { type CommittedResult, nothing, type Planned } from '../documents/acts/plan.ts'
import type { HeadView } from '../documents/acts/view.ts'
import type { DocumentReader } from '../documents/read.ts'
import type { Absent, Replicas } from '../documents/replicas.ts'
import { missing } from '../documents/planWrite.ts'
import { invariant } from '../foundation/assert.ts'
import { termsOf, type Terms } from '../foundation/answer.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { documentLocked, documentUnlocked } from '../model/events.ts'
import { decide, type HeldLock, type LockAction, type LockEvent, type LockState } from '../model/lock.ts'
import { lockLostProblem } from '../model/lockRefusal.ts'
import { hashLockToken, type LockAsking, newLockToken, type RepeatableLockTokens } from '../model/lockToken.ts'
import type { LockReads } from '../storage/locks.ts'

export interface LockParts {
  readonly storage: LockReads
  readonly acts: Acts
  readonly replicas: Replicas
  readonly reader: DocumentReader
  readonly environment: Environment
  readonly repeatable: RepeatableLockTokens
}

export interface LockRequest {
  readonly document: DocumentId
  readonly owner: PrincipalId
  readonly ttlMs: number
  /** Renders the answer that is stored with the lock (SPEC WRITE-8). */
  readonly terms?: Terms<OwnedLock> | null
  /** Of the request, where a repeat of it is to get the same token. */
  readonly idempotencyKey?: string | null
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
export type LockAttempt =
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
  tryAcquire(request: LockRequest, isWanted: () => boolean): Promise<LockAttempt> {
    const { document, terms = null } = request
    // Held in memory, it hears of the lock before anything else can be applied to it.
    return this.#parts.acts.perform(
      [document],
      async ([found], at) => {
        const view = present(document, found)
        const action = decide(await view.lock(), { type: 'acquires' })
        if (action.do === 'wait') return { outcome: { outcome: 'held', lock: action.lock }, plans: [] }
        invariant(action.do === 'grant', 'a lock that nobody holds is given')
        return isWanted() ? this.#granting(request, action, view, at) : { outcome: { outcome: 'unwanted' }, plans: [] }
      },
      termsOf(terms, lockOf),
    )
  }

  #granting(
    { document, owner, ttlMs, terms = null, idempotencyKey = null }: LockRequest,
    { fence, expired }: Extract<LockAction, { do: 'grant' }>,
    view: HeadView,
    at: number,
  ): Planned<LockAttempt> {
    const { environment, repeatable } = this.#parts
    const token =
      idempotencyKey === null
        ? newLockToken(environment, fence)
        : repeatable.tokenOf({ document, owner, idempotencyKey }, fence)
    const holding = { fence, owner, tokenHash: hashLockToken(token), ttlMs }
    const ended = expired ? [documentUnlocked(document, expired, 'expired', null)] : []
    const lock = { op: 'acquire', document, ...holding, lapsed: expired !== null } as const
    // The answer is told before the act, so it cannot name the time at which the database will set it.
    const owned: OwnedLock = { token, fence, owner, expiresAt: at + ttlMs }
    return {
      outcome: { outcome: 'granted', lock: owned },
      plans: [{ ...nothing(view), lock, events: [...ended, documentLocked(document, holding)] }],
      ...(!terms?.keep ? { onDisk: (result) => ({ outcome: 'granted', lock: withExpiry(owned, result) }) } : {}),
    }
  }

  /** The token of a lock that was asked for with a key, from its fence and hash. Throws `lock-lost` after a change of the secret. */
  tokenAgain(asking: LockAsking, fence: number, hash: string): string {
    const token = this.#parts.repeatable.tokenOf(asking, fence)
    if (hashLockToken(token) === hash) return token
    throw new ParleyError('lock-lost', 'The secret of the server has changed since: the token cannot be told again.')
  }

  /** Gives the lock of this token `ttlMs` from now on, null: as much as it was given last. Rejects with `lock-lost`. */
  async renew(
    document: DocumentId,
    token: string,
    ttlMs: number | null,
    terms: Terms<OwnedLock> | null = null,
  ): Promise<OwnedLock> {
    const renewed = await this.#parts.acts.performUnloaded(
      document,
      async (found, at) => {
        const { view, action } = await decided(document, found, { type: 'renews', tokenHash: hashLockToken(token) })
        invariant(action.do === 'renew', 'what is not refused is renewed')
        const { fence, owner } = action.lock
        const lock = { op: 'renew', document, fence, ttlMs: ttlMs ?? action.lock.ttlMs } as const
        const owned: OwnedLock = { token, fence, owner, expiresAt: at + lock.ttlMs }
        return {
          outcome: owned,
          plans: [{ ...nothing(view), lock }],
          ...(!terms?.keep ? { onDisk: (result: CommittedResult) => withExpiry(owned, result) } : {}),
        }
      },
      terms,
    )
    await this.see(document)
    return renewed
  }

  /** Ends the lock of this token. Rejects with `lock-lost`. */
  release(document: DocumentId, token: string, by: PrincipalId, terms: Terms<void> | null = null): Promise<void> {
    return this.#end(document, { type: 'releases', tokenHash: hashLockToken(token) }, by, terms)
  }

  /** Ends the lock, whoever holds it. */
  break(document: DocumentId, by: PrincipalId, terms: Terms<void> | null = null): Promise<void> {
    return this.#end(document, { type: 'breaks' }, by, terms)
  }

  /** Writes down that a lock's time is over, if it is. */
  expire(document: DocumentId): Promise<void> {
    // Whoever was faster has written it down, or renewed the lock in time.
    return this.#end(document, { type: 'time-passes' }, null, null)
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

  #end(document: DocumentId, event: LockEvent, by: PrincipalId | null, terms: Terms<void> | null): Promise<void> {
    return this.#parts.acts.performUnloaded(
      document,
      async (found) => {
        const { view, action } = await decided(document, found, event)
        if (action.do !== 'end') return { outcome: undefined, plans: [] }
        const { lock, reason } = action
        const told = documentUnlocked(document, lock, reason, reason === 'expired' ? null : by)
        const write = { op: 'end', document, fence: lock.fence } as const
        return { outcome: undefined, plans: [{ ...nothing(view), lock: write, events: [told] }] }
      },
      terms,
    )
  }
}

/** What follows of the event for a living document. Throws `lock-lost`. */
async function decided(
  document: DocumentId,
  found: HeadView | Absent,
  event: LockEvent,
): Promise<{ readonly view: HeadView; readonly action: LockAction }> {
  const view = present(document, found)
  const state = await view.lock()
  const action = decide(state, event)
  if (action.do === 'refuse') throw lockLostProblem(document, state)
  return { view, action }
}

function present<Shown extends HeadView>(document: DocumentId, found: Shown | Absent | undefined): Shown {
  invariant(found !== undefined, 'the document that was named is shown')
  if ('absent' in found) throw missing(document, found)
  return found
}

function lockOf(attempt: LockAttempt | ParleyError): OwnedLock | ParleyError {
  if (attempt instanceof ParleyError) return attempt
  invariant(attempt.outcome === 'granted', 'only a lock that is taken is stored')
  return attempt.lock
}

function withExpiry(lock: OwnedLock, { lockExpiresAt }: CommittedResult): OwnedLock {
  invariant(lockExpiresAt !== undefined, 'an act that takes or renews a lock is told when it expires')
  return { ...lock, expiresAt: lockExpiresAt }
}
