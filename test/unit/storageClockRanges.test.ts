import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeRanges, encodeRanges } from '../../server/storage/rows/clockRanges.ts'

const range = fc.record({
  client: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.maxSafeNat()),
  clock: fc.maxSafeNat(),
  length: fc.maxSafeNat(),
})

it('ranges come back as they were, in order', () => {
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      expect(decodeRanges(encodeRanges(ranges))).toEqual(ranges)
    }),
  )
})

it('no ranges are no bytes, and one of a small document is a few', () => {
  expect(encodeRanges([])).toHaveLength(0)
  expect(encodeRanges([{ client: 3735928559, clock: 100, length: 1 }])).toHaveLength(8)
})

it('ranges of one client name it once', () => {
  const ranges = Array.from({ length: 100 }, (_, n) => ({ client: 3735928559, clock: n, length: 1 }))
  expect(encodeRanges(ranges).length).toBeLessThan(210)
})

it('bytes cut short are refused', () => {
  const bytes = encodeRanges([{ client: 3735928559, clock: 100, length: 1 }])
  for (let length = 1; length < bytes.length; length += 1) {
    expect(() => decodeRanges(bytes.subarray(0, length))).toThrow()
  }
})
