import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { spanLength, spansOverlap, type Run, type Span } from '../../server/content/align.ts'
import { liveOverlaps, rewriteOverlaps } from '../../server/content/liveMerge.ts'
import { nearest } from '../../server/content/nearest.ts'
import type { LiveOverlap, LiveTextOverlap } from '../../server/content/overlap.ts'
import { spanShifter } from '../../server/content/spanShifter.ts'

const hull = (a: Span, b: Span): Span => [Math.min(a[0], b[0]), Math.max(a[1], b[1])]

/** The definition: where one span is after the runs of change; what changed at it belongs to it. */
function shifted(span: Span, runs: readonly Run[]): Span {
  let [start, end] = span
  for (const { base } of runs) if (spansOverlap(span, base)) [start, end] = hull([start, end], base)
  let [startBy, endBy] = [0, 0]
  for (const run of runs) {
    const growth = spanLength(run.side) - spanLength(run.base)
    const isInside = spansOverlap([start, end], run.base)
    if (run.base[1] <= start && !isInside) startBy += growth
    if (run.base[1] <= end && (isInside || run.base[1] <= start)) endBy += growth
  }
  return [start + startBy, end + endBy]
}

const few = fc.nat(3)

/** Runs that are apart or touch, and may be empty on either side. */
const runs = fc.array(fc.record({ gap: few, base: few, side: few }), { maxLength: 12 }).map((drawn) => {
  let [base, side] = [0, 0]
  return drawn.map((next): Run => {
    const start: Span = [base + next.gap, side + next.gap]
    base = start[0] + next.base
    side = start[1] + next.side
    return { base: [start[0], base], side: [start[1], side] }
  })
})

/** Spans in order of their starts, many of which touch, lie in each other or are empty. */
const spans = fc
  .array(fc.tuple(fc.nat(40), fc.nat(6)), { maxLength: 12 })
  .map((drawn) => drawn.map(([start, length]): Span => [start, start + length]).sort((a, b) => a[0] - b[0]))

describe('places in a text that changed', () => {
  it('[CONF-6] spans that are looked for in one go are where each would be found by itself', () => {
    fc.assert(
      fc.property(spans, runs, (spans, runs) => {
        expect(spans.map(spanShifter(runs))).toEqual(spans.map((span) => shifted(span, runs)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('[CONF-6] the nearest changes are those that going step by step would meet', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 12 }), (flags) => {
        const found = nearest(flags, (flag) => flag)
        for (let index = 0; index <= flags.length; index += 1) {
          expect(found.before(index)).toBe(flags.slice(0, index).lastIndexOf(true))
          expect(found.from(index)).toBe([...flags, true].indexOf(true, index))
        }
      }),
    )
  })
})

const isText = (overlap: LiveOverlap): overlap is LiveTextOverlap => 'lines' in overlap

/** Lines some of which stand often, are alike, or are unlike all others. */
const line = fc.constantFrom('', 'alpha one', 'alpha two', 'alpha three', 'beta', 'gamma', 'k1', 'k2', 'k3', 'q', 'z')
const edits = fc.array(fc.tuple(fc.nat(14), few, fc.array(line, { maxLength: 4 })), { maxLength: 3 })

type Side = 'base' | 'current' | 'incoming'
type Choices = ReadonlyMap<string, Side | { readonly text: string }>
const side = fc.constantFrom<Side[]>('base', 'current', 'incoming')

const scenes = fc.record({
  base: fc.array(line, { minLength: 1, maxLength: 12 }),
  current: edits,
  incoming: edits,
  mergedFrom: side,
  merged: edits,
  seen: edits,
  choices: fc.array(fc.oneof(side, fc.constant({ text: 'new\nlines' })), { minLength: 12, maxLength: 12 }),
})

type Edits = readonly (readonly [at: number, remove: number, insert: readonly string[]])[]

function edited(text: string, made: Edits): string {
  const lines = text.split('\n')
  for (const [at, remove, insert] of made) lines.splice(at % (lines.length + 1), remove, ...insert)
  return lines.join('\n')
}

/** The definition: each choice takes the place of its overlap, one after another from the end. */
function spliced(sides: Record<Side | 'seen', string>, overlaps: LiveTextOverlap[], choices: Choices): string {
  const text = sides.seen.split('\n')
  for (const { id, lines } of overlaps.toReversed()) {
    const choice = choices.get(id) ?? 'base'
    const put =
      typeof choice === 'string'
        ? sides[choice].split('\n').slice(lines[choice].start - 1, lines[choice].end - 1)
        : choice.text.split('\n')
    text.splice(lines.merged.start - 1, lines.merged.end - lines.merged.start, ...put)
  }
  return text.join('\n')
}

describe('a live merge of texts', () => {
  it('[RES-1] rewriting all overlaps at once makes what putting in one after another would', () => {
    fc.assert(
      fc.property(scenes, ({ base: lines, mergedFrom, choices, ...made }) => {
        const base = lines.join('\n')
        const known = { base, current: edited(base, made.current), incoming: edited(base, made.incoming) }
        const merged = edited(known[mergedFrom], made.merged)
        const sides = { ...known, merged, seen: edited(merged, made.seen) }
        const overlaps = liveOverlaps(sides, () => 'parts').filter(isText)
        const chosen = new Map(overlaps.map(({ id }, i) => [id, choices[i] ?? 'base']))
        const { content, errors } = rewriteOverlaps(sides, () => 'parts', chosen)
        expect(errors).toEqual([])
        expect(content).toBe(spliced(sides, overlaps, chosen))
      }),
      { numRuns: 2_000 },
    )
  })
})
