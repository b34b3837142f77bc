import { SqliteDocumentReader } from './sqlite/documents.ts'
import { SqliteFeedReader } from './sqlite/feed.ts'
import { SqliteRevocationReader } from './sqlite/revocations.ts'
import { SqliteSnapshotReader } from './sqlite/snapshots.ts'
import { SqliteConflictReader } from './sqlite/conflicts.ts'
import type Database from 'better-sqlite3'
import { SqliteHistoryReader } from './sqlite/history.ts'
import { SqliteLogReader } from './sqlite/log.ts'
import { SqliteLockReader } from './sqlite/locks.ts'
import { SqlitePurgeReader } from './sqlite/purges.ts'
import { SqliteAnswerReader } from './sqlite/answers.ts'
import { SqliteWaitingReader } from './sqlite/waiting.ts'
import { SqliteWebhookReader } from './sqlite/webhooks.ts'
import type { Clock } from './sqlite/steadyClock.ts'

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
  readonly documents: SqliteDocumentReader
  readonly #connection: Database.Database

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
    this.documents = new SqliteDocumentReader(connection)
    this.#connection = connection
  }

  close(): void {
    this.#connection.close()
  }
}
