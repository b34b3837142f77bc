import { align, spansOverlap, splitLines, type Span } from './align.ts'
import { alignLines } from './alignLines.ts'
import type { Range } from './content.ts'
import { nameOfLines, type Choice, type LineChange, type TextOverlap } from './overlap.ts'
import { reachOfLines, type Reach } from './reach.ts'
import { reachedSpans, weave, type Stretch } from './weave.ts'

/** Decides what stands at an overlap. */
type SettleText = (overlap: TextOverlap) => TextChoice
export type TextChoice = Extract<Choice, string> | { readonly text: string }

/** The three-way merge of CONF-2 by lines. Overlaps are handed to `settle` in order; `onReach` hears where incoming differs. */
export function mergeText(
  base: string,
  current: string,
  incoming: string,
  settle: SettleText,
  onReach?: (reach: Reach) => void,
): string {
  const sides: Lines = { base: splitLines(base), current: splitLines(current), incoming: splitLines(incoming) }
  const merged: string[] = []
  let kept = 0
  const stretches = weave(alignLines(sides.base, sides.current), alignLines(sides.base, sides.incoming))
  onReach?.(reachOfLines(sides.current, reachedSpans(stretches)))
  for (const stretch of stretches) {
    append(merged, sides.base, [kept, stretch.base[0]])
    append(merged, ...settled(sides, stretch, settle))
    kept = stretch.base[1]
  }
  append(merged, sides.base, [kept, sides.base.length])
  return merged.join('\n')
}

/** The runs of lines in which a side differs from the base, each of one change or of several side by side. */
export function lineChanges(base: string, side: string): LineChange[] {
  const [baseLines, sideLines] = [splitLines(base), splitLines(side)]
  return align(baseLines, sideLines).map((run) => ({
    lines: { base: toRange(run.base), side: toRange(run.side) },
    base: textOf(baseLines, run.base),
    side: textOf(sideLines, run.side),
  }))
}

/** Whether the lines that differ between two texts overlap (CONF-2) any of these lines of the first. */
export function changesLines(before: string, after: string, ranges: readonly Range[]): boolean {
  const spans = ranges.map((range): Span => [range.start - 1, range.end - 1]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
  let first = 0
  for (const { base } of alignLines(splitLines(before), splitLines(after))) {
    while (first < spans.length && (spans[first]?.[1] ?? 0) < base[0]) first += 1
    for (let next = first; next < spans.length; next += 1) {
      const span = spans[next]
      if (span === undefined || span[0] > base[1]) break
      if (spansOverlap(base, span)) return true
    }
  }
  return false
}

type Lines = Record<'base' | 'current' | 'incoming', readonly string[]>

const toRange = ([start, end]: Span): Range => ({ start: start + 1, end: end + 1 })
const textOf = (lines: readonly string[], span: Span): string => lines.slice(...span).join('\n')

function append(merged: string[], lines: readonly string[], [start, end]: Span): void {
  for (const line of lines.slice(start, end)) merged.push(line)
}

/** The lines that stand in a stretch of the merge. */
function settled(sides: Lines, stretch: Stretch, settle: SettleText): [lines: readonly string[], span: Span] {
  if (stretch.changedBy !== 'both') return [sides[stretch.changedBy], stretch[stretch.changedBy]]
  const overlap = overlapAt(sides, stretch)
  const isSameChange = overlap.current === overlap.incoming && sameLength(stretch)
  const choice = isSameChange ? 'current' : settle(overlap)
  if (typeof choice === 'string') return [sides[choice], stretch[choice]]
  const lines = linesOf(choice.text, overlap)
  return [lines, [0, lines.length]]
}

/** The lines of a text chosen for an overlap. */
export const linesOf = (text: string, overlap: TextOverlap): string[] =>
  text === '' && !readsAsEmptyLine(overlap) ? [] : splitLines(text)

/** No lines and one empty line are both shown as `''`. */
const sameLength = ({ current, incoming }: Stretch): boolean => current[1] - current[0] === incoming[1] - incoming[0]

/**
 * A chosen text `''` means no lines, unless `''` stands for one empty line in this overlap: some side shows
 * an empty line there, and none shows no lines.
 */
function readsAsEmptyLine(overlap: TextOverlap): boolean {
  const sides = [
    { text: overlap.base, range: overlap.lines.base },
    { text: overlap.current, range: overlap.lines.current },
    { text: overlap.incoming, range: overlap.lines.incoming },
  ].filter(({ text }) => text === '')
  return sides.length > 0 && sides.every(({ range }) => range.end > range.start)
}

function overlapAt(sides: Lines, stretch: Stretch): TextOverlap {
  const lines = { base: toRange(stretch.base), current: toRange(stretch.current), incoming: toRange(stretch.incoming) }
  return {
    id: nameOfLines(lines.base),
    lines,
    base: textOf(sides.base, stretch.base),
    current: textOf(sides.current, stretch.current),
    incoming: textOf(sides.incoming, stretch.incoming),
  }
}
