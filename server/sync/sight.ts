import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Version } from '../foundation/ids.ts'

/** Own entries remembered until the client has seen what came before them; the line would have to be silent for long. */
const MAX_OWN = 1_000
/** Marks on their way at one time; the oldest is dropped, whose answer then tells nothing. */
const MAX_MARKS = 64

/** Something that was sent to the client and that it answers: then it has seen all that was sent before. */
interface Mark {
  readonly id: number
  readonly upTo: Version
  /** When the oldest entry of another went out that it covers and the one before does not; null for none. */
  readonly unseenSinceMs: number | null
}

/**
 * What one session has seen of its document (SPEC CONF-6): what was sent to it before the newest mark that it
 * answered. Pure: time and versions come from outside.
 */
export class Sight {
  #seen: Version
  #sent: Version
  #marks: Mark[] = []
  #nextMark = 1
  /** The same as in a mark, of what was sent after the newest one. */
  #unseenSinceMs: number | null = null
  #own: Version[] = []

  /** The client has, or is being sent, everything up to a version. */
  constructor(seen: Version) {
    this.#seen = seen
    this.#sent = seen
  }

  /** The newest version that was sent to the client. */
  get sentUpTo(): Version {
    return this.#sent
  }

  /** When the oldest entry of another went out that the client may not have seen; null where there is none. */
  get unseenSinceMs(): number | null {
    for (const mark of this.#marks) if (mark.unseenSinceMs !== null) return mark.unseenSinceMs
    return this.#unseenSinceMs
  }

  /** Whether something went out that no mark covers yet. */
  get needsMark(): boolean {
    return this.#unseenSinceMs !== null
  }

  /** An entry is sent to the client; `own`: it came from the client itself. */
  sent(version: Version, own: boolean, nowMs: number): void {
    this.#sent = version
    if (!own) this.#unseenSinceMs ??= nowMs
    else if (this.#own.length < MAX_OWN) this.#own.push(version)
  }

  /** A mark is sent now; the answer names its id. */
  mark(): number {
    const id = this.#nextMark
    this.#nextMark += 1
    this.#marks.push({ id, upTo: this.#sent, unseenSinceMs: this.#unseenSinceMs })
    this.#unseenSinceMs = null
    if (this.#marks.length > MAX_MARKS) this.#dropOldest()
    return id
  }

  /** The client answered a mark; unknown ids tell nothing. */
  answered(id: number): void {
    const index = this.#marks.findIndex((mark) => mark.id === id)
    const mark = this.#marks[index]
    if (!mark) return
    this.#marks.splice(0, index + 1)
    this.sawUpTo(mark.upTo)
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

  #dropOldest(): void {
    const [first, second] = this.#marks
    if (!first || !second) return
    const unseenSinceMs = first.unseenSinceMs ?? second.unseenSinceMs
    this.#marks.splice(0, 2, { ...second, unseenSinceMs })
  }
}
