import { beforeEach, describe, expect, it } from 'vitest'
import type { DocumentId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { formatCursor } from '../../server/notifications/envelope.ts'
import { aHead, anEvent, id, interest, RecordingSink } from '../support/fakeFeed.ts'
import { at, commitMany, cursor, environment, feed, range, start, storage, told } from '../support/feedScene.ts'

beforeEach(start)

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
