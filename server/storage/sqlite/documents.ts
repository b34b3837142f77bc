import type Database from 'better-sqlite3'
import type { Kind } from '../../content/content.ts'
import { type DocumentId, toIncarnation, toPrincipalId, toVersion, trustedDocumentId } from '../../foundation/ids.ts'
import type { ConflictPolicy, Head, JsonSchema } from '../../model/document.ts'
import type { IdRange } from '../idRanges.ts'
import type { EntryMark } from '../log.ts'
import { NO_PASS, PASSES, type PassRow } from './locks.ts'
import { damaged, parseStored, pushUndamaged, rowChecksum, type StorageStep, STEP_ROWS } from './row.ts'
import type { Clock } from './steadyClock.ts'

/** Many more documents than are busy at one time; a full cache starts anew. */
const CACHED_KEYS = 10_000

/** A row of `documents`; the schema is JSON. */
interface HeadRow {
  readonly id: string
  readonly incarnation: string
  readonly kind: Kind
  readonly root: string
  readonly conflict_policy: ConflictPolicy
  readonly schema: string | null
  readonly version: number
  readonly first_version: number
  readonly created_at: number
  readonly created_by: string
  readonly updated_at: number
  readonly updated_by: string
  readonly deleted_at: number | null
  readonly checksum: number
}

/** Before the writer has summed it up. */
export type NewHeadRow = Omit<HeadRow, 'checksum'>

export function encodeHead(head: Head): NewHeadRow {
  return {
    id: head.id,
    incarnation: head.incarnation,
    kind: head.kind,
    root: head.root,
    conflict_policy: head.conflictPolicy,
    schema: head.schema === null ? null : JSON.stringify(head.schema),
    version: head.version,
    first_version: head.firstVersion,
    created_at: head.createdAt,
    created_by: head.createdBy,
    updated_at: head.updatedAt,
    updated_by: head.updatedBy,
    deleted_at: head.deletedAt,
  }
}

/** Throws `document-damaged`. */
function decodeHead(row: HeadRow): Head {
  if (headChecksum(row) !== row.checksum) throw damaged(`The head of ${row.id}`)
  return {
    id: trustedDocumentId(row.id),
    incarnation: toIncarnation(row.incarnation),
    kind: row.kind,
    root: row.root,
    conflictPolicy: row.conflict_policy,
    schema: row.schema === null ? null : parseStored<JsonSchema>(row.schema),
    version: toVersion(row.version),
    firstVersion: toVersion(row.first_version),
    createdAt: row.created_at,
    createdBy: toPrincipalId(row.created_by),
    updatedAt: row.updated_at,
    updatedBy: toPrincipalId(row.updated_by),
    deletedAt: row.deleted_at,
  }
}

function headChecksum(row: NewHeadRow): number {
  const fields = [
    row.id,
    row.incarnation,
    row.kind,
    row.root,
    row.conflict_policy,
    row.version,
    row.first_version,
    row.created_at,
    row.created_by,
    row.updated_at,
    row.updated_by,
    row.deleted_at,
  ]
  return rowChecksum(fields, row.schema ?? '')
}

/** The columns of a row, each by the name of its field: every statement that takes or gives a whole head names them. */
const COLUMNS: readonly string[] = Object.keys({
  id: true,
  incarnation: true,
  kind: true,
  root: true,
  conflict_policy: true,
  schema: true,
  version: true,
  first_version: true,
  created_at: true,
  created_by: true,
  updated_at: true,
  updated_by: true,
  deleted_at: true,
  checksum: true,
} satisfies Record<keyof HeadRow, true>)
const ALL_COLUMNS = COLUMNS.join(', ')
const ALL_VALUES = COLUMNS.map((column) => `@${column}`).join(', ')
/** The key that entries and others hold stands for the id, so a document keeps both for good. */
const SET_ALL = COLUMNS.filter((column) => column !== 'id')
  .map((column) => `${column} = @${column}`)
  .join(', ')

/** How a head is moved on: it is stored where the stored version is `expected`, and the lock lets it pass. */
export interface HeadMove {
  readonly expected: number
  /** Only version and time change, and whoever writes shows nothing of a lock. */
  readonly isStep: boolean
  /** The very entry at `expected` that it builds on; not there where the version alone tells. */
  readonly onto?: EntryMark
  /** As of a request that shows nothing of a lock, where it is not there. */
  readonly pass?: PassRow
  readonly head: NewHeadRow
}

/** Keeps heads, and what stays of documents for good; knows nothing of transactions. */
export class SqliteDocumentWriter {
  readonly #sql: ReturnType<typeof prepareWrites>
  readonly #clock: Clock
  readonly #keys = new Map<string, number>()

  /** `clock` says which locks are held. */
  constructor(connection: Database.Database, clock: Clock) {
    this.#sql = prepareWrites(connection)
    this.#clock = clock
  }

  /** Stores a head, or says what refuses it. A lock is refused before a version (SPEC API-4). */
  move(move: HeadMove): 'moved' | 'locked' | 'stale' {
    const checksum = headChecksum(move.head)
    if (this.#step(move, checksum)) return 'moved'
    const { expected, onto, pass = NO_PASS, head } = move
    const now = this.#clock()
    const on = { onto_checksum: onto?.checksum ?? null, onto_author: onto?.author ?? null, onto_at: onto?.at ?? null }
    const statement = expected === 0 ? this.#sql.insert : this.#sql.update
    if (statement.run({ ...head, checksum, ...pass, ...on, expected, now }).changes === 1) return 'moved'
    return this.#sql.passes.get({ ...pass, id: head.id, now }) === 1 ? 'stale' : 'locked'
  }

  /** What nearly every write is: of a document without a lock only version and time change. False where it is not. */
  #step({ expected, isStep, head }: HeadMove, checksum: number): boolean {
    if (!isStep) return false
    const { version, updated_at: at, updated_by: by } = head
    return this.#sql.step.run(version, at, by, checksum, this.keyOf(head.id), expected).changes === 1
  }

  /**
   * Stores the head that is left of a purged document; answers the document's key, or null where the stored head is not
   * deleted at that very version and time.
   */
  markPurged(head: NewHeadRow): number | null {
    return this.#sql.markPurged.get({ ...head, checksum: headChecksum(head) }) ?? null
  }

  /** 0 for an id never used. */
  version(id: string): number {
    return this.#sql.version.get(id) ?? 0
  }

  /** The key that stands for the document in other tables; 0, which is nobody's, for an id never used. */
  keyOf(id: string): number {
    const known = this.#keys.get(id)
    if (known !== undefined) return known
    const key = this.#sql.key.get(id)
    if (key === undefined) return 0
    if (this.#keys.size >= CACHED_KEYS) this.#keys.clear()
    this.#keys.set(id, key)
    return key
  }

  /** To be called when anything was taken back: what a key was given to may be gone with it. */
  forgetKeys(): void {
    this.#keys.clear()
  }

  /** Of a client that wrote in several incarnations the last clock counts. */
  keepFormerClients(id: string, clients: Iterable<readonly [client: number, clock: number]>): void {
    for (const [client, clock] of clients) this.#sql.upsertFormerClient.run(id, client, clock)
  }
}

/** A Yjs client of a former life, and how far it had come. */
interface FormerClientRow {
  readonly client: number
  readonly clock: number
}

/** The first living documents after an id, out of so many rows. */
export interface HeadsWanted {
  readonly after: string
  readonly room: number
  readonly limit: number
}

/** In the order of the ids. */
export interface HeadStep extends StorageStep<Head, string> {
  /** How many rows it went through, of deleted documents as well. */
  readonly rows: number
}

/** Answers what is asked about documents. */
export class SqliteDocumentReader {
  readonly #sql: ReturnType<typeof prepareReads>

  constructor(connection: Database.Database) {
    this.#sql = prepareReads(connection)
  }

  head(document: DocumentId): Head | null {
    const row = this.#sql.head.get(document)
    return row === undefined ? null : decodeHead(row)
  }

  /**
   * The first living documents of a range after `after`, of `room` that are there or were. A head that is damaged is left out,
   * so that one document does not hide the others (SPEC OPS-6).
   */
  heads(range: IdRange, { after, room, limit }: HeadsWanted): HeadStep {
    const step = this.#sql.step.get({ ...range, after, room })
    const rows = step?.rows ?? 0
    const last = rows < room ? null : (step?.last ?? null)
    const found: Head[] = []
    // No id is the end of a range.
    for (const row of this.#sql.heads.iterate({ from: range.from, to: last ?? range.to, after })) {
      if (found.length >= limit) break
      pushUndamaged(found, () => decodeHead(row))
    }
    return { found, rows, next: last }
  }

  /** Those after a client id, of a bounded number. */
  formerClients(document: DocumentId, after: number): StorageStep<FormerClientRow, number> {
    const found = this.#sql.formerClients.all(document, after)
    return { found, next: found.length < STEP_ROWS ? null : (found.at(-1)?.client ?? null) }
  }
}

/** `EntryMark`; all null where the version alone tells. */
interface OntoRow {
  readonly onto_checksum: number | null
  readonly onto_author: string | null
  readonly onto_at: number | null
}
/** Two nodes may each give an entry the same version, and one of them is refused: what builds on that is, too. */
const IS_ONTO = `(@onto_checksum IS NULL OR EXISTS (
  SELECT 1 FROM single_entries AS entry JOIN principals ON principals.key = entry.author
  WHERE entry.document = documents.key AND entry.version = @expected
    AND update_checksum = @onto_checksum AND sub = @onto_author AND at = @onto_at))`

/** A head with all that its statement holds against what is stored. */
type CheckedHead = HeadRow & PassRow & OntoRow & { readonly expected: number; readonly now: number }

function prepareWrites(connection: Database.Database) {
  return {
    insert: connection.prepare<[CheckedHead]>(
      `INSERT INTO documents (${ALL_COLUMNS}) SELECT ${ALL_VALUES} WHERE @expected = 0 AND ${PASSES}
       ON CONFLICT (id) DO NOTHING`,
    ),
    update: connection.prepare<[CheckedHead]>(
      `UPDATE documents SET ${SET_ALL} WHERE id = @id AND version = @expected AND ${IS_ONTO} AND ${PASSES}`,
    ),
    step: connection.prepare<
      [version: number, at: number, by: string, checksum: number, key: number, expected: number]
    >(
      `UPDATE documents SET version = ?, updated_at = ?, updated_by = ?, checksum = ?
       WHERE key = ? AND version = ?
         AND NOT EXISTS (SELECT 1 FROM locks WHERE document = documents.id AND expires_at IS NOT NULL)`,
    ),
    markPurged: connection
      .prepare<[HeadRow], number>(
        `UPDATE documents SET ${SET_ALL}, erased = @version
         WHERE id = @id AND version = @version AND deleted_at = @deleted_at RETURNING key`,
      )
      .pluck(),
    passes: connection.prepare<[PassRow & { id: string; now: number }], number>(`SELECT ${PASSES}`).pluck(),
    version: connection.prepare<[id: string], number>('SELECT version FROM documents WHERE id = ?').pluck(),
    key: connection.prepare<[id: string], number>('SELECT key FROM documents WHERE id = ?').pluck(),
    upsertFormerClient: connection.prepare<[id: string, client: number, clock: number]>(
      `INSERT INTO former_clients (document, client, clock)
       VALUES ((SELECT key FROM documents WHERE id = ?), ?, ?)
       ON CONFLICT DO UPDATE SET clock = max(clock, excluded.clock)`,
    ),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    head: connection.prepare<[id: string], HeadRow>(`SELECT ${ALL_COLUMNS} FROM documents WHERE id = ?`),
    heads: connection.prepare<[IdRange & { after: string }], HeadRow>(
      `SELECT ${ALL_COLUMNS} FROM documents
       WHERE id >= @from AND id <= @to AND id > @after AND deleted_at IS NULL ORDER BY id`,
    ),
    step: connection.prepare<[IdRange & { after: string; room: number }], { rows: number; last: string | null }>(
      `SELECT count(*) AS rows, max(id) AS last FROM (
         SELECT id FROM documents WHERE id >= @from AND id < @to AND id > @after ORDER BY id LIMIT @room)`,
    ),
    formerClients: connection.prepare<[id: string, after: number], FormerClientRow>(
      `SELECT client, clock FROM former_clients JOIN documents ON documents.key = former_clients.document
       WHERE id = ? AND client > ? ORDER BY client LIMIT ${STEP_ROWS}`,
    ),
  }
}
