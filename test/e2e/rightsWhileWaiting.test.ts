import { request as httpRequest } from 'node:http'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { HubClient } from '../support/hubServer.ts'
import { RawClient } from '../support/rawClient.ts'
import { caller, startTestServer, TEST_SECRET, type Caller, type TestServer } from '../support/server.ts'
import { Receiver } from '../support/webhookReceiver.ts'
import { eventually } from '../support/waitFor.ts'

const ALL = { '*': ['read', 'write', 'resolve'] } as const
/** Long enough to begin waiting before, on a loaded machine. */
const SHORT_SECONDS = 3
const LONG_SECONDS = 600

let server: TestServer
let root: Caller
beforeAll(async () => {
  server = await startTestServer({ variables: { PARLEY_WEBHOOK_PRIVATE: 'true' } })
  root = await server.as('root', { '*': ['admin'] })
})
afterAll(() => server.stop())

let names = 0
const name = (what: string): string => `${what}-${(names += 1)}`

const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
async function withToken(sub: string, ttlSeconds: number): Promise<Caller> {
  return caller(() => server.url, (await issuer.issue({ sub, access: ALL, ttlSeconds })).token)
}

async function document(): Promise<string> {
  const id = name('doc')
  expect((await root.post('/documents', { id, kind: 'text', content: 'one' })).status).toBe(201)
  return id
}

interface Ending {
  readonly how: string
  readonly ttlSeconds: number
  /** The right of whoever waits ends. */
  readonly end: (who: Caller) => Promise<unknown>
}

const ENDINGS: readonly Ending[] = [
  { how: 'expired', ttlSeconds: SHORT_SECONDS, end: async () => undefined },
  {
    how: 'was revoked with its sub',
    ttlSeconds: LONG_SECONDS,
    end: (who) => root.post('/revocations', { sub: decodeJwt(who.token).sub }),
  },
  {
    how: 'was revoked by its jti',
    ttlSeconds: LONG_SECONDS,
    end: (who) => root.post('/revocations', { jti: decodeJwt(who.token).jti }),
  },
]

// Side by side, because each waits for a token to run out.
describe.concurrent.each(ENDINGS)('[SYNC-8] who waits while their token $how', ({ how, ttlSeconds, end }) => {
  const somebody = (): Promise<Caller> => withToken(name('somebody'), ttlSeconds)

  it('[SYNC-8] [LOCK-1] in the line of a lock gets 401, and never the lock', async () => {
    const id = await document()
    const who = await somebody()
    const held = await root.post(`/documents/${id}/lock`, { ttlSeconds: 60 })
    const next = await withToken(name('next'), LONG_SECONDS)
    const waiting = who.post(`/documents/${id}/lock`, { ttlSeconds: 60, waitSeconds: 60 })
    const behind = next.post(`/documents/${id}/lock`, { ttlSeconds: 60, waitSeconds: 60 })
    const ending = end(who)
    const refused = await waiting
    expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated'])
    await root.delete(`/documents/${id}/lock`, { 'lock-token': held.body.token })
    expect(await behind).toMatchObject({ status: 201, body: { owner: decodeJwt(next.token).sub } })
    await ending
  })

  it('[SYNC-8] with a body on its way gets 401 before the rest of it came, and nothing is written', async ({
    onTestFinished,
  }) => {
    const id = await document()
    const who = await somebody()
    const body = JSON.stringify({ content: 'two', baseVersion: 1 })
    const request = httpRequest(`${server.url}/documents/${id}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${who.token}`,
        'content-type': 'application/json',
        'content-length': body.length,
        expect: '100-continue',
      },
    })
    onTestFinished(() => void request.destroy())
    const closed = new Promise((resolve) => request.once('close', resolve))
    const answered = new Promise<number>((resolve, reject) => {
      request.once('error', reject)
      request.once('response', (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
    })
    request.flushHeaders()
    await new Promise<void>((resolve) => request.once('continue', resolve))
    request.write(body.slice(0, 10))
    const ending = end(who)
    expect(await answered).toBe(401)
    request.on('error', () => undefined)
    await closed
    expect((await root.get(`/documents/${id}`)).body).toMatchObject({ content: 'one', version: 1 })
    await ending
  })

  it('[SYNC-8] [NOTE-7] in a long poll is answered with what there is, and told nothing more', async () => {
    const who = await somebody()
    const id = await document()
    const { cursor } = (await who.get(`/conflict-notifications?documents=${id}`)).body
    const waiting = who.get(`/conflict-notifications?documents=${id}&since=${cursor}&waitSeconds=60`)
    const ending = end(who)
    expect(await waiting).toMatchObject({ status: 200, body: { events: [] } })
    expect((await who.get(`/conflict-notifications?documents=${id}&since=${cursor}`)).status).toBe(401)
    await ending
  })

  it('[SYNC-8] [NOTE-7] as a reader of a stream, a notification socket or an editor is closed', async ({
    onTestFinished,
  }) => {
    const who = await somebody()
    const id = await document()
    const socketUrl = server.url.replace(/^http/, 'ws')
    const hub = new HubClient(`${socketUrl}/conflict-notifications?documents=*&token=${who.token}`)
    const live = new RawClient(`${socketUrl}/sync/${id}?token=${who.token}`)
    onTestFinished(() => {
      hub.socket.terminate()
      live.socket.terminate()
    })
    const stream = await fetch(`${server.url}/conflict-notifications?documents=${id}`, {
      headers: { authorization: `Bearer ${who.token}`, accept: 'text/event-stream' },
    })
    await hub.next('welcome')
    await live.frame('sync-step-1')
    const ending = end(who)
    expect((await hub.ended()).code).toBe(4401)
    expect((await live.closed).code).toBe(4401)
    expect(await stream.text()).not.toContain('event: parley.')
    await ending
  })

  it('[SYNC-8] [TX-2] with a staged transaction keeps it only where the token ran out and another is there', async () => {
    const id = await document()
    const sub = name('stager')
    const who = await withToken(sub, ttlSeconds)
    const operations = [{ action: 'put', document: id, baseVersion: 1, content: 'two' }]
    const staged = await who.post('/transactions', { operations })
    expect(staged.status).toBe(201)
    await end(who)
    await eventually(async () => expect((await who.get(`/transactions/${staged.body.id}`)).status).toBe(401))
    const issued = await root.post('/tokens', { sub, access: ALL, ttlSeconds: LONG_SECONDS })
    const again = caller(() => server.url, issued.body.token)
    const committed = await again.post(`/transactions/${staged.body.id}/commit`, undefined)
    if (how === 'expired') expect(committed.status).toBe(200)
    else expect(committed).toMatchObject({ status: 409, body: { transactionStatus: 'rolled-back' } })
    expect((await root.get(`/documents/${id}`)).body.content).toBe(how === 'expired' ? 'two' : 'one')
  })

  it('[SYNC-8] [NOTE-5] for deliveries to a webhook has them until the token is revoked', async ({
    onTestFinished,
  }) => {
    const receiver = new Receiver()
    await receiver.listen()
    onTestFinished(() => receiver.close())
    const id = name('hooked')
    const who = await somebody()
    const hook = await who.post('/conflict-notifications', { url: receiver.url, documents: [id] })
    expect(hook.status).toBe(201)
    await end(who)
    await eventually(async () => expect((await who.get('/documents/none')).status).toBe(401))
    expect((await root.post('/documents', { id, kind: 'text' })).status).toBe(201)
    if (how === 'expired') await receiver.until(1)
    else {
      const shown = await root.get(`/conflict-notifications/${hook.body.id}`)
      expect(shown.body).toMatchObject({ status: 'disabled', disabledReason: 'revoked' })
      expect((await root.get(`/conflict-notifications/${hook.body.id}/deliveries`)).body.items).toEqual([])
    }
  })
})

describe('[SYNC-8] an act that waits for its document', () => {
  let held: Promise<void> | null = null
  let slow: TestServer
  const waits = new Set(['read', 'head', 'snapshot', 'entries'])
  beforeAll(async () => {
    slow = await startTestServer({
      internals: {
        wrapStorage: (storage) =>
          new Proxy(storage, {
            get(target, method) {
              const value: unknown = Reflect.get(target, method)
              if (typeof value !== 'function') return value
              if (!waits.has(String(method))) return value.bind(target)
              return async (...parameters: unknown[]) => {
                await held
                return Reflect.apply(value, target, parameters)
              }
            },
          }),
      },
    })
  })
  afterAll(() => slow.stop())

  it.each([
    ['a write', undefined],
    ['a write with an Idempotency-Key', { 'idempotency-key': 'a-key-of-somebody' }],
  ])('[SYNC-8] is not done where the token was revoked meanwhile: %s', async (_what, headers) => {
    const admin = await slow.as('root', { '*': ['admin'] })
    const who = await slow.as(name('writer'))
    const id = name('cold')
    await admin.post('/documents', { id, kind: 'text', content: 'one' })
    await slow.restart()
    let letGo = (): void => undefined
    held = new Promise((resolve) => (letGo = resolve))
    const writing = who.put(`/documents/${id}`, { baseVersion: 1, content: 'two' }, headers)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await admin.post('/revocations', { jti: decodeJwt(who.token).jti })).status).toBe(201)
    letGo()
    held = null
    expect(await writing).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect((await admin.get(`/documents/${id}`)).body).toMatchObject({ version: 1, content: 'one' })
  })
})

describe('[OPS-9] a token of sixty days', () => {
  it('[OPS-9] [SYNC-8] ends nothing before its time, wherever its bearer waits', async ({ onTestFinished }) => {
    const who = await withToken(name('patient'), 60 * 24 * 3600)
    const id = await document()
    const socketUrl = server.url.replace(/^http/, 'ws')
    const hub = new HubClient(`${socketUrl}/conflict-notifications?documents=${id}&token=${who.token}`)
    const live = new RawClient(`${socketUrl}/sync/${id}?token=${who.token}`)
    onTestFinished(() => {
      hub.socket.terminate()
      live.socket.terminate()
    })
    await hub.next('subscribed')
    await live.frame('sync-step-1')
    const { cursor } = (await who.get(`/conflict-notifications?documents=${id}`)).body
    const poll = who.get(`/conflict-notifications?documents=${id}&since=${cursor}&waitSeconds=60`)
    const held = await root.post(`/documents/${id}/lock`, { ttlSeconds: 60 })
    expect((await poll).body.events).toHaveLength(1)
    const waiting = who.post(`/documents/${id}/lock`, { ttlSeconds: 60, waitSeconds: 60 })
    await hub.roundTrip()
    await root.delete(`/documents/${id}/lock`, { 'lock-token': held.body.token })
    expect((await waiting).status).toBe(201)
    expect([hub.closed, live.isClosed]).toEqual([null, false])
  })
})
