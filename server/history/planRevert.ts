/**
 * Which stretches of a log are one author's. Pure.
 */
import type { PrincipalId, Version } from '../foundation/ids.ts'
import type { Effect } from '../content/effect.ts'

/** Consecutive changes of one author, from the content at `after` to the content at `upTo`. */
export interface RevertStretch {
  readonly after: Version
  readonly upTo: Version
}

/** An entry of a log as far as it counts here. */
export interface AuthoredChange {
  readonly version: Version
  readonly author: PrincipalId
  readonly effect: Effect
}

/** Collects the stretches of an author while entries go by, oldest first. Entries without an effect part nothing. */
export class AuthorStretches {
  readonly #author: PrincipalId
  readonly #stretches: RevertStretch[] = []
  #last: Version
  #isOpen = false

  /** `after`: the version before the first entry. */
  constructor(author: PrincipalId, after: Version) {
    this.#author = author
    this.#last = after
  }

  /** Oldest first. */
  get found(): readonly RevertStretch[] {
    return this.#stretches
  }

  add({ version, author, effect }: AuthoredChange): void {
    const isMine = author === this.#author
    if (effect !== null && isMine) {
      const open = this.#isOpen ? this.#stretches.pop() : undefined
      this.#stretches.push({ after: open?.after ?? this.#last, upTo: version })
    }
    if (effect !== null) this.#isOpen = isMine
    this.#last = version
  }
}
