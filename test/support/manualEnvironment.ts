import type { Environment, Timer } from '../../server/foundation/environment.ts'

interface Scheduled {
  readonly dueMs: number
  readonly order: number
  readonly task: () => void
}

/** Lets every promise that can settle without a timer settle. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** An environment whose clock stands still until a test moves it, and whose randomness follows from a seed. */
export class ManualEnvironment implements Environment {
  #nowMs: number
  #random: number
  #order = 0
  readonly #timers = new Set<Scheduled>()

  constructor(nowMs = Date.UTC(2026, 10, 22), seed = 1) {
    this.#nowMs = nowMs
    this.#random = seed
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): Timer {
    const scheduled = { dueMs: this.#nowMs + delayMs, order: this.#order++, task }
    this.#timers.add(scheduled)
    return { cancel: () => void this.#timers.delete(scheduled) }
  }

  randomBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => {
      this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
      return this.#random >>> 24
    })
  }

  /** Moves the clock, running every timer that falls due at its time, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms
    await settled()
    for (let next = this.#next(until); next !== null; next = this.#next(until)) {
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.task()
      await settled()
    }
    this.#nowMs = until
  }

  /** Moves the clock as a host does that was suspended: no timer runs. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  #next(until: number): Scheduled | null {
    let next: Scheduled | null = null
    for (const one of this.#timers) {
      if (one.dueMs > until) continue
      if (next === null || one.dueMs < next.dueMs || (one.dueMs === next.dueMs && one.order < next.order)) next = one
    }
    return next
  }
}
