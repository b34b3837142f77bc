/** Standard Webhooks (https://www.standardwebhooks.com): signatures, and when a delivery is tried again. Pure. */
import { createHmac } from 'node:crypto'
import { randomTag, type Environment } from '../foundation/environment.ts'
import type { Delivery, StoredDelivery, Webhook } from '../model/webhook.ts'
import type { Post, PostOutcome } from './webhooksSender.ts'

export const SECRET_PREFIX = 'whsec_'

const FIRST_RETRY_MS = 8_000
const GROWTH = 3
const MAX_DELAY_MS = 6 * 3_600_000
/** From the first attempt to the last (SPEC NOTE-5). */
export const RETRYING_MS = 3 * 24 * 3_600_000

export const newMessageId = (environment: Environment): string => `msg_${randomTag(environment, 26)}`

/** A message that was not tried yet and is due. */
export const newDelivery = (
  message: Pick<Delivery, 'message' | 'type' | 'document' | 'body'>,
  now: number,
): Delivery => ({
  ...message,
  createdAt: now,
  attempts: 0,
  firstAttemptAt: null,
  lastAttempt: null,
  state: { status: 'pending', nextAttemptAt: now },
})

/** The same as if it was never tried. */
export const dueAgain = (delivery: StoredDelivery, now: number): StoredDelivery => ({
  ...delivery,
  attempts: 0,
  firstAttemptAt: null,
  state: { status: 'pending', nextAttemptAt: now },
})

/** The request that makes a delivery now (milliseconds). */
export function postOf(webhook: Webhook, delivery: StoredDelivery, now: number): Post {
  const timestamp = String(Math.floor(now / 1_000))
  const { secret, previousSecret } = webhook
  const secrets = previousSecret && now < previousSecret.until ? [secret, previousSecret.secret] : [secret]
  const signed = `${delivery.message}.${timestamp}.${delivery.body}`
  return {
    url: webhook.url,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'Parley',
      'webhook-id': delivery.message,
      'webhook-timestamp': timestamp,
      'webhook-signature': secrets.map((one) => `v1,${signatureOf(signed, one)}`).join(' '),
    },
    body: delivery.body,
  }
}

function signatureOf(text: string, secret: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  return createHmac('sha256', key).update(text).digest('base64')
}

/** Whether the receiver asks never to be called again. */
export const isGone = (outcome: PostOutcome): boolean => 'status' in outcome && outcome.status === 410

/**
 * The delivery after one more attempt. The first retry comes within 8 s, each later one after about three times as
 * long as the one before, up to 6 hours. `random` is in [0, 1): as much as half of each delay is left to it, so that
 * receivers that failed together are not called together. A receiver that says when (`Retry-After`) is called then.
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
  const asked = 'retryAfter' in outcome ? retryAfterMs(outcome.retryAfter, now) : null
  // Whoever always says "at once" is not called all the time.
  const waitMs = asked === null ? delayMs : Math.max(asked, Math.min(delayMs, attempts * 1_000))
  return { ...tried, state: { status: 'pending', nextAttemptAt: Math.min(now + waitMs, end) } }
}

/** `Retry-After` (RFC 9110 §10.2.3): seconds or a date; null where it is neither. */
export function retryAfterMs(header: string | undefined, now: number): number | null {
  const text = header?.trim() ?? ''
  if (/^[0-9]{1,10}$/.test(text)) return Number(text) * 1_000
  const at = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}

/** Today's form of a date (RFC 9110 §5.6.7). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

function refusal(status: number): string {
  if (status === 410) return 'The receiver is gone.'
  return status >= 300 && status < 400 ? 'Redirects are not followed.' : 'The answer was not 2xx.'
}
