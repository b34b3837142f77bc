import { alignElements, spanLength, splitLines, type Span } from './align.ts'
import { isObject, member, toValue, type JsonObject, type JsonValue, type Path, type Value } from './content.ts'
import { canonicalJson, contentEquals } from './equal.ts'
import { applyJsonEdits, type JsonEdit } from './jsonEdits.ts'
import { mergeJson, type GranularityAt, type JsonChoice } from './mergeJson.ts'
import type { JsonOverlap, LiveJsonOverlap } from './overlap.ts'
import { parsePointer, toPointer, valueAt } from './pointer.ts'

/** As `TextSides`, of a json content. */
export interface JsonSides {
  readonly base: JsonObject
  readonly current: JsonObject
  readonly incoming: JsonObject
  readonly merged: JsonObject
  readonly seen: JsonObject
}

/**
 * Values that stand in a content for what is to be found in another one, numbered from 0. Each is known by its identity, so
 * that nothing a document may hold is ever taken for one.
 */
class Placeholders {
  readonly #numbers = new Map<JsonValue, number>()
  /** By object or array: the placeholders in it. A content never changes once it was looked through. */
  readonly #within = new Map<JsonValue, readonly number[]>()

  next(): JsonObject {
    const placeholder: JsonObject = {}
    this.#numbers.set(placeholder, this.#numbers.size)
    return placeholder
  }

  isOne(value: JsonValue | undefined): boolean {
    return value !== undefined && this.#numbers.has(value)
  }

  /** The numbers of the placeholders that a value is or holds. */
  within(value: JsonValue | undefined): readonly number[] {
    if (typeof value !== 'object' || value === null) return NONE
    const number = this.#numbers.get(value)
    if (number !== undefined) return [number]
    const known = this.#within.get(value)
    if (known !== undefined) return known
    const found = (Array.isArray(value) ? value : Object.values(value)).flatMap((item) => this.within(item))
    this.#within.set(value, found.length === 0 ? NONE : found)
    return found
  }
}

const NONE: readonly number[] = []

/** A place in a content: a member or element at a path, or with `span` elements of the array there. */
interface LiveShared {
  readonly at: Path
  readonly span: Span | null
}

/** An overlap and where it is in the content that is looked at. */
interface FoundPlace {
  readonly overlap: LiveJsonOverlap
  readonly target: LiveShared
}

/** What the three-way merge of CONF-2 makes of two sides, with a placeholder in the place of each overlap. */
export class JsonExpectation {
  readonly content: JsonObject
  readonly placeholders = new Placeholders()
  /** By the number of their placeholder. */
  readonly overlaps: JsonOverlap[] = []

  constructor(
    { base, current, incoming }: Pick<JsonSides, 'base' | 'current' | 'incoming'>,
    granularityAt: GranularityAt,
  ) {
    const settle = (overlap: JsonOverlap): JsonChoice => {
      this.overlaps.push(overlap)
      const placeholder = this.placeholders.next()
      return { value: overlap.elements ? [placeholder] : placeholder }
    }
    this.content = mergeJson(base, current, incoming, settle, granularityAt)
  }
}

/**
 * The overlaps of a live merge, in order: pointers of both sides that meet, and what the merge made on its own.
 * `expectation`: of the same sides and granularities, if it is known.
 */
export function liveJsonOverlaps(
  sides: JsonSides,
  granularityAt: GranularityAt,
  expectation: JsonExpectation | null,
): LiveJsonOverlap[] {
  return findOverlaps(sides, granularityAt, expectation).map(({ overlap }) => overlap)
}

/** The content that is looked at, with a value chosen for each overlap in its place. */
export function rewriteJson(
  sides: JsonSides,
  granularityAt: GranularityAt,
  settle: (overlap: LiveJsonOverlap) => JsonChoice,
): JsonObject {
  const edits = findOverlaps(sides, granularityAt, null).map(({ overlap, target }) => {
    const choice = settle(overlap)
    return editOf(target, typeof choice === 'string' ? overlap[choice] : toValue(choice.value), overlap.elements)
  })
  return applyJsonEdits(sides.seen, edits.toReversed())
}

function editOf({ at, span }: LiveShared, value: Value, elements: true | undefined): JsonEdit {
  if (span !== null) {
    const insert = value.present ? (elements && Array.isArray(value.value) ? value.value : [value.value]) : []
    return { at, index: span[0], remove: spanLength(span), insert }
  }
  if (value.present) return { at, value: value.value }
  const last = at.at(-1)
  if (typeof last === 'number') return { at: at.slice(0, -1), index: last, remove: 1, insert: [] }
  return { at, removed: true }
}

function findOverlaps(sides: JsonSides, granularityAt: GranularityAt, known: JsonExpectation | null): FoundPlace[] {
  const { content: expected, placeholders, overlaps } = known ?? new JsonExpectation(sides, granularityAt)
  const { places, strays } = new PlaceholderSearch(expected, sides.merged, placeholders)
  const found = outermost([...places, ...strayPlaces(strays, expected, sides.merged, granularityAt)]).map((place) =>
    foundAt(place, overlaps, sides),
  )
  return relocated(found, sides)
    .map((one) => withMerged(one, sides.seen))
    .filter(({ overlap }) => !isEqual(overlap) && !isThreeWay(overlap))
}

/** Marks that were found at one place of the other content; at their own place, or (`depth`) around it. */
interface LivePlace {
  readonly placeholders: readonly number[]
  readonly target: LiveShared
}

/** Finds the placeholders of one content in another, and where the two differ besides. */
class PlaceholderSearch {
  readonly places: LivePlace[] = []
  /** Where the contents differ and no placeholder is; in the other content. */
  readonly strays: Path[] = []
  readonly #placeholders: Placeholders

  constructor(marked: JsonObject, other: JsonObject, placeholders: Placeholders) {
    this.#placeholders = placeholders
    this.#compare(marked, other, [])
  }

  #compare(marked: JsonValue | undefined, other: JsonValue | undefined, at: Path): void {
    if (marked === other) return
    if (!this.#placeholders.isOne(marked)) {
      if (isObject(marked) && isObject(other)) return this.#compareObjects(marked, other, at)
      if (Array.isArray(marked) && Array.isArray(other)) return this.#compareArrays(marked, other, at)
    }
    const placeholders = this.#placeholders.within(marked)
    if (placeholders.length > 0) this.places.push({ placeholders, target: { at, span: null } })
    else if (marked === undefined || other === undefined || !contentEquals(marked, other)) this.strays.push(at)
  }

  #compareObjects(marked: JsonObject, other: JsonObject, at: Path): void {
    for (const key of [...new Set([...Object.keys(marked), ...Object.keys(other)])].sort()) {
      this.#compare(member(marked, key), member(other, key), [...at, key])
    }
  }

  #compareArrays(marked: JsonValue[], other: JsonValue[], at: Path): void {
    const holdsOne = (element: JsonValue): boolean => this.#placeholders.within(element).length > 0
    const isOnePlaceholder = (base: Span): boolean =>
      spanLength(base) === 1 && this.#placeholders.isOne(marked[base[0]])
    const runs = alignElements(marked, other, holdsOne)
    const isClear = runs.every(
      ({ base, side }) => isPaired(base, side) || isOnePlaceholder(base) || !marked.slice(...base).some(holdsOne),
    )
    if (!isClear) {
      this.places.push({ placeholders: this.#placeholders.within(marked), target: { at, span: null } })
      return
    }
    for (const { base, side } of runs) {
      if (isOnePlaceholder(base))
        this.places.push({ placeholders: this.#placeholders.within(marked[base[0]]), target: { at, span: side } })
      else if (!isPaired(base, side)) this.strays.push(at)
      else {
        for (let i = 0; i < spanLength(base); i += 1) {
          this.#compare(marked[base[0] + i], other[side[0] + i], [...at, side[0] + i])
        }
      }
    }
  }
}

const isPaired = (base: Span, side: Span): boolean => spanLength(base) === spanLength(side)

/**
 * Places where the merge is not what was expected although the sides did not meet there: an edit under a parent that
 * the other side replaced by its equal, an element that both added.
 */
function strayPlaces(
  strays: readonly Path[],
  expected: JsonObject,
  merged: JsonObject,
  granularityAt: GranularityAt,
): LivePlace[] {
  const places = new Map(strays.map((path) => strayAt(path, granularityAt)).map((at) => [toPointer(at), at]))
  return [...places].flatMap(([pointer, at]): LivePlace[] => {
    const [wanted, made] = [valueAt(expected, pointer), valueAt(merged, pointer)]
    const isText = (): boolean => granularityAt(at, at) === 'lines'
    if (wanted.present && made.present && isReordered(wanted.value, made.value, isText)) return []
    return [{ placeholders: [], target: { at, span: null } }]
  })
}

/** Indices differ from content to content, so a place in an array is told by the array. */
function strayAt(path: Path, granularityAt: GranularityAt): Path {
  const index = path.findIndex((step, i) => {
    const around = path.slice(0, i)
    return typeof step === 'number' || (i > 0 && granularityAt(around, around) === 'whole')
  })
  return index === -1 ? path : path.slice(0, index)
}

/** Equal elements, or lines of a shared text, align in more than one way; only their order differs here. */
function isReordered(a: JsonValue, b: JsonValue, isText: () => boolean): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return sameMembers(a.map(canonicalJson), b.map(canonicalJson))
  return typeof a === 'string' && typeof b === 'string' && isText() && sameMembers(splitLines(a), splitLines(b))
}

function sameMembers(a: string[], b: string[]): boolean {
  const [left, right] = [a.toSorted(), b.toSorted()]
  return left.length === right.length && left.every((one, i) => one === right[i])
}

/** Places that are not below another one, each once. */
function outermost(places: readonly LivePlace[]): LivePlace[] {
  const wide = new Set(places.flatMap(({ target }) => (target.span === null ? [toPointer(target.at)] : [])))
  const isBelow = ({ at, span }: LiveShared): boolean =>
    at.some((_, i) => wide.has(toPointer(at.slice(0, i)))) || (span !== null && wide.has(toPointer(at)))
  const outer = new Map<string, LivePlace>()
  for (const place of places) {
    const { at, span } = place.target
    const key = `${toPointer(at)} ${span?.join() ?? ''}`
    if (!isBelow(place.target) && !outer.has(key)) outer.set(key, place)
  }
  return [...outer.values()]
}

/** The overlap of a placeholder, or for wider places the values of all sides around it. */
function foundAt({ placeholders, target }: LivePlace, overlaps: readonly JsonOverlap[], sides: JsonSides): FoundPlace {
  const [placeholder] = placeholders
  const first = placeholder === undefined ? null : (overlaps[placeholder] ?? null)
  const depth = target.at.length + (target.span === null ? 0 : 1)
  const own = first && parsePointer(first.pointer)?.length === depth && placeholders.length === 1 ? first : null
  const overlap = own ?? around(first, target.at, sides)
  const pointers = { ...overlap.pointers, merged: pointerOf(target) }
  return { overlap: { ...overlap, pointers, merged: { present: false } }, target }
}

function around(inside: JsonOverlap | null, at: Path, { base, current, incoming }: JsonSides): JsonOverlap {
  const cut = (pointer: string | undefined): string =>
    pointer === undefined ? toPointer(at) : toPointer((parsePointer(pointer) ?? []).slice(0, at.length))
  const pointer = cut(inside?.pointer)
  const pointers = { current: cut(inside?.pointers.current), incoming: cut(inside?.pointers.incoming) }
  return {
    id: `P${pointer}`,
    pointer,
    pointers,
    base: valueAt(base, pointer),
    current: valueAt(current, pointers.current),
    incoming: valueAt(incoming, pointers.incoming),
  }
}

const pointerOf = ({ at, span }: LiveShared): string => toPointer(span === null ? at : [...at, span[0]])

/** The overlaps in the content that is looked at, where that is not the merged one. */
function relocated(found: readonly FoundPlace[], sides: JsonSides): FoundPlace[] {
  const { merged, seen } = sides
  if (seen === merged) return [...found]
  const placeholders = new Placeholders()
  const edits = found.map(({ target: { at, span } }): JsonEdit => {
    if (span === null) return { at, value: placeholders.next() }
    return { at, index: span[0], remove: spanLength(span), insert: [placeholders.next()] }
  })
  const { places } = new PlaceholderSearch(applyJsonEdits(merged, edits.toReversed()), seen, placeholders)
  const overlaps = found.map(({ overlap }) => overlap)
  return outermost(places).map((place) => foundAt(place, overlaps, sides))
}

/** With what stands at the place by now, in the form of the other values. */
function withMerged({ overlap, target }: FoundPlace, seen: JsonObject): FoundPlace {
  const { at, span } = target
  if (span === null) return { overlap: { ...overlap, merged: valueAt(seen, toPointer(at)) }, target }
  const array = valueAt(seen, toPointer(at))
  const elements = array.present && Array.isArray(array.value) ? array.value.slice(...span) : []
  if (overlap.elements || elements.length > 1) {
    const listed = overlap.elements ? overlap : { ...overlap, ...asLists(overlap), elements: true as const }
    return { overlap: { ...listed, merged: elements.length === 0 ? { present: false } : toValue(elements) }, target }
  }
  return { overlap: { ...overlap, merged: toValue(elements[0]) }, target }
}

/** One element as the list of it. */
function asLists({ base, current, incoming }: JsonOverlap): Pick<JsonOverlap, 'base' | 'current' | 'incoming'> {
  const listed = (value: Value): Value => (value.present ? { present: true, value: [value.value] } : value)
  return { base: listed(base), current: listed(current), incoming: listed(incoming) }
}

/** Equal results raise nothing (CONF-7). */
function isEqual({ current, incoming, merged }: LiveJsonOverlap): boolean {
  return sameValue(current, incoming) && sameValue(current, merged)
}

/**
 * A value that one side replaced as a whole is compared as a whole; where the merge made of it what the three-way merge
 * makes of its members, nothing is lost either (CONF-7).
 */
function isThreeWay({ base, current, incoming, merged }: LiveJsonOverlap): boolean {
  if (!base.present || !current.present || !incoming.present || !merged.present) return false
  let isClean = true
  const settle = (): JsonChoice => {
    isClean = false
    return 'current'
  }
  const content = mergeJson({ value: base.value }, { value: current.value }, { value: incoming.value }, settle)
  return isClean && contentEquals(content, { value: merged.value })
}

function sameValue(a: Value, b: Value): boolean {
  if (!a.present || !b.present) return a.present === b.present
  return contentEquals(a.value, b.value)
}
