/**
 * An oracle for SPEC CONF-2 that shares nothing with the server: three-way merges of texts whose lines are all
 * different (so that there is one alignment only), and of json contents without arrays.
 */
import type { Content, JsonObject, JsonValue } from '../../server/content/content.ts'

export interface Expected {
  readonly content: Content
  /** Json: their pointers, in order; text: their base lines as people count them, see `nameOf`. */
  readonly overlaps: readonly string[]
}

/** The same lines in another order: then there is more than one alignment, and the oracle cannot judge. */
export class AnotherOrder extends Error {}

export type Side = 'base' | 'current' | 'incoming'

export function expectedMerge(
  base: Content,
  current: Content,
  incoming: Content,
  pick?: (n: number) => Side,
): Expected {
  const choose = pick ?? ((): Side => 'current')
  if (typeof base === 'string' && typeof current === 'string' && typeof incoming === 'string') {
    const merged = mergeLines(split(base), split(current), split(incoming), choose)
    return { content: merged.lines.join('\n'), overlaps: merged.overlaps }
  }
  if (typeof base === 'string' || typeof current === 'string' || typeof incoming === 'string') throw new Error('kinds')
  return mergeObjects(base, current, incoming, choose)
}

/** WRITE-7: whether going from `before` to `after` changes a place that `current` and `incoming` both changed of `base`. */
export function touchesOverlap(base: Content, before: Content, incoming: Content, after: Content): boolean {
  if (
    typeof base === 'string' &&
    typeof before === 'string' &&
    typeof incoming === 'string' &&
    typeof after === 'string'
  ) {
    const { places } = mergeLines(split(base), split(before), split(incoming), () => 'current')
    return runsOf(split(before), split(after)).some((run) => places.some((place) => overlap(run, place)))
  }
  if (
    typeof base === 'string' ||
    typeof before === 'string' ||
    typeof incoming === 'string' ||
    typeof after === 'string'
  ) {
    throw new Error('kinds')
  }
  const { overlaps } = mergeObjects(base, before, incoming, () => 'current')
  return changedPointers(before, after).some((changed) => overlaps.some((pointer) => related(changed, pointer)))
}

const split = (text: string): string[] => text.split('\n')

interface Run {
  readonly start: number
  readonly end: number
  readonly lines: readonly string[]
}

/** The changes of a side: lines that correspond are changes of their own. */
function runsOf(base: readonly string[], side: readonly string[]): Run[] {
  return replacedRuns(base, side).flatMap((run) => {
    const changes: Run[] = []
    let [at, from] = [0, 0]
    const upTo = (end: number, to: number): void => {
      if (end > at || to > from)
        changes.push({ start: run.start + at, end: run.start + end, lines: run.lines.slice(from, to) })
      at = end
      from = to
    }
    for (const [i, j] of bestPairs(base.slice(run.start, run.end), run.lines).pairs) {
      upTo(i, j)
      upTo(i + 1, j + 1)
    }
    upTo(run.end - run.start, run.lines.length)
    return changes
  })
}

interface Pairs {
  readonly worth: number
  readonly pairs: readonly (readonly [number, number])[]
}

/** Of all ways to pair lines in order that are half alike, the one with most alike characters; the earliest of equal ones. */
function bestPairs(
  base: readonly string[],
  side: readonly string[],
  i = 0,
  j = 0,
  known = new Map<string, Pairs>(),
): Pairs {
  const [one, other] = [base[i], side[j]]
  if (one === undefined || other === undefined) return { worth: 0, pairs: [] }
  const key = `${i} ${j}`
  const seen = known.get(key)
  if (seen) return seen
  const candidates = [bestPairs(base, side, i + 1, j, known), bestPairs(base, side, i, j + 1, known)]
  const alike = alikeCharacters(one, other)
  if (4 * alike >= one.trim().length + other.trim().length) {
    const rest = bestPairs(base, side, i + 1, j + 1, known)
    candidates.unshift({ worth: alike + 1 + rest.worth, pairs: [[i, j], ...rest.pairs] })
  }
  const [best] = candidates.toSorted((a, b) => b.worth - a.worth)
  if (!best) throw new Error('some way is the best')
  known.set(key, best)
  return best
}

/** Of the common beginning and end, and of the whole words between that stand in both. */
function alikeCharacters(a: string, b: string): number {
  const [one, other] = [a.trim(), b.trim()]
  const most = Math.min(one.length, other.length)
  let start = 0
  while (start < most && one[start] === other[start]) start += 1
  let tail = 0
  while (tail < most - start && one.at(-1 - tail) === other.at(-1 - tail)) tail += 1
  const wordsIn = (text: string): string[] =>
    [...text.matchAll(/[\p{L}\p{N}\p{M}_]+/gu)]
      .filter(({ 0: word, index }) => index >= start && index + word.length <= text.length - tail)
      .map(([word]) => word)
  const left = wordsIn(other)
  return wordsIn(one).reduce((sum, word) => {
    const found = left.indexOf(word)
    if (found !== -1) left.splice(found, 1)
    return found === -1 ? sum : sum + word.length
  }, start + tail)
}

/** The runs of lines in which a side differs; every line stands for itself. */
function replacedRuns(base: readonly string[], side: readonly string[]): Run[] {
  const runs: Run[] = []
  let i = 0
  let j = 0
  while (i < base.length || j < side.length) {
    if (i < base.length && j < side.length && base[i] === side[j]) {
      i += 1
      j += 1
      continue
    }
    const start = i
    const from = j
    while (i < base.length && !side.includes(base[i] ?? '')) i += 1
    while (j < side.length && !base.includes(side[j] ?? '')) j += 1
    if (i === start && j === from) throw new AnotherOrder()
    runs.push({ start, end: i, lines: side.slice(from, j) })
  }
  return runs
}

/** From 0, end exclusive. */
type Place = Pick<Run, 'start' | 'end'>

function overlap(a: Place, b: Place): boolean {
  if (a.start === a.end && b.start === b.end) return a.start === b.start
  if (a.start === a.end) return b.start < a.start && a.start < b.end
  if (b.start === b.end) return a.start < b.start && b.start < a.end
  return a.start < b.end && b.start < a.end
}

interface Group {
  start: number
  end: number
  current: Run[]
  incoming: Run[]
}

function groupsOf(current: readonly Run[], incoming: readonly Run[]): Group[] {
  const groups: Group[] = [
    ...current.map((run) => ({ start: run.start, end: run.end, current: [run], incoming: [] as Run[] })),
    ...incoming.map((run) => ({ start: run.start, end: run.end, current: [] as Run[], incoming: [run] })),
  ]
  for (let joined = true; joined;) {
    joined = false
    for (let a = 0; a < groups.length && !joined; a++) {
      for (let b = a + 1; b < groups.length && !joined; b++) {
        const [one, other] = [groups[a], groups[b]]
        if (!one || !other || !meet(one, other)) continue
        one.start = Math.min(one.start, other.start)
        one.end = Math.max(one.end, other.end)
        one.current.push(...other.current)
        one.incoming.push(...other.incoming)
        groups.splice(b, 1)
        joined = true
      }
    }
  }
  return groups.sort((a, b) => a.start - b.start || a.end - b.end)
}

/** Changes of one side never overlap each other: only what both sides did joins. */
function meet(a: Group, b: Group): boolean {
  return (
    a.current.some((x) => b.incoming.some((y) => overlap(x, y))) ||
    a.incoming.some((x) => b.current.some((y) => overlap(x, y)))
  )
}

function mergeLines(base: string[], current: string[], incoming: string[], pick: (n: number) => Side) {
  const lines: string[] = []
  const overlaps: string[] = []
  /** The overlaps as ranges of current. */
  const places: Place[] = []
  let at = 0
  let shift = 0
  for (const group of groupsOf(runsOf(base, current), runsOf(base, incoming))) {
    lines.push(...base.slice(at, group.start))
    at = group.end
    const mine = patched(base, group, group.current)
    const theirs = patched(base, group, group.incoming)
    const start = group.start + shift
    shift += mine.length - (group.end - group.start)
    if (group.incoming.length === 0 || JSON.stringify(mine) === JSON.stringify(theirs)) lines.push(...mine)
    else if (group.current.length === 0) lines.push(...theirs)
    else {
      const sides = { base: base.slice(group.start, group.end), current: mine, incoming: theirs }
      lines.push(...sides[pick(overlaps.length)])
      overlaps.push(nameOf(group))
      places.push({ start, end: start + mine.length })
    }
  }
  lines.push(...base.slice(at))
  return { lines, overlaps, places }
}

/** As people count lines: `2`, `2-4`, or `2+` for the place after line 2. */
export function nameOf({ start, end }: Place): string {
  if (start === end) return `${start}+`
  return end === start + 1 ? `${end}` : `${start + 1}-${end}`
}

/** The place that has this name. */
export function placeNamed(name: string): Place {
  const [first = 0, last = first] = name.split('-').map(Number.parseFloat)
  return name.endsWith('+') ? { start: first, end: first } : { start: first - 1, end: last }
}

function patched(base: readonly string[], place: Place, runs: readonly Run[]): string[] {
  const lines: string[] = []
  let at = place.start
  for (const run of [...runs].sort((a, b) => a.start - b.start || a.end - b.end)) {
    lines.push(...base.slice(at, run.start), ...run.lines)
    at = run.end
  }
  lines.push(...base.slice(at, place.end))
  return lines
}

const ABSENT: unique symbol = Symbol('absent')
type Slot = JsonValue | typeof ABSENT

const isPlain = (value: Slot): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const same = (a: Slot, b: Slot): boolean => a === b || (a !== ABSENT && b !== ABSENT && sorted(a) === sorted(b))
const keysOf = (...values: readonly JsonObject[]): string[] =>
  [...new Set(values.flatMap((value) => Object.keys(value)))].sort()
const slot = (object: JsonObject, key: string): Slot => (Object.hasOwn(object, key) ? (object[key] ?? null) : ABSENT)
const escape = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

export function sorted(value: JsonValue): string {
  if (!isPlain(value)) return JSON.stringify(value)
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${sorted(value[key] ?? null)}`)
    .join()}}`
}

function mergeObjects(base: JsonObject, current: JsonObject, incoming: JsonObject, pick: (n: number) => Side) {
  const overlaps: string[] = []
  const merge = (b: Slot, c: Slot, i: Slot, pointer: string): Slot => {
    if (same(c, i) || same(b, i)) return c
    if (same(b, c)) return i
    if (!isPlain(b) || !isPlain(c) || !isPlain(i)) {
      const sides: Record<Side, Slot> = { base: b, current: c, incoming: i }
      const chosen = sides[pick(overlaps.length)]
      overlaps.push(pointer)
      return chosen
    }
    const merged: JsonObject = {}
    for (const key of keysOf(b, c, i)) {
      const value = merge(slot(b, key), slot(c, key), slot(i, key), `${pointer}/${escape(key)}`)
      if (value !== ABSENT) merged[key] = value
    }
    return merged
  }
  const content = merge(base, current, incoming, '')
  if (!isPlain(content)) throw new Error('the root is an object')
  return { content, overlaps }
}

/** What of the change from `from` to `to` is not to be seen in `result`. */
export function undone(from: Content, to: Content, result: Content): string[] {
  if (typeof from === 'string' && typeof to === 'string' && typeof result === 'string') {
    const [before, after, found] = [split(from), split(to), split(result)]
    const removed = before.filter((line) => !after.includes(line) && found.includes(line))
    const added = after.filter((line) => !before.includes(line) && !found.includes(line))
    return [...removed.map((line) => `-${line}`), ...added.map((line) => `+${line}`)]
  }
  if (typeof from === 'string' || typeof to === 'string' || typeof result === 'string') throw new Error('kinds')
  return changedPointers(from, to).filter((pointer) => !same(at(to, pointer), at(result, pointer)))
}

function at(content: JsonObject, pointer: string): Slot {
  let found: Slot = content
  for (const token of pointer.split('/').slice(1)) {
    found = isPlain(found) ? slot(found, token.replaceAll('~1', '/').replaceAll('~0', '~')) : ABSENT
  }
  return found
}

function changedPointers(from: JsonObject, to: JsonObject, pointer = ''): string[] {
  return keysOf(from, to).flatMap((key) => {
    const a = slot(from, key)
    const b = slot(to, key)
    const here = `${pointer}/${escape(key)}`
    if (same(a, b)) return []
    return isPlain(a) && isPlain(b) ? changedPointers(a, b, here) : [here]
  })
}

const related = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)
