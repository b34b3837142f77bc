import type { Span } from './align.ts'
import type { Range } from './content.ts'
import { handOf, newer, type Hand, type Mark } from './hands.ts'
import { Lineage, type Part } from './lineage.ts'
import type { TextDelta } from './textDelta.ts'

/**
 * A stretch of one line that one entry put there, or (`units` 0) the trace of what one took out. `by` is null for what
 * was there from the start, and on the trace of a newline that its own author took out.
 */
interface Piece {
  units: number
  by: Mark | null
  /** Of a trace: how many units of what was there from the start it stands for. */
  gone?: number
  /** Of a trace that stands for several by one author: the version of the first, where `by` is the newest. */
  since?: number
  /** Set on a trace: the version of the first of its author's changes since somebody else's. */
  run?: number
  /** Set on the trace of a newline: what stands before it was a line of its own. */
  readonly newline?: true
  /**
   * Set where a newline's author took it out in the same run, which is not known of changes that were joined. To blame a
   * line, it parts that from what went beside it, if the line is of the run too: joined, all of it has one version.
   */
  readonly own?: string
}

interface TracedLine {
  /** UTF-16 units without the newline. */
  units: number
  pieces: Piece[]
  /** Who put the newline at its end. */
  end: Mark | null
}

/** Lines `start` to `end` (1-based, end exclusive) were last changed by one entry; null: before the first. */
export interface LineBlame {
  readonly lines: Range
  readonly by: Mark | null
}

/**
 * Who put each character of a text there, while deltas go by. It knows lengths only, never the text.
 *
 * What someone took out leaves a trace at its place, unless it was their own: so the answers are the same whether
 * consecutive changes of one author come one by one or joined in one delta.
 */
export class TextTrace {
  readonly #lines: TracedLine[]
  readonly #baseStarts: readonly number[]
  #lineage: Lineage<Hand | null> | null = null
  /** Who made the newest changes, with nobody in between, and the version of the first of them. */
  #run = { author: '', since: 0 }
  /** The line last worked on and the offset of its start: changes tend to come close to each other. */
  #index = 0
  #start = 0

  constructor(base: string) {
    const lines = base.split('\n')
    this.#lines = lines.map((line) => newLine(line.length === 0 ? [] : [{ units: line.length, by: null }]))
    this.#baseStarts = startsOf(this.#lines)
  }

  /** `delta` applies to the text as it is now, or throws RangeError. */
  apply(delta: TextDelta, by: Mark): void {
    if (this.#run.author !== by.author) this.#run = { author: by.author, since: by.version }
    this.#lineage = null
    let at = 0
    let cursor: TraceCursor | null = null
    for (const item of delta) {
      if (typeof item === 'string') {
        cursor = this.#insert(cursor ?? this.#seek(at), item, by)
        at += item.length
      } else if (item < 0) cursor = this.#remove(cursor ?? this.#seek(at), -item, by)
      else {
        at += item
        cursor = null
      }
    }
  }

  /** Every line of the text as it is now with the newest entry that changed its characters, joined where it is the same. */
  blame(): LineBlame[] {
    const blames: { lines: { start: number; end: number }; by: Mark | null }[] = []
    for (const [index, line] of this.#lines.entries()) {
      const by = newestOf(line, this.#lines[index - 1]?.end ?? null)
      const last = blames.at(-1)
      if (last && last.by === by) last.lines.end += 1
      else blames.push({ lines: { start: index + 1, end: index + 2 }, by })
    }
    return blames
  }

  /**
   * Who is behind the difference between lines of the text at base and of the text as it is now, where a comparison of
   * both texts found one: those who put characters there, and those who took some out that were not their own.
   */
  handsOf(base: Range, now: Range): readonly Hand[] {
    this.#lineage ??= this.#newLineage()
    return this.#lineage.fateOf(spanOf(base), spanOf(now)).hands
  }

  #newLineage(): Lineage<Hand | null> {
    const starts = { base: this.#baseStarts, now: startsOf(this.#lines) }
    return new Lineage(partsOf(this.#lines), starts, 1, (hand) => (hand ? [hand] : []))
  }

  /** Right behind the unit before the position, so before the traces of what stood between it and the next. */
  #seek(at: number): TraceCursor {
    while (at < this.#start) {
      this.#index -= 1
      this.#start -= this.#lineAt(this.#index).units + 1
    }
    while (at > this.#start + this.#lineAt(this.#index).units) {
      this.#start += this.#lineAt(this.#index).units + 1
      this.#index += 1
    }
    const { pieces } = this.#lineAt(this.#index)
    let left = at - this.#start
    let piece = 0
    for (let units = pieces[piece]?.units ?? 0; left > 0 && units <= left; units = pieces[piece]?.units ?? 0) {
      left -= units
      piece += 1
    }
    return { piece, offset: left }
  }

  #lineAt(index: number): TracedLine {
    const line = this.#lines[index]
    if (!line) throw new RangeError('The delta reaches past the end of the text')
    return line
  }

  #insert(cursor: TraceCursor, text: string, by: Mark): TraceCursor {
    const line = this.#lineAt(this.#index)
    const parts = text.split('\n')
    const piece = split(line, cursor)
    const [first = ''] = parts
    const added = parts.slice(1).map((part) => newLine(part === '' ? [] : [{ units: part.length, by }], by))
    const last = added.at(-1)
    if (last === undefined) {
      line.pieces.splice(piece, 0, { units: first.length, by })
      line.units += first.length
      return { piece: piece + 1, offset: 0 }
    }
    const rest = line.pieces.splice(piece)
    const restUnits = unitsOf(rest)
    if (first !== '') line.pieces.push({ units: first.length, by })
    line.units += first.length - restUnits
    const end = { piece: last.pieces.length, offset: 0 }
    append(last.pieces, rest)
    last.units += restUnits
    last.end = line.end
    line.end = by
    insertAt(this.#lines, this.#index + 1, added)
    for (const passed of [line, ...added.slice(0, -1)]) this.#start += passed.units + 1
    this.#index += added.length
    return end
  }

  #remove(cursor: TraceCursor, units: number, by: Mark): TraceCursor {
    const line = this.#lineAt(this.#index)
    let piece = split(line, cursor)
    let joined = 0
    for (let left = units; left > 0;) {
      const here = line.pieces[piece]
      if (here === undefined) {
        joined += 1
        const next = this.#lineAt(this.#index + joined)
        if (leaveNewline(line, piece, this.#traceOfNewline(line.end, by))) piece += 1
        append(line.pieces, next.pieces)
        line.units += next.units
        line.end = next.end
        left -= 1
      } else if (here.units === 0) piece += 1
      else {
        const taken = Math.min(left, here.units)
        split(line, { piece, offset: taken })
        line.pieces.splice(piece, 1)
        if (leaveTrace(line, piece, here.by, { units: 0, by, gone: here.by ? 0 : taken, run: this.#run.since }))
          piece += 1
        line.units -= taken
        left -= taken
      }
    }
    this.#lines.splice(this.#index + 1, joined)
    return { piece, offset: 0 }
  }

  #traceOfNewline(was: Mark | null, by: Mark): Piece {
    const { since: run, author } = this.#run
    if (was === null) return { units: 0, by, gone: 1, run, newline: true }
    if (was.author !== by.author) return { units: 0, by, run, newline: true }
    return { units: 0, by: null, run, newline: true, ...(was.version >= run ? { own: author } : {}) }
  }
}

/** A place within the line worked on. */
interface TraceCursor {
  readonly piece: number
  /** Units of that piece before the place. */
  readonly offset: number
}

const newLine = (pieces: Piece[], end: Mark | null = null): TracedLine => ({ units: unitsOf(pieces), pieces, end })
const unitsOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, piece) => sum + piece.units, 0)
const isAlive = (piece: Piece): boolean => piece.units > 0

/** Makes a piece begin at the cursor, and answers which. */
function split(line: TracedLine, { piece, offset }: TraceCursor): number {
  const here = line.pieces[piece]
  if (here === undefined || offset === 0) return piece
  if (offset < here.units) line.pieces.splice(piece + 1, 0, { units: here.units - offset, by: here.by })
  here.units = offset
  return piece + 1
}

/** Puts the trace of a removal at `piece`, or not where what went was by the same author. Answers whether one was added. */
function leaveTrace(line: TracedLine, piece: number, was: Mark | null, trace: Piece): boolean {
  if (was?.author === trace.by?.author) return false
  const before = line.pieces[piece - 1]
  const isJoined = before !== undefined && areTracesOfOne(before, trace)
  if (isJoined) line.pieces[piece - 1] = joinedTrace(before, trace)
  else line.pieces.splice(piece, 0, trace)
  return !isJoined
}

/** The pieces as they would be had all of a run come in one change: its author's traces in one place are one. */
function settled(pieces: readonly Piece[]): Piece[] {
  const joined: Piece[] = []
  for (const piece of pieces) {
    const before = joined.at(-1)
    if (before && areTracesOfOne(before, piece)) joined[joined.length - 1] = joinedTrace(before, piece)
    else if (piece.own === undefined) joined.push(piece)
  }
  return joined
}

const areTracesOfOne = (a: Piece, b: Piece): boolean =>
  !isAlive(a) && !isAlive(b) && !a.newline && !b.newline && a.by?.author === b.by?.author

const joinedTrace = (a: Piece, b: Piece): Piece => ({
  units: 0,
  by: newer(a.by, b.by),
  gone: (a.gone ?? 0) + (b.gone ?? 0),
  since: Math.min(sinceOf(a), sinceOf(b)),
  run: Math.max(runOf(a), runOf(b)),
})

const sinceOf = ({ since, by }: Piece): number => since ?? by?.version ?? 0

/** Of newlines that their author took out with nothing in between only one leaves a trace. */
function leaveNewline(line: TracedLine, piece: number, trace: Piece): boolean {
  const before = line.pieces[piece - 1]
  if (trace.own !== undefined && before?.own === trace.own && before.run === trace.run) return false
  line.pieces.splice(piece, 0, trace)
  return true
}

/** The newest entry that changed a line. An empty one was made by one of the newlines around it too. */
function newestOf(line: TracedLine, previousEnd: Mark | null): Mark | null {
  let newest = line.units === 0 ? newer(line.end, previousEnd) : null
  const isOwn = ownPieces(line.units, line.pieces)
  for (const [index, { by }] of line.pieces.entries()) if (isOwn(index)) newest = newer(newest, by)
  return newest
}

/**
 * Which pieces are a line's own: of what went before its first character or behind its last what stood in this line, not
 * in whole lines beside it. Of an empty line that was empty all along, what went from it since.
 */
function ownPieces(units: number, pieces: readonly Piece[]): (index: number) => boolean {
  if (!pieces.some((piece) => piece.newline)) return () => true
  const [first, last] = [pieces.findIndex(isAlive), pieces.findLastIndex(isAlive)]
  if (units === 0) {
    const parted = wasEmptyAllAlong(pieces) ? newestParting(pieces, undefined).at(-1) : 0
    return (index) => runOf(pieces[index]) > (parted ?? 0)
  }
  const before = newestParting(pieces.slice(0, first).reverse(), pieces[first]).reverse()
  const behind = newestParting(pieces.slice(last + 1), pieces[last])
  return (index) => {
    if (index < first) return runOf(pieces[index]) > (before[index] ?? 0)
    return index <= last || runOf(pieces[index]) > (behind[index - last - 1] ?? 0)
  }
}

/** Of each trace, counted from a line's own text on, the newest run that took out a newline between this and that. */
function newestParting(traces: readonly Piece[], text: Piece | undefined): number[] {
  let newest = 0
  return traces.map((piece) => {
    const isOfRun = piece.own !== undefined && text?.by?.author === piece.own && text.by.version >= runOf(piece)
    if (partsLines(piece) || isOfRun) newest = Math.max(newest, runOf(piece))
    return newest
  })
}

const runOf = (piece: Piece | undefined): number => piece?.run ?? 0

/** Whether one of the lines that an empty line is left of has no traces. */
function wasEmptyAllAlong(pieces: readonly Piece[]): boolean {
  const traces = pieces.filter((piece) => partsLines(piece) || !piece.newline)
  return traces.some(
    (piece, i) => partsLines(piece) && (i === 0 || i === traces.length - 1 || partsLines(traces[i + 1])),
  )
}

/** The trace of a newline that parted two lines for certain. */
const partsLines = (piece: Piece | undefined): boolean => piece?.newline === true && piece.own === undefined

/** A text as a sequence of units. The newline that its last line lacks counts as one of them, kept for ever. */
function partsOf(lines: readonly TracedLine[]): Part<Hand | null>[] {
  const parts: Part<Hand | null>[] = []
  for (const line of lines) {
    const pieces = settled(line.pieces)
    const isOwn = ownPieces(line.units, pieces)
    pieces.forEach(({ units, by, gone = 0, since }, index) => {
      const what = by && { by, since: since ?? by.version }
      const base = by === null ? units : gone
      parts.push({ base, now: units, what, ...(isOwn(index) ? {} : { isBetween: true }) })
    })
    parts.push({ base: line.end === null ? 1 : 0, now: 1, what: line.end && handOf(line.end) })
  }
  return parts
}

/** Where each line begins, and after the last where one more would. */
function startsOf(lines: readonly TracedLine[]): number[] {
  const starts = [0]
  for (const { units } of lines) starts.push((starts.at(-1) ?? 0) + units + 1)
  return starts
}

const spanOf = ({ start, end }: Range): Span => [start - 1, end - 1]

/** An engine takes only so many arguments. */
const MAX_SPLICED = 10_000

function insertAt<T>(list: T[], at: number, items: readonly T[]): void {
  for (let done = 0; done < items.length; done += MAX_SPLICED) {
    list.splice(at + done, 0, ...items.slice(done, done + MAX_SPLICED))
  }
}

function append<T>(list: T[], items: readonly T[]): void {
  for (const item of items) list.push(item)
}
