import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DOCUMENT_ID_PATTERN, matchesPattern, trustedDocumentId, type Pattern } from '../../server/foundation/ids.ts'
import { idRanges, isInRanges } from '../../server/storage/idRanges.ts'

/** Few characters, so that prefixes and ids often meet; the lowest and the highest an id may hold are among them. */
const id = fc.stringMatching(/^[a0Z][a0Z.~:_-]{0,3}$/).map(trustedDocumentId)
const pattern: fc.Arbitrary<Pattern> = fc.oneof(
  id.map((exact) => ({ exact })),
  fc.oneof(id, fc.constant('')).map((prefix) => ({ prefix })),
)

it('[API-6] an id lies in one of the ranges exactly if one of the patterns matches it', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 6 }), fc.array(id), (patterns, ids) => {
      const ranges = idRanges(patterns)
      for (const one of ids) {
        expect(one).toMatch(new RegExp(DOCUMENT_ID_PATTERN))
        const within = ranges.filter(({ from, to }) => from <= one && one < to).length
        expect(within).toBe(patterns.some((some) => matchesPattern(some, one)) ? 1 : 0)
        expect(isInRanges(ranges, one)).toBe(within === 1)
      }
    }),
    { numRuns: 500 },
  )
})

it('ranges are in id order and do not touch', () => {
  fc.assert(
    fc.property(fc.array(pattern), (patterns) => {
      const ranges = idRanges(patterns)
      for (const [n, range] of ranges.entries()) {
        expect(range.from < range.to).toBe(true)
        const next = ranges[n + 1]
        if (next) expect(range.to < next.from).toBe(true)
      }
    }),
  )
})
