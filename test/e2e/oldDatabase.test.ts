import { renameSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { migrateSqlite, readMigrations } from '../../server/storage/sqlite/migrate.ts'
import { packContent, rowChecksum } from '../../server/storage/sqlite/row.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'

const known = readMigrations()
/** The oldest schema that this test goes back to. */
const OLDEST = 9
const SCHEMAS = known.map(({ number }) => number).filter((number) => number >= OLDEST)

/** Since this migration small contents lie with their conflicts, and answers name the conflict of each. */
const SMALL_CONTENTS = 19

function keepContentsApart(connection: Database.Database): void {
  type Conflict = { key: number; contents: string }
  const withContents = 'SELECT key, contents FROM today.conflicts WHERE contents IS NOT NULL'
  for (const { key, contents } of connection.prepare<[], Conflict>(withContents).all()) {
    for (const [hash, content] of JSON.parse(contents)) {
      const packed = packContent([hash], JSON.stringify(content))
      connection.prepare('INSERT OR IGNORE INTO contents VALUES (?, ?, ?)').run(hash, packed.checksum, packed.content)
      connection.prepare('INSERT INTO conflict_contents VALUES (?, ?)').run(hash, key)
    }
  }
  type Answer = {
    id: number
    principal: string
    key: string
    at: number
    expires_at: number
    record: string
    body: Buffer
  }
  for (const answer of connection.prepare<[], Answer>('SELECT * FROM main.answers').all()) {
    const record = answer.record.replaceAll(/,"conflict":"cfl_[^"]*"/g, '')
    const { principal, key, at, expires_at } = answer
    const checksum = rowChecksum([principal, key, at, expires_at], record, answer.body)
    connection.prepare('UPDATE main.answers SET record = ?, checksum = ? WHERE id = ?').run(record, checksum, answer.id)
  }
}

/** Turns a database into what a Parley that knew only the migrations up to `newest` would have made of the same rows. */
function turnBack(file: string, newest: number): void {
  const today = `${file}.today`
  renameSync(file, today)
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
  const connection = new Database(file)
  // Nobody has it yet: each step of the making need not be on the disk before the next.
  connection.pragma('synchronous = OFF')
  migrateSqlite(connection, Date.now(), known.slice(0, newest))
  connection.pragma('foreign_keys = OFF')
  connection.prepare('ATTACH ? AS today').run(today)
  const tables = connection
    .prepare<[], string>("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .pluck()
    .all()
  const columnsOf = connection.prepare<[string], string>("SELECT name FROM pragma_table_info(?, 'main')").pluck()
  for (const table of tables.filter((name) => name !== 'migrations')) {
    const columns = columnsOf.all(table).join(', ')
    connection.exec(
      `DELETE FROM main.${table}; INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM today.${table}`,
    )
  }
  if (newest < SMALL_CONTENTS) keepContentsApart(connection)
  expect(connection.pragma('main.foreign_key_check')).toEqual([])
  connection.close()
  rmSync(today)
}

it.each(SCHEMAS)(
  '[OPS-4] a database whose newest migration is %i opens with today’s, keeps all it has and serves',
  async (newest) => {
    const server = await startDocumentServer()
    onTestFinished(() => server.stop())
    const [alice, bob] = [await server.as('alice'), await server.as('bob')]
    const id = await server.create({ a: 1 })
    const patch = (n: number) =>
      alice.patch(
        `/documents/${id}/content?baseVersion=${n}`,
        { n },
        {
          'content-type': 'application/merge-patch+json',
          'idempotency-key': `patch ${n}`,
        },
      )
    const first = expectStatus(await patch(1), 200)
    const refuse = () =>
      bob.put(`/documents/${id}`, { content: { a: 2, n: 9 }, baseVersion: 1 }, { 'idempotency-key': 'refused' })
    const refused = expectStatus(await refuse(), 409)
    expectStatus(await alice.put(`/documents/${id}/versions/1/label`, { label: 'first' }), 200)
    const paths = ['', '/versions', '/versions/1', '/blame', '/diff?from=1&to=2'].map(
      (path) => `/documents/${id}${path}`,
    )
    paths.push(`/conflicts/${refused.body.conflict.id}`, '/documents')
    const seen = async (): Promise<unknown[]> =>
      Promise.all(paths.map(async (path) => expectStatus(await alice.get(path), 200).body))
    const before = await seen()
    await server.restart((file) => turnBack(file, newest))
    expect(await seen()).toEqual(before)
    const again = await patch(1)
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([first.body, 'true'])
    const refusedAgain = await refuse()
    expect([refusedAgain.body, refusedAgain.headers.get('idempotency-replayed')]).toEqual([refused.body, 'true'])
    // Nor does it go where what was refused is brought once more.
    const writer = await server.as('carol', { '*': ['read', 'write'] })
    const proposal = { conflictId: refused.body.conflict.id, use: 'incoming', baseVersion: 2 }
    expectStatus(await writer.post('/resolve-conflict', proposal), 202)
    expect((await refuse()).body).toEqual(refused.body)
    expect(verdict(await patch(2))).toBe('200 written')
    const resolution = { conflictId: refused.body.conflict.id, use: 'incoming', baseVersion: 3 }
    expectStatus(await bob.post('/resolve-conflict', resolution), 200)
    expect((await alice.get(`/documents/${id}`)).body).toMatchObject({ version: 4, content: { a: 2, n: 9 } })
  },
)
