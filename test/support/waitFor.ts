import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { vi } from 'vitest'
import { PATIENCE_MS } from './patience.ts'

/** Between two looks. */
const INTERVAL_MS = 20

/** Waits until an assertion holds; in the end its own failure tells what is missing. Answers what it answers. */
export const eventually = <T>(assertion: () => T | Promise<T>, withinMs = PATIENCE_MS): Promise<T> =>
  vi.waitFor(assertion, { timeout: withinMs, interval: INTERVAL_MS })

/** A bound on waiting for something that is told by promises. */
export class WaitLimit {
  readonly #timer: NodeJS.Timeout
  readonly #late: Promise<never>

  constructor(what: () => string, limitMs = PATIENCE_MS) {
    let giveUp: (error: Error) => void = () => undefined
    this.#late = new Promise<never>((_, reject) => (giveUp = reject))
    this.#late.catch(() => undefined)
    this.#timer = setTimeout(() => giveUp(new Error(`Waited in vain for ${what()}`)), limitMs)
  }

  async race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#late])
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** What takes more turns of the event loop waits for something outside, and whoever looks at each keeps a core busy. */
const TURNS = 100
const PAUSE_MS = 2

/** Waits until a condition holds that nothing announces, looking at every turn of the event loop, and later now and then. */
export async function waitUntil(condition: () => boolean, what = String(condition)): Promise<void> {
  const limit = new WaitLimit(() => what)
  for (let looks = 0; !condition(); looks += 1) {
    await limit.race(looks < TURNS ? nextTurn() : pause(PAUSE_MS))
  }
  limit.end()
}
