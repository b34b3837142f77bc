/** Standard Webhooks (https://www.standardwebhooks.com): signatures, and when a delivery is tried again. Pure. */
import { createHmac } from 'node:crypto'
import type { StoredDelivery, Webhook } from '../model/webhook.ts'
import type { Post, PostOutcome } from './webhooksSender.ts'

export const SECRET_PREFIX = 'whsec_'

const FIRST_RETRY_MS = 8_000
const GROWTH = 3
const MAX_DELAY_MS = 6 * 3_600_000
/** From the first attempt to the last (SPEC NOTE-5). */
export const RETRYING_MS = 3 * 24 * 3_600_000

/** The request that makes a delivery now (milliseconds). */
export function postOf(webhook: Webhook, delivery: StoredDelivery, now: number): Post {
  const timestamp = String(Math.floor(now / 1_000))
  const key = Buffer.from(webhook.secret.slice(SECRET_PREFIX.length), 'base64')
  const signature = createHmac('sha256', key)
    .update(`${delivery.message}.${timestamp}.${delivery.body}`)
    .digest('base64')
  return {
    url: webhook.url,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'Parley',
      'webhook-id': delivery.message,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    body: delivery.body,
  }
}

/** Whether the receiver asks never to be called again. */
export const isGone = (outcome: PostOutcome): boolean => 'status' in outcome && outcome.status === 410

/**
 * The delivery after one more attempt. The first retry comes within 8 s, each later one after about three times as
 * long as the one before, up to 6 hours. `random` is in [0, 1): as much as half of each delay is left to it, so that
 * receivers that failed together are not called together.
 */
export function afterAttempt(
  delivery: StoredDelivery,
  outcome: PostOutcome,
  now: number,
  random: number,
): StoredDelivery {
  const status = 'status' in outcome ? outcome.status : null
  const succeeded = status !== null && status >= 200 && status < 300
  const error = 'error' in outcome ? outcome.error : succeeded ? null : refusal(outcome.status)
  const firstAttemptAt = delivery.firstAttemptAt ?? now
  const attempts = delivery.attempts + 1
  const tried = { ...delivery, attempts, firstAttemptAt, lastAttempt: { at: now, status, error } }
  if (succeeded) return { ...tried, state: { status: 'delivered', finishedAt: now } }
  const end = firstAttemptAt + RETRYING_MS
  if (isGone(outcome) || now >= end) return { ...tried, state: { status: 'failed', finishedAt: now } }
  const longest = Math.min(FIRST_RETRY_MS * GROWTH ** (attempts - 1), MAX_DELAY_MS)
  const delayMs = Math.round(longest * (1 - random / 2))
  return { ...tried, state: { status: 'pending', nextAttemptAt: Math.min(now + delayMs, end) } }
}

function refusal(status: number): string {
  if (status === 410) return 'The receiver is gone.'
  return status >= 300 && status < 400 ? 'Redirects are not followed.' : 'The answer was not 2xx.'
}
