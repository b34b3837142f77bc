import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startTestServer, type Answer, type Caller, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { Receiver } from '../support/webhookReceiver.ts'
import { eventually } from '../support/waitFor.ts'

const CONTENT = 'MARKED-CONTENT'
const QUERY = 'MARKED-QUERY'
const REFUSED = 'MARKED.REFUSED.TOKEN'
const WORD = /MARKED/

let server: TestServer
let anna: Caller
const lines: string[] = []
const logged = (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line))
const secrets: string[] = []

async function start(variables: Record<string, string> = {}): Promise<TestServer> {
  return startTestServer({
    variables: { PARLEY_LOG_LEVEL: 'trace', PARLEY_WEBHOOK_PRIVATE: 'true', ...variables },
    internals: { logStream: { write: (line) => lines.push(line) } },
  })
}

beforeAll(async () => {
  server = await start()
  anna = await server.as('anna')
  secrets.push(anna.token)
})
afterAll(() => server.stop())

const create = (id: string, by = anna): Promise<Answer> =>
  by.post('/documents', { id, kind: 'text', content: `${CONTENT} one` })
const lineOf = (facts: Record<string, unknown>): Promise<Record<string, unknown>> =>
  eventually(() => {
    const found = logged().find((line) => Object.entries(facts).every(([name, value]) => line[name] === value))
    if (!found) throw new Error(`no line with ${JSON.stringify(facts)}`)
    return found
  })

/** Every way a secret has: in headers, bodies, queries, over a stream and a socket. */
async function everythingSecret(): Promise<void> {
  await create('leaky')
  const lock = (await anna.post('/documents/leaky/lock', { ttlSeconds: 60 })).body.token
  const hook = (await anna.post('/conflict-notifications', { url: receiver.url, documents: ['*'] })).body.secret
  secrets.push(lock, hook)
  const held = { 'lock-token': lock }
  expect((await anna.put('/documents/leaky', { baseVersion: 1, content: `${CONTENT} two` }, held)).status).toBe(200)
  const bob = await server.as('bob')
  secrets.push(bob.token)
  expect((await bob.put('/documents/leaky', { baseVersion: 2, content: `${CONTENT} three` })).status).toBe(423)
  await anna.delete('/documents/leaky/lock', held)
  expect((await bob.put('/documents/leaky', { baseVersion: 1, content: `${CONTENT} four` })).status).toBe(409)
  await anna.put('/documents/leaky', `{"content":"${CONTENT}`)
  await anna.get(`/documents/leaky?${QUERY}=1`)
  await fetch(`${server.url}/documents/leaky`, { headers: { authorization: `Bearer ${REFUSED}` } })
  await fetch(`${server.url}/documents/leaky?token=${anna.token}`)
  await fetch(`${server.url}/documents/%ff?token=${anna.token}`)
  await fetch(`${server.url}/conflict-notifications?token=${REFUSED}`, { headers: { accept: 'text/event-stream' } })
  const stream = await fetch(`${server.url}/conflict-notifications?token=${anna.token}`, {
    headers: { accept: 'text/event-stream' },
  })
  await stream.body?.cancel()
  await liveSession({ token: anna.token, lockToken: lock })
  const refused = new StockClient(syncUrl(), 'leaky', { token: REFUSED })
  onTestFinished(() => refused.destroy())
  await lineOf({ msg: 'a live session is refused', document: 'leaky', problem: 'unauthenticated' })
}

const syncUrl = (): string => `${server.url.replace(/^http/, 'ws')}/sync`

async function liveSession(params: Record<string, string>): Promise<void> {
  const client = new StockClient(syncUrl(), 'leaky', params)
  await client.synced()
  client.text.insert(0, `${CONTENT} five `)
  await eventually(async () => expect((await anna.get('/documents/leaky')).body.content).toContain('five'))
  client.destroy()
}

let receiver: Receiver
beforeAll(async () => {
  receiver = new Receiver()
  await receiver.listen()
})
afterAll(() => receiver.close())

describe('the log', () => {
  it('[OPS-10] [AUTH-1] holds no contents, queries, tokens, lock tokens or secrets at any level', async () => {
    await everythingSecret()
    await lineOf({ msg: 'a live session is ended', document: 'leaky' })
    await lineOf({ path: '/conflict-notifications', status: 401 })
    expect(lines.length).toBeGreaterThan(12)
    const leaks = lines.filter((line) => WORD.test(line) || secrets.some((secret) => line.includes(secret)))
    expect(leaks).toEqual([])
    expect(lines.filter((line) => /[Bb]earer |eyJ[\w-]{8,}\.|whsec_/.test(line))).toEqual([])
  })

  it('[OPS-10] tells of a refused write who met which conflict where', async () => {
    await create('refused')
    await anna.put('/documents/refused', { baseVersion: 1, content: 'two' })
    const { body } = await anna.put('/documents/refused', { baseVersion: 1, content: 'other' })
    const line = await lineOf({ path: '/documents/refused', status: 409 })
    expect(line).toEqual({
      level: 30,
      time: expect.any(Number),
      pid: process.pid,
      hostname: expect.any(String),
      reqId: expect.stringMatching(/^\S+-\w+$/),
      method: 'PUT',
      route: '/documents/:id',
      path: '/documents/refused',
      status: 409,
      problem: 'version-conflict',
      document: 'refused',
      conflict: body.conflict.id,
      principal: 'anna',
      ms: expect.any(Number),
      msg: 'request',
    })
    await anna.get(`/v1/conflicts/${body.conflict.id}`)
    expect(await lineOf({ route: '/conflicts/:conflict', conflict: body.conflict.id })).toMatchObject({ level: 20 })
  })

  it('[OPS-10] tells of a live session who opened it on what, and how it ended', async () => {
    await create('lively')
    const client = new StockClient(syncUrl(), 'lively', { token: anna.token })
    await client.synced()
    expect(await lineOf({ msg: 'a live session is opened', document: 'lively' })).toMatchObject({ principal: 'anna' })
    client.destroy()
    const ended = await lineOf({ msg: 'a live session is ended', document: 'lively' })
    expect(ended).toMatchObject({ level: 30, principal: 'anna', close: expect.any(Number) })
  })

  it('[OPS-10] tells of an upgrade that was refused, without its query', async () => {
    const client = new StockClient(`${server.url.replace(/^http/, 'ws')}/nowhere`, 'x', { token: anna.token })
    onTestFinished(() => client.destroy())
    expect(await lineOf({ path: '/nowhere/x' })).toMatchObject({ method: 'GET', status: 404, problem: 'not-found' })
  })

  it('[OPS-10] tells at info of what was refused, and of nothing that was answered well', async () => {
    const quiet = await start({ PARLEY_LOG_LEVEL: 'info' })
    onTestFinished(() => quiet.stop())
    const carl = await quiet.as('carl')
    await create('calm', carl)
    await carl.get('/documents/nobody')
    await lineOf({ principal: 'carl', status: 404 })
    expect(logged().filter(({ principal }) => principal === 'carl')).toHaveLength(1)
  })

  it('[OPS-10] [OPS-5] is words where it is to be pretty, and has no line of the framework', async () => {
    const before = lines.length
    const pretty = await start({ PARLEY_LOG_FORMAT: 'pretty' })
    onTestFinished(() => pretty.stop())
    const dora = await pretty.as('dora')
    await dora.get('/documents/nobody')
    const mine = await eventually(() => {
      const found = lines.splice(before)
      if (found.length === 0) throw new Error('nothing yet')
      return found
    })
    expect(mine).toEqual([
      expect.stringMatching(
        /^\d\d:\d\d:\d\d\.\d{3} info  request  reqId=\S+  method=GET  .*status=404  .*principal=dora  ms=[\d.]+\n$/,
      ),
    ])
  })
})
