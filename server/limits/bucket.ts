/** A token bucket: it holds `capacity` tokens at most, and one more comes every `msPerToken`. */
export interface Bucket {
  readonly capacity: number
  readonly msPerToken: number
}

/** All that is kept of one that somebody took from: when it will be full again, by a clock that never goes back. */
export type FullAtMs = number

/** Sums of fractions of a millisecond are this exact, over years. */
const EXACT_TO_MS = 1e-3

/** One that nobody took from yet. */
export const FULL: FullAtMs = Number.NEGATIVE_INFINITY

/** What is left after `tokens` were taken, whether they were there or not: what is owed comes back first. */
export function afterTaking(bucket: Bucket, fullAtMs: FullAtMs, tokens: number, nowMs: number): FullAtMs {
  return Math.max(fullAtMs, nowMs) + tokens * bucket.msPerToken
}

/** How many tokens are there; below zero where more were taken. */
export function tokensIn(bucket: Bucket, fullAtMs: FullAtMs, nowMs: number): number {
  return bucket.capacity - Math.max(0, fullAtMs - nowMs - EXACT_TO_MS) / bucket.msPerToken
}

/** How long it takes until `tokens` are there, or the bucket is full; 0 where they are. */
export function waitForMs(bucket: Bucket, fullAtMs: FullAtMs, tokens: number, nowMs: number): number {
  const room = Math.min(tokens, bucket.capacity) - bucket.capacity
  const waitMs = Math.max(fullAtMs - nowMs, 0) + room * bucket.msPerToken
  return waitMs < EXACT_TO_MS ? 0 : waitMs
}
