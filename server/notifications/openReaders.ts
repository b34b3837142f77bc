import type { Environment, Timer } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'

/** Deadlines are looked at this often; what is due is at most so late. */
const TICK_MS = 1_000

/** A reader that stays: a socket or a stream. */
export interface OpenReader {
  /** Resolves once nothing of it is left. */
  readonly gone: Promise<void>
  /** Looks at its deadlines; called about once a second. */
  tick(): void
  /** Ends where its token does not count any more. */
  revalidate(): void
}

/** All readers of one kind: how many there may be, their deadlines, and their end. */
export class OpenReaders<R extends OpenReader> {
  readonly #readers = new Set<R>()
  readonly #environment: Environment
  readonly #limit: number
  readonly #name: string
  #timer: Timer
  #isClosing = false

  /** `name` says what there are too many of, past `limit`. */
  constructor(environment: Environment, limit: number, name: string) {
    this.#environment = environment
    this.#limit = limit
    this.#name = name
    this.#timer = this.#tickLater()
  }

  /** Those that are open, or ending. */
  get size(): number {
    return this.#readers.size
  }

  [Symbol.iterator](): IterableIterator<R> {
    return this.#readers.values()
  }

  /** Throws `shutting-down` or `overloaded` where none can be added. */
  assertRoom(): void {
    if (this.#isClosing) throw new ParleyError('shutting-down', 'The server is stopping.')
    if (this.#readers.size >= this.#limit) throw new ParleyError('overloaded', `There are too many ${this.#name}.`)
  }

  /** Keeps a reader until it is gone. */
  add(reader: R): void {
    this.#readers.add(reader)
    void reader.gone.then(() => this.#readers.delete(reader))
  }

  /** Ends those whose token does not count any more, as after a revocation. */
  revalidate(): void {
    for (const reader of this.#readers) reader.revalidate()
  }

  /** Ends every reader and resolves once all are gone; none can be added any more. */
  async close(end: (reader: R) => void): Promise<void> {
    this.#isClosing = true
    this.#timer.cancel()
    const readers = [...this.#readers]
    for (const reader of readers) end(reader)
    await Promise.all(readers.map((reader) => reader.gone))
  }

  #tickLater(): Timer {
    return this.#environment.after(TICK_MS, () => {
      for (const reader of this.#readers) reader.tick()
      this.#timer = this.#tickLater()
    })
  }
}
