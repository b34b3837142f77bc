import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Budget, bucketOfMinute, HELD_BACK_MS } from '../../server/limits/budget.ts'

const A_MINUTE = 60_000

describe('[RATE-1] the budget of a connection', () => {
  it('[RATE-1] is spent by messages and by bytes, whichever is short', () => {
    const budget = new Budget({ messages: bucketOfMinute(3), bytes: bucketOfMinute(600) })
    expect([budget.spend(10, 0), budget.spend(10, 0), budget.spend(10, 0)]).toEqual([0, 0, 0])
    expect(budget.spend(10, 0)).toBeCloseTo(20_000, 0)
    const large = new Budget({ messages: bucketOfMinute(30), bytes: bucketOfMinute(600) })
    expect(large.spend(900, 0)).toBeCloseTo(30_000, 0)
  })

  it('[RATE-1] is whole again after a minute without messages', () => {
    const budget = new Budget({ messages: bucketOfMinute(100), bytes: null })
    for (let n = 0; n < 150; n++) expect(budget.spend(1, 0)).not.toBe('exceeded')
    for (let n = 0; n < 100; n++) expect(budget.spend(1, 1.5 * A_MINUTE)).toBe(0)
  })

  it('[RATE-1] is exceeded at once by what would take over a minute to pay back', () => {
    const budget = new Budget({ messages: bucketOfMinute(100), bytes: null })
    for (let n = 0; n < 200; n++) expect(budget.spend(1, 0)).not.toBe('exceeded')
    expect(budget.spend(1, 0)).toBe('exceeded')
  })

  it('[RATE-1] is exceeded by who never stops, although they are held back each time', () => {
    const budget = new Budget({ messages: bucketOfMinute(600), bytes: null })
    let nowMs = 0
    let owed = budget.spend(1, nowMs)
    while (owed !== 'exceeded' && nowMs < 10 * A_MINUTE) {
      nowMs += owed
      owed = budget.spend(1, nowMs)
    }
    expect(owed).toBe('exceeded')
    expect(nowMs).toBeGreaterThan(HELD_BACK_MS)
    expect(nowMs).toBeLessThan(2 * HELD_BACK_MS)
  })

  it('[RATE-1] is never exceeded by bursts up to twice what it holds, with pauses of two minutes between', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 20 }), (bursts) => {
        const budget = new Budget({ messages: bucketOfMinute(100), bytes: null })
        bursts.forEach((size, index) => {
          for (let n = 0; n < size; n++) expect(budget.spend(1, index * 2 * A_MINUTE)).not.toBe('exceeded')
        })
      }),
    )
  })

  it('[RATE-1] lets through no more than it holds and what comes in time, when its word is kept', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 30_000 }), (perMinute, forMs) => {
        const budget = new Budget({ messages: bucketOfMinute(perMinute), bytes: null })
        let nowMs = 0
        let messages = 0
        while (nowMs <= forMs) {
          const owedMs = budget.spend(1, nowMs)
          expect(owedMs).not.toBe('exceeded')
          nowMs += Number(owedMs)
          messages += 1
        }
        expect(messages).toBeLessThanOrEqual(perMinute + (forMs * perMinute) / A_MINUTE + 2)
      }),
      { numRuns: 30 },
    )
  })

  it('[RATE-1] has no end where there is no limit', () => {
    const budget = new Budget({ messages: bucketOfMinute(0), bytes: bucketOfMinute(0) })
    for (let n = 0; n < 1_000; n++) expect(budget.spend(1_000_000, 0)).toBe(0)
  })
})
