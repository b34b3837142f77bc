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

/**
 * How far the paths of `edits` edits got: the one that ends on diagonal `-edits + 2 * i` (base position less
 * side position) reached base position `frontier[i + 1]`, or -1. A -1 at either end spares bounds checks.
 */
type Frontier = Int32Array

interface Sequences {
  readonly base: Int32Array
  readonly side: Int32Array
}

const START: Frontier = new Int32Array([-1, 0, -1])

/**
 * The tokens a shortest edit script keeps. Where several scripts are equally short the choice is fixed.
 * Past `maxEdits` deletions and insertions, or when `work` is used up, the blocks of the path that got
 * furthest are answered.
 */
export function shortestEdits(base: Int32Array, side: Int32Array, maxEdits: number, work: Work): Matching {
  const sequences = { base, side }
  const frontiers: Frontier[] = []
  const goal = base.length - side.length
  for (let edits = 0; edits <= maxEdits && work.left > 0; edits += 1) {
    const frontier = advance(sequences, frontiers[edits - 1] ?? null, edits, work)
    frontiers.push(frontier)
    const index = (goal + edits) / 2
    if (index >= 0 && index <= edits && frontier[index + 1] === base.length) {
      return { blocks: trace(sequences, frontiers, index), complete: true }
    }
  }
  return { blocks: trace(sequences, frontiers, furthest(frontiers.at(-1) ?? START)), complete: false }
}

/** One edit more on every diagonal, then as far as the tokens agree. */
function advance({ base, side }: Sequences, previous: Frontier | null, edits: number, work: Work): Frontier {
  const frontier = new Int32Array(edits + 3).fill(-1)
  const first = Math.max(0, Math.ceil((edits - side.length) / 2))
  const last = Math.min(edits, Math.floor((edits + base.length) / 2))
  let comparisons = 0
  for (let index = first; index <= last; index += 1) {
    const diagonal = 2 * index - edits
    const start = previous === null ? 0 : entry(previous, index, diagonal, base.length, side.length)
    if (start < 0) continue
    const limit = Math.min(base.length, side.length + diagonal)
    let at = start
    while (at < limit && base[at] === side[at - diagonal]) at += 1
    frontier[index + 1] = at
    comparisons += 1 + at - start
  }
  work.left -= comparisons
  return frontier
}

/** Base position at which a path enters a diagonal from the frontier before; -1 when none can. */
function entry(previous: Frontier, index: number, diagonal: number, baseLength: number, sideLength: number): number {
  const deleting = previous[index] ?? -1
  const inserting = previous[index + 1] ?? -1
  const afterDelete = deleting >= 0 && deleting < baseLength ? deleting + 1 : -1
  const afterInsert = inserting - diagonal <= sideLength ? inserting : -1
  return Math.max(afterInsert, afterDelete)
}

/** Index of the path that consumed most of both sequences; the lowest of equals. */
function furthest(frontier: Frontier): number {
  const edits = frontier.length - 3
  let best = 0
  let bestSum = -1
  for (let index = 0; index <= edits; index += 1) {
    const at = frontier[index + 1] ?? -1
    const sum = at < 0 ? -1 : 2 * at - (2 * index - edits)
    if (sum > bestSum) [best, bestSum] = [index, sum]
  }
  return best
}

/** Walks back from `lastIndex` of the last frontier and collects what the path kept. */
function trace({ base, side }: Sequences, frontiers: readonly Frontier[], lastIndex: number): Block[] {
  const blocks: Block[] = []
  let index = lastIndex
  for (let edits = frontiers.length - 1; edits >= 0; edits -= 1) {
    const diagonal = 2 * index - edits
    const end = frontiers[edits]?.[index + 1] ?? 0
    const previous = edits > 0 ? frontiers[edits - 1] : undefined
    const start = previous ? entry(previous, index, diagonal, base.length, side.length) : 0
    if (end > start) blocks.push({ base: start, side: start - diagonal, length: end - start })
    const inserted = previous?.[index + 1] === start
    if (!inserted) index -= 1
  }
  return blocks.reverse()
}
