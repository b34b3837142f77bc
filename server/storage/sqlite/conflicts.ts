import type Database from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import type { Content } from '../../content/content.ts'
import { invariant } from '../../foundation/assert.ts'
import { type ConflictId, type DocumentId, type Pattern, trustedDocumentId } from '../../foundation/ids.ts'
import type { ConflictRecord, ContentHash } from '../../model/conflict.ts'
import type { Act } from '../act.ts'
import type { ConflictQuery, ConflictWrite } from '../conflicts.ts'
import { idRanges } from '../idRanges.ts'
import { notPurged } from './purges.ts'
import {
  damaged,
  packContent,
  type PackedContent,
  parseStored,
  pushUndamaged,
  rowChecksum,
  unpackContent,
} from './row.ts'

/** Conflicts one pruning call deletes at most, because each may take contents along. */
const PRUNED_CONFLICTS = 100
/** Conditions that are asked for in various ways; most questions are of a few. */
const PREPARED_QUERIES = 16

/** What of a row of `conflicts` is the conflict itself; the other columns repeat it for queries. */
interface RecordRow {
  readonly id: string
  readonly checksum: number
  readonly record: string
}
interface ConflictRow extends RecordRow {
  readonly document: string
  readonly kind: string
  readonly status: string
  readonly author: string
  readonly revision: number
  readonly detected_at: number
  readonly closed_at: number | null
}

function encodeConflict(record: ConflictRecord): ConflictRow {
  const json = JSON.stringify(record)
  return {
    id: record.id,
    document: record.document,
    kind: record.kind,
    status: record.state.status,
    author: record.author,
    revision: record.revision,
    detected_at: record.detectedAt,
    closed_at: record.state.status === 'open' ? null : record.state.closedAt,
    checksum: rowChecksum([record.id], json),
    record: json,
  }
}

/** Throws `document-damaged`. */
function decodeConflict(row: RecordRow): ConflictRecord {
  if (rowChecksum([row.id], row.record) !== row.checksum) throw damaged(`Conflict ${row.id}`)
  return parseStored<ConflictRecord>(row.record)
}

/** The stored contents a conflict refers to, each once. */
function referredContents(record: ConflictRecord): readonly ContentHash[] {
  const sides = [record.base, record.current, record.incoming, ...record.proposals]
  const hashes = sides.map((side) => side.hash).filter((hash) => hash !== null)
  return [...new Set(hashes)]
}

/** The versions a conflict refers to: those of its sides, where a return began, and where pending proposals were made. */
function referredVersions(record: ConflictRecord): readonly number[] {
  const sides = [record.base, record.current, record.incoming].map((side) => side.version ?? 0)
  const proposals = record.proposals.filter((proposal) => proposal.status === 'pending')
  const versions = [...sides, record.live?.since ?? 0, ...proposals.map((proposal) => proposal.baseVersion)]
  return [...new Set(versions)].filter((version) => version > 0)
}

export interface ConflictWriteRow {
  readonly op: 'insert' | 'update'
  readonly row: ConflictRow
  readonly hashes: readonly string[]
  /** Versions of its document that it refers to. */
  readonly versions: readonly number[]
}

export interface ContentJson {
  readonly hash: string
  readonly json: string
}

export const encodeConflictWrite = (write: ConflictWrite): ConflictWriteRow => ({
  op: write.op,
  row: encodeConflict(write.record),
  hashes: referredContents(write.record),
  versions: referredVersions(write.record),
})

/** Throws where no conflict of the act refers to a content, which is a bug of the caller. */
export function encodeContents(contents: Act['contents'], conflicts: readonly ConflictWriteRow[]): ContentJson[] {
  const referred = new Set(conflicts.flatMap((write) => write.hashes))
  return Array.from(contents, ([hash, content]) => {
    invariant(referred.has(hash), 'a conflict of the act refers to each of its contents')
    return { hash, json: JSON.stringify(content) }
  })
}

/** Keeps conflicts and their contents; knows nothing of transactions. */
export class SqliteConflictWriter {
  readonly #sql: ReturnType<typeof prepareWrites>
  readonly #isGone: (document: string, version: number) => boolean

  /** `isGone` says whether a version was compacted away. */
  constructor(connection: Database.Database, isGone: (document: string, version: number) => boolean) {
    this.#sql = prepareWrites(connection)
    this.#isGone = isGone
  }

  /** Equal contents are kept once. */
  keepContent({ hash, json }: ContentJson): void {
    if (this.#sql.selectContent.get(hash) !== undefined) return
    const packed = packContent([hash], json)
    this.#sql.insertContent.run(hash, packed.checksum, packed.content)
  }

  /** Whether the stored revision was the one that the write builds on. */
  write({ op, row, hashes, versions }: ConflictWriteRow): boolean {
    // It was worked out from versions that were there then.
    if (versions.some((version) => this.#isGone(row.document, version))) return false
    if (op === 'insert') {
      const key = Number(this.#sql.insertConflict.run(row).lastInsertRowid)
      for (const hash of hashes) this.#sql.insertLink.run(hash, key)
      for (const version of versions) this.#sql.insertConflictVersion.run(row.document, version, key)
      return true
    }
    const key = this.#sql.updateConflict.get(row)
    if (key === undefined) return false
    this.#sql.deleteConflictVersions.run(key)
    for (const version of versions) this.#sql.insertConflictVersion.run(row.document, version, key)
    const before = this.#sql.selectLinks.all(key)
    for (const hash of hashes) if (!before.includes(hash)) this.#sql.insertLink.run(hash, key)
    for (const hash of before) if (!hashes.includes(hash)) this.#unlink(hash, key)
    return true
  }

  /** A conflict no longer refers to a content; the last one takes it along. */
  #unlink(hash: string, conflict: number): void {
    this.#sql.deleteLink.run(hash, conflict)
    this.#sql.deleteUnlinkedContent.run(hash)
  }

  /** Deletes what was closed before `before`, at most a bounded number; answers how many. */
  prune(before: number): number {
    const conflicts = this.#sql.selectClosedConflicts.all(before, PRUNED_CONFLICTS)
    for (const conflict of conflicts) this.forget(conflict)
    return conflicts.length
  }

  /** Deletes a conflict with the contents that nobody else refers to. */
  forget(conflict: number): void {
    for (const hash of this.#sql.selectLinks.all(conflict)) this.#unlink(hash, conflict)
    this.#sql.deleteConflictVersions.run(conflict)
    this.#sql.deleteConflict.run(conflict)
  }
}

/** Answers what is asked about conflicts. */
export class SqliteConflictReader {
  readonly #connection: Database.Database
  readonly #sql: ReturnType<typeof prepareReads>
  /** By their text: to prepare one takes as long as to answer it. */
  readonly #queries = new LRUCache<string, Database.Statement<unknown[], RecordRow>>({ max: PREPARED_QUERIES })

  constructor(connection: Database.Database) {
    this.#connection = connection
    this.#sql = prepareReads(connection)
  }

  conflict(id: ConflictId): ConflictRecord | null {
    const row = this.#sql.conflict.get(id)
    return row === undefined ? null : decodeConflict(row)
  }

  /** Damaged records are left out, as in `heads`. */
  conflicts(query: ConflictQuery): ConflictRecord[] {
    const records: ConflictRecord[] = []
    const { sql, parameters } = conflictsQuery(query)
    for (const row of this.#query(sql).iterate(...parameters)) {
      if (records.length >= query.limit) break
      pushUndamaged(records, () => decodeConflict(row))
    }
    return records
  }

  #query(sql: string): Database.Statement<unknown[], RecordRow> {
    const known = this.#queries.get(sql) ?? this.#connection.prepare<unknown[], RecordRow>(sql)
    this.#queries.set(sql, known)
    return known
  }

  openConflictCounts(documents: readonly DocumentId[]): Map<DocumentId, number> {
    const rows = this.#sql.openConflictCounts.all(JSON.stringify(documents))
    return new Map(rows.map((row) => [trustedDocumentId(row.document), row.count]))
  }

  content(hash: ContentHash): Content | null {
    const row = this.#sql.content.get(hash)
    return row === undefined ? null : unpackContent([hash], row, 'A content of a conflict')
  }
}

/** Newest first. Every value is a parameter; only the shape of the condition depends on the query. */
function conflictsQuery(query: ConflictQuery): { sql: string; parameters: unknown[] } {
  const conditions = [matching(query.patterns), { sql: notPurged('conflicts', 'key', 'conflict'), parameters: [] }]
  if (query.before !== null) conditions.push({ sql: 'id < ?', parameters: [query.before] })
  if (query.statuses !== undefined) conditions.push(oneOf('status', query.statuses))
  if (query.kinds !== undefined) conditions.push(oneOf('kind', query.kinds))
  if (query.author !== undefined) conditions.push({ sql: 'author = ?', parameters: [query.author] })
  return {
    sql: `SELECT id, checksum, record FROM conflicts ${indexFor(query)}
          WHERE ${conditions.map((condition) => condition.sql).join(' AND ')} ORDER BY id DESC`,
    parameters: conditions.flatMap((condition) => condition.parameters),
  }
}

/**
 * Of one document only its own conflicts are looked at. SQLite, which does not count them, would rather go through those of
 * the status, everybody's, because they stand in order.
 */
function indexFor({ patterns: [first, ...others], statuses = [] }: ConflictQuery): string {
  if (first === undefined || others.length > 0 || !('exact' in first)) return ''
  const isOpen = statuses.length === 1 && statuses[0] === 'open'
  return isOpen ? 'INDEXED BY conflicts_open' : 'INDEXED BY conflicts_by_document'
}

interface Condition {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** `status = 'open'` stands as it does in the index of open conflicts, which serves no condition that is put otherwise. */
function oneOf(column: 'status' | 'kind', values: readonly string[]): Condition {
  if (column === 'status' && values.length === 1 && values[0] === 'open')
    return { sql: "status = 'open'", parameters: [] }
  const sql = values.length === 1 ? `${column} = ?` : `${column} IN (${values.map(() => '?').join(', ')})`
  return { sql, parameters: values }
}

/** Many ranges are one parameter, because a condition may only be so long. */
function matching(patterns: readonly Pattern[]): Condition {
  const [only] = patterns
  if (only !== undefined && patterns.length === 1 && 'exact' in only) {
    return { sql: 'document = ?', parameters: [only.exact] }
  }
  if (patterns.some((pattern) => 'prefix' in pattern && pattern.prefix === '')) return { sql: 'true', parameters: [] }
  return {
    sql: `EXISTS (SELECT 1 FROM json_each(?) AS range
                  WHERE document >= range.value ->> 'from' AND document < range.value ->> 'to')`,
    parameters: [JSON.stringify(idRanges(patterns))],
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    insertConflict: connection.prepare<[ConflictRow]>(
      `INSERT INTO conflicts (id, document, kind, status, author, revision, detected_at, closed_at, checksum, record)
       VALUES (@id, @document, @kind, @status, @author, @revision, @detected_at, @closed_at, @checksum, @record)`,
    ),
    updateConflict: connection
      .prepare<[ConflictRow], number>(
        `UPDATE conflicts SET status = @status, revision = @revision, closed_at = @closed_at,
           checksum = @checksum, record = @record
         WHERE id = @id AND revision = @revision - 1 RETURNING key`,
      )
      .pluck(),
    selectClosedConflicts: connection
      .prepare<[before: number, limit: number], number>(
        'SELECT key FROM conflicts WHERE closed_at < ? ORDER BY closed_at LIMIT ?',
      )
      .pluck(),
    insertConflictVersion: connection.prepare<[document: string, version: number, conflict: number]>(
      'INSERT INTO conflict_versions (document, version, conflict) VALUES (?, ?, ?)',
    ),
    deleteConflictVersions: connection.prepare<[conflict: number]>('DELETE FROM conflict_versions WHERE conflict = ?'),
    deleteConflict: connection.prepare<[conflict: number]>('DELETE FROM conflicts WHERE key = ?'),
    selectContent: connection.prepare<[hash: string]>('SELECT 1 FROM contents WHERE hash = ?'),
    insertContent: connection.prepare<[hash: string, checksum: number, content: Uint8Array]>(
      'INSERT INTO contents (hash, checksum, content) VALUES (?, ?, ?)',
    ),
    deleteUnlinkedContent: connection.prepare<[hash: string]>(
      `DELETE FROM contents WHERE hash = ?
         AND NOT EXISTS (SELECT 1 FROM conflict_contents WHERE conflict_contents.hash = contents.hash)`,
    ),
    selectLinks: connection
      .prepare<[conflict: number], string>('SELECT hash FROM conflict_contents WHERE conflict = ?')
      .pluck(),
    insertLink: connection.prepare<[hash: string, conflict: number]>(
      'INSERT INTO conflict_contents (hash, conflict) VALUES (?, ?)',
    ),
    deleteLink: connection.prepare<[hash: string, conflict: number]>(
      'DELETE FROM conflict_contents WHERE hash = ? AND conflict = ?',
    ),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    conflict: connection.prepare<[id: string], RecordRow>(
      `SELECT id, checksum, record FROM conflicts WHERE id = ? AND ${notPurged('conflicts', 'key', 'conflict')}`,
    ),
    openConflictCounts: connection.prepare<[documents: string], { document: string; count: number }>(
      `SELECT conflicts.document, count(*) AS count
       FROM documents CROSS JOIN conflicts INDEXED BY conflicts_open ON conflicts.document = documents.id
       WHERE documents.id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL AND status = 'open'
         AND ${notPurged('conflicts', 'key', 'conflict')}
       GROUP BY conflicts.document`,
    ),
    content: connection.prepare<[hash: string], PackedContent>('SELECT checksum, content FROM contents WHERE hash = ?'),
  }
}
