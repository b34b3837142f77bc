/** What is made one by one, when it is first asked for, and then remembered for whoever asks next. */
export class Remembered<T> implements Iterable<T> {
  readonly #made: T[] = []
  readonly #rest: Iterator<T>

  constructor(all: Iterable<T>) {
    this.#rest = all[Symbol.iterator]()
  }

  *[Symbol.iterator](): Generator<T> {
    for (let n = 0; ; n++) {
      const next = n < this.#made.length ? undefined : this.#rest.next()
      if (next?.done === true) return
      if (next) this.#made.push(next.value)
      const one = this.#made[n]
      if (one === undefined) return
      yield one
    }
  }
}
