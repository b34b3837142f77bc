import fc from 'fast-check'
import { expect, it } from 'vitest'
import { spansOverlap, splitLines, type Span } from '../../server/content/align.ts'
import { alignLines } from '../../server/content/alignLines.ts'
import { changesLines } from '../../server/content/mergeText.ts'

const Text = fc.array(fc.constantFrom('a', 'b', 'c', 'long enough to be alike', ''), { maxLength: 12 })

it('[WRITE-7] a write touches lines where any of its changes overlaps any of them, as they are compared one by one', () => {
  fc.assert(
    fc.property(Text, Text, fc.array(fc.tuple(fc.nat(13), fc.nat(3)), { maxLength: 6 }), (from, to, places) => {
      const [before, after] = [from.join('\n'), to.join('\n')]
      const ranges = places.map(([start, length]) => ({ start: start + 1, end: start + 1 + length }))
      const spans = ranges.map(({ start, end }): Span => [start - 1, end - 1])
      const runs = alignLines(splitLines(before), splitLines(after))
      expect(changesLines(before, after, ranges)).toBe(
        runs.some(({ base }) => spans.some((span) => spansOverlap(base, span))),
      )
    }),
  )
})

it('[OPS-8] [WRITE-7] very many lines are compared with very many changes in one walk', () => {
  const text = (odd: string): string =>
    Array.from({ length: 200_000 }, (_, n) => (n % 4 === 1 ? odd : `${n}`)).join('\n')
  const ranges = Array.from({ length: 50_000 }, (_, n) => ({ start: 4 * n + 4, end: 4 * n + 5 }))
  expect(changesLines(text('before'), text('after'), ranges)).toBe(false)
  expect(changesLines(text('before'), text('after'), [...ranges, { start: 199_998, end: 199_999 }])).toBe(true)
})
