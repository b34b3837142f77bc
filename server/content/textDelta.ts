import { align, type Run, type Span } from './align.ts'
import { areUnlike } from './unlikeLines.ts'
import { shortestEdits, type Matching, type Work } from './shortestEdits.ts'

/**
 * A change of a text in UTF-16 units, as a compact list: a positive number keeps so many units,
 * a negative one deletes, a string inserts. What follows the last item is kept.
 */
export type TextDelta = readonly (number | string)[]

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

/** Applies a delta. Throws RangeError when it reaches past the end of the text. */
export function applyTextDelta(text: string, delta: TextDelta): string {
  const parts: string[] = []
  let at = 0
  for (const item of delta) {
    if (typeof item === 'string') {
      parts.push(item)
      continue
    }
    if (at + Math.abs(item) > text.length) throw new RangeError(`The delta reaches past the end, ${text.length}`)
    if (item > 0) parts.push(text.slice(at, at + item))
    at += Math.abs(item)
  }
  parts.push(text.slice(at))
  return parts.join('')
}

/** One delta that does what `first` and then `second` do. */
export const composeDeltas = (first: TextDelta, second: TextDelta): TextDelta =>
  composeInto(new DeltaBuilder(), first, second)

/**
 * The same, in which at each place deletions and insertions keep the order in which they stand in the text: what
 * follows every character through it (`TextTrace`) finds each where it would after `first` and `second`.
 */
export const joinDeltas = (first: TextDelta, second: TextDelta): TextDelta =>
  composeInto(new OrderedBuilder(), first, second)

function composeInto(builder: Builder, first: TextDelta, second: TextDelta): TextDelta {
  const source = new DeltaReader(first, builder)
  for (const item of second) {
    if (typeof item === 'string') builder.insert(item)
    else if (item > 0) source.keep(item)
    else source.remove(-item)
  }
  source.keepRest()
  return builder.delta()
}

interface Builder {
  keep(units: number): void
  remove(units: number): void
  insert(text: string): void
  delta(): TextDelta
}

/** Collects a delta as it comes. */
class OrderedBuilder implements Builder {
  readonly #items: (number | string)[] = []

  keep(units: number): void {
    const last = this.#items.at(-1)
    if (typeof last === 'number' && last > 0) this.#items[this.#items.length - 1] = last + units
    else if (units > 0) this.#items.push(units)
  }

  remove(units: number): void {
    const last = this.#items.at(-1)
    if (typeof last === 'number' && last < 0) this.#items[this.#items.length - 1] = last - units
    else if (units > 0) this.#items.push(-units)
  }

  insert(text: string): void {
    const last = this.#items.at(-1)
    if (typeof last === 'string') this.#items[this.#items.length - 1] = last + text
    else if (text !== '') this.#items.push(text)
  }

  /** The delta so far; trailing keeps are left out. */
  delta(): TextDelta {
    const last = this.#items.at(-1)
    return typeof last === 'number' && last > 0 ? this.#items.slice(0, -1) : this.#items
  }
}

/** Collects a delta in its one normal form: at each place what is deleted, then what is inserted. */
export class DeltaBuilder implements Builder {
  readonly #items: (number | string)[] = []
  #kept = 0
  #removed = 0
  #inserted = ''

  keep(units: number): void {
    if (units === 0) return
    this.#flushChange()
    this.#kept += units
  }

  remove(units: number): void {
    this.#removed += units
  }

  insert(text: string): void {
    this.#inserted += text
  }

  /** The delta so far; trailing keeps are left out. */
  delta(): TextDelta {
    this.#flushChange()
    return this.#items
  }

  #flushChange(): void {
    if (this.#removed === 0 && this.#inserted === '') return
    if (this.#kept > 0) this.#items.push(this.#kept)
    if (this.#removed > 0) this.#items.push(-this.#removed)
    if (this.#inserted !== '') this.#items.push(this.#inserted)
    this.#kept = 0
    this.#removed = 0
    this.#inserted = ''
  }
}

/** Walks the result of a delta; what it passes goes to the builder, as it came to be. */
class DeltaReader {
  readonly #delta: TextDelta
  readonly #builder: Builder
  #item = 0
  #used = 0

  constructor(delta: TextDelta, builder: Builder) {
    this.#delta = delta
    this.#builder = builder
  }

  keep(units: number): void {
    this.#walk(units, (piece) => {
      if (typeof piece === 'string') this.#builder.insert(piece)
      else this.#builder.keep(piece)
    })
  }

  /** Deletes units of the result: a kept unit is deleted from the source, an inserted one never was. */
  remove(units: number): void {
    this.#walk(units, (piece) => {
      if (typeof piece === 'number') this.#builder.remove(piece)
    })
  }

  keepRest(): void {
    for (const item of this.#delta.slice(this.#item)) {
      if (typeof item === 'string') this.#builder.insert(item.slice(this.#used))
      else if (item > 0) this.#builder.keep(item - this.#used)
      else this.#builder.remove(-item)
      this.#used = 0
    }
  }

  #walk(units: number, take: (piece: number | string) => void): void {
    let left = units
    while (left > 0) {
      this.#passRemovals()
      const item = this.#delta[this.#item] ?? Number.POSITIVE_INFINITY
      const length = Math.min(left, resultUnits(item) - this.#used)
      take(typeof item === 'string' ? item.slice(this.#used, this.#used + length) : length)
      this.#used += length
      left -= length
      if (this.#used < resultUnits(item)) continue
      this.#item += 1
      this.#used = 0
    }
  }

  #passRemovals(): void {
    for (let item = this.#delta[this.#item]; typeof item === 'number' && item < 0; item = this.#delta[this.#item]) {
      this.#builder.remove(-item)
      this.#item += 1
    }
  }
}

/** How much of the result of a delta an item makes up. */
function resultUnits(item: number | string): number {
  if (typeof item === 'string') return item.length
  return Math.max(item, 0)
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

interface Ends {
  readonly start: number
  readonly tail: number
}

/** Lengths of the common prefix and, in what remains, of the common suffix; neither ends within a surrogate pair. */
function commonEnds(a: string, b: string): Ends {
  const shorter = Math.min(a.length, b.length)
  let start = commonPrefix(a, b, shorter)
  if (start > 0 && isHigh(a, start - 1) && (isLow(a, start) || isLow(b, start))) start -= 1
  let tail = commonSuffix(a, b, shorter - start)
  const [aEnd, bEnd] = [a.length - tail, b.length - tail]
  if (tail > 0 && isLow(a, aEnd) && (isHigh(a, aEnd - 1) || isHigh(b, bEnd - 1))) tail -= 1
  return { start, tail }
}

/** Whole pieces are compared first, large ones before small ones: the engine does that many times faster than unit by unit. */
const PIECES_UNITS = [1_024, 64] as const

function commonPrefix(a: string, b: string, most: number): number {
  let length = 0
  for (const units of PIECES_UNITS) {
    while (length + units <= most && goOnAlike(a, b, length, units)) length += units
  }
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length += 1
  return length
}

function commonSuffix(a: string, b: string, most: number): number {
  let length = 0
  for (const units of PIECES_UNITS) {
    while (length + units <= most && endsAlike(a, b, length, units)) length += units
  }
  while (length < most && a.charCodeAt(a.length - 1 - length) === b.charCodeAt(b.length - 1 - length)) length += 1
  return length
}

/** Whether the `units` from there on are the same in both texts. */
const goOnAlike = (a: string, b: string, at: number, units: number): boolean =>
  a.slice(at, at + units) === b.slice(at, at + units)

/** Whether the `units` before the last `tail` of both texts are the same. */
const endsAlike = (a: string, b: string, tail: number, units: number): boolean =>
  a.slice(a.length - tail - units, a.length - tail) === b.slice(b.length - tail - units, b.length - tail)

/** Whether a position lies between the two halves of a surrogate pair. */
export const isWithinPair = (text: string, at: number): boolean => isHigh(text, at - 1) && isLow(text, at)

const isHigh = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800
const isLow = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00

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
