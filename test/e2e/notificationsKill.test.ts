import { join } from 'node:path'
import { EventSource } from 'eventsource'
import { describe, expect, it, type TestContext } from 'vitest'
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
import { Receiver } from '../support/webhookReceiver.ts'
import { verified } from '../support/webhookScene.ts'

const DETECTED = 'parley.conflict.detected'
/** What every message that tells of it holds, and nothing else does. */
const TELLING = `"type":"${DETECTED}"`
const PATH = '/conflict-notifications'

const HOOK = new URL('../support/killBeforeWriting.mjs', import.meta.url).href

interface Stream {
  opened: boolean
  readonly ids: string[]
  lastEventId: string
  until(condition: () => boolean): Promise<void>
}

/** A database, the servers on it one after the other, and who calls them. */
class Scene {
  readonly alice: Caller
  readonly #token: string
  readonly #folder: TemporaryFolder = temporaryFolder()
  readonly #onTestFinished: TestContext['onTestFinished']
  #running: Running | null = null

  private constructor(token: string, onTestFinished: TestContext['onTestFinished']) {
    this.#token = token
    this.#onTestFinished = onTestFinished
    this.alice = caller(() => this.#server.url, token)
    onTestFinished(() => this.#folder.dispose())
  }

  static async set({ onTestFinished }: TestContext): Promise<Scene> {
    const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
    const { token } = await issuer.issue({ sub: 'alice', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })
    return new Scene(token, onTestFinished)
  }

  get #server(): Running {
    if (this.#running === null) throw new Error('no server was started')
    return this.#running
  }

  /** The server as it is shipped; with a marker it kills itself before it would write that to a socket. */
  async start(killBeforeWriting?: string): Promise<void> {
    const running = await startProcess('--import', [HOOK, 'dist/server/main.js', 'serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: this.#file,
      PARLEY_SECRET: TEST_SECRET,
      PARLEY_PUBLIC_URL: 'https://parley.test',
      PARLEY_WEBHOOK_PRIVATE: 'true',
      PARLEY_LOG_LEVEL: 'warn',
      KILL_BEFORE_WRITING: killBeforeWriting,
    })
    this.#running = running
    this.#onTestFinished(() => void running.process.kill('SIGKILL'))
  }

  async stop(): Promise<void> {
    await this.#server.stop()
  }

  async kill(): Promise<void> {
    this.#server.process.kill('SIGKILL')
    expect(await this.died()).toBe('SIGKILL')
  }

  async died(): Promise<NodeJS.Signals | null> {
    const limit = new WaitLimit(() => 'the death of the server')
    const { process } = this.#server
    if (process.exitCode === null && process.signalCode === null) {
      await limit.race(new Promise((resolve) => process.once('exit', resolve)))
    }
    limit.end()
    return process.signalCode
  }

  async createDocument(): Promise<void> {
    expect((await this.alice.post('/documents', { id: 'notes', kind: 'text', content: 'one\n' })).status).toBe(201)
    expect((await this.alice.put('/documents/notes', { content: 'two\n', baseVersion: 1 })).status).toBe(200)
  }

  /**
   * A write that is refused, whether or not its answer comes: the server may be dead by then. Uncompressed, so that the
   * bytes at which the server dies are in the answer.
   */
  refuseAWrite(): Promise<unknown> {
    return this.alice
      .put('/documents/notes', { content: 'three\n', baseVersion: 1 }, { 'accept-encoding': 'identity' })
      .catch((error: unknown) => error)
  }

  /** What the dead server left on disk. */
  async onDisk(): Promise<{ readonly id: string; readonly pending: readonly StoredDelivery[] }> {
    const storage = await open(this.#file)
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

  subscribe(query: string): HubClient {
    const client = new HubClient(`${this.#server.url.replace(/^http/, 'ws')}${PATH}?token=${this.#token}&${query}`)
    this.#onTestFinished(() => client.socket.terminate())
    return client
  }

  /** A stock EventSource; `ids` are those of the conflicts it is told of. */
  stream(query: string): Stream {
    const source = new EventSource(`${this.#server.url}${PATH}?token=${this.#token}&${query}`)
    this.#onTestFinished(() => source.close())
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

  get #file(): string {
    return join(this.#folder.path, 'parley.db')
  }
}

const events = `documents=*&events=${DETECTED}`

// Side by side, because each waits for the starts of its servers.
describe.concurrent('kill -9 between the commit and the delivery', () => {
  it('[NOTE-1] [NOTE-2] a WebSocket that resumes is told after the restart, by the id of the commit', async (context) => {
    const scene = await Scene.set(context)
    await scene.start(TELLING)
    await scene.createDocument()
    const before = scene.subscribe(events)
    const { cursor } = await before.next('subscribed')
    await scene.refuseAWrite()
    expect(await scene.died()).toBe('SIGKILL')
    expect(before.events).toEqual([])
    const { id } = await scene.onDisk()
    for (let restart = 0; restart < 2; restart++) {
      await scene.start()
      const after = scene.subscribe(`${events}&since=${cursor}`)
      const { event } = await after.next('event')
      expect([event.id, event.type]).toEqual([id, DETECTED])
      await after.roundTrip()
      expect(after.events).toHaveLength(1)
      await scene.stop()
    }
  })

  it('[NOTE-1] [NOTE-3] an event stream that resumes likewise', async (context) => {
    const scene = await Scene.set(context)
    const { alice } = scene
    await scene.start(TELLING)
    const before = scene.stream(`documents=*&events=${DETECTED},parley.document.created`)
    await before.until(() => before.opened)
    const poll = await alice.get(PATH)
    await scene.createDocument()
    await before.until(() => before.lastEventId !== '')
    await scene.refuseAWrite()
    expect(await scene.died()).toBe('SIGKILL')
    expect(before.ids).toEqual([])
    const { id } = await scene.onDisk()
    await scene.start()
    const after = scene.stream(`${events}&since=${before.lastEventId}`)
    await after.until(() => after.ids.length > 0)
    expect(after.ids).toEqual([id])
    const polled = await alice.get(`${PATH}?since=${poll.body.cursor}&events=${DETECTED}`)
    expect(polled.body.events.map((event: { id: string }) => event.id)).toEqual([id])
  })

  it('[NOTE-1] [NOTE-5] a webhook is posted after the restart, with the id it was queued under', async (context) => {
    const scene = await Scene.set(context)
    const { alice } = scene
    const receiver = new Receiver()
    await receiver.listen()
    context.onTestFinished(() => receiver.close())
    await scene.start(TELLING)
    await scene.createDocument()
    const registered = await alice.post(PATH, { url: receiver.url, documents: ['*'], events: [DETECTED] })
    expect(registered.status).toBe(201)
    await scene.refuseAWrite()
    expect(await scene.died()).toBe('SIGKILL')
    expect(receiver.received).toEqual([])
    const { id, pending } = await scene.onDisk()
    expect(pending).toHaveLength(1)
    // It comes in the end, and dies again before it is answered for: the receiver is told twice, under one id.
    receiver.status = null
    await scene.start()
    await receiver.until(1)
    await scene.kill()
    receiver.status = 200
    await scene.start()
    await receiver.until(2)
    const bodies = receiver.received.map(({ body }) => body)
    const messages = receiver.received.map(({ headers }) => headers['webhook-id'])
    expect(new Set(messages)).toEqual(new Set([pending[0]?.message]))
    expect(bodies).toEqual([pending[0]?.body, pending[0]?.body])
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ id, type: DETECTED })
    for (const one of receiver.received) expect(verified(registered.body.secret, one)).toMatchObject({ id })
  })

  it('[NOTE-1] [NOTE-5] a webhook is posted too where the server dies as it answers the refused write', async (context) => {
    const scene = await Scene.set(context)
    const { alice } = scene
    const receiver = new Receiver()
    await receiver.listen()
    context.onTestFinished(() => receiver.close())
    await scene.start('"code":"version-conflict"')
    await scene.createDocument()
    const registered = await alice.post(PATH, { url: receiver.url, documents: ['*'], events: [DETECTED] })
    expect(registered.status).toBe(201)
    await scene.refuseAWrite()
    expect(await scene.died()).toBe('SIGKILL')
    const { id } = await scene.onDisk()
    await scene.start()
    await receiver.until(1)
    expect(receiver.received.map(({ body }) => JSON.parse(body).id)).toEqual([id])
  })
})
