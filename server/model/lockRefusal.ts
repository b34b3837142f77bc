import { toTimestamp } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { HeldLock, LockState } from './lock.ts'

/**
 * The 423 of whoever meets a held lock (SPEC LOCK-1, LOCK-2). `queuePosition` is the place in the line for it, 1
 * being the next, that the request had, or would have had if it had asked to wait.
 */
export function lockedProblem(document: DocumentId, lock: HeldLock, queuePosition: number): ParleyError {
  return new ParleyError('locked', `${document} is locked by ${lock.owner}.`, {
    extras: { ...holderOf(lock), queuePosition },
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(lock.remainingMs / 1_000))) },
  })
}

/** The 423 of a token whose lock has expired, was ended or has passed on; names whoever holds it now. */
export function lockLostProblem(document: DocumentId, state: LockState): ParleyError {
  const extras = state.name === 'held' ? holderOf(state) : {}
  return new ParleyError('lock-lost', `This Lock-Token does not hold the lock of ${document} any more.`, { extras })
}

const holderOf = (lock: HeldLock): Record<string, unknown> => ({
  owner: lock.owner,
  expiresAt: toTimestamp(lock.expiresAt),
})
