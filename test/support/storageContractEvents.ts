import { expect, it, onTestFinished } from 'vitest'
import { toSequence, type DocumentId } from '../../server/foundation/ids.ts'
import { NO_MARK } from '../../server/foundation/mark.ts'
import { eventMark, STORED_EVENT_TYPES, type NewEvent } from '../../server/model/event.ts'
import type { CreateFixture, SharedFixture } from './storageFixture.ts'
import { commitAll, newAct, newDocumentId, newEvent, NOON } from './storageSamples.ts'

export function describeEvents(shared: SharedFixture, create: CreateFixture): void {
  it('[NOTE-1] events come back in order, as they were', async () => {
    const { storage } = shared()
    const { last } = await storage.eventRange()
    const document = newDocumentId()
    const events = STORED_EVENT_TYPES.map((type, n): NewEvent => ({
      type,
      document,
      data: { n, flag: true, none: null, pointers: ['/a', ''], text: 'é"' },
    }))
    await commitAll(storage, newAct({ at: NOON + 1, events }), newAct({ events: [newEvent(document)] }))
    const stored = (await storage.events(last, 100)).filter((event) => event.document === document)
    expect(stored.map(({ type, document: subject, data }) => ({ type, document: subject, data }))).toEqual([
      ...events,
      newEvent(document),
    ])
    expect(stored.map((event) => event.at)).toEqual([...events.map(() => NOON + 1), NOON])
    const sequences = stored.map((event) => event.sequence)
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
    expect(await storage.events(last, 2)).toEqual(stored.slice(0, 2))
    expect(await storage.events(sequences[3] ?? last, 1)).toEqual(stored.slice(4, 5))
  })

  it('[NOTE-1] what an act is answered is what the feed holds', async () => {
    const { storage } = shared()
    const { last } = await storage.eventRange()
    const document = newDocumentId()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        storage.commit(newAct({ at: NOON + n, events: [newEvent(document), newEvent(document, { data: { n } })] })),
      ),
    )
    const answered = results.flatMap((result) => (result.status === 'committed' ? result.events : []))
    expect(await storage.events(last, 1000)).toEqual(answered)
  })

  it('the range of an empty feed starts where the next event will be', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    expect(await storage.eventRange()).toEqual({ first: 1, last: 0 })
    expect(await storage.events(toSequence(0), 10)).toEqual([])
    await commitAll(storage, newAct({ events: [newEvent(newDocumentId()), newEvent(newDocumentId())] }))
    expect(await storage.eventRange()).toEqual({ first: 1, last: 2 })
    expect(await storage.pruneEvents(NOON + 1)).toBe(2)
    expect(await storage.eventRange()).toEqual({ first: 3, last: 2 })
    await fixture.reopen()
    const reopened = fixture.storage
    expect(await reopened.eventRange()).toEqual({ first: 3, last: 2 })
    await commitAll(reopened, newAct({ events: [newEvent(newDocumentId())] }))
    expect(await reopened.eventRange()).toEqual({ first: 3, last: 3 })
  })

  it('[NOTE-1] events are forgotten from the oldest on, without holes', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const at = (ms: number, document: DocumentId = newDocumentId()) => newAct({ at: ms, events: [newEvent(document)] })
    await commitAll(storage, at(NOON), at(NOON + 10), at(NOON + 5), at(NOON + 20))
    expect(await storage.pruneEvents(NOON)).toBe(0)
    expect(await storage.pruneEvents(NOON + 6)).toBe(1)
    expect(await storage.eventRange()).toEqual({ first: 2, last: 4 })
    expect(await storage.pruneEvents(NOON + 11)).toBe(2)
    expect((await storage.events(toSequence(0), 10)).map((event) => event.sequence)).toEqual([4])
  })

  it('[OPS-7] the mark of an event is known while it is kept, and of the newest that was pruned', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const marks = (): Promise<string[]> =>
      Promise.all([0, 1, 2, 3, 4].map((sequence) => fixture.storage.eventMark(toSequence(sequence))))
    await commitAll(storage, newAct({ events: [newEvent(newDocumentId()), newEvent(newDocumentId())] }))
    await commitAll(storage, newAct({ at: NOON + 9, events: [newEvent(newDocumentId())] }))
    const [one, two, three] = (await storage.events(toSequence(0), 10)).map(eventMark)
    const none = NO_MARK
    expect(await marks()).toEqual([none, one, two, three, none])
    await storage.pruneEvents(NOON + 1)
    await fixture.reopen()
    expect(await marks()).toEqual([none, none, two, three, none])
    await fixture.storage.pruneEvents(NOON + 10)
    expect(await marks()).toEqual([none, none, none, three, none])
  })

  it('pruning events is bounded, and goes on with the next call', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const document = newDocumentId()
    await commitAll(storage, newAct({ events: Array.from({ length: 5000 }, () => newEvent(document)) }))
    const pruned: number[] = []
    do pruned.push(await storage.pruneEvents(NOON + 1))
    while (pruned.at(-1) !== 0)
    expect(pruned.reduce((sum, count) => sum + count)).toBe(5000)
    expect(Math.max(...pruned)).toBeLessThan(5000)
  })
}
