import { SqliteConflictReader } from './sqlite/conflicts.ts'
import { pushUndamaged } from './sqlite/row.ts'
import type Database from 'better-sqlite3'
import type { Head } from '../model/document.ts'
import { toPrincipalId, toSequence, type DocumentId, type Sequence, type Version } from '../foundation/ids.ts'
import { NO_MARK } from '../foundation/mark.ts'
import { eventMark, type StoredEvent } from '../model/event.ts'
import { idRanges, type IdRange } from './idRanges.ts'
import { decodeCheckpoint, decodeSnapshot, type CheckpointRow, type SnapshotRow } from './sqlite/rows/content.ts'
import { decodeEvent, type EventRow } from './sqlite/rows/event.ts'
import { decodeHead, type HeadRow } from './sqlite/rows/head.ts'
import { SqliteHistoryReader } from './sqlite/history.ts'
import { SqliteLogReader } from './sqlite/log.ts'
import { SqliteLockReader } from './sqlite/locks.ts'
import { notPurged, SqlitePurgeReader } from './sqlite/purges.ts'
import { SqliteAnswerReader } from './sqlite/answers.ts'
import { SqliteWaitingReader } from './sqlite/waiting.ts'
import { SqliteWebhookReader } from './sqlite/webhooks.ts'
import type { Clock } from './sqlite/steadyClock.ts'
import type { Checkpoint, HeadQuery, Revocation, Snapshot } from './storage.ts'

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

  snapshot(document: DocumentId): Snapshot | null {
    const row = this.#sql.snapshot.get(document)
    return row === undefined ? null : decodeSnapshot(document, row)
  }

  checkpoint(document: DocumentId, version: Version): Checkpoint | null {
    const row = this.#sql.checkpoint.get(document, version)
    return row === undefined ? null : decodeCheckpoint(document, row)
  }

  events(after: Sequence, limit: number): StoredEvent[] {
    return this.#sql.events.all(after, limit).map(decodeEvent)
  }

  eventMark(sequence: Sequence): string {
    const [event] = sequence > 0 ? this.events(toSequence(sequence - 1), 1) : []
    if (event?.sequence === sequence) return eventMark(event)
    return this.#sql.prunedMark.get(sequence) ?? NO_MARK
  }

  eventRange(): { first: Sequence; last: Sequence } {
    const { first, last } = this.#sql.eventRange.get() ?? { first: null, last: null }
    return { first: toSequence(first ?? (last ?? 0) + 1), last: toSequence(last ?? 0) }
  }

  revocations(since: number): Revocation[] {
    return this.#sql.revocations.all(since).map((row) => ({
      subject: row.subject_kind === 'sub' ? { sub: toPrincipalId(row.subject) } : { jti: row.subject },
      until: row.until,
    }))
  }
}

function prepare(connection: Database.Database) {
  return { ...prepareDocuments(connection), ...prepareRest(connection) }
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
    snapshot: connection.prepare<[id: string], SnapshotRow>(
      `SELECT snapshots.version, snapshots.checksum, state
       FROM snapshots JOIN documents ON documents.key = snapshots.document WHERE documents.id = ?`,
    ),
    checkpoint: connection.prepare<[id: string, version: number], CheckpointRow>(
      `SELECT checkpoints.version, checkpoints.checksum, content
       FROM checkpoints JOIN documents ON documents.key = checkpoints.document
         LEFT JOIN purges ON purges.document = checkpoints.document
       WHERE documents.id = ? AND checkpoints.version <= ? AND checkpoints.version > coalesce(purges.version, 0) ORDER BY checkpoints.version DESC LIMIT 1`,
    ),
  }
}

function prepareRest(connection: Database.Database) {
  return {
    events: connection.prepare<[after: number, limit: number], EventRow>(
      `SELECT sequence, at, type, document, data FROM events
       WHERE sequence > ? AND (type = 'parley.document.deleted' OR ${notPurged('events', 'sequence', 'event')})
       ORDER BY sequence LIMIT ?`,
    ),
    prunedMark: connection
      .prepare<[sequence: number], string>(
        "SELECT pruned_mark FROM meta WHERE pruned_sequence = ? AND pruned_mark <> ''",
      )
      .pluck(),
    // The ledger of AUTOINCREMENT knows the last sequence even when its event was forgotten.
    eventRange: connection.prepare<[], { first: number | null; last: number | null }>(
      `SELECT (SELECT min(sequence) FROM events) AS first,
              (SELECT seq FROM sqlite_sequence WHERE name = 'events') AS last`,
    ),
    revocations: connection.prepare<[since: number], { subject_kind: 'sub' | 'jti'; subject: string; until: number }>(
      'SELECT subject_kind, subject, until FROM revocations WHERE until >= ? ORDER BY subject_kind, subject',
    ),
  }
}
