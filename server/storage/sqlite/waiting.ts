import type Database from 'better-sqlite3'
import { toLockHash, toPrincipalId, trustedDocumentId } from '../../foundation/ids.ts'
import type { WaitingEdits, WaitingFacts, WaitingQuery } from '../storage.ts'
import { decodeWaiting, type WaitingRow } from './rows/waiting.ts'

/** What is asked of the writer for edits that wait for a lock. */
export interface WaitingOperation {
  readonly op: 'keep-waiting'
  readonly row: WaitingRow
  readonly incarnation: string
}

/** Keeps and forgets edits that wait for a lock; knows nothing of transactions. */
export class SqliteWaitingWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** Answers the position; null where the document does not live in this incarnation. */
  keep({ row, incarnation }: WaitingOperation): number | null {
    return this.#sql.insert.get({ ...row, incarnation }) ?? null
  }

  /** Whether the edits were still waiting. */
  settle(position: number): boolean {
    return this.#sql.deleteOne.run(position).changes === 1
  }

  /** The document is deleted. */
  forget(document: string): void {
    this.#sql.deleteAll.run(document)
  }
}

export class SqliteWaitingReader {
  readonly #sql: ReturnType<typeof prepareReads>

  constructor(connection: Database.Database) {
    this.#sql = prepareReads(connection)
  }

  list({ document, after, limit }: WaitingQuery): WaitingFacts[] {
    const rows = document === null ? this.#sql.all.all(after, limit) : this.#sql.ofOne.all(document, after, limit)
    return rows.map((row) => ({
      position: row.position,
      document: trustedDocumentId(row.document),
      author: toPrincipalId(row.author),
      tokenHash: row.token_hash === null ? null : toLockHash(row.token_hash),
      bytes: row.bytes,
    }))
  }

  /** Throws `document-damaged`. */
  edits(position: number): WaitingEdits | null {
    const row = this.#sql.one.get(position)
    return row === undefined ? null : decodeWaiting(row)
  }
}

interface FactsRow extends Pick<WaitingRow, 'document' | 'author' | 'token_hash'> {
  readonly position: number
  readonly bytes: number
}

const COLUMNS = 'document, author, token_hash, at, checksum, knowledge, update_bytes'
const FACTS = 'position, document, author, token_hash, length(update_bytes) AS bytes'

function prepareWrites(connection: Database.Database) {
  return {
    insert: connection
      .prepare<[WaitingRow & { incarnation: string }], number>(
        `INSERT INTO waiting_edits (${COLUMNS})
         SELECT @document, @author, @token_hash, @at, @checksum, @knowledge, @update_bytes
         WHERE EXISTS (SELECT 1 FROM documents
                       WHERE id = @document AND incarnation = @incarnation AND deleted_at IS NULL)
         RETURNING position`,
      )
      .pluck(),
    deleteOne: connection.prepare<[position: number]>('DELETE FROM waiting_edits WHERE position = ?'),
    deleteAll: connection.prepare<[document: string]>('DELETE FROM waiting_edits WHERE document = ?'),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    all: connection.prepare<[after: number, limit: number], FactsRow>(
      `SELECT ${FACTS} FROM waiting_edits WHERE position > ? ORDER BY position LIMIT ?`,
    ),
    ofOne: connection.prepare<[document: string, after: number, limit: number], FactsRow>(
      `SELECT ${FACTS} FROM waiting_edits WHERE document = ? AND position > ? ORDER BY position LIMIT ?`,
    ),
    one: connection.prepare<[position: number], WaitingRow>(`SELECT ${COLUMNS} FROM waiting_edits WHERE position = ?`),
  }
}
