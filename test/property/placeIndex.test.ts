import fc from 'fast-check'
import { expect, it } from 'vitest'
import { spansOverlap, type Span } from '../../server/content/align.ts'
import { PlaceIndex, type ReachedPlace } from '../../server/content/placeIndex.ts'

const Step = fc.oneof(
  fc.constantFrom('a', 'b', 'c'),
  fc.tuple(fc.nat(4), fc.nat(2)).map(([start, length]): Span => [start, start + length]),
)
const Place = fc.array(Step, { maxLength: 4 })

/** One is the other or lies below it. */
const meet = (a: ReachedPlace, b: ReachedPlace): boolean =>
  a.every((step, i) => {
    const other = b[i]
    if (other === undefined) return true
    if (typeof step === 'string' || typeof other === 'string') return step === other
    return spansOverlap(step, other)
  })

it('[WRITE-7] places of a json content are found by an index as they are one by one', () => {
  fc.assert(
    fc.property(fc.array(Place, { maxLength: 8 }), Place, (places, place) => {
      expect(new PlaceIndex(places).meets(place)).toBe(places.some((one) => meet(place, one)))
    }),
  )
})
