import type { Environment, Timer } from '../foundation/environment.ts'
import type { SessionState } from './session.ts'

/** What was sent is proved within a window: a question goes out in its first half, the other is for the way. */
const QUESTIONS_PER_WINDOW = 2
/** Nor more often: in a room of many who look on, questions would cost as much as what they are about. */
const MAX_SPACING_MS = 1_000
/** What comes within a twentieth of the spacing after a first entry shares its question. */
const GATHERING = 1 / 20
/**
 * Of those who only look on, at a time; more take turns. A question and its answer cost about three deliveries: of 500 who
 * look on while one writes, a tenth at a time cost what they are about a thirtieth more, and all of them a third.
 */
const ASKED_AT_A_TIME = 50
/** However many they are, everybody has had their turn after so many times. */
const MOST_TURNS = 10
/** Who wrote or moved a cursor is likely to write on. */
const LIVELY_MS = 10_000

/** A session as far as it is asked for proof. */
export interface Questioned {
  readonly state: SessionState
  /** When it last wrote, or moved a cursor, by the monotonic clock. */
  livelyMs: number
}

/** Has the sessions of a room asked for proof of what they were sent, soon but not too often. */
export class Questions<M extends Questioned> {
  readonly #environment: Environment
  readonly #spacingMs: number
  readonly #members: () => Iterable<M>
  readonly #ask: (member: M) => void
  #timer: Timer | null = null
  #lastMs = Number.NEGATIVE_INFINITY
  /** Whose turn it is among those who look on, by their place. */
  #turn = 0

  /** `windowMs`: of CONF-7. */
  constructor(environment: Environment, windowMs: number, members: () => Iterable<M>, ask: (member: M) => void) {
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
      if (this.#askSome() > 0) this.soon()
    })
  }

  /** A session wrote, or moved a cursor: it is likely to write on, and takes no turns. */
  enliven(member: M): void {
    member.livelyMs = this.#environment.monotonicMs()
    if (lacksQuestion(member)) this.soon()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Asks whoever may write next, and some of those who look on; answers how many wait for their turn. */
  #askSome(): number {
    const members = [...this.#members()]
    const start = this.#turn % Math.max(members.length, 1)
    let quota = Math.max(ASKED_AT_A_TIME, Math.ceil(members.length / MOST_TURNS))
    let waiting = 0
    for (const [distance, member] of [...members.slice(start), ...members.slice(0, start)].entries()) {
      if (!lacksQuestion(member)) continue
      if (this.#lastMs - member.livelyMs >= LIVELY_MS) {
        if (quota === 0) {
          waiting += 1
          continue
        }
        quota -= 1
        this.#turn = start + distance + 1
      }
      this.#ask(member)
    }
    return waiting
  }
}

/** Whether its page was sent something that it has neither proved nor been asked of. */
function lacksQuestion({ state }: Questioned): boolean {
  if (!('page' in state)) return false
  const { seen, listed } = state.page
  return seen.unseenSinceMs !== null && (!seen.isAsked || listed !== null)
}
