import { expect, it } from 'vitest'
import { type DocumentId, toIncarnation, toLockHash, toVersion } from '../../server/foundation/ids.ts'
import type { Knowledge } from '../../server/model/clientKnowledge.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { WaitingEdits } from '../../server/storage/waiting.ts'
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
  NOON,
} from './storageSamples.ts'

const LIFE = newHead(newDocumentId()).incarnation

const byVersions: Knowledge = { by: 'versions', seen: toVersion(3), own: [toVersion(5), toVersion(7)] }
const byStored: Knowledge = { by: 'stored', seen: toVersion(4) }
const byClocks: Knowledge = {
  by: 'clocks',
  clocks: new Map([
    [1, 9],
    [4_294_967_295, 2],
  ]),
  deletes: new Map([[1, [{ clock: 2, len: 3 }]]]),
  sentUpTo: toVersion(2),
  brought: new Map([[1, [{ clock: 2, len: 1 }]]]),
  broughtUpdate: Uint8Array.of(0, 1, 255),
}

const edits = (document: DocumentId, changes: Partial<WaitingEdits> = {}): WaitingEdits => ({
  document,
  author: bob,
  tokenHash: null,
  knowledge: byVersions,
  update: Uint8Array.of(1, 2, 3),
  at: NOON,
  ...changes,
})

async function keep(storage: Storage, kept: WaitingEdits): Promise<number> {
  const position = await storage.keepWaiting(kept, LIFE)
  if (position === null) throw new Error('it was not kept')
  return position
}

const positions = async (storage: Storage, document: DocumentId): Promise<number[]> =>
  (await storage.waiting({ document, after: 0, limit: 99 })).map(({ position }) => position)

/** Edits that wait for a lock. */
export function describeWaiting(shared: SharedFixture, create: CreateFixture): void {
  it.each([
    ['seen versions', { knowledge: byVersions }],
    ['edits that a browser stored', { knowledge: byStored }],
    ['clocks and deletes, by one with a token', { knowledge: byClocks, tokenHash: toLockHash('one') }],
    ['clocks of one that was sent nothing', { knowledge: { ...byClocks, sentUpTo: null } }],
    ['clocks of one that brought nothing', { knowledge: { ...byClocks, brought: new Map(), broughtUpdate: null } }],
    ['ids that were handed on', { handedOn: [7, 4_294_967_295] }],
    ['many bytes', { update: new Uint8Array(100_000).fill(7), author: alice, at: NOON + 1 }],
  ])('[LOCK-4] waiting edits are read as they were kept: %s', async (_, changes) => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    const kept = edits(id, changes)
    const position = await keep(storage, kept)
    expect(await storage.waitingEdits(position)).toEqual(kept)
    const { author, tokenHash, update } = kept
    expect(await storage.waiting({ document: id, after: 0, limit: 9 })).toEqual([
      { position, document: id, author, tokenHash, bytes: update.length },
    ])
  })

  it('[LOCK-4] they are listed in the order in which they were kept, of one document or of all, page by page', async () => {
    const fixture = await create()
    const { storage } = fixture
    const [one, two] = [newDocumentId(), newDocumentId()]
    for (const id of [one, two]) await createDocument(storage, id)
    const kept: number[] = []
    for (const id of [one, two, one, one]) kept.push(await keep(storage, edits(id)))
    const [first, second, third, fourth] = kept
    expect(kept).toEqual(kept.toSorted((a, b) => a - b))
    const list = async (document: DocumentId | null, from: number, limit: number): Promise<number[]> =>
      (await storage.waiting({ document, after: from, limit })).map(({ position }) => position)
    expect(await list(one, 0, 2)).toEqual([first, third])
    expect(await list(one, third ?? 0, 2)).toEqual([fourth])
    expect(await list(null, first ?? 0, 2)).toEqual([second, third])
    await fixture.reopen()
    expect(await positions(fixture.storage, one)).toEqual([first, third, fourth])
    await fixture.dispose()
  })

  it('[LOCK-4] an act that settles them takes them along; one that is refused leaves them', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = await createDocument(storage, id)
    const [one, two, three] = [
      await keep(storage, edits(id)),
      await keep(storage, edits(id)),
      await keep(storage, edits(id)),
    ]
    const next = after(head)
    const stale = await storage.commit(newAct({ appends: [appendTo(after(next))], settles: [one] }))
    expect(stale.status).toBe('stale')
    expect(await positions(storage, id)).toEqual([one, two, three])
    await commitAll(storage, newAct({ appends: [appendTo(next)], settles: [one, three] }))
    expect(await positions(storage, id)).toEqual([two])
    expect(await storage.waitingEdits(one)).toBeNull()
  })

  it('[LOCK-4] of many acts that settle the same exactly one stands, with all that it does', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const head = await createDocument(storage, id)
    const [one, two] = [await keep(storage, edits(id)), await keep(storage, edits(id))]
    await commitAll(storage, newAct({ settles: [one] }))
    const { last } = await storage.eventRange()
    const act = newAct({ appends: [appendTo(after(head))], events: [newEvent(id)], settles: [two, one] })
    expect(await storage.commit(act)).toEqual({ status: 'settled' })
    expect(await storage.head(id)).toEqual(head)
    expect(await storage.entries(id, toVersion(0), toVersion(9), 9)).toHaveLength(1)
    expect((await storage.events(last, 99)).filter(({ document }) => document === id)).toEqual([])
    const racing = Array.from({ length: 5 }, () => storage.commit(newAct({ settles: [two] })))
    const statuses = (await Promise.all(racing)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual(['committed', 'settled', 'settled', 'settled', 'settled'])
  })

  it('[LOCK-4] a position is never given twice', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    const one = await keep(storage, edits(id))
    await commitAll(storage, newAct({ settles: [one] }))
    expect(await keep(storage, edits(id))).toBeGreaterThan(one)
  })

  it('[LOCK-4] [DOC-6] they go with the document, and none is kept for one that is deleted or of another life', async () => {
    const { storage } = shared()
    const [id, other] = [newDocumentId(), newDocumentId()]
    const head = await createDocument(storage, id)
    await createDocument(storage, other)
    const position = await keep(storage, edits(id))
    const elsewhere = await keep(storage, edits(other))
    const deleted = after(head, { deletedAt: NOON })
    await commitAll(storage, actOf(appendTo(deleted, { origin: 'delete' })))
    expect(await storage.waitingEdits(position)).toBeNull()
    expect(await positions(storage, id)).toEqual([])
    expect(await positions(storage, other)).toEqual([elsewhere])
    expect(await storage.keepWaiting(edits(id), LIFE)).toBeNull()
    const again = after(deleted, {
      deletedAt: null,
      firstVersion: toVersion(3),
      incarnation: toIncarnation('another2'),
    })
    await commitAll(storage, actOf(appendTo(again, { origin: 'create' }, 'anew')))
    expect(await storage.keepWaiting(edits(id), LIFE)).toBeNull()
    expect(await storage.keepWaiting(edits(id), again.incarnation)).toEqual(expect.any(Number))
    expect(await storage.keepWaiting(edits(newDocumentId()), LIFE)).toBeNull()
  })

  it('[OPS-6] damaged ones are refused, and still listed', async () => {
    const { storage, damage } = shared()
    const id = newDocumentId()
    await createDocument(storage, id)
    const position = await keep(storage, edits(id))
    await damage('waiting', id)
    await expect(storage.waitingEdits(position)).rejects.toMatchObject({ code: 'document-damaged' })
    expect(await positions(storage, id)).toEqual([position])
  })
}
