import Database from 'better-sqlite3'
import { CannotOpenStorage } from '../cannotOpenStorage.ts'
import { sqliteCode } from './errors.ts'

export interface InstanceLock {
  release(): void
}

/**
 * Keeps every other process off a database file (SPEC OPS-4). The lock is an exclusive transaction on an empty
 * SQLite file beside it: the operating system lets go of it when the process ends, however it ends.
 * The database itself stays open to backup tools. Throws `CannotOpenStorage`.
 */
export function acquireInstanceLock(file: string): InstanceLock {
  const lockFile = `${file}-lock`
  let connection: Database.Database | undefined
  try {
    connection = new Database(lockFile, { timeout: 0 })
    connection.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    connection?.close()
    if (sqliteCode(error)?.startsWith('SQLITE_BUSY')) {
      throw new CannotOpenStorage(
        'in-use',
        `Another process is using ${file}. Stop it first, or choose another database file.`,
        { cause: error },
      )
    }
    const why = error instanceof Error ? error.message : String(error)
    throw new CannotOpenStorage('inaccessible', `Cannot lock ${lockFile}: ${why}.`, { cause: error })
  }
  const held = connection
  return { release: () => void held.close() }
}
