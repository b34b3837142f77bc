import { invariant } from '../foundation/assert.ts'
import type { Range } from './content.ts'
import type { Effect } from './effect.ts'
import type { JsonEdit } from './jsonEdits.ts'
import { LineHistory } from './lineHistory.ts'
import { parseIndex, parsePointer } from './pointer.ts'

/** An effect with who made it when. `at` is milliseconds since the epoch. */
export interface AttributedEffect {
  readonly version: number
  readonly author: string
  readonly at: number
  readonly effect: Effect
}

/**
 * For each range of lines of the text after all effects: the authors whose effects touched its lines, in the
 * order in which they came. Whoever deleted lines within a range or at either end of it is one of them.
 */
export function attributeLines(
  base: string,
  effects: readonly AttributedEffect[],
  ranges: readonly Range[],
): string[][] {
  const history = new LineHistory(base)
  for (const { effect, author } of effects) {
    invariant(effect?.kind !== 'json', 'lines belong to texts')
    if (effect !== null) history.apply(effect.delta, author)
  }
  return ranges.map((range) => history.authorsOf(range))
}

/**
 * For each pointer the last effect that touched its place, or something above or below it; null for none.
 * Pointers are those of overlaps and changes: their indices are of the content before all effects.
 */
export function attributePointers(
  effects: readonly AttributedEffect[],
  pointers: readonly string[],
): (AttributedEffect | null)[] {
  const places = pointers.map((pointer) => new TrackedPlace(parsePointer(pointer) ?? []))
  for (const attributed of effects) {
    if (attributed.effect?.kind !== 'json') continue
    for (const edit of attributed.effect.edits) for (const place of places) place.follow(edit, attributed)
  }
  return places.map((place) => place.touched ?? place.insertedAt)
}

/** A place of a json content while edits go by. */
class TrackedPlace {
  touched: AttributedEffect | null = null
  /** Who inserted right before it: counts where nothing else touched it, for then it is the insertion. */
  insertedAt: AttributedEffect | null = null
  readonly #tokens: string[]
  #isGone = false

  constructor(tokens: string[]) {
    this.#tokens = tokens
  }

  follow(edit: JsonEdit, by: AttributedEffect): void {
    const depth = edit.at.length
    const meets = edit.at.every((step, i) => i >= this.#tokens.length || String(step) === this.#tokens[i])
    if (this.#isGone || !meets) return
    const index = 'index' in edit ? parseIndex(this.#tokens[depth] ?? '') : null
    if (index === null || !('index' in edit)) this.touched = by
    else if (index >= edit.index) this.#followSplice(edit, depth, index, by)
  }

  /** The place is element `index` of the spliced array, or within it, and not before the splice. */
  #followSplice(splice: Splice, depth: number, index: number, by: AttributedEffect): void {
    const isRemoved = index < splice.index + splice.remove
    if (isRemoved) this.touched = by
    else if (index === splice.index) this.insertedAt = by
    this.#isGone = isRemoved && splice.insert.length === 0
    const moved = isRemoved ? splice.index : index - splice.remove + splice.insert.length
    this.#tokens[depth] = String(moved)
  }
}

type Splice = Extract<JsonEdit, { readonly index: number }>
