import type Database from 'better-sqlite3'
import { type DocumentId, trustedDocumentId } from '../../foundation/ids.ts'
import type { NewHeadRow, SqliteDocumentWriter } from './documents.ts'
import { countWithin, ERASED_BYTES } from './row.ts'

/** Rows one step erases at most: what waits behind it waits some milliseconds, not longer. */
const ERASED_ROWS = 500
/** Fewer than rows of the log, because each may take contents along. */
const ERASED_CONFLICTS = 50

/**
 * What a purge asks of the writer once it has begun: to erase some of the rows, to empty the WAL, which holds what they held,
 * and to end.
 */
export type PurgeOperation =
  | { readonly op: 'erase-purged' | 'end-purge'; readonly document: string }
  | { readonly op: 'empty-wal' }

/** How far a purge is: rows are left, the files may still hold some, or there is none. */
export const PURGE = { none: 0, rowsLeft: 1, rowsGone: 2 } as const

/** What is to be erased of a document does not count as being there: a condition on a table with a `document`. */
export const notPurged = (
  table: string,
  column: string,
  mark: 'conflict' | 'event' | 'delivery',
  id = `${table}.document`,
): string => `NOT EXISTS (SELECT 1 FROM purges WHERE purges.id = ${id} AND ${table}.${column} <= purges.${mark})`

interface Purge {
  readonly document: number
  readonly id: string
  readonly version: number
  readonly conflict: number
  readonly event: number
  readonly delivery: number
  readonly answer: number
}

/** Erases documents. */
export class SqlitePurgeWriter {
  readonly #sql: ReturnType<typeof prepareWriter>
  readonly #documents: SqliteDocumentWriter
  readonly #forgetConflict: (key: number) => number

  /** `forgetConflict` deletes a conflict with the contents nobody else refers to, and answers how large those were. */
  constructor(connection: Database.Database, documents: SqliteDocumentWriter, forgetConflict: (key: number) => number) {
    this.#sql = prepareWriter(connection)
    this.#documents = documents
    this.#forgetConflict = forgetConflict
  }

  /**
   * Begins: from now on nothing of the document is there but this head. False where the stored one is not deleted at that
   * very version and time.
   */
  begin(head: NewHeadRow): boolean {
    const document = this.#documents.markPurged(head)
    if (document === null) return false
    this.#sql.insertPurge.run({ document, id: head.id, version: head.version })
    this.#sql.deleteSnapshot.run(document)
    this.#sql.deleteProgress.run(document)
    // Of its conflicts nothing is told any more.
    this.#sql.deleteExpiring.run(head.id)
    // At once, because who acts in a new life of the id has a name there as well.
    this.#sql.deletePeople.run(document)
    this.#sql.clearLock.run(head.id)
    return true
  }

  /** Erases some rows; answers one of `PURGE`. */
  erase(id: string): number {
    const purge = this.#sql.selectPurge.get(id)
    if (purge === undefined) return PURGE.none
    for (const { next, remove } of this.#sql.large) {
      const rows = next.all(purge)
      const some = rows.slice(0, countWithin(rows, ERASED_BYTES))
      for (const { key } of some) remove.run(key)
      if (some.length > 0) return PURGE.rowsLeft
    }
    for (const step of [this.#sql.deleteLabels, this.#sql.deleteEvents, this.#sql.deleteDeliveries]) {
      if (step.run(purge).changes > 0) return PURGE.rowsLeft
    }
    return this.#forgetConflicts(purge) ? PURGE.rowsLeft : PURGE.rowsGone
  }

  #forgetConflicts(purge: Purge): boolean {
    const conflicts = this.#sql.selectConflicts.all(purge)
    let bytes = 0
    for (const conflict of conflicts) {
      if (bytes > ERASED_BYTES) break
      bytes += this.#forgetConflict(conflict)
    }
    return conflicts.length > 0
  }

  /** Nothing is left to be erased. */
  end(id: string): void {
    this.#sql.deletePurge.run(id)
  }
}

/** Answers what is asked about purges. */
export class SqlitePurgeReader {
  readonly #sql: ReturnType<typeof prepareReader>

  constructor(connection: Database.Database) {
    this.#sql = prepareReader(connection)
  }

  unfinished(): DocumentId[] {
    return this.#sql.unfinished.all().map(trustedDocumentId)
  }
}

function prepareWriter(connection: Database.Database) {
  return { ...preparePurges(connection), ...prepareErasing(connection) }
}

function preparePurges(connection: Database.Database) {
  return {
    insertPurge: connection.prepare<[{ document: number; id: string; version: number }]>(
      `INSERT INTO purges (document, id, version, conflict, event, delivery, answer) VALUES (@document, @id, @version,
         (SELECT coalesce(max(key), 0) FROM conflicts),
         (SELECT coalesce(max(sequence), 0) FROM events WHERE document = @id),
         (SELECT coalesce(max(position), 0) FROM webhook_deliveries),
         (SELECT coalesce(max(answer), 0) FROM answer_documents WHERE document = @id))
       ON CONFLICT DO UPDATE SET version = excluded.version, conflict = excluded.conflict,
         event = excluded.event, delivery = excluded.delivery, answer = excluded.answer`,
    ),
    selectPurge: connection.prepare<[id: string], Purge>(
      'SELECT document, id, version, conflict, event, delivery, answer FROM purges WHERE id = ?',
    ),
    deletePurge: connection.prepare<[id: string]>('DELETE FROM purges WHERE id = ?'),
    // Its fence stays, for it only grows (LOCK-2).
    clearLock: connection.prepare<[id: string]>(
      'UPDATE locks SET owner = NULL, token_hash = NULL, ttl_ms = NULL, expires_at = NULL WHERE document = ?',
    ),
    deleteExpiring: connection.prepare<[id: string]>('DELETE FROM expiring WHERE document = ?'),
    deletePeople: connection.prepare<[document: number]>('DELETE FROM people WHERE document = ?'),
    deleteProgress: connection.prepare<[document: number]>('DELETE FROM log_progress WHERE document = ?'),
    deleteSnapshot: connection.prepare<[document: number]>('DELETE FROM snapshots WHERE document = ?'),
  }
}

function prepareErasing(connection: Database.Database) {
  /** Of a table whose rows may be large; `bytes` says how large. */
  const rowsOf = (table: string, bytes: string, condition: string, key = 'rowid') => ({
    next: connection.prepare<[Purge], LargeRow>(
      `SELECT ${table}.${key} AS key, ${bytes} AS bytes FROM ${table} WHERE ${condition} LIMIT ${ERASED_ROWS}`,
    ),
    remove: connection.prepare<[key: number]>(`DELETE FROM ${table} WHERE ${key} = ?`),
  })
  const ofLog = 'document = @document AND version <= @version'
  // The length of a text in characters is known only to who reads it.
  const ofEntry = 'length(update_bytes) + coalesce(octet_length(effect), 0)'
  const answered = `id IN (
    SELECT answer FROM answer_documents WHERE document = @id AND answer <= @answer LIMIT ${ERASED_ROWS})`
  return {
    large: [
      // None reaches past the purge: while it is not finished nothing of the document is packed.
      rowsOf('packs', 'length(facts) + length(updates)', 'document = @document AND last_version <= @version'),
      rowsOf('entries', ofEntry, ofLog),
      rowsOf('fresh_entries', ofEntry, ofLog),
      rowsOf('checkpoints', 'length(content)', ofLog),
      rowsOf('answers', 'coalesce(length(body), 0)', answered, 'id'),
    ],
    deleteLabels: connection.prepare<[Purge]>(
      `DELETE FROM labels WHERE document = @document AND version IN (
         SELECT version FROM labels WHERE document = @document AND version <= @version LIMIT ${ERASED_ROWS})`,
    ),
    // That it was deleted, and by whom, is told to those who were away as well.
    deleteEvents: connection.prepare<[Purge]>(
      `DELETE FROM events WHERE sequence IN (
         SELECT sequence FROM events WHERE document = @id AND sequence <= @event
           AND type <> 'parley.document.deleted' LIMIT ${ERASED_ROWS})`,
    ),
    deleteDeliveries: connection.prepare<[Purge]>(
      `DELETE FROM webhook_deliveries WHERE position IN (
         SELECT position FROM webhook_deliveries WHERE record ->> 'document' = @id AND position <= @delivery
           AND record ->> 'type' <> 'parley.document.deleted' LIMIT ${ERASED_ROWS})`,
    ),
    selectConflicts: connection
      .prepare<[Purge], number>(
        `SELECT key FROM conflicts WHERE document = @id AND key <= @conflict LIMIT ${ERASED_CONFLICTS}`,
      )
      .pluck(),
  }
}

interface LargeRow {
  readonly key: number
  readonly bytes: number
}

function prepareReader(connection: Database.Database) {
  return {
    unfinished: connection.prepare<[], string>('SELECT id FROM purges ORDER BY id').pluck(),
  }
}
