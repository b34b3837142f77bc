/** One of those who wait for each other at a meeting. */
export interface Attendee {
  /** Resolves once all are there and it is done. */
  arrive(): Promise<void>
  /** Nobody waits for this one any more. */
  stayAway(): void
}

/** Where so many wait for each other, and something is done once when all are there. */
export class Meeting {
  readonly #act: () => Promise<void>
  #missing: number
  #finish: (done: Promise<void>) => void = () => undefined
  readonly #done: Promise<void>

  constructor(count: number, act: () => Promise<void>) {
    this.#missing = count
    this.#act = act
    this.#done = new Promise((resolve) => (this.#finish = resolve))
    this.#done.catch(() => undefined)
  }

  attendee(): Attendee {
    let isCounted = false
    const stayAway = (): void => {
      if (isCounted) return
      isCounted = true
      this.#missing -= 1
      if (this.#missing === 0) this.#finish(this.#act())
    }
    return {
      stayAway,
      arrive: () => {
        stayAway()
        return this.#done
      },
    }
  }
}
