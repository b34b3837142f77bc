import { invariant } from '../foundation/assert.ts'
import type { Range } from './content.ts'
import type { Effect } from './effect.ts'
import type { JsonEdit } from './jsonEdits.ts'
import { LineHistory } from './lineHistory.ts'
import { parseIndex, parsePointer } from './pointer.ts'
import type { Mark } from './textTrace.ts'

/** An effect with who made it when. */
export interface AttributedEffect extends Mark {
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
export function attributePointers(effects: readonly AttributedEffect[], pointers: readonly string[]): (Mark | null)[] {
  const places = pointers.map((pointer) => new TrackedPlace(parsePointer(pointer) ?? []))
  for (const attributed of effects) {
    if (attributed.effect?.kind !== 'json') continue
    for (const edit of attributed.effect.edits) for (const place of places) place.follow(edit, attributed)
  }
  return places.map((place) => place.last)
}

/** What following the places of one diff may cost, some 200 ms; past it `authorsOf` knows nothing. */
const MAX_FOLLOWED_EDITS = 5_000_000

/** Who touched places of a json content, while effects go by. Pointers as in `attributePointers`. */
export class PointerTrace {
  readonly #places: readonly TrackedPlace[]
  #left = MAX_FOLLOWED_EDITS

  constructor(pointers: readonly string[]) {
    this.#places = pointers.map((pointer) => new TrackedPlace(parsePointer(pointer) ?? []))
  }

  apply(edits: readonly JsonEdit[], by: Mark): void {
    this.#left -= edits.length * this.#places.length
    if (this.#left < 0) return
    for (const edit of edits) for (const place of this.#places) place.follow(edit, by)
  }

  /** Those who touched the place that the pointer with this number names, or inserted there; first come first. */
  authorsOf(index: number): string[] {
    const place = this.#places[index]
    return this.#left < 0 || !place ? [] : place.authors()
  }
}

/** A place of a json content while edits go by. */
class TrackedPlace {
  /** Whose edits touched it, and who inserted right before it: these count where nothing else touched it. */
  readonly #touching: Mark[] = []
  readonly #inserting: Mark[] = []
  readonly #tokens: string[]
  #isGone = false

  constructor(tokens: string[]) {
    this.#tokens = tokens
  }

  /** Whoever touched it last. */
  get last(): Mark | null {
    return this.#touching.at(-1) ?? this.#inserting.at(-1) ?? null
  }

  authors(): string[] {
    const marks = this.#touching.length > 0 ? this.#touching : this.#inserting
    return [...new Set(marks.map((mark) => mark.author))]
  }

  follow(edit: JsonEdit, by: Mark): void {
    const depth = edit.at.length
    const meets = edit.at.every((step, i) => i >= this.#tokens.length || String(step) === this.#tokens[i])
    if (this.#isGone || !meets) return
    const index = 'index' in edit ? parseIndex(this.#tokens[depth] ?? '') : null
    if (index === null || !('index' in edit)) note(this.#touching, by)
    else if (index >= edit.index) this.#followSplice(edit, depth, index, by)
  }

  /** The place is element `index` of the spliced array, or within it, and not before the splice. */
  #followSplice(splice: Splice, depth: number, index: number, by: Mark): void {
    const isRemoved = index < splice.index + splice.remove
    if (isRemoved) note(this.#touching, by)
    else if (index === splice.index) note(this.#inserting, by)
    this.#isGone = isRemoved && splice.insert.length === 0
    const moved = isRemoved ? splice.index : index - splice.remove + splice.insert.length
    this.#tokens[depth] = String(moved)
  }
}

/** Of one author's consecutive marks only the last is kept. */
function note(marks: Mark[], by: Mark): void {
  if (marks.at(-1)?.author === by.author) marks.pop()
  marks.push(by)
}

type Splice = Extract<JsonEdit, { readonly index: number }>
