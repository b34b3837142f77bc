import type { Environment, Timer } from '../foundation/environment.ts'
import type { ParleyError } from '../foundation/problems.ts'
import type { Principal, TokenWatch } from './access.ts'
import { tokenRefused } from './bearer.ts'
import type { Revocations } from './revocations.ts'

/** Who waits is looked at this often for tokens that expire; revocations are heard of at once. */
const LOOK_MS = 1_000

interface Waiter {
  readonly principal: Principal
  readonly end: (why: ParleyError) => void
}

/** Tokens that were verified once, and everybody who waits by the right of one: as many as requests that are open. */
export class WatchedTokens implements TokenWatch {
  readonly #environment: Environment
  readonly #revocations: Pick<Revocations, 'isRevoked'>
  readonly #waiting = new Set<Waiter>()
  #timer: Timer | null = null

  constructor(environment: Environment, revocations: Pick<Revocations, 'isRevoked' | 'onRevoked'>) {
    this.#environment = environment
    this.#revocations = revocations
    revocations.onRevoked(() => this.#look())
  }

  problemOf(principal: Principal): ParleyError | null {
    if (this.#environment.now() >= principal.expiresAt * 1_000) return tokenRefused('The token has expired')
    return this.#revocations.isRevoked(principal) ? tokenRefused('The token was revoked') : null
  }

  whileWaiting(principal: Principal, end: (why: ParleyError) => void): () => void {
    const waiting = { principal, end }
    this.#waiting.add(waiting)
    // It runs on while requests come and go, and ends by itself.
    if (this.#timer === null) this.#timer = this.#lookLater()
    return () => void this.#waiting.delete(waiting)
  }

  #look(): void {
    for (const waiting of this.#waiting) {
      const why = this.problemOf(waiting.principal)
      if (why === null) continue
      this.#waiting.delete(waiting)
      waiting.end(why)
    }
  }

  #lookLater(): Timer {
    return this.#environment.after(LOOK_MS, () => {
      this.#look()
      this.#timer = this.#waiting.size === 0 ? null : this.#lookLater()
    })
  }
}
