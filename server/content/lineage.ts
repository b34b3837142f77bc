import type { Span } from './align.ts'
import { joined, type Hand } from './hands.ts'

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

/** What became of a place. */
export interface Fate<T> {
  readonly parts: readonly Part<T>[]
  /** Everyone who is behind a change of it, once each. */
  readonly hands: readonly Hand[]
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
  /** What stood at base, what came since, and what came and went. */
  readonly #atBase = new Places()
  readonly #come = new Places()
  readonly #passing = new Places()
  /** How many kept units lie before each start, at base and now; and the numbers that both have. */
  readonly #keptBefore: Starts
  readonly #common: readonly number[]
  readonly #keptInAll: number
  readonly #handsOf: (what: T) => readonly Hand[]
  #last: { readonly key: string; readonly fate: Fate<T> } | null = null

  /** `handsOf` says who is behind a part; nobody where it is as it was. */
  constructor(parts: readonly Part<T>[], starts: Starts, separator: 0 | 1, handsOf: (what: T) => readonly Hand[]) {
    this.#parts = parts
    this.#starts = starts
    this.#separator = separator
    this.#handsOf = handsOf
    let [base, now, kept] = [0, 0, 0]
    for (const [index, part] of parts.entries()) {
      if (part.base > 0) this.#atBase.add(index, base)
      else if (part.now > 0) this.#come.add(index, now)
      else this.#passing.add(index, base + now)
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
  fateOf(base: Span, now: Span): Fate<T> {
    const sameStart = this.#same(base[0], now[0], null)
    const sameEnd = this.#sameEnd(base, now, sameStart)
    if (sameStart && sameEnd) return this.#fate(sameStart, sameEnd)
    const start = sameStart ?? this.#sameBefore(this.#keptAtStarts(base[0], now[0], Math.min))
    const end = sameEnd ?? this.#sameAfter(this.#keptAtStarts(base[1], now[1], Math.max))
    const key = `${start.base} ${start.now} ${end.base} ${end.now}`
    if (this.#last?.key === key) return this.#last.fate
    let fate = this.#fate(start, end)
    const [first, last] = [this.#keptBeforeUnit('base', start.base), this.#keptBeforeUnit('base', end.base)]
    for (let further = 1; further <= 2 * this.#keptInAll && fate.hands.length === 0; further *= 2) {
      fate = this.#fate(this.#sameBefore(first - further), this.#sameAfter(last + further))
    }
    this.#last = { key, fate }
    return fate
  }

  #fate(start: Gap, end: Gap): Fate<T> {
    const parts = this.#between(start, end)
    return { parts, hands: joined(parts.flatMap(({ what }) => this.#handsOf(what))) }
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

  /**
   * The gap behind the last of these lines. A newline that went and one that came in its stead belong to the lines that went
   * and came behind them, unless they are all there is of a line.
   */
  #sameEnd(base: Span, now: Span, start: Gap | null): Gap | null {
    const end = this.#same(base[1], now[1], start)
    if (!end || end.isBeforeSeparator || !this.#endsInText('base', base) || !this.#endsInText('now', now)) return end
    const before = { base: end.base - this.#separator, now: end.now - this.#separator, isBeforeSeparator: true }
    const kept = this.#keptBeforeUnit('base', end.base)
    const areNew =
      this.#keptBeforeUnit('base', before.base) === kept && this.#keptBeforeUnit('now', before.now) === kept
    return areNew ? before : end
  }

  #endsInText(side: 'base' | 'now', [first, end]: Span): boolean {
    const starts = this.#starts[side]
    return this.#separator > 0 && first < end && (starts[end] ?? 0) - (starts[end - 1] ?? 0) > this.#separator
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
    const [from, to] = [start.base + start.now, end.base + end.now]
    const passing =
      from === to
        ? []
        : this.#passing.within(from, to, (index, at) => {
            if (from < at && at < to) return true
            if (this.#parts[index]?.isBetween) return false
            return at === from ? !start.isBeforeSeparator : end.isBeforeSeparator
          })
    const found = [
      ...this.#atBase.within(
        start.base,
        end.base,
        (index, at) => at < end.base && at + this.#unitsOf(index, 'base') > start.base,
      ),
      ...this.#come.within(
        start.now,
        end.now,
        (index, at) => at < end.now && at + this.#unitsOf(index, 'now') > start.now,
      ),
      ...passing,
    ]
    return found.sort((a, b) => a - b).flatMap((index) => this.#parts[index] ?? [])
  }

  #unitsOf(index: number, side: 'base' | 'now'): number {
    return this.#parts[index]?.[side] ?? 0
  }

  #keptBeforeUnit(side: 'base' | 'now', at: number): number {
    const starts = side === 'base' ? this.#baseAt : this.#nowAt
    const index = Math.max(0, lowerBound(starts, at + 1) - 1)
    const part = this.#parts[index]
    const within = part ? Math.min(keptUnits(part), at - (starts[index] ?? 0)) : 0
    return (this.#keptAt[index] ?? 0) + within
  }
}

/** Some of the parts, and where each is, in order. */
class Places {
  readonly #at: number[] = []
  readonly #indices: number[] = []

  add(index: number, at: number): void {
    this.#indices.push(index)
    this.#at.push(at)
  }

  /** Those that begin from the last before a unit up to another, as far as they are wanted. */
  within(from: number, to: number, isWanted: (index: number, at: number) => boolean): number[] {
    const start = Math.max(0, lowerBound(this.#at, from) - 1)
    const end = lowerBound(this.#at, to + 1)
    return this.#indices.slice(start, end).filter((index, i) => isWanted(index, this.#at[start + i] ?? 0))
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
