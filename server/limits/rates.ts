import { ParleyError } from '../foundation/problems.ts'
import type { Bucket } from './bucket.ts'

/** SPEC RATE-1: what requests are counted as. */
export const RATE_CLASSES = ['read', 'write', 'resolve', 'connect', 'token'] as const
export type RateClass = (typeof RATE_CLASSES)[number]

/** What a request costs. */
export interface Charge {
  readonly class: RateClass
  readonly tokens: number
}

/** Who pays: a principal, or the network address of somebody who showed no token that counts. */
export interface Payer {
  readonly kind: 'principal' | 'address'
  readonly id: string
}

/** How a bucket stood after tokens were asked of it. */
export interface Level {
  /** Whole tokens that are left. */
  readonly left: number
  /** Until it is full again. */
  readonly fullInMs: number
  /** Until what was asked for would be there; 0 where it was taken. */
  readonly waitMs: number
}

/**
 * Where the buckets are. One process keeps them in memory (`LocalBuckets`); a store that several nodes share is another
 * adapter, which may answer later.
 */
export interface BucketStore {
  /** Takes the tokens where they are there, and nothing else. None are taken where `tokens` is 0. */
  take(rateClass: RateClass, payer: Payer, bucket: Bucket, tokens: number): Level | Promise<Level>
}

/** What an answer tells of a bucket, and why the request is refused, where it is. */
export interface RateStanding {
  readonly headers: Readonly<Record<string, string>>
  readonly refusal: ParleyError | null
}

/** Tokens come by the minute, and a bucket holds what a minute brings. */
const WINDOW_SECONDS = 60
/** Who shows no token that counts pays so much of the request's class, by address. */
export const FAILED_ATTEMPT_TOKENS = 10

interface Policy {
  readonly bucket: Bucket
  /** As `RateLimit-Policy` says it. */
  readonly text: string
}

/** How much anybody may ask for (SPEC RATE-1). A class without a limit has no standing. */
export class RateLimits {
  readonly #policies = new Map<RateClass, Policy>()
  readonly #store: BucketStore
  readonly #refusals = new Map<string, { readonly labels: readonly [string, string]; count: number }>()

  /** `perMinute` is 0 where a class has no limit. */
  constructor(perMinute: Readonly<Record<RateClass, number>>, store: BucketStore) {
    this.#store = store
    for (const rateClass of RATE_CLASSES) {
      const capacity = perMinute[rateClass]
      if (capacity === 0) continue
      const bucket = { capacity, msPerToken: (WINDOW_SECONDS * 1_000) / capacity }
      this.#policies.set(rateClass, { bucket, text: `"${rateClass}";q=${capacity};w=${WINDOW_SECONDS}` })
    }
  }

  /** Takes what the request costs. Where that is not there, nothing is taken, and the request is refused. */
  charge(payer: Payer, { class: rateClass, tokens }: Charge): RateStanding | null | Promise<RateStanding> {
    const policy = this.#policies.get(rateClass)
    if (policy === undefined) return null
    // What costs more than a bucket ever holds would never be answered.
    const asked = Math.min(tokens, policy.bucket.capacity)
    const level = this.#store.take(rateClass, payer, policy.bucket, asked)
    const standing = (found: Level): RateStanding => this.#standing(rateClass, payer.kind, policy, found)
    return level instanceof Promise ? level.then(standing) : standing(level)
  }

  /** How a bucket stands, and whether the charge would be refused; nothing is taken and nothing counted as refused. */
  look(payer: Payer, { class: rateClass, tokens }: Charge): RateStanding | null | Promise<RateStanding> {
    const policy = this.#policies.get(rateClass)
    if (policy === undefined) return null
    const standing = ({ left, fullInMs }: Level): RateStanding => {
      const missing = Math.min(tokens, policy.bucket.capacity) - left
      const waitMs = Math.max(0, missing) * policy.bucket.msPerToken
      return { headers: headersOf(policy, rateClass, { left, fullInMs }), refusal: refusalFor(rateClass, waitMs) }
    }
    const level = this.#store.take(rateClass, payer, policy.bucket, 0)
    return level instanceof Promise ? level.then(standing) : standing(level)
  }

  /** One more refusal, for the metrics. */
  count(rateClass: RateClass | 'live' | 'notifications', by: Payer['kind'] | 'connection'): void {
    const key = `${rateClass} ${by}`
    const known = this.#refusals.get(key)
    if (known) known.count += 1
    else this.#refusals.set(key, { labels: [rateClass, by], count: 1 })
  }

  /** Refusals by class and by whom they were counted. */
  refusals(): readonly (readonly [count: number, rateClass: string, by: string])[] {
    return Array.from(this.#refusals.values(), ({ labels, count }) => [count, ...labels] as const)
  }

  #standing(rateClass: RateClass, by: Payer['kind'], policy: Policy, level: Level): RateStanding {
    const refusal = refusalFor(rateClass, level.waitMs)
    if (refusal !== null) this.count(rateClass, by)
    return { headers: headersOf(policy, rateClass, level), refusal }
  }
}

/** draft-ietf-httpapi-ratelimit-headers-10: what is left (`r`), and in how many seconds the quota is whole again (`t`). */
function headersOf(policy: Policy, rateClass: RateClass, { left, fullInMs }: Omit<Level, 'waitMs'>) {
  return {
    'RateLimit-Policy': policy.text,
    RateLimit: `"${rateClass}";r=${Math.max(0, left)};t=${Math.ceil(fullInMs / 1_000)}`,
  }
}

function refusalFor(rateClass: RateClass, waitMs: number): ParleyError | null {
  if (waitMs <= 0) return null
  const seconds = String(Math.max(1, Math.ceil(waitMs / 1_000)))
  return new ParleyError('too-many-requests', `Too many requests of the class \`${rateClass}\`: wait ${seconds} s.`, {
    headers: { 'Retry-After': seconds },
  })
}
