import { describe, expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { SeenVersions } from '../../server/sync/seenVersions.ts'

describe('what a page has seen', () => {
  const first = SeenVersions.upTo(toVersion(1))

  it('[CONF-6] is what was sent before the newest question that it answered', () => {
    const asked = first.sent(toVersion(2), false, 100)
    const seen = asked.asked().sent(toVersion(3), false, 200)
    expect(seen.unseenSinceMs).toBe(100)
    const answered = seen.answered(asked.nextQuestion)
    expect(answered.knowledge()).toEqual({ by: 'versions', seen: 2, own: [] })
    expect(answered.unseenSinceMs).toBe(200)
    const again = answered.asked().answered(answered.nextQuestion)
    expect(again.unseenSinceMs).toBeNull()
    expect(again.knowledge()).toEqual({ by: 'versions', seen: 3, own: [] })
  })

  it('[CONF-6] what it wrote itself it has, whatever it has seen of the rest', () => {
    const seen = first.sent(toVersion(2), false, 100).sent(toVersion(3), true, 150)
    expect(seen.knowledge()).toEqual({ by: 'versions', seen: 1, own: [3] })
    expect(seen.unseenSinceMs).toBe(100)
  })

  it('needs no question about what it wrote itself; an answer to an unknown question tells nothing', () => {
    const seen = first.sent(toVersion(2), true, 100)
    expect(seen.hasUnasked).toBe(false)
    expect(seen.answered(77).knowledge()).toEqual({ by: 'versions', seen: 1, own: [2] })
  })

  it('keeps the age of the oldest unseen entry however many questions are never answered', () => {
    let seen = first
    for (let n = 2; n < 500; n += 1) seen = seen.sent(toVersion(n), false, n).asked()
    expect(seen.unseenSinceMs).toBe(2)
  })
})
