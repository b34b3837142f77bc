import { Webhook as StandardWebhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Principal } from '../../server/access/access.ts'
import { nextVersion, parsePattern, trustedDocumentId } from '../../server/foundation/ids.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { CHANGED, DELETED } from '../../server/model/event.ts'
import { Feed } from '../../server/notifications/feed.ts'
import type { StoredDelivery, Webhook, WebhookId } from '../../server/model/webhook.ts'
import { afterAttempt } from '../../server/notifications/webhookAttempt.ts'
import { ownerOf, principalOf } from '../../server/notifications/webhookOwner.ts'
import { Webhooks, type Registration } from '../../server/notifications/webhooks.ts'
import type { Post, PostOutcome } from '../../server/notifications/webhooksSender.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { anEvent } from '../support/fakeFeed.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { actOf, after, appendTo, commitAll, newAct, newHead } from '../support/storageSamples.ts'
import { open, temporaryFolder, type TemporaryFolder } from '../support/storageSqlite.ts'
import { readerOf } from '../support/readers.ts'

const SECOND_MS = 1_000
const HOUR_MS = 3_600 * SECOND_MS
const DAY_MS = 24 * HOUR_MS

/** The type of what the test commits. */
const NOTED = anEvent('a').type

const alice = readerOf()

interface Posted {
  readonly at: number
  readonly url: string
  readonly id: string
  readonly document: string
  readonly note: string
  readonly post: Post
}

let environment: ManualEnvironment
let folder: TemporaryFolder
let storage: Storage
let feed: Feed
let webhooks: Webhooks
let posts: Posted[]
let answer: (posted: Posted, signal: AbortSignal) => PostOutcome | Promise<PostOutcome>
let revoked: Set<string>
let unexpected: unknown[]
let failures: number

beforeEach(async () => {
  environment = new ManualEnvironment(Date.now())
  folder = temporaryFolder()
  posts = []
  answer = () => ({ status: 200 })
  revoked = new Set()
  unexpected = []
  failures = 0
  await start()
})
afterEach(async () => {
  await stop()
  folder.dispose()
})

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
      return answer(posted, signal)
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

async function restart(whileDown: () => Promise<unknown> = async () => undefined): Promise<void> {
  await stop()
  storage = await open(`${folder.path}/parley.db`)
  await whileDown()
  await storage.close()
  await start()
}

const register = (more: Partial<Registration> = {}, principal = alice): Promise<Webhook> =>
  webhooks.register(principal, { url: 'https://receiver.test/hook', documents: ['*'], ...more })

const commit = (...events: [document: string, note: string][]): Promise<unknown> =>
  storage.commit(newAct({ at: environment.now(), events: events.map(([document, note]) => anEvent(document, note)) }))

/** Moves the clock in steps, and lets the disk do its work after each. */
async function pass(ms: number, stepMs = Math.max(1, ms / 200)): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await environment.advance(Math.min(stepMs, ms - passed))
    for (let turn = 0; turn < 6; turn++) await settled()
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    invariant(turn < 20_000, `in vain for ${String(condition)} with ${posts.length} posts`)
    await environment.advance(0)
  }
}

const notes = (of = posts): string[] => of.map(({ note }) => note)
const hanging = (signal: AbortSignal): Promise<PostOutcome> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve({ error: 'stopped' })))
const logOf = (id: WebhookId): Promise<readonly StoredDelivery[]> =>
  webhooks.deliveries(id, alice, { before: null, limit: 1_000 })

describe('deliveries of a webhook', () => {
  it('[NOTE-5] are signed as Standard Webhooks has it, and hold the whole event', async () => {
    const { secret } = await register()
    await commit(['a', 'é"\n'])
    await until(() => posts.length === 1)
    const { post } = posts[0] ?? {}
    invariant(post !== undefined, 'it was posted')
    const event = new StandardWebhook(secret).verify(post.body, post.headers)
    expect(event).toMatchObject({ specversion: '1.0', type: 'parley.conflict.detected', data: { note: 'é"\n' } })
    expect(() => new StandardWebhook(`whsec_${btoa('x'.repeat(32))}`).verify(post.body, post.headers)).toThrow()
    expect(post.headers['Content-Type']).toBe('application/json')
  })

  it('[NOTE-5] an hour of 500s loses and doubles nothing, and keeps each id', async () => {
    const { id } = await register()
    answer = () => ({ status: 500 })
    await commit(['a', '1'], ['a', '2'])
    await pass(HOUR_MS, 5 * SECOND_MS)
    await commit(['a', '3'])
    expect(new Set(notes())).toEqual(new Set(['1']))
    expect(new Set(posts.map((post) => post.id)).size).toBe(1)
    const delays = posts.slice(1).map(({ at }, n) => at - (posts[n]?.at ?? 0))
    expect(delays.length).toBeGreaterThanOrEqual(4)
    expect(delays[0]).toBeLessThanOrEqual(10 * SECOND_MS)
    for (const [n, delay] of delays.slice(1).entries()) expect(delay).toBeGreaterThan(delays[n] ?? 0)
    expect((await logOf(id)).at(-1)).toMatchObject({ attempts: posts.length, lastAttempt: { status: 500 } })
    posts = []
    answer = () => ({ status: 204 })
    await pass(3 * HOUR_MS, 60 * SECOND_MS)
    expect(notes()).toEqual(['1', '2', '3'])
    expect((await logOf(id)).map(({ state }) => state.status)).toEqual(['delivered', 'delivered', 'delivered'])
  })

  it('[NOTE-5] wait behind the one of their document that is retried, and not behind those of others', async () => {
    await register()
    let broken = true
    answer = ({ document }) => ({ status: document === 'a' && broken ? 503 : 200 })
    await commit(['a', 'a1'], ['b', 'b1'], ['a', 'a2'], ['b', 'b2'])
    await until(() => notes().includes('b2'))
    expect(notes()).not.toContain('a2')
    broken = false
    await pass(10 * SECOND_MS)
    expect(notes().slice(-2)).toEqual(['a1', 'a2'])
    expect(notes().filter((note) => note.startsWith('b'))).toEqual(['b1', 'b2'])
  })

  it('[NOTE-5] to a receiver that hangs delay no other receiver, and are only so many at a time', async () => {
    await register({ url: 'https://stuck.test/' })
    await register({ url: 'https://quick.test/' })
    answer = ({ url }, signal) => (url.includes('stuck') ? hanging(signal) : { status: 200 })
    const documents = Array.from({ length: 50 }, (_, n) => `doc${n}`)
    for (const document of documents) await commit([document, document])
    const to = (name: string): Posted[] => posts.filter(({ url }) => url.includes(name))
    await until(() => to('quick').length === 50)
    expect(notes(to('quick')).toSorted()).toEqual(documents.toSorted())
    expect(to('stuck').length).toBeLessThanOrEqual(8)
    expect(to('stuck').length).toBeGreaterThan(0)
  })

  it('[NOTE-5] end for good when the receiver answers 410, over a restart too', async () => {
    const { id } = await register()
    answer = () => ({ status: 410 })
    await commit(['a', '1'], ['a', '2'])
    await until(() => webhooks.find(id, alice).disabled !== null)
    expect(webhooks.find(id, alice).disabled).toEqual({ at: environment.now(), reason: 'gone' })
    answer = () => ({ status: 200 })
    await commit(['a', '3'])
    await pass(HOUR_MS)
    await restart()
    await commit(['a', '4'])
    await pass(HOUR_MS)
    expect(notes()).toEqual(['1'])
    expect(webhooks.find(id, alice).disabled?.reason).toBe('gone')
    expect((await logOf(id)).map(({ state }) => state.status)).toEqual(['pending', 'failed'])
  })

  it('[NOTE-5] a redirect is a failure like any other', async () => {
    const { id } = await register()
    answer = () => ({ status: 302 })
    await commit(['a', '1'])
    await pass(10 * SECOND_MS)
    expect(new Set(posts.map(({ url }) => url))).toEqual(new Set(['https://receiver.test/hook']))
    expect(posts.length).toBe(2)
    expect((await logOf(id))[0]?.lastAttempt?.error).toBe('Redirects are not followed.')
  })

  it('[NOTE-5] go on after a restart where they were: same ids, same order, nothing lost or doubled', async () => {
    const { id } = await register()
    answer = ({ document }) => ({ status: document === 'a' ? 500 : 200 })
    await commit(['a', 'a1'], ['b', 'b1'], ['a', 'a2'])
    await until(() => posts.length >= 2)
    const [before] = posts.filter(({ note }) => note === 'a1')
    await pass(SECOND_MS)
    posts = []
    await restart(() => commit(['a', 'a3'], ['b', 'b2']))
    await until(() => notes().includes('b2'))
    expect(notes()).toEqual(['b2'])
    answer = () => ({ status: 200 })
    await pass(10 * SECOND_MS)
    expect(notes()).toEqual(['b2', 'a1', 'a2', 'a3'])
    expect(posts[1]?.id).toBe(before?.id)
    expect((await logOf(id)).find(({ message }) => message === before?.id)?.attempts).toBe(2)
  })

  it('[NOTE-5] a post under way when the server stops is made again, with the same id', async () => {
    await register()
    answer = (_posted, signal) => hanging(signal)
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    answer = () => ({ status: 200 })
    await restart()
    await until(() => posts.length === 2)
    expect(posts[1]?.id).toBe(posts[0]?.id)
    await pass(HOUR_MS)
    expect(posts.length).toBe(2)
  })

  it('[NOTE-5] are given up after 3 days, and the next one of the document has its turn', async () => {
    const { id } = await register()
    answer = ({ note }) => (note === '1' ? { error: 'No answer came in time.' } : { status: 200 })
    await commit(['a', '1'], ['a', '2'])
    await pass(3 * DAY_MS - HOUR_MS, 10 * 60 * SECOND_MS)
    expect(notes()).not.toContain('2')
    await pass(2 * HOUR_MS, 10 * 60 * SECOND_MS)
    expect(notes().at(-1)).toBe('2')
    const [second, first] = await logOf(id)
    expect([first?.state.status, second?.state.status]).toEqual(['failed', 'delivered'])
    expect(first?.attempts).toBeGreaterThan(10)
    expect(first?.attempts).toBeLessThan(40)
  })

  it('[NOTE-5] have the rights of the registering token, also when it has expired, until its sub is revoked', async () => {
    const soon = environment.now() / 1_000 + 60
    const { id } = await register({}, readerOf({ patterns: 'team:*', expiresAt: soon }))
    await pass(2 * 60 * SECOND_MS)
    await commit(['team:a', '1'], ['secret', 'x'])
    await until(() => posts.length === 1)
    answer = () => ({ status: 500 })
    await commit(['team:a', '2'])
    await until(() => posts.length === 2)
    revoked.add('alice')
    webhooks.revalidate()
    await commit(['team:a', '3'])
    await pass(HOUR_MS)
    expect(notes()).toEqual(['1', '2'])
    expect(webhooks.find(id, alice).disabled?.reason).toBe('revoked')
  })

  it('[NOTE-5] nothing is posted after a revocation that was made while the server was down', async () => {
    const { id } = await register()
    revoked.add('alice')
    await restart(() => commit(['a', '1']))
    await pass(HOUR_MS)
    expect(posts).toEqual([])
    expect(webhooks.find(id, alice).disabled?.reason).toBe('revoked')
  })

  describe('of a document that is purged', () => {
    const notesAfter = async (ms: number): Promise<string[]> => {
      posts = []
      await pass(ms)
      return notes()
    }
    /** Its deletion is told by an event of the same act. */
    async function purge(name: string): Promise<void> {
      const head = newHead(trustedDocumentId(name))
      const deleted = after(head, { deletedAt: environment.now() })
      const event = { ...anEvent(name, 'deleted'), type: DELETED }
      await commitAll(
        storage,
        actOf(appendTo(head)),
        newAct({
          appends: [appendTo(deleted, { origin: 'delete' })],
          events: [event],
          purges: [{ ...deleted, firstVersion: nextVersion(deleted.version) }],
        }),
      )
    }

    it('[HIST-5] no retry tells of it, and its deletion need not wait for one', async () => {
      const { id } = await register()
      answer = ({ document }) => ({ status: document === 'a' ? 500 : 200 })
      await commit(['a', 'a1'], ['a', 'a2'], ['b', 'b1'])
      await pass(60 * SECOND_MS)
      expect(notes()).toContain('a1')
      answer = () => ({ status: 200 })
      await purge('a')
      expect(await notesAfter(DAY_MS)).toEqual(['deleted'])
      expect((await logOf(id)).map(({ document, type }) => `${document} ${type}`)).toEqual([
        `a ${DELETED}`,
        'b parley.conflict.detected',
      ])
      await commit(['a', 'anew'])
      expect(await notesAfter(SECOND_MS)).toEqual(['anew'])
    })

    it('[HIST-5] what is being posted at that moment is not posted again', async () => {
      await register()
      let fail: (outcome: PostOutcome) => void = () => undefined
      answer = ({ note }) => (note === 'a1' ? new Promise((resolve) => (fail = resolve)) : { status: 200 })
      await commit(['a', 'a1'], ['a', 'a2'])
      await until(() => posts.length === 1)
      await purge('a')
      await pass(SECOND_MS)
      expect(notes()).toEqual(['a1'])
      fail({ status: 500 })
      expect(await notesAfter(DAY_MS)).toEqual(['deleted'])
    })

    it('[HIST-5] what waits for a disk that is full is never queued', async () => {
      const { id } = await register()
      await pass(SECOND_MS)
      failures = 3
      await commit(['a', 'a1'])
      await pass(SECOND_MS / 2)
      await purge('a')
      expect(await notesAfter(60 * SECOND_MS)).toEqual(['deleted'])
      expect(await logOf(id)).toHaveLength(1)
    })
  })

  it('[NOTE-6] more than may wait stays in the feed, and comes whole and in order', async () => {
    await register()
    let down = true
    answer = () => ({ status: down ? 500 : 200 })
    const all = Array.from({ length: 1_600 }, (_, n) => String(n))
    for (let n = 0; n < 1_600; n += 100)
      await commit(...all.slice(n, n + 100).map((note): [string, string] => ['a', note]))
    await pass(60 * SECOND_MS)
    const [{ webhook } = { webhook: null }] = await storage.webhooks()
    invariant(webhook !== null, 'it is stored')
    expect((await storage.pendingDeliveries(webhook.id)).length).toBeLessThanOrEqual(1_100)
    down = false
    posts = []
    await pass(300 * SECOND_MS)
    await until(() => posts.length >= all.length)
    await pass(SECOND_MS)
    expect(notes()).toEqual(all)
    expect(await storage.pendingDeliveries(webhook.id)).toEqual([])
  })

  it('[NOTE-5] a disk that refuses for a while delays them, and nothing more', async () => {
    await register()
    failures = 3
    await commit(['a', '1'])
    await commit(['a', '2'])
    expect(posts).toEqual([])
    await pass(20 * SECOND_MS)
    expect(notes()).toEqual(['1', '2'])
    expect(failures).toBe(0)
    failures = 2
    await commit(['a', '3'])
    await pass(20 * SECOND_MS)
    expect(notes()).toEqual(['1', '2', '3'])
    expect(unexpected).toEqual([])
  })

  it('what was missed and is kept no longer is told as one resync', async () => {
    await register()
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    await pass(SECOND_MS)
    await restart(async () => {
      await commit(['a', '2'], ['a', '3'])
      await storage.pruneEvents(environment.now() + DAY_MS)
    })
    await until(() => posts.length === 2)
    await commit(['a', '4'])
    await until(() => posts.length === 3)
    expect(JSON.parse(posts[1]?.post.body ?? '')).toEqual({ type: 'resync', cursor: expect.any(String) })
    expect(notes()).toEqual(['1', '', '4'])
  })

  it('the cursor of one that nothing is for moves on, so that it never becomes too old', async () => {
    await register({ documents: ['mine'] })
    await commit(['others', '1'], ['others', '2'])
    await pass(2 * HOUR_MS)
    await restart(async () => {
      await storage.pruneEvents(environment.now() + DAY_MS)
      await commit(['mine', '3'])
    })
    await until(() => posts.length === 1)
    expect(notes()).toEqual(['3'])
  })

  it('only the newest that are finished are kept', async () => {
    const { id } = await register()
    for (let n = 0; n < 300; n += 50) {
      await commit(...Array.from({ length: 50 }, (_, i): [string, string] => [`doc${i}`, String(n + i)]))
    }
    await until(() => posts.length === 300)
    await pass(SECOND_MS)
    const log = await logOf(id)
    expect(log).toHaveLength(200)
    expect(new Set(log.map(({ state }) => state.status))).toEqual(new Set(['delivered']))
  })
})

describe('[NOTE-8] what is asked of a webhook while it is at work', () => {
  it('one that is taken while it is asked to be sent again is not sent again', async () => {
    const { id } = await register()
    answer = () => ({ status: 500 })
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    const [{ message } = { message: '' }] = await logOf(id)
    await pass(SECOND_MS)
    const { delivery } = storage
    let asked = 0
    storage.delivery = async (...parameters) => {
      const found = await delivery.apply(storage, parameters)
      asked += 1
      if (asked > 1) return found
      answer = () => ({ status: 200 })
      await pass(HOUR_MS)
      return found
    }
    const told = await webhooks.resend(id, alice, message)
    expect(told.state.status).toBe('delivered')
    const before = posts.length
    await pass(HOUR_MS)
    expect(posts.length).toBe(before)
    expect(unexpected).toEqual([])
  })

  it('one that is on its way to its place is not put there twice', async () => {
    const { id } = await register()
    const { queueDeliveries } = storage
    let asking: Promise<unknown> = Promise.resolve()
    storage.queueDeliveries = async (webhook, cursor, deliveries) => {
      const queued = await queueDeliveries.call(storage, webhook, cursor, deliveries)
      const [first] = queued
      if (first) {
        asking = webhooks.resend(id, alice, first.message)
        await asking
      }
      return queued
    }
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    await asking
    await pass(HOUR_MS)
    expect(notes()).toEqual(['1'])
    expect(unexpected).toEqual([])
  })

  it('what it asks for now is asked of what comes, over a crash too', async () => {
    const { id } = await register({ events: [DELETED] })
    await commit(['a', '1'])
    await pass(SECOND_MS)
    await webhooks.change(id, alice, { events: [NOTED] })
    await settled()
    await restart()
    await commit(['a', '2'])
    await until(() => posts.length > 0)
    await pass(HOUR_MS)
    expect(notes()).toEqual(['2'])
  })

  it('[OPS-8] one that works again is taken up without reading all others', async () => {
    const { id } = await register()
    answer = () => ({ status: 410 })
    await commit(['a', '1'])
    await until(() => webhooks.find(id, alice).disabled !== null)
    answer = () => ({ status: 200 })
    let reads = 0
    const { webhooks: readAll } = storage
    storage.webhooks = () => {
      reads += 1
      return readAll.call(storage)
    }
    posts = []
    await webhooks.change(id, alice, { url: 'https://other.test/hook' })
    await commit(['a', '2'])
    await until(() => notes().includes('2'))
    expect(reads).toBe(0)
  })

  it('one that works again, and could not be taken up at once, is taken up by its next change, with all that waited', async () => {
    const { id } = await register()
    answer = ({ note }, signal) => (note === '1' ? { status: 410 } : hanging(signal))
    await commit(['b', '0'], ['a', '1'])
    await until(() => webhooks.find(id, alice).disabled !== null)
    answer = () => ({ status: 200 })
    const { pendingDeliveries } = storage
    storage.pendingDeliveries = () => Promise.reject(new ParleyError('storage-unavailable', 'Not now, says the test.'))
    const change = webhooks.change(id, alice, { url: 'https://other.test/hook' })
    await expect(change).rejects.toMatchObject({ code: 'storage-unavailable' })
    storage.pendingDeliveries = pendingDeliveries
    posts = []
    await webhooks.change(id, alice, { url: 'https://third.test/hook' })
    await commit(['a', '2'])
    await until(() => notes().includes('2'))
    await pass(HOUR_MS)
    expect(notes().toSorted()).toEqual(['0', '2'])
  })
})

describe('registering a webhook', () => {
  it('[NOTE-5] begins with what happens after it', async () => {
    await commit(['a', 'before'])
    await register({ events: ['parley.conflict.detected', CHANGED] })
    await commit(['a', 'after'])
    await until(() => posts.length > 0)
    await pass(SECOND_MS)
    expect(notes()).toEqual(['after'])
  })

  it('[NOTE-5] only its owner and admin see it, and either may delete it', async () => {
    const { id } = await register()
    const bob = readerOf({ sub: 'bob' })
    const root: Principal = {
      ...readerOf({ sub: 'root' }),
      grants: [{ pattern: { prefix: '' }, permissions: new Set(['admin']) }],
    }
    const teamAdmin: Principal = { ...root, grants: [{ pattern: { prefix: 'a' }, permissions: new Set(['admin']) }] }
    for (const other of [bob, teamAdmin]) {
      expect(() => webhooks.find(id, other)).toThrow(expect.objectContaining({ code: 'not-found' }))
      await expect(webhooks.remove(id, other)).rejects.toMatchObject({ code: 'not-found' })
    }
    expect(webhooks.ownedBy(root.sub)).toEqual([])
    expect(webhooks.find(id, root).webhook.id).toBe(id)
    await webhooks.remove(id, root)
    await commit(['a', '1'])
    await pass(HOUR_MS)
    await restart()
    expect(posts).toEqual([])
    expect(() => webhooks.find(id, alice)).toThrow(expect.objectContaining({ code: 'not-found' }))
  })

  it('[NOTE-5] one principal may have so many, also when they come at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 25 }, () => register()))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(refused.map((error: ParleyError) => error.code)).toEqual(
      Array.from({ length: 5 }, () => 'too-many-webhooks'),
    )
    expect((await register({}, readerOf({ sub: 'bob' }))).id).toMatch(/^whk_/)
    const [first] = webhooks.ownedBy(alice.sub)
    invariant(first !== undefined, 'there are some')
    await webhooks.remove(first.webhook.id, alice)
    expect((await register()).secret).toMatch(/^whsec_/)
  })

  it('[NOTE-5] the rights of a token are kept as they were, also where its patterns overlap', () => {
    const grants = ['a*', 'a1', '*'].flatMap((text, n) => {
      const pattern = parsePattern(text)
      const permissions = new Set((['read', 'write', 'admin'] as const).slice(n))
      return pattern === null ? [] : [{ pattern, permissions }]
    })
    const principal: Principal = { ...alice, name: 'Alice', tokenId: 'x', grants }
    expect(principalOf(JSON.parse(JSON.stringify(ownerOf(principal))))).toEqual(principal)
  })

  it('is refused before the server runs and after it has stopped', async () => {
    webhooks.stop()
    await expect(register()).rejects.toMatchObject({ code: 'shutting-down' })
    expect(() => webhooks.ownedBy(alice.sub)).toThrow(expect.objectContaining({ code: 'shutting-down' }))
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
