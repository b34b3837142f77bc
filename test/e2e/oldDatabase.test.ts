import { renameSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { migrateSqlite, readMigrations } from '../../server/storage/sqlite/migrate.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'

const known = readMigrations()
/** The oldest schema that this test goes back to. */
const OLDEST = 9
const SCHEMAS = known.map(({ number }) => number).filter((number) => number >= OLDEST)

/** Turns a database into what a Parley that knew only the migrations up to `newest` would have made of the same rows. */
function turnBack(file: string, newest: number): void {
  const today = `${file}.today`
  renameSync(file, today)
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
  const connection = new Database(file)
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
    const refused = expectStatus(await bob.put(`/documents/${id}`, { content: { a: 2, n: 9 }, baseVersion: 1 }), 409)
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
    expect(verdict(await patch(2))).toBe('200 written')
    const resolution = { conflictId: refused.body.conflict.id, use: 'incoming', baseVersion: 3 }
    expectStatus(await bob.post('/resolve-conflict', resolution), 200)
    expect((await alice.get(`/documents/${id}`)).body).toMatchObject({ version: 4, content: { a: 2, n: 9 } })
  },
)
