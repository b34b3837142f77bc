import { expect, it } from 'vitest'
import { nextVersion, toIncarnation, toPrincipalId, toSequence, toVersion } from '../../server/foundation/ids.ts'
import type { NewEvent } from '../../server/model/event.ts'
import type { Act, Append, Committed } from '../../server/storage/act.ts'
import { entryChecksum, type EntryMark } from '../../server/storage/log.ts'
import type { SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  appendTo,
  changing,
  commitAll,
  createDocument,
  EVERYTHING,
  newAct,
  newConflict,
  newDocumentId,
  newEvent,
  newHead,
  NOON,
  NOTHING,
  opening,
} from './storageSamples.ts'

export function describeActs(shared: SharedFixture): void {
  it('a created document is there, with its entry and its events', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = newHead(id, { schema: { type: 'object' }, kind: 'json', conflictPolicy: 'merge', root: 'wurzel' })
    const append = appendTo(head)
    const result = await storage.commit(newAct({ appends: [append], events: [newEvent(id)] }))
    expect(result).toMatchObject({ status: 'committed', events: [{ ...newEvent(id), at: NOON }] })
    expect(await storage.head(id)).toEqual(head)
    expect(await storage.entries(id, NOTHING, EVERYTHING, 10)).toEqual([append.entry])
  })

  it('an id that was never used is at version 0', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    expect(await storage.head(id)).toBeNull()
    const result = await storage.commit(actOf(appendTo(newHead(id, { version: toVersion(5) }))))
    expect(result).toEqual({ status: 'stale', document: id, version: 0 })
    expect(await storage.head(id)).toBeNull()
  })

  it('a stale act writes nothing and is told the stored version', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = await createDocument(storage, id, 3)
    const again = await storage.commit(actOf(appendTo(newHead(id))))
    expect(again).toEqual({ status: 'stale', document: id, version: 3 })
    const behind = await storage.commit(actOf(appendTo(after(newHead(id)))))
    expect(behind).toEqual({ status: 'stale', document: id, version: 3 })
    const ahead = await storage.commit(actOf(appendTo(newHead(id, { version: toVersion(5) }))))
    expect(ahead).toEqual({ status: 'stale', document: id, version: 3 })
    expect(await storage.head(id)).toEqual(head)
    expect(await storage.entries(id, NOTHING, EVERYTHING, 10)).toHaveLength(3)
  })

  it('[WRITE-3] an entry that builds on one that was refused does not stand on the one that took its version', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const first = await createDocument(storage, id)
    const taken = after(first)
    const mark = (append: Append, changes: Partial<EntryMark> = {}): EntryMark => ({
      checksum: entryChecksum(append.entry.update),
      author: append.entry.author,
      at: append.entry.at,
      ...changes,
    })
    const winner = appendTo(taken)
    await commitAll(storage, actOf(winner))
    const others = [
      mark(appendTo(taken, { update: Uint8Array.of(9) })),
      mark(winner, { author: toPrincipalId('carol') }),
      mark(winner, { at: winner.entry.at + 1 }),
    ]
    /** It writes no entry, and speaks of that one. */
    const speakingOf = (one: EntryMark, event: NewEvent): Act =>
      newAct({ events: [event], onto: [{ document: id, version: taken.version, mark: one }] })
    const unsaid = newEvent(id, { data: { said: 'never' } })
    for (const onto of others) {
      for (const act of [actOf({ ...appendTo(after(taken)), onto }), speakingOf(onto, unsaid)])
        expect(await storage.commit(act)).toEqual({ status: 'stale', document: id, version: 2 })
    }
    const { last } = await storage.eventRange()
    await commitAll(storage, speakingOf(mark(winner), newEvent(id)))
    await commitAll(storage, actOf({ ...appendTo(after(taken)), onto: mark(winner) }))
    expect(await storage.events(last, 10)).toMatchObject([newEvent(id)])
  })

  it('[WRITE-3] of many concurrent acts on one version exactly one commits', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = await createDocument(storage, id)
    const writers = Array.from({ length: 50 }, (_, n) => {
      const next = after(head, { updatedAt: NOON + n })
      return storage.commit(newAct({ appends: [appendTo(next)], events: [newEvent(id, { data: { writer: n } })] }))
    })
    const results = await Promise.all(writers)
    const winners = results.filter((result) => result.status === 'committed')
    expect(winners).toHaveLength(1)
    expect(results.filter((result) => result.status === 'stale' && result.version === 2)).toHaveLength(49)
    const [winner] = winners.flatMap((result) => result.events)
    expect(await storage.head(id)).toMatchObject({ version: 2, updatedAt: NOON + Number(winner?.data['writer']) })
    expect(await storage.entries(id, NOTHING, EVERYTHING, 10)).toHaveLength(2)
  })

  it('[WRITE-3] of many concurrent creations of one id exactly one commits', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const results = await Promise.all(Array.from({ length: 20 }, () => storage.commit(actOf(appendTo(newHead(id))))))
    expect(results.filter((result) => result.status === 'committed')).toHaveLength(1)
  })

  it('acts that wait at the same time are independent of each other', async () => {
    const { storage } = shared()
    const ids = Array.from({ length: 9 }, () => newDocumentId())
    const taken = ids.filter((_, n) => n % 3 === 0)
    for (const id of taken) await createDocument(storage, id)
    const results = await Promise.all(ids.map((id) => storage.commit(actOf(appendTo(newHead(id))))))
    expect(results.map((result) => result.status)).toEqual(
      ids.map((id) => (taken.includes(id) ? 'stale' : 'committed')),
    )
    for (const id of ids) expect(await storage.entries(id, NOTHING, EVERYTHING, 10)).toHaveLength(1)
  })

  it('acts of one tick build on each other in the order of the calls', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    let head = newHead(id)
    const commits = [storage.commit(actOf(appendTo(head)))]
    for (let n = 0; n < 99; n += 1) {
      head = after(head)
      commits.push(storage.commit(actOf(appendTo(head))))
    }
    expect((await Promise.all(commits)).every((result) => result.status === 'committed')).toBe(true)
    const entries = await storage.entries(id, NOTHING, EVERYTHING, 1000)
    expect(entries.map((entry) => entry.version)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1))
  })

  it('one act may append several entries, also to several documents', async () => {
    const { storage } = shared()
    const [one, two] = [newHead(newDocumentId()), newHead(newDocumentId())]
    await commitAll(storage, actOf(appendTo(one), appendTo(two), appendTo(after(one))))
    expect(await storage.head(one.id)).toEqual(after(one))
    expect(await storage.head(two.id)).toEqual(two)
  })

  it('[TX-1] nothing of an act remains when its last append is stale', async () => {
    const fixture = shared()
    const { storage } = fixture
    const [fresh, moved] = [newDocumentId(), newDocumentId()]
    await createDocument(storage, moved, 2)
    const before = { contents: await fixture.countContents(), events: await storage.eventRange() }
    const record = newConflict(moved)
    const doomed: Act = {
      ...opening(record),
      appends: [appendTo(newHead(fresh), {}, 'checkpoint'), appendTo(after(newHead(moved)))],
      events: [newEvent(fresh)],
    }
    expect(await storage.commit(doomed)).toEqual({ status: 'stale', document: moved, version: 2 })
    expect(await storage.head(fresh)).toBeNull()
    expect(await storage.entries(fresh, NOTHING, EVERYTHING, 10)).toEqual([])
    expect(await storage.checkpoint(fresh, EVERYTHING)).toBeNull()
    expect(await storage.conflict(record.id)).toBeNull()
    expect(await fixture.countContents()).toBe(before.contents)
    expect(await storage.eventRange()).toEqual(before.events)
    await createDocument(storage, fresh)
    expect(await storage.entries(fresh, NOTHING, EVERYTHING, 10)).toHaveLength(1)
  })

  it('nothing of an act remains when a conflict of it has moved', async () => {
    const fixture = shared()
    const { storage } = fixture
    const head = newHead(newDocumentId())
    const moved = newConflict(head.id, { revision: 3 })
    await commitAll(storage, actOf(appendTo(head)), opening(moved))
    const before = { contents: await fixture.countContents(), events: await storage.eventRange() }
    const opened = newConflict(head.id, { incoming: { version: null, hash: `second of ${head.id}` } })
    const doomed: Act = {
      ...opening(opened),
      appends: [appendTo(after(head))],
      conflicts: [
        { op: 'insert', record: opened },
        { op: 'update', record: { ...moved, revision: 3 } },
      ],
      events: [newEvent(head.id)],
    }
    expect(await storage.commit(doomed)).toEqual({ status: 'conflict-moved', conflict: moved.id })
    expect(await storage.head(head.id)).toEqual(head)
    expect(await storage.entries(head.id, NOTHING, EVERYTHING, 10)).toHaveLength(1)
    expect(await storage.conflict(opened.id)).toBeNull()
    expect(await fixture.countContents()).toBe(before.contents)
    expect(await storage.eventRange()).toEqual(before.events)
  })

  it('an author whose first act was refused is the author of the next', async () => {
    const { storage } = shared()
    const [fresh, moved] = [newHead(newDocumentId()), newHead(newDocumentId())]
    const author = toPrincipalId(`author of ${fresh.id}`)
    await createDocument(storage, moved.id, 2)
    const [refused, committed] = await Promise.all([
      storage.commit(actOf(appendTo(fresh, { author }), appendTo(after(moved)))),
      storage.commit(actOf(appendTo(fresh, { author }))),
    ])
    expect([refused.status, committed.status]).toEqual(['stale', 'committed'])
    expect(await storage.entries(fresh.id, NOTHING, EVERYTHING, 10)).toMatchObject([{ author }])
  })

  it('a deleted id is created again under its next version, and its log is kept', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const first = newHead(id)
    const deleted = after(first, { deletedAt: NOON + 1000 })
    await commitAll(storage, actOf(appendTo(first)), actOf(appendTo(deleted, { origin: 'delete' })))
    const stale = await storage.commit(actOf(appendTo(newHead(id))))
    expect(stale).toEqual({ status: 'stale', document: id, version: 2 })
    const again = newHead(id, {
      incarnation: toIncarnation('wxyz6789'),
      version: toVersion(3),
      firstVersion: toVersion(3),
      kind: 'json',
    })
    await commitAll(storage, actOf(appendTo(again, { effect: null })))
    expect(await storage.head(id)).toEqual(again)
    expect((await storage.entries(id, NOTHING, EVERYTHING, 10)).map((entry) => entry.origin)).toEqual([
      'create',
      'delete',
      'create',
    ])
  })

  it('committed acts are told in commit order before their promises resolve; refused ones are not', async () => {
    const { storage } = shared()
    const log: string[] = []
    const stop = storage.onCommitted(({ heads, events }: Committed) => {
      log.push(`told ${heads.map((head) => head.version).join()} ${events.length}`)
    })
    const head = newHead(newDocumentId())
    const note = (name: string) => (result: { status: string }) => void log.push(`${name} ${result.status}`)
    await Promise.all([
      storage.commit(newAct({ appends: [appendTo(head)], events: [newEvent(head.id)] })).then(note('first')),
      storage.commit(actOf(appendTo(head))).then(note('stale')),
      storage.commit(actOf(appendTo(after(head)), appendTo(after(after(head))))).then(note('second')),
    ])
    expect(log.filter((line) => line.startsWith('told'))).toEqual(['told 1 1', 'told 2,3 0'])
    expect(log.indexOf('told 1 1')).toBeLessThan(log.indexOf('first committed'))
    expect(log.indexOf('told 2,3 0')).toBeLessThan(log.indexOf('second committed'))
    expect(log).toContain('stale stale')
    stop()
    await commitAll(storage, actOf(appendTo(after(after(after(head))))))
    expect(log).toHaveLength(5)
  })

  it('what was told of can be read at once', async () => {
    const { storage } = shared()
    const head = newHead(newDocumentId())
    const read = new Promise<unknown>((resolve) => {
      const stop = storage.onCommitted(() => {
        stop()
        resolve(storage.head(head.id))
      })
    })
    await commitAll(storage, actOf(appendTo(head)))
    expect(await read).toEqual(head)
  })

  it('a snapshot stands only on exactly the entry it was made of', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 3)
    const [, second, third] = await storage.entries(head.id, NOTHING, EVERYTHING, 10)
    const right = entryChecksum(second?.update ?? new Uint8Array())
    const state = Uint8Array.of(9, 8, 7)
    const version = toVersion(2)
    await storage.storeSnapshot(head.id, { version, state }, entryChecksum(third?.update ?? new Uint8Array()))
    expect(await storage.snapshot(head.id)).toBeNull()
    await storage.storeSnapshot(head.id, { version: toVersion(4), state }, right)
    expect(await storage.snapshot(head.id)).toBeNull()
    await storage.storeSnapshot(newDocumentId(), { version, state }, right)
    await storage.storeSnapshot(head.id, { version, state }, right)
    expect(await storage.snapshot(head.id)).toEqual({ version, state })
  })

  it('[SYNC-6] a snapshot keeps who wrote first under which id', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 1)
    const [first] = await storage.entries(head.id, NOTHING, EVERYTHING, 1)
    const snapshot = { version: toVersion(1), state: Uint8Array.of(9), owners: Uint8Array.of(1, 2, 3) }
    await storage.storeSnapshot(head.id, snapshot, entryChecksum(first?.update ?? new Uint8Array()))
    expect(await storage.snapshot(head.id)).toEqual(snapshot)
  })

  it('a snapshot replaces an older one, never a newer one', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 3)
    const sums = (await storage.entries(head.id, NOTHING, EVERYTHING, 10)).map((entry) => entryChecksum(entry.update))
    const store = (version: number, state: number): Promise<void> =>
      storage.storeSnapshot(
        head.id,
        { version: toVersion(version), state: Uint8Array.of(state) },
        sums[version - 1] ?? 0,
      )
    await store(1, 10)
    await store(3, 30)
    await store(2, 20)
    expect(await storage.snapshot(head.id)).toEqual({ version: 3, state: Uint8Array.of(30) })
  })

  it('a snapshot may be handed in behind the act it belongs to, and falls with it', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId())
    const append = appendTo(after(head))
    const state = Uint8Array.of(5)
    const snapshot = { version: append.head.version, state }
    const commit = storage.commit(actOf(append))
    await Promise.all([commit, storage.storeSnapshot(head.id, snapshot, entryChecksum(append.entry.update))])
    expect(await storage.snapshot(head.id)).toEqual(snapshot)

    const loser = appendTo(after(head), { update: Uint8Array.of(99) })
    const refused = storage.commit(actOf(loser))
    const wrong = { version: loser.head.version, state: Uint8Array.of(6) }
    await Promise.all([refused, storage.storeSnapshot(head.id, wrong, entryChecksum(loser.entry.update))])
    expect(await storage.snapshot(head.id)).toEqual(snapshot)
  })

  it('a new incarnation has no snapshot of the one before it', async () => {
    const { storage } = shared()
    const head = newHead(newDocumentId())
    const first = appendTo(head)
    await commitAll(storage, actOf(first))
    const snapshot = { version: head.version, state: Uint8Array.of(1) }
    await storage.storeSnapshot(head.id, snapshot, entryChecksum(first.entry.update))
    const deleted = after(head, { deletedAt: NOON })
    const revived = after(deleted, { deletedAt: null, firstVersion: nextVersion(deleted.version) })
    await commitAll(storage, actOf(appendTo(deleted)), actOf(appendTo(revived)))
    expect(await storage.snapshot(head.id)).toBeNull()
    await storage.storeSnapshot(head.id, snapshot, entryChecksum(first.entry.update))
    expect(await storage.snapshot(head.id)).toBeNull()
  })

  it('the first event of a storage has sequence 1 or more, and each next a greater one', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const results = await commitAll(
      storage,
      newAct({ events: [newEvent(id), newEvent(id)] }),
      newAct({ events: [newEvent(id)] }),
    )
    const sequences = results.flatMap((result) => (result.status === 'committed' ? result.events : []))
    const [first] = sequences
    expect(first?.sequence).toBeGreaterThanOrEqual(toSequence(1))
    expect(sequences.map((event) => event.sequence - (first?.sequence ?? 0))).toEqual([0, 1, 2])
  })

  it('an act of conflicts alone needs no append', async () => {
    const { storage } = shared()
    const record = newConflict(newDocumentId())
    await commitAll(storage, opening(record), changing({ ...record, revision: 2 }))
    expect(await storage.conflict(record.id)).toEqual({ ...record, revision: 2 })
  })

  it('an act that breaks the rules of the port is refused loudly, and harms no other', async () => {
    const { storage } = shared()
    const head = newHead(newDocumentId())
    const skipping = { ...appendTo(head), head: { ...head, version: toVersion(2) } }
    const orphan = newAct({ contents: new Map([['nobody refers to this', 'content']]) })
    const unstored = newAct({ conflicts: [{ op: 'insert', record: newConflict(head.id) }] })
    const results = await Promise.allSettled([
      storage.commit(actOf(skipping)),
      storage.commit(orphan),
      storage.commit(unstored),
      storage.commit(actOf(appendTo(head))),
    ])
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(await storage.head(head.id)).toEqual(head)
  })
}
