import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { parseCursor, type Cursor } from '../../server/notifications/envelope.ts'
import { CHANGED, EVENT_TYPES } from '../../server/model/event.ts'
import { Feed } from '../../server/notifications/feed.ts'
import type { FeedEvent, Interest } from '../../server/notifications/subscription.ts'
import { aHead, anEvent, FakeFeedStorage, id, interest, RecordingSink } from '../support/fakeFeed.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

let environment: ManualEnvironment
let storage: FakeFeedStorage
let feed: Feed
let versions: Map<string, number>

beforeEach(start)

async function start(): Promise<void> {
  environment = new ManualEnvironment()
  storage = new FakeFeedStorage(() => environment.now())
  feed = await openFeed()
  versions = new Map()
}

const openFeed = (): Promise<Feed> => Feed.open({ storage, environment, source: () => 'https://parley.test' })
const changes = (patterns: readonly string[] = ['*'], mayRead?: Interest['mayRead']): Interest =>
  interest(patterns, { types: [CHANGED], ...(mayRead ? { mayRead } : {}) })
const everything = (): Interest => interest(['*'], { types: EVENT_TYPES })
const told = (): Promise<void> => environment.advance(0)
const at = (sequence: number): Cursor => ({ ...storage.pointAt(sequence), told: null, change: null })

const cursor = (text: string | undefined): Cursor => {
  const parsed = parseCursor(text ?? '', storage.epoch)
  if (parsed === null || parsed === 'foreign') throw new Error(`${text} is no cursor of this feed`)
  return parsed
}

/** One more version of the document. */
function change(document: string, events = 0): void {
  const version = (versions.get(document) ?? 1) + 1
  versions.set(document, version)
  const head = aHead(document, version, environment.now())
  storage.commit(
    Array.from({ length: events }, () => anEvent(document)),
    [head],
  )
}

function read(since: Cursor | 'foreign' | null, of: Interest = changes()): RecordingSink {
  const sink = new RecordingSink()
  feed.subscribe(of, since, sink)
  return sink
}

describe('coalescing', () => {
  it('[NOTE-2] a change is told at once, then at most once a second, with the newest version', async () => {
    const sink = read(null)
    const toldAt: number[] = []
    sink.onDeliver = () => toldAt.push(environment.now())
    const startedAt = environment.now()
    for (let n = 0; n < 35; n++) {
      change('a')
      await environment.advance(100)
    }
    await environment.advance(10_000)
    expect(sink.changes).toEqual(['a@2', 'a@11', 'a@21', 'a@31', 'a@36'])
    expect(toldAt.map((ms) => ms - startedAt)).toEqual([0, 1_000, 2_000, 3_000, 4_000])
  })

  it('[NOTE-2] documents do not hold each other up', async () => {
    const sink = read(null)
    change('a')
    change('b')
    change('a')
    await told()
    expect(sink.changes).toEqual(['a@2', 'b@2'])
    await environment.advance(1_000)
    expect(sink.changes).toEqual(['a@2', 'b@2', 'a@3'])
  })

  it('[NOTE-2] only those who ask for changes are told of them, of documents they may read', async () => {
    const others = read(null, interest(['*']))
    const unreadable = read(
      null,
      changes(['*'], (document) => document !== id('a')),
    )
    const elsewhere = read(null, changes(['b', 'c*']))
    change('a', 1)
    await environment.advance(2_000)
    expect(others.events.map((event) => event.type)).toEqual(['parley.conflict.detected'])
    expect([...unreadable.events, ...elsewhere.events]).toEqual([])
  })

  it('[NOTE-2] a creation and a deletion have events of their own; a change they overtake is not told', async () => {
    const sink = read(null)
    storage.commit([], [aHead('a', 1, environment.now())])
    await environment.advance(2_000)
    expect(sink.changes).toEqual([])
    change('a')
    change('a')
    storage.commit([], [aHead('a', 4, environment.now(), { deletedAt: environment.now() })])
    await environment.advance(2_000)
    expect(sink.changes).toEqual([])
    storage.commit([], [aHead('a', 5, environment.now(), { firstVersion: toVersion(5) })])
    storage.commit([], [aHead('a', 6, environment.now(), { firstVersion: toVersion(5) })])
    await environment.advance(2_000)
    expect(sink.changes).toEqual(['a@6'])
  })

  it('a head that is heard of late or twice is not told again', async () => {
    const sink = read(null)
    const [two, three] = [aHead('a', 2, environment.now()), aHead('a', 3, environment.now())]
    storage.commit([], [three])
    storage.commit([], [two])
    await environment.advance(5_000)
    storage.commit([], [two])
    storage.commit([], [three])
    await environment.advance(5_000)
    expect(sink.changes).toEqual(['a@3'])
  })

  it('an event goes before a change committed with it, so its id is a cursor after it', async () => {
    const sink = read(null, everything())
    change('a', 2)
    await told()
    expect(sink.events.map((event) => event.type)).toEqual([
      'parley.conflict.detected',
      'parley.conflict.detected',
      CHANGED,
    ])
    expect(sink.ids).toEqual(sink.ids.toSorted())
    expect(cursor(sink.ids[2])).toMatchObject({ sequence: 2, change: { document: 'a', version: 2 } })
  })

  it('no timer is left when nothing changes any more', async () => {
    change('a')
    change('a')
    await environment.advance(5_000)
    expect(environment.pending).toBe(0)
  })
})

describe('resuming', () => {
  it('[NOTE-2] at most one change a document is told on resume, the newest', async () => {
    const start = read(null)
    change('a')
    await environment.advance(1_000)
    const left = cursor(start.ids[0])
    for (let n = 0; n < 5; n++) {
      change('a')
      change('b')
      await environment.advance(1_000)
    }
    const sink = read(left)
    await told()
    expect(sink.changes).toEqual(['a@7', 'b@6'])
  })

  it('[NOTE-2] a document unchanged since the cursor is not told again', async () => {
    const start = read(null)
    change('a')
    change('b')
    await environment.advance(2_000)
    expect(start.changes).toEqual(['a@2', 'b@2'])
    const afterFirst = read(cursor(start.ids[0]))
    const afterSecond = read(cursor(start.ids[1]))
    const bookmark = read(cursor(feed.settled().cursor))
    await environment.advance(2_000)
    expect(afterFirst.changes).toEqual(['b@2'])
    expect(afterSecond.changes).toEqual([])
    expect(bookmark.changes).toEqual([])
    change('b')
    await environment.advance(2_000)
    for (const sink of [afterFirst, afterSecond, bookmark]) expect(sink.changes.at(-1)).toBe('b@3')
  })

  it('[NOTE-2] what waited for its second when the reader left is told when it comes back', async () => {
    const start = read(null)
    change('a')
    await told()
    change('a')
    const left = cursor(start.ids[0])
    const early = read(left)
    await told()
    expect(early.changes).toEqual([])
    await environment.advance(1_000)
    expect(early.changes).toEqual(['a@3'])
    const late = read(left)
    await told()
    expect(late.changes).toEqual(['a@3'])
  })

  it('[NOTE-2] the id of a stored event is a cursor for changes too', async () => {
    const start = read(null, everything())
    change('a')
    await environment.advance(1_000)
    change('b', 1)
    await environment.advance(1_000)
    change('c')
    await environment.advance(1_000)
    const stored = start.events.find((event) => event.type !== CHANGED)
    const sink = read(cursor(stored?.id), everything())
    await told()
    expect(sink.changes).toEqual(['b@2', 'c@2'])
    expect(sink.sequences).toEqual([])
  })

  it('[NOTE-2] a reader that never asked for changes gets none on resume', async () => {
    change('a', 1)
    await told()
    const sink = read(at(0), interest(['*']))
    await told()
    expect(sink.changes).toEqual([])
    expect(sink.sequences).toEqual([1])
  })

  it('[NOTE-7] changes missed of documents one may not read are not told', async () => {
    const begin = cursor(feed.settled().cursor)
    change('a')
    change('b')
    await told()
    const here = read(
      begin,
      changes(['*'], (document) => document === id('b')),
    )
    await told()
    expect(here.changes).toEqual(['b@2'])
    feed.close()
    feed = await openFeed()
    const afterRestart = read(
      begin,
      changes(['a', 'b*'], (document) => document === id('b')),
    )
    await told()
    expect(afterRestart.changes).toEqual(['b@2'])
  })

  it('[NOTE-6] leaving at any event and coming back, live or slow, one misses no newest version', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            documents: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 }),
            events: fc.nat({ max: 2 }),
            waitMs: fc.constantFrom(0, 0, 100, 600, 1_000, 3_000),
            stay: fc.nat({ max: 4 }),
            restart: fc.boolean(),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        async (steps) => {
          await start()
          const seen = new Map<string, number>()
          const sequences: number[] = []
          let since = cursor(feed.settled().cursor)
          const note = (event: FeedEvent): void => {
            since = cursor(event.id)
            if (event.type !== CHANGED) sequences.push(event.place.sequence)
            else seen.set(event.document, since.change?.version ?? 0)
          }
          for (const { documents, events, waitMs, stay, restart } of steps) {
            const sink = new RecordingSink()
            const subscription = feed.subscribe(everything(), since, sink)
            sink.onDeliver = (event) => {
              note(event)
              if (sink.events.length >= stay) subscription.close()
              else sink.fill()
            }
            for (const document of documents) {
              change(document, events)
              sink.drain()
              await environment.advance(waitMs)
            }
            subscription.close()
            if (restart && waitMs > 0) {
              feed.close()
              feed = await openFeed()
            }
          }
          const last = new RecordingSink()
          last.onDeliver = note
          feed.subscribe(everything(), since, last)
          await environment.advance(5_000)
          expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(versions))
          expect(sequences).toEqual(sequences.map((_, n) => n + 1))
          const { last: newest } = await storage.eventRange()
          expect(sequences.at(-1) ?? 0).toBe(newest)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('resuming at a process that did not tell the changes', () => {
  it('[NOTE-2] the newest version of each document that changed since is told once, found by its time', async () => {
    const start = read(null)
    change('a')
    change('old')
    await environment.advance(60_000)
    change('a')
    await environment.advance(60_000)
    const left = cursor(start.ids.at(-1))
    expect(left.change).toEqual({ document: 'a', version: 3, mark: expect.any(String) })
    feed.close()
    change('b')
    change('b')
    change('c')
    feed = await openFeed()
    await environment.advance(60_000)
    for (const patterns of [['*'], ['a', 'b', 'c', 'old'], ['b', 'c*', 'o*', 'a*']]) {
      const sink = read(left, changes(patterns))
      await told()
      expect(sink.changes).toEqual(['b@3', 'c@2'])
      // Whoever leaves amid them gets the others again, rather than none of them.
      const again = read(cursor(sink.ids[0]), changes(patterns))
      await told()
      expect(again.changes).toEqual(['a@3', 'c@2'])
    }
  })

  it('[NOTE-2] documents created since, deleted or never changed are not told as changed', async () => {
    const left = cursor(feed.settled().cursor)
    feed.close()
    await environment.advance(60_000)
    storage.commitUnheard([], [aHead('new', 1, environment.now())])
    storage.commitUnheard([], [aHead('gone', 3, environment.now(), { deletedAt: environment.now() })])
    feed = await openFeed()
    const sinks = [read(left, changes(['*'])), read(left, changes(['new', 'gone', 'never']))]
    await told()
    for (const sink of sinks) expect(sink.events).toEqual([])
  })

  it('[NOTE-2] from a stored event that was told before, by the time of that event', async () => {
    change('before')
    await environment.advance(60_000)
    change('a', 1)
    await environment.advance(60_000)
    change('after')
    feed.close()
    feed = await openFeed()
    const sink = read(at(1))
    await told()
    expect(sink.changes).toEqual(['a@2', 'after@2'])
    const fromTheStart = read(at(0))
    await told()
    expect(fromTheStart.changes).toEqual(['before@2', 'a@2', 'after@2'])
  })

  it('[NOTE-6] more missed changes than are worth telling one by one lead to a resync', async () => {
    const left = cursor(feed.settled().cursor)
    feed.close()
    await environment.advance(60_000)
    storage.commitUnheard(
      [],
      Array.from({ length: 1_001 }, (_, n) => aHead(`doc${n}`, 2, environment.now())),
    )
    feed = await openFeed()
    const sink = read(left)
    const few = read(left, changes(['doc1*']))
    const unentitled = read(
      left,
      changes(['*'], () => false),
    )
    await told()
    expect([...unentitled.resyncs, ...unentitled.events]).toEqual([])
    expect(sink.resyncs).toHaveLength(1)
    expect(sink.events).toEqual([])
    expect(few.resyncs).toEqual([])
    expect(few.changes).toHaveLength(112)
    change('doc5')
    await told()
    expect(sink.changes).toEqual(['doc5@2'])
  })

  it('[NOTE-2] a process that remembers no further falls back on storage, and misses nothing', async () => {
    const begin = cursor(feed.settled().cursor)
    await environment.advance(60_000)
    change('a')
    await environment.advance(60_000)
    for (let n = 0; n < 10_000; n++) storage.tell({ events: [], heads: [aHead(`x${n}`, 2, environment.now())] })
    await environment.advance(2_000)
    const sink = read(begin, changes(['a']))
    await told()
    expect(sink.changes).toEqual(['a@2'])
  })
})
