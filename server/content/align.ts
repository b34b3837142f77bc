import type { JsonValue } from './content.ts'
import { isObject } from './content.ts'
import { contentEquals } from './equal.ts'
import { shortestEdits } from './shortestEdits.ts'

/** A half-open range of positions, 0-based; `start === end` is a place between two elements. */
export type Span = readonly [start: number, end: number]

/** A maximal run of change: the elements `base` became the elements `side`. */
export interface Run {
  readonly base: Span
  readonly side: Span
}

/**
 * Past so many deletions and insertions of elements that both sides have, the rest is one change:
 * half a million steps, some 5 ms and 2 MB.
 */
const MAX_EDITS = 1_000
/** Bounds repetitive input, where few edits can need many comparisons: some 25 ms. */
const MAX_COMPARISONS = 10_000_000

/**
 * The one alignment of CONF-2: common prefix and suffix first, then a shortest edit script, limited in edits.
 * Answers the runs that changed, in order; two runs always have an unchanged element between them.
 */
export function align<T extends string | number>(base: readonly T[], side: readonly T[]): Run[] {
  return alignMiddle(
    base,
    side,
    (a, b) => a === b,
    (element) => element,
  )
}

/**
 * `align` for the elements of two JSON arrays, compared as JSON. Elements shared in memory are not walked. An element of
 * the base that `isApart` equals nothing.
 */
export function alignElements(
  base: readonly JsonValue[],
  side: readonly JsonValue[],
  isApart: (element: JsonValue) => boolean = () => false,
): Run[] {
  return alignMiddle(
    base,
    side,
    (a, b) => !isApart(a) && contentEquals(a, b),
    (element) => (isApart(element) ? element : elementKey(element)),
  )
}

/** Lines of a text (CONF-2: a `\r` belongs to its line); the empty text is one empty line. */
export const splitLines = (text: string): string[] => text.split('\n')

/**
 * CONF-2: spans overlap if they share an element, are both empty at one place, or one is empty strictly
 * inside the other. Spans that only touch do not.
 */
export function spansOverlap(a: Span, b: Span): boolean {
  const start = Math.max(a[0], b[0])
  const end = Math.min(a[1], b[1])
  if (start < end) return true
  if (start > end) return false
  const bothEmpty = a[0] === a[1] && b[0] === b[1]
  return bothEmpty || (a[0] < start && start < a[1]) || (b[0] < start && start < b[1])
}

export const spanLength = (span: Span): number => span[1] - span[0]

/** The span from where the first of two begins to where the last of them ends. */
export const hull = (a: Span, b: Span): Span => [Math.min(a[0], b[0]), Math.max(a[1], b[1])]

/** How many elements more the side has there than the base. */
export const growthOf = ({ base, side }: Run): number => spanLength(side) - spanLength(base)

/** Scalars stand for themselves; containers by a form that equal ones share, marked so that no string equals it. */
function elementKey(value: JsonValue): unknown {
  if (typeof value === 'string') return `s${value}`
  return typeof value === 'object' && value !== null ? formOf(value) : value
}

/** As the canonical JSON says which values are equal, in half the time: strings by their length, not by escapes. */
function formOf(value: JsonValue): string {
  if (typeof value === 'string') return `${value.length}"${value}`
  if (Array.isArray(value)) {
    let form = '['
    for (const item of value) form += formOf(item)
    return `${form}]`
  }
  if (!isObject(value)) return `${value};`
  let form = '{'
  for (const key of Object.keys(value).sort()) form += `${formOf(key)}${formOf(value[key] ?? null)}`
  return `${form}}`
}

function alignMiddle<T>(
  base: readonly T[],
  side: readonly T[],
  equal: (a: T, b: T) => boolean,
  keyOf: (element: T) => unknown,
): Run[] {
  const shorter = Math.min(base.length, side.length)
  const same = (i: number, j: number): boolean => {
    const [a, b] = [base[i], side[j]]
    return a !== undefined && b !== undefined && equal(a, b)
  }
  let start = 0
  while (start < shorter && same(start, start)) start += 1
  let tail = 0
  while (tail < shorter - start && same(base.length - 1 - tail, side.length - 1 - tail)) tail += 1
  const [baseEnd, sideEnd] = [base.length - tail, side.length - tail]
  if (start === baseEnd && start === sideEnd) return []
  // Of what came or went alone, or one that became one other, as most changes are, nothing can stay.
  const fewest = Math.min(baseEnd, sideEnd) - start
  const most = Math.max(baseEnd, sideEnd) - start
  if (fewest === 0 || most === 1) return [{ base: [start, baseEnd], side: [start, sideEnd] }]
  const baseMiddle = base.slice(start, baseEnd)
  const sideMiddle = side.slice(start, sideEnd)
  return runsBetweenKept(baseMiddle.length, sideMiddle.length, intern(baseMiddle, sideMiddle, keyOf)).map((run) =>
    shifted(run, start),
  )
}

const shifted = ({ base, side }: Run, by: number): Run => ({
  base: [base[0] + by, base[1] + by],
  side: [side[0] + by, side[1] + by],
})

/** The elements both sides have, as numbers that are equal where the elements are, and where they stand. */
interface Shared {
  readonly base: Int32Array
  readonly side: Int32Array
  readonly basePlaces: Int32Array
  readonly sidePlaces: Int32Array
}

/**
 * Numbers make comparing cheap however large the elements are. Elements that only one side has are left
 * out: no script can keep them, and so unlike contents cost next to nothing.
 */
function intern<T>(base: readonly T[], side: readonly T[], keyOf: (element: T) => unknown): Shared {
  const numbers = new Map<unknown, number>()
  const baseNumbers = new Int32Array(base.length)
  base.forEach((element, place) => {
    const key = keyOf(element)
    const number = numbers.get(key) ?? numbers.size
    if (number === numbers.size) numbers.set(key, number)
    baseNumbers[place] = number
  })
  const sideNumbers = new Int32Array(side.length)
  const inSide = new Uint8Array(numbers.size)
  side.forEach((element, place) => {
    const number = numbers.get(keyOf(element)) ?? -1
    sideNumbers[place] = number
    if (number >= 0) inSide[number] = 1
  })
  const basePlaces = placesWhere(baseNumbers, (number) => inSide[number] === 1)
  const sidePlaces = placesWhere(sideNumbers, (number) => number >= 0)
  return {
    base: basePlaces.map((place) => baseNumbers[place] ?? -1),
    side: sidePlaces.map((place) => sideNumbers[place] ?? -1),
    basePlaces,
    sidePlaces,
  }
}

function placesWhere(numbers: Int32Array, wanted: (number: number) => boolean): Int32Array {
  const places = new Int32Array(numbers.length)
  let count = 0
  for (let place = 0; place < numbers.length; place += 1) {
    if (!wanted(numbers[place] ?? -1)) continue
    places[count] = place
    count += 1
  }
  return places.subarray(0, count)
}

/** The runs that lie before, between and after what a shortest edit script keeps. */
function runsBetweenKept(baseLength: number, sideLength: number, shared: Shared): Run[] {
  const { blocks } = shortestEdits(shared.base, shared.side, MAX_EDITS, { left: MAX_COMPARISONS })
  const runs: Run[] = []
  let [baseAt, sideAt] = [0, 0]
  const keep = (base: number, side: number): void => {
    if (base > baseAt || side > sideAt) runs.push({ base: [baseAt, base], side: [sideAt, side] })
    baseAt = base + 1
    sideAt = side + 1
  }
  for (const block of blocks) {
    for (let i = 0; i < block.length; i += 1) {
      keep(shared.basePlaces[block.base + i] ?? 0, shared.sidePlaces[block.side + i] ?? 0)
    }
  }
  keep(baseLength, sideLength)
  return runs
}
