import { join } from 'node:path'
import { EventSource } from 'eventsource'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toSequence } from '../../server/foundation/ids.ts'
import { formatCursor } from '../../server/notifications/envelope.ts'
import type { StoredDelivery } from '../../server/model/webhook.ts'
import { HubClient } from '../support/hubServer.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Caller } from '../support/server.ts'
import { open, temporaryFolder, type TemporaryFolder } from '../support/storageSqlite.ts'
import { WaitLimit } from '../support/waitFor.ts'
import { Receiver, type Received } from '../support/webhookReceiver.ts'

const DETECTED = 'parley.conflict.detected'
/** What every message that tells of it holds, and nothing else does. */
const TELLING = `"type":"${DETECTED}"`
const PATH = '/conflict-notifications'

let folder: TemporaryFolder
let running: Running
let alice: Caller
beforeEach(async () => {
  folder = temporaryFolder()
  const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
  const { token } = await issuer.issue({ sub: 'alice', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })
  alice = caller(() => running.url, token)
})
afterEach(() => folder.dispose())

const HOOK = new URL('../support/killBeforeWriting.mjs', import.meta.url).href

/** The server as it is shipped; with a marker it kills itself before it would write that to a socket. */
async function start(killBeforeWriting?: string): Promise<void> {
  running = await startProcess('--import', [HOOK, 'dist/server/main.js', 'serve'], {
    PARLEY_PORT: '0',
    PARLEY_DATABASE: join(folder.path, 'parley.db'),
    PARLEY_SECRET: TEST_SECRET,
    PARLEY_PUBLIC_URL: 'https://parley.test',
    PARLEY_WEBHOOK_PRIVATE: 'true',
    PARLEY_LOG_LEVEL: 'warn',
    KILL_BEFORE_WRITING: killBeforeWriting,
  })
  const { process } = running
  onTestFinished(() => void process.kill('SIGKILL'))
}

const died = async (): Promise<NodeJS.Signals | null> => {
  const limit = new WaitLimit(() => 'the death of the server')
  const { process } = running
  if (process.exitCode === null && process.signalCode === null) {
    await limit.race(new Promise((resolve) => process.once('exit', resolve)))
  }
  limit.end()
  return process.signalCode
}

async function createDocument(): Promise<void> {
  expect((await alice.post('/documents', { id: 'notes', kind: 'text', content: 'one\n' })).status).toBe(201)
  expect((await alice.put('/documents/notes', { content: 'two\n', baseVersion: 1 })).status).toBe(200)
}

/** A write that is refused, whether or not its answer comes: the server may be dead by then. */
/** Uncompressed, so that the bytes at which the server dies are in the answer. */
const refuseAWrite = (): Promise<unknown> =>
  alice
    .put('/documents/notes', { content: 'three\n', baseVersion: 1 }, { 'accept-encoding': 'identity' })
    .catch((error: unknown) => error)

/** What the dead server left on disk. */
async function onDisk(): Promise<{ readonly id: string; readonly pending: readonly StoredDelivery[] }> {
  const storage = await open(join(folder.path, 'parley.db'))
  try {
    const detected = (await storage.events(toSequence(0), 100)).filter((event) => event.type === DETECTED)
    expect(detected).toHaveLength(1)
    const sequence = detected[0]?.sequence ?? toSequence(0)
    const mark = await storage.eventMark(sequence)
    const [webhook] = await storage.webhooks()
    return {
      id: formatCursor(storage.epoch, { sequence, mark, told: null, change: null }),
      pending: webhook ? await storage.pendingDeliveries(webhook.webhook.id) : [],
    }
  } finally {
    await storage.close()
  }
}

function subscribe(query: string): HubClient {
  const client = new HubClient(`${running.url.replace(/^http/, 'ws')}${PATH}?token=${alice.token}&${query}`)
  onTestFinished(() => client.socket.terminate())
  return client
}

interface Stream {
  opened: boolean
  readonly ids: string[]
  lastEventId: string
  until(condition: () => boolean): Promise<void>
}

/** A stock EventSource; `ids` are those of the conflicts it is told of. */
function stream(query: string): Stream {
  const source = new EventSource(`${running.url}${PATH}?token=${alice.token}&${query}`)
  onTestFinished(() => source.close())
  let changed: () => void = () => undefined
  source.addEventListener('open', () => {
    told.opened = true
    changed()
  })
  const told: Stream = {
    opened: false,
    ids: [],
    lastEventId: '',
    async until(condition) {
      const limit = new WaitLimit(() => 'the stream')
      while (!condition()) await limit.race(new Promise<void>((resolve) => (changed = resolve)))
      limit.end()
    },
  }
  for (const type of [DETECTED, 'parley.document.created']) {
    source.addEventListener(type, ({ lastEventId }) => {
      if (type === DETECTED) told.ids.push(lastEventId)
      told.lastEventId = lastEventId
      changed()
    })
  }
  return told
}

const events = `documents=*&events=${DETECTED}`

describe('kill -9 between the commit and the delivery', { timeout: 60_000 }, () => {
  it('[NOTE-1] [NOTE-2] a WebSocket that resumes is told after the restart, by the id of the commit', async () => {
    await start(TELLING)
    await createDocument()
    const before = subscribe(events)
    const { cursor } = await before.next('subscribed')
    await refuseAWrite()
    expect(await died()).toBe('SIGKILL')
    expect(before.events).toEqual([])
    const { id } = await onDisk()
    for (let restart = 0; restart < 2; restart++) {
      await start()
      const after = subscribe(`${events}&since=${cursor}`)
      const { event } = await after.next('event')
      expect([event.id, event.type]).toEqual([id, DETECTED])
      await after.roundTrip()
      expect(after.events).toHaveLength(1)
      await running.stop()
    }
  })

  it('[NOTE-1] [NOTE-3] an event stream that resumes likewise', async () => {
    await start(TELLING)
    const before = stream(`documents=*&events=${DETECTED},parley.document.created`)
    await before.until(() => before.opened)
    const poll = await alice.get(PATH)
    await createDocument()
    await before.until(() => before.lastEventId !== '')
    await refuseAWrite()
    expect(await died()).toBe('SIGKILL')
    expect(before.ids).toEqual([])
    const { id } = await onDisk()
    await start()
    const after = stream(`${events}&since=${before.lastEventId}`)
    await after.until(() => after.ids.length > 0)
    expect(after.ids).toEqual([id])
    const polled = await alice.get(`${PATH}?since=${poll.body.cursor}&events=${DETECTED}`)
    expect(polled.body.events.map((event: { id: string }) => event.id)).toEqual([id])
  })

  it('[NOTE-1] [NOTE-5] a webhook is posted after the restart, with the id it was queued under', async () => {
    const receiver = new Receiver()
    await receiver.listen()
    onTestFinished(() => receiver.close())
    await start(TELLING)
    await createDocument()
    const registered = await alice.post(PATH, { url: receiver.url, documents: ['*'], events: [DETECTED] })
    expect(registered.status).toBe(201)
    await refuseAWrite()
    expect(await died()).toBe('SIGKILL')
    expect(receiver.received).toEqual([])
    const { id, pending } = await onDisk()
    expect(pending).toHaveLength(1)
    // It comes in the end, and dies again before it is answered for: the receiver is told twice, under one id.
    receiver.status = null
    await start()
    await receiver.until(1)
    running.process.kill('SIGKILL')
    expect(await died()).toBe('SIGKILL')
    receiver.status = 200
    await start()
    await receiver.until(2)
    const bodies = receiver.received.map(({ body }) => body)
    const messages = receiver.received.map(({ headers }) => headers['webhook-id'])
    expect(new Set(messages)).toEqual(new Set([pending[0]?.message]))
    expect(bodies).toEqual([pending[0]?.body, pending[0]?.body])
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ id, type: DETECTED })
    for (const one of receiver.received) expect(verified(registered.body.secret, one)).toMatchObject({ id })
  })

  it('[NOTE-1] [NOTE-5] a webhook is posted too where the server dies as it answers the refused write', async () => {
    const receiver = new Receiver()
    await receiver.listen()
    onTestFinished(() => receiver.close())
    await start('"code":"version-conflict"')
    await createDocument()
    const registered = await alice.post(PATH, { url: receiver.url, documents: ['*'], events: [DETECTED] })
    expect(registered.status).toBe(201)
    await refuseAWrite()
    expect(await died()).toBe('SIGKILL')
    const { id } = await onDisk()
    await start()
    await receiver.until(1)
    expect(receiver.received.map(({ body }) => JSON.parse(body).id)).toEqual([id])
  })
})

function verified(secret: string, { headers, body }: Received): unknown {
  const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  return new StandardWebhook(secret).verify(body, flat)
}
