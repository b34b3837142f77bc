import type { Span } from './align.ts'

/**
 * A part of a sequence, in units of the sequence at base and of the sequence now: `kept` has both, and is the same in
 * both; what went has `base` alone, what came has `now` alone; what came and went again has neither.
 */
export interface Part<T> {
  readonly base: number
  readonly now: number
  readonly what: T
  /** Set for what came and went between two lines or elements: it belongs to neither. */
  readonly isBetween?: boolean
}

/** Where its lines or elements begin, in units, with the end as the last. */
export interface Starts {
  readonly base: readonly number[]
  readonly now: readonly number[]
}

/** A gap between two units at base, and the same gap now. */
interface Gap {
  readonly base: number
  readonly now: number
  /** Before the separator of two lines, not behind it. */
  readonly isBeforeSeparator: boolean
}

/** How a sequence came to be from what it was at base, once all changes have gone by. */
export class Lineage<T> {
  readonly #parts: readonly Part<T>[]
  readonly #starts: Starts
  /** Units at the end of each line that part it from the next; they slide along with what comes or goes. */
  readonly #separator: number
  /** Of base, now, and both, the units before each part. */
  readonly #baseAt: number[] = []
  readonly #nowAt: number[] = []
  readonly #keptAt: number[] = []
  /** How many kept units lie before each start, at base and now; and the numbers that both have. */
  readonly #keptBefore: Starts
  readonly #common: readonly number[]
  readonly #keptInAll: number
  readonly #isChanged: (what: T) => boolean
  #last: { readonly key: string; readonly parts: readonly Part<T>[] } | null = null

  /** `isChanged` says whether a part tells of a change. */
  constructor(parts: readonly Part<T>[], starts: Starts, separator: 0 | 1, isChanged: (what: T) => boolean) {
    this.#parts = parts
    this.#starts = starts
    this.#separator = separator
    this.#isChanged = isChanged
    let [base, now, kept] = [0, 0, 0]
    for (const part of parts) {
      this.#baseAt.push(base)
      this.#nowAt.push(now)
      this.#keptAt.push(kept)
      base += part.base
      now += part.now
      kept += keptUnits(part)
    }
    this.#keptInAll = kept
    this.#keptBefore = {
      base: starts.base.map((at) => this.#keptBeforeUnit('base', at)),
      now: starts.now.map((at) => this.#keptBeforeUnit('now', at)),
    }
    this.#common = inBoth(this.#keptBefore.base, this.#keptBefore.now)
  }

  /**
   * What became of a place that a comparison of both sequences names by its lines or elements at base and now, in order.
   * Where equal ones leave open which of them changed, the comparison may have chosen others than the changes did: then
   * the place reaches to the next starts that are the same at base and now, and on until something changed there.
   */
  partsOf(base: Span, now: Span): readonly Part<T>[] {
    const sameStart = this.#same(base[0], now[0], null)
    const sameEnd = this.#same(base[1], now[1], sameStart)
    if (sameStart && sameEnd) return this.#between(sameStart, sameEnd)
    const start = sameStart ?? this.#sameBefore(this.#keptAtStarts(base[0], now[0], Math.min))
    const end = sameEnd ?? this.#sameAfter(this.#keptAtStarts(base[1], now[1], Math.max))
    const key = `${start.base} ${start.now} ${end.base} ${end.now}`
    if (this.#last?.key === key) return this.#last.parts
    let parts = this.#between(start, end)
    const [first, last] = [this.#keptBeforeUnit('base', start.base), this.#keptBeforeUnit('base', end.base)]
    for (let further = 1; further <= 2 * this.#keptInAll && !this.#hasChanges(parts); further *= 2) {
      parts = this.#between(this.#sameBefore(first - further), this.#sameAfter(last + further))
    }
    this.#last = { key, parts }
    return parts
  }

  #hasChanges(parts: readonly Part<T>[]): boolean {
    return parts.some(({ what }) => this.#isChanged(what))
  }

  #keptAtStarts(base: number, now: number, choose: (a: number, b: number) => number): number {
    return choose(this.#keptBefore.base[base] ?? 0, this.#keptBefore.now[now] ?? 0)
  }

  /** The gap before these two lines, if it is one and the same; not before `least`. */
  #same(base: number, now: number, least: Gap | null): Gap | null {
    const gap = this.#startGap(base, now)
    if (this.#keptBefore.base[base] === this.#keptBefore.now[now]) return gap
    if (this.#separator === 0 || base === 0 || now === 0) return null
    const before = { base: gap.base - this.#separator, now: gap.now - this.#separator, isBeforeSeparator: true }
    if (least && (before.base < least.base || before.now < least.now)) return null
    const isSame = this.#keptBeforeUnit('base', before.base) === this.#keptBeforeUnit('now', before.now)
    return isSame ? before : null
  }

  /** The last starts that are the same before which at most so many units were kept; with all that changed there. */
  #sameBefore(most: number): Gap {
    const kept = this.#common[lowerBound(this.#common, most + 1) - 1] ?? 0
    return this.#startGap(lowerBound(this.#keptBefore.base, kept), lowerBound(this.#keptBefore.now, kept))
  }

  /** The first starts that are the same before which at least so many units were kept; with all that changed there. */
  #sameAfter(least: number): Gap {
    const kept = this.#common[lowerBound(this.#common, least)] ?? Number.POSITIVE_INFINITY
    const last = (starts: readonly number[]): number => lowerBound(starts, kept + 1) - 1
    return this.#startGap(last(this.#keptBefore.base), last(this.#keptBefore.now))
  }

  #startGap(base: number, now: number): Gap {
    return { base: this.#starts.base[base] ?? 0, now: this.#starts.now[now] ?? 0, isBeforeSeparator: false }
  }

  #between(start: Gap, end: Gap): Part<T>[] {
    const [first, last] = [this.#keptBeforeUnit('base', start.base), this.#keptBeforeUnit('base', end.base)]
    const found: Part<T>[] = []
    let index = Math.max(0, lowerBound(this.#keptAt, first) - 1)
    for (let part = this.#parts[index]; part && (this.#keptAt[index] ?? 0) <= last; part = this.#parts[index]) {
      if (this.#isWithin(part, index, start, end)) found.push(part)
      index += 1
    }
    return found
  }

  #isWithin(part: Part<T>, index: number, start: Gap, end: Gap): boolean {
    const [base, now] = [this.#baseAt[index] ?? 0, this.#nowAt[index] ?? 0]
    if (part.base > 0) return base < end.base && base + part.base > start.base
    if (part.now > 0) return now < end.now && now + part.now > start.now
    const [at, from, to] = [base + now, start.base + start.now, end.base + end.now]
    if (from < at && at < to) return true
    if (part.isBetween || from === to) return false
    return at === from ? !start.isBeforeSeparator : at === to && end.isBeforeSeparator
  }

  #keptBeforeUnit(side: 'base' | 'now', at: number): number {
    const starts = side === 'base' ? this.#baseAt : this.#nowAt
    const index = Math.max(0, lowerBound(starts, at + 1) - 1)
    const part = this.#parts[index]
    const within = part ? Math.min(keptUnits(part), at - (starts[index] ?? 0)) : 0
    return (this.#keptAt[index] ?? 0) + within
  }
}

const keptUnits = ({ base, now }: Part<unknown>): number => Math.min(base, now)

/** The first position whose number is not less. */
function lowerBound(numbers: readonly number[], least: number): number {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < least) low = middle + 1
    else high = middle
  }
  return low
}

/** The numbers that two growing lists both have, once each. */
function inBoth(a: readonly number[], b: readonly number[]): number[] {
  const both: number[] = []
  let at = 0
  for (const number of a) {
    while (at < b.length && (b[at] ?? 0) < number) at += 1
    if (b[at] === number && both.at(-1) !== number) both.push(number)
  }
  return both
}
