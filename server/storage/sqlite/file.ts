import { accessSync, closeSync, constants, existsSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type Database from 'better-sqlite3'
import { invariant } from '../../foundation/assert.ts'
import { type Environment, randomTag } from '../../foundation/environment.ts'
import { CannotOpenStorage } from '../cannotOpenStorage.ts'
import { configure, newConnection } from './connection.ts'
import { sqliteCode } from './errors.ts'
import { migrateSqlite } from './migrate.ts'

/** "Parl", as the first migration writes it. */
const APPLICATION_ID = 0x5061726c
/** Characters of an epoch, 5 bits each: two lines of restored backups shall never meet in one. */
const EPOCH_LENGTH = 8

/** The one path of a file, whichever way it is named, so that its lock is one too. Throws `CannotOpenStorage`. */
export function canonicalPath(file: string): string {
  try {
    return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file))
  } catch (error) {
    throw inaccessible(file, error)
  }
}

/** How every SQLite file begins; an empty one is a database as well. */
const SQLITE_HEADER = Buffer.from('SQLite format 3\0')

/** Throws `CannotOpenStorage` for what is no database at all, and touches nothing. */
export function assertMayBeDatabase(file: string): void {
  if (!existsSync(file)) return
  if (statSync(file).isDirectory()) {
    throw new CannotOpenStorage('not-a-database', `${file} is a folder. Choose a file, in it for instance.`)
  }
  if (!mayBeSqlite(file)) throw notParley(file)
}

function mayBeSqlite(file: string): boolean {
  let opened: number
  try {
    opened = openSync(file, 'r')
  } catch (error) {
    throw inaccessible(file, error)
  }
  try {
    const header = Buffer.alloc(SQLITE_HEADER.length)
    const length = readSync(opened, header)
    return length === 0 || header.equals(SQLITE_HEADER)
  } finally {
    closeSync(opened)
  }
}

const notParley = (file: string): CannotOpenStorage =>
  new CannotOpenStorage('not-a-database', `${file} is not a Parley database. Choose another file.`)

/**
 * Opens a database file for this process, which holds its lock: creates it or brings its schema up to date,
 * and draws a new epoch for a restored backup (SPEC OPS-7). Throws `CannotOpenStorage`.
 */
export function openDatabaseFile(
  file: string,
  environment: Environment,
): { connection: Database.Database; epoch: string } {
  let connection: Database.Database | undefined
  try {
    connection = newConnection(file)
    refuseForeignFile(connection)
    configure(connection)
    migrateSqlite(connection, environment.now())
    return { connection, epoch: settleEpoch(connection, environment) }
  } catch (error) {
    connection?.close()
    throw sqliteCode(error) === null ? error : inaccessible(file, error)
  }
}

/** Before anything is written: a wrong path must not turn another program's database into Parley's. */
function refuseForeignFile(connection: Database.Database): void {
  try {
    const id = connection.pragma('application_id', { simple: true })
    if (id === APPLICATION_ID) return
    const empty = connection.prepare('SELECT 1 FROM sqlite_schema').get() === undefined
    if (id === 0 && empty) return
  } catch (error) {
    if (sqliteCode(error) !== 'SQLITE_NOTADB') throw error
  }
  throw notParley(connection.name)
}

function settleEpoch(connection: Database.Database, environment: Environment): string {
  const select = connection.prepare<[], { epoch: string; is_copy: number }>('SELECT epoch, is_copy FROM meta')
  if (select.get()?.is_copy !== 0) {
    connection
      .prepare('INSERT INTO meta (id, epoch) VALUES (1, @epoch) ON CONFLICT DO UPDATE SET epoch = @epoch, is_copy = 0')
      .run({ epoch: randomTag(environment, EPOCH_LENGTH) })
  }
  const settled = select.get()
  invariant(settled !== undefined, 'the database has an epoch')
  return settled.epoch
}

function inaccessible(file: string, error: unknown): CannotOpenStorage {
  return new CannotOpenStorage('inaccessible', `Cannot open the database ${file}: ${whyNot(file, error)}.`, {
    cause: error,
  })
}

function whyNot(file: string, error: unknown): string {
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) return `there is no folder ${folder}`
  if (!mayWrite(folder)) return `this user may not write in ${folder}`
  return error instanceof Error ? error.message : String(error)
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
