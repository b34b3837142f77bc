import { align, hull, spanLength, spansOverlap, splitLines, type Run, type Span } from './align.ts'
import { alignLines, likenessOfLines } from './alignLines.ts'
import type { Range } from './content.ts'
import { linesOf } from './mergeText.ts'
import { nearest, type Nearest } from './nearest.ts'
import { nameOfLines, type LiveTextOverlap, type TextOverlap } from './overlap.ts'
import { spanShifter } from './spanShifter.ts'
import { weave, type Stretch } from './weave.ts'

/**
 * What a live merge of two texts did in silence. The three-way merge of CONF-2 says what was to be expected;
 * each line that both sides changed is an overlap, and so is a place where the live merge made lines of its
 * own, as of two fixes of one typo (`thehe`), although the sides did not overlap.
 */
export interface TextSides {
  readonly base: string
  readonly current: string
  readonly incoming: string
  /** The text right after the live merge. */
  readonly merged: string
  /** The text in which the places are looked for; `merged`, or a later one. */
  readonly seen: string
}

/** A changed stretch, or one unchanged line, in all three texts and in what is expected of them. */
interface Atom {
  readonly changedBy: Stretch['changedBy'] | null
  readonly base: Span
  readonly current: Span
  readonly incoming: Span
  readonly expected: Span
  /** Both sides changed it differently: expected is a line that no text has. */
  readonly isOverlap: boolean
}

/** Neighbouring atoms that are one overlap, and where they are in the text that is looked at. */
interface Region {
  /** Indices of the first atom and the one after the last. */
  readonly atoms: Span
  readonly at: Span
}

/** The overlaps of a live merge, in order. `expectation`: of the same sides, if it is known. */
export function liveTextOverlaps(sides: TextSides, expectation: TextExpectation | null): LiveTextOverlap[] {
  return new TextMerge(sides, expectation).overlaps().map(({ overlap }) => overlap)
}

/** The text that is looked at, with a text chosen for each overlap in its place. */
export function rewriteText(
  sides: TextSides,
  settle: (overlap: LiveTextOverlap) => 'base' | 'current' | 'incoming' | { readonly text: string },
): string {
  const merge = new TextMerge(sides, null)
  const lines = splitLines(sides.seen)
  /** The last line first, for choices are made from the end. */
  const rewritten: string[] = []
  const add = (added: readonly string[]): void => {
    for (const line of added.toReversed()) rewritten.push(line)
  }
  let from = lines.length
  for (const { overlap, at } of merge.overlaps().toReversed()) {
    add(lines.slice(at[1], from))
    const choice = settle(overlap)
    add(typeof choice === 'string' ? merge.linesOf(overlap, choice) : linesOf(choice.text, overlap))
    from = at[0]
  }
  add(lines.slice(0, from))
  return rewritten.reverse().join('\n')
}

/** A line that no text has, for a line holds no line feed. */
const markOf = (n: number): string => `\n${n}`

/** What the three-way merge of CONF-2 makes of two sides, line by line. */
export class TextExpectation {
  readonly lines: Record<'base' | 'current' | 'incoming', string[]>
  readonly atoms: Atom[] = []
  readonly expected: string[] = []
  /** By line of what is expected: the index of its atom. */
  readonly atomOfLine: number[] = []

  constructor({ base, current, incoming }: Pick<TextSides, 'base' | 'current' | 'incoming'>) {
    this.lines = { base: splitLines(base), current: splitLines(current), incoming: splitLines(incoming) }
    this.#fill()
  }

  /** Fills the atoms: unchanged lines one by one, changed stretches whole. */
  #fill(): void {
    const { base, current, incoming } = this.lines
    const kept = { base: 0, current: 0, incoming: 0 }
    for (const stretch of weave(alignLines(base, current), alignLines(base, incoming))) {
      this.#keep(kept, stretch.base[0])
      this.#change(stretch)
      for (const side of ['base', 'current', 'incoming'] as const) kept[side] = stretch[side][1]
    }
    this.#keep(kept, base.length)
  }

  #keep(from: { base: number; current: number; incoming: number }, end: number): void {
    for (let { base, current, incoming } = from; base < end; base += 1, current += 1, incoming += 1) {
      const spans = { base: lineAt(base), current: lineAt(current), incoming: lineAt(incoming) }
      this.#add(null, spans, [this.lines.base[base] ?? ''], false)
    }
  }

  #change(stretch: Stretch): void {
    const { changedBy } = stretch
    if (changedBy !== 'both') {
      this.#add(changedBy, stretch, linesIn(this.lines[changedBy], stretch[changedBy]), false)
      return
    }
    const current = linesIn(this.lines.current, stretch.current)
    const isSame = sameLines(current, linesIn(this.lines.incoming, stretch.incoming))
    this.#add('both', stretch, isSame ? current : [markOf(this.atoms.length)], !isSame)
  }

  #add(
    changedBy: Atom['changedBy'],
    { base, current, incoming }: Pick<Atom, 'base' | 'current' | 'incoming'>,
    lines: readonly string[],
    isOverlap: boolean,
  ): void {
    const start = this.expected.length
    for (const line of lines) {
      this.atomOfLine.push(this.atoms.length)
      this.expected.push(line)
    }
    const expected: Span = [start, this.expected.length]
    this.atoms.push({ changedBy, base, current, incoming, expected, isOverlap })
  }
}

class TextMerge {
  readonly #lines: Record<'base' | 'current' | 'incoming' | 'merged' | 'seen', readonly string[]>
  readonly #atoms: readonly Atom[]
  readonly #expected: readonly string[]
  readonly #atomOfLine: readonly number[]
  /** Where the live merge is not what was expected. */
  readonly #runs: readonly Run[]

  constructor(sides: TextSides, known: TextExpectation | null) {
    const expectation = known ?? new TextExpectation(sides)
    const merged = splitLines(sides.merged)
    this.#lines = { ...expectation.lines, merged, seen: sides.seen === sides.merged ? merged : splitLines(sides.seen) }
    this.#atoms = expectation.atoms
    this.#expected = expectation.expected
    this.#atomOfLine = expectation.atomOfLine
    const isAlike = likenessOfLines()
    this.#runs = align(this.#expected, merged).flatMap((run) => this.#lineByLine(run, isAlike))
  }

  overlaps(): { overlap: LiveTextOverlap; at: Span }[] {
    const regions = this.#moved(this.#joined(this.#regions()))
    return regions
      .map((region) => ({ overlap: this.#overlapOf(region), at: region.at }))
      .filter(({ overlap }) => !isEqual(overlap))
  }

  linesOf(overlap: TextOverlap, side: 'base' | 'current' | 'incoming'): string[] {
    const { start, end } = overlap.lines[side]
    return this.#lines[side].slice(start - 1, end - 1)
  }

  #regions(): Region[] {
    const regions: Region[] = []
    const strays: Run[] = []
    for (const run of this.#runs) {
      const atoms = this.#atomsOf(run.base)
      if (this.#atoms.slice(...atoms).some((atom) => atom.isOverlap)) regions.push({ atoms, at: run.side })
      else strays.push(run)
    }
    return this.#isReordered(strays) ? regions : [...regions, ...this.#widened(strays)]
  }

  /** A run in which each line is alike what was expected in its place is as many changes; else it stays one. */
  #lineByLine(run: Run, isAlike: (a: string, b: string) => boolean): Run[] {
    const { base, side } = run
    if (spanLength(base) !== spanLength(side) || spanLength(base) === 1) return [run]
    const singles = Array.from({ length: spanLength(base) }, (_, i): Run => ({
      base: lineAt(base[0] + i),
      side: lineAt(side[0] + i),
    }))
    const isOwn = singles.every(({ base: [expected], side: [found] }) =>
      this.#textsExpectedAt(expected).some((text) => isAlike(text, this.#lines.merged[found] ?? '')),
    )
    return isOwn ? singles : [run]
  }

  /** What a line of the merged text may be made of: of an overlap the line of either side. */
  #textsExpectedAt(line: number): readonly string[] {
    const atom = this.#atoms[this.#atomOfLine[line] ?? -1]
    if (!atom?.isOverlap) return this.#expected.slice(line, line + 1)
    const isOneLine = spanLength(atom.current) === 1 && spanLength(atom.incoming) === 1
    return isOneLine
      ? [...linesIn(this.#lines.current, atom.current), ...linesIn(this.#lines.incoming, atom.incoming)]
      : []
  }

  #atomsOf([start, end]: Span): Span {
    const first = this.#atomOfLine[start] ?? this.#atoms.length
    return start === end ? [first, first] : [first, (this.#atomOfLine[end - 1] ?? first) + 1]
  }

  /** Equal lines align in more than one way; where only their order differs nothing was lost or made up. */
  #isReordered(runs: readonly Run[]): boolean {
    const expected = runs.flatMap((run) => this.#expected.slice(...run.base)).sort()
    return sameLines(expected, runs.flatMap((run) => this.#lines.merged.slice(...run.side)).sort())
  }

  /** Places where the live merge is not what was expected, with the changes of both sides that made them so. */
  #widened(runs: readonly Run[]): Region[] {
    const unchanged = nearest(this.#atoms, ({ changedBy }) => changedBy === null)
    const changed = (['current', 'incoming'] as const).map((side) =>
      nearest(this.#atoms, ({ changedBy }) => changedBy === side || changedBy === 'both'),
    )
    return runs.map(({ base, side }) => {
      const [start, end] = this.#atomsOf(base)
      const around: Span = [unchanged.before(start) + 1, unchanged.from(end)]
      return { atoms: changed.reduce((atoms, by) => this.#reaching(atoms, by), around), at: side }
    })
  }

  /** With the nearest atom that a side changed, where none of these is such. */
  #reaching([start, end]: Span, changed: Nearest): Span {
    const [before, after] = [changed.before(start), changed.from(end)]
    if (changed.from(start) < end || (before === -1 && after === this.#atoms.length)) return [start, end]
    const isBefore = before !== -1 && (after === this.#atoms.length || start - before <= after - end + 1)
    return isBefore ? [before, end] : [start, after + 1]
  }

  /** Regions that share an atom are one; each with its place in the merged text. */
  #joined(regions: readonly Region[]): Region[] {
    const joined: Region[] = []
    for (const region of [...regions].sort((a, b) => a.atoms[0] - b.atoms[0] || a.atoms[1] - b.atoms[1])) {
      const last = joined.at(-1)
      if (last && region.atoms[0] < last.atoms[1]) {
        joined[joined.length - 1] = { atoms: hull(last.atoms, region.atoms), at: hull(last.at, region.at) }
      } else joined.push(region)
    }
    const shifted = spanShifter(this.#runs)
    const placed = joined.map(({ atoms, at }) => ({ atoms, at: hull(at, shifted(this.#expectedOf(atoms))) }))
    // Where lines were only reordered between two of them they may come to share some: one line is put in one place.
    return joinedWhere(placed, (a, b) => Math.max(a[0], b[0]) < Math.min(a[1], b[1]))
  }

  #expectedOf([start, end]: Span): Span {
    const first = this.#atoms[start]?.expected[0] ?? this.#expected.length
    return [first, start === end ? first : (this.#atoms[end - 1]?.expected[1] ?? first)]
  }

  /** The regions in the text that is looked at. Those that became one place there become one overlap. */
  #moved(regions: readonly Region[]): Region[] {
    if (this.#lines.seen === this.#lines.merged) return [...regions]
    const shifted = spanShifter(align(this.#lines.merged, this.#lines.seen))
    const moved = regions.map(({ atoms, at }) => ({ atoms, at: shifted(at) }))
    return joinedWhere(moved, spansOverlap)
  }

  #overlapOf({ atoms, at }: Region): LiveTextOverlap {
    const [first, last] = [this.#atoms[atoms[0]], this.#atoms[atoms[1] - 1]]
    const spanOf = (side: 'base' | 'current' | 'incoming'): Span => {
      const start = first?.[side][0] ?? this.#lines[side].length
      return [start, Math.max(start, last?.[side][1] ?? start)]
    }
    const spans = { base: spanOf('base'), current: spanOf('current'), incoming: spanOf('incoming'), merged: at }
    const lines = {
      base: toRange(spans.base),
      current: toRange(spans.current),
      incoming: toRange(spans.incoming),
      merged: toRange(at),
    }
    return {
      id: nameOfLines(lines.base),
      lines,
      base: this.#lines.base.slice(...spans.base).join('\n'),
      current: this.#lines.current.slice(...spans.current).join('\n'),
      incoming: this.#lines.incoming.slice(...spans.incoming).join('\n'),
      merged: this.#lines.seen.slice(...at).join('\n'),
    }
  }
}

/** Neighbours whose places in the text meet are one. */
function joinedWhere(regions: readonly Region[], meet: (a: Span, b: Span) => boolean): Region[] {
  const joined: Region[] = []
  for (const region of regions) {
    const last = joined.at(-1)
    if (last && meet(last.at, region.at)) {
      joined[joined.length - 1] = { atoms: hull(last.atoms, region.atoms), at: hull(last.at, region.at) }
    } else joined.push(region)
  }
  return joined
}

const lineAt = (index: number): Span => [index, index + 1]

const linesIn = (lines: readonly string[], [start, end]: Span): string[] => lines.slice(start, end)

const toRange = ([start, end]: Span): Range => ({ start: start + 1, end: end + 1 })

const sameLines = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((line, i) => line === b[i])

/** Equal results raise nothing (CONF-7). */
function isEqual({ current, incoming, merged, lines }: LiveTextOverlap): boolean {
  const length = ({ start, end }: Range): number => end - start
  return (
    current === incoming &&
    current === merged &&
    length(lines.current) === length(lines.incoming) &&
    length(lines.current) === length(lines.merged)
  )
}
