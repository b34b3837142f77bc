import { expect, it, onTestFinished } from 'vitest'
import { toSequence, toVersion } from '../../server/foundation/ids.ts'
import { entryChecksum } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { CreateFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  bob,
  commitAll,
  createDocument,
  EVERYTHING,
  newAct,
  newConflict,
  newDocumentId,
  newEvent,
  newHead,
  NOTHING,
  opening,
} from './storageSamples.ts'

export function describeLifecycle(create: CreateFixture): void {
  it('[WRITE-10] everything is there after it was closed and opened again', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const head = newHead(newDocumentId(), { schema: { type: 'object' } })
    const record = newConflict(head.id)
    const last = appendTo(after(head), {}, 'checkpoint')
    const everything = async (storage: Storage): Promise<unknown[]> => [
      storage.epoch,
      await storage.head(head.id),
      await storage.entries(head.id, NOTHING, EVERYTHING, 10),
      await storage.checkpoint(head.id, EVERYTHING),
      await storage.snapshot(head.id),
      await storage.conflict(record.id),
      await storage.content(record.id, `incoming of ${head.id}`),
      await storage.events(toSequence(0), 10),
      await storage.revocations(0),
    ]
    await commitAll(
      fixture.storage,
      actOf(appendTo(head), last),
      opening(record),
      newAct({ events: [newEvent(head.id)] }),
    )
    const snapshot = { version: toVersion(2), state: Uint8Array.of(1) }
    await fixture.storage.storeSnapshot(head.id, snapshot, entryChecksum(last.entry.update))
    await fixture.storage.revoke({ subject: { sub: alice }, until: 5 })
    const before = await everything(fixture.storage)
    for (const part of before) expect(part).toBeTruthy()
    await fixture.reopen()
    expect(await everything(fixture.storage)).toEqual(before)
    await commitAll(fixture.storage, actOf(appendTo(after(after(head)))))
  })

  it('[AUTH-3] a revocation is kept by subject, the later one counts', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    await storage.revoke({ subject: { sub: alice }, until: 100 })
    await storage.revoke({ subject: { jti: 'alice' }, until: 50 })
    await storage.revoke({ subject: { sub: bob }, until: 70 })
    await storage.revoke({ subject: { sub: alice }, until: 90 })
    await storage.revoke({ subject: { sub: bob }, until: 80 })
    const revocations = await storage.revocations(0)
    expect(revocations).toHaveLength(3)
    expect(revocations).toEqual(
      expect.arrayContaining([
        { subject: { sub: alice }, until: 100 },
        { subject: { jti: 'alice' }, until: 50 },
        { subject: { sub: bob }, until: 80 },
      ]),
    )
    expect(await storage.revocations(80)).toHaveLength(2)
    expect(await storage.revocations(81)).toEqual([{ subject: { sub: alice }, until: 100 }])
    expect(await storage.revocations(101)).toEqual([])
    expect(await storage.pruneRevocations(80)).toBe(1)
    expect((await storage.revocations(0)).map(({ until }) => until).toSorted((a, b) => a - b)).toEqual([80, 100])
  })

  it('[OPS-2] closing waits for what was handed in and refuses what comes later', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const head = newHead(newDocumentId())
    const handedIn = storage.commit(actOf(appendTo(head)))
    const closing = storage.close()
    const late = storage.commit(actOf(appendTo(after(head))))
    await expect(late).rejects.toMatchObject({ code: 'shutting-down' })
    await closing
    expect(await handedIn).toMatchObject({ status: 'committed' })
    await storage.close()
    await expect(storage.head(head.id)).rejects.toMatchObject({ code: 'shutting-down' })
    expect(await storage.writable()).toBe(false)
    await fixture.reopen()
    expect(await fixture.storage.head(head.id)).toEqual(head)
  })

  it('[OPS-1] a healthy storage is writable, and asking changes nothing', async () => {
    const fixture = await create()
    onTestFinished(() => fixture.dispose())
    const { storage } = fixture
    const head = await createDocument(storage, newDocumentId())
    const asked = await Promise.all([storage.writable(), storage.writable(), storage.writable()])
    expect(asked).toEqual([true, true, true])
    expect(await storage.head(head.id)).toEqual(head)
    expect(await storage.eventRange()).toEqual({ first: 1, last: 0 })
  })
}
