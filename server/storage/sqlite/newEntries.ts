import type Database from 'better-sqlite3'
import { entryChecksum } from './row.ts'
import { effectChecksum, type NewEntryRow } from './rows/entry.ts'

/** Sorted in at one time: some 2 ms of work. */
const SORTED_ROWS = 256

/**
 * Takes new rows of the log; knows nothing of transactions. Either each goes to its place in `entries`, on a page of its
 * document, or all go to `fresh_entries`, one after the other, to be sorted in later.
 */
export class SqliteNewEntries {
  readonly #sql: ReturnType<typeof prepare>
  #isLeft = false
  /** While they are being sorted in: the key of the document up to which that is done. */
  #sortedUpTo: number | null = null

  constructor(connection: Database.Database) {
    this.#sql = prepare(connection)
  }

  /** Whether rows go to `fresh_entries` from now on. */
  leaveFresh(isLeft: boolean): void {
    this.#isLeft = isLeft
  }

  /** `keys` are those that stand for the document and its author in the database. */
  insert(document: string, row: NewEntryRow, keys: { readonly document: number; readonly author: number }): void {
    const { version, at, origin, effect, update_bytes: bytes } = row
    const updateChecksum = entryChecksum(bytes)
    const checksum = effectChecksum(document, row, updateChecksum)
    const statement = this.#isLeft ? this.#sql.insertFresh : this.#sql.insertSorted
    statement.run(keys.document, version, keys.author, at, origin, checksum, updateChecksum, effect, bytes)
  }

  /** Whether there are `many`, or not all are sorted in of those that were. */
  needSorting(many: number): boolean {
    return this.#sortedUpTo !== null || (this.#sql.span.get() ?? 0) >= many
  }

  /** Moves the rows of some documents to their places: a page of a document is then written for many of its rows. */
  sortSome(): void {
    const after = this.#sortedUpTo ?? 0
    const upTo = this.#sql.document.get(after, SORTED_ROWS - 1)
    const range = { after, upTo: upTo ?? Number.MAX_SAFE_INTEGER }
    this.#sql.copy.run(range)
    this.#sql.remove.run(range)
    this.#sortedUpTo = upTo ?? null
  }
}

function prepare(connection: Database.Database) {
  const columns = 'document, version, author, at, origin, checksum, update_checksum, effect, update_bytes'
  const insertInto = (table: 'entries' | 'fresh_entries'): Database.Statement<NewRow> =>
    connection.prepare<NewRow>(`INSERT INTO ${table} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  return {
    insertFresh: insertInto('fresh_entries'),
    insertSorted: insertInto('entries'),
    /** How many came since the oldest that is left. */
    span: connection
      .prepare<[], number | null>(
        'SELECT (SELECT max(key) FROM fresh_entries) - (SELECT min(key) FROM fresh_entries) + 1',
      )
      .pluck(),
    document: connection
      .prepare<[after: number, offset: number], number>(
        'SELECT document FROM fresh_entries WHERE document > ? ORDER BY document, version LIMIT 1 OFFSET ?',
      )
      .pluck(),
    copy: connection.prepare<[RowRange]>(
      `INSERT INTO entries (${columns}) SELECT ${columns} FROM fresh_entries
       WHERE document > @after AND document <= @upTo ORDER BY document, version`,
    ),
    remove: connection.prepare<[RowRange]>('DELETE FROM fresh_entries WHERE document > @after AND document <= @upTo'),
  }
}

/** Keys of documents. */
interface RowRange {
  readonly after: number
  readonly upTo: number
}

type NewRow = [...numbers: Seven, effect: string | null, updateBytes: Uint8Array]
type Seven = [number, number, number, number, number, number, number]
