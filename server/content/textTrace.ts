import type { Range } from './content.ts'
import type { TextDelta } from './textDelta.ts'

/** Who made a change, and as which entry of the log. `at` is milliseconds since the epoch. */
export interface Mark {
  readonly version: number
  readonly author: string
  readonly at: number
}

/**
 * A stretch of one line that one entry put there, or (`units` 0) the trace of what one took out. `by` is null for
 * what was there from the start.
 */
interface Piece {
  units: number
  by: Mark | null
  /** Of a trace that stands for several by one author: the version of the first, where `by` is the newest. */
  since?: number
  /** Set on the trace of a newline: what stands before it was a line of its own. */
  readonly wasNewline?: true
}

interface Line {
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
  readonly #lines: Line[]
  /** The line last worked on and the offset of its start: changes tend to come close to each other. */
  #index = 0
  #start = 0

  constructor(base: string) {
    this.#lines = base.split('\n').map((line) => newLine(line.length === 0 ? [] : [{ units: line.length, by: null }]))
  }

  /** `delta` applies to the text as it is now, or throws RangeError. */
  apply(delta: TextDelta, by: Mark): void {
    let at = 0
    let cursor: Cursor | null = null
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
   * Who put characters into these lines, or took some out of them or right beside them; where nobody did, who put
   * a newline around them. First come first.
   */
  authorsOf(range: Range): string[] {
    const [start, end] = [range.start - 1, range.end - 1]
    const lines = this.#lines.slice(start, end)
    const [before, next] = [this.#lines[start - 1], this.#lines[end]]
    const marks = [
      ...(before?.pieces.slice(before.pieces.findLastIndex(isAlive) + 1) ?? []),
      ...lines.flatMap((line) => line.pieces),
      ...(next ? leadingTraces(next) : []),
    ].flatMap(({ by, since }) => (by ? [{ author: by.author, version: since ?? by.version }] : []))
    const found = inOrder(marks)
    return found.length > 0 ? found : inOrder([before, ...lines].flatMap((line) => line?.end ?? []))
  }

  /** Right behind the unit before the position, so before the traces of what stood between it and the next. */
  #seek(at: number): Cursor {
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

  #lineAt(index: number): Line {
    const line = this.#lines[index]
    if (!line) throw new RangeError('The delta reaches past the end of the text')
    return line
  }

  #insert(cursor: Cursor, text: string, by: Mark): Cursor {
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

  #remove(cursor: Cursor, units: number, by: Mark): Cursor {
    const line = this.#lineAt(this.#index)
    let piece = split(line, cursor)
    let joined = 0
    for (let left = units; left > 0;) {
      const here = line.pieces[piece]
      if (here === undefined) {
        joined += 1
        const next = this.#lineAt(this.#index + joined)
        if (leaveTrace(line, piece, line.end, { units: 0, by, wasNewline: true })) piece += 1
        append(line.pieces, next.pieces)
        line.units += next.units
        line.end = next.end
        left -= 1
      } else if (here.units === 0) piece += 1
      else {
        const taken = Math.min(left, here.units)
        split(line, { piece, offset: taken })
        line.pieces.splice(piece, 1)
        if (leaveTrace(line, piece, here.by, { units: 0, by })) piece += 1
        line.units -= taken
        left -= taken
      }
    }
    this.#lines.splice(this.#index + 1, joined)
    return { piece, offset: 0 }
  }
}

/** A place within the line worked on. */
interface Cursor {
  readonly piece: number
  /** Units of that piece before the place. */
  readonly offset: number
}

const newLine = (pieces: Piece[], end: Mark | null = null): Line => ({ units: unitsOf(pieces), pieces, end })
const unitsOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, piece) => sum + piece.units, 0)
const isAlive = (piece: Piece): boolean => piece.units > 0

/** Makes a piece begin at the cursor, and answers which. */
function split(line: Line, { piece, offset }: Cursor): number {
  const here = line.pieces[piece]
  if (here === undefined || offset === 0) return piece
  if (offset < here.units) line.pieces.splice(piece + 1, 0, { units: here.units - offset, by: here.by })
  here.units = offset
  return piece + 1
}

/** Puts the trace of a removal at `piece`, or not where what went was by the same author. Answers whether one was added. */
function leaveTrace(line: Line, piece: number, was: Mark | null, trace: Piece): boolean {
  if (was?.author === trace.by?.author) return false
  const before = line.pieces[piece - 1]
  const repeats = before !== undefined && before.units === 0 && before.by?.author === trace.by?.author
  if (repeats && before.wasNewline === undefined && trace.wasNewline === undefined) {
    if (before.by) before.since ??= before.by.version
    before.by = trace.by
    return false
  }
  line.pieces.splice(piece, 0, trace)
  return true
}

/**
 * The newest entry that changed a line. What went before its first character counts only as far as it stood in this
 * line, and not in one that went as a whole. An empty line was made by one of the newlines around it.
 */
function newestOf(line: Line, previousEnd: Mark | null): Mark | null {
  const leading = leadingTraces(line)
  const start = leading.findLastIndex((piece) => piece.wasNewline) + 1
  let newest = line.units === 0 ? newer(line.end, previousEnd) : null
  for (let piece = start; piece < line.pieces.length; piece += 1) newest = newer(newest, line.pieces[piece]?.by ?? null)
  return newest
}

/** The traces of what stood before the first character of a line. */
function leadingTraces({ pieces }: Line): readonly Piece[] {
  const firstAlive = pieces.findIndex(isAlive)
  return firstAlive === -1 ? pieces : pieces.slice(0, firstAlive)
}

/** The authors of marks, in the order of their first entries. */
function inOrder(marks: readonly Pick<Mark, 'author' | 'version'>[]): string[] {
  const first = new Map<string, number>()
  for (const { author, version } of marks) first.set(author, Math.min(version, first.get(author) ?? version))
  return [...first].sort(([, a], [, b]) => a - b).map(([author]) => author)
}

const newer = (a: Mark | null, b: Mark | null): Mark | null => ((b?.version ?? 0) > (a?.version ?? 0) ? b : a)

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
