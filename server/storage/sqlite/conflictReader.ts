import type Database from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import type { Content } from '../../content/content.ts'
import {
  type ConflictId,
  type DocumentId,
  type Pattern,
  toConflictId,
  toPrincipalId,
  trustedDocumentId,
} from '../../foundation/ids.ts'
import { closed, type ConflictRecord, type ContentHash } from '../../model/conflict.ts'
import type { ConflictQuery } from '../conflicts.ts'
import { type IdRange, idRanges, isInRanges } from '../idRanges.ts'
import { decodeConflict, ownContents, type OwnContentsRow, type RecordRow } from './conflicts.ts'
import { NOT_EXPIRING } from './expiring.ts'
import { notPurged } from './purges.ts'
import { type PackedContent, pushUndamaged, type StorageStep, STEP_ROWS, unpackContent } from './row.ts'

/** Conditions that are asked for in various ways; most questions are of a few. */
const PREPARED_QUERIES = 32
/** The columns of a `KeyedRow`. */
const RECORD = 'key, id, checksum, record'

/** A record, and the key by which it is known whether a deletion left it to be expired. */
interface KeyedRow extends RecordRow {
  readonly key: number
}

/** Where a row is, and whose document it is of. */
interface ConflictPlace {
  readonly key: number
  readonly document: string
}

/** Answers what is asked about conflicts. */
export class SqliteConflictReader {
  readonly #connection: Database.Database
  readonly #sql: ReturnType<typeof prepareReads>
  /** By their text: to prepare one takes as long as to answer it. */
  readonly #queries = new LRUCache<string, Database.Statement>({ max: PREPARED_QUERIES })

  constructor(connection: Database.Database) {
    this.#connection = connection
    this.#sql = prepareReads(connection)
  }

  conflict(id: ConflictId): ConflictRecord | null {
    const row = this.#sql.conflict.get(id)
    return row === undefined ? null : this.#record(row)
  }

  /** As it counts. Throws `document-damaged`. */
  #record(row: KeyedRow): ConflictRecord {
    const record = decodeConflict(row)
    if (record.state.status !== 'open') return record
    const deletion = this.#sql.deletion.get(record.document, row.key)
    if (deletion === undefined) return record
    const { at, by } = deletion
    return closed(record, { status: 'expired', closedAt: at, closedBy: toPrincipalId(by), comment: null })
  }

  /** The newest that fit, of a bounded number of rows; the next step goes on before the last of these. Damaged records are left out, as in `heads`. */
  conflicts(query: ConflictQuery): StorageStep<ConflictRecord, ConflictId> {
    const isAnyExpiring = this.#sql.anyExpiring.get() !== undefined
    const walk = walkOf(query, isAnyExpiring)
    const last = walk.isShort ? null : this.#stepEnd(walk, query.before)
    const found: ConflictRecord[] = []
    for (const row of this.#rows(query, walk, { last, isAnyExpiring })) {
      if (found.length >= query.limit) break
      pushUndamaged(found, () => this.#record(row))
    }
    return { found, next: last }
  }

  /** A token may name hundreds of patterns: SQLite would compare each row with all of them. */
  *#rows(query: ConflictQuery, walk: Walk, step: WalkStep): Generator<KeyedRow> {
    const conditions = conditionsOf(query, walk, step)
    const ranges = rangesTested(query.patterns)
    if (ranges === null) {
      yield* this.#query<KeyedRow>(rowsOf(walk, conditions, RECORD)).iterate(...conditions.parameters)
      return
    }
    const places = this.#query<ConflictPlace>(rowsOf(walk, conditions, 'key, document'))
    // All at once, for a connection that goes through rows answers nothing else meanwhile.
    for (const { key, document } of places.all(...conditions.parameters)) {
      if (!isInRanges(ranges, document)) continue
      const row = this.#sql.record.get(key)
      if (row !== undefined) yield row
    }
  }

  expiringDocuments(): DocumentId[] {
    return this.#sql.expiringDocuments.all().map(trustedDocumentId)
  }

  /** Damaged ones are left out and stay as they are. */
  expiringConflicts(document: DocumentId, limit: number): ConflictRecord[] {
    const records: ConflictRecord[] = []
    for (const row of this.#sql.expiringConflicts.iterate(document)) {
      if (records.length >= limit) break
      pushUndamaged(records, () => this.#record(row))
    }
    return records
  }

  /** The last row that a step looks at; null where it comes to the end. */
  #stepEnd({ index, condition }: Walk, before: ConflictId | null): ConflictId | null {
    const conditions = joined([condition, ...olderThan(before)])
    const sql = `SELECT id FROM conflicts ${index} WHERE ${conditions.sql} ORDER BY id DESC LIMIT 1 OFFSET ${STEP_ROWS - 1}`
    const row = this.#query<{ id: string }>(sql).get(...conditions.parameters)
    return row === undefined ? null : toConflictId(row.id)
  }

  /** `Row` is what the statement answers with. */
  #query<Row>(sql: string): Database.Statement<unknown[], Row> {
    const known = this.#queries.get(sql) ?? this.#connection.prepare(sql)
    this.#queries.set(sql, known)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the text of the statement says what it answers
    return known as Database.Statement<unknown[], Row>
  }

  openConflictCounts(documents: readonly DocumentId[]): Map<DocumentId, number> {
    const rows = this.#sql.openConflictCounts.all(JSON.stringify(documents))
    return new Map(rows.map((row) => [trustedDocumentId(row.document), row.count]))
  }

  /** See `ConflictReads`. */
  content(conflict: ConflictId | null, hash: ContentHash): Content | null {
    const shared = this.#sql.content.get(hash)
    if (shared !== undefined) return unpackContent([hash], shared, 'A content of a conflict')
    const row = conflict === null ? undefined : this.#sql.ownContents.get(conflict)
    if (conflict === null || row === undefined) return null
    return ownContents(conflict, row).find(([name]) => name === hash)?.[1] ?? null
  }
}

/** The index that is gone through, from the newest on, and what it holds. */
interface Walk {
  readonly index: string
  readonly condition: Condition
  /** So few that all of them are looked at, in whatever order. */
  readonly isShort: boolean
}

interface Condition {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

const ALL: Condition = { sql: 'true', parameters: [] }
/** It stands as it does in the indexes of open conflicts, which serve no condition that is put otherwise. */
const OPEN: Condition = { sql: "status = 'open'", parameters: [] }

/**
 * Of one document only its own conflicts are looked at, and of an author only theirs: of one author, and of `invalid-merge`, few
 * are open at a time. SQLite, which does not count them, would rather go through those of everybody, because they stand in order.
 */
function walkOf(
  { patterns: [first, ...others], statuses = [], kinds = [], author }: ConflictQuery,
  isAnyExpiring: boolean,
): Walk {
  const document = first !== undefined && others.length === 0 && 'exact' in first ? first.exact : null
  // What counts as expired may be stored as open.
  const isOneStatus = statuses.length === 1 && !(isAnyExpiring && statuses[0] === 'expired')
  const status = isOneStatus ? oneOf('status', statuses) : ALL
  if (document === null) {
    const index = status === ALL ? '' : 'INDEXED BY conflicts_by_status'
    return { index, condition: status, isShort: false }
  }
  const ofDocument: Condition = { sql: 'document = ?', parameters: [document] }
  if (statuses.length !== 1 || statuses[0] !== 'open')
    return { index: 'INDEXED BY conflicts_by_document', condition: ofDocument, isShort: false }
  const condition = joined([ofDocument, OPEN])
  const isShort = kinds.length === 1 && (author !== undefined || kinds[0] === 'invalid-merge')
  return { index: `INDEXED BY ${isShort ? 'conflicts_open_of_author' : 'conflicts_open'}`, condition, isShort }
}

/** What a walk looks at in one step. */
interface WalkStep {
  readonly last: ConflictId | null
  readonly isAnyExpiring: boolean
}

/** From `query.before` down to `last`. Every value is a parameter; only the shape of the condition depends on the query. */
function conditionsOf(query: ConflictQuery, walk: Walk, { last, isAnyExpiring }: WalkStep): Condition {
  return joined([
    walk.condition,
    ...olderThan(query.before),
    ...(last === null ? [] : [{ sql: 'id >= ?', parameters: [last] }]),
    ...(query.statuses === undefined
      ? []
      : [isAnyExpiring ? countsAs(query.statuses) : oneOf('status', query.statuses)]),
    ...(query.kinds === undefined ? [] : [oneOf('kind', query.kinds)]),
    ...(query.author === undefined ? [] : [{ sql: 'author = ?', parameters: [query.author] }]),
    { sql: notPurged('conflicts', 'key', 'conflict'), parameters: [] },
  ])
}

/** Newest first. */
const rowsOf = ({ index }: Walk, { sql }: Condition, columns: string): string =>
  `SELECT ${columns} FROM conflicts ${index} WHERE ${sql} ORDER BY id DESC`

const olderThan = (before: ConflictId | null): Condition[] =>
  before === null ? [] : [{ sql: 'id < ?', parameters: [before] }]

const joined = (conditions: readonly Condition[]): Condition => ({
  sql: conditions.map(({ sql }) => sql).join(' AND '),
  parameters: conditions.flatMap(({ parameters }) => parameters),
})

const countsAs = (statuses: readonly string[]): Condition => ({
  sql: `CASE WHEN status = 'open' AND NOT ${NOT_EXPIRING} THEN 'expired' ELSE status END
          IN (${statuses.map(() => '?').join(', ')})`,
  parameters: statuses,
})

function oneOf(column: 'status' | 'kind', values: readonly string[]): Condition {
  if (column === 'status' && values.length === 1 && values[0] === 'open') return OPEN
  const sql = values.length === 1 ? `${column} = ?` : `${column} IN (${values.map(() => '?').join(', ')})`
  return { sql, parameters: values }
}

/** What is tested of each row of the walk; null where all that the walk finds fits. */
function rangesTested(patterns: readonly Pattern[]): readonly IdRange[] | null {
  const [only] = patterns
  // The walk has asked for it.
  if (only !== undefined && patterns.length === 1 && 'exact' in only) return null
  return patterns.some((pattern) => 'prefix' in pattern && pattern.prefix === '') ? null : idRanges(patterns)
}

function prepareReads(connection: Database.Database) {
  return {
    conflict: connection.prepare<[id: string], KeyedRow>(
      `SELECT ${RECORD} FROM conflicts WHERE id = ? AND ${notPurged('conflicts', 'key', 'conflict')}`,
    ),
    record: connection.prepare<[key: number], KeyedRow>(`SELECT ${RECORD} FROM conflicts WHERE key = ?`),
    ownContents: connection.prepare<[id: string], OwnContentsRow>(
      'SELECT contents, contents_checksum FROM conflicts WHERE id = ?',
    ),
    ...prepareExpiring(connection),
    openConflictCounts: connection.prepare<[documents: string], { document: string; count: number }>(
      `SELECT conflicts.document, count(*) AS count
       FROM documents CROSS JOIN conflicts INDEXED BY conflicts_open ON conflicts.document = documents.id
       WHERE documents.id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL AND status = 'open'
         AND ${NOT_EXPIRING} AND ${notPurged('conflicts', 'key', 'conflict')}
       GROUP BY conflicts.document`,
    ),
    content: connection.prepare<[hash: string], PackedContent>('SELECT checksum, content FROM contents WHERE hash = ?'),
  }
}

function prepareExpiring(connection: Database.Database) {
  return {
    anyExpiring: connection.prepare<[]>('SELECT 1 FROM expiring LIMIT 1'),
    deletion: connection.prepare<[document: string, key: number], { at: number; by: string }>(
      `SELECT deleted_at AS at, deleted_by AS by FROM expiring
       WHERE document = ? AND conflict >= ? ORDER BY conflict LIMIT 1`,
    ),
    expiringDocuments: connection
      .prepare<[], string>('SELECT DISTINCT document FROM expiring ORDER BY document')
      .pluck(),
    expiringConflicts: connection.prepare<[document: string], KeyedRow>(
      `SELECT ${RECORD} FROM conflicts INDEXED BY conflicts_open
       WHERE document = ? AND status = 'open' AND NOT ${NOT_EXPIRING} AND ${notPurged('conflicts', 'key', 'conflict')}
       ORDER BY id`,
    ),
  }
}
