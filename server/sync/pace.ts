import type { Environment } from '../foundation/environment.ts'
import { yieldTurn } from '../foundation/turns.ts'

/** Of the time of the process, a room takes at most one part of so many for telling everybody what is new … */
const SHARE = 8
/** … as long as nobody waits for more than this, which a person does not see … */
const MAX_GATHERING_MS = 50
/** … nor for less than this, which is a room of some seventy: in a smaller one a keystroke goes on at once. */
const MIN_GATHERING_MS = 5

/**
 * When everybody in a room is told what is new: entries, and who is here. It goes out together, encoded once, and written once to
 * each socket, which is what costs in a crowd. What is alone does not wait for others; where there are many readers, the
 * next is gathered for seven times as long as it took to tell the last.
 */
export class Pace {
  readonly #environment: Environment
  readonly #tell: () => void
  #isDue = false
  #isTelling = false
  /** When it may be told next, by the monotonic clock. */
  #nextMs = Number.NEGATIVE_INFINITY

  constructor(environment: Environment, tell: () => void) {
    this.#environment = environment
    this.#tell = tell
  }

  /** There is something new; also while others are told. */
  soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    if (!this.#isTelling) this.#schedule()
  }

  /** It is told at once, if there is anything. */
  now(): void {
    if (!this.#isDue) return
    this.#isDue = false
    this.#isTelling = true
    const startMs = this.#environment.monotonicMs()
    this.#tell()
    const endMs = this.#environment.monotonicMs()
    this.#isTelling = false
    this.#nextMs = endMs + Math.min((SHARE - 1) * (endMs - startMs), MAX_GATHERING_MS)
    if (this.#isDue) this.#schedule()
  }

  #schedule(): void {
    const waitMs = this.#nextMs - this.#environment.monotonicMs()
    if (waitMs >= MIN_GATHERING_MS) this.#environment.after(waitMs, () => this.now())
    else void yieldTurn().then(() => this.now())
  }
}
