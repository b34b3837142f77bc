import { align, spanLength, type Run, type Span } from './align.ts'
import { commonEnds, type Ends } from './commonEnds.ts'
import type { Work } from './shortestEdits.ts'
import { eachWord } from './words.ts'

/**
 * A run of up to so many lines times lines is looked at in every way in which its lines could correspond. In a larger one lines
 * correspond by their place, from both ends.
 */
const MAX_CELLS = 4_096
/** Lines that are changes of their own in one text. Each may become an overlap, which somebody has to look at. */
const MAX_PAIRS = 5_000
/** What finding lines that correspond may cost in all, in comparisons: some 10 ms. Past it the lines of a run are one change. */
const PAIR_COMPARISONS = 5_000_000
/** What it costs to compare two lines, in comparisons, and more for each of their units. */
const LINE_COMPARISONS = 100
const UNIT_COMPARISONS = 5

/**
 * The changes of CONF-2 between two texts, as lines. What `align` finds is a run of lines that became other lines; in it, lines
 * that correspond, in order, are changes of their own, and what lies between two of these is one change.
 */
export function alignLines(base: readonly string[], side: readonly string[]): Run[] {
  const likeness = new Likeness()
  return align(base, side).flatMap((run) => {
    // One line that became one line is one change, however it is called.
    if (spanLength(run.base) === 0 || spanLength(run.side) === 0) return [run]
    if (spanLength(run.base) === 1 && spanLength(run.side) === 1) return [run]
    if (likeness.pairsLeft === 0) return [run]
    const lines = { base: base.slice(...run.base), side: side.slice(...run.side) }
    return split(run, lines, pairsOf({ base: lines.base.map(bare), side: lines.side.map(bare) }, likeness))
  })
}

/** Whether lines are alike by the rule of CONF-2, as far as the work of one text goes. */
export function likenessOfLines(): (a: string, b: string) => boolean {
  const likeness = new Likeness()
  return (a, b) => likeness.of(a.trim(), b.trim()) !== null
}

const bare = (line: string): string => line.trim()

/** The lines of a run, without the blanks around them, which do not count. */
interface LineList {
  readonly base: readonly string[]
  readonly side: readonly string[]
}

/** A line of the base and the one that corresponds to it; places within their run. */
type Pair = readonly [base: number, side: number]

/** Compares lines of one text; counts what that has cost, and the pairs found. */
class Likeness {
  readonly #work: Work = { left: PAIR_COMPARISONS }
  pairsLeft = MAX_PAIRS

  /**
   * How many characters two lines have in common, if that is at least half of those of both; else null, as where all work is
   * used up. In common are their beginning and end, and of what lies between the words that stand in both.
   */
  of(a: string | undefined, b: string | undefined): number | null {
    if (a === undefined || b === undefined) return null
    const all = a.length + b.length
    // What is shorter than a third of the other cannot be half of both.
    if (4 * Math.min(a.length, b.length) < all) return null
    this.#work.left -= LINE_COMPARISONS + UNIT_COMPARISONS * all
    if (this.#work.left <= 0) return null
    const ends = commonEnds(a, b)
    const alike = ends.start + ends.tail + sharedWordUnits(a, b, ends)
    return 4 * alike >= all ? alike : null
  }
}

/** How often each word stands in a line; kept for the next line, for to make a map anew takes longer than to fill it. */
const counts = new Map<number, number>()

/** Units of the words that two lines share apart from their common ends, each counted as often as it stands in both. */
function sharedWordUnits(a: string, b: string, { start, tail }: Ends): number {
  counts.clear()
  eachWord(b, start, b.length - tail, (number) => counts.set(number, (counts.get(number) ?? 0) + 1))
  let shared = 0
  eachWord(a, start, a.length - tail, (number, units) => {
    const count = counts.get(number) ?? 0
    if (count === 0) return
    counts.set(number, count - 1)
    shared += units
  })
  return shared
}

function pairsOf(lines: LineList, likeness: Likeness): readonly Pair[] {
  const pairs = isSmall(lines) ? bestPairs(lines, likeness) : pairsByPlace(lines, likeness)
  const found = pairs.slice(0, likeness.pairsLeft)
  likeness.pairsLeft -= found.length
  return found
}

const isSmall = ({ base, side }: LineList): boolean => base.length * side.length <= MAX_CELLS

/** Of all ways to pair alike lines in order the one with most characters in common; of equal ones the earliest pairs. */
function bestPairs({ base, side }: LineList, likeness: Likeness): Pair[] {
  const width = side.length + 1
  const place = (i: number, j: number): number => i * width + j
  /** What pairing these two is worth: also two empty lines are worth something. */
  const worth = new Int32Array((base.length + 1) * width)
  /** The most that pairs of lines from these on are worth. */
  const most = new Int32Array((base.length + 1) * width)
  const at = (values: Int32Array, i: number, j: number): number => values[place(i, j)] ?? 0
  for (let i = base.length - 1; i >= 0; i -= 1) {
    for (let j = side.length - 1; j >= 0; j -= 1) {
      worth[place(i, j)] = (likeness.of(base[i], side[j]) ?? -1) + 1
      const paired = at(worth, i, j) > 0 ? at(worth, i, j) + at(most, i + 1, j + 1) : 0
      most[place(i, j)] = Math.max(paired, at(most, i + 1, j), at(most, i, j + 1))
    }
  }
  const pairs: Pair[] = []
  let [i, j] = [0, 0]
  while (at(most, i, j) > 0) {
    if (at(worth, i, j) > 0 && at(most, i, j) === at(worth, i, j) + at(most, i + 1, j + 1)) {
      pairs.push([i, j])
      i += 1
      j += 1
    } else if (at(most, i, j) === at(most, i + 1, j)) i += 1
    else j += 1
  }
  return pairs
}

/** Equally many lines: each with the one at its place, if they are alike. Else from both ends, as long as they are. */
function pairsByPlace({ base, side }: LineList, likeness: Likeness): Pair[] {
  const isEqual = base.length === side.length
  const shorter = Math.min(base.length, side.length)
  const before: Pair[] = []
  for (let i = 0; i < shorter; i += 1) {
    if (likeness.of(base[i], side[i]) !== null) before.push([i, i])
    else if (!isEqual) break
  }
  if (isEqual) return before
  const start = before.length
  const after: Pair[] = []
  for (let tail = 1; tail <= shorter - start; tail += 1) {
    const pair: Pair = [base.length - tail, side.length - tail]
    if (likeness.of(base[pair[0]], side[pair[1]]) === null) break
    after.push(pair)
  }
  const end = after.length
  const middle: LineList = { base: base.slice(start, base.length - end), side: side.slice(start, side.length - end) }
  const between = isSmall(middle) ? bestPairs(middle, likeness) : []
  return [...before, ...between.map(([i, j]): Pair => [start + i, start + j]), ...after.reverse()]
}

/** The pairs as changes of their own, and what lies before, between and after them. */
function split(run: Run, lines: LineList, pairs: readonly Pair[]): Run[] {
  const runs: Run[] = []
  let [baseAt, sideAt] = [0, 0]
  const upTo = (base: number, side: number): void => {
    if (base === baseAt && side === sideAt) return
    runs.push({ base: shifted([baseAt, base], run.base), side: shifted([sideAt, side], run.side) })
    baseAt = base
    sideAt = side
  }
  for (const [base, side] of pairs) {
    upTo(base, side)
    if (lines.base[base] !== lines.side[side]) upTo(base + 1, side + 1)
    else [baseAt, sideAt] = [base + 1, side + 1]
  }
  upTo(lines.base.length, lines.side.length)
  return runs
}

const shifted = ([start, end]: Span, by: Span): Span => [start + by[0], end + by[0]]
