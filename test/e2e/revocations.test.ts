import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { HubClient } from '../support/hubServer.ts'
import { RawClient } from '../support/rawClient.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { WaitLimit } from '../support/waitFor.ts'

let server: TestServer
let storage: Storage
afterEach(() => server.stop())

async function start(shared: boolean): Promise<void> {
  const wrapStorage = (opened: Storage): Storage => {
    storage = opened
    return new Proxy(opened, {
      get(target, name) {
        if (name === 'shared') return shared
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  server = await startTestServer({ internals: { wrapStorage } })
}

/** One reader of each kind, all with the token of one principal; `ends` resolves once every one was ended. */
async function listen(who: Caller) {
  const socketUrl = server.url.replace(/^http/, 'ws')
  const hub = new HubClient(`${socketUrl}/conflict-notifications?documents=*&token=${encodeURIComponent(who.token)}`)
  const live = new RawClient(`${socketUrl}/sync/doc?token=${who.token}`)
  onTestFinished(() => {
    hub.socket.terminate()
    live.socket.terminate()
  })
  await hub.next('subscribed')
  await live.frame('sync-step-1')
  const stream = await fetch(`${server.url}/conflict-notifications`, {
    headers: { authorization: `Bearer ${who.token}`, accept: 'text/event-stream' },
  })
  const poll = who.get('/conflict-notifications?waitSeconds=60')
  const ends = async () => {
    const limit = new WaitLimit(() => 'every reader to be ended')
    const all = Promise.all([hub.ended(), live.closed, stream.text(), poll])
    const ended = await limit.race(all)
    limit.end()
    return ended
  }
  return { hub, live, ends }
}

async function expectEnded(ends: ReturnType<Awaited<ReturnType<typeof listen>>['ends']>): Promise<void> {
  const [hub, live, stream, poll] = await ends
  expect(hub).toEqual({ code: 4401, reason: 'unauthenticated' })
  expect(live).toEqual({ code: 4401, reason: 'the token was revoked' })
  expect(stream).not.toContain('parley.document.created')
  expect(poll).toMatchObject({ status: 200, body: { events: [] } })
}

describe('a revocation', () => {
  it('[NOTE-7] [SYNC-8] [AUTH-3] ends what its principal reads and edits at once, and nobody else', async () => {
    await start(false)
    const root = await server.as('root', { '*': ['admin'] })
    const victim = await listen(await server.as('victim'))
    const other = await listen(await server.as('other'))
    expect((await root.post('/revocations', { sub: 'victim' })).status).toBe(201)
    expect((await root.post('/documents', { id: 'later', kind: 'text' })).status).toBe(201)
    await expectEnded(victim.ends())
    await other.hub.until(() => other.hub.events.some((frame) => frame.event.subject === 'documents/later'))
    expect(other.live.isClosed).toBe(false)
  })

  it('[NOTE-7] [SYNC-8] by another node that shares the database does so too', async () => {
    await start(true)
    const victim = await listen(await server.as('victim'))
    const other = await listen(await server.as('other'))
    const until = Math.ceil(systemEnvironment.now() / 1000)
    await storage.revoke({ subject: { sub: toPrincipalId('victim') }, until })
    await expectEnded(victim.ends())
    await other.hub.roundTrip()
    expect(other.live.isClosed).toBe(false)
  })
})
