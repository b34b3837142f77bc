import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Version } from '../foundation/ids.ts'

/** Own entries remembered until the page has seen what came before them; the line would have to be silent for long. */
const MAX_OWN = 1_000
/** Questions on their way at one time; the oldest is dropped, whose answer then tells nothing. */
const MAX_QUESTIONS = 64

export const NO_VERSIONS: ReadonlySet<Version> = new Set()

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

interface Facts {
  readonly seen: Version
  readonly sent: Version
  readonly questions: readonly Question[]
  readonly nextQuestion: number
  /** The same as in a question, of what was sent after the newest one. */
  readonly unseen: Unseen | null
  readonly own: readonly Version[]
}

/**
 * What the page of one session has seen of its document (SPEC CONF-6): what was sent to it before the newest question that
 * it answered. A value: whatever happens makes another. Time and versions come from outside.
 */
export class SeenVersions {
  readonly #facts: Facts

  private constructor(facts: Facts) {
    this.#facts = facts
  }

  /** The page has, or is being sent, everything up to a version. */
  static upTo(seen: Version): SeenVersions {
    return new SeenVersions({ seen, sent: seen, questions: [], nextQuestion: 1, unseen: null, own: [] })
  }

  /** It has, or is being sent, everything up to a version; what it was asked before counts for nothing. */
  begins(seen: Version): SeenVersions {
    return this.#with({ seen, sent: seen, questions: [], unseen: null, own: [] })
  }

  /** The newest version up to which the page has everything. */
  get seenUpTo(): Version {
    const unseen = this.#oldestUnseen
    if (unseen === null) return this.#facts.sent
    return unseen.after > this.#facts.seen ? unseen.after : this.#facts.seen
  }

  /** The newest version that was sent to it. */
  get sentUpTo(): Version {
    return this.#facts.sent
  }

  /** When the oldest entry of another went out that the page may not have; null where there is none. */
  get unseenSinceMs(): number | null {
    return this.#oldestUnseen?.sinceMs ?? null
  }

  /** Whether something went out that no question covers yet. */
  get hasUnasked(): boolean {
    return this.#facts.unseen !== null
  }

  /** Whether a question is on its way. */
  get isAsked(): boolean {
    return this.#facts.questions.length > 0
  }

  /** The number of the question that is asked next. */
  get nextQuestion(): number {
    return this.#facts.nextQuestion
  }

  /** An entry is sent to the page; `isOwn`: it came from there. */
  sent(version: Version, isOwn: boolean, nowMs: number): SeenVersions {
    return this.allSent([version], isOwn ? new Set([version]) : NO_VERSIONS, nowMs)
  }

  /** Entries are sent to the page, oldest first; `ownOnes` came from there. */
  allSent(versions: readonly Version[], ownOnes: ReadonlySet<Version>, nowMs: number): SeenVersions {
    let { sent, unseen, own } = this.#facts
    const newest = versions.at(-1)
    // To most of a crowd all of them are others', and need not be gone through.
    if (newest !== undefined && ownOnes.size === 0)
      return this.#with({ sent: newest, unseen: unseen ?? { after: sent, sinceMs: nowMs } })
    for (const version of versions) {
      if (!ownOnes.has(version)) unseen ??= { after: sent, sinceMs: nowMs }
      else if (own.length < MAX_OWN) own = [...own, version]
      sent = version
    }
    return this.#with({ sent, unseen, own })
  }

  /** The next question is sent now. */
  asked(): SeenVersions {
    const { nextQuestion, sent, unseen } = this.#facts
    const questions = [...this.#facts.questions, { id: nextQuestion, upTo: sent, unseen }]
    const kept = questions.length > MAX_QUESTIONS ? withoutOldest(questions) : questions
    return this.#with({ questions: kept, nextQuestion: nextQuestion + 1, unseen: null })
  }

  /** The page answered a question; unknown numbers tell nothing. */
  answered(id: number): SeenVersions {
    const index = this.#facts.questions.findIndex((question) => question.id === id)
    const question = this.#facts.questions[index]
    if (!question) return this
    const questions = this.#facts.questions.slice(index + 1)
    const { upTo } = question
    if (upTo <= this.#facts.seen) return this.#with({ questions })
    return this.#with({ questions, seen: upTo, own: this.#facts.own.filter((own) => own > upTo) })
  }

  knowledge(): Knowledge {
    return { by: 'versions', seen: this.#facts.seen, own: this.#facts.own }
  }

  get #oldestUnseen(): Unseen | null {
    for (const { unseen } of this.#facts.questions) if (unseen !== null) return unseen
    return this.#facts.unseen
  }

  #with(changed: Partial<Facts>): SeenVersions {
    return new SeenVersions({ ...this.#facts, ...changed })
  }
}

/** What the oldest covered, the next one covers too. */
function withoutOldest([first, second, ...rest]: readonly Question[]): readonly Question[] {
  return first && second ? [{ ...second, unseen: first.unseen ?? second.unseen }, ...rest] : []
}
