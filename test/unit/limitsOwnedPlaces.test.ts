import { describe, expect, it } from 'vitest'
import { OwnedPlaces } from '../../server/limits/ownedPlaces.ts'

describe('places that are taken for a while', () => {
  it('[RATE-1] [API-8] are so many of one owner, and so many of all, and free again once they are given up', () => {
    const places = new OwnedPlaces({ ofOne: 2, inAll: 3 })
    const [first, second, third] = ['ann', 'ann', 'ben'].map((owner) => places.take(owner))
    expect([first, second, third]).not.toContain(null)
    expect([places.take('ann'), places.take('ben'), places.take('cleo')]).toEqual([null, null, null])
    third?.()
    expect(places.take('ann')).toBeNull()
    expect(places.take('cleo')).not.toBeNull()
    first?.()
    expect([places.takenBy('ann'), places.takenBy('ben'), places.takenBy('cleo')]).toEqual([1, 0, 1])
    expect(places.take('ann')).not.toBeNull()
  })
})
