import { Webhook as StandardWebhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import type { StoredDelivery, Webhook } from '../../server/model/webhook.ts'
import {
  afterAttempt,
  newDelivery,
  postOf,
  RETRYING_MS,
  retryAfterMs,
} from '../../server/notifications/webhookAttempt.ts'
import { ownerOf } from '../../server/notifications/webhookOwner.ts'
import { readerOf } from '../support/readers.ts'

const NOON = Date.UTC(2026, 10, 30, 12)
const HOUR_MS = 3_600_000

const delivery = (more: Partial<StoredDelivery> = {}): StoredDelivery => ({
  ...newDelivery({ message: 'msg_1', type: 'resync', document: null, body: '{}' }, NOON),
  position: 1,
  ...more,
})

/** When it is tried again, from now. */
function waitMs(retryAfter: string | undefined, more: Partial<StoredDelivery> = {}): number {
  const { state } = afterAttempt(delivery(more), { status: 503, retryAfter }, NOON, 0)
  return state.status === 'pending' ? state.nextAttemptAt - NOON : Number.NaN
}

describe('[NOTE-8] Retry-After of a receiver', () => {
  it.each([
    ['120', 120_000],
    [' 7 ', 7_000],
    ['Mon, 30 Nov 2026 12:10:00 GMT', 600_000],
    ['Mon, 30 Nov 2026 11:00:00 GMT', 0],
    ['9999999999', 9_999_999_999_000],
    ['', null],
    [undefined, null],
    ['soon', null],
    ['-1', null],
    ['1.5', null],
    ['2026-11-30', null],
    ['Mon, 99 Nov 2026 12:10:00 GMT', null],
  ])('%j is %j ms', (header, ms) => {
    expect(retryAfterMs(header, NOON)).toBe(ms)
  })

  it('is kept to, later or sooner than it would have been', () => {
    expect(waitMs('20')).toBe(20_000)
    expect(waitMs('60', { attempts: 9, firstAttemptAt: NOON - HOUR_MS })).toBe(60_000)
    expect(waitMs('nonsense')).toBe(8_000)
  })

  it('is kept to within the three days, the last try at their end', () => {
    expect(waitMs('9999999999')).toBe(RETRYING_MS)
    expect(waitMs('7200', { attempts: 4, firstAttemptAt: NOON - RETRYING_MS + HOUR_MS })).toBe(HOUR_MS)
    const tried = afterAttempt(
      delivery({ firstAttemptAt: NOON - RETRYING_MS }),
      { status: 503, retryAfter: '5' },
      NOON,
      0,
    )
    expect(tried.state).toEqual({ status: 'failed', finishedAt: NOON })
  })

  it('of "at once" does not have it called all the time', () => {
    expect(waitMs('0')).toBe(1_000)
    expect(waitMs('0', { attempts: 29, firstAttemptAt: NOON - HOUR_MS })).toBe(30_000)
  })

  it('means nothing where the message was taken, or the receiver is gone', () => {
    expect(afterAttempt(delivery(), { status: 200, retryAfter: '5' }, NOON, 0).state.status).toBe('delivered')
    expect(afterAttempt(delivery(), { status: 410, retryAfter: '5' }, NOON, 0).state.status).toBe('failed')
  })
})

it('[NOTE-8] while two secrets overlap, whoever has either can verify; then the new one alone', () => {
  const [older, newer, other] = ['a', 'b', 'c'].map(
    (letter) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`,
  )
  const now = Date.now()
  const webhook: Webhook = {
    id: 'whk_1',
    url: 'https://receiver.test/',
    documents: ['*'],
    events: [],
    secret: newer ?? '',
    previousSecret: { secret: older ?? '', until: now + 1_000 },
    owner: ownerOf(readerOf()),
    createdAt: now,
  }
  const verifies = (secret: string | undefined, at: number): boolean => {
    const { body, headers } = postOf(webhook, delivery(), at)
    try {
      new StandardWebhook(secret ?? '').verify(body, { ...headers })
      return true
    } catch {
      return false
    }
  }
  expect([newer, older, other].map((secret) => verifies(secret, now))).toEqual([true, true, false])
  expect([newer, older, other].map((secret) => verifies(secret, now + 1_000))).toEqual([true, false, false])
})
