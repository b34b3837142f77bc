import { readdirSync, readFileSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { invariant } from '../../foundation/assert.ts'
import { CannotOpenStorage } from '../cannotOpenStorage.ts'

/** One step of the schema: `NNN.sql`. A released one never changes; what is to change comes in the next. */
interface Migration {
  readonly number: number
  readonly sql: string
}

/** The migrations this Parley knows, in order. They lie beside this file, in the source as in the built output. */
export function readMigrations(): readonly Migration[] {
  const folder = new URL('./sql/', import.meta.url)
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
  return names.map((name, index) => {
    const number = Number(/^(\d{3})\.sql$/.exec(name)?.[1])
    invariant(number === index + 1, `${name} is migration ${index + 1}`)
    return { number, sql: readFileSync(new URL(name, folder), 'utf8') }
  })
}

/**
 * The migrations to run on a database whose newest is `applied` (0: none yet). `name` is how a person knows the
 * database. Throws `CannotOpenStorage` for a database of a newer Parley, which this one might damage.
 */
export function pendingMigrations(known: readonly Migration[], applied: number, name: string): readonly Migration[] {
  const newest = known.at(-1)?.number ?? 0
  if (applied > newest) {
    throw new CannotOpenStorage(
      'newer-schema',
      `${name} has schema ${applied}, but this version of Parley knows only up to ${newest}. ` +
        'Start the newer version again, or restore a backup made before it.',
    )
  }
  return known.filter((migration) => migration.number > applied)
}

/**
 * Brings a SQLite database up to the newest schema, each step whole or not at all; a new one is made in one step, for each
 * waits for the disk. `now` is milliseconds.
 */
export function migrateSqlite(
  connection: Database.Database,
  now: number,
  known: readonly Migration[] = readMigrations(),
): void {
  const applied = appliedMigration(connection)
  const pending = pendingMigrations(known, applied, connection.name)
  const steps = applied === 0 ? [pending] : pending.map((migration) => [migration])
  for (const step of steps) {
    const run = connection.transaction(() => {
      for (const migration of step) apply(connection, migration, now)
    })
    run.immediate()
  }
}

function apply(connection: Database.Database, { number, sql }: Migration, now: number): void {
  connection.exec('CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT')
  connection.prepare('INSERT INTO migrations (number, at) VALUES (?, ?)').run(number, now)
  connection.exec(sql)
}

function appliedMigration(connection: Database.Database): number {
  const ledger = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'").get()
  if (ledger === undefined) return 0
  return connection.prepare<[], number>('SELECT coalesce(max(number), 0) FROM migrations').pluck().get() ?? 0
}
