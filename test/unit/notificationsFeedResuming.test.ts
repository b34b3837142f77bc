import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { DELETED } from '../../server/model/event.ts'
import { aHead, anEvent, id, interest, RecordingSink } from '../support/fakeFeed.ts'
import { at, commitMany, cursor, feed, range, start, storage, told } from '../support/feedScene.ts'
import { settled } from '../support/manualEnvironment.ts'

beforeEach(start)

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
          await start()
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
