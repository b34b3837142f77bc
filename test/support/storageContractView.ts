import { expect, it } from 'vitest'
import { type DocumentId, toVersion } from '../../server/foundation/ids.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { StorageView } from '../../server/storage/view.ts'
import type { SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  appendTo,
  commitAll,
  createDocument,
  EVERYTHING,
  newAct,
  newConflict,
  newDocumentId,
  NOON,
  NOTHING,
  opening,
} from './storageSamples.ts'

const stateOf = async (view: StorageView, id: DocumentId): Promise<unknown> => ({
  version: (await view.head(id))?.version,
  entries: (await view.entries(id, await view.logStart(id), EVERYTHING, 1_000)).map((entry) => entry.version),
  effects: (await view.effects(id, await view.logStart(id), EVERYTHING, 1_000)).length,
  versions: (await view.versions(id, NOTHING, EVERYTHING, 1_000)).map((one) => one.version),
  conflicts: (await view.conflicts({ patterns: [{ exact: id }], before: null, limit: 9 })).length,
})

/** One question is answered from one state. */
export function describeView(shared: SharedFixture): void {
  it('[HIST-2] nothing that is committed while a question is answered shows in it', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 4)
    const before = await stateOf(storage, head.id)
    await storage.read(async (view) => {
      expect(await stateOf(view, head.id)).toEqual(before)
      await commitAll(storage, actOf(appendTo(after(head))), opening(newConflict(head.id)))
      const rows = await storage.entries(head.id, NOTHING, toVersion(4), 9)
      const replaced = rows.map((row) => row.version)
      const last = rows[3]
      if (last === undefined) throw new Error('there are four')
      expect(
        await storage.rewrite({ document: head.id, replaced, rows: [{ ...last, firstVersion: toVersion(1) }] }),
      ).toBe(false)
      expect(await storage.rewrite({ document: head.id, replaced, rows })).toBe(true)
      expect(await stateOf(view, head.id)).toEqual(before)
      // A question within it is answered from the same state.
      expect(await view.read((inner) => stateOf(inner, head.id))).toEqual(before)
    })
    expect(await storage.read((view) => stateOf(view, head.id))).toEqual(await stateOf(storage, head.id))
    expect(await stateOf(storage, head.id)).toMatchObject({ version: 5, conflicts: 1 })
  })

  it('a question sees what was committed before it was asked, and its failure is its answer', async () => {
    const { storage } = shared()
    for (let version = 1; version <= 20; version++) {
      const head = await createDocument(storage, newDocumentId(), 1)
      expect(await storage.read((view) => view.head(head.id))).toEqual(head)
    }
    const failure = new Error('says the test')
    await expect(storage.read(() => Promise.reject(failure))).rejects.toBe(failure)
  })

  it('many questions at once are all answered, each from its own state', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 1)
    const ask = async (): Promise<boolean> =>
      storage.read(async (view) => {
        const [first, second] = [await stateOf(view, head.id), await turns(view, head.id)]
        return JSON.stringify(first) === JSON.stringify(second)
      })
    const turns = async (view: StorageView, id: DocumentId): Promise<unknown> => {
      for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve))
      return stateOf(view, id)
    }
    const asked = Promise.all(Array.from({ length: 40 }, ask))
    for (let last = head; last.version < 20; last = after(last)) {
      await commitAll(storage, actOf(appendTo(after(last))))
    }
    expect(new Set(await asked)).toEqual(new Set([true]))
  })

  it('[HIST-5] a question that began before a purge is asked again, and tells nothing of what was purged', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 3)
    const deleted = after(head, { deletedAt: NOON })
    await commitAll(storage, actOf(appendTo(deleted, { origin: 'delete' })))
    let asked = 0
    const purge = (of: Storage): Promise<unknown> =>
      commitAll(of, newAct({ purges: [{ ...deleted, firstVersion: toVersion(5) }] }))
    const answer = await storage.read(async (view) => {
      const state = await stateOf(view, head.id)
      if (++asked === 1) {
        await purge(storage)
        while (await storage.erasePurged(head.id));
      }
      return state
    })
    expect([asked, answer]).toEqual([2, { version: 4, entries: [], effects: 0, versions: [], conflicts: 0 }])
  })
}
