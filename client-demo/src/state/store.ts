/** A value that can be watched: what a screen shows is read from stores, and drawn again when one changes. */
export class Store<T> {
  #value: T
  readonly #watchers = new Set<() => void>()

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const watcher of this.#watchers) watcher()
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value))
  }

  /** Calls `watcher` after each change; the answer ends that. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Resolves with the next change, or when there was none for so long. */
  next(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        stop()
        clearTimeout(timer)
        resolve()
      }
      const stop = this.watch(end)
      const timer = setTimeout(end, atMostMs)
    })
  }
}
