/**
 * What differs between two versions of a document, and who made it so. Pure.
 */
import { Attribution, soughtChanges, type Sought } from '../content/attribution.ts'
import type { Content, Range, Value } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { authorsOf, type Mark } from '../content/hands.ts'
import { changesOf, type LineChange, type ValueChange } from '../content/merge.ts'

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
  readonly #isText: boolean
  readonly #changes: readonly (LineChange | ValueChange)[]
  readonly #sought: readonly Sought[]
  readonly #attribution: Attribution | null

  constructor(older: Content, newer: Content) {
    this.#isText = typeof older === 'string'
    this.#changes = changesOf(older, newer)
    this.#sought = soughtChanges(older, this.#changes)
    this.#attribution = this.#changes.length > 0 ? new Attribution(older) : null
  }

  /** Nothing differs: no effect need go by. */
  get isEmpty(): boolean {
    return this.#attribution === null
  }

  apply(effect: Effect, by: Mark): void {
    this.#attribution?.apply(effect, by)
  }

  /** `isBackwards`: from the newer to the older. */
  build(isBackwards: boolean): Diff {
    const turn = <T>(older: T, newer: T): { from: T; to: T } =>
      isBackwards ? { from: newer, to: older } : { from: older, to: newer }
    const hunks: Hunk[] = []
    const changes: PlaceDiff[] = []
    for (const [index, change] of this.#changes.entries()) {
      const sought = this.#sought[index]
      const authors = sought && this.#attribution ? authorsOf(this.#attribution.handsOf(sought)) : []
      if ('lines' in change) {
        const { lines, base, side } = change
        hunks.push({ lines: turn(lines.base, lines.side), ...turn(base, side), authors })
      } else {
        const { pointer, elements, base, side } = change
        changes.push({ pointer, ...(elements ? { elements } : {}), ...turn(base, side), authors })
      }
    }
    return this.#isText ? { hunks } : { changes }
  }
}
