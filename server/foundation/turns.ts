/**
 * Lets one task at a time run for each key, in the order of the calls. The line for a key is as long as
 * the requests that wait for it, so it is bounded by the connections the server accepts.
 */
export class Turns<K> {
  readonly #last = new Map<K, Promise<unknown>>()

  take<T>(key: K, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const mine = before.then(task, task)
    this.#last.set(key, mine)
    const tidy = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key)
    }
    mine.then(tidy, tidy)
    return mine
  }

  /** The same for several keys at once: the task runs when it has the turns of all. Whoever takes several names them in one order. */
  takeAll<T>([first, ...rest]: readonly K[], task: () => Promise<T>): Promise<T> {
    if (first === undefined) return task()
    return this.take(first, rest.length === 0 ? task : () => this.takeAll(rest, task))
  }
}

/** Lets everything else that is ready go first: long work calls it between pieces of a few milliseconds. */
export const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
