import { readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { toPrincipalId, toVersion, type DocumentId } from '../../server/foundation/ids.ts'
import type { Head } from '../../server/model/document.ts'
import { newFile, opened } from '../support/storageFile.ts'
import {
  actOf,
  after,
  appendTo,
  commitAll,
  newAct,
  newConflict,
  newDocumentId,
  newEvent,
  newHead,
  NOON,
  openingWith,
} from '../support/storageSamples.ts'

for (const writer of ['inline', 'thread', 'turns'] as const) {
  it(`[HIST-5] once a purge has ended, no file of the database holds what it erased (writing ${writer})`, async () => {
    const file = newFile()
    const storage = await opened(file, writer)
    // Of very different lengths, so that rows move between pages while others come and go.
    const secretOf = (id: DocumentId): string => `secret of ${id}; `
    const purged: Head[] = []
    for (let n = 0; n < 60; n++) {
      const id = newDocumentId()
      const [first, second] = [newHead(id), after(newHead(id))]
      const update = Buffer.from(secretOf(id).repeat(1 + ((n * 37) % 150)))
      const deleted = after(second, { deletedAt: NOON })
      // Some of the contents are small, and lie elsewhere than the others.
      const content = secretOf(id).repeat(n % 2 === 0 ? 1 : 100)
      const act = openingWith(() => content, newConflict(id, { author: toPrincipalId(secretOf(id)) }))
      await commitAll(storage, actOf(appendTo(first, { update }), appendTo(second, { update })))
      await commitAll(storage, { ...act, events: [newEvent(id, { data: { note: secretOf(id) } })] })
      await storage.setLabel(id, first.version, secretOf(id))
      if (n % 3 !== 0) continue
      await commitAll(storage, actOf(appendTo(deleted, { origin: 'delete', update: new Uint8Array() })))
      purged.push(deleted)
    }
    const holding = (): string[] => {
      const files = ['', '-wal', '-shm'].map((end) => readFileSync(file + end))
      return purged.flatMap(({ id }) => (files.some((bytes) => bytes.includes(secretOf(id))) ? [id] : []))
    }
    expect(holding()).toHaveLength(20)
    await commitAll(storage, newAct({ purges: purged.map((head) => ({ ...head, firstVersion: toVersion(4) })) }))
    for (const { id } of purged) while (await storage.erasePurged(id));
    expect(holding()).toEqual([])
    expect(await storage.unfinishedPurges()).toEqual([])
  })
}

it('[HIST-5] a purge has not ended while somebody reads an older state of the file', async () => {
  const file = newFile()
  const storage = await opened(file)
  const head = newHead(newDocumentId())
  const deleted = after(head, { deletedAt: NOON })
  await commitAll(storage, actOf(appendTo(head)), actOf(appendTo(deleted, { origin: 'delete' })))
  const other = new Database(file)
  onTestFinished(() => void other.close())
  other.exec('BEGIN')
  other.prepare('SELECT count(*) FROM entries').get()
  await commitAll(storage, newAct({ purges: [{ ...deleted, firstVersion: toVersion(3) }] }))
  const erase = async (): Promise<void> => {
    while (await storage.erasePurged(head.id));
  }
  await expect(erase()).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(await storage.unfinishedPurges()).toEqual([head.id])
  other.exec('COMMIT')
  await erase()
  expect(await storage.unfinishedPurges()).toEqual([])
  expect(readFileSync(`${file}-wal`).includes('alice')).toBe(false)
})
