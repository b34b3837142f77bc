import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type Database from 'better-sqlite3'
import type { StoredAnswer } from '../../foundation/answer.ts'
import { toPrincipalId } from '../../foundation/ids.ts'
import { countWithin, damaged, ERASED_BYTES, parseStored, rowChecksum } from './row.ts'

/** As for contents: all other acts wait for the one that is being packed. */
const DEFLATE_LEVEL = 1

/** A row of `answers` as it is handed to the writer, which packs the body. */
interface NewAnswerRow {
  readonly principal: string
  readonly key: string
  readonly at: number
  readonly expires_at: number
  readonly record: string
  readonly documents: readonly { readonly id: string; readonly shownVersion: number | null }[]
  readonly body: string | null
}

/** A row of `answers` as it is stored. */
interface AnswerRow {
  readonly principal: string
  readonly key: string
  readonly at: number
  readonly expires_at: number
  readonly checksum: number
  readonly record: string
  readonly body: Uint8Array | null
}

type KeptAnswer = Pick<StoredAnswer, 'fingerprint' | 'documents' | 'needs' | 'contents' | 'status' | 'headers'>

export function encodeAnswer(answer: StoredAnswer): NewAnswerRow {
  const { principal, key, at, expiresAt, body, fingerprint, documents, needs, contents, status, headers } = answer
  const kept: KeptAnswer = {
    fingerprint,
    documents,
    ...(needs && { needs }),
    ...(contents && { contents }),
    status,
    headers,
  }
  // One of a document is held back from compaction; what a conflict shows besides, the conflict holds.
  const shown = new Map(contents?.flatMap((one) => ('version' in one ? [[one.document, one.version]] : [])))
  return {
    principal,
    key,
    at,
    expires_at: expiresAt,
    record: JSON.stringify(kept),
    documents: documents.map((id) => ({ id, shownVersion: shown.get(id) ?? null })),
    body,
  }
}

/** A write that keeps an answer. */
export interface WithAnswer {
  /** Stored with what the write does, or neither is. */
  readonly answer?: NewAnswerRow
}

export const withAnswer = (answer: StoredAnswer | undefined): WithAnswer =>
  answer === undefined ? {} : { answer: encodeAnswer(answer) }

function packAnswer(row: NewAnswerRow): AnswerRow {
  const { documents: _, ...rest } = row
  const body = row.body === null ? null : deflateRawSync(row.body, { level: DEFLATE_LEVEL })
  const packed = { ...rest, body }
  return { ...packed, checksum: checksumOf(packed) }
}

/** Throws `document-damaged`. */
function decodeAnswer(row: AnswerRow): StoredAnswer {
  if (checksumOf(row) !== row.checksum) throw damaged('A stored answer')
  return {
    ...parseStored<KeptAnswer>(row.record),
    principal: toPrincipalId(row.principal),
    key: row.key,
    at: row.at,
    expiresAt: row.expires_at,
    body: row.body === null ? null : inflateRawSync(row.body).toString(),
  }
}

const checksumOf = (row: Omit<AnswerRow, 'checksum'>): number =>
  rowChecksum([row.principal, row.key, row.at, row.expires_at], row.record, row.body ?? '')

/** Answers one pruning call deletes at most: each may speak of a hundred documents, and have a body of some MiB. */
const PRUNED_ANSWERS = 100

/** Stores answers for the repeats of their requests; knows nothing of transactions. */
export class SqliteAnswerWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** False where its key has an answer that has not expired. What speaks of a document that was purged is not kept. */
  insert(row: NewAnswerRow): boolean {
    this.#sql.deleteExpired.run(row.principal, row.key, row.at)
    if (row.documents.some(({ id }) => this.#sql.isPurged.get(id) !== undefined)) return true
    const { changes, lastInsertRowid } = this.#sql.insert.run(packAnswer(row))
    if (changes === 0) return false
    for (const { id, shownVersion } of row.documents) {
      this.#sql.insertDocument.run(id, Number(lastInsertRowid), shownVersion)
    }
    return true
  }

  /** Deletes what expired before `before`, at most a bounded number; answers how many. */
  prune(before: number): number {
    const expired = this.#sql.expired.all(before, PRUNED_ANSWERS)
    const some = expired.slice(0, countWithin(expired, ERASED_BYTES))
    for (const { id } of some) this.#sql.delete.run(id)
    return some.length
  }
}

export class SqliteAnswerReader {
  readonly #select: Database.Statement<[principal: string, key: string], AnswerRow>

  constructor(connection: Database.Database) {
    this.#select = connection.prepare(
      `SELECT principal, key, at, expires_at, checksum, record, body FROM answers WHERE principal = ? AND key = ?
         AND NOT EXISTS (
           SELECT 1 FROM answer_documents JOIN purges ON purges.id = answer_documents.document
           WHERE answer_documents.answer = answers.id AND answers.id <= purges.answer)`,
    )
  }

  answer(principal: string, key: string): StoredAnswer | null {
    const row = this.#select.get(principal, key)
    return row === undefined ? null : decodeAnswer(row)
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    deleteExpired: connection.prepare<[principal: string, key: string, now: number]>(
      'DELETE FROM answers WHERE principal = ? AND key = ? AND expires_at <= ?',
    ),
    isPurged: connection.prepare<[document: string]>(
      'SELECT 1 FROM documents WHERE id = ? AND first_version > version',
    ),
    insert: connection.prepare<[AnswerRow]>(
      // An id that a purge names is given to no other: what is to go is told by ids.
      `INSERT INTO answers (id, principal, key, at, expires_at, checksum, record, body)
       VALUES (1 + max((SELECT coalesce(max(id), 0) FROM answers), (SELECT coalesce(max(answer), 0) FROM purges)),
         @principal, @key, @at, @expires_at, @checksum, @record, @body) ON CONFLICT DO NOTHING`,
    ),
    insertDocument: connection.prepare<[document: string, answer: number, version: number | null]>(
      'INSERT INTO answer_documents (document, answer, version) VALUES (?, ?, ?)',
    ),
    expired: connection.prepare<[before: number, limit: number], { readonly id: number; readonly bytes: number }>(
      `SELECT id, coalesce(length(body), 0) AS bytes FROM answers WHERE expires_at < ? ORDER BY expires_at LIMIT ?`,
    ),
    delete: connection.prepare<[id: number]>('DELETE FROM answers WHERE id = ?'),
  }
}
