import { expect, it } from 'vitest'
import { type DocumentId, toVersion, type Version } from '../../server/foundation/ids.ts'
import type { Entry } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { SharedFixture } from './storageFixture.ts'
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
  newAct,
  newAnswer,
  newConflict,
  newDocumentId,
  newHead,
  NOON,
  opening,
} from './storageSamples.ts'

const ALL = [toVersion(0), toVersion(1_000), 1_000] as const
const v = (...numbers: number[]): Version[] => numbers.map(toVersion)

/** Rows from one version to another as one. */
function joinedRow(first: number, last: number, more: Partial<Entry> = {}): Entry {
  return {
    version: toVersion(last),
    ...(first < last ? { firstVersion: toVersion(first) } : {}),
    author: bob,
    at: NOON + last,
    origin: 'live',
    update: Uint8Array.of(9, first, last),
    effect: { kind: 'text', delta: [first, `${first} to ${last}`] },
    ...more,
  }
}

/** Packs the rows of these versions as they are. */
async function pack(storage: Storage, document: DocumentId, from: number, upTo: number): Promise<boolean> {
  const rows = await storage.entries(document, toVersion(from - 1), toVersion(upTo), 1_000)
  return storage.rewrite({ document, replaced: rows.map((row) => row.version), rows })
}

/** What keeps a log small without changing what it says. */
export function describeRewrites(shared: SharedFixture): void {
  it('[HIST-4] packed rows read as they did, by any page, beside rows that are not packed', async () => {
    const fixture = shared()
    const head = await createDocument(fixture.storage, newDocumentId(), 3)
    const { id } = head
    let last = after(head)
    const appends = [appendTo(last, { handedOn: [7, 8] })]
    while (last.version < 12) appends.push(appendTo((last = after(last))))
    await commitAll(fixture.storage, actOf(...appends))
    await fixture.storage.setLabel(id, toVersion(5), 'five')
    const before = {
      entries: await fixture.storage.entries(id, ...ALL),
      effects: await fixture.storage.effects(id, ...ALL),
      versions: await fixture.storage.versions(id, ...ALL),
    }
    expect(await pack(fixture.storage, id, 3, 5)).toBe(true)
    expect(await pack(fixture.storage, id, 6, 7)).toBe(true)
    expect(await pack(fixture.storage, id, 10, 11)).toBe(true)
    await fixture.reopen()
    const { storage } = fixture
    expect(await storage.entries(id, ...ALL)).toEqual(before.entries)
    expect(await storage.effects(id, ...ALL)).toEqual(before.effects)
    expect(await storage.versions(id, ...ALL)).toEqual(before.versions)
    for (let from = 0; from <= 12; from += 1) {
      for (const limit of [1, 2, 3, 20]) {
        const [start, end] = v(from, Math.min(12, from + 5))
        const inRange = ({ version }: { version: number }) => version > from && version <= Math.min(12, from + 5)
        const expected = before.entries.filter(inRange).slice(0, limit)
        expect(await storage.entries(id, start ?? ALL[0], end ?? ALL[1], limit)).toEqual(expected)
        const facts = before.versions.filter(inRange).slice(0, limit)
        expect(await storage.versions(id, start ?? ALL[0], end ?? ALL[1], limit)).toEqual(facts)
      }
    }
    for (const facts of before.versions) expect(await storage.versionAt(id, facts.version)).toEqual(facts)
    expect(await storage.logStart(id)).toBe(0)
  })

  it('[HIST-4] a row that stands for several versions counts by its last, and is found by any of them', async () => {
    const { storage } = shared()
    const head = await createDocument(storage, newDocumentId(), 8)
    const rows = await storage.entries(head.id, ...ALL)
    const [first, second, , , , , seventh] = rows
    if (!first || !second || !seventh) throw new Error('there are eight')
    const one = joinedRow(3, 6)
    const replaced = v(2, 3, 4, 5, 6, 7)
    expect(await storage.rewrite({ document: head.id, replaced, rows: [second, one, seventh] })).toBe(true)
    expect((await storage.entries(head.id, ...ALL)).map((row) => row.version)).toEqual([1, 2, 6, 7, 8])
    expect((await storage.entries(head.id, ...ALL))[2]).toEqual(one)
    for (const version of [3, 4, 5, 6]) {
      expect(await storage.versionAt(head.id, toVersion(version))).toMatchObject({
        version: 6,
        firstVersion: 3,
        bytes: 3,
      })
    }
    expect(await storage.entries(head.id, toVersion(4), toVersion(6), 9)).toEqual([one])
    expect(await storage.effects(head.id, toVersion(2), toVersion(5), 9)).toEqual([])
    expect((await storage.versions(head.id, ...ALL)).map((row) => row.firstVersion)).toEqual([8, 7, 3, 2, 1])
    expect(await storage.setLabel(head.id, toVersion(5), 'gone')).toBe(false)
    expect(await storage.setLabel(head.id, toVersion(6), 'kept')).toBe(true)
    const later = after(head)
    await commitAll(storage, actOf(appendTo(later)))
    expect((await storage.entries(head.id, ...ALL)).at(-1)?.version).toBe(9)
  })

  it('[HIST-4] a rewrite stands only on the very rows that are stored', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 8)
    expect(await pack(storage, id, 3, 5)).toBe(true)
    const rows = await storage.entries(id, ...ALL)
    const refused = async (replaced: Version[], kept: Entry[]): Promise<void> => {
      expect(await storage.rewrite({ document: id, replaced, rows: kept })).toBe(false)
    }
    // Not all of them, one too many, a part of a pack, rows that are gone already, no document.
    await refused(v(1, 2, 4, 5), [joinedRow(1, 5)])
    await refused(v(6, 7, 8, 9), [joinedRow(6, 9)])
    await refused(v(4, 5, 6), [joinedRow(4, 6)])
    await refused(v(2, 3, 4), [joinedRow(2, 4)])
    expect(await storage.entries(id, ...ALL)).toEqual(rows)
    expect(await storage.rewrite({ document: id, replaced: v(2, 3, 4, 5, 6), rows: [joinedRow(2, 6)] })).toBe(true)
    await refused(v(2, 3, 4, 5, 6), [joinedRow(2, 6)])
    const never = { document: newDocumentId(), replaced: v(1), rows: [joinedRow(1, 1)] }
    expect(await storage.rewrite(never)).toBe(false)
  })

  it('[HIST-4] versions with a label or that a conflict refers to are never compacted away', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 12)
    const join = (first: number, last: number): Promise<boolean> =>
      storage.rewrite({
        document: id,
        replaced: v(...Array.from({ length: last - first + 1 }, (_, n) => first + n)),
        rows: [joinedRow(first, last)],
      })
    const open = newConflict(id, {
      base: { version: toVersion(3), hash: null },
      current: { version: toVersion(6), hash: null },
    })
    await commitAll(storage, opening(open))
    await storage.setLabel(id, toVersion(9), 'nine')
    expect(await storage.pinned(id, ALL[0], ALL[1])).toEqual(new Set([3, 6, 9]))
    expect(await storage.pinned(id, toVersion(3), toVersion(8))).toEqual(new Set([6]))
    expect([await join(2, 4), await join(5, 7), await join(8, 10)]).toEqual([false, false, false])
    expect([await join(2, 3), await join(7, 9)]).toEqual([true, true])
    await commitAll(storage, changing({ ...open, state: closed, revision: 2 }))
    expect(await join(4, 6)).toBe(true)
    expect(await storage.pinned(id, ALL[0], ALL[1])).toEqual(new Set([3, 6, 9]))
  })

  it('[HIST-4] [WRITE-8] a version that a stored answer shows stays until the answer is forgotten', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 6)
    const contents = [{ path: ['content'], document: id, version: toVersion(3) }]
    const answer = newAnswer({ key: `of ${id}`, documents: [id, newDocumentId()], contents })
    await commitAll(storage, newAct({ answer }))
    expect(await storage.answer(answer.principal, answer.key)).toEqual(answer)
    expect(await storage.pinned(id, ALL[0], ALL[1])).toEqual(new Set([3]))
    const join = (): Promise<boolean> =>
      storage.rewrite({ document: id, replaced: v(2, 3, 4), rows: [joinedRow(2, 4)] })
    expect(await join()).toBe(false)
    await commitAll(storage, newAct({ answer: { ...answer, contents: [], at: answer.expiresAt } }))
    expect(await storage.pinned(id, ALL[0], ALL[1])).toEqual(new Set())
    expect(await join()).toBe(true)
  })

  it('[HIST-4] no conflict is kept that refers to a version compacted away meanwhile', async () => {
    const { storage } = shared()
    const { id } = await createDocument(storage, newDocumentId(), 6)
    await storage.rewrite({ document: id, replaced: v(2, 3, 4), rows: [joinedRow(2, 4)] })
    const on = (base: number) =>
      newConflict(id, {
        base: { version: toVersion(base), hash: null },
        current: { version: toVersion(6), hash: null },
      })
    const late = on(3)
    expect(await storage.commit(opening(late))).toEqual({ status: 'conflict-moved', conflict: late.id })
    expect((await storage.commit(opening(on(4)))).status).toBe('committed')
    expect((await storage.commit(opening(on(5)))).status).toBe('committed')
  })

  it('[HIST-4] checkpoints of versions that go, go with them; those of others stay', async () => {
    const { storage } = shared()
    const first = newHead(newDocumentId())
    const second = after(first)
    const third = after(second)
    await commitAll(
      storage,
      actOf(appendTo(first, {}, 'one')),
      actOf(appendTo(second, {}, 'two')),
      actOf(appendTo(third, {}, 'three')),
    )
    await storage.rewrite({ document: first.id, replaced: v(1, 2, 3), rows: [joinedRow(1, 3)] })
    expect(await storage.checkpoint(first.id, toVersion(2))).toBeNull()
    expect(await storage.checkpoint(first.id, toVersion(3))).toEqual({ version: 3, content: 'three' })
  })

  it('[HIST-4] how far a log was gone through is kept, and only grows', async () => {
    const fixture = shared()
    const [one, gone] = [await createDocument(fixture.storage, newDocumentId(), 4), newDocumentId()]
    const state = { document: one.id, version: 4, packed: 0, joined: 0, dueAt: null }
    expect(await fixture.storage.logState(one.id)).toEqual(state)
    expect(await fixture.storage.logState(gone)).toBeNull()
    await fixture.storage.setLogProgress(one.id, { packed: toVersion(3), joined: toVersion(2), dueAt: NOON })
    await fixture.storage.setLogProgress(one.id, { packed: toVersion(2), joined: toVersion(1), dueAt: null })
    await fixture.reopen()
    expect(await fixture.storage.logState(one.id)).toEqual({ ...state, packed: 3, joined: 2 })
    const listed = await fixture.storage.logStates(null, 100_000)
    expect(listed.map((log) => log.document)).toEqual(listed.map((log) => log.document).toSorted())
    expect(listed).toContainEqual({ ...state, packed: 3, joined: 2 })
    const [next] = await fixture.storage.logStates(listed[0]?.document ?? null, 1)
    expect(next).toEqual(listed[1])
    const deleted = after(one, { deletedAt: NOON, updatedBy: alice })
    await commitAll(fixture.storage, actOf(appendTo(deleted)))
    const living = await fixture.storage.logStates(null, 100_000)
    expect(living.some((log) => log.document === one.id)).toBe(false)
  })
}
