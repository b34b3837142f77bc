import { SqliteFeedReader } from './sqlite/feed.ts'
import { SqliteRevocationReader } from './sqlite/revocations.ts'
import { SqliteSnapshotReader } from './sqlite/snapshots.ts'
import { SqliteConflictReader } from './sqlite/conflicts.ts'
import { pushUndamaged } from './sqlite/row.ts'
import type Database from 'better-sqlite3'
import type { Head } from '../model/document.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { idRanges, type IdRange } from './idRanges.ts'
import { decodeHead, type HeadRow } from './sqlite/rows/head.ts'
import { SqliteHistoryReader } from './sqlite/history.ts'
import { SqliteLogReader } from './sqlite/log.ts'
import { SqliteLockReader } from './sqlite/locks.ts'
import { SqlitePurgeReader } from './sqlite/purges.ts'
import { SqliteAnswerReader } from './sqlite/answers.ts'
import { SqliteWaitingReader } from './sqlite/waiting.ts'
import { SqliteWebhookReader } from './sqlite/webhooks.ts'
import type { Clock } from './sqlite/steadyClock.ts'
import type { HeadQuery } from './storage.ts'

/**
 * Answers every question of the port from one connection, synchronously. In WAL mode a read sees what was committed
 * when it began and never waits for a commit. No read leaves a cursor open, which would keep the WAL from shrinking.
 */
export class SqliteReader {
  readonly answers: SqliteAnswerReader
  readonly webhooks: SqliteWebhookReader
  readonly log: SqliteLogReader
  readonly history: SqliteHistoryReader
  readonly locks: SqliteLockReader
  readonly purges: SqlitePurgeReader
  readonly waiting: SqliteWaitingReader
  readonly conflicts: SqliteConflictReader
  readonly feed: SqliteFeedReader
  readonly revocations: SqliteRevocationReader
  readonly snapshots: SqliteSnapshotReader
  readonly #connection: Database.Database
  readonly #sql: ReturnType<typeof prepare>

  constructor(connection: Database.Database, clock: Clock) {
    this.answers = new SqliteAnswerReader(connection)
    this.webhooks = new SqliteWebhookReader(connection)
    this.log = new SqliteLogReader(connection)
    this.history = new SqliteHistoryReader(connection, this.log)
    this.locks = new SqliteLockReader(connection, clock)
    this.purges = new SqlitePurgeReader(connection)
    this.waiting = new SqliteWaitingReader(connection)
    this.conflicts = new SqliteConflictReader(connection)
    this.feed = new SqliteFeedReader(connection)
    this.revocations = new SqliteRevocationReader(connection)
    this.snapshots = new SqliteSnapshotReader(connection)
    this.#connection = connection
    this.#sql = prepare(connection)
  }

  close(): void {
    this.#connection.close()
  }

  head(document: DocumentId): Head | null {
    const row = this.#sql.head.get(document)
    return row === undefined ? null : decodeHead(row)
  }

  /** A head that is damaged is left out, so that one document does not hide the others (SPEC OPS-6). */
  heads(query: HeadQuery): Head[] {
    const heads: Head[] = []
    for (const { from, to } of idRanges(query.patterns)) {
      for (const row of this.#sql.heads.iterate({ from, to, after: query.after ?? '' })) {
        if (heads.length >= query.limit) return heads
        pushUndamaged(heads, () => decodeHead(row))
      }
    }
    return heads
  }
}

function prepare(connection: Database.Database) {
  return prepareDocuments(connection)
}

const HEAD_COLUMNS = `id, incarnation, kind, root, conflict_policy, schema, version, first_version,
  created_at, created_by, updated_at, updated_by, deleted_at, checksum`

function prepareDocuments(connection: Database.Database) {
  return {
    head: connection.prepare<[id: string], HeadRow>(`SELECT ${HEAD_COLUMNS} FROM documents WHERE id = ?`),
    heads: connection.prepare<[IdRange & { after: string }], HeadRow>(
      `SELECT ${HEAD_COLUMNS} FROM documents
       WHERE id >= @from AND id < @to AND id > @after AND deleted_at IS NULL ORDER BY id`,
    ),
  }
}
