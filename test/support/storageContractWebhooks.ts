import { expect, it, onTestFinished } from 'vitest'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { invariant } from '../../server/foundation/assert.ts'
import type { Delivery, Webhook, WebhookId } from '../../server/model/webhook.ts'
import type { CreateFixture, SharedFixture } from './storageFixture.ts'
import { newDocumentId, NOON } from './storageSamples.ts'

let count = 0

function newWebhook(): Webhook {
  return {
    id: `whk_${++count}`,
    url: 'https://receiver.test/hook?é=1',
    documents: ['team:*', 'one'],
    events: ['parley.conflict.detected', 'parley.document.changed'],
    secret: 'whsec_c2VjcmV0',
    owner: {
      sub: toPrincipalId('alice'),
      name: null,
      access: { 'team:*': ['read'], '*': ['write', 'admin'], one: [] },
      issuedAt: 5,
      expiresAt: 6,
      tokenId: 'a token',
    },
    createdAt: NOON,
  }
}

const newDelivery = (n: number, more: Partial<Delivery> = {}): Delivery => ({
  message: `msg_${n}`,
  type: 'parley.conflict.detected',
  document: newDocumentId(),
  body: `{"n":${n}}`,
  createdAt: NOON + n,
  attempts: 0,
  firstAttemptAt: null,
  lastAttempt: null,
  state: { status: 'pending', nextAttemptAt: NOON },
  ...more,
})

export function describeWebhooks(shared: SharedFixture, create: CreateFixture): void {
  const find = async (id: WebhookId) => {
    const { storage } = shared()
    const found = (await storage.webhooks()).find(({ webhook }) => webhook.id === id)
    expect(await storage.webhook(id)).toEqual(found ?? null)
    return found
  }

  it('[NOTE-5] a webhook and its pending deliveries are there after it was closed and opened again', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const webhook = newWebhook()
    await fixture.storage.addWebhook(webhook, 'first')
    const queued = await fixture.storage.queueDeliveries(webhook.id, 'second', [newDelivery(1), newDelivery(2)])
    const [first] = queued
    invariant(first !== undefined, 'it was queued')
    const tried: typeof first = {
      ...first,
      attempts: 1,
      firstAttemptAt: NOON,
      lastAttempt: { at: NOON, status: 500, error: 'no' },
      state: { status: 'pending', nextAttemptAt: NOON + 5 },
    }
    await fixture.storage.updateDelivery(webhook.id, tried, 10)
    await fixture.reopen()
    expect(await fixture.storage.webhooks()).toEqual([{ webhook, cursor: 'second', disabled: null }])
    expect(await fixture.storage.pendingDeliveries(webhook.id)).toEqual([tried, queued[1]])
  })

  it('deliveries are kept in the order they were queued in, apart for each webhook', async () => {
    const { storage } = shared()
    const [one, other] = [newWebhook(), newWebhook()]
    await Promise.all([storage.addWebhook(one, ''), storage.addWebhook(other, '')])
    const queued = await Promise.all([
      storage.queueDeliveries(one.id, 'a', [newDelivery(1), newDelivery(2)]),
      storage.queueDeliveries(other.id, 'b', [newDelivery(3)]),
      storage.queueDeliveries(one.id, 'c', []),
      storage.queueDeliveries(one.id, 'd', [newDelivery(4)]),
    ])
    const ofOne = [...(queued[0] ?? []), ...(queued[3] ?? [])]
    expect(queued.flat().map(({ message }) => message)).toEqual(['msg_1', 'msg_2', 'msg_3', 'msg_4'])
    expect(new Set(queued.flat().map(({ position }) => position)).size).toBe(4)
    expect(await storage.pendingDeliveries(one.id)).toEqual(ofOne)
    expect(await storage.pendingDeliveries(other.id)).toEqual(queued[1])
    expect((await find(one.id))?.cursor).toBe('d')
    const newest = await storage.deliveries(one.id, { before: null, limit: 2 })
    expect(newest).toEqual(ofOne.toReversed().slice(0, 2))
    expect(await storage.deliveries(one.id, { before: newest[1]?.position ?? 0, limit: 2 })).toEqual([ofOne[0]])
  })

  it('only so many finished deliveries are kept, and every pending one', async () => {
    const { storage } = shared()
    const webhook = newWebhook()
    await storage.addWebhook(webhook, '')
    const queued = await storage.queueDeliveries(
      webhook.id,
      '',
      [1, 2, 3, 4, 5, 6].map((n) => newDelivery(n)),
    )
    for (const delivery of queued.slice(1, 5)) {
      await storage.updateDelivery(webhook.id, { ...delivery, state: { status: 'delivered', finishedAt: NOON } }, 2)
    }
    const kept = await storage.deliveries(webhook.id, { before: null, limit: 10 })
    expect(kept.map(({ message }) => message)).toEqual(['msg_6', 'msg_5', 'msg_4', 'msg_1'])
    expect((await storage.pendingDeliveries(webhook.id)).map(({ message }) => message)).toEqual(['msg_1', 'msg_6'])
  })

  it('a webhook that is disabled keeps what happened, and nothing more is queued', async () => {
    const { storage } = shared()
    const webhook = newWebhook()
    await storage.addWebhook(webhook, 'begin')
    const [first] = await storage.queueDeliveries(webhook.id, 'then', [newDelivery(1), newDelivery(2)])
    invariant(first !== undefined, 'it was queued')
    await storage.updateDelivery(webhook.id, { ...first, state: { status: 'failed', finishedAt: NOON } }, 10)
    await storage.disableWebhook(webhook.id, NOON, 'gone')
    await storage.disableWebhook(webhook.id, NOON + 1, 'revoked')
    expect(await storage.queueDeliveries(webhook.id, 'later', [newDelivery(3)])).toEqual([])
    expect(await find(webhook.id)).toEqual({ webhook, cursor: 'then', disabled: { at: NOON, reason: 'gone' } })
    expect(await storage.pendingDeliveries(webhook.id)).toEqual([])
    const kept = await storage.deliveries(webhook.id, { before: null, limit: 10 })
    expect(kept.map(({ message }) => message)).toEqual(['msg_1'])
  })

  it('[NOTE-8] a webhook is changed, but for its cursor, and works again where that is asked for', async () => {
    const { storage } = shared()
    const webhook = newWebhook()
    await storage.addWebhook(webhook, 'begin')
    await storage.queueDeliveries(webhook.id, 'then', [newDelivery(9)])
    const changed = { ...webhook, url: 'https://other.test/', previousSecret: { secret: 'whsec_x', until: NOON } }
    await storage.updateWebhook(changed, false)
    expect(await find(webhook.id)).toEqual({ webhook: changed, cursor: 'then', disabled: null })
    await storage.disableWebhook(webhook.id, NOON, 'gone')
    await storage.updateWebhook(webhook, false)
    expect(await find(webhook.id)).toMatchObject({ webhook, disabled: { reason: 'gone' } })
    await storage.updateWebhook(webhook, true)
    expect(await find(webhook.id)).toEqual({ webhook, cursor: 'then', disabled: null })
    expect((await storage.pendingDeliveries(webhook.id)).map(({ message }) => message)).toEqual(['msg_9'])
    expect(await storage.queueDeliveries(webhook.id, 'on', [newDelivery(1)])).toHaveLength(1)
  })

  it('[NOTE-8] a delivery is found by its message, of its own webhook alone', async () => {
    const { storage } = shared()
    const [one, other] = [newWebhook(), newWebhook()]
    await Promise.all([storage.addWebhook(one, ''), storage.addWebhook(other, '')])
    const [queued] = await storage.queueDeliveries(one.id, '', [newDelivery(1), newDelivery(2)])
    expect(await storage.delivery(one.id, 'msg_1')).toEqual(queued)
    expect(await storage.delivery(one.id, 'msg_3')).toBeNull()
    expect(await storage.delivery(other.id, 'msg_1')).toBeNull()
  })

  it('a webhook that is deleted takes its deliveries along', async () => {
    const { storage } = shared()
    const [webhook, other] = [newWebhook(), newWebhook()]
    await Promise.all([storage.addWebhook(webhook, ''), storage.addWebhook(other, '')])
    const [first] = await storage.queueDeliveries(webhook.id, '', [newDelivery(1)])
    await storage.queueDeliveries(other.id, '', [newDelivery(2)])
    invariant(first !== undefined, 'it was queued')
    await storage.deleteWebhook(webhook.id)
    expect(await storage.queueDeliveries(webhook.id, '', [newDelivery(3)])).toEqual([])
    await storage.updateDelivery(webhook.id, first, 10)
    expect(await find(webhook.id)).toBeUndefined()
    expect(await storage.deliveries(webhook.id, { before: null, limit: 10 })).toEqual([])
    expect(await storage.pendingDeliveries(other.id)).toHaveLength(1)
  })
}
