import { align, splitLines, type Run } from '../../../server/content/align.ts'
import type { Range } from '../parley/types.ts'

/** Where lines of a text stand in what became of it; of lines that became others it is all of these. */
export function movedLines(before: string, after: string, { start, end }: Range): Range {
  if (before === after) return { start, end }
  const runs = align(splitLines(before), splitLines(after))
  const movedStart = movedPlace(runs, start - 1, true)
  return { start: movedStart + 1, end: Math.max(movedStart, movedPlace(runs, end - 1, false)) + 1 }
}

/** A place between lines; lines that were inserted right there come before a start, and behind an end. */
function movedPlace(runs: readonly Run[], place: number, isStart: boolean): number {
  let moved = place
  for (const { base, side } of runs) {
    if (base[0] < place && place < base[1]) return isStart ? side[0] : side[1]
    const isBefore = base[1] <= place && (base[0] < place || isStart)
    if (isBefore) moved += side[1] - side[0] - (base[1] - base[0])
  }
  return moved
}
