import { align, type Run, type Span } from './align.ts'
import { commonEnds, type Ends } from './commonEnds.ts'
import { keptUnits, matchCharacters, matchWords } from './matchText.ts'
import type { Matching, Work } from './shortestEdits.ts'
import { DeltaBuilder, type TextDelta } from './textDelta.ts'
import { areUnlike } from './unlikeLines.ts'

/** What comparing characters may cost in all, in comparisons: some 25 ms. Past it changed runs are replaced whole. */
export const characterWork = (): Work => ({ left: 12_000_000 })

/** What it costs besides, in comparisons, to look at a run. */
const RUN_WORK = 1_500

/**
 * Changed runs that become changes of their own; what lies past them is one. Each costs a document the more the more there
 * are: so many some 30 ms, four times as many half a second.
 */
const MAX_RUNS = 5_000

const matchBy = { characters: matchCharacters, words: matchWords } as const

const NOTHING_STAYS: Matching = { blocks: [], complete: true }

/** Lines that are compared before it is known whether they are others altogether. */
const LOOKED_AT = 100

/**
 * The smallest change from one text to another (SPEC DOC-8): lines first, then characters within changed
 * lines, both by a shortest edit script within fixed limits of work. Never splits a surrogate pair.
 * Equal texts give `[]`. Several deltas may share one budget of `work`. `ends`: what they have in common, where it is known.
 */
export function textDelta(
  from: string,
  to: string,
  work: Work = characterWork(),
  ends: Ends = commonEnds(from, to),
): TextDelta {
  const [gone, come] = [between(from, ends), between(to, ends)]
  if (isPlain(gone, come)) return oneChange(ends.start, gone, come)
  return compareLines(from, to, ends, { builder: new DeltaBuilder(), work, by: 'characters' })
}

/**
 * What a write does to make one text the other (SPEC DOC-8): as `textDelta`, but of a text that is replaced whole words and
 * lines stay, and no letters in between. An editor's undo takes out what its person wrote before, so what stays of that by chance
 * would be torn out of the new text. What only adds one passage, or only takes one out, is exact to the character.
 */
export function rewriteDelta(from: string, to: string, work: Work = characterWork()): TextDelta {
  const ends = commonEnds(from, to)
  const [gone, come] = [between(from, ends), between(to, ends)]
  if (gone !== '' && come !== '') {
    return compareLines(from, to, ends, { builder: new DeltaBuilder(), work, by: 'words' })
  }
  const start = lineStart(gone === '' ? to : from, ends.start, gone.length + come.length)
  return oneChange(start, from.slice(start, start + gone.length), to.slice(start, start + come.length))
}

/**
 * Where a passage of lines begins that was added or taken out: lines that begin alike leave open which units of them it is,
 * and people mean whole lines. Somebody else who takes out the same line takes out the same units then.
 */
function lineStart(text: string, start: number, length: number): number {
  if (!text.slice(start, start + length).includes('\n')) return start
  for (let at = start; ; at -= 1) {
    if (at === 0 || text[at - 1] === '\n') return at
    if (text[at - 1] !== text[at - 1 + length]) return start
  }
}

function oneChange(start: number, gone: string, come: string): TextDelta {
  const builder = new DeltaBuilder()
  builder.keep(start)
  builder.remove(gone.length)
  builder.insert(come)
  return builder.delta()
}

/** A comparison on its way. */
interface TextComparison {
  readonly builder: DeltaBuilder
  readonly work: Work
  readonly by: 'characters' | 'words'
}

function compareLines(from: string, to: string, ends: Ends, comparison: TextComparison): TextDelta {
  const { builder } = comparison
  const { start, tail } = wholeLines(from, ends)
  const [baseText, sideText] = [from.slice(start, from.length - tail), to.slice(start, to.length - tail)]
  builder.keep(start)
  const [base, side] = [new Passage(baseText), new Passage(sideText)]
  // One line that became one line is a run by itself; most edits are of this kind.
  if (areUnlike(baseText, sideText) || (base.lines.length <= 1 && side.lines.length <= 1)) {
    compareRun(base, side, comparison)
    return builder.delta()
  }
  let [lines, baseAt, sideAt] = [0, 0, 0]
  for (const run of atMost(MAX_RUNS, align(base.lines, side.lines))) {
    const kept = unitsOf(base.lines.slice(lines, run.base[0]))
    builder.keep(kept)
    const gone = base.part(run.base, baseAt + kept)
    const come = side.part(run.side, sideAt + kept)
    compareRun(gone, come, comparison)
    lines = run.base[1]
    baseAt += kept + gone.text.length
    sideAt += kept + come.text.length
  }
  return builder.delta()
}

/** Whole lines, as one text and, where somebody asks, one by one, each with its `\n`. */
class Passage {
  readonly text: string
  #lines: readonly string[] | null

  constructor(text: string, lines: readonly string[] | null = null) {
    this.text = text
    this.#lines = lines
  }

  get lines(): readonly string[] {
    this.#lines ??= linesWithEnds(this.text)
    return this.#lines
  }

  get lineCount(): number {
    if (this.#lines !== null) return this.#lines.length
    let count = 0
    for (let at = 0; at < this.text.length; at = lineEnd(this.text, at)) count += 1
    return count
  }

  /** These of its lines, which begin at unit `at` of its text. */
  part(span: Span, at: number): Passage {
    const lines = this.lines.slice(...span)
    return new Passage(this.text.slice(at, at + unitsOf(lines)), lines)
  }
}

/** Where there are more, the last is one with all that follow. */
function atMost(most: number, runs: readonly Run[]): readonly Run[] {
  const [joined, last] = [runs[most - 1], runs.at(-1)]
  if (runs.length <= most || !joined || !last) return runs
  const rest: Run = { base: [joined.base[0], last.base[1]], side: [joined.side[0], last.side[1]] }
  return [...runs.slice(0, most - 1), rest]
}

const between = (text: string, { start, tail }: Ends): string => text.slice(start, text.length - tail)

/** A few keystrokes, as most edits are. */
const PLAIN_UNITS = 16

/** Whether there is nothing to compare: few units within a line, of which none stays. */
function isPlain(gone: string, come: string): boolean {
  if (gone.length > PLAIN_UNITS || come.length > PLAIN_UNITS || gone.includes('\n') || come.includes('\n')) return false
  for (const unit of gone) if (come.includes(unit)) return false
  return true
}

const unitsOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + line.length, 0)

/** Shrinks common ends so that whole lines lie between them. */
function wholeLines(text: string, { start, tail }: Ends): Ends {
  const newline = text.indexOf('\n', text.length - tail)
  return {
    start: start === 0 ? 0 : text.lastIndexOf('\n', start - 1) + 1,
    tail: newline < 0 ? 0 : text.length - newline - 1,
  }
}

/**
 * What stays within a changed run of lines. Past the limit a run of equally many lines is compared
 * line by line, as arrays are: then every line was changed, none moved. What is left when the work is used up is one change.
 */
function compareRun(from: Passage, to: Passage, comparison: TextComparison): void {
  const { builder, work, by } = comparison
  work.left -= RUN_WORK
  const matching = matchBy[by](from.text, to.text, work)
  const isOver = matching.complete || work.left <= 0
  if (isOver || from.lineCount === 1 || from.lineCount !== to.lineCount) {
    return addMatching(matching, from.text, to.text, builder)
  }
  const [fromAt, toAt] = compareEach(from.text, to.text, comparison)
  const [rest, instead] = [from.text.slice(fromAt), to.text.slice(toAt)]
  addMatching(matchBy[by](rest, instead, { left: 0 }), rest, instead, builder)
}

/** Line by line, as far as the work goes and lines are alike. Answers how many units of both it took in. */
function compareEach(from: string, to: string, { builder, work, by }: TextComparison): [fromAt: number, toAt: number] {
  let [fromAt, toAt, unlike] = [0, 0, 0]
  for (let index = 0; fromAt < from.length && work.left > 0; index += 1) {
    if (index === LOOKED_AT && 2 * unlike > LOOKED_AT) break
    const [line, instead] = [from.slice(fromAt, lineEnd(from, fromAt)), to.slice(toAt, lineEnd(to, toAt))]
    work.left -= RUN_WORK
    const matching = matchBy[by](line, instead, work)
    const isOther = 2 * keptUnits(matching) < Math.max(line.length, instead.length)
    if (isOther) unlike += 1
    // Of a line that is another no line feed stays either.
    addMatching(isOther && by === 'words' ? NOTHING_STAYS : matching, line, instead, builder)
    fromAt += line.length
    toAt += instead.length
  }
  return [fromAt, toAt]
}

function addMatching({ blocks }: Matching, from: string, to: string, builder: DeltaBuilder): void {
  let fromAt = 0
  let toAt = 0
  for (const block of blocks) {
    builder.remove(block.base - fromAt)
    builder.insert(to.slice(toAt, block.side))
    builder.keep(block.length)
    fromAt = block.base + block.length
    toAt = block.side + block.length
  }
  builder.remove(from.length - fromAt)
  builder.insert(to.slice(toAt))
}

/** Lines with their `\n`, so that joining them gives the text. */
function linesWithEnds(text: string): string[] {
  const lines: string[] = []
  for (let start = 0; start < text.length;) {
    const end = lineEnd(text, start)
    lines.push(text.slice(start, end))
    start = end
  }
  return lines
}

/** Where the line at `start` ends, its `\n` included. */
function lineEnd(text: string, start: number): number {
  const newline = text.indexOf('\n', start)
  return newline < 0 ? text.length : newline + 1
}
