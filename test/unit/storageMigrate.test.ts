import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { CannotOpenStorage } from '../../server/storage/cannotOpenStorage.ts'
import { migrateSqlite, pendingMigrations, readMigrations } from '../../server/storage/sqlite/migrate.ts'

const one = { number: 1, sql: 'CREATE TABLE one (n INTEGER) STRICT; INSERT INTO one VALUES (1)' }
const two = { number: 2, sql: 'UPDATE one SET n = n + 1; CREATE TABLE two (n INTEGER) STRICT' }

function newDatabase(): Database.Database {
  const connection = new Database(':memory:')
  onTestFinished(() => void connection.close())
  return connection
}
const ledger = (connection: Database.Database): unknown[] =>
  connection.prepare('SELECT number, at FROM migrations ORDER BY number').all()
const tables = (connection: Database.Database): unknown[] =>
  connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all()

it('each migration runs once, in order, and is in the ledger with its time', () => {
  const connection = newDatabase()
  migrateSqlite(connection, 10, [one])
  migrateSqlite(connection, 20, [one, two])
  migrateSqlite(connection, 30, [one, two])
  expect(ledger(connection)).toEqual([
    { number: 1, at: 10 },
    { number: 2, at: 20 },
  ])
  expect(connection.prepare('SELECT n FROM one').pluck().get()).toBe(2)
})

it('a migration that fails leaves nothing behind, and those before it stand', () => {
  const connection = newDatabase()
  const broken = { number: 3, sql: 'CREATE TABLE half (n INTEGER) STRICT; INSERT INTO nowhere VALUES (1)' }
  migrateSqlite(connection, 10, [one])
  expect(() => migrateSqlite(connection, 20, [one, two, broken])).toThrow('nowhere')
  expect(tables(connection)).toEqual(['migrations', 'one', 'two'])
  expect(ledger(connection)).toEqual([
    { number: 1, at: 10 },
    { number: 2, at: 20 },
  ])
  migrateSqlite(connection, 30, [one, two, { number: 3, sql: 'DROP TABLE two' }])
  expect(tables(connection)).toEqual(['migrations', 'one'])
})

it.each([1, 2])('a new database is made whole or stays empty (migration %d fails)', (number) => {
  const connection = newDatabase()
  const broken = { number, sql: 'CREATE TABLE half (n); nonsense' }
  expect(() => migrateSqlite(connection, 10, number === 1 ? [broken] : [one, broken])).toThrow()
  expect(tables(connection)).toEqual([])
  migrateSqlite(connection, 20, [one, two])
  expect(tables(connection)).toEqual(['migrations', 'one', 'two'])
})

it('a newer schema is refused with both numbers and the name of the database', () => {
  const refused = (): unknown => pendingMigrations([one, two], 3, '/data/parley.db')
  expect(refused).toThrow(CannotOpenStorage)
  expect(refused).toThrow(/\/data\/parley\.db has schema 3, .* up to 2/)
  expect(pendingMigrations([one, two], 2, 'db')).toEqual([])
  expect(pendingMigrations([one, two], 1, 'db')).toEqual([two])
})

it('the migrations that Parley comes with make a sound database whose tables are strict', () => {
  const connection = newDatabase()
  migrateSqlite(connection, 10)
  expect(ledger(connection)).toHaveLength(readMigrations().length)
  expect(connection.pragma('integrity_check', { simple: true })).toBe('ok')
  const lax =
    "SELECT name FROM pragma_table_list WHERE type <> 'view' AND schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
  expect(connection.prepare(lax).pluck().all()).toEqual([])
})
