import { expect, it } from 'vitest'
import { nextVersion } from '../../server/foundation/ids.ts'
import type { Actor } from '../../server/storage/people.ts'
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
  newDocumentId,
  NOON,
} from './storageSamples.ts'

const ALL = { sub: null, after: null, limit: 99 }

/** What people are called who acted on a document. */
export function describePeople(shared: SharedFixture): void {
  it('[HIST-8] names are kept with the act, the newest of each, by document', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 1)
    const other = await createDocument(storage, newDocumentId(), 1)
    const called = (...people: readonly Omit<Actor, 'document'>[]) =>
      newAct({ people: people.map((person) => ({ document: head.id, ...person })) })
    await commitAll(storage, called({ sub: bob, name: 'Bob' }, { sub: alice, name: 'Alice' }))
    await commitAll(storage, called({ sub: bob, name: 'Robert' }))
    expect(await storage.people(head.id, ALL)).toEqual([
      { sub: alice, name: 'Alice' },
      { sub: bob, name: 'Robert' },
    ])
    expect(await storage.people(head.id, { ...ALL, after: alice })).toEqual([{ sub: bob, name: 'Robert' }])
    expect(await storage.people(head.id, { ...ALL, limit: 1 })).toEqual([{ sub: alice, name: 'Alice' }])
    expect(await storage.people(head.id, { ...ALL, sub: bob })).toEqual([{ sub: bob, name: 'Robert' }])
    expect(await storage.people(head.id, { ...ALL, sub: bob, after: alice })).toEqual([{ sub: bob, name: 'Robert' }])
    expect(await storage.people(head.id, { ...ALL, sub: bob, after: bob })).toEqual([])
    expect(await storage.people(head.id, { ...ALL, after: bob })).toEqual([])
    expect(await storage.people(other.id, ALL)).toEqual([])
    expect(await storage.people(newDocumentId(), ALL)).toEqual([])
    expect(head.updatedBy).toBe(alice)
    expect(await storage.updaterNames([head.id, other.id])).toEqual(new Map([[head.id, 'Alice']]))
  })

  it('[HIST-8] an act that does not stand keeps no name', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 1)
    const stale = { ...actOf(appendTo(head, {})), people: [{ document: head.id, sub: bob, name: 'Bob' }] }
    expect((await storage.commit(stale)).status).toBe('stale')
    expect(await storage.people(head.id, ALL)).toEqual([])
  })

  it('[HIST-5] [HIST-8] a purge erases them, and none of a new life of the id', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 1)
    const deleted = after(head, { deletedAt: NOON })
    const people = [{ document: head.id, sub: bob, name: 'Bob' }]
    await commitAll(storage, { ...actOf(appendTo(deleted, { origin: 'delete' })), people })
    expect(await storage.people(head.id, ALL)).toHaveLength(1)
    const purged = { ...deleted, firstVersion: nextVersion(deleted.version), createdBy: bob, updatedBy: bob }
    await commitAll(storage, newAct({ purges: [purged], people }))
    expect(await storage.people(head.id, ALL)).toEqual([])
    const again = { ...after(deleted, { deletedAt: null }), firstVersion: nextVersion(deleted.version) }
    const named = [{ document: head.id, sub: alice, name: 'Alice' }]
    await commitAll(storage, { ...actOf(appendTo(again, { origin: 'create' }, 'anew')), people: named })
    while (await storage.erasePurged(head.id)) continue
    expect(await storage.people(head.id, ALL)).toEqual([{ sub: alice, name: 'Alice' }])
  })
}
