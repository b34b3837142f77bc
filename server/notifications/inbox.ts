import type { Environment } from '../foundation/environment.ts'

export interface InboxLimits {
  readonly framesAtOnce: number
  readonly framesPerSecond: number
  /** Of frames that wait for one before them, as for a token to be verified. */
  readonly waitingBytes: number
}

/** Works on the frames of one client one after the other, however long one takes, and bounds how many come. */
export class Inbox {
  readonly #environment: Environment
  readonly #limits: InboxLimits
  readonly #waiting: { readonly bytes: number; readonly work: () => Promise<void> }[] = []
  #waitingBytes = 0
  #working = false
  /** A token bucket: what may still come at once, as of `#refilledMs`. */
  #allowance: number
  #refilledMs: number

  constructor(environment: Environment, limits: InboxLimits) {
    this.#environment = environment
    this.#limits = limits
    this.#allowance = limits.framesAtOnce
    this.#refilledMs = environment.monotonicMs()
  }

  /** Does the work when its turn comes; false if that is too much, and it will not be done. `work` must not reject. */
  add(bytes: number, work: () => Promise<void>): boolean {
    if (!this.#takeAllowance() || this.#waitingBytes + bytes > this.#limits.waitingBytes) return false
    this.#waiting.push({ bytes, work })
    this.#waitingBytes += bytes
    if (!this.#working) void this.#workOff()
    return true
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0
    this.#waitingBytes = 0
  }

  #takeAllowance(): boolean {
    const { framesAtOnce, framesPerSecond } = this.#limits
    const now = this.#environment.monotonicMs()
    const refill = ((now - this.#refilledMs) / 1_000) * framesPerSecond
    this.#allowance = Math.min(framesAtOnce, this.#allowance + refill)
    this.#refilledMs = now
    if (this.#allowance < 1) return false
    this.#allowance -= 1
    return true
  }

  async #workOff(): Promise<void> {
    this.#working = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#waitingBytes -= next.bytes
      await next.work()
    }
    this.#working = false
  }
}
