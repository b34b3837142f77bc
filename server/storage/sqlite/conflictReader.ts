import type Database from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import type { Content } from '../../content/content.ts'
import {
  type ConflictId,
  type DocumentId,
  type Pattern,
  toConflictId,
  trustedDocumentId,
} from '../../foundation/ids.ts'
import type { ConflictRecord, ContentHash } from '../../model/conflict.ts'
import type { ConflictQuery } from '../conflicts.ts'
import { type IdRange, idRanges, isInRanges } from '../idRanges.ts'
import { decodeConflict, ownContents, type OwnContentsRow, type RecordRow } from './conflicts.ts'
import { notPurged } from './purges.ts'
import { type PackedContent, pushUndamaged, STEP_ROWS, unpackContent } from './row.ts'

/** Conditions that are asked for in various ways; most questions are of a few. */
const PREPARED_QUERIES = 32

/** Where a row is, and whose document it is of. */
interface ConflictPlace {
  readonly key: number
  readonly document: string
}

/** What a step found, newest first. */
export interface ConflictStep {
  readonly records: readonly ConflictRecord[]
  /** Where the next step goes on: before this one. Null where there is nothing left. */
  readonly before: ConflictId | null
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
    return row === undefined ? null : decodeConflict(row)
  }

  /** The newest that fit, of a bounded number of rows. Damaged records are left out, as in `heads`. */
  conflicts(query: ConflictQuery): ConflictStep {
    const walk = walkOf(query)
    const last = walk.isShort ? null : this.#stepEnd(walk, query.before)
    const records: ConflictRecord[] = []
    for (const row of this.#rows(query, walk, last)) {
      if (records.length >= query.limit) break
      pushUndamaged(records, () => decodeConflict(row))
    }
    return { records, before: last }
  }

  /** A token may name hundreds of patterns: SQLite would compare each row with all of them. */
  *#rows(query: ConflictQuery, walk: Walk, last: ConflictId | null): Generator<RecordRow> {
    const conditions = conditionsOf(query, walk, last)
    const ranges = rangesTested(query.patterns)
    if (ranges === null) {
      yield* this.#query<RecordRow>(rowsOf(walk, conditions, 'id, checksum, record')).iterate(...conditions.parameters)
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
function walkOf({ patterns: [first, ...others], statuses = [], kinds = [], author }: ConflictQuery): Walk {
  const document = first !== undefined && others.length === 0 && 'exact' in first ? first.exact : null
  const status = statuses.length === 1 ? oneOf('status', statuses) : ALL
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

/** From `query.before` down to `last`. Every value is a parameter; only the shape of the condition depends on the query. */
function conditionsOf(query: ConflictQuery, walk: Walk, last: ConflictId | null): Condition {
  return joined([
    walk.condition,
    ...olderThan(query.before),
    ...(last === null ? [] : [{ sql: 'id >= ?', parameters: [last] }]),
    ...(query.statuses === undefined ? [] : [oneOf('status', query.statuses)]),
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
    conflict: connection.prepare<[id: string], RecordRow>(
      `SELECT id, checksum, record FROM conflicts WHERE id = ? AND ${notPurged('conflicts', 'key', 'conflict')}`,
    ),
    record: connection.prepare<[key: number], RecordRow>('SELECT id, checksum, record FROM conflicts WHERE key = ?'),
    ownContents: connection.prepare<[id: string], OwnContentsRow>(
      'SELECT contents, contents_checksum FROM conflicts WHERE id = ?',
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
