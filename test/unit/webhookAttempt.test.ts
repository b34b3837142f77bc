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
const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

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

describe('the schedule of retries', () => {
  const delivery: StoredDelivery = {
    position: 1,
    message: 'msg_1',
    type: 'parley.conflict.detected',
    document: null,
    body: '{}',
    createdAt: 0,
    attempts: 0,
    firstAttemptAt: null,
    lastAttempt: null,
    state: { status: 'pending', nextAttemptAt: 0 },
  }

  it.each([0, 0.3, 0.999])('[NOTE-5] spans 3 days, from seconds to hours, with the random number %d', (random) => {
    let tried = delivery
    let now = 1_000
    const times = [now]
    for (let n = 0; n < 100; n++) {
      tried = afterAttempt(tried, { status: 500 }, now, random)
      if (tried.state.status !== 'pending') break
      now = tried.state.nextAttemptAt
      times.push(now)
    }
    expect(tried.state).toEqual({ status: 'failed', finishedAt: 1_000 + 3 * DAY_MS })
    expect(times[1]).toBeLessThanOrEqual(1_000 + 10 * SECOND_MS)
    const delays = times.slice(1).map((time, n) => time - (times[n] ?? 0))
    expect(Math.min(...delays.slice(0, -1))).toBeGreaterThanOrEqual(4 * SECOND_MS)
    expect(Math.max(...delays)).toBeLessThanOrEqual(6 * HOUR_MS)
    expect(tried.attempts).toBe(times.length)
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
