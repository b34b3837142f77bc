/**
 * A change of a text in UTF-16 units, as a compact list: a positive number keeps so many units,
 * a negative one deletes, a string inserts. What follows the last item is kept.
 */
export type TextDelta = readonly (number | string)[]

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
