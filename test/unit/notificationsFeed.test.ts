import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { toVersion, type DocumentId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { formatCursor, parseCursor, type Cursor } from '../../server/notifications/envelope.ts'
import { DELETED } from '../../server/model/event.ts'
import { Feed } from '../../server/notifications/feed.ts'
import { aHead, anEvent, FakeFeedStorage, id, interest, RecordingSink } from '../support/fakeFeed.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'

let environment: ManualEnvironment
let storage: FakeFeedStorage
let feed: Feed

beforeEach(async () => {
  environment = new ManualEnvironment()
  storage = new FakeFeedStorage(() => environment.now())
  feed = await openFeed()
})

const openFeed = (): Promise<Feed> => Feed.open({ storage, environment, source: () => 'https://parley.test' })

/** Lets the feed tell what it has to tell; no clock moves. */
const told = (): Promise<void> => environment.advance(0)

const at = (sequence: number): Cursor => ({ ...storage.pointAt(sequence), told: null, change: null })

const cursor = (text: string | undefined): Cursor => {
  const parsed = parseCursor(text ?? '', storage.epoch)
  if (parsed === null || parsed === 'foreign') throw new Error(`${text} is no cursor of this feed`)
  return parsed
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

function commitMany(count: number, document: (n: number) => string = (n) => `doc${n % 3}`): void {
  for (let n = 0; n < count; n++) storage.commit([anEvent(document(n))])
}

describe('live delivery', () => {
  it('[NOTE-1] events come in the order of their commits, each once, with the cursor as id', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(), null, sink)
    storage.commit([anEvent('a'), anEvent('b')])
    storage.commit([anEvent('a')])
    await told()
    expect(sink.sequences).toEqual([1, 2, 3])
    expect(sink.ids).toEqual([1, 2, 3].map((n) => formatCursor(storage.epoch, at(n))))
    expect(sink.events.map((event) => JSON.parse(event.json).subject)).toEqual([
      'documents/a',
      'documents/b',
      'documents/a',
    ])
  })

  it('a writer does not wait for its subscribers, nor fail by them', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(), null, sink)
    storage.commit([anEvent('a')])
    expect(sink.events).toEqual([])
    await told()
    expect(sink.events).toHaveLength(1)
  })

  it('[NOTE-2] only matching documents and types are delivered', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(['a', 'team:*'], { types: ['parley.conflict.resolved'] }), null, sink)
    for (const document of ['a', 'b', 'team:x', 'team', 'ab']) {
      storage.commit([anEvent(document), { ...anEvent(document), type: 'parley.conflict.resolved' }])
    }
    await told()
    expect(sink.events.map((event) => event.document)).toEqual(['a', 'team:x'])
  })

  it('[NOTE-2] several subscriptions of one sink share one delivery', async () => {
    const sink = new RecordingSink()
    const first = feed.subscribe(interest(['a']), null, sink)
    const second = feed.subscribe(interest(['*']), null, sink)
    feed.subscribe(interest(['b']), null, sink)
    storage.commit([anEvent('a')])
    await told()
    expect(sink.deliveries).toHaveLength(1)
    expect(new Set(sink.deliveries[0]?.subscriptions)).toEqual(new Set([first, second]))
  })

  it('[NOTE-2] from now means from now: what was committed just before is not told', async () => {
    storage.commit([anEvent('a')])
    const sink = new RecordingSink()
    const subscription = feed.subscribe(interest(), null, sink)
    storage.commit([anEvent('a')])
    await told()
    expect(sink.sequences).toEqual([2])
    expect(cursor(subscription.cursor).sequence).toBe(1)
  })

  it('an ended subscription gets nothing more, even of an event that is being told', async () => {
    const sinks = range(1, 600).map(() => new RecordingSink())
    const subscriptions = sinks.map((sink) => feed.subscribe(interest(), null, sink))
    const first = sinks[0]
    if (first) first.onDeliver = () => subscriptions.at(-1)?.close()
    storage.commit([anEvent('a')])
    await told()
    expect(sinks.filter((sink) => sink.events.length === 1)).toHaveLength(599)
    expect(sinks.at(-1)?.events).toEqual([])
  })

  it('[NOTE-6] 5,000 subscribers of one document all get every event, the same JSON made once', async () => {
    const sinks = range(1, 5_000).map(() => new RecordingSink())
    for (const sink of sinks) feed.subscribe(interest(['shared']), null, sink)
    storage.commit([anEvent('shared'), anEvent('other'), anEvent('shared')])
    await told()
    const [first] = sinks
    for (const sink of sinks) {
      expect(sink.sequences).toEqual([1, 3])
      expect(sink.events[0]).toBe(first?.events[0])
    }
  })

  it('a bookmark never runs ahead of an event that is still being told', async () => {
    const settledAt: number[] = []
    for (let n = 0; n < 600; n++) {
      const sink = new RecordingSink()
      sink.onDeliver = () => settledAt.push(feed.settled().place.sequence)
      feed.subscribe(interest(), null, sink)
    }
    storage.commit([anEvent('a')])
    await told()
    expect(new Set(settledAt)).toEqual(new Set([0]))
    expect(feed.settled().place.sequence).toBe(1)
  })
})

describe('rights', () => {
  it('[NOTE-7] events of documents one may not read are never told, live or on resume', async () => {
    const mayRead = (document: DocumentId): boolean => document !== id('secret')
    const live = new RecordingSink()
    feed.subscribe(interest(['*'], { mayRead }), null, live)
    storage.commit([anEvent('secret'), anEvent('open')])
    await told()
    const resumed = new RecordingSink()
    feed.subscribe(interest(['secret', 'open'], { mayRead }), at(0), resumed)
    await told()
    expect(live.events.map((event) => event.document)).toEqual(['open'])
    expect(resumed.events.map((event) => event.document)).toEqual(['open'])
  })

  it('[NOTE-7] a change of rights counts from the next event on, both ways, amid a telling too', async () => {
    let readable = new Set(['a'])
    const sinks = range(1, 600).map(() => new RecordingSink())
    for (const sink of sinks) feed.subscribe(interest(['*'], { mayRead: (one) => readable.has(one) }), null, sink)
    storage.commit([anEvent('a'), anEvent('b')])
    await told()
    readable = new Set(['b'])
    storage.commit([anEvent('a'), anEvent('b')])
    await told()
    for (const sink of sinks) expect(sink.sequences).toEqual([1, 4])
    const [first] = sinks
    if (first) first.onDeliver = () => (readable = new Set())
    storage.commit([anEvent('b')])
    await told()
    expect(sinks.filter((sink) => sink.sequences.includes(5))).toEqual([first])
  })
})

describe('resuming', () => {
  it('[NOTE-2] from every position of a feed longer than several pages comes exactly the rest', async () => {
    commitMany(250)
    await told()
    for (const since of range(0, 250)) {
      const sink = new RecordingSink()
      feed.subscribe(interest(), at(since), sink)
      await settled()
      expect(sink.sequences, `since ${since}`).toEqual(range(since + 1, 250))
    }
  })

  it('[NOTE-2] since is exclusive and any event id is a cursor', async () => {
    commitMany(3)
    await told()
    const all = new RecordingSink()
    feed.subscribe(interest(), at(0), all)
    await told()
    const rest = new RecordingSink()
    feed.subscribe(interest(), cursor(all.ids[1]), rest)
    await told()
    expect(rest.ids).toEqual(all.ids.slice(2))
  })

  it('[NOTE-1] whatever is committed meanwhile, nothing is lost, doubled or out of order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 230 }),
        fc.array(
          fc.oneof(
            {
              weight: 3,
              arbitrary: fc.record({ step: fc.constant('commit' as const), count: fc.integer({ min: 1, max: 4 }) }),
            },
            fc.record({ step: fc.constant('unheard' as const), count: fc.integer({ min: 1, max: 2 }) }),
            fc.record({ step: fc.constant('subscribe' as const), count: fc.integer({ min: 0, max: 100 }) }),
            fc.record({ step: fc.constant('fill' as const), count: fc.nat() }),
            fc.record({ step: fc.constant('drain' as const), count: fc.nat() }),
            {
              weight: 3,
              arbitrary: fc.record({ step: fc.constant('microtasks' as const), count: fc.integer({ min: 1, max: 6 }) }),
            },
            fc.record({ step: fc.constant('turn' as const), count: fc.nat() }),
          ),
          { minLength: 5, maxLength: 40 },
        ),
        async (before, steps) => {
          environment = new ManualEnvironment()
          storage = new FakeFeedStorage(() => environment.now())
          feed = await openFeed()
          commitMany(before)
          await told()
          let last = before
          const readers: { sink: RecordingSink; since: number }[] = []
          for (const { step, count } of steps) {
            if (step === 'commit') {
              storage.commit(range(1, count).map((n) => anEvent(`doc${n}`)))
              last += count
            } else if (step === 'unheard') {
              storage.commitUnheard(range(1, count).map((n) => anEvent(`doc${n}`)))
              last += count
            } else if (step === 'subscribe') {
              const sink = new RecordingSink()
              const since = Math.max(0, last - count)
              feed.subscribe(interest(), at(since), sink)
              readers.push({ sink, since })
            } else if (step === 'fill') readers[count % readers.length]?.sink.fill()
            else if (step === 'drain') readers[count % readers.length]?.sink.drain()
            else if (step === 'microtasks') for (let n = 0; n < count; n++) await Promise.resolve()
            else await told()
          }
          // The next commit that is heard of brings those that were not.
          storage.commit([anEvent('doc')])
          last++
          for (const { sink } of readers) sink.drain()
          await told()
          await told()
          for (const { sink, since } of readers) {
            expect(sink.sequences).toEqual(range(since + 1, last))
            expect(sink.caughtUpCount).toBe(1)
            expect(sink.resyncs).toEqual([])
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it('[NOTE-6] a subscriber that leaves at any event and comes back with its id loses and repeats nothing', async () => {
    const sequences: number[] = []
    let since = at(0)
    let committed = 0
    while (sequences.length < 60) {
      const sink = new RecordingSink()
      const subscription = feed.subscribe(interest(), since, sink)
      // It leaves after one, two or three events, wherever that is: amid a page, at its end, or live.
      const stay = 1 + (sequences.length % 3)
      sink.onDeliver = (event) => {
        if (sink.events.length === stay) subscription.close()
        since = cursor(event.id)
      }
      if (committed < 60) storage.commit([anEvent('a'), anEvent('b')])
      committed += 2
      await told()
      sequences.push(...sink.sequences)
    }
    expect(sequences).toEqual(range(1, sequences.length))
  })

  it('[NOTE-6] a reader that catches up slowly holds one page and is not told ahead of its pace', async () => {
    commitMany(1_000)
    await told()
    const sink = new RecordingSink()
    sink.onDeliver = () => sink.fill()
    feed.subscribe(interest(), at(0), sink)
    const reads = storage.reads
    for (const n of range(1, 150)) {
      await settled()
      expect(sink.events).toHaveLength(n)
      sink.drain()
    }
    expect(storage.reads - reads).toBeLessThanOrEqual(2)
  })

  it('[NOTE-2] a cursor of another epoch, too old, or of the future leads to a resync that goes on from now', async () => {
    commitMany(10)
    await told()
    storage.prune(5)
    for (const since of ['foreign', at(4), at(0), at(100), at(Number.MAX_SAFE_INTEGER)] as const) {
      const sink = new RecordingSink()
      feed.subscribe(interest(), since, sink)
      await told()
      expect(sink.resyncs).toHaveLength(1)
      expect(sink.events).toEqual([])
      const from = cursor(sink.resyncs[0])
      storage.commit([anEvent('a')])
      await told()
      expect(sink.sequences).toEqual([from.sequence + 1])
    }
  })

  it('[NOTE-1] the oldest cursor still kept is usable, even of a feed with nothing left in it', async () => {
    commitMany(10)
    await told()
    storage.prune(5)
    const edge = new RecordingSink()
    feed.subscribe(interest(), at(5), edge)
    await told()
    expect(edge.sequences).toEqual(range(6, 10))
    storage.prune(10)
    const end = new RecordingSink()
    feed.subscribe(interest(), at(10), end)
    storage.commit([anEvent('a')])
    await told()
    expect(end.sequences).toEqual([11])
    expect([...edge.resyncs, ...end.resyncs]).toEqual([])
  })

  it('[NOTE-1] a reader overtaken by pruning is told so, not given a gap', async () => {
    commitMany(300)
    await told()
    const sink = new RecordingSink()
    sink.onDeliver = (event) => {
      if (event.place.sequence === 50) sink.fill()
    }
    feed.subscribe(interest(), at(0), sink)
    await told()
    storage.prune(250)
    sink.drain()
    await told()
    expect(sink.sequences).toEqual(range(1, 100))
    expect(sink.resyncs).toHaveLength(1)
    storage.commit([anEvent('a')])
    await told()
    expect(sink.sequences.at(-1)).toBe(301)
  })

  it('the holes that a purge leaves are no gap', async () => {
    commitMany(400, (n) => (n % 2 === 0 ? 'kept' : 'purged'))
    await told()
    storage.purge(id('purged'))
    const sink = new RecordingSink()
    feed.subscribe(interest(), at(1), sink)
    await told()
    expect(sink.sequences).toEqual(range(1, 199).map((n) => 2 * n + 1))
    expect(sink.resyncs).toEqual([])
    storage.commit([anEvent('kept')])
    await told()
    expect(sink.sequences.at(-1)).toBe(401)
  })

  it('[HIST-5] a document that is purged while they are caught up with, or before they are told, is told no more', async () => {
    commitMany(60, (n) => (n % 2 === 0 ? 'kept' : 'purged'))
    await told()
    const late = new RecordingSink()
    late.onDeliver = (event) => event.place.sequence === 5 && late.fill()
    feed.subscribe(interest(), at(0), late)
    await told()
    const live = new RecordingSink()
    feed.subscribe(interest(), null, live)
    storage.commit([anEvent('purged'), anEvent('kept')])
    storage.purge(id('purged'))
    const left = aHead('purged', 9, 0, { deletedAt: 1, firstVersion: toVersion(10) })
    storage.tell(storage.commitUnheard([{ ...anEvent('purged'), type: DELETED }], [left]))
    await told()
    expect(live.sequences).toEqual([62, 63])
    expect(late.sequences).toEqual(range(1, 5))
    late.onDeliver = () => undefined
    late.drain()
    await told()
    expect(late.sequences).toEqual([...range(1, 5), ...range(7, 59).filter((n) => n % 2 === 1), 62, 63])
  })

  it('[HIST-5] nor is it told where it was read from storage just before it was purged', async () => {
    const live = new RecordingSink()
    feed.subscribe(interest(), null, live)
    storage.commitUnheard([anEvent('purged'), anEvent('kept')])
    const read = storage.events.bind(storage)
    let end = (): void => undefined
    const purged = new Promise<void>((resolve) => {
      end = resolve
    })
    storage.events = async (after, limit) => {
      const page = await read(after, limit)
      await purged
      return page
    }
    // It was heard of, and what comes before it was not.
    storage.commit([anEvent('kept')])
    await told()
    storage.purge(id('purged'))
    const left = aHead('purged', 9, 0, { deletedAt: 1, firstVersion: toVersion(10) })
    storage.tell(storage.commitUnheard([{ ...anEvent('purged'), type: DELETED }], [left]))
    end()
    await told()
    expect(live.sequences).toEqual([2, 3, 4])
  })

  it('storage that cannot be read ends the subscription with its problem, and nothing else', async () => {
    commitMany(3)
    await told()
    const live = new RecordingSink()
    feed.subscribe(interest(), null, live)
    storage.failure = new ParleyError('storage-unavailable', 'The disk is gone.')
    const sink = new RecordingSink()
    const subscription = feed.subscribe(interest(), at(0), sink)
    await told()
    expect(sink.failures).toEqual([storage.failure])
    expect(subscription.closed).toBe(true)
    storage.failure = null
    storage.commit([anEvent('a')])
    await told()
    expect(sink.events).toEqual([])
    expect(live.sequences).toEqual([4])
  })

  it('a subscription closed while it waits for storage gets nothing', async () => {
    commitMany(3)
    await told()
    let open = (): void => undefined
    storage.gate = new Promise((resolve) => (open = resolve))
    const sink = new RecordingSink()
    const subscription = feed.subscribe(interest(), at(0), sink)
    await settled()
    subscription.close()
    open()
    storage.commit([anEvent('a')])
    await told()
    expect(sink.events).toEqual([])
    expect(sink.caughtUpCount).toBe(0)
  })
})

describe('commits of other nodes', () => {
  it('a gap in what is heard is read from storage before what follows is told', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(), null, sink)
    storage.commitUnheard([anEvent('a'), anEvent('b')])
    storage.commit([anEvent('c')])
    await told()
    await told()
    expect(sink.sequences).toEqual([1, 2, 3])
  })

  it('hints that come late, twice or in the wrong order change nothing', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(), null, sink)
    const first = storage.commitUnheard([anEvent('a')])
    const second = storage.commitUnheard([anEvent('b')])
    storage.tell(second)
    storage.tell(first)
    storage.tell(second)
    await told()
    storage.tell(first)
    await told()
    expect(sink.sequences).toEqual([1, 2])
  })

  it('a cursor that another node handed out is known here, though its event was never heard of', async () => {
    storage.commitUnheard([anEvent('a'), anEvent('b')])
    const waiting = new RecordingSink()
    feed.subscribe(interest(), null, waiting)
    const sink = new RecordingSink()
    feed.subscribe(interest(), at(1), sink)
    await told()
    await told()
    expect(sink.resyncs).toEqual([])
    expect(sink.sequences).toEqual([2])
    // Looking for it also brought the others up to date.
    expect(waiting.sequences).toEqual([1, 2])
  })

  it('what could not be read is read again', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(), null, sink)
    storage.failure = new ParleyError('storage-unavailable', 'The database is gone.')
    storage.commitUnheard([anEvent('a')])
    storage.commit([anEvent('b')])
    await told()
    expect(sink.sequences).toEqual([])
    storage.failure = null
    await environment.advance(1_000)
    expect(sink.sequences).toEqual([1, 2])
  })

  it('storage that cannot be read is asked once a second, however much is written meanwhile', async () => {
    storage.failure = new ParleyError('storage-unavailable', 'The database is gone.')
    storage.commitUnheard([anEvent('a')])
    for (let n = 0; n < 50; n++) {
      storage.commit([anEvent('b')])
      await told()
    }
    expect([storage.reads, environment.pending]).toEqual([1, 1])
    await environment.advance(5_000)
    expect([storage.reads, environment.pending]).toEqual([6, 1])
    feed.close()
    expect(environment.pending).toBe(0)
  })

  it('a burst beyond the queue is taken from storage, whole and in order', async () => {
    const sink = new RecordingSink()
    feed.subscribe(interest(), null, sink)
    commitMany(3_500)
    await told()
    expect(sink.sequences).toEqual(range(1, 3_500))
  })
})

it('a closed feed tells nothing more and leaves no listener behind', async () => {
  const sink = new RecordingSink()
  feed.subscribe(interest(), null, sink)
  storage.commit([anEvent('a')])
  feed.close()
  storage.commit([anEvent('a')], [aHead('a', 2, 0)])
  await environment.advance(5_000)
  expect(sink.events).toEqual([])
  expect(environment.pending).toBe(0)
})
