import Database from 'better-sqlite3'
import { invariant } from '../../foundation/assert.ts'

/** Only a backup tool or a person with a shell ever competes for the file (see instanceLock.ts), and briefly. */
const BUSY_TIMEOUT_MS = 250
/** A WAL file that one huge transaction has stretched is cut back to this at the next checkpoint. */
const WAL_BYTES = 64 * 1024 * 1024
/**
 * The WAL is moved into the file when it has so many pages of 4 KiB: four times SQLite's own measure, for the pages that
 * are written again and again, of heads and of busy documents, are then moved once.
 */
const WAL_PAGES = 4_000

/** A connection that has read and changed nothing yet; `configure` has to follow. Throws `SqliteError`. */
export const newConnection = (file: string): Database.Database => new Database(file, { timeout: BUSY_TIMEOUT_MS })

/** Opens a database file as every connection of Parley needs it. Throws `SqliteError`. */
export function openConnection(file: string): Database.Database {
  const connection = newConnection(file)
  try {
    configure(connection)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/**
 * `synchronous` is set after the switch to WAL, because better-sqlite3 is built to lower it to NORMAL there,
 * and a commit would then survive a killed process but not a lost power supply (SPEC WRITE-10).
 */
export function configure(connection: Database.Database): void {
  connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  // On macOS fsync alone leaves the data in the drive's cache; elsewhere this does nothing.
  connection.pragma('fullfsync = ON')
  connection.pragma('foreign_keys = ON')
  // What is moved, packed or deleted is overwritten with zeros, so that a purge has no older places to look for (HIST-5).
  connection.pragma('secure_delete = ON')
  // Savepoints keep the pages they may have to bring back; memory is the place for a few of them.
  connection.pragma('temp_store = MEMORY')
  connection.pragma(`journal_size_limit = ${WAL_BYTES}`)
  connection.pragma(`wal_autocheckpoint = ${WAL_PAGES}`)
  assertDurable(connection)
}

/** Throws when a commit on this connection could return before it is on disk. */
export function assertDurable(connection: Database.Database): void {
  const setting = (name: string): unknown => connection.pragma(name, { simple: true })
  invariant(setting('journal_mode') === 'wal', 'the database is in WAL mode')
  invariant(setting('synchronous') === 2, 'synchronous is FULL')
  invariant(setting('foreign_keys') === 1, 'foreign keys are enforced')
}
