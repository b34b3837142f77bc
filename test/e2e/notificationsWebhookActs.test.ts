import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Answer } from '../support/server.ts'
import { WaitLimit } from '../support/waitFor.ts'
import type { Receiver } from '../support/webhookReceiver.ts'
import { listening, verified, webhookServer, WEBHOOKS_PATH } from '../support/webhookScene.ts'

const server = webhookServer()
const alice = server.caller('alice')
const bob = server.caller('bob')
const root = server.caller('root', { '*': ['admin'] })
let receiver: Receiver
beforeEach(async () => {
  receiver = await listening()
})

let count = 0
async function createDocument(prefix: string): Promise<string> {
  const id = `${prefix}-${++count}`
  expect((await alice.post('/documents', { id, kind: 'text', content: 'a' })).status).toBe(201)
  return id
}
async function registered(
  documents: string[],
  more: Record<string, unknown> = {},
): Promise<{ id: string; secret: string }> {
  const { status, body } = await alice.post(WEBHOOKS_PATH, { url: receiver.url, documents, ...more })
  expect(status).toBe(201)
  // One principal may have twenty.
  onTestFinished(async () => void (await alice.delete(`${WEBHOOKS_PATH}/${body.id}`)))
  return body
}
const verdict = ({ status, body }: Answer): unknown[] => [status, body.code]
const typesAt = ({ received }: Receiver): string[] => received.map(({ body }) => JSON.parse(body).type)

/** Waits until storage says so of the newest delivery. */
async function newest(id: string, status: string): Promise<Answer['body']> {
  const limit = new WaitLimit(() => `the newest delivery to be ${status}`)
  for (;;) {
    const [delivery] = (await limit.race(alice.get(`${WEBHOOKS_PATH}/${id}/deliveries?limit=1`))).body.items
    if (delivery?.status === status) {
      limit.end()
      return delivery
    }
  }
}

function verifies(secret: string, { received }: Receiver, at = -1): boolean {
  try {
    verified(secret, received.at(at) ?? { body: '', headers: {} })
    return true
  } catch {
    return false
  }
}

describe('[NOTE-8] a test message', () => {
  it('is posted as any other, and is a CloudEvent', async () => {
    const { id, secret } = await registered(['none'])
    const asked = await alice.post(`${WEBHOOKS_PATH}/${id}/test`, undefined)
    expect(asked.status).toBe(202)
    expect(asked.body).toMatchObject({ type: 'parley.webhook.test', status: 'pending', document: null })
    await receiver.until(1)
    expect(receiver.received[0]?.headers['webhook-id']).toBe(asked.body.id)
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      type: 'parley.webhook.test',
      data: { webhook: id },
    })
    expect(verifies(secret, receiver)).toBe(true)
    expect(await newest(id, 'delivered')).toMatchObject({ id: asked.body.id, attempts: 1 })
  })

  it('is asked for by the owner and by admin alone', async () => {
    const { id } = await registered(['none'])
    expect(verdict(await bob.post(`${WEBHOOKS_PATH}/${id}/test`, undefined))).toEqual([404, 'not-found'])
    expect((await root.post(`${WEBHOOKS_PATH}/${id}/test`, undefined)).status).toBe(202)
    await receiver.until(1)
  })
})

describe('[NOTE-8] a delivery is sent again', () => {
  it('under its own id, although it was taken', async () => {
    const { id } = await registered(['again*'])
    const document = await createDocument('again')
    await receiver.until(1)
    const { id: message } = await newest(id, 'delivered')
    const asked = await alice.post(`${WEBHOOKS_PATH}/${id}/deliveries/${message}/resend`, undefined)
    expect(asked.status).toBe(202)
    expect(asked.body).toMatchObject({ id: message, status: 'pending', document })
    await receiver.until(2)
    const [first, second] = receiver.received
    expect([second?.headers['webhook-id'], second?.body]).toEqual([message, first?.body])
    expect(await newest(id, 'delivered')).toMatchObject({ id: message, attempts: 1 })
  })

  it('at once, where it waits for its next try', async () => {
    const { id } = await registered(['late*'])
    receiver.status = 503
    receiver.answerHeaders = { 'retry-after': '3600' }
    await createDocument('late')
    await receiver.until(1)
    const limit = new WaitLimit(() => 'the try to be noted')
    let waiting = await limit.race(newest(id, 'pending'))
    while (waiting.attempts === 0) waiting = await limit.race(newest(id, 'pending'))
    limit.end()
    const inMs = Date.parse(waiting.nextAttemptAt) - Date.parse(waiting.lastAttemptAt)
    expect(inMs).toBe(3_600_000)
    receiver.status = 200
    expect((await alice.post(`${WEBHOOKS_PATH}/${id}/deliveries/${waiting.id}/resend`, undefined)).status).toBe(202)
    await receiver.until(2)
    expect(await newest(id, 'delivered')).toMatchObject({ id: waiting.id })
  })

  it('not of others, and not what there is not', async () => {
    const { id } = await registered(['mine*'])
    await createDocument('mine')
    await receiver.until(1)
    const { id: message } = await newest(id, 'delivered')
    expect(verdict(await bob.post(`${WEBHOOKS_PATH}/${id}/deliveries/${message}/resend`, undefined))).toEqual([
      404,
      'not-found',
    ])
    expect(verdict(await alice.post(`${WEBHOOKS_PATH}/${id}/deliveries/msg_none/resend`, undefined))).toEqual([
      404,
      'not-found',
    ])
    expect(verdict(await alice.post(`${WEBHOOKS_PATH}/nonsense/deliveries/x/resend`, undefined))).toEqual([
      400,
      'invalid-request',
    ])
  })

  it('not of a document that was purged', async () => {
    const { id } = await registered(['purged*'])
    const document = await createDocument('purged')
    await receiver.until(1)
    const { id: message } = await newest(id, 'delivered')
    expect((await root.delete(`/documents/${document}?purge=true&baseVersion=1`)).status).toBe(204)
    expect(verdict(await alice.post(`${WEBHOOKS_PATH}/${id}/deliveries/${message}/resend`, undefined))).toEqual([
      404,
      'not-found',
    ])
  })
})

describe('[NOTE-8] the secret', () => {
  it('is rotated: for a while posts are signed by both, then by the new one', async () => {
    const { id, secret } = await registered(['none'])
    const rotated = await alice.post(`${WEBHOOKS_PATH}/${id}/secret`, { overlapSeconds: 3_600 })
    expect(rotated.status).toBe(200)
    expect(rotated.headers.get('cache-control')).toBe('no-store')
    expect(rotated.body.secret).toMatch(/^whsec_/)
    expect(rotated.body.secret).not.toBe(secret)
    expect(Date.parse(rotated.body.previousSecretUntil)).toBeGreaterThan(Date.now() + 3_500_000)
    await alice.post(`${WEBHOOKS_PATH}/${id}/test`, undefined)
    await receiver.until(1)
    expect([verifies(secret, receiver), verifies(rotated.body.secret, receiver)]).toEqual([true, true])

    const last = (await alice.post(`${WEBHOOKS_PATH}/${id}/secret`, { overlapSeconds: 0 })).body
    expect(last.previousSecretUntil).toBeNull()
    await alice.post(`${WEBHOOKS_PATH}/${id}/test`, undefined)
    await receiver.until(2)
    const known = [secret, rotated.body.secret, last.secret].map((one) => verifies(one, receiver))
    expect(known).toEqual([false, false, true])
    expect((await alice.get(`${WEBHOOKS_PATH}/${id}`)).body).not.toHaveProperty('secret')
  })

  it('survives a restart, is no part of a stored answer, and is told again to a repeat', async () => {
    const { id, secret } = await registered(['none'])
    const key = { 'idempotency-key': `rotate-${id}` }
    const first = await alice.post(`${WEBHOOKS_PATH}/${id}/secret`, {}, key)
    await server.restart()
    const again = await alice.post(`${WEBHOOKS_PATH}/${id}/secret`, {}, key)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    await alice.post(`${WEBHOOKS_PATH}/${id}/test`, undefined)
    await receiver.until(1)
    expect([verifies(secret, receiver), verifies(first.body.secret, receiver)]).toEqual([true, true])
  })

  it.each([{ overlapSeconds: -1 }, { overlapSeconds: 604_801 }, { overlapSeconds: '5' }, { other: 1 }])(
    'is not rotated by %j',
    async (body) => {
      const { id } = await registered(['none'])
      expect((await alice.post(`${WEBHOOKS_PATH}/${id}/secret`, body)).status).toBe(400)
    },
  )
})

describe('[NOTE-8] a webhook is changed', () => {
  it('to another URL, where what waits is told as well', async () => {
    const { id } = await registered(['moved*'])
    receiver.status = 500
    await createDocument('moved')
    await receiver.until(1)
    const other = await listening()
    const changed = await alice.patch(`${WEBHOOKS_PATH}/${id}`, { url: other.url })
    expect(changed.status).toBe(200)
    expect(changed.body).toMatchObject({ id, url: other.url, documents: ['moved*'], status: 'active' })
    await createDocument('moved')
    await other.until(2)
    expect(receiver.received).toHaveLength(1)
  })

  it('in what it asks for: nothing of before is told, and nothing of after is missed', async () => {
    const { id } = await registered(['old*'])
    await createDocument('new')
    const changed = await alice.patch(`${WEBHOOKS_PATH}/${id}`, {
      documents: ['new*'],
      events: ['parley.document.created'],
    })
    expect(changed.body).toMatchObject({ documents: ['new*'], events: ['parley.document.created'] })
    await createDocument('old')
    const told = await createDocument('new')
    await alice.delete(`/documents/${told}?baseVersion=1`)
    const last = await createDocument('new')
    await receiver.until(2)
    expect(receiver.documents).toEqual([told, last])
    await newest(id, 'delivered')
    await server.restart()
    const after = await createDocument('new')
    await receiver.until(3)
    expect(receiver.documents).toEqual([told, last, after])
  })

  it('to another URL, and so works again where its receiver was gone; what came meanwhile is told', async () => {
    const { id } = await registered(['gone*'])
    receiver.status = 410
    await createDocument('gone')
    const limit = new WaitLimit(() => 'the webhook to be disabled')
    while ((await limit.race(alice.get(`${WEBHOOKS_PATH}/${id}`))).body.status !== 'disabled');
    limit.end()
    expect(verdict(await alice.post(`${WEBHOOKS_PATH}/${id}/test`, undefined))).toEqual([409, 'webhook-disabled'])
    const meanwhile = await createDocument('gone')
    expect((await alice.patch(`${WEBHOOKS_PATH}/${id}`, { documents: ['gone*'] })).body.status).toBe('disabled')
    const other = await listening()
    expect((await alice.patch(`${WEBHOOKS_PATH}/${id}`, { url: other.url })).body).toMatchObject({
      status: 'active',
      disabledAt: null,
    })
    const after = await createDocument('gone')
    await other.until(2)
    expect(other.documents).toEqual([meanwhile, after])
  })

  it.each([
    [{}, 400],
    [{ url: 'ftp://receiver.test/' }, 400],
    [{ documents: [] }, 400],
    [{ events: ['nothing'] }, 400],
    [{ secret: 'mine' }, 400],
  ])('not by %j', async (body, status) => {
    const { id } = await registered(['none'])
    expect((await alice.patch(`${WEBHOOKS_PATH}/${id}`, body)).status).toBe(status)
  })

  it('by nobody else, and to nothing that its owner may not read, whoever changes it', async () => {
    const carol = await server.as('carol', { 'team:*': ['read'] })
    const { id } = (await carol.post(WEBHOOKS_PATH, { url: receiver.url, documents: ['team:*'] })).body
    expect(verdict(await bob.patch(`${WEBHOOKS_PATH}/${id}`, { documents: ['*'] }))).toEqual([404, 'not-found'])
    expect(verdict(await root.patch(`${WEBHOOKS_PATH}/${id}`, { documents: ['secret'] }))).toEqual([404, 'not-found'])
    expect((await root.patch(`${WEBHOOKS_PATH}/${id}`, { documents: ['*'] })).status).toBe(200)
    await createDocument('secret')
    await alice.post('/documents', { id: 'team:told', kind: 'text' })
    await receiver.until(1)
    expect(receiver.documents).toEqual(['team:told'])
  })
})

it('[NOTE-8] Retry-After of a receiver is kept to', async () => {
  const { id } = await registered(['none'])
  receiver.status = 429
  receiver.answerHeaders = { 'retry-after': '1' }
  await alice.post(`${WEBHOOKS_PATH}/${id}/test`, undefined)
  await receiver.until(1)
  receiver.status = 200
  await receiver.until(2)
  expect(typesAt(receiver)).toEqual(['parley.webhook.test', 'parley.webhook.test'])
})
