import type Database from 'better-sqlite3'
import type { NewHeadRow } from './documents.ts'
import { notPurged } from './purges.ts'

/** A condition on `conflicts`: no deletion left it to be expired. The table is empty nearly always. */
export const NOT_EXPIRING = `NOT EXISTS (SELECT 1 FROM expiring
  WHERE expiring.document = conflicts.document AND conflicts.key <= expiring.conflict)`

/** Keeps what deletions left of open conflicts; knows nothing of transactions. */
export class SqliteExpiringWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** A document was deleted: what of its conflicts is open still counts as expired from now on. */
  begin({ id, deleted_at: at, updated_by: by }: NewHeadRow): void {
    const last = this.#sql.selectLast.get({ document: id })
    if (last !== undefined && last !== null && at !== null) this.#sql.insert.run(id, last, at, by)
  }

  /** Conflicts of a document were closed: a deletion of whose conflicts none is open any more is done with. */
  end(document: string): void {
    this.#sql.deleteDone.run(document)
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    // Of those alone that no earlier deletion names: each keeps the time and the author of its own.
    selectLast: connection
      .prepare<[{ document: string }], number | null>(
        `SELECT max(key) FROM conflicts INDEXED BY conflicts_open
         WHERE document = @document AND status = 'open' AND ${NOT_EXPIRING} AND ${notPurged('conflicts', 'key', 'conflict')}`,
      )
      .pluck(),
    insert: connection.prepare<[document: string, conflict: number, at: number, by: string]>(
      'INSERT INTO expiring (document, conflict, deleted_at, deleted_by) VALUES (?, ?, ?, ?)',
    ),
    deleteDone: connection.prepare<[document: string]>(
      `DELETE FROM expiring WHERE document = ? AND NOT EXISTS (
         SELECT 1 FROM conflicts INDEXED BY conflicts_open
         WHERE conflicts.document = expiring.document AND status = 'open' AND conflicts.key <= expiring.conflict)`,
    ),
  }
}
