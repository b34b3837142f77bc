import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterTaking, FULL, tokensIn, waitForMs, type Bucket } from '../../server/limits/bucket.ts'
import { LocalBuckets } from '../../server/limits/localBuckets.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

const SUB = { kind: 'principal', id: 'ann' } as const
const aBucket = fc.record({
  capacity: fc.integer({ min: 1, max: 5_000 }),
  msPerToken: fc.integer({ min: 1, max: 60_000 }),
})
const steps = fc.array(
  fc.record({ waitedMs: fc.integer({ min: 0, max: 200_000 }), tokens: fc.integer({ min: 1, max: 40 }) }),
  { maxLength: 60 },
)

/** A bucket as one would explain it: a count that grows with time up to what it holds. */
class Explained {
  readonly #bucket: Bucket
  #tokens: number

  constructor(bucket: Bucket) {
    this.#bucket = bucket
    this.#tokens = bucket.capacity
  }

  wait(ms: number): void {
    this.#tokens = Math.min(this.#bucket.capacity, this.#tokens + ms / this.#bucket.msPerToken)
  }

  take(tokens: number): boolean {
    if (this.#tokens + 1e-4 < Math.min(tokens, this.#bucket.capacity)) return false
    this.#tokens -= Math.min(tokens, this.#bucket.capacity)
    return true
  }
}

describe('[RATE-1] a token bucket', () => {
  it('[RATE-1] gives exactly what one gives that counts its tokens, however they are asked for', () => {
    fc.assert(
      fc.property(aBucket, steps, (bucket, asked) => {
        let nowMs = 0
        const buckets = new LocalBuckets({ monotonicMs: () => nowMs })
        const model = new Explained(bucket)
        for (const { waitedMs, tokens } of asked) {
          nowMs += waitedMs
          model.wait(waitedMs)
          const wanted = Math.min(tokens, bucket.capacity)
          expect(buckets.take('write', SUB, bucket, wanted).waitMs === 0).toBe(model.take(tokens))
        }
      }),
    )
  })

  it('[RATE-1] says to the millisecond how long to wait, and keeps its word', () => {
    fc.assert(
      fc.property(aBucket, steps, fc.integer({ min: 1, max: 40 }), (bucket, asked, tokens) => {
        let fullAtMs = FULL
        let nowMs = 0
        for (const one of asked) {
          nowMs += one.waitedMs
          if (waitForMs(bucket, fullAtMs, one.tokens, nowMs) === 0)
            fullAtMs = afterTaking(bucket, fullAtMs, one.tokens, nowMs)
        }
        const waitMs = waitForMs(bucket, fullAtMs, tokens, nowMs)
        expect(waitForMs(bucket, fullAtMs, tokens, nowMs + waitMs)).toBe(0)
        if (waitMs > 1) expect(waitForMs(bucket, fullAtMs, tokens, nowMs + waitMs - 1)).toBeGreaterThan(0)
      }),
    )
  })

  it('[RATE-1] is empty for exactly the number of tokens it holds, and full again after its window', () => {
    for (const capacity of [1, 3, 7, 600, 3_000, 4_999]) {
      const bucket = { capacity, msPerToken: 60_000 / capacity }
      let fullAtMs = FULL
      for (let n = 0; n < capacity; n++) {
        expect(tokensIn(bucket, fullAtMs, 0)).toBeCloseTo(capacity - n, 2)
        expect(waitForMs(bucket, fullAtMs, 1, 0)).toBe(0)
        fullAtMs = afterTaking(bucket, fullAtMs, 1, 0)
      }
      expect(waitForMs(bucket, fullAtMs, 1, 0)).toBeGreaterThan(0)
      expect(waitForMs(bucket, fullAtMs, capacity, 60_000)).toBe(0)
    }
  })

  it('[RATE-1] takes a burst, then so many a second', () => {
    let nowMs = 0
    const buckets = new LocalBuckets({ monotonicMs: () => nowMs })
    const take = (): boolean => buckets.take('read', SUB, { capacity: 5, msPerToken: 500 }, 1).waitMs === 0
    expect([1, 2, 3, 4, 5, 6].map(take)).toEqual([true, true, true, true, true, false])
    nowMs += 1_000
    expect([1, 2, 3].map(take)).toEqual([true, true, false])
    nowMs += 3_600_000
    expect([1, 2, 3, 4, 5, 6].map(take)).toEqual([true, true, true, true, true, false])
  })

  it('[RATE-1] takes nothing where it refuses', () => {
    const environment = new ManualEnvironment()
    const buckets = new LocalBuckets(environment)
    const bucket = { capacity: 10, msPerToken: 1_000 }
    expect(buckets.take('read', SUB, bucket, 8)).toMatchObject({ left: 2, waitMs: 0 })
    const refused = buckets.take('read', SUB, bucket, 5)
    expect(refused.waitMs).toBeCloseTo(3_000, 0)
    expect(refused.left).toBe(2)
    expect(buckets.take('read', SUB, bucket, 2)).toMatchObject({ left: 0, waitMs: 0 })
  })
})

describe('[RATE-1] the memory of buckets', () => {
  it('[RATE-1] is bounded whatever the number of principals and addresses', () => {
    const buckets = new LocalBuckets(new ManualEnvironment(), 1_000)
    const bucket = { capacity: 5, msPerToken: 12_000 }
    for (let n = 0; n < 50_000; n++) {
      buckets.take('write', { kind: 'principal', id: `sub-${n}` }, bucket, 1)
      buckets.take('write', { kind: 'address', id: `2001:db8::${n}` }, bucket, 1)
    }
    expect(buckets.size).toBe(2_000)
  })

  it('[RATE-1] keeps whoever goes on asking, however many others come by', () => {
    const buckets = new LocalBuckets(new ManualEnvironment(), 1_000)
    const bucket = { capacity: 5, msPerToken: 12_000 }
    for (let n = 0; n < 5; n++) buckets.take('write', SUB, bucket, 1)
    for (let n = 0; n < 20_000; n++) {
      buckets.take('write', { kind: 'principal', id: `sub-${n}` }, bucket, 1)
      if (n % 500 === 0) expect(buckets.take('write', SUB, bucket, 1).waitMs).toBeGreaterThan(0)
    }
  })

  it('[RATE-1] holds nothing of those who only looked', () => {
    const buckets = new LocalBuckets(new ManualEnvironment())
    for (let n = 0; n < 100; n++)
      buckets.take('read', { kind: 'address', id: `10.0.0.${n}` }, { capacity: 5, msPerToken: 1 }, 0)
    expect(buckets.size).toBe(0)
  })
})
