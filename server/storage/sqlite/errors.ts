import Database from 'better-sqlite3'
import { ParleyError } from '../../foundation/problems.ts'
import { damaged } from './row.ts'

/** Primary result codes that speak of the disk or the machine, not of the statement: the same act may succeed later. */
const UNAVAILABLE = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|PROTOCOL)(_|$)/
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB)(_|$)/

/** The extended result code, such as `SQLITE_FULL`; null for what is no SQLite error. */
export const sqliteCode = (error: unknown): string | null => (error instanceof Database.SqliteError ? error.code : null)

/** Whether the disk or database refuses at the moment (SPEC OPS-6). */
export const isUnavailable = (error: unknown): boolean => UNAVAILABLE.test(sqliteCode(error) ?? '')

/**
 * What a failed statement is answered with: `storage-unavailable` or `document-damaged` where SQLite says so,
 * anything else as it is, for it is a bug.
 */
export function toStorageError(error: unknown): unknown {
  const code = sqliteCode(error)
  if (code === null) return error
  if (UNAVAILABLE.test(code)) return unavailable(code, error)
  if (DAMAGED.test(code)) return damaged(`What was asked for (${code})`, error)
  return error
}

export const unavailable = (why: string, cause?: unknown): ParleyError =>
  new ParleyError('storage-unavailable', `The storage is not available at the moment (${why}).`, { cause })
