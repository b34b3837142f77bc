import type { Environment, Timer } from '../foundation/environment.ts'
import type { Member } from './member.ts'

/** A window has room for so many marks: what was seen is known to a quarter of it. */
const MARKS_PER_WINDOW = 4
/** Nor more often: a ping with every keystroke would cost as much as the keystroke. */
const MAX_MARK_SPACING_MS = 500

/** Pings the sessions of a room that were sent what no ping covers yet, soon but not too often. */
export class Marking {
  readonly #environment: Environment
  readonly #spacingMs: number
  readonly #members: () => Iterable<Member>
  #timer: Timer | null = null

  /** `windowMs`: of CONF-7. */
  constructor(environment: Environment, windowMs: number, members: () => Iterable<Member>) {
    this.#environment = environment
    this.#spacingMs = Math.min(MAX_MARK_SPACING_MS, windowMs / MARKS_PER_WINDOW)
    this.#members = members
  }

  soon(): void {
    this.#timer ??= this.#environment.after(this.#spacingMs, () => {
      this.#timer = null
      for (const member of this.#members()) {
        if (member.presence?.sight.needsMark) member.mark(member.presence.sight.mark())
      }
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
