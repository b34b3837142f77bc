import { invariant } from '../../server/foundation/assert.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { Feed } from '../../server/notifications/feed.ts'
import type { StoredDelivery, Webhook, WebhookId } from '../../server/model/webhook.ts'
import { Webhooks, type Registration } from '../../server/notifications/webhooks.ts'
import type { Post, PostOutcome } from '../../server/notifications/webhooksSender.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { anEvent } from './fakeFeed.ts'
import { ManualEnvironment, settled } from './manualEnvironment.ts'
import { readerOf } from './readers.ts'
import { newAct } from './storageSamples.ts'
import { open, temporaryFolder, type TemporaryFolder } from './storageSqlite.ts'

export const SECOND_MS = 1_000
export const HOUR_MS = 3_600 * SECOND_MS
export const DAY_MS = 24 * HOUR_MS

/** The type of what the test commits. */
export const NOTED = anEvent('a').type

export const alice = readerOf()

export interface Posted {
  readonly at: number
  readonly url: string
  readonly id: string
  readonly document: string
  readonly note: string
  readonly post: Post
}

// Of the test at hand, since `setUp`.
export let environment: ManualEnvironment
export let storage: Storage
export let webhooks: Webhooks
/** How many writes of deliveries the disk still refuses. */
export let failures: number
let folder: TemporaryFolder
let feed: Feed

export const posts: Posted[] = []
export const revoked = new Set<string>()
export const unexpected: unknown[] = []
/** Where all is posted to. */
export const receiver: { answer: (posted: Posted, signal: AbortSignal) => PostOutcome | Promise<PostOutcome> } = {
  answer: () => ({ status: 200 }),
}

/** Webhooks over a storage in a file, with a clock that obeys the test and a receiver that takes everything. */
export async function setUp(): Promise<void> {
  environment = new ManualEnvironment(Date.now())
  folder = temporaryFolder()
  posts.length = 0
  receiver.answer = () => ({ status: 200 })
  revoked.clear()
  unexpected.length = 0
  failures = 0
  await start()
}

export async function tearDown(): Promise<void> {
  await stop()
  folder.dispose()
}

/** The disk refuses so many writes of deliveries, from now on. */
export function failNext(count: number): void {
  failures = count
}

async function start(): Promise<void> {
  storage = await open(`${folder.path}/parley.db`)
  feed = await Feed.open({ storage, environment, source: () => 'https://parley.test' })
  const failing = <T>(write: () => Promise<T>): Promise<T> => {
    if (failures === 0) return write()
    failures -= 1
    return Promise.reject(new ParleyError('storage-unavailable', 'The disk is full, says the test.'))
  }
  const { queueDeliveries, updateDelivery } = storage
  storage.queueDeliveries = (...parameters) => failing(() => queueDeliveries.apply(storage, parameters))
  storage.updateDelivery = (...parameters) => failing(() => updateDelivery.apply(storage, parameters))
  webhooks = new Webhooks({
    storage,
    environment,
    feed,
    send: async (post, signal) => {
      const body = JSON.parse(post.body)
      const { document = '', note = '' } = body.data ?? {}
      const posted = {
        at: environment.now(),
        url: post.url,
        id: post.headers['webhook-id'] ?? '',
        document,
        note,
        post,
      }
      posts.push(posted)
      return receiver.answer(posted, signal)
    },
    allowPrivate: false,
    isRevoked: (principal) => revoked.has(principal.sub),
    onUnexpected: (error) => unexpected.push(error),
  })
  await webhooks.start()
}

async function stop(): Promise<void> {
  webhooks.stop()
  feed.close()
  await storage.close()
}

export async function restart(whileDown: () => Promise<unknown> = async () => undefined): Promise<void> {
  await stop()
  storage = await open(`${folder.path}/parley.db`)
  await whileDown()
  await storage.close()
  await start()
}

export const register = (more: Partial<Registration> = {}, principal = alice): Promise<Webhook> =>
  webhooks.register(principal, { url: 'https://receiver.test/hook', documents: ['*'], ...more })

export const commit = (...events: [document: string, note: string][]): Promise<unknown> =>
  storage.commit(newAct({ at: environment.now(), events: events.map(([document, note]) => anEvent(document, note)) }))

/** Moves the clock in steps, and lets the disk do its work after each. */
export async function pass(ms: number, stepMs = Math.max(1, ms / 200)): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await environment.advance(Math.min(stepMs, ms - passed))
    for (let turn = 0; turn < 6; turn++) await settled()
  }
}

export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    invariant(turn < 20_000, `in vain for ${String(condition)} with ${posts.length} posts`)
    await environment.advance(0)
  }
}

export const notes = (of = posts): string[] => of.map(({ note }) => note)
export const hanging = (signal: AbortSignal): Promise<PostOutcome> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve({ error: 'stopped' })))
export const logOf = (id: WebhookId): Promise<readonly StoredDelivery[]> =>
  webhooks.deliveries(id, alice, { before: null, limit: 1_000 })
