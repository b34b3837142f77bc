/**
 * Who last changed each line or value of a content. Pure.
 */
import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { JsonTrace, type PointerBlame } from '../content/jsonTrace.ts'
import type { Mark } from '../content/hands.ts'
import { TextTrace, type LineBlame } from '../content/textTrace.ts'

/** Pointers in one blame together; keys may be as long as contents. */
const MAX_POINTER_CHARACTERS = 4 * 1024 * 1024

export interface Blame {
  readonly places: readonly (LineBlame | PointerBlame)[]
  /** Pointers did not all fit. */
  readonly truncated: boolean
}

/** Follows the effects since a content. */
export class BlameBuilder {
  readonly #text: TextTrace | null
  readonly #json: JsonTrace | null

  constructor(base: Content) {
    this.#text = typeof base === 'string' ? new TextTrace(base) : null
    this.#json = typeof base === 'string' ? null : new JsonTrace(base)
  }

  apply(effect: Effect, by: Mark): void {
    if (effect?.kind === 'text') this.#text?.apply(effect.delta, by)
    if (effect?.kind === 'json') this.#json?.apply(effect.edits, by)
  }

  build(): Blame {
    const json = this.#json?.blame(MAX_POINTER_CHARACTERS)
    if (json) return { places: json.pointers, truncated: json.truncated }
    return { places: this.#text?.blame() ?? [], truncated: false }
  }
}
