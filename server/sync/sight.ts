import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Version } from '../foundation/ids.ts'

/** Own entries remembered until the client has seen what came before them; the line would have to be silent for long. */
const MAX_OWN = 1_000
/** Questions on their way at one time; the oldest is dropped, whose answer then tells nothing. */
const MAX_QUESTIONS = 64

/** What the page has not proved to have, from the oldest entry of another on. */
interface Unseen {
  /** The newest version that was sent before it. */
  readonly after: Version
  /** When it was sent. */
  readonly sinceMs: number
}

/** A question that the page itself answers, in order with what it was sent: then it has all that was sent before. */
interface Question {
  readonly id: number
  readonly upTo: Version
  /** The oldest entry of another that it covers and the one before does not; null for none. */
  readonly unseen: Unseen | null
}

/**
 * What one session has seen of its document (SPEC CONF-6): what was sent to it before the newest question that its page
 * answered. Pure: time and versions come from outside.
 */
export class Sight {
  #seen: Version
  #sent: Version
  #questions: Question[] = []
  #nextId = 1
  /** The same as in a question, of what was sent after the newest one. */
  #unseen: Unseen | null = null
  #own: Version[] = []

  /** The client has, or is being sent, everything up to a version. */
  constructor(seen: Version) {
    this.#seen = seen
    this.#sent = seen
  }

  /** It has, or is being sent, everything up to a version; what it was asked before counts for nothing. */
  begins(seen: Version): void {
    this.#seen = seen
    this.#sent = seen
    this.#questions = []
    this.#unseen = null
    this.#own = []
  }

  /** The newest version up to which the page has everything. */
  get seenUpTo(): Version {
    const unseen = this.#oldestUnseen
    if (unseen === null) return this.#sent
    return unseen.after > this.#seen ? unseen.after : this.#seen
  }

  /** When the oldest entry of another went out that the page may not have; null where there is none. */
  get unseenSinceMs(): number | null {
    return this.#oldestUnseen?.sinceMs ?? null
  }

  /** Whether something went out that no question covers yet. */
  get hasUnasked(): boolean {
    return this.#unseen !== null
  }

  /** Whether a question is on its way. */
  get isAsked(): boolean {
    return this.#questions.length > 0
  }

  /** An entry is sent to the client; `own`: it came from the client itself. */
  sent(version: Version, own: boolean, nowMs: number): void {
    const after = this.#sent
    this.#sent = version
    if (!own) this.#unseen ??= { after, sinceMs: nowMs }
    else if (this.#own.length < MAX_OWN) this.#own.push(version)
  }

  /** A question is sent now; the answer names its id. */
  ask(): number {
    const id = this.#nextId
    this.#nextId += 1
    this.#questions.push({ id, upTo: this.#sent, unseen: this.#unseen })
    this.#unseen = null
    if (this.#questions.length > MAX_QUESTIONS) this.#dropOldest()
    return id
  }

  /** The page answered a question; unknown ids tell nothing. */
  answered(id: number): void {
    const index = this.#questions.findIndex((question) => question.id === id)
    const question = this.#questions[index]
    if (!question) return
    this.#questions.splice(0, index + 1)
    this.sawUpTo(question.upTo)
  }

  /** The client has everything up to a version, however that is known. */
  sawUpTo(version: Version): void {
    if (version <= this.#seen) return
    this.#seen = version
    if (version > this.#sent) this.#sent = version
    this.#own = this.#own.filter((own) => own > version)
  }

  knowledge(): Knowledge {
    return { by: 'versions', seen: this.#seen, own: [...this.#own] }
  }

  get #oldestUnseen(): Unseen | null {
    for (const { unseen } of this.#questions) if (unseen !== null) return unseen
    return this.#unseen
  }

  #dropOldest(): void {
    const [first, second] = this.#questions
    if (!first || !second) return
    this.#questions.splice(0, 2, { ...second, unseen: first.unseen ?? second.unseen })
  }
}
