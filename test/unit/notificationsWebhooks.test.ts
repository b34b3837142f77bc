import { Webhook as StandardWebhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nextVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { DELETED } from '../../server/model/event.ts'
import type { PostOutcome } from '../../server/notifications/webhooksSender.ts'
import { anEvent } from '../support/fakeFeed.ts'
import { readerOf } from '../support/readers.ts'
import { actOf, after, appendTo, commitAll, newAct, newHead } from '../support/storageSamples.ts'
import {
  alice,
  commit,
  DAY_MS,
  environment,
  failNext,
  failures,
  hanging,
  HOUR_MS,
  logOf,
  notes,
  pass,
  posts,
  receiver,
  register,
  restart,
  revoked,
  SECOND_MS,
  setUp,
  storage,
  tearDown,
  unexpected,
  until,
  webhooks,
  type Posted,
} from '../support/webhooksAtWork.ts'

beforeEach(setUp)
afterEach(tearDown)

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
    receiver.answer = () => ({ status: 500 })
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
    posts.length = 0
    receiver.answer = () => ({ status: 204 })
    await pass(3 * HOUR_MS, 60 * SECOND_MS)
    expect(notes()).toEqual(['1', '2', '3'])
    expect((await logOf(id)).map(({ state }) => state.status)).toEqual(['delivered', 'delivered', 'delivered'])
  })

  it('[NOTE-5] wait behind the one of their document that is retried, and not behind those of others', async () => {
    await register()
    let broken = true
    receiver.answer = ({ document }) => ({ status: document === 'a' && broken ? 503 : 200 })
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
    receiver.answer = ({ url }, signal) => (url.includes('stuck') ? hanging(signal) : { status: 200 })
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
    receiver.answer = () => ({ status: 410 })
    await commit(['a', '1'], ['a', '2'])
    await until(() => webhooks.find(id, alice).disabled !== null)
    expect(webhooks.find(id, alice).disabled).toEqual({ at: environment.now(), reason: 'gone' })
    receiver.answer = () => ({ status: 200 })
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
    receiver.answer = () => ({ status: 302 })
    await commit(['a', '1'])
    await pass(10 * SECOND_MS)
    expect(new Set(posts.map(({ url }) => url))).toEqual(new Set(['https://receiver.test/hook']))
    expect(posts.length).toBe(2)
    expect((await logOf(id))[0]?.lastAttempt?.error).toBe('Redirects are not followed.')
  })

  it('[NOTE-5] go on after a restart where they were: same ids, same order, nothing lost or doubled', async () => {
    const { id } = await register()
    receiver.answer = ({ document }) => ({ status: document === 'a' ? 500 : 200 })
    await commit(['a', 'a1'], ['b', 'b1'], ['a', 'a2'])
    await until(() => posts.length >= 2)
    const [before] = posts.filter(({ note }) => note === 'a1')
    await pass(SECOND_MS)
    posts.length = 0
    await restart(() => commit(['a', 'a3'], ['b', 'b2']))
    await until(() => notes().includes('b2'))
    expect(notes()).toEqual(['b2'])
    receiver.answer = () => ({ status: 200 })
    await pass(10 * SECOND_MS)
    expect(notes()).toEqual(['b2', 'a1', 'a2', 'a3'])
    expect(posts[1]?.id).toBe(before?.id)
    expect((await logOf(id)).find(({ message }) => message === before?.id)?.attempts).toBe(2)
  })

  it('[NOTE-5] a post under way when the server stops is made again, with the same id', async () => {
    await register()
    receiver.answer = (_posted, signal) => hanging(signal)
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    receiver.answer = () => ({ status: 200 })
    await restart()
    await until(() => posts.length === 2)
    expect(posts[1]?.id).toBe(posts[0]?.id)
    await pass(HOUR_MS)
    expect(posts.length).toBe(2)
  })

  it('[NOTE-5] are given up after 3 days, and the next one of the document has its turn', async () => {
    const { id } = await register()
    receiver.answer = ({ note }) => (note === '1' ? { error: 'No answer came in time.' } : { status: 200 })
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
    receiver.answer = () => ({ status: 500 })
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
      posts.length = 0
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
      receiver.answer = ({ document }) => ({ status: document === 'a' ? 500 : 200 })
      await commit(['a', 'a1'], ['a', 'a2'], ['b', 'b1'])
      await pass(60 * SECOND_MS)
      expect(notes()).toContain('a1')
      receiver.answer = () => ({ status: 200 })
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
      receiver.answer = ({ note }) => (note === 'a1' ? new Promise((resolve) => (fail = resolve)) : { status: 200 })
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
      failNext(3)
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
    receiver.answer = () => ({ status: down ? 500 : 200 })
    const all = Array.from({ length: 1_600 }, (_, n) => String(n))
    for (let n = 0; n < 1_600; n += 100)
      await commit(...all.slice(n, n + 100).map((note): [string, string] => ['a', note]))
    await pass(60 * SECOND_MS)
    const [{ webhook } = { webhook: null }] = await storage.webhooks()
    invariant(webhook !== null, 'it is stored')
    expect((await storage.pendingDeliveries(webhook.id)).length).toBeLessThanOrEqual(1_100)
    down = false
    posts.length = 0
    await pass(300 * SECOND_MS)
    await until(() => posts.length >= all.length)
    await pass(SECOND_MS)
    expect(notes()).toEqual(all)
    expect(await storage.pendingDeliveries(webhook.id)).toEqual([])
  })

  it('[NOTE-5] a disk that refuses for a while delays them, and nothing more', async () => {
    await register()
    failNext(3)
    await commit(['a', '1'])
    await commit(['a', '2'])
    expect(posts).toEqual([])
    await pass(20 * SECOND_MS)
    expect(notes()).toEqual(['1', '2'])
    expect(failures).toBe(0)
    failNext(2)
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
