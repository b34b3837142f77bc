import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startTestServer, type Answer } from '../support/server.ts'
import { WaitLimit } from '../support/waitFor.ts'
import type { Receiver, Received } from '../support/webhookReceiver.ts'
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
async function createDocument(prefix = 'doc', by = alice): Promise<string> {
  const id = `${prefix}-${++count}`
  expect((await by.post('/documents', { id, kind: 'text', content: 'a' })).status).toBe(201)
  return id
}
const register = (more: Record<string, unknown> = {}, by = alice): Promise<Answer> =>
  by.post(WEBHOOKS_PATH, { url: receiver.url, documents: ['*'], ...more })
const verdict = ({ status, body }: Answer): unknown[] => [status, body.code]

describe('webhooks over HTTP', () => {
  it('[NOTE-5] a webhook is registered, told by Standard Webhooks, and shows its secret once', async () => {
    const documents = ['hook*', 'hook-none']
    const registered = await register({ documents, events: ['parley.document.created'] })
    expect(registered.status).toBe(201)
    const { id, secret } = registered.body
    expect(id).toMatch(/^whk_[0-9A-Z]{26}$/)
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(registered.body).toMatchObject({ url: receiver.url, documents, events: ['parley.document.created'] })
    expect(registered.headers.get('location')).toBe(`${WEBHOOKS_PATH}/${id}`)
    expect(registered.headers.get('cache-control')).toBe('no-store')
    await createDocument('other')
    const document = await createDocument('hook')
    expect((await alice.call('DELETE', `/documents/${document}?baseVersion=1`)).status).toBe(204)
    const second = await createDocument('hook')
    await receiver.until(2)
    expect(receiver.documents).toEqual([document, second])
    const [first] = receiver.received as [Received]
    expect(verified(secret, first)).toMatchObject({ type: 'parley.document.created' })
    const shown = await alice.get(`${WEBHOOKS_PATH}/${id}`)
    expect(shown.body).toMatchObject({ id, url: receiver.url, documents, owner: 'alice', status: 'active' })
    expect(JSON.stringify((await alice.get(`${WEBHOOKS_PATH}/webhooks`)).body)).not.toContain('whsec_')
    expect(shown.body).not.toHaveProperty('secret')
  })

  it('[NOTE-5] shows what happened, newest first and page by page', async () => {
    const { id } = (await register({ documents: ['log*'] })).body
    for (let n = 1; n <= 3; n++) {
      receiver.status = n === 3 ? 410 : 200
      await createDocument('log')
      await receiver.until(n)
    }
    // The receiver has its answer before what became of it is on disk.
    const limit = new WaitLimit(() => 'the webhook to be disabled')
    while ((await limit.race(alice.get(`${WEBHOOKS_PATH}/${id}`))).body.status !== 'disabled');
    limit.end()
    expect((await alice.get(`${WEBHOOKS_PATH}/${id}`)).body).toMatchObject({ disabledReason: 'gone' })
    const first = await alice.get(`${WEBHOOKS_PATH}/${id}/deliveries?limit=2`)
    expect(first.body.items).toMatchObject([
      { status: 'failed', attempts: 1, lastStatus: 410, type: 'parley.document.created', nextAttemptAt: null },
      { status: 'delivered', attempts: 1, lastStatus: 200, lastError: null },
    ])
    expect(first.body.items[0].id).toBe(receiver.received[2]?.headers['webhook-id'])
    const rest = await alice.get(`${WEBHOOKS_PATH}/${id}/deliveries?cursor=${first.body.nextCursor}`)
    expect(rest.body.items).toHaveLength(1)
    expect(rest.body).not.toHaveProperty('nextCursor')
    expect(verdict(await alice.get(`${WEBHOOKS_PATH}/${id}/deliveries?cursor=nonsense`))).toEqual([
      400,
      'invalid-cursor',
    ])
    expect(verdict(await alice.get(`${WEBHOOKS_PATH}/${id}/deliveries?limit=0`))).toEqual([400, 'invalid-request'])
  })

  it('[NOTE-5] a receiver that fails is told again within 10 s, with the same id and a new timestamp', async () => {
    await register({ documents: ['again*'] })
    receiver.status = 500
    await createDocument('again')
    await receiver.until(1)
    receiver.status = 200
    await receiver.until(2)
    const [first, second] = receiver.received.map(({ headers }) => headers)
    expect(second?.['webhook-id']).toBe(first?.['webhook-id'])
    expect(second?.['webhook-signature']).not.toBe(first?.['webhook-signature'])
  })

  it('[NOTE-5] what happened while the receiver and then the server were down comes after a restart', async () => {
    await register({ documents: ['down*'] })
    await receiver.close()
    const ids = [await createDocument('down'), await createDocument('down')]
    await server.restart()
    await receiver.listen()
    await receiver.until(2)
    expect(receiver.documents.toSorted()).toEqual(ids.toSorted())
  })

  it('[NOTE-5] a receiver that hangs keeps neither others nor the stop of the server waiting', async () => {
    const other = await startTestServer({ variables: { PARLEY_WEBHOOK_PRIVATE: 'true' } })
    onTestFinished(() => other.stop())
    const writer = await other.as('alice')
    const stuck = await listening()
    stuck.status = null
    for (const { url } of [stuck, receiver]) await writer.post(WEBHOOKS_PATH, { url, documents: ['*'] })
    for (let n = 0; n < 5; n++) await createDocument('stuck', writer)
    await stuck.until(1)
    await receiver.until(5)
    const limit = new WaitLimit(() => 'the stop', 5_000)
    await limit.race(other.stop())
    limit.end()
  })

  it('[NOTE-5] only its owner and admin see it', async () => {
    const { id } = (await register()).body
    for (const path of [`${WEBHOOKS_PATH}/${id}`, `${WEBHOOKS_PATH}/${id}/deliveries`]) {
      expect(verdict(await bob.get(path)), path).toEqual([404, 'not-found'])
      expect((await root.get(path)).status, path).toBe(200)
      expect((await alice.get(`/v1${path}`)).status, path).toBe(200)
      expect((await fetch(server.url + path)).status, path).toBe(401)
    }
    expect(verdict(await bob.delete(`${WEBHOOKS_PATH}/${id}`))).toEqual([404, 'not-found'])
    const ids = ({ body }: Answer): string[] => body.items.map((item: { id: string }) => item.id)
    expect(ids(await bob.get(`${WEBHOOKS_PATH}/webhooks`))).toEqual([])
    expect(ids(await root.get(`${WEBHOOKS_PATH}/webhooks`))).toEqual([])
    expect(ids(await alice.get(`${WEBHOOKS_PATH}/webhooks?limit=500`))).toContain(id)
    expect((await alice.delete(`${WEBHOOKS_PATH}/${id}`)).status).toBe(204)
    expect(verdict(await alice.delete(`${WEBHOOKS_PATH}/${id}`))).toEqual([404, 'not-found'])
    await createDocument()
    const marker = await register({ documents: ['marker*'] })
    expect(marker.status).toBe(201)
    const document = await createDocument('marker')
    await receiver.until(1)
    expect(receiver.documents).toEqual([document])
  })

  it('[API-5] lists page by page', async () => {
    const carol = await server.as('carol')
    const made: string[] = []
    for (let n = 0; n < 3; n++) made.push((await register({}, carol)).body.id)
    const first = await carol.get(`${WEBHOOKS_PATH}/webhooks?limit=2`)
    const rest = await carol.get(`${WEBHOOKS_PATH}/webhooks?limit=2&cursor=${first.body.nextCursor}`)
    const ids = [...first.body.items, ...rest.body.items].map((item: { id: string }) => item.id)
    expect(ids).toEqual(made.toSorted())
    expect(rest.body).not.toHaveProperty('nextCursor')
  })

  it('[NOTE-5] [NOTE-7] tells only of what its owner may read, until that is revoked', async () => {
    const dave = await server.as('dave', { 'open*': ['read'] })
    const { id } = (await register({}, dave)).body
    await createDocument('closed')
    const document = await createDocument('open')
    await receiver.until(1)
    expect(receiver.documents).toEqual([document])
    expect((await root.post('/revocations', { sub: 'dave' })).status).toBe(201)
    await createDocument('open')
    expect((await root.get(`${WEBHOOKS_PATH}/${id}`)).body).toMatchObject({
      status: 'disabled',
      disabledReason: 'revoked',
    })
    await server.restart()
    expect((await root.get(`${WEBHOOKS_PATH}/${id}`)).body.disabledReason).toBe('revoked')
    expect(receiver.received).toHaveLength(1)
  })

  it('[NOTE-5] [API-4] what is wrong with a registration is refused', async () => {
    expect((await fetch(server.url + WEBHOOKS_PATH, { method: 'POST' })).status).toBe(401)
    const invalid: Record<string, unknown>[] = [
      ...['receiver.test', 'ftp://receiver.test', 'http://u:p@receiver.test', 'http://receiver.test/#a', '', 1].map(
        (url) => ({ url }),
      ),
      ...[[], ['a b'], '*', [1], undefined].map((documents) => ({ documents })),
      ...[[], ['changed'], 'parley.document.created'].map((events) => ({ events })),
      { since: 'x' },
      { url: `http://receiver.test/${'x'.repeat(2_048)}` },
    ]
    for (const more of invalid) {
      expect(verdict(await register(more)), JSON.stringify(more)).toEqual([400, 'invalid-request'])
    }
    const limited = await server.as('erin', { 'open*': ['read'] })
    expect(verdict(await register({ documents: ['closed-1'] }, limited))).toEqual([404, 'not-found'])
    expect((await register({ documents: ['closed*', 'open-1'] }, limited)).status).toBe(201)
    expect(verdict(await alice.get(`${WEBHOOKS_PATH}/whk_1`))).toEqual([400, 'invalid-request'])
    expect(verdict(await alice.get(`${WEBHOOKS_PATH}/whk_${'0'.repeat(26)}`))).toEqual([404, 'not-found'])
    expect((await alice.put(`${WEBHOOKS_PATH}/whk_${'0'.repeat(26)}`, {})).headers.get('allow')).toMatch(/DELETE/)
  })
})

it('[NOTE-5] private and loopback addresses are refused unless PARLEY_WEBHOOK_PRIVATE is true', async () => {
  const strict = await startTestServer()
  onTestFinished(() => strict.stop())
  const caller = await strict.as('alice')
  const { port } = new URL(receiver.url)
  const hosts = [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:10.0.0.1]',
    '10.0.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0',
  ]
  for (const host of hosts) {
    const refused = await caller.post(WEBHOOKS_PATH, { url: `http://${host}:${port}/hook`, documents: ['*'] })
    expect(verdict(refused), host).toEqual([422, 'address-refused'])
  }
  expect((await caller.get(`${WEBHOOKS_PATH}/webhooks`)).body).toEqual({ items: [] })
  expect((await caller.post(WEBHOOKS_PATH, { url: 'https://receiver.test/hook', documents: ['*'] })).status).toBe(201)
})
