import type { LRUCache } from 'lru-cache'
import { cacheOf } from '../foundation/cache.ts'
import { afterTaking, FULL, tokensIn, waitForMs, type Bucket, type FullAtMs } from './bucket.ts'
import type { BucketStore, Level, Payer, RateClass } from './rates.ts'

/**
 * Buckets of one class and kind of payer that are kept: 100 to 400 bytes each. Who was not heard of for longest is
 * forgotten and begins with a full one, so that memory is bounded whatever comes; that takes as many others in a minute.
 */
const MAX_BUCKETS = 20_000

/** The buckets of one process, in its memory. */
export class LocalBuckets implements BucketStore {
  readonly #clock: { monotonicMs(): number }
  readonly #maxBuckets: number
  readonly #buckets = { principal: new Map<RateClass, Buckets>(), address: new Map<RateClass, Buckets>() }

  constructor(clock: { monotonicMs(): number }, maxBuckets = MAX_BUCKETS) {
    this.#clock = clock
    this.#maxBuckets = maxBuckets
  }

  take(rateClass: RateClass, { kind, id }: Payer, bucket: Bucket, tokens: number): Level {
    const nowMs = this.#clock.monotonicMs()
    const buckets = this.#bucketsOf(kind, rateClass)
    const before = buckets.get(id) ?? FULL
    const waitMs = waitForMs(bucket, before, tokens, nowMs)
    const after = waitMs > 0 || tokens === 0 ? before : afterTaking(bucket, before, tokens, nowMs)
    if (after !== before) buckets.set(id, after)
    return {
      left: Math.floor(tokensIn(bucket, after, nowMs)),
      fullInMs: Math.max(0, after - nowMs),
      waitMs,
    }
  }

  /** How many are kept. */
  get size(): number {
    const all = [...this.#buckets.principal.values(), ...this.#buckets.address.values()]
    return all.reduce((sum, { size }) => sum + size, 0)
  }

  #bucketsOf(kind: Payer['kind'], rateClass: RateClass): Buckets {
    const known = this.#buckets[kind].get(rateClass)
    if (known) return known
    const made: Buckets = cacheOf(this.#maxBuckets)
    this.#buckets[kind].set(rateClass, made)
    return made
  }
}

type Buckets = LRUCache<string, FullAtMs>
