/**
 * The lock of a document: what it can be, what can happen to it, and what follows (SPEC LOCK-1 to LOCK-4). Pure.
 * Storage says which state a lock is in, by its own clock; the state here holds no clock.
 */
import { assertNever } from '../foundation/assert.ts'
import type { LockHash, PrincipalId } from '../foundation/ids.ts'

/** What somebody holds, or held until it expired. */
interface Holding {
  /** Grows with every lock of the document. */
  readonly fence: number
  readonly owner: PrincipalId
  readonly tokenHash: LockHash
  readonly ttlMs: number
  /** Milliseconds since the epoch, by the database host's clock. */
  readonly expiresAt: number
}

/** Nobody holds it. `fence` is the last one given, 0 where it was never locked. */
export interface FreeLock {
  readonly name: 'free'
  readonly fence: number
}
export interface HeldLock extends Holding {
  readonly name: 'held'
  /** What it still had to live when it was read, milliseconds. */
  readonly remainingMs: number
}
/** Its time is over, but nobody has written down its end yet. Bars nobody. */
export interface LapsedLock extends Holding {
  readonly name: 'lapsed'
}
export type LockState = FreeLock | HeldLock | LapsedLock

/** What a writer shows of a lock. */
export type LockPass =
  /** A request: with a token it stands only while that token's lock is held, without one only while none is. */
  | { readonly by: 'request'; readonly tokenHash: LockHash | null }
  /** A live edit: it stands while nobody else holds the lock. */
  | { readonly by: 'edit'; readonly principal: PrincipalId; readonly tokenHash: LockHash | null }

export type EndReason = 'released' | 'broken' | 'expired' | 'deleted'

export type LockEvent =
  | { readonly type: 'acquires' }
  | { readonly type: 'renews'; readonly tokenHash: LockHash }
  | { readonly type: 'releases'; readonly tokenHash: LockHash }
  /** By one with `admin`. */
  | { readonly type: 'breaks' }
  | { readonly type: 'time-passes' }
  /** The document is being deleted, by one whose pass was checked. */
  | { readonly type: 'document-ends' }
  | { readonly type: 'writes'; readonly pass: LockPass }

export type LockAction =
  | { readonly do: 'nothing' }
  | { readonly do: 'allow' }
  /** Give it away under `fence`; `expired` is a lock whose end is still to be told. */
  | { readonly do: 'grant'; readonly fence: number; readonly expired: LapsedLock | null }
  | { readonly do: 'wait'; readonly lock: HeldLock }
  | { readonly do: 'renew'; readonly lock: HeldLock }
  | { readonly do: 'end'; readonly lock: HeldLock | LapsedLock; readonly reason: EndReason }
  | { readonly do: 'refuse'; readonly code: 'locked' | 'lock-lost' }

/** What follows when something happens to a lock in this state. */
export function decide(state: LockState, event: LockEvent): LockAction {
  switch (event.type) {
    case 'acquires':
      return acquire(state)
    case 'renews':
      return isHeldWith(state, event.tokenHash) ? { do: 'renew', lock: state } : LOST
    case 'releases':
      return isHeldWith(state, event.tokenHash) ? { do: 'end', lock: state, reason: 'released' } : LOST
    case 'breaks':
      return end(state, 'broken')
    case 'time-passes':
      return state.name === 'lapsed' ? end(state, 'expired') : { do: 'nothing' }
    case 'document-ends':
      return end(state, 'deleted')
    case 'writes':
      return write(state, event.pass)
    default:
      return assertNever(event)
  }
}

const LOST = { do: 'refuse', code: 'lock-lost' } as const

function acquire(state: LockState): LockAction {
  switch (state.name) {
    case 'free':
      return { do: 'grant', fence: state.fence + 1, expired: null }
    case 'lapsed':
      return { do: 'grant', fence: state.fence + 1, expired: state }
    case 'held':
      return { do: 'wait', lock: state }
    default:
      return assertNever(state)
  }
}

function end(state: LockState, reason: EndReason): LockAction {
  switch (state.name) {
    case 'free':
      return { do: 'nothing' }
    case 'lapsed':
      return { do: 'end', lock: state, reason: 'expired' }
    case 'held':
      return { do: 'end', lock: state, reason }
    default:
      return assertNever(state)
  }
}

function write(state: LockState, pass: LockPass): LockAction {
  switch (pass.by) {
    case 'request':
      if (pass.tokenHash !== null) return isHeldWith(state, pass.tokenHash) ? { do: 'allow' } : LOST
      return state.name === 'held' ? { do: 'refuse', code: 'locked' } : { do: 'allow' }
    case 'edit':
      if (state.name !== 'held' || state.owner === pass.principal) return { do: 'allow' }
      return state.tokenHash === pass.tokenHash ? { do: 'allow' } : { do: 'refuse', code: 'locked' }
    default:
      return assertNever(pass)
  }
}

const isHeldWith = (state: LockState, tokenHash: LockHash): state is HeldLock =>
  state.name === 'held' && state.tokenHash === tokenHash
