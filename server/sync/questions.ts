import type { Environment, Timer } from '../foundation/environment.ts'
import type { Member } from './member.ts'

/** What was sent is proved within a window: a question goes out in its first half, the other is for the way. */
const QUESTIONS_PER_WINDOW = 2
/** Nor more often: in a room of many who look on, questions would cost as much as what they are about. */
const MAX_SPACING_MS = 1_000
/** What comes within a twentieth of the spacing after a first entry shares its question. */
const GATHERING = 1 / 20

/** Has the sessions of a room asked for proof of what they were sent, soon but not too often. */
export class Questions {
  readonly #environment: Environment
  readonly #spacingMs: number
  readonly #members: () => Iterable<Member>
  readonly #ask: (member: Member) => void
  #timer: Timer | null = null
  #lastMs = Number.NEGATIVE_INFINITY

  /** `windowMs`: of CONF-7. */
  constructor(
    environment: Environment,
    windowMs: number,
    members: () => Iterable<Member>,
    ask: (member: Member) => void,
  ) {
    this.#environment = environment
    this.#spacingMs = Math.min(MAX_SPACING_MS, windowMs / QUESTIONS_PER_WINDOW)
    this.#members = members
    this.#ask = ask
  }

  soon(): void {
    if (this.#timer) return
    const nextMs = this.#lastMs + this.#spacingMs - this.#environment.monotonicMs()
    this.#timer = this.#environment.after(Math.max(this.#spacingMs * GATHERING, nextMs), () => {
      this.#timer = null
      this.#lastMs = this.#environment.monotonicMs()
      for (const member of [...this.#members()]) this.#ask(member)
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
