import { beforeEach, describe, expect, it } from 'vitest'
import type { Principal } from '../../server/access/access.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { CHANGED } from '../../server/model/event.ts'
import { formatCursor } from '../../server/notifications/envelope.ts'
import { Feed } from '../../server/notifications/feed.ts'
import { Polls, type PollAnswer } from '../../server/api/notificationPoll.ts'
import { parseQuery, parseRequest } from '../../server/notifications/request.ts'
import { aHead, anEvent, FakeFeedStorage } from '../support/fakeFeed.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { readerOf } from '../support/readers.ts'

let environment: ManualEnvironment
let storage: FakeFeedStorage
let feed: Feed
let polls: Polls
let revoked: boolean
beforeEach(async () => {
  environment = new ManualEnvironment()
  storage = new FakeFeedStorage(() => environment.now())
  await openFeed()
  revoked = false
})

async function openFeed(): Promise<void> {
  feed = await Feed.open({ storage, environment, source: () => 'https://parley.test' })
  const isValid = ({ expiresAt }: Principal): boolean => !revoked && environment.now() < expiresAt * 1_000
  polls = new Polls({ feed, environment, isValid })
}

interface Asked {
  answer: PollAnswer | null
  readonly done: Promise<PollAnswer>
}

interface More {
  readonly waitMs?: number
  readonly principal?: Principal
  readonly gone?: AbortSignal
}

function ask(
  query = '',
  { waitMs = 0, principal = readerOf(), gone = new AbortController().signal }: More = {},
): Asked {
  const request = parseQuery(new URLSearchParams(query), feed.epoch, []) ?? parseRequest({}, feed.epoch)
  const asked: Asked = {
    answer: null,
    done: polls.poll(principal, request, waitMs, gone).then((answer) => (asked.answer = answer)),
  }
  asked.done.catch(() => undefined)
  return asked
}

const since = (cursor: string, more = ''): string => `since=${encodeURIComponent(cursor)}${more}`
const documentsOf = ({ events }: PollAnswer): string[] => events.map((json) => JSON.parse(json).data.document)
const cursorAt = (sequence: number): string =>
  formatCursor('epocha', { ...storage.pointAt(sequence), told: null, change: null })

/** Asks again and again without waiting, until an answer is empty; every document told of, in order. */
async function pollAll(start: string, more = ''): Promise<{ documents: string[]; polls: number; cursor: string }> {
  const documents: string[] = []
  let cursor = start
  for (let n = 1; n <= 20; n++) {
    const asked = ask(since(cursor, more))
    await environment.advance(0)
    const answer = await asked.done
    documents.push(...documentsOf(answer))
    cursor = answer.cursor
    if (answer.events.length === 0) return { documents, polls: n, cursor }
  }
  throw new Error('the polls come to no end')
}

describe('a long poll', () => {
  it('[NOTE-4] right after a commit holds its events and its change, although nobody was told yet', async () => {
    const { cursor } = await ask().done
    storage.commit([anEvent('a')], [aHead('b', 2, environment.now())])
    const asked = ask(since(cursor, `&events=${CHANGED},parley.conflict.detected`))
    await settled()
    expect(asked.answer).toBeNull()
    await environment.advance(0)
    expect(documentsOf(await asked.done)).toEqual(['a', 'b'])
  })

  it('[NOTE-4] right after a commit does not wait for what is committed later', async () => {
    const { cursor } = await ask().done
    storage.commit([anEvent('a')])
    const asked = ask(since(cursor))
    await settled()
    storage.commit([anEvent('b')])
    await environment.advance(0)
    expect(documentsOf(await asked.done)[0]).toBe('a')
  })

  it('[NOTE-4] answers what came since the cursor at once, and then nothing until something happens', async () => {
    storage.commit([anEvent('a'), anEvent('b')])
    await environment.advance(0)
    const first = ask(since(cursorAt(1)), { waitMs: 60_000 })
    await environment.advance(0)
    expect(documentsOf(await first.done)).toEqual(['b'])
    const second = ask(since(first.answer?.cursor ?? ''), { waitMs: 60_000 })
    await environment.advance(59_000)
    expect(second.answer).toBeNull()
    storage.commit([anEvent('c'), anEvent('d')])
    await environment.advance(0)
    expect(documentsOf(await second.done)).toEqual(['c', 'd'])
    expect(polls.size).toBe(0)
    expect(feed.size).toBe(0)
    expect(environment.pending).toBe(0)
  })

  it('[NOTE-4] nothing in the time it waits is an empty answer with a cursor to go on from', async () => {
    const asked = ask('', { waitMs: 30_000 })
    await environment.advance(29_999)
    expect(asked.answer).toBeNull()
    await environment.advance(1)
    expect((await asked.done).events).toEqual([])
    storage.commit([anEvent('a')])
    const next = ask(since(asked.answer?.cursor ?? ''), { waitMs: 30_000 })
    await environment.advance(0)
    expect(documentsOf(await next.done)).toEqual(['a'])
  })

  it('[NOTE-4] a cursor moves on past events that are not for the reader', async () => {
    const first = await ask('documents=mine').done
    storage.commit([anEvent('others'), anEvent('others')])
    await environment.advance(0)
    const second = await ask(since(first.cursor, '&documents=mine')).done
    storage.prune(2)
    storage.commit([anEvent('mine')])
    await environment.advance(0)
    const third = ask(since(second.cursor, '&documents=mine'))
    await environment.advance(0)
    expect(documentsOf(await third.done)).toEqual(['mine'])
  })

  it('[NOTE-4] any number of events comes whole, in order and once, over several answers', async () => {
    const documents = Array.from({ length: 2_500 }, (_, n) => `doc${n}`)
    storage.commit(documents.map((document) => anEvent(document)))
    await environment.advance(0)
    const result = await pollAll(cursorAt(0))
    expect(result.documents).toEqual(documents)
    expect(result.polls).toBeGreaterThan(2)
  })

  it('[NOTE-4] changes are told once each, however often one asks', async () => {
    const asksForChanges = `&events=${CHANGED},parley.conflict.detected`
    const start = await ask(`events=${CHANGED},parley.conflict.detected`).done
    storage.commit([anEvent('a')], [aHead('a', 2, environment.now())])
    storage.commit([anEvent('b')], [aHead('b', 2, environment.now())])
    await environment.advance(0)
    const result = await pollAll(start.cursor, asksForChanges)
    expect(result.documents.toSorted()).toEqual(['a', 'a', 'b', 'b'])
    expect((await pollAll(result.cursor, asksForChanges)).documents).toEqual([])
  })

  it('[NOTE-4] changes found by a sweep after a restart are told whole, although they share one place', async () => {
    const start = await ask(`events=${CHANGED}`).done
    await environment.advance(60_000)
    const documents = Array.from({ length: 1_000 }, (_, n) => `doc${String(n).padStart(4, '0')}`)
    storage.commitUnheard(
      [],
      documents.map((document, n) => aHead(document, 2, environment.now() + n)),
    )
    feed.close()
    await openFeed()
    await environment.advance(60_000)
    const result = await pollAll(start.cursor, `&events=${CHANGED}`)
    expect(result.documents).toEqual(documents)
  })

  it('[NOTE-4] a cursor too old or of another history is refused with one to go on from', async () => {
    storage.commit([anEvent('a'), anEvent('b'), anEvent('c')])
    storage.prune(2)
    await environment.advance(0)
    for (const cursor of [cursorAt(1), cursorAt(99), 'another.00000000001']) {
      const asked = ask(since(cursor), { waitMs: 60_000 })
      await environment.advance(0)
      const refused = await asked.done.catch((error: unknown) => error)
      invariant(refused instanceof ParleyError, 'it is refused')
      expect(refused.code, cursor).toBe('cursor-expired')
      expect(String(refused.extras['cursor']).startsWith(cursorAt(3)), cursor).toBe(true)
    }
    expect(feed.size).toBe(0)
  })

  it('[NOTE-7] tells only of what the token may read, and nothing once it has expired or was revoked', async () => {
    const seconds = environment.now() / 1_000
    const limited = ask('', { waitMs: 60_000, principal: readerOf({ patterns: 'team:*', expiresAt: seconds + 10 }) })
    storage.commit([anEvent('secret')])
    await environment.advance(5_000)
    expect(limited.answer).toBeNull()
    await environment.advance(5_000)
    expect((await limited.done).events).toEqual([])
    const waiting = ask('', { waitMs: 60_000 })
    revoked = true
    storage.commit([anEvent('a')])
    await environment.advance(60_000)
    expect((await waiting.done).events).toEqual([])
  })

  it('a client that leaves is forgotten at once', async () => {
    const left = new AbortController()
    ask('', { waitMs: 60_000, gone: left.signal })
    await environment.advance(0)
    expect([polls.size, feed.size, environment.pending]).toEqual([1, 1, 1])
    left.abort()
    await environment.advance(0)
    expect([polls.size, feed.size, environment.pending]).toEqual([0, 0, 0])
    // So is one that had left before.
    ask('', { waitMs: 60_000, gone: AbortSignal.abort() })
    await environment.advance(0)
    expect([polls.size, feed.size, environment.pending]).toEqual([0, 0, 0])
  })

  it('[OPS-2] a server that stops answers those who wait, and takes no more', async () => {
    const waiting = ask('', { waitMs: 60_000 })
    polls.close()
    expect((await waiting.done).events).toEqual([])
    await expect(ask().done).rejects.toMatchObject({ code: 'shutting-down' })
  })

  it('storage that cannot be read is the answer', async () => {
    storage.commit([anEvent('a')])
    await environment.advance(0)
    storage.failure = new Error('a bug')
    await expect(ask(since(cursorAt(0))).done).rejects.toBe(storage.failure)
    expect(polls.size).toBe(0)
  })
})
