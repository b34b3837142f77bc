import { afterTaking, FULL, tokensIn, waitForMs, type Bucket, type FullAtMs } from './bucket.ts'

/** What one connection may send; null where there is no limit. */
export interface BudgetLimits {
  readonly messages: Bucket | null
  readonly bytes: Bucket | null
}

/**
 * Who is held back for so long without a pause of their own is closed: half a bucket comes back in less, so that only one
 * that never stops is.
 */
export const HELD_BACK_MS = 60_000

/**
 * A fast typist sends some 30 messages a second, with the mouse on the move 60. A program that makes tens of thousands of
 * edits one by one may send them all at once.
 */
export const LIVE_MESSAGES_PER_MINUTE = 60_000
/** Ten of the largest documents. */
export const LIVE_BYTES_PER_MINUTE = 120 * 1024 * 1024

const MS_PER_MINUTE = 60_000

/** A bucket of what a minute brings; null for 0, which is no limit. */
export const bucketOfMinute = (perMinute: number): Bucket | null =>
  perMinute === 0 ? null : { capacity: perMinute, msPerToken: MS_PER_MINUTE / perMinute }

interface Account {
  readonly bucket: Bucket
  fullAtMs: FullAtMs
}

/**
 * What one connection has sent, against what it may (SPEC RATE-1). What came has come, so it may owe; reading from it stops
 * until that is paid back.
 */
export class Budget {
  readonly #messages: Account | null
  readonly #bytes: Account | null
  /** Since when it was not even half full again after it ran out. */
  #shortSinceMs: number | null = null

  constructor({ messages, bytes }: BudgetLimits) {
    this.#messages = messages && { bucket: messages, fullAtMs: FULL }
    this.#bytes = bytes && { bucket: bytes, fullAtMs: FULL }
  }

  /** Takes a message that came. Answers how long nothing more shall be read, or that this goes on for too long. */
  spend(bytes: number, nowMs: number): number | 'exceeded' {
    if (this.#shortSinceMs !== null && this.#isHalfFull(nowMs)) this.#shortSinceMs = null
    take(this.#messages, 1, nowMs)
    take(this.#bytes, bytes, nowMs)
    const owedMs = this.owedMs(nowMs)
    if (owedMs === 0) return 0
    this.#shortSinceMs ??= nowMs
    return owedMs > HELD_BACK_MS || nowMs - this.#shortSinceMs > HELD_BACK_MS ? 'exceeded' : owedMs
  }

  /** How long it takes until nothing is owed. */
  owedMs(nowMs: number): number {
    return Math.max(owed(this.#messages, nowMs), owed(this.#bytes, nowMs))
  }

  #isHalfFull(nowMs: number): boolean {
    return [this.#messages, this.#bytes].every(
      (account) => account === null || tokensIn(account.bucket, account.fullAtMs, nowMs) >= account.bucket.capacity / 2,
    )
  }
}

function take(account: Account | null, tokens: number, nowMs: number): void {
  if (account) account.fullAtMs = afterTaking(account.bucket, account.fullAtMs, tokens, nowMs)
}

const owed = (account: Account | null, nowMs: number): number =>
  account === null ? 0 : waitForMs(account.bucket, account.fullAtMs, 0, nowMs)
