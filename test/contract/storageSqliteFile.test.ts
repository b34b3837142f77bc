import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished, vi } from 'vitest'
import {
  type DocumentId,
  toPrincipalId,
  toSequence,
  toVersion,
  trustedDocumentId,
} from '../../server/foundation/ids.ts'
import type { Head } from '../../server/model/document.ts'
import { CannotOpenStorage } from '../../server/storage/cannotOpenStorage.ts'
import { SqliteConflictReader } from '../../server/storage/sqlite/conflictReader.ts'
import { SqlitePeopleReader } from '../../server/storage/sqlite/people.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { StorageProcess } from '../support/storageProcess.ts'
import {
  actOf,
  after,
  appendTo,
  commitAll,
  createDocument,
  newAct,
  newConflict,
  newDocumentId,
  newEvent,
  newHead,
  NOON,
  openingWith,
} from '../support/storageSamples.ts'
import { open, tamper, temporaryFolder } from '../support/storageSqlite.ts'

const EVERYTHING = toVersion(1_000_000)
const NOTHING = toVersion(0)
const CHILD_TEST_MS = 120_000

function newFile(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder.dispose())
  return join(folder.path, 'parley.db')
}

function child(...parameters: ConstructorParameters<typeof StorageProcess>): StorageProcess {
  const started = new StorageProcess(...parameters)
  onTestFinished(() => started.kill())
  return started
}

async function opened(...parameters: Parameters<typeof open>): Promise<Storage> {
  const storage = await open(...parameters)
  onTestFinished(() => storage.close())
  return storage
}

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

it(
  '[OPS-4] a second process is refused, and a lock left by kill -9 does not bar a start',
  { timeout: CHILD_TEST_MS },
  async () => {
    const file = newFile()
    const holder = child('hold', file, 'thread')
    await holder.said(1)
    expect(holder.lines).toEqual(['open'])
    await expect(open(file)).rejects.toMatchObject({ reason: 'in-use' })
    const second = child('close', file, 'inline')
    expect(await second.ended()).toBe(1)
    expect(second.lines).toEqual([expect.stringMatching(/^in-use: .*parley\.db/)])
    await holder.kill()
    expect(existsSync(`${file}-lock`)).toBe(true)
    await opened(file)
  },
)

for (const writer of ['inline', 'thread', 'turns'] as const) {
  it(`[WRITE-10] what was acknowledged survives kill -9 (writing ${writer})`, { timeout: CHILD_TEST_MS }, async () => {
    const file = newFile()
    const process = child('write', file, writer)
    await process.said(500)
    await process.kill()
    const acknowledged = new Map<string, number>()
    for (const line of process.lines.slice(1)) {
      const [name, version] = line.split(' ')
      if (name !== undefined) acknowledged.set(name, Number(version))
    }
    expect(acknowledged.size).toBe(8)
    const storage = await opened(file)
    let entries = 0
    for (const [name, version] of acknowledged) {
      const id = trustedDocumentId(name)
      const log = await storage.entries(id, NOTHING, EVERYTHING, 1_000_000)
      expect(log.length).toBeGreaterThanOrEqual(version)
      expect(await storage.head(id)).toMatchObject({ version: log.length })
      entries += log.length
    }
    expect(await storage.events(toSequence(0), 1_000_000)).toHaveLength(entries)
  })
}

it('a process that lost its writer refuses what waits and then crashes', { timeout: CHILD_TEST_MS }, async () => {
  const process = child('lose-writer', newFile(), 'thread')
  expect(await process.ended()).toBe(1)
  expect(process.lines).toEqual(['open', 'refused'])
  expect(process.errors).toContain('The writer of the storage has failed')
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

it('[OPS-8] no table keeps rows that may be large in the tree that they are found by', async () => {
  const file = newFile()
  await (await opened(file)).close()
  const named = readRows(file, "SELECT name FROM pragma_table_list WHERE wr = 1 AND schema = 'main' ORDER BY name")
  // Of names, numbers and hashes, which are short; and a thousand webhooks, of which the largest has 30 KB.
  const short = [
    'conflict_contents',
    'conflict_versions',
    'expiring',
    'former_clients',
    'labels',
    'locks',
    'people',
    'revocations',
  ]
  expect(named).toEqual(['answer_documents', ...short, 'webhooks'].map((name) => ({ name })))
})

it('[OPS-8] what is read of a row without its update stands before it', async () => {
  const file = newFile()
  await (await opened(file)).close()
  for (const [table, large] of [
    ['entries', 'update_bytes'],
    ['fresh_entries', 'update_bytes'],
    ['packs', 'updates'],
  ]) {
    const last = readRows(file, `SELECT name FROM pragma_table_info('${table}') ORDER BY cid DESC LIMIT 1`)
    expect(last).toEqual([{ name: large }])
  }
})

function readRows(file: string, sql: string): unknown[] {
  const connection = new Database(file, { readonly: true })
  try {
    return connection.prepare(sql).all()
  } finally {
    connection.close()
  }
}

/** The same of a reader of conflicts. */
const planOf = (ask: (reader: SqliteConflictReader) => unknown, ...parameters: string[]): Promise<string[]> =>
  planOn((connection) => ask(new SqliteConflictReader(connection)), ...parameters)

/** The steps by which SQLite answers what is asked of a reader on a connection; `parameters` are those of its statement. */
async function planOn(
  ask: (connection: Database.Database) => unknown,
  ...parameters: (string | number)[]
): Promise<string[]> {
  const file = newFile()
  await (await opened(file)).close()
  const connection = new Database(file)
  onTestFinished(() => void connection.close())
  const run: string[] = []
  const prepare = connection.prepare.bind(connection)
  vi.spyOn(connection, 'prepare').mockImplementation((sql: string) => {
    const statement = prepare(sql)
    for (const way of ['all', 'iterate'] as const) {
      const real = statement[way].bind(statement)
      vi.spyOn(statement, way).mockImplementation((...given: unknown[]) => {
        run.push(sql)
        return real(...given) as never
      })
    }
    return statement
  })
  ask(connection)
  const plan = prepare(`EXPLAIN QUERY PLAN ${run.at(-1)}`).all(...parameters)
  return plan.map((step) => (step as { detail: string }).detail)
}

const ofOne = { patterns: [{ exact: newDocumentId() }], before: null, limit: 1 } as const
const [{ exact: theOne }] = ofOne.patterns

it('[WRITE-7] the open conflicts of an author are found without looking at those of others', async () => {
  const author = toPrincipalId('alice')
  const query = { ...ofOne, statuses: ['open'], kinds: ['stale-write'], author } as const
  const steps = await planOf((reader) => reader.conflicts(query), theOne, 'stale-write', author)
  expect(steps).toContain('SEARCH conflicts USING INDEX conflicts_open_of_author (document=? AND kind=? AND author=?)')
})

it('[OPS-8] the newest open conflicts of a document are found without sorting all of them', async () => {
  const steps = await planOf((reader) => reader.conflicts({ ...ofOne, statuses: ['open'] }), theOne)
  expect(steps.some((step) => step.includes('TEMP B-TREE'))).toBe(false)
})

it.each([
  ['open', { statuses: ['open'] }, [], 'conflicts_open (document=?)'],
  [
    'open of a kind',
    { statuses: ['open'], kinds: ['invalid-merge'] },
    ['invalid-merge'],
    'conflicts_open_of_author (document=? AND kind=?)',
  ],
  ['closed', { statuses: ['resolved'] }, ['resolved'], 'conflicts_by_document (document=?)'],
] as const)(
  '[OPS-8] the %s conflicts of a document are found without looking at other documents',
  async (_which, query, parameters, index) => {
    const steps = await planOf((reader) => reader.conflicts({ ...ofOne, ...query }), theOne, ...parameters)
    expect(steps).toContain(`SEARCH conflicts USING INDEX ${index}`)
  },
)

it('[OPS-8] the open conflicts of some documents are counted without looking at other documents', async () => {
  const steps = await planOf((reader) => reader.openConflictCounts([theOne]), JSON.stringify([theOne]))
  expect(steps).toContain('SEARCH conflicts USING COVERING INDEX conflicts_open (document=?)')
})

it('[OPS-8] people of a document are found without going through those before them', async () => {
  const [one, step] = [toPrincipalId('alice'), 'SEARCH people USING PRIMARY KEY (document=? AND sub']
  const page = await planOn(
    (connection) => new SqlitePeopleReader(connection).people(theOne, { sub: null, after: one, limit: 9 }),
    ...[theOne, one, 9],
  )
  expect(page).toContain(`${step}>?)`)
  const alone = await planOn(
    (connection) => new SqlitePeopleReader(connection).people(theOne, { sub: one, after: null, limit: 9 }),
    ...[theOne, '', one, 9],
  )
  expect(alone).toContain(`${step}=?)`)
})
