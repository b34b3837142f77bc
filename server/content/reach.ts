import { assertNever } from '../foundation/assert.ts'
import { spanLength, type Span } from './align.ts'
import type { Path } from './content.ts'
import type { Effect } from './effect.ts'
import type { JsonEdit } from './jsonEdits.ts'
import { PlaceIndex, type ReachedPlace } from './placeIndex.ts'
import type { TextDelta } from './textDelta.ts'

/**
 * Where a refused write would change a content, or was refused to: of a text the spans in UTF-16 units, apart and in order;
 * of a json content the places. It follows what is written to that content by `reachAfter`.
 */
export type Reach = { readonly text: readonly Span[] } | { readonly json: readonly ReachedPlace[] }

/** Spans and places kept; neighbours are joined to as many. It only means that something is compared in vain. */
const MAX_SPANS = 256
const MAX_PLACES = 256
/** Keys in them together. */
const MAX_KEY_CHARACTERS = 4 * 1024

/**
 * The reach of lines of a text, apart and in order; a span that is empty lies before a line. Reaches over the line on either
 * side, because once that is written to, it and these are changed side by side; over all that are equal to it, because of
 * equal lines it is open which of them correspond; and over one more, which may become equal to them.
 */
export function reachOfLines(lines: readonly string[], spans: readonly Span[]): Reach {
  const reached: Span[] = []
  let [line, at] = [0, 0]
  const startOf = (wanted: number): number => {
    for (; line < wanted; line += 1) at += (lines[line]?.length ?? 0) + 1
    return at
  }
  for (const [start, end] of spans) {
    // The one before may have reached over it.
    if (end + 2 <= line) continue
    // Two spans may share the line between them.
    const first = Math.max(beforeAlike(lines, start - 1, line) - 1, line)
    reached.push([startOf(first), startOf(behindAlike(lines, Math.max(end, line)) + 2) - 1])
  }
  return { text: fewer(reached) }
}

/** The first of the lines up to this one, from `least` on, that are equal to it, without others between. */
function beforeAlike(lines: readonly string[], line: number, least: number): number {
  let first = line
  while (first > least && lines[first - 1] === lines[line]) first -= 1
  return first
}

/** The last of those from this one on. */
function behindAlike(lines: readonly string[], line: number): number {
  let last = line
  while (last + 1 < lines.length && lines[last + 1] === lines[line]) last += 1
  return last
}

/** Collects the reach of places of a json content: past the bounds the members of the root that hold them, or all of it. */
export class ReachedPlaces {
  #places: ReachedPlace[] = []
  #tops: Set<string> | null = null
  #left = { places: MAX_PLACES, characters: MAX_KEY_CHARACTERS }
  #isAll = false

  add(place: () => ReachedPlace): void {
    if (this.#isAll) return
    const added = place()
    if (this.#tops === null) {
      this.#places.push(added)
      for (const step of added) this.#left.characters -= typeof step === 'string' ? step.length : 1
      if (--this.#left.places >= 0 && this.#left.characters >= 0) return
      this.#left = { places: MAX_PLACES, characters: MAX_KEY_CHARACTERS }
      this.#tops = new Set()
      for (const one of this.#places) this.#addTop(one)
    } else this.#addTop(added)
  }

  reach(): Reach {
    if (this.#isAll) return { json: [[]] }
    return { json: this.#tops === null ? this.#places : [...this.#tops].map((top) => [top]) }
  }

  #addTop([top]: ReachedPlace): void {
    if (typeof top === 'string' && this.#tops?.has(top)) return
    if (typeof top === 'string') this.#left.characters -= top.length
    if (typeof top !== 'string' || --this.#left.places < 0 || this.#left.characters < 0) this.#isAll = true
    else this.#tops?.add(top)
  }
}

/** Those that meet are one, and past the bound so are neighbours. */
function fewer(spans: readonly Span[]): readonly Span[] {
  const apart: [number, number][] = []
  for (const [start, end] of spans) {
    const last = apart.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end)
    else apart.push([start, end])
  }
  if (apart.length <= MAX_SPANS) return apart
  const together = Math.ceil(apart.length / MAX_SPANS)
  return Array.from({ length: Math.ceil(apart.length / together) }, (_, n): Span => {
    const group = apart.slice(n * together, (n + 1) * together)
    return [group[0]?.[0] ?? 0, group.at(-1)?.[1] ?? 0]
  })
}

/** Where a reach is after an effect that does not touch it; null where it does, for only a comparison tells then. */
export function reachAfter(reach: Reach, effect: Effect): Reach | null {
  if (effect === null) return reach
  switch (effect.kind) {
    case 'text':
      return 'text' in reach ? spansAfter(reach.text, effect.delta) : null
    case 'json':
      return 'json' in reach ? placesAfter(reach.json, effect.edits) : null
    default:
      return assertNever(effect)
  }
}

/** Spans and the places of a delta are in order, so both are gone through once. */
function spansAfter(spans: readonly Span[], delta: TextDelta): Reach | null {
  const after: Span[] = []
  let [at, shift, next] = [0, 0, 0]
  /** Moves the spans that end before a place. */
  const moveBefore = (place: number): void => {
    for (let span = spans[next]; span !== undefined && span[1] < place; span = spans[next]) {
      after.push([span[0] + shift, span[1] + shift])
      next += 1
    }
  }
  for (const item of delta) {
    if (typeof item === 'number' && item > 0) {
      at += item
      continue
    }
    moveBefore(at)
    const end = typeof item === 'number' ? at - item : at
    if ((spans[next]?.[0] ?? Number.POSITIVE_INFINITY) <= end) return null
    shift += typeof item === 'number' ? item : item.length
    at = end
  }
  moveBefore(Number.POSITIVE_INFINITY)
  return { text: after }
}

function placesAfter(places: readonly ReachedPlace[], edits: readonly JsonEdit[]): Reach | null {
  let after = places
  let index = new PlaceIndex(after)
  for (const edit of edits) {
    if (index.meets(placeOfEdit(edit), spansTouch)) return null
    if (!('index' in edit) || edit.remove === edit.insert.length) continue
    const moved = after.map((place) => spliced(place, edit))
    if (moved.every((place, i) => place === after[i])) continue
    after = moved
    index = new PlaceIndex(after)
  }
  return { json: after }
}

/** Where a place is after elements of an array on its way were spliced before or behind it. */
function spliced(
  place: ReachedPlace,
  { at, index, remove, insert }: Extract<JsonEdit, { readonly index: number }>,
): ReachedPlace {
  const step = place[at.length]
  if (step === undefined || typeof step === 'string' || index >= step[1] || !leadsTo(at, place)) return place
  const growth = insert.length - remove
  return place.with(at.length, [step[0] + growth, step[1] + growth])
}

/** Whether a path is the way to a place. */
const leadsTo = (path: Path, place: ReachedPlace): boolean =>
  path.every((step, i) => {
    const other = place[i]
    if (other === undefined) return false
    return typeof step === 'number'
      ? typeof other !== 'string' && other[0] === step && spanLength(other) === 1
      : other === step
  })

/** Where an edit is. */
export function placeOfEdit(edit: JsonEdit): ReachedPlace {
  const place = placeAt(edit.at)
  return 'index' in edit ? [...place, [edit.index, edit.index + edit.remove]] : place
}

export const placeAt = (path: Path): (string | Span)[] =>
  path.map((step): string | Span => (typeof step === 'number' ? [step, step + 1] : step))

/** Spans that are next to each other meet too: of equal elements it is open which of them changed. */
const spansTouch = (a: Span, b: Span): boolean => Math.max(a[0], b[0]) <= Math.min(a[1], b[1])
