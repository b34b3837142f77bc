import type Database from 'better-sqlite3'
import { toLockHash, toPrincipalId, toVersion, trustedDocumentId } from '../../foundation/ids.ts'
import type { Knowledge } from '../../model/clientKnowledge.ts'
import type { ClockSpan } from '../../model/clockSet.ts'
import type { WaitingEdits, WaitingFacts, WaitingQuery } from '../waiting.ts'
import { damaged, decodeHandedOn, encodeHandedOn, exactBytes, parseStored, plainBytes, rowChecksum } from './row.ts'

/** A row of `waiting_edits` without its position. */
interface WaitingRow {
  readonly document: string
  readonly author: string
  readonly token_hash: string | null
  readonly at: number
  readonly checksum: number
  readonly knowledge: string
  readonly handed_on: string | null
  readonly update_bytes: Uint8Array
}

/** `Knowledge` as JSON, which has no maps. */
type StoredKnowledge =
  | {
      readonly by: 'clocks'
      readonly clocks: readonly (readonly [client: number, clock: number])[]
      readonly deletes: readonly (readonly [client: number, spans: readonly ClockSpan[]])[]
      readonly sentUpTo: number | null
      /** Absent in rows of before it was kept. */
      readonly brought?: readonly (readonly [client: number, spans: readonly ClockSpan[]])[]
      /** In base64. Absent in rows of before it was kept. */
      readonly broughtUpdate?: string | null
    }
  | { readonly by: 'versions'; readonly seen: number; readonly own: readonly number[] }
  | { readonly by: 'stored'; readonly seen: number }

export function encodeWaiting(edits: WaitingEdits): WaitingRow {
  const row = {
    document: edits.document,
    author: edits.author,
    token_hash: edits.tokenHash,
    at: edits.at,
    knowledge: JSON.stringify(encodeKnowledge(edits.knowledge)),
    handed_on: encodeHandedOn(edits.handedOn),
    update_bytes: exactBytes(edits.update),
  }
  return { ...row, checksum: checksumOf(row) }
}

/** Throws `document-damaged`. */
function decodeWaiting(row: WaitingRow): WaitingEdits {
  if (checksumOf(row) !== row.checksum) throw damaged(`What waits for a lock of ${row.document}`)
  return {
    document: trustedDocumentId(row.document),
    author: toPrincipalId(row.author),
    tokenHash: row.token_hash === null ? null : toLockHash(row.token_hash),
    knowledge: decodeKnowledge(parseStored<StoredKnowledge>(row.knowledge)),
    update: plainBytes(row.update_bytes),
    ...decodeHandedOn(row.handed_on),
    at: row.at,
  }
}

function encodeKnowledge(knowledge: Knowledge): StoredKnowledge {
  if (knowledge.by !== 'clocks') return knowledge
  const { by, clocks, deletes, sentUpTo, brought } = knowledge
  const broughtUpdate = knowledge.broughtUpdate && Buffer.from(knowledge.broughtUpdate).toString('base64')
  return { by, clocks: [...clocks], deletes: [...deletes], sentUpTo, brought: [...brought], broughtUpdate }
}

function decodeKnowledge(stored: StoredKnowledge): Knowledge {
  if (stored.by === 'versions') return { by: 'versions', seen: toVersion(stored.seen), own: stored.own.map(toVersion) }
  if (stored.by === 'stored') return { by: 'stored', seen: toVersion(stored.seen) }
  const { clocks, deletes, sentUpTo, brought = [], broughtUpdate = null } = stored
  return {
    by: 'clocks',
    clocks: new Map(clocks),
    deletes: new Map(deletes),
    sentUpTo: sentUpTo === null ? null : toVersion(sentUpTo),
    brought: new Map(brought),
    broughtUpdate: broughtUpdate === null ? null : plainBytes(Buffer.from(broughtUpdate, 'base64')),
  }
}

function checksumOf(row: Omit<WaitingRow, 'checksum'>): number {
  const fields = [row.document, row.author, row.token_hash, row.at]
  if (row.handed_on !== null) fields.push(row.handed_on)
  return rowChecksum(fields, row.knowledge, row.update_bytes)
}

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

const COLUMNS = 'document, author, token_hash, at, checksum, knowledge, handed_on, update_bytes'
const FACTS = 'position, document, author, token_hash, length(update_bytes) AS bytes'

function prepareWrites(connection: Database.Database) {
  return {
    insert: connection
      .prepare<[WaitingRow & { incarnation: string }], number>(
        `INSERT INTO waiting_edits (${COLUMNS})
         SELECT @document, @author, @token_hash, @at, @checksum, @knowledge, @handed_on, @update_bytes
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
