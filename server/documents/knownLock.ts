import { assertNever } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import type { LockState } from '../model/lock.ts'

/**
 * A lock as this process last saw it, for what must be decided at once: a live edit, and a write right before it is
 * applied. The row is the truth: storage checks it again, and nobody is refused before it was read.
 */
export class KnownLock {
  readonly #environment: Environment
  readonly #listeners = new Set<() => void>()
  #seen: LockState
  #seenMs: number

  constructor(seen: LockState, environment: Environment) {
    this.#environment = environment
    this.#seen = seen
    this.#seenMs = environment.monotonicMs()
  }

  /** As it is now: one that was held has lapsed once its time is over. */
  get state(): LockState {
    const seen = this.#seen
    if (seen.name !== 'held') return seen
    const remainingMs = seen.remainingMs - (this.#environment.monotonicMs() - this.#seenMs)
    if (remainingMs > 0) return { ...seen, remainingMs }
    const { fence, owner, tokenHash, ttlMs, expiresAt } = seen
    return { name: 'lapsed', fence, owner, tokenHash, ttlMs, expiresAt }
  }

  /** Takes note of a state read from storage, or about to be written. What came before the known one is ignored. */
  see(state: LockState): void {
    if (compare(state, this.#seen) >= 0) this.#set(state)
  }

  /** A lock that was seen too early was not taken after all. */
  retract(fence: number, state: LockState): void {
    if (this.#seen.name === 'held' && this.#seen.fence === fence) this.#set(state)
  }

  /** Called after each `see` and `retract` that counted. Returns how to stop. */
  onSeen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #set(state: LockState): void {
    this.#seen = state
    this.#seenMs = this.#environment.monotonicMs()
    for (const listener of this.#listeners) listener()
  }
}

/** By fence; under one fence a lock is held, lapses, and is free then. */
function compare(a: LockState, b: LockState): number {
  return a.fence - b.fence || stage(a) - stage(b)
}

function stage(state: LockState): number {
  switch (state.name) {
    case 'held':
      return 0
    case 'lapsed':
      return 1
    case 'free':
      return 2
    default:
      return assertNever(state)
  }
}
