/**
 * The greedy algorithm of E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), over tokens.
 * All limits are counts of work, never time: the same input gives the same answer on every machine.
 */

/** `length` tokens that stand at `base` in one sequence and at `side` in the other. */
interface Block {
  readonly base: number
  readonly side: number
  readonly length: number
}

/** Work that may still be spent, in comparisons of tokens; one budget may serve many calls. */
export interface Work {
  left: number
}

export interface Matching {
  /** In order, none empty. */
  readonly blocks: readonly Block[]
  /** False when a limit was met: what follows the last block is then not compared. */
  readonly complete: boolean
}

interface Sequences {
  readonly base: Int32Array
  readonly side: Int32Array
}

/**
 * How far the paths of each number of edits got, a row for each number, of `edits + 3` entries: the path that ends on
 * diagonal `-edits + 2 * i` (base position less side position) reached base position `row[i + 1]`, or -1. A -1 at either end
 * spares bounds checks. Kept for the next call, for most are short: 2 MB at the limit of edits that there is.
 */
let frontiers = new Int32Array(1_024)
/** What a row, and each path in it, costs besides, in comparisons: these go on at 2 ns each. */
const ROW_COMPARISONS = 80
const DIAGONAL_COMPARISONS = 8

const startOf = (edits: number): number => (edits * (edits + 5)) / 2

/**
 * The tokens a shortest edit script keeps. Where several scripts are equally short the choice is fixed.
 * Past `maxEdits` deletions and insertions, or when `work` is used up, the blocks of the path that got
 * furthest are answered.
 */
export function shortestEdits(base: Int32Array, side: Int32Array, maxEdits: number, work: Work): Matching {
  const sequences = { base, side }
  const goal = base.length - side.length
  let edits = 0
  for (; edits <= maxEdits && work.left > 0; edits += 1) {
    advance(sequences, edits, work)
    const index = (goal + edits) / 2
    if (index >= 0 && index <= edits && frontiers[startOf(edits) + index + 1] === base.length) {
      return { blocks: trace(sequences, edits, index), complete: true }
    }
  }
  const last = edits - 1
  return { blocks: last < 0 ? [] : trace(sequences, last, furthest(last)), complete: false }
}

/** One edit more on every diagonal, then as far as the tokens agree. */
function advance({ base, side }: Sequences, edits: number, work: Work): void {
  const row = startOf(edits)
  const rows = withRoomFor(row + edits + 3)
  rows.fill(-1, row, row + edits + 3)
  const first = Math.max(0, Math.ceil((edits - side.length) / 2))
  const last = Math.min(edits, Math.floor((edits + base.length) / 2))
  let comparisons = 0
  for (let index = first; index <= last; index += 1) {
    const diagonal = 2 * index - edits
    const start = edits === 0 ? 0 : entry(rows, edits, index, base.length, side.length)
    if (start < 0) continue
    const limit = Math.min(base.length, side.length + diagonal)
    let at = start
    while (at < limit && base[at] === side[at - diagonal]) at += 1
    rows[row + index + 1] = at
    comparisons += DIAGONAL_COMPARISONS + at - start
  }
  work.left -= comparisons + ROW_COMPARISONS
}

function withRoomFor(length: number): Int32Array {
  if (length <= frontiers.length) return frontiers
  const larger = new Int32Array(Math.max(length, 2 * frontiers.length))
  larger.set(frontiers)
  frontiers = larger
  return larger
}

/** Base position at which a path of so many edits enters its diagonal from the row before; -1 when none can. */
function entry(rows: Int32Array, edits: number, index: number, baseLength: number, sideLength: number): number {
  const before = startOf(edits - 1) + index
  const deleting = rows[before] ?? -1
  const inserting = rows[before + 1] ?? -1
  const afterDelete = deleting >= 0 && deleting < baseLength ? deleting + 1 : -1
  const afterInsert = inserting - (2 * index - edits) <= sideLength ? inserting : -1
  return Math.max(afterInsert, afterDelete)
}

/** Index of the path that consumed most of both sequences; the lowest of equals. */
function furthest(edits: number): number {
  let best = 0
  let bestSum = -1
  for (let index = 0; index <= edits; index += 1) {
    const at = frontiers[startOf(edits) + index + 1] ?? -1
    const sum = at < 0 ? -1 : 2 * at - (2 * index - edits)
    if (sum > bestSum) [best, bestSum] = [index, sum]
  }
  return best
}

/** Walks back from `lastIndex` of the row of `lastEdits` and collects what the path kept. */
function trace({ base, side }: Sequences, lastEdits: number, lastIndex: number): Block[] {
  const blocks: Block[] = []
  let index = lastIndex
  for (let edits = lastEdits; edits >= 0; edits -= 1) {
    const diagonal = 2 * index - edits
    const end = frontiers[startOf(edits) + index + 1] ?? 0
    const start = edits > 0 ? entry(frontiers, edits, index, base.length, side.length) : 0
    if (end > start) blocks.push({ base: start, side: start - diagonal, length: end - start })
    const inserted = edits > 0 && frontiers[startOf(edits - 1) + index + 1] === start
    if (!inserted) index -= 1
  }
  return blocks.reverse()
}
