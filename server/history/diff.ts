/**
 * What differs between two versions of a document, and who made it so. Pure.
 */
import { PointerTrace } from '../content/attribution.ts'
import type { Content, Range, Value } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { changesOf, type Change, type LineChange, type ValueChange } from '../content/merge.ts'
import { TextTrace, type Mark } from '../content/textTrace.ts'

/** A run of lines that differs; the strings are its lines joined by `\n`. */
export interface Hunk {
  readonly lines: { readonly from: Range; readonly to: Range }
  readonly from: string
  readonly to: string
  readonly authors: readonly string[]
}

/** A place of a json content that differs; `pointer` (in the older of the two) and `elements` as in `JsonOverlap`. */
export interface PlaceDiff {
  readonly pointer: string
  readonly elements?: true
  readonly from: Value
  readonly to: Value
  readonly authors: readonly string[]
}

export type Diff = { readonly hunks: readonly Hunk[] } | { readonly changes: readonly PlaceDiff[] }

/** The changes between an older and a newer content, whose authors are found while the effects between them go by. */
export class DiffBuilder {
  readonly #lines: readonly LineChange[]
  readonly #places: readonly ValueChange[]
  readonly #text: TextTrace | null
  readonly #pointers: PointerTrace | null
  readonly #everyone = new Set<string>()
  readonly #isText: boolean

  constructor(older: Content, newer: Content) {
    const changes: readonly Change[] = changesOf(older, newer)
    this.#lines = changes.filter((change): change is LineChange => 'lines' in change)
    this.#places = changes.filter((change): change is ValueChange => 'pointer' in change)
    this.#isText = typeof older === 'string'
    this.#text = typeof older === 'string' && this.#lines.length > 0 ? new TextTrace(older) : null
    this.#pointers = this.#places.length > 0 ? new PointerTrace(this.#places.map((place) => place.pointer)) : null
  }

  /** Nothing differs: no effect need go by. */
  get isEmpty(): boolean {
    return this.#text === null && this.#pointers === null
  }

  apply(effect: Effect, by: Mark): void {
    if (effect === null) return
    this.#everyone.add(by.author)
    if (effect.kind === 'text') this.#text?.apply(effect.delta, by)
    else this.#pointers?.apply(effect.edits, by)
  }

  /** `isBackwards`: from the newer to the older. */
  build(isBackwards: boolean): Diff {
    const turn = <T>(older: T, newer: T): { from: T; to: T } =>
      isBackwards ? { from: newer, to: older } : { from: older, to: newer }
    if (this.#isText) {
      const hunks = this.#lines.map(({ lines, base, side }) => ({
        lines: turn(lines.base, lines.side),
        ...turn(base, side),
        authors: this.#known(this.#text?.authorsOf(lines.side)),
      }))
      return { hunks }
    }
    const changes = this.#places.map(({ pointer, elements, base, side }, index) => ({
      pointer,
      ...(elements ? { elements } : {}),
      ...turn(base, side),
      authors: this.#known(this.#pointers?.authorsOf(index)),
    }))
    return { changes }
  }

  /**
   * Where equal lines or elements are many, the alignment may put a change at another of them than its author did;
   * then it is everyone's who changed anything.
   */
  #known(authors: readonly string[] = []): readonly string[] {
    return authors.length > 0 ? authors : [...this.#everyone]
  }
}
