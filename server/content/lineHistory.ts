import type { Range } from './content.ts'
import type { TextDelta } from './textDelta.ts'

/** Who touched a place, and how many changes had come before their first. */
type Touches = Map<string, number>

interface Line {
  /** UTF-16 units without the newline. */
  units: number
  touched: Touches | null
  /** Who deleted lines between the line before and this one; with them who had touched those. */
  before: Touches | null
}

/** An engine takes only so many arguments. */
const MAX_SPLICED_LINES = 10_000

/** Who touched which lines of a text, while deltas go by. Holds lengths of lines only, never the text. */
export class LineHistory {
  /** A text ends before the last one, which stands for the place after its last line. */
  readonly #lines: Line[]
  #changes = 0
  /** The line last worked on and the offset of its start: changes tend to come close to each other. */
  #index = 0
  #start = 0

  constructor(base: string) {
    this.#lines = [...base.split('\n').map((line) => newLine(line.length)), newLine(0)]
  }

  apply(delta: TextDelta, author: string): void {
    this.#changes += 1
    let at = 0
    for (const item of delta) {
      if (typeof item === 'string') {
        this.#insert(at, item, author)
        at += item.length
      } else if (item > 0) at += item
      else this.#remove(at, -item, author)
    }
  }

  /** Who touched these lines of the text as it is now, or deleted lines between or beside them; first come first. */
  authorsOf(range: Range): string[] {
    const [start, end] = [range.start - 1, range.end - 1]
    let touches: Touches | null = null
    for (const line of this.#lines.slice(start, end)) touches = joined(touches, line.touched)
    for (const line of this.#lines.slice(start, end + 1)) touches = joined(touches, line.before)
    return [...(touches ?? [])].sort(([, a], [, b]) => a - b).map(([author]) => author)
  }

  #insert(at: number, text: string, author: string): void {
    const { line, index, column } = this.#seek(at)
    const parts = text.split('\n')
    const first = parts[0] ?? ''
    const last = parts.at(-1) ?? ''
    const mine: Touches = new Map([[author, this.#changes]])
    const added = parts.map((part): Line => ({ units: part.length, touched: new Map(mine), before: null }))
    if (parts.length === 1) {
      line.units += text.length
      line.touched = joined(line.touched, mine)
    } else if (column === 0 && last === '') this.#replaceLines(index, 0, added.slice(0, -1))
    else if (column === line.units && first === '') this.#replaceLines(index + 1, 0, added.slice(1))
    else {
      const units = line.units - column + last.length
      line.units = column + first.length
      line.touched = joined(line.touched, mine)
      const end = { units, touched: new Map(line.touched), before: null }
      this.#replaceLines(index + 1, 0, [...added.slice(1, -1), end])
    }
  }

  #remove(at: number, units: number, author: string): void {
    const { line, index, column } = this.#seek(at)
    let endIndex = index
    let endColumn = column + units
    for (let next = this.#lines[endIndex]; next && endColumn > next.units; next = this.#lines[endIndex]) {
      endColumn -= next.units + 1
      endIndex += 1
    }
    const end = this.#lines[endIndex] ?? line
    const mine: Touches = new Map([[author, this.#changes]])
    if (endIndex === index) {
      line.units -= units
      line.touched = joined(line.touched, mine)
    } else if (column === 0 && endColumn === 0) this.#removeLines(index, endIndex, mine)
    else if (column === line.units && endColumn === end.units) this.#removeLines(index + 1, endIndex + 1, mine)
    else {
      line.units = column + end.units - endColumn
      line.touched = joined(line.touched, this.#replaceLines(index + 1, endIndex - index, []), mine)
    }
  }

  /** Whole lines go: it is told at the line that follows them. */
  #removeLines(start: number, end: number, mine: Touches): void {
    const place = this.#lines[end]
    if (place) place.before = joined(place.before, this.#replaceLines(start, end - start, []), mine)
  }

  /** Answers who had touched the lines that go, or the places between them. */
  #replaceLines(start: number, remove: number, lines: readonly Line[]): Touches | null {
    const removed = this.#lines.splice(start, remove)
    for (let done = 0; done < lines.length; done += MAX_SPLICED_LINES) {
      this.#lines.splice(start + done, 0, ...lines.slice(done, done + MAX_SPLICED_LINES))
    }
    return removed.reduce<Touches | null>((all, line) => joined(all, line.touched, line.before), null)
  }

  /** The line a position lies in; the position after its last unit is still within it. */
  #seek(at: number): { line: Line; index: number; column: number } {
    while (at < this.#start) {
      this.#index -= 1
      this.#start -= this.#unitsAt(this.#index) + 1
    }
    while (at > this.#start + this.#unitsAt(this.#index)) {
      this.#start += this.#unitsAt(this.#index) + 1
      this.#index += 1
    }
    const line = this.#lines[this.#index] ?? newLine(0)
    return { line, index: this.#index, column: at - this.#start }
  }

  #unitsAt(index: number): number {
    return this.#lines[index]?.units ?? Number.POSITIVE_INFINITY
  }
}

const newLine = (units: number): Line => ({ units, touched: null, before: null })

/** Adds `others` to `touches`, in place where there are some; who is in several has come with the first. */
function joined(touches: Touches | null, ...others: (Touches | null)[]): Touches | null {
  let all = touches
  for (const other of others) {
    if (other === null) continue
    all ??= new Map()
    for (const [author, change] of other) all.set(author, Math.min(change, all.get(author) ?? change))
  }
  return all
}
