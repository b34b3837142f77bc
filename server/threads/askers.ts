/** A question with what becomes of it. */
export interface Waiting<Question, Answer> {
  readonly question: Question
  readonly by: string
  readonly resolve: (answer: Answer) => void
  readonly reject: (problem: unknown) => void
  /** The thread that worked on it ended: it is asked with no other question beside it. */
  isRepeat: boolean
  /** The answer on its way is not to be told. */
  isStale: boolean
  /** Nobody waits for the answer any more. */
  isGone: boolean
}

/** Questions of one asker that wait: about as many as a page asks at once. */
const MAX_OF_ONE = 100
/** Of all: with questions of 10 MiB there is still room for the rest of the server. */
const MAX_IN_ALL = 2_000

/** Who asks waits in a line of their own; the lines have turns, and each has one question answered at a time. */
export class Askers<Question, Answer> {
  readonly #byAsker = new Map<string, Waiting<Question, Answer>[]>()
  readonly #served = new Set<string>()
  #size = 0

  /** False where too many wait. */
  add(waiting: Waiting<Question, Answer>): boolean {
    const line = this.#byAsker.get(waiting.by) ?? []
    if (line.length >= MAX_OF_ONE || this.#size >= MAX_IN_ALL) return false
    this.#byAsker.set(waiting.by, line)
    line.push(waiting)
    this.#size += 1
    return true
  }

  /** The next whose asker is not being served. */
  peek(): Waiting<Question, Answer> | null {
    for (const [by, [first]] of this.#byAsker) if (first !== undefined && !this.#served.has(by)) return first
    return null
  }

  /** Its asker is served until it is `done`, and then has a turn behind all others. */
  take(waiting: Waiting<Question, Answer>): void {
    this.remove(waiting)
    this.#served.add(waiting.by)
    const rest = this.#byAsker.get(waiting.by)
    if (rest === undefined) return
    this.#byAsker.delete(waiting.by)
    this.#byAsker.set(waiting.by, rest)
  }

  done({ by }: Waiting<Question, Answer>): void {
    this.#served.delete(by)
  }

  /** False where it does not wait. */
  remove(waiting: Waiting<Question, Answer>): boolean {
    const line = this.#byAsker.get(waiting.by) ?? []
    const index = line.indexOf(waiting)
    if (index < 0) return false
    line.splice(index, 1)
    this.#size -= 1
    if (line.length === 0) this.#byAsker.delete(waiting.by)
    return true
  }

  takeAll(): Waiting<Question, Answer>[] {
    const all = [...this.#byAsker.values()].flat()
    this.#byAsker.clear()
    this.#size = 0
    return all
  }
}
