import type Database from 'better-sqlite3'
import type { EntryRow } from './rows/entry.ts'

/** Takes the newest rows of the log as they come; knows nothing of transactions. */
export class SqliteFreshEntries {
  readonly #sql: ReturnType<typeof prepare>

  constructor(connection: Database.Database) {
    this.#sql = prepare(connection)
  }

  /** `author` is the key of its principal. */
  insert(document: number, author: number, row: EntryRow): void {
    const { version, at, origin, checksum, update_checksum: updateChecksum, effect, update_bytes: bytes } = row
    this.#sql.insert.run(document, version, author, at, origin, checksum, updateChecksum, effect, bytes)
  }

  /** Sorts all of them into `entries` once there are `many`; a page of a document is then written for many of its rows. */
  sortOnce(many: number): void {
    if ((this.#sql.count.get() ?? 0) < many) return
    this.#sql.sort.run()
    this.#sql.clear.run()
  }
}

function prepare(connection: Database.Database) {
  const columns = 'document, version, author, at, origin, checksum, update_checksum, effect, update_bytes'
  return {
    insert: connection.prepare<[...numbers: [...Seven], string | null, Uint8Array]>(
      `INSERT INTO fresh_entries (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    /** Keys begin anew when all rows are gone, so the newest says how many came since; erased ones count too. */
    count: connection.prepare<[], number | null>('SELECT max(key) FROM fresh_entries').pluck(),
    sort: connection.prepare<[]>(
      `INSERT INTO entries (${columns}) SELECT ${columns} FROM fresh_entries ORDER BY document, version`,
    ),
    clear: connection.prepare<[]>('DELETE FROM fresh_entries'),
  }
}

type Seven = [number, number, number, number, number, number, number]
