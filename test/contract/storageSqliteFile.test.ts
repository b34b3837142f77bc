import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { CannotOpenStorage } from '../../server/storage/cannotOpenStorage.ts'
import { EVERYTHING, newFile, NOTHING, opened } from '../support/storageFile.ts'
import { actOf, after, appendTo, commitAll, createDocument, newDocumentId, newHead } from '../support/storageSamples.ts'
import { open, tamper } from '../support/storageSqlite.ts'

it('[OPS-4] a second storage on one file is refused, naming the file, until the first is closed', async () => {
  const file = newFile()
  const first = await opened(file)
  const second = open(file)
  await expect(second).rejects.toThrow(CannotOpenStorage)
  await expect(second).rejects.toMatchObject({ reason: 'in-use', message: expect.stringContaining(file) })
  await createDocument(first, newDocumentId())
  await first.close()
  await opened(file)
})

it('[OPS-4] a file is the same by whatever path', async () => {
  const file = newFile()
  await opened(file)
  const link = `${file}.link`
  symlinkSync(file, link)
  await expect(open(link)).rejects.toMatchObject({ reason: 'in-use' })
})

it('[OPS-6] a full disk refuses every act of the batch, reads go on, and it recovers alone', async () => {
  const file = newFile()
  let maxPages = 1_000_000
  const connections: Database.Database[] = []
  const limit = (): void => void connections.at(-1)?.pragma(`max_page_count = ${maxPages}`)
  const storage = await opened(file, 'inline', {
    prepareWriter: (connection) => {
      connections.push(connection)
      limit()
    },
  })
  const head = await createDocument(storage, newDocumentId())
  maxPages = 1
  limit()
  const large = appendTo(newHead(newDocumentId()), { update: new Uint8Array(100_000) })
  const small = newHead(newDocumentId())
  const refused = await Promise.allSettled([
    storage.commit(actOf(appendTo(small))),
    storage.commit(actOf(large)),
    storage.commit(actOf(appendTo(after(head)))),
  ])
  for (const result of refused) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'storage-unavailable' } })
  }
  expect(await storage.writable()).toBe(false)
  expect(await storage.head(head.id)).toEqual(head)
  expect(await storage.head(small.id)).toBeNull()
  maxPages = 1_000_000
  expect(await storage.writable()).toBe(true)
  await commitAll(storage, actOf(appendTo(small)), actOf(large), actOf(appendTo(after(head))))
  expect(await storage.entries(head.id, NOTHING, EVERYTHING, 10)).toHaveLength(2)
  expect(await storage.entries(small.id, NOTHING, EVERYTHING, 10)).toMatchObject([{ author: small.updatedBy }])
})

it('[OPS-6] a database that somebody else keeps locked is unavailable until they let go', async () => {
  const file = newFile()
  const storage = await opened(file)
  const head = newHead(newDocumentId())
  const other = new Database(file)
  other.exec('BEGIN IMMEDIATE')
  await expect(storage.commit(actOf(appendTo(head)))).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(await storage.head(head.id)).toBeNull()
  other.close()
  await commitAll(storage, actOf(appendTo(head)))
})

it('[OPS-7] a marked copy gets a new epoch at its first start, and keeps it', async () => {
  const file = newFile()
  const epochs: string[] = []
  for (const mark of [false, false, true, false]) {
    if (mark) expect(tamper(file, 'UPDATE meta SET is_copy = 1')).toBe(1)
    const storage = await open(file)
    epochs.push(storage.epoch)
    await storage.close()
  }
  const [first, second, third, fourth] = epochs
  expect(first).toMatch(/^[a-z2-7]{8}$/)
  expect(second).toBe(first)
  expect(third).not.toBe(first)
  expect(fourth).toBe(third)
})

it("another program's database is refused and left as it was", async () => {
  const file = newFile()
  const other = new Database(file)
  other.exec('CREATE TABLE notes (text)')
  other.close()
  const before = readFileSync(file)
  await expect(open(file)).rejects.toMatchObject({ reason: 'not-a-database', message: expect.stringContaining(file) })
  expect(readFileSync(file)).toEqual(before)
})

it('a file that is no database is refused and left as it was', async () => {
  const file = newFile()
  writeFileSync(file, 'Dear diary, '.repeat(1000))
  await expect(open(file)).rejects.toMatchObject({ reason: 'not-a-database' })
  expect(readFileSync(file, 'utf8')).toBe('Dear diary, '.repeat(1000))
})

it('a place that cannot be written is named', async () => {
  const file = join(newFile(), 'missing', 'parley.db')
  await expect(open(file)).rejects.toMatchObject({ reason: 'inaccessible', message: expect.stringContaining(file) })
})

it('a database of a newer Parley is refused, and can still be opened by that one', async () => {
  const file = newFile()
  await (await open(file)).close()
  tamper(file, 'INSERT INTO migrations (number, at) VALUES (999, 0)')
  await expect(open(file)).rejects.toMatchObject({ reason: 'newer-schema', message: expect.stringContaining('999') })
  tamper(file, 'DELETE FROM migrations WHERE number = 999')
  await opened(file)
})

it('a question that takes too long, or that storage is closed under, is refused and can be asked again', async () => {
  const file = newFile()
  const storage = await opened(file, 'inline', { views: { heldMs: 20, atOnce: 1, waiting: 1 } })
  const head = await createDocument(storage, newDocumentId())
  const slow = storage.read(async (view) => {
    await view.head(head.id)
    await new Promise((resolve) => setTimeout(resolve, 60))
    return view.head(head.id)
  })
  const next = storage.read((view) => view.head(head.id))
  await expect(storage.read((view) => view.head(head.id))).rejects.toMatchObject({ code: 'overloaded' })
  await expect(slow).rejects.toMatchObject({ code: 'overloaded' })
  expect(await next).toEqual(head)
  const closing = storage.read(async (view) => {
    await storage.close()
    return view.head(head.id)
  })
  await expect(closing).rejects.toMatchObject({ code: 'shutting-down' })
  await expect(storage.read((view) => view.head(head.id))).rejects.toMatchObject({ code: 'shutting-down' })
})
