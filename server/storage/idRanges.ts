import type { Pattern } from '../foundation/ids.ts'

/** Document ids from `from` (included) to `to` (excluded), by code point. */
export interface IdRange {
  readonly from: string
  readonly to: string
}

/** Below and above every character an id may hold (SPEC API-6). */
const LOWEST = '\u0001'
const HIGHEST = '\u007f'

/**
 * The ids that patterns match, as ranges in id order that do not overlap. A database walks them with its index,
 * and nothing in an id or prefix has a meaning of its own there, as `_` would in LIKE.
 */
export function idRanges(patterns: readonly Pattern[]): IdRange[] {
  const sorted = patterns.map(rangeOf).toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
  const ranges: IdRange[] = []
  for (const range of sorted) {
    const last = ranges.at(-1)
    if (!last || last.to < range.from) ranges.push(range)
    else if (last.to < range.to) ranges[ranges.length - 1] = { from: last.from, to: range.to }
  }
  return ranges
}

const rangeOf = (pattern: Pattern): IdRange =>
  'exact' in pattern
    ? { from: pattern.exact, to: pattern.exact + LOWEST }
    : { from: pattern.prefix, to: pattern.prefix + HIGHEST }

/** Whether an id is in one of them. */
export function isInRanges(ranges: readonly IdRange[], id: string): boolean {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle]?.to ?? '') <= id) low = middle + 1
    else high = middle
  }
  const range = ranges[low]
  return range !== undefined && range.from <= id
}
