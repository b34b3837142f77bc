import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import type { StoredAnswer } from '../../server/foundation/answer.ts'
import { nextVersion, toSequence, toVersion } from '../../server/foundation/ids.ts'
import type { Head } from '../../server/model/document.ts'
import type { Delivery } from '../../server/model/webhook.ts'
import type { Act } from '../../server/storage/act.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  commitAll,
  createDocument,
  newAct,
  newAnswer,
  newConflict,
  newDocumentId,
  newEvent,
  newHead,
  NOON,
  opening,
  openingWith,
} from './storageSamples.ts'

/** What is left of a head, as a purge by bob makes it. */
const purged = (head: Head): Head => ({
  ...head,
  firstVersion: nextVersion(head.version),
  createdBy: bob,
  updatedBy: bob,
  schema: null,
})

const purgeAct = (head: Head, answer?: StoredAnswer): Act =>
  newAct({ purges: [purged(head)], ...(answer === undefined ? {} : { answer }) })

/** Whether the purge stood. */
const purge = async (storage: Storage, head: Head, answer?: StoredAnswer): Promise<boolean> =>
  (await storage.commit(purgeAct(head, answer))).status === 'committed'

/** The first head of a new life of the id. */
const reborn = (head: Head): Head => ({
  ...head,
  version: nextVersion(head.version),
  firstVersion: nextVersion(head.version),
  deletedAt: null,
  createdBy: alice,
  updatedBy: alice,
})

/** A document with all that can belong to one, deleted. Answers its last head. */
async function deletedDocument(storage: Storage, formerClients?: ReadonlyMap<number, number>): Promise<Head> {
  const head = await createDocument(storage, newDocumentId(), 3)
  const deleted = after(head, { deletedAt: NOON + 9000 })
  await commitAll(
    storage,
    opening(newConflict(head.id)),
    newAct({ answer: newAnswer({ key: `key of ${head.id}`, documents: [newDocumentId(), head.id] }) }),
    newAct({ events: [newEvent(head.id), newEvent(head.id, { type: 'parley.document.deleted' })] }),
    actOf({
      ...appendTo(deleted, { origin: 'delete' }, `content of ${head.id}`),
      ...(formerClients && { formerClients }),
    }),
  )
  await storage.setLabel(head.id, toVersion(2), 'a name')
  return deleted
}

/** A document with six of all that may be large, of which one kind is; deleted, and its purge begun. */
async function purgedWith(
  storage: Storage,
  large: 'update' | 'effect' | 'checkpoint' | 'answer' | 'content' | 'pack' | null,
): Promise<Head['id']> {
  const head = newHead(newDocumentId())
  // As nothing that deflates.
  const noise = (): string => randomBytes(1_500_000).toString('base64')
  const valueOf = (what: typeof large): string => (large === what ? noise() : 'small')
  let last = head
  for (let n = 0; n < 6; n++, last = after(last)) {
    const effect = { kind: 'text', delta: [valueOf('effect')] } as const
    const append = appendTo(last, { update: Buffer.from(valueOf('update')), effect }, valueOf('checkpoint'))
    const answer = newAnswer({ key: `${n} of ${head.id}`, documents: [head.id], body: valueOf('answer') })
    const incoming = { version: null, hash: `${n} of ${head.id}` }
    const opens = openingWith(() => valueOf('content'), newConflict(head.id, { incoming }))
    await commitAll(storage, { ...actOf(append), answer }, opens)
    if (large !== 'pack') continue
    const rows = [{ ...append.entry, update: Buffer.from(valueOf('pack')) }]
    if (!(await storage.rewrite({ document: head.id, replaced: [last.version], rows }))) throw new Error('it is packed')
  }
  const deleted = { ...last, deletedAt: NOON }
  await commitAll(storage, actOf(appendTo(deleted, { origin: 'delete' })))
  await purge(storage, deleted)
  return head.id
}

async function eraseAll(storage: Storage, id: Head['id']): Promise<number> {
  let steps = 0
  while (await storage.erasePurged(id)) steps += 1
  return steps
}

/** What storage still tells of a document but its head. */
async function traces(storage: Storage, id: Head['id']): Promise<unknown> {
  const [zero, all] = [toVersion(0), toVersion(99)]
  const events = await storage.events(toSequence(0), 10_000)
  return {
    versions: (await storage.versions(id, zero, all, 99)).length,
    checkpoint: await storage.checkpoint(id, all),
    snapshot: await storage.snapshot(id),
    answer: (await storage.answer(alice, `key of ${id}`))?.status ?? null,
    conflicts: (await storage.conflicts({ patterns: [{ exact: id }], before: null, limit: 9 })).length,
    events: events.filter((event) => event.document === id).map((event) => event.type),
  }
}

/** What erases a document for good, step by step. */
export function describePurge(shared: SharedFixture): void {
  it('[HIST-5] a purged document keeps its head, its Yjs clients and that it was deleted; all else goes', async () => {
    const { storage } = shared()
    const other = await deletedDocument(storage)
    const contents = await shared().countContents()
    const clients = new Map([
      [7, 12],
      [4_294_967_295, 1],
    ])
    const head = await deletedDocument(storage, clients)
    expect(await purge(storage, head)).toBe(true)
    expect(await storage.unfinishedPurges()).toContain(head.id)
    expect(await eraseAll(storage, head.id)).toBeGreaterThan(1)
    expect(await storage.unfinishedPurges()).not.toContain(head.id)
    expect(await storage.head(head.id)).toEqual(purged(head))
    expect(await storage.formerClients(head.id)).toEqual(clients)
    expect(await traces(storage, head.id)).toEqual({
      versions: 0,
      checkpoint: null,
      snapshot: null,
      answer: null,
      conflicts: 0,
      events: ['parley.document.deleted'],
    })
    expect(await shared().countContents()).toBe(contents)
    expect(await traces(storage, other.id)).toMatchObject({ versions: 4, conflicts: 1, answer: 200 })
    expect(await storage.erasePurged(head.id)).toBe(false)
  })

  it('[SYNC-7] the Yjs clients of ended incarnations are kept with the entry that ends them, the highest clock each', async () => {
    const { storage } = shared()
    const id = newDocumentId()
    const first = await createDocument(storage, id, 1)
    expect(await storage.formerClients(id)).toEqual(new Map())
    const end = async (head: Head, formerClients: ReadonlyMap<number, number>): Promise<void> => {
      await commitAll(storage, actOf({ ...appendTo(head, { origin: 'delete' }), formerClients }))
    }
    const gone = after(first, { deletedAt: NOON })
    await end(
      gone,
      new Map([
        [1, 5],
        [2, 7],
      ]),
    )
    const again = after(gone, { deletedAt: null, firstVersion: toVersion(gone.version + 1) })
    await commitAll(storage, actOf(appendTo(again, { origin: 'create' }, 'anew')))
    await end(
      after(again, { deletedAt: NOON }),
      new Map([
        [2, 3],
        [4_294_967_295, 1],
      ]),
    )
    expect(await storage.formerClients(id)).toEqual(
      new Map([
        [1, 5],
        [2, 7],
        [4_294_967_295, 1],
      ]),
    )
    expect(await storage.formerClients(newDocumentId())).toEqual(new Map())
  })

  it('[HIST-5] only a deleted document at the version named is purged', async () => {
    const { storage } = shared()
    const living = await createDocument(storage, newDocumentId(), 2)
    expect(await purge(storage, { ...living, deletedAt: NOON })).toBe(false)
    expect(await storage.head(living.id)).toEqual(living)
    const head = await deletedDocument(storage)
    expect(await purge(storage, { ...head, version: toVersion(3) })).toBe(false)
    expect(await purge(storage, { ...head, id: newDocumentId() })).toBe(false)
    expect(await storage.erasePurged(head.id)).toBe(false)
    expect(await traces(storage, head.id)).toMatchObject({ versions: 4, conflicts: 1 })
  })

  it('[HIST-5] its stored answers are not told any more from the first step on; those of a new life are', async () => {
    const { storage } = shared()
    const head = await deletedDocument(storage)
    const own = newAnswer({ key: `purge of ${head.id}`, status: 204, body: null })
    expect(await purge(storage, { ...head, version: toVersion(3) }, own)).toBe(false)
    expect(await storage.answer(alice, own.key)).toBeNull()
    expect(await purge(storage, head, own)).toBe(true)
    expect(await storage.answer(alice, `key of ${head.id}`)).toBeNull()
    const late = newAnswer({ key: `late key of ${head.id}`, documents: [head.id] })
    await commitAll(storage, newAct({ answer: late }))
    expect(await storage.answer(alice, late.key)).toBeNull()
    const later = newAnswer({ key: `later key of ${head.id}`, documents: [head.id] })
    await commitAll(storage, actOf(appendTo(reborn(head), { origin: 'create' }, 'anew')), newAct({ answer: later }))
    expect(await storage.answer(alice, later.key)).toEqual(later)
    await eraseAll(storage, head.id)
    expect(await storage.answer(alice, `key of ${head.id}`)).toBeNull()
    expect(await storage.answer(alice, later.key)).toEqual(later)
    expect(await storage.answer(alice, own.key)).toEqual(own)
  })

  it('[HIST-5] what a new life brought meanwhile stays', async () => {
    const { storage } = shared()
    const head = await deletedDocument(storage, new Map([[1, 5]]))
    await purge(storage, head)
    const again = reborn(head)
    const act = actOf(appendTo(again, { origin: 'create' }, 'anew'))
    await commitAll(storage, { ...act, events: [newEvent(head.id)] }, opening(newConflict(head.id)))
    await eraseAll(storage, head.id)
    expect(await storage.head(head.id)).toEqual(again)
    expect(await storage.logStart(head.id)).toBe(4)
    expect(await traces(storage, head.id)).toMatchObject({
      versions: 1,
      checkpoint: { content: 'anew' },
      conflicts: 1,
      events: ['parley.document.deleted', 'parley.document.created'],
    })
    const gone = after(again, { deletedAt: NOON + 9000 })
    const formerClients = new Map([
      [1, 3],
      [2, 2],
    ])
    // The deletion and the purge may be one act.
    const end = actOf({ ...appendTo(gone, { origin: 'delete' }), formerClients })
    await commitAll(storage, { ...end, purges: [purged(gone)] })
    await eraseAll(storage, head.id)
    expect(await storage.formerClients(head.id)).toEqual(
      new Map([
        [1, 5],
        [2, 2],
      ]),
    )
  })

  it('[HIST-5] from the first step on nothing of it is there, whatever is not erased yet', async () => {
    const { storage } = shared()
    const head = await deletedDocument(storage)
    const [conflict] = await storage.conflicts({ patterns: [{ exact: head.id }], before: null, limit: 9 })
    await purge(storage, head)
    const nothing = {
      versions: 0,
      checkpoint: null,
      snapshot: null,
      answer: null,
      conflicts: 0,
      events: ['parley.document.deleted'],
    }
    expect(await traces(storage, head.id)).toEqual(nothing)
    expect(conflict && (await storage.conflict(conflict.id))).toBeNull()
    const [first, last] = [toVersion(1), head.version]
    expect(await storage.versionAt(head.id, first)).toBeNull()
    expect(await storage.entries(head.id, toVersion(0), last, 99)).toEqual([])
    expect(await storage.effects(head.id, toVersion(0), last, 99)).toEqual([])
    await commitAll(storage, actOf(appendTo(reborn(head), { origin: 'create' }, 'anew')))
    expect(await storage.logStart(head.id)).toBe(last)
    expect((await storage.versions(head.id, toVersion(0), toVersion(99), 99)).map((one) => one.version)).toEqual([5])
    expect((await storage.entries(head.id, toVersion(0), toVersion(99), 99)).map((one) => one.version)).toEqual([5])
    expect(await storage.openConflictCounts([head.id])).toEqual(new Map())
    await eraseAll(storage, head.id)
    // Whoever reads from nothing on meets the new life at once, also when nothing is left to be erased.
    expect(await storage.logStart(head.id)).toBe(last)
    expect((await storage.effects(head.id, toVersion(0), toVersion(99), 99)).map((one) => one.version)).toEqual([5])
    expect((await storage.entries(head.id, toVersion(0), toVersion(99), 99)).map((one) => one.version)).toEqual([5])
  })

  it('[HIST-5] erasing is bounded, and goes on after it was closed and opened again', async () => {
    const fixture = shared()
    const head = await createDocument(fixture.storage, newDocumentId(), 1_200)
    const deleted = after(head, { deletedAt: NOON })
    await commitAll(fixture.storage, actOf(appendTo(deleted, { origin: 'delete' })))
    await purge(fixture.storage, deleted)
    expect(await fixture.storage.erasePurged(head.id)).toBe(true)
    await fixture.reopen()
    expect(await fixture.storage.unfinishedPurges()).toContain(head.id)
    expect(await eraseAll(fixture.storage, head.id)).toBeGreaterThan(1)
    expect(await fixture.storage.unfinishedPurges()).not.toContain(head.id)
    expect(await fixture.storage.versions(head.id, toVersion(0), deleted.version, 2_000)).toEqual([])
  })

  it('[HIST-5] what a next life opens and answers while a purge is unfinished stays, whatever went meanwhile', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId())
    const deleted = after(head, { deletedAt: NOON })
    const before = newAnswer({ key: `before of ${head.id}`, documents: [head.id] })
    const opened = Array.from({ length: 60 }, () => newConflict(head.id))
    await commitAll(storage, actOf(appendTo(deleted, { origin: 'delete' })), { ...opening(...opened), answer: before })
    await purge(storage, deleted)
    // All rows but the last few are gone, the newest conflicts and the answer among them.
    const rest = { id: head.id, steps: 0 }
    for (; rest.steps < 4; rest.steps++) await storage.erasePurged(rest.id)
    const anew = reborn(purged(deleted))
    const [next, answer] = [newConflict(head.id), newAnswer({ key: `after of ${head.id}`, documents: [head.id] })]
    await commitAll(storage, actOf(appendTo(anew)), { ...opening(next), answer })
    expect(await storage.conflict(next.id)).toEqual(next)
    expect(await storage.answer(alice, answer.key)).toEqual(answer)
    await eraseAll(storage, head.id)
    expect(await storage.conflict(next.id)).toEqual(next)
    expect(await storage.answer(alice, answer.key)).toEqual(answer)
    expect(await storage.answer(alice, before.key)).toBeNull()
  })

  it.each(['update', 'effect', 'checkpoint', 'answer', 'content', 'pack'] as const)(
    '[OPS-8] of large rows a purge erases a few at a time: %s',
    async (large) => {
      const { storage } = shared()
      const few = await eraseAll(storage, await purgedWith(storage, null))
      const purgedId = await purgedWith(storage, large)
      expect(await eraseAll(storage, purgedId)).toBeGreaterThan(few)
      expect(await storage.unfinishedPurges()).not.toContain(purgedId)
    },
  )

  it('[HIST-5] deliveries to webhooks that tell of it go too, but for that of its deletion', async () => {
    const { storage } = shared()
    const head = await deletedDocument(storage)
    const webhook = {
      id: `whk_purge${head.id.length}` as const,
      url: 'https://receiver.test/',
      documents: ['*'],
      events: [],
      secret: 's',
      owner: { sub: alice, name: null, access: {}, issuedAt: 1, expiresAt: 2, tokenId: null },
      createdAt: NOON,
    }
    const delivery = (document: Head['id'], type: Delivery['type']): Delivery => ({
      message: `${type} of ${document}`,
      type,
      document,
      body: '{}',
      createdAt: NOON,
      attempts: 0,
      firstAttemptAt: null,
      lastAttempt: null,
      state: { status: 'pending', nextAttemptAt: NOON },
    })
    await storage.addWebhook(webhook, 'start')
    const other = newDocumentId()
    await storage.queueDeliveries(webhook.id, 'next', [
      delivery(head.id, 'parley.conflict.detected'),
      delivery(other, 'parley.conflict.detected'),
      delivery(head.id, 'parley.document.deleted'),
    ])
    await purge(storage, head)
    // It was on its way to the queue when the document was purged.
    await storage.queueDeliveries(webhook.id, 'next', [delivery(head.id, 'parley.conflict.resolved')])
    const messages = async (): Promise<string[]> =>
      (await storage.pendingDeliveries(webhook.id)).map((one) => one.message)
    const left = [`parley.conflict.detected of ${other}`, `parley.document.deleted of ${head.id}`]
    expect(await messages()).toEqual(left)
    expect(await storage.deliveries(webhook.id, { before: null, limit: 9 })).toHaveLength(2)
    await eraseAll(storage, head.id)
    expect(await messages()).toEqual(left)
  })
}
