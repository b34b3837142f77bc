import { expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import { type DocumentId, toVersion } from '../../server/foundation/ids.ts'
import { entryChecksum } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { type Damage, DAMAGES, type SharedFixture } from './storageFixture.ts'
import {
  actOf,
  after,
  alice,
  appendTo,
  changing,
  closed,
  commitAll,
  EVERYTHING,
  largeContent,
  newAnswer,
  newConflict,
  newDocumentId,
  newHead,
  NOTHING,
  opening,
  openingWith,
  smallContent,
} from './storageSamples.ts'

/** Without the conflict's id where its record is damaged. */
async function contentOf(storage: Storage, id: DocumentId, hash: string): Promise<Content | null> {
  const [record] = await storage.conflicts({ patterns: [{ exact: id }], before: null, limit: 10 })
  return storage.content(record?.id ?? null, hash)
}

/** Everything that can be read of one document, by name. */
const READS = {
  head: (storage: Storage, id: DocumentId) => storage.head(id),
  entries: (storage: Storage, id: DocumentId) => storage.entries(id, NOTHING, EVERYTHING, 10),
  effects: (storage: Storage, id: DocumentId) => storage.effects(id, NOTHING, EVERYTHING, 10),
  snapshot: (storage: Storage, id: DocumentId) => storage.snapshot(id),
  checkpoint: (storage: Storage, id: DocumentId) => storage.checkpoint(id, EVERYTHING),
  conflict: async (storage: Storage, id: DocumentId) => {
    const [record] = await storage.conflicts({ patterns: [{ exact: id }], before: null, limit: 10 })
    return record ?? null
  },
  content: (storage: Storage, id: DocumentId) => contentOf(storage, id, `incoming of ${id}`),
  'own-content': (storage: Storage, id: DocumentId) => contentOf(storage, id, `base of ${id}`),
  answer: (storage: Storage, id: DocumentId) => storage.answer(alice, `key of ${id}`),
  waiting: async (storage: Storage, id: DocumentId) => {
    const [facts] = await storage.waiting({ document: id, after: 0, limit: 1 })
    return facts ? storage.waitingEdits(facts.position) : null
  },
} as const
type Read = keyof typeof READS

/** What must refuse to answer once a row is damaged; all else must go on. */
const REFUSED: Readonly<Record<Damage, readonly Read[]>> = {
  head: ['head'],
  update: ['entries'],
  effect: ['entries', 'effects'],
  'missing-entry': ['entries', 'effects'],
  pack: ['entries', 'effects'],
  'pack-updates': ['entries'],
  snapshot: ['snapshot'],
  checkpoint: ['checkpoint'],
  conflict: [],
  content: ['content'],
  'own-content': ['own-content'],
  answer: ['answer'],
  waiting: ['waiting'],
}

async function createWhole(storage: Storage): Promise<DocumentId> {
  const one = newHead(newDocumentId('whole'))
  const two = appendTo(after(one), {}, 'a checkpoint long enough to be packed, packed, packed, packed')
  const three = appendTo(after(two.head))
  const answer = newAnswer({ key: `key of ${one.id}`, documents: [one.id] })
  const record = newConflict(one.id, { base: { version: null, hash: `base of ${one.id}` } })
  const contentFor = (hash: string): string => (hash.startsWith('base') ? smallContent(hash) : largeContent(hash))
  await commitAll(storage, { ...actOf(appendTo(one), two, three), answer }, openingWith(contentFor, record))
  const snapshot = { version: three.head.version, state: Uint8Array.of(1, 2, 3), owners: Uint8Array.of(4, 5, 6) }
  await storage.storeSnapshot(one.id, snapshot, entryChecksum(three.entry.update))
  const rows = await storage.entries(one.id, NOTHING, toVersion(1), 1)
  if (!(await storage.rewrite({ document: one.id, replaced: [toVersion(1)], rows }))) throw new Error('it is packed')
  const knowledge = { by: 'versions', seen: one.version, own: [] } as const
  const edits = { document: one.id, author: alice, tokenHash: null, knowledge, update: Uint8Array.of(1), at: 0 }
  await storage.keepWaiting(edits, one.incarnation)
  return one.id
}

export function describeDamage(shared: SharedFixture): void {
  for (const damage of DAMAGES) {
    it(`[OPS-6] of a damaged document (${damage}) only what is damaged is refused`, async () => {
      const { storage } = shared()
      const [id, other] = [await createWhole(storage), await createWhole(storage)]
      await shared().damage(damage, id)
      for (const [name, read] of Object.entries(READS)) {
        const refuses = REFUSED[damage].some((refused) => refused === name)
        if (refuses) await expect(read(storage, id), name).rejects.toMatchObject({ code: 'document-damaged' })
        else
          await expect(read(storage, id), name).resolves.toSatisfy((answer) => damage === 'conflict' || Boolean(answer))
        await expect(read(storage, other), name).resolves.toBeTruthy()
      }
    })
  }

  it('[OPS-6] lists leave out what is damaged and hold all else', async () => {
    const { storage, damage } = shared()
    const made = [await createWhole(storage), await createWhole(storage), await createWhole(storage)]
    const [first, second, third] = made
    if (!first || !second || !third) throw new Error('three documents')
    await damage('head', second)
    await damage('conflict', second)
    const patterns = made.map((id) => ({ exact: id }))
    const heads = await storage.heads({ patterns, after: null, limit: 2 })
    expect(heads.map((head) => head.id)).toEqual([first, third].toSorted())
    const records = await storage.conflicts({ patterns, before: null, limit: 2 })
    expect(records.map((record) => record.document)).toEqual([third, first])
  })

  it('[OPS-6] a conflict whose own content is damaged can be closed and changed all the same', async () => {
    const { storage, damage } = shared()
    const record = newConflict(newDocumentId(), { base: { version: null, hash: 'base' } })
    const contentFor = (hash: string): string => (hash === 'base' ? largeContent(hash) : smallContent(hash))
    await commitAll(storage, openingWith(contentFor, record))
    await damage('own-content', record.document)
    const brought = { ...record, revision: 2, base: { version: null, hash: 'another' } }
    await commitAll(
      storage,
      { ...changing(brought), contents: new Map([['another', smallContent('another')]]) },
      changing({ ...brought, revision: 3, state: closed }),
    )
    expect(await storage.conflict(record.id)).toMatchObject({ revision: 3, state: closed })
    expect(await storage.content(record.id, 'another')).toBe(smallContent('another'))
    expect(await storage.content(null, 'base')).toBeNull()
    const lost = storage.content(record.id, `incoming of ${record.document}`)
    await expect(lost).rejects.toMatchObject({ code: 'document-damaged' })
  })

  it('[OPS-6] a damaged conflict is refused by its id', async () => {
    const { storage, damage } = shared()
    const record = newConflict(newDocumentId())
    await commitAll(storage, opening(record))
    await damage('conflict', record.document)
    await expect(storage.conflict(record.id)).rejects.toMatchObject({ code: 'document-damaged' })
  })
}
