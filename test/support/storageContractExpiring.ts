import { expect, it, onTestFinished } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { closed as closedBy, type ConflictRecord } from '../../server/model/conflict.ts'
import type { ConflictQuery } from '../../server/storage/conflicts.ts'
import type { CreateFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  changing,
  closed,
  commitAll,
  createDocument,
  newConflict,
  newDocumentId,
  newProposal,
  NOON,
  opening,
} from './storageSamples.ts'

const expired = (record: ConflictRecord, by: ConflictRecord['author'], closedAt: number): ConflictRecord =>
  closedBy(record, { status: 'expired', closedAt, closedBy: by, comment: null })

/** What becomes of open conflicts that the act of a deletion does not close. */
export function describeExpiring(create: CreateFixture): void {
  it('[CONF-4] open conflicts of a deleted document count as expired before they are stored so', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const head = await createDocument(fixture.storage, newDocumentId(), 2)
    const [document, other] = [head.id, newDocumentId()]
    await createDocument(fixture.storage, other)
    const records = [
      newConflict(document, { proposals: [newProposal(`incoming of ${document}`)] }),
      newConflict(document),
      newConflict(document, { state: closed }),
      newConflict(other),
    ] as const
    const [first, second, ended, others] = records
    const deleted = after(head, { deletedAt: NOON, updatedBy: alice })
    await commitAll(fixture.storage, opening(...records), actOf(appendTo(deleted)))
    await fixture.reopen()
    const { storage } = fixture
    const find = (query: Partial<ConflictQuery>) =>
      storage.conflicts({ patterns: [{ prefix: '' }], before: null, limit: 9, ...query })
    const left = [expired(first, alice, NOON), expired(second, alice, NOON)]
    expect(await storage.expiringDocuments()).toEqual([document])
    expect(await storage.expiringConflicts(document, 9)).toEqual(left)
    expect(await storage.expiringConflicts(document, 1)).toEqual(left.slice(0, 1))
    expect(await find({})).toEqual([others, ended, left[1], left[0]])
    expect(await find({ statuses: ['open'] })).toEqual([others])
    expect(await find({ statuses: ['expired'] })).toEqual([left[1], left[0]])
    expect(await find({ statuses: ['open', 'dismissed'], patterns: [{ exact: document }] })).toEqual([ended])
    expect(await storage.conflict(first.id)).toEqual(left[0])
    await commitAll(storage, changing(expired(second, alice, NOON)))
    expect(await storage.expiringConflicts(document, 9)).toEqual(left.slice(0, 1))
    await commitAll(storage, changing(expired(first, alice, NOON)))
    expect(await storage.expiringDocuments()).toEqual([])
    expect(await find({})).toEqual([others, ended, left[1], left[0]])
  })

  it('[CONF-4] those of a next life do not, whatever was pruned meanwhile', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const head = await createDocument(storage, newDocumentId())
    const [first, last, next] = [newConflict(head.id), newConflict(head.id), newConflict(head.id)] as const
    const deleted = after(head, { deletedAt: NOON })
    const anew = after(deleted, { deletedAt: null, firstVersion: toVersion(3) })
    await commitAll(storage, opening(first, last), actOf(appendTo(deleted)), changing(expired(last, bob, NOON)))
    expect(await storage.pruneConflicts(NOON + 1)).toBe(1)
    await commitAll(storage, actOf(appendTo(anew)), opening(next))
    expect(await storage.conflict(next.id)).toEqual(next)
    expect([...(await storage.openConflictCounts([head.id]))]).toEqual([[head.id, 1]])
    expect(await storage.expiringConflicts(head.id, 9)).toEqual([expired(first, bob, NOON)])
    await commitAll(storage, changing(expired(first, bob, NOON)))
    expect(await storage.conflict(next.id)).toEqual(next)
    expect(await storage.pruneConflicts(NOON + 1)).toBe(1)
  })
}
