import { inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packContent, unpackContent } from '../../server/storage/sqlite/row.ts'

it('[CONF-9] a content of any length is kept as a deflated stream and read back as it was', () => {
  const lengths = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.constantFrom(254, 255, 256, 257, 70_000))
  fc.assert(
    fc.property(lengths, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }), (length, unit) => {
      const text = unit
        .repeat(Math.ceil(length / unit.length))
        .slice(0, length)
        .toWellFormed()
      const packed = packContent(['name'], JSON.stringify(text))
      expect(inflateRawSync(packed.content).toString()).toBe(JSON.stringify(text))
      expect(unpackContent(['name'], packed, 'It')).toBe(text)
    }),
  )
})
