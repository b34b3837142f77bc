import type { Environment, Timer } from '../../server/foundation/environment.ts'

interface Scheduled {
  readonly dueMs: number
  readonly task: () => void
}

/** Lets every promise that can settle without a timer settle, and what waits for the end of the turn have its turn. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** An environment whose clock stands still until a test moves it, and whose randomness follows from a seed. */
export class ManualEnvironment implements Environment {
  #nowMs: number
  #wallOffsetMs = 0
  #random: number
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
    return this.#nowMs + this.#wallOffsetMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): Timer {
    const scheduled = { dueMs: this.#nowMs + delayMs, task }
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
    for (let next = this.#nextDue(until); next.length > 0; next = this.#nextDue(until)) {
      this.#nowMs = Math.max(this.#nowMs, next[0]?.dueMs ?? 0)
      // One of them may cancel another.
      for (const one of next) if (this.#timers.delete(one)) one.task()
      await settled()
    }
    // What ran may have taken longer.
    this.#nowMs = Math.max(this.#nowMs, until)
  }

  /** Moves the clock as a host does that was suspended: no timer runs. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /** Sets the wall clock forward or back, as an operator or a time server does; the monotonic one goes on. */
  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** The timers that fall due first, at the same time, in the order they were set. */
  #nextDue(until: number): readonly Scheduled[] {
    let dueMs = until
    for (const one of this.#timers) dueMs = Math.min(dueMs, one.dueMs)
    return [...this.#timers].filter((one) => one.dueMs <= dueMs)
  }
}
