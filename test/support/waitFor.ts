const LIMIT_MS = 10_000

/** A bound on waiting for something that is told by promises. */
export class WaitLimit {
  readonly #timer: NodeJS.Timeout
  readonly #late: Promise<never>

  constructor(what: () => string, limitMs = LIMIT_MS) {
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

/** Waits until a condition holds that nothing announces, looking at every turn of the event loop. */
export async function waitUntil(condition: () => boolean, what = String(condition)): Promise<void> {
  const limit = new WaitLimit(() => what)
  while (!condition()) await limit.race(new Promise<void>((resolve) => setImmediate(resolve)))
  limit.end()
}
