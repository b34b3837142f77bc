import { align, type Run, type Span } from './align.ts'
import { commonEnds, type Ends } from './commonEnds.ts'
import { shortestEdits, type Matching, type Work } from './shortestEdits.ts'
import { DeltaBuilder, type TextDelta } from './textDelta.ts'
import { areUnlike } from './unlikeLines.ts'

/** A changed run of lines is compared character by character up to so many deletions and insertions. */
const MAX_CHARACTER_EDITS = 1_000

/** What comparing characters may cost in all, in comparisons: some 25 ms. Past it changed runs are replaced whole. */
export const characterWork = (): Work => ({ left: 12_000_000 })

/** What it costs besides, in comparisons, to look at a run, and to begin a script. */
const RUN_WORK = 1_500
const SCRIPT_WORK = 2_500

/**
 * Changed runs that become changes of their own; what lies past them is one. Each costs a document the more the more there
 * are: so many some 30 ms, four times as many half a second.
 */
const MAX_RUNS = 5_000

/** Lines that are compared before it is known whether they are others altogether. */
const LOOKED_AT = 100

/** What stays in more pieces, and is less than half, stays by chance: every fourth letter of two unlike lines. */
const MAX_PATCHES = 4

/**
 * The smallest change from one text to another (SPEC DOC-8): lines first, then characters within changed
 * lines, both by a shortest edit script within fixed limits of work. Never splits a surrogate pair.
 * Equal texts give `[]`. Several deltas may share one budget of `work`.
 */
export function textDelta(from: string, to: string, work: Work = characterWork()): TextDelta {
  const builder = new DeltaBuilder()
  compareLines(from, to, builder, work)
  return builder.delta()
}

function compareLines(from: string, to: string, builder: DeltaBuilder, work: Work): void {
  const ends = commonEnds(from, to)
  const [gone, come] = [between(from, ends), between(to, ends)]
  if (isPlain(gone, come)) {
    builder.keep(ends.start)
    builder.remove(gone.length)
    builder.insert(come)
    return
  }
  const { start, tail } = wholeLines(from, ends)
  const [baseText, sideText] = [from.slice(start, from.length - tail), to.slice(start, to.length - tail)]
  builder.keep(start)
  const [base, side] = [new Passage(baseText), new Passage(sideText)]
  if (areUnlike(baseText, sideText)) return compareRun(base, side, builder, work)
  // One line that became one line is a run by itself; most edits are of this kind.
  if (base.lines.length <= 1 && side.lines.length <= 1) return compareRun(base, side, builder, work)
  let [lines, baseAt, sideAt] = [0, 0, 0]
  for (const run of atMost(MAX_RUNS, align(base.lines, side.lines))) {
    const kept = unitsOf(base.lines.slice(lines, run.base[0]))
    builder.keep(kept)
    const gone = base.part(run.base, baseAt + kept)
    const come = side.part(run.side, sideAt + kept)
    compareRun(gone, come, builder, work)
    lines = run.base[1]
    baseAt += kept + gone.text.length
    sideAt += kept + come.text.length
  }
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
 * Characters within a changed run of lines. Past the limit a run of equally many lines is compared
 * line by line, as arrays are: then every line was changed, none moved. What is left when the work is used up is one change.
 */
function compareRun(from: Passage, to: Passage, builder: DeltaBuilder, work: Work): void {
  work.left -= RUN_WORK
  const matching = matchCharacters(from.text, to.text, work)
  const isOver = matching.complete || work.left <= 0
  if (isOver || from.lineCount === 1 || from.lineCount !== to.lineCount) {
    return addMatching(matching, from.text, to.text, builder)
  }
  const [fromAt, toAt] = compareEach(from.text, to.text, builder, work)
  const [rest, instead] = [from.text.slice(fromAt), to.text.slice(toAt)]
  addMatching(matchCharacters(rest, instead, { left: 0 }), rest, instead, builder)
}

/** Line by line, as far as the work goes and lines are alike. Answers how many units of both it took in. */
function compareEach(from: string, to: string, builder: DeltaBuilder, work: Work): [fromAt: number, toAt: number] {
  let [fromAt, toAt, unlike] = [0, 0, 0]
  for (let index = 0; fromAt < from.length && work.left > 0; index += 1) {
    if (index === LOOKED_AT && 2 * unlike > LOOKED_AT) break
    const [line, instead] = [from.slice(fromAt, lineEnd(from, fromAt)), to.slice(toAt, lineEnd(to, toAt))]
    work.left -= RUN_WORK
    const matching = matchCharacters(line, instead, work)
    addMatching(matching, line, instead, builder)
    if (2 * keptUnits(matching) < Math.max(line.length, instead.length)) unlike += 1
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

/** What stays of a text, in UTF-16 units: common prefix and suffix first, then a shortest edit script. */
function matchCharacters(from: string, to: string, work: Work): Matching {
  const { start, tail } = commonEnds(from, to)
  const prefix = { base: 0, side: 0, length: start }
  const suffix = { base: from.length - tail, side: to.length - tail, length: tail }
  const fromMiddle = from.slice(start, suffix.base)
  const toMiddle = to.slice(start, suffix.side)
  if (fromMiddle === '' || toMiddle === '') return { blocks: [prefix, suffix], complete: true }
  if (work.left <= 0 || Math.abs(fromMiddle.length - toMiddle.length) > 2 * MAX_CHARACTER_EDITS) {
    return { blocks: [prefix, suffix], complete: false }
  }
  work.left -= SCRIPT_WORK + fromMiddle.length + toMiddle.length
  if (work.left <= 0) return { blocks: [prefix, suffix], complete: false }
  const base = characters(fromMiddle)
  const side = characters(toMiddle)
  const { blocks, complete } = shortestEdits(base.points, side.points, MAX_CHARACTER_EDITS, work)
  if (isPatchwork(blocks, Math.max(base.points.length, side.points.length))) {
    return { blocks: [prefix, suffix], complete }
  }
  const inner = blocks.map((block) => {
    const at = base.startOf(block.base)
    const length = base.startOf(block.base + block.length) - at
    return { base: start + at, side: start + side.startOf(block.side), length }
  })
  return { blocks: [prefix, ...inner, suffix], complete }
}

/** Whether what stays of a text of that length stays by chance. */
function isPatchwork(blocks: Matching['blocks'], length: number): boolean {
  return blocks.length > MAX_PATCHES && 2 * keptUnits({ blocks }) < length
}

const keptUnits = ({ blocks }: Pick<Matching, 'blocks'>): number => blocks.reduce((sum, block) => sum + block.length, 0)

interface Characters {
  readonly points: Int32Array
  /** Where a code point begins in the text, in UTF-16 units; for one past the last, the end of the text. */
  startOf(point: number): number
}

const SURROGATE = /[\ud800-\udfff]/

/** The code points of a text. Where there are no surrogates units are code points, and are taken as a block. */
function characters(text: string): Characters {
  if (!SURROGATE.test(text)) {
    const bytes = Buffer.from(text, 'utf16le')
    const units = new Uint16Array(bytes.buffer, bytes.byteOffset, text.length)
    return { points: new Int32Array(units), startOf: (point) => point }
  }
  const points = new Int32Array(text.length)
  const starts = new Int32Array(text.length + 1)
  let count = 0
  for (let at = 0; at < text.length; count += 1) {
    const point = text.codePointAt(at) ?? 0
    points[count] = point
    at += point > 0xffff ? 2 : 1
    starts[count + 1] = at
  }
  return { points: points.subarray(0, count), startOf: (point) => starts[point] ?? 0 }
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
