import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alignLines } from '../../server/content/alignLines.ts'
import type { Run } from '../../server/content/align.ts'
import type { Content, JsonObject, JsonValue } from '../../server/content/content.ts'
import { contentEquals } from '../../server/content/equal.ts'
import {
  changesOf,
  merge,
  mergeWith,
  type Choice,
  type JsonOverlap,
  type Merge,
  type Overlap,
} from '../../server/content/merge.ts'
import { valueAt } from '../../server/content/pointer.ts'
import { jsonObject, lines } from '../support/contentArbitraries.ts'
import { nameOf } from '../support/threeWay.ts'

const RUNS = { numRuns: 300 }

const anyBases = (): fc.Arbitrary<[Content, Content, Content]> =>
  fc.oneof(fc.tuple(lines(), lines(), lines()), fc.tuple(jsonObject(), jsonObject(), jsonObject()))

const swapped = (overlap: Overlap): Overlap =>
  'lines' in overlap
    ? {
        ...overlap,
        lines: { base: overlap.lines.base, current: overlap.lines.incoming, incoming: overlap.lines.current },
        current: overlap.incoming,
        incoming: overlap.current,
      }
    : {
        ...overlap,
        pointers: { current: overlap.pointers.incoming, incoming: overlap.pointers.current },
        current: overlap.incoming,
        incoming: overlap.current,
      }

const allChosen = ({ overlaps }: Merge, choice: Choice): ReadonlyMap<string, Choice> =>
  new Map(overlaps.map((overlap) => [overlap.id, choice]))

describe('merge', () => {
  it('[CONF-2] a side equal to base never conflicts', () => {
    fc.assert(
      fc.property(anyBases(), ([base, side]) => {
        for (const merged of [merge(base, side, base), merge(base, base, side), merge(base, side, side)]) {
          expect(merged.clean).toBe(true)
          expect(contentEquals(merged.content, side)).toBe(true)
        }
      }),
      RUNS,
    )
  })

  it('[CONF-2] overlaps are the same places whoever came first', () => {
    fc.assert(
      fc.property(anyBases(), ([base, one, other]) => {
        const merged = merge(base, one, other)
        const mirrored = merge(base, other, one)
        expect(mirrored.overlaps).toEqual(merged.overlaps.map(swapped))
        if (merged.clean) expect(contentEquals(mirrored.content, merged.content)).toBe(true)
        expect(new Set(merged.overlaps.map((overlap) => overlap.id)).size).toBe(merged.overlaps.length)
      }),
      RUNS,
    )
  })

  it('[RES-1] all overlaps as current is the merge, all as incoming is the merge seen from the other side', () => {
    fc.assert(
      fc.property(anyBases(), ([base, current, incoming]) => {
        const merged = merge(base, current, incoming)
        const asCurrent = mergeWith(base, current, incoming, allChosen(merged, 'current'))
        expect(asCurrent).toEqual({ content: merged.content, errors: [] })
        const asIncoming = mergeWith(base, current, incoming, allChosen(merged, 'incoming'))
        expect(asIncoming.errors).toEqual([])
        expect(contentEquals(asIncoming.content, merge(base, incoming, current).content)).toBe(true)
      }),
      RUNS,
    )
  })

  it('[RES-1] all overlaps as base leaves the clean changes only, so merging again is clean', () => {
    fc.assert(
      fc.property(fc.tuple(jsonObject(), jsonObject(), jsonObject()), ([base, current, incoming]) => {
        const merged = merge(base, current, incoming)
        const { content, errors } = mergeWith(base, current, incoming, allChosen(merged, 'base'))
        expect(errors).toEqual([])
        if (merged.clean) expect(contentEquals(content, merged.content)).toBe(true)
      }),
      RUNS,
    )
  })

  it('[RES-1] giving what a side shows is choosing that side', () => {
    fc.assert(
      fc.property(fc.tuple(jsonObject(), jsonObject(), jsonObject()), ([base, current, incoming]) => {
        const { overlaps } = merge(base, current, incoming)
        const chosen = (overlap: JsonOverlap): Choice =>
          overlap.incoming.present ? { value: overlap.incoming.value } : 'incoming'
        const given = new Map(overlaps.map((overlap) => [overlap.id, chosen(overlap as JsonOverlap)]))
        const sides = new Map(overlaps.map((overlap): [string, Choice] => [overlap.id, 'incoming']))
        expect(mergeWith(base, current, incoming, given)).toEqual(mergeWith(base, current, incoming, sides))
      }),
      RUNS,
    )
  })

  it('[CONF-2] every overlap shows what stands at its lines or pointers', () => {
    fc.assert(
      fc.property(anyBases(), ([base, current, incoming]) => {
        for (const overlap of merge(base, current, incoming).overlaps) {
          const sides = { base, current, incoming }
          for (const side of ['base', 'current', 'incoming'] as const) {
            if ('lines' in overlap) {
              const { start, end } = overlap.lines[side]
              expect(
                String(sides[side])
                  .split('\n')
                  .slice(start - 1, end - 1)
                  .join('\n'),
              ).toBe(overlap[side])
              continue
            }
            const pointer = side === 'base' ? overlap.pointer : overlap.pointers[side]
            const value = overlap[side]
            if (!value.present) continue
            const first = overlap.elements && Array.isArray(value.value) ? (value.value[0] ?? null) : value.value
            expect(valueAt(sides[side], pointer)).toEqual({ present: true, value: first })
          }
        }
      }),
      RUNS,
    )
  })

  it('[CONF-2] of text is what joining every pair of overlapping changes gives', () => {
    fc.assert(
      fc.property(fc.tuple(lines(), lines(), lines()), ([base, current, incoming]) => {
        const merged = merge(base, current, incoming)
        const expected = naiveMerge(base, current, incoming)
        expect(merged.content).toBe(expected.content)
        expect(merged.overlaps.map((overlap) => overlap.id)).toEqual(expected.overlaps)
      }),
      RUNS,
    )
  })
})

interface NaiveGroup {
  start: number
  end: number
  runs: { current: Run[]; incoming: Run[] }
}

/** The same rules by another way: groups grow until no two overlap; each side's text of a group is spelled out. */
function naiveMerge(base: string, current: string, incoming: string): { content: string; overlaps: string[] } {
  const [baseLines, currentLines, incomingLines] = [base, current, incoming].map((content) => content.split('\n'))
  if (!baseLines || !currentLines || !incomingLines) throw new Error('three texts')
  let groups: NaiveGroup[] = [
    ...alignLines(baseLines, currentLines).map((run) => groupOf(run, 'current')),
    ...alignLines(baseLines, incomingLines).map((run) => groupOf(run, 'incoming')),
  ]
  for (let pair = overlappingPair(groups); pair; pair = overlappingPair(groups)) {
    const [a, b] = pair
    const joined: NaiveGroup = {
      start: Math.min(a.start, b.start),
      end: Math.max(a.end, b.end),
      runs: { current: [...a.runs.current, ...b.runs.current], incoming: [...a.runs.incoming, ...b.runs.incoming] },
    }
    groups = [...groups.filter((group) => group !== a && group !== b), joined]
  }
  groups.sort((a, b) => a.start - b.start || a.end - b.end)
  const overlaps: string[] = []
  const content = baseLines.slice(0, groups[0]?.start ?? baseLines.length)
  for (const [index, group] of groups.entries()) {
    const ours = linesOf(group, group.runs.current, baseLines, currentLines)
    const theirs = linesOf(group, group.runs.incoming, baseLines, incomingLines)
    const both = group.runs.current.length > 0 && group.runs.incoming.length > 0
    if (both && JSON.stringify(ours) !== JSON.stringify(theirs)) overlaps.push(`L${nameOf(group)}`)
    content.push(...(group.runs.current.length > 0 ? ours : theirs))
    content.push(...baseLines.slice(group.end, groups[index + 1]?.start ?? baseLines.length))
  }
  return { content: content.join('\n'), overlaps }
}

function groupOf(run: Run, side: 'current' | 'incoming'): NaiveGroup {
  const runs = { current: [], incoming: [], [side]: [run] }
  return { start: run.base[0], end: run.base[1], runs }
}

function overlappingPair(groups: NaiveGroup[]): [NaiveGroup, NaiveGroup] | null {
  for (const a of groups) {
    for (const b of groups) {
      const shareLine = Math.max(a.start, b.start) < Math.min(a.end, b.end)
      const sameEmpty = a.start === a.end && b.start === b.end && a.start === b.start
      const inside = (p: NaiveGroup, g: NaiveGroup): boolean =>
        p.start === p.end && g.start < p.start && p.start < g.end
      if (a !== b && (shareLine || sameEmpty || inside(a, b) || inside(b, a))) return [a, b]
    }
  }
  return null
}

function linesOf(group: NaiveGroup, runs: Run[], base: string[], side: string[]): string[] {
  const sorted = runs.toSorted((a, b) => a.base[0] - b.base[0] || a.base[1] - b.base[1])
  const text: string[] = []
  let at = group.start
  for (const run of sorted) {
    text.push(...base.slice(at, run.base[0]), ...side.slice(run.side[0], run.side[1]))
    at = run.base[1]
  }
  return [...text, ...base.slice(at, group.end)]
}

describe('disjoint changes', () => {
  /** For each line of the base what a side makes of it: lines that no other place has, so that they align one way only. */
  const plan = fc.array(
    fc.record({ by: fc.constantFrom('current', 'incoming', 'both', 'none'), to: fc.integer({ min: 0, max: 3 }) }),
    { maxLength: 12 },
  )

  it('[CONF-2] of text are both applied', () => {
    fc.assert(
      fc.property(plan, (steps) => {
        const write = (sides: readonly string[]): string =>
          steps
            .flatMap(({ by, to }, i) => {
              const changed = Array.from({ length: to }, (_, j) => `new ${i}.${j}`)
              return [`kept ${i}`, ...(sides.includes(by) ? changed : [`old ${i}`])]
            })
            .concat('end')
            .join('\n')
        const result = merge(write([]), write(['current', 'both']), write(['incoming', 'both']))
        expect(result).toEqual({ clean: true, content: write(['current', 'incoming', 'both']), overlaps: [] })
      }),
      RUNS,
    )
  })

  it('[CONF-2] of neighbouring lines that correspond are both applied', () => {
    const NAMES = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Frances', 'Tony', 'Radia'] as const
    const by = fc.array(fc.constantFrom('current', 'incoming', 'both', 'none'), {
      minLength: 1,
      maxLength: NAMES.length,
    })
    fc.assert(
      fc.property(by, (steps) => {
        const write = (sides: readonly string[]): string =>
          steps
            .map((by, i) => `${NAMES[i]} is ${'called by '.repeat(i)}${sides.includes(by) ? 'Tuesday' : 'Monday'}`)
            .join('\n')
        const result = merge(write([]), write(['current', 'both']), write(['incoming', 'both']))
        expect(result).toEqual({ clean: true, content: write(['current', 'incoming', 'both']), overlaps: [] })
      }),
      RUNS,
    )
  })

  it('[CONF-2] of arrays are both applied', () => {
    fc.assert(
      fc.property(plan, (steps) => {
        const write = (sides: readonly string[]): JsonObject => ({
          list: steps.flatMap(({ by, to }, i): JsonValue[] => {
            const changed = Array.from({ length: to }, (_, j) => ({ new: [i, j] }))
            return [`kept ${i}`, ...(sides.includes(by) ? changed : [{ old: i }])]
          }),
        })
        const result = merge(write([]), write(['current', 'both']), write(['incoming', 'both']))
        expect(result).toEqual({ clean: true, content: write(['current', 'incoming', 'both']), overlaps: [] })
      }),
      RUNS,
    )
  })

  it('[CONF-2] of members are both applied, at any depth', () => {
    fc.assert(
      fc.property(
        jsonObject(),
        fc.array(
          fc.record({ by: fc.constantFrom('current', 'incoming'), value: fc.option(fc.integer()), deep: fc.boolean() }),
        ),
        (base, steps) => {
          const whole: JsonObject = { ...base, deep: Object.fromEntries(steps.map((_, i) => [`own ${i}`, { was: i }])) }
          const write = (sides: readonly string[]): JsonObject => {
            const written = structuredClone(whole)
            steps.forEach(({ by, value, deep }, i) => {
              if (!sides.includes(by)) return
              const parent = deep ? (written['deep'] as JsonObject) : written
              if (value === null) delete parent[`own ${i}`]
              else parent[`own ${i}`] = { is: value }
            })
            return written
          }
          const result = merge(whole, write(['current']), write(['incoming']))
          expect(result).toEqual({ clean: true, content: write(['current', 'incoming']), overlaps: [] })
        },
      ),
      RUNS,
    )
  })
})

describe('changesOf', () => {
  it('[CONF-2] is empty exactly between equal contents', () => {
    fc.assert(
      fc.property(anyBases(), ([base, side]) => {
        expect(changesOf(base, side).length === 0).toBe(contentEquals(base, side))
      }),
      RUNS,
    )
  })
})
