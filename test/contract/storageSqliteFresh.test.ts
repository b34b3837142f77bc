import { readFileSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { EVERYTHING, newFile, NOTHING, opened, readRows } from '../support/storageFile.ts'
import { actOf, after, appendTo, commitAll, newAct, newDocumentId, newHead } from '../support/storageSamples.ts'

it('[HIST-5] rows that were sorted into the log leave nothing behind where they stood before', async () => {
  const file = newFile()
  const storage = await opened(file, 'inline', { fresh: { batch: 1, rows: 3 } })
  const secret = 'to be forgotten'
  const update = Buffer.from(secret)
  const first = newHead(newDocumentId())
  const [second, third] = [after(first), after(after(first), { deletedAt: 1 })]
  const commit = (head: typeof first): Promise<unknown> => storage.commit(actOf(appendTo(head, { update })))
  const rowsOf = (table: string): unknown => readRows(file, `SELECT count(*) AS rows FROM ${table}`)
  await commit(first)
  await commit(second)
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([[{ rows: 2 }], [{ rows: 0 }]])
  // One of the batch is refused, and all of it is done again: that takes no rows back where they were.
  await Promise.all([commit(third), storage.tidy(), commit(second)])
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([[{ rows: 0 }], [{ rows: 3 }]])
  const read = await storage.entries(first.id, NOTHING, EVERYTHING, 9)
  expect(read.map((entry) => [entry.version, Buffer.from(entry.update).toString()])).toEqual(
    [1, 2, 3].map((version) => [version, secret]),
  )
  await commitAll(storage, newAct({ purges: [{ ...third, firstVersion: toVersion(4) }] }))
  while (await storage.erasePurged(first.id));
  await storage.close()
  expect(readFileSync(file).includes(secret)).toBe(false)
})

it('a row alone goes to its place at once, those of a transaction wait to be sorted in', async () => {
  const file = newFile()
  const storage = await opened(file)
  const rowsOf = (table: string): unknown => readRows(file, `SELECT count(*) AS rows FROM ${table}`)[0]
  await commitAll(storage, actOf(appendTo(newHead(newDocumentId()))))
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 0 }, { rows: 1 }])
  await commitAll(storage, actOf(appendTo(newHead(newDocumentId())), appendTo(newHead(newDocumentId()))))
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 2 }, { rows: 1 }])
})

it('new rows are sorted in piece by piece, and the log is whole at any moment', async () => {
  const file = newFile()
  const storage = await opened(file, 'inline', { fresh: { batch: 2, rows: 600 } })
  const heads = Array.from({ length: 300 }, () => newHead(newDocumentId()))
  const [first] = heads
  const commitAllOf = (of: typeof heads): Promise<unknown> =>
    commitAll(storage, ...of.map((head) => actOf(appendTo(head))))
  const rowsOf = (table: string): unknown => readRows(file, `SELECT count(*) AS rows FROM ${table}`)[0]
  await commitAllOf(heads)
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 300 }, { rows: 0 }])
  // The piece ends within the documents; what comes next of the first one is not lost.
  await commitAllOf(heads.map((head) => after(head)))
  expect(await storage.tidy()).toBe(true)
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 344 }, { rows: 256 }])
  await commitAllOf(heads.map((head) => after(after(head))))
  await storage.tidy()
  await commitAllOf(heads.map((head) => after(after(after(head)))))
  await storage.tidy()
  for (let version = 5; version <= 9; version++) {
    const one = { ...heads[0], version: toVersion(version) }
    await commitAllOf([newHead(newDocumentId()), { ...newHead(first?.id ?? newDocumentId()), ...one }])
    await storage.tidy()
  }
  for (const head of heads) {
    const read = await storage.entries(head.id, NOTHING, EVERYTHING, 20)
    const versions = head === first ? 9 : 4
    expect(read.map((entry) => entry.version)).toEqual(Array.from({ length: versions }, (_, n) => n + 1))
  }
})

it('[OPS-8] of large new rows a few are sorted in at a time, also of one document', async () => {
  const storage = await opened(newFile(), 'inline', { fresh: { batch: 1, rows: 12 } })
  const head = newHead(newDocumentId())
  let last = head
  for (let n = 0; n < 12; n++, last = after(last)) {
    await commitAll(storage, actOf(appendTo(last, { update: Buffer.alloc(1_500_000, n) })))
  }
  let pieces = 1
  while (await storage.tidy()) pieces += 1
  expect(pieces).toBeGreaterThanOrEqual(6)
  for (let version = 1; version <= 12; version++) {
    const [entry] = await storage.entries(head.id, toVersion(version - 1), toVersion(version), 1)
    expect([entry?.version, entry?.update[0]]).toEqual([version, version - 1])
  }
})

it('new rows that cannot be sorted in stay where they are: whoever sorts hears of it, nobody who writes or reads', async () => {
  const file = newFile()
  let refuses = true
  const prepareWriter = (connection: Database.Database): void => {
    connection.function('refuses', () => Number(refuses))
    connection.exec(`CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.entries WHEN refuses()
      BEGIN SELECT RAISE(ABORT, 'says the test'); END`)
  }
  const storage = await opened(file, 'inline', { fresh: { batch: 1, rows: 2 }, prepareWriter })
  let told = 0
  storage.onUntidy(() => void (told += 1))
  const first = newHead(newDocumentId())
  const [second, third] = [after(first), after(after(first))]
  for (const head of [first, second]) await commitAll(storage, actOf(appendTo(head)))
  const rowsOf = (table: string): unknown => readRows(file, `SELECT count(*) AS rows FROM ${table}`)[0]
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 2 }, { rows: 0 }])
  expect(await storage.entries(first.id, NOTHING, EVERYTHING, 9)).toHaveLength(2)
  await expect(storage.tidy()).rejects.toThrow('says the test')
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 2 }, { rows: 0 }])
  refuses = false
  await commitAll(storage, actOf(appendTo(third)))
  expect(told).toBe(1)
  expect(await storage.tidy()).toBe(false)
  expect([rowsOf('fresh_entries'), rowsOf('entries')]).toEqual([{ rows: 0 }, { rows: 3 }])
  expect(await storage.entries(first.id, NOTHING, EVERYTHING, 9)).toHaveLength(3)
  const others = [newHead(newDocumentId()), newHead(newDocumentId())]
  for (const head of others) await commitAll(storage, actOf(appendTo(head)))
  expect(told).toBe(2)
})
