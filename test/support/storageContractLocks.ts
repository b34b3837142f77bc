import { expect, it } from 'vitest'
import { type DocumentId, toLockHash, toVersion } from '../../server/foundation/ids.ts'
import type { LockPass } from '../../server/model/lock.ts'
import type { Act } from '../../server/storage/act.ts'
import type { LockWrite } from '../../server/storage/locks.ts'
import type { CreateFixture, SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  commitAll,
  createDocument,
  newAct,
  newDocumentId,
  newEvent,
  newHead,
} from './storageSamples.ts'

const LONG_MS = 60_000
/** Short enough to be waited for, long enough for what happens before it ends. */
const SHORT_MS = 150
const one = toLockHash('one')
const two = toLockHash('two')

const acquiring = (document: DocumentId, more: Partial<LockWrite & { op: 'acquire' }> = {}): Act =>
  newAct({
    locks: [
      { op: 'acquire', document, fence: 1, owner: alice, tokenHash: one, ttlMs: LONG_MS, lapsed: false, ...more },
    ],
  })
const ending = (document: DocumentId, fence: number): Act => newAct({ locks: [{ op: 'end', document, fence }] })
const renewing = (document: DocumentId, fence: number, ttlMs: number): Act =>
  newAct({ locks: [{ op: 'renew', document, fence, ttlMs }] })

const request = (tokenHash: typeof one | null): LockPass => ({ by: 'request', tokenHash })
const edit = (principal: typeof alice, tokenHash: typeof one | null = null): LockPass => ({
  by: 'edit',
  principal,
  tokenHash,
})

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function describeLocks(shared: SharedFixture, create: CreateFixture): void {
  it('[LOCK-2] [WRITE-3] an entry that keeps the settings is held to version and lock like any other', async () => {
    const { storage } = shared()
    const first = await createDocument(storage, newDocumentId())
    const step = (head: typeof first, pass?: LockPass): Act =>
      actOf({ ...appendTo(head), keepsSettings: true, ...(pass ? { pass } : {}) })
    const [second, third, fourth] = [after(first), after(after(first)), after(after(after(first)))]
    expect(await storage.commit(step(third))).toMatchObject({ status: 'stale', version: 1 })
    expect(await storage.commit(step(second))).toMatchObject({ status: 'committed' })
    expect(await storage.head(first.id)).toEqual(second)
    expect(await storage.commit(step(second))).toMatchObject({ status: 'stale', version: 2 })
    await storage.commit(acquiring(first.id))
    const refused = [undefined, request(null), request(two), edit(bob), edit(bob, two)]
    for (const pass of refused) {
      expect(await storage.commit(step(third, pass))).toEqual({ status: 'locked', document: first.id })
    }
    expect(await storage.commit(step(third, request(one)))).toMatchObject({ status: 'committed' })
    expect(await storage.commit(step(fourth, edit(alice)))).toMatchObject({ status: 'committed' })
    await storage.commit(ending(first.id, 1))
    const last = after(fourth)
    expect(await storage.commit(step(last))).toMatchObject({ status: 'committed' })
    expect(await storage.head(first.id)).toEqual(last)
    expect(await storage.commit(step(after(after(last))))).toMatchObject({ status: 'stale', version: 5 })
    expect(await storage.commit(step(newHead(newDocumentId(), { version: toVersion(2) })))).toMatchObject({
      status: 'stale',
      version: 0,
    })
  })

  it('[LOCK-1] a document that was never locked is free, and a lock is held by whoever took it', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    expect(await storage.lock(id)).toEqual({ name: 'free', fence: 0 })
    const before = Date.now()
    const result = await storage.commit(acquiring(id))
    expect(result).toMatchObject({ status: 'committed', lockExpiresAt: expect.any(Number) })
    const lock = await storage.lock(id)
    expect(lock).toMatchObject({ name: 'held', fence: 1, owner: alice, tokenHash: one, ttlMs: LONG_MS })
    if (lock.name !== 'held' || result.status !== 'committed') throw new Error('it is held')
    expect(result.lockExpiresAt).toBe(lock.expiresAt)
    expect(Math.abs(lock.expiresAt - before - LONG_MS)).toBeLessThan(1_000)
    expect(lock.remainingMs).toBeGreaterThan(LONG_MS - 1_000)
    expect(lock.remainingMs).toBeLessThanOrEqual(LONG_MS)
  })

  it('[LOCK-2] of many who take a free lock at once exactly one gets it', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    const results = await Promise.all(Array.from({ length: 20 }, () => storage.commit(acquiring(id))))
    expect(results.filter(({ status }) => status === 'committed')).toHaveLength(1)
    expect(results.filter(({ status }) => status === 'lock-moved')).toHaveLength(19)
  })

  it('[LOCK-2] the fence only grows: an act under another than the next takes nothing', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    await commitAll(storage, acquiring(id), ending(id, 1))
    expect(await storage.lock(id)).toEqual({ name: 'free', fence: 1 })
    for (const fence of [1, 3]) {
      expect(await storage.commit(acquiring(id, { fence }))).toEqual({ status: 'lock-moved', document: id })
    }
    await commitAll(storage, acquiring(id, { fence: 2, tokenHash: two }))
    expect(await storage.lock(id)).toMatchObject({ name: 'held', fence: 2, tokenHash: two })
  })

  it('[LOCK-2] what does not live is not locked', async () => {
    const { storage } = shared()
    const [never, gone] = [newDocumentId(), newDocumentId()]
    const head = await createDocument(storage, gone)
    await commitAll(storage, actOf(appendTo(after(head, { deletedAt: 5 }))))
    for (const id of [never, gone]) {
      expect(await storage.commit(acquiring(id))).toEqual({ status: 'lock-moved', document: id })
      expect(await storage.lock(id)).toEqual({ name: 'free', fence: 0 })
    }
  })

  /** Who may write what, in the states a lock can be in. */
  const PASSES: [string, LockPass | undefined, { free: boolean; held: boolean; lapsed: boolean }][] = [
    ['nothing', undefined, { free: true, held: false, lapsed: true }],
    ['a request without token', request(null), { free: true, held: false, lapsed: true }],
    ['a request with its token', request(one), { free: false, held: true, lapsed: false }],
    ['a request with another token', request(two), { free: false, held: false, lapsed: false }],
    ['an edit of the owner', edit(alice), { free: true, held: true, lapsed: true }],
    ['an edit of another', edit(bob), { free: true, held: false, lapsed: true }],
    ['an edit of another with its token', edit(bob, one), { free: true, held: true, lapsed: true }],
    ['an edit of another with another token', edit(bob, two), { free: true, held: false, lapsed: true }],
  ]
  for (const [who, pass, expected] of PASSES) {
    for (const state of ['free', 'held', 'lapsed'] as const) {
      const word = expected[state] ? 'stands' : 'is refused'
      it(`[LOCK-2] [LOCK-4] ${who} ${word} while the lock is ${state}, in the statement that writes`, async () => {
        const { storage } = shared()
        const id = newDocumentId()
        const head = await createDocument(storage, id)
        if (state !== 'free') await commitAll(storage, acquiring(id, { ttlMs: state === 'held' ? LONG_MS : 1 }))
        if (state === 'lapsed') await wait(5)
        const append = { ...appendTo(after(head)), ...(pass ? { pass } : {}) }
        const result = await storage.commit(newAct({ appends: [append], events: [newEvent(id)] }))
        if (expected[state]) expect(result).toMatchObject({ status: 'committed' })
        else expect(result).toEqual({ status: 'locked', document: id })
        expect((await storage.head(id))?.version).toBe(expected[state] ? 2 : 1)
      })
    }
  }

  it('[LOCK-2] a refusal for the lock comes before one for the version', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = await createDocument(storage, id, 3)
    await commitAll(storage, acquiring(id))
    expect(await storage.commit(actOf(appendTo(head)))).toEqual({ status: 'locked', document: id })
  })

  it('[LOCK-2] of an act over several documents nothing stands if one of them is locked', async () => {
    const { storage } = shared()
    const [open, locked] = [newDocumentId(), newDocumentId()]
    const heads = [await createDocument(storage, open), await createDocument(storage, locked)] as const
    await commitAll(storage, acquiring(locked))
    const both = [appendTo(after(heads[0])), appendTo(after(heads[1]))] as const
    expect(await storage.commit(actOf(...both))).toEqual({ status: 'locked', document: locked })
    expect((await storage.head(open))?.version).toBe(1)
    await commitAll(storage, actOf(both[0], { ...both[1], pass: request(one) }))
  })

  it('[LOCK-3] a renewed lock keeps its fence and lives on', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    await commitAll(storage, acquiring(id, { ttlMs: SHORT_MS }))
    const result = await storage.commit(renewing(id, 1, LONG_MS))
    expect(result).toMatchObject({ status: 'committed', lockExpiresAt: expect.any(Number) })
    await wait(SHORT_MS + 20)
    expect(await storage.lock(id)).toMatchObject({ name: 'held', fence: 1, ttlMs: LONG_MS })
    expect(await storage.commit(renewing(id, 2, LONG_MS))).toEqual({ status: 'lock-moved', document: id })
  })

  it('[LOCK-3] an expired lock cannot be renewed; it can be ended once, or taken by another', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    await commitAll(storage, acquiring(id, { ttlMs: 1 }))
    await wait(5)
    expect(await storage.lock(id)).toMatchObject({ name: 'lapsed', fence: 1, owner: alice })
    const moved = { status: 'lock-moved', document: id }
    expect(await storage.commit(renewing(id, 1, LONG_MS))).toEqual(moved)
    const next = { fence: 2, owner: bob, tokenHash: two }
    expect(await storage.commit(acquiring(id, next))).toEqual(moved)
    await commitAll(storage, acquiring(id, { ...next, lapsed: true }))
    expect(await storage.commit(ending(id, 1))).toEqual(moved)
    expect(await storage.lock(id)).toMatchObject({ name: 'held', fence: 2, owner: bob })
    await commitAll(storage, ending(id, 2))
    expect(await storage.commit(ending(id, 2))).toEqual(moved)
  })

  it('[LOCK-3] the end of a lapsed lock happens once: by itself, or with the next lock', async () => {
    const { storage } = shared()
    for (const first of ['end', 'acquire'] as const) {
      const id = newDocumentId()
      await createDocument(storage, id)
      await commitAll(storage, acquiring(id, { ttlMs: 1 }))
      await wait(5)
      const acts = [ending(id, 1), acquiring(id, { fence: 2, lapsed: true })]
      if (first === 'acquire') acts.reverse()
      const results = await Promise.all(acts.map((act) => storage.commit(act)))
      expect(results.map(({ status }) => status)).toEqual(['committed', 'lock-moved'])
    }
  })

  it('[LOCK-3] a lock that is held is not taken as a lapsed one', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    await commitAll(storage, acquiring(id))
    const taking = acquiring(id, { fence: 2, tokenHash: two, lapsed: true })
    expect(await storage.commit(taking)).toEqual({ status: 'lock-moved', document: id })
    expect(await storage.lock(id)).toMatchObject({ fence: 1, tokenHash: one })
  })

  it('[LOCK-1] a lock and what is told of it are one act: of one that moved nothing is told', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    const events = [newEvent(id, { type: 'parley.document.locked', data: { document: id, fence: 1 } })]
    const { last } = await storage.eventRange()
    const [first, second] = await Promise.all([
      storage.commit({ ...acquiring(id), events }),
      storage.commit({ ...acquiring(id, { tokenHash: two }), events }),
    ])
    expect([first.status, second.status]).toEqual(['committed', 'lock-moved'])
    expect((await storage.events(last, 10)).filter((event) => event.document === id)).toHaveLength(1)
  })

  it('[LOCK-1] the append of an act is checked against the lock as it was before, so that a deletion can end it', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = await createDocument(storage, id)
    await commitAll(storage, acquiring(id))
    const append = { ...appendTo(after(head, { deletedAt: 5 })), pass: request(one) }
    await commitAll(storage, { ...ending(id, 1), appends: [append] })
    expect(await storage.lock(id)).toEqual({ name: 'free', fence: 1 })
  })

  it('[TX-1] an act may change the locks of several documents, all of them or none', async () => {
    const { storage } = shared()
    const ids = [newDocumentId(), newDocumentId()] as const
    for (const id of ids) await createDocument(storage, id)
    const both = ids.flatMap((id) => acquiring(id).locks ?? [])
    await commitAll(storage, newAct({ locks: both }))
    await commitAll(storage, ending(ids[0], 1))
    const ends = ids.toReversed().flatMap((id) => ending(id, 1).locks ?? [])
    expect(await storage.commit(newAct({ locks: ends }))).toEqual({ status: 'lock-moved', document: ids[0] })
    expect(await storage.lock(ids[1])).toMatchObject({ name: 'held' })
  })

  it('[DOC-7] the held locks of some documents, and of no others', async () => {
    const { storage } = shared()
    const [free, held, lapsed, unasked] = [newDocumentId(), newDocumentId(), newDocumentId(), newDocumentId()]
    for (const id of [free, held, lapsed, unasked]) await createDocument(storage, id)
    await commitAll(storage, acquiring(held), acquiring(unasked), acquiring(lapsed, { ttlMs: 1 }))
    await wait(5)
    const locks = await storage.locks([free, held, lapsed])
    expect([...locks.keys()]).toEqual([held])
    expect(locks.get(held)).toMatchObject({ name: 'held', owner: alice, fence: 1 })
    expect(await storage.locks([])).toEqual(new Map())
  })

  it('[LOCK-3] locks that were not ended, in the order in which they expire', async () => {
    const fixture = await create()
    const { storage } = fixture
    const [late, soon, over, ended] = [newDocumentId(), newDocumentId(), newDocumentId(), newDocumentId()]
    for (const id of [late, soon, over, ended]) await createDocument(storage, id)
    await commitAll(
      storage,
      acquiring(late, { ttlMs: 2 * LONG_MS }),
      acquiring(soon),
      acquiring(over, { ttlMs: 1 }),
      acquiring(ended),
      ending(ended, 1),
    )
    await wait(5)
    const next = await storage.nextLocks(10)
    expect(next.map(({ document, lock }) => [document, lock.name])).toEqual([
      [over, 'lapsed'],
      [soon, 'held'],
      [late, 'held'],
    ])
    expect(await storage.nextLocks(1)).toHaveLength(1)
    await fixture.dispose()
  })

  it('[LOCK-3] locks and fences survive a restart, and none lives longer for it', async () => {
    const fixture = await create()
    const [held, ended] = [newDocumentId(), newDocumentId()]
    for (const id of [held, ended]) await createDocument(fixture.storage, id)
    await commitAll(fixture.storage, acquiring(held), acquiring(ended), ending(ended, 1))
    const before = await fixture.storage.lock(held)
    await fixture.reopen()
    const lock = await fixture.storage.lock(held)
    expect(lock).toMatchObject({ name: 'held', fence: 1, owner: alice, tokenHash: one })
    expect(lock.name === 'held' && before.name === 'held' && lock.remainingMs <= before.remainingMs).toBe(true)
    expect(await fixture.storage.lock(ended)).toEqual({ name: 'free', fence: 1 })
    expect(await fixture.storage.commit(acquiring(ended))).toMatchObject({ status: 'lock-moved' })
    await fixture.dispose()
  })
}
