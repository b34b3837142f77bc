import type Database from 'better-sqlite3'
import { SqliteAnswerReader } from './answers.ts'
import { SqliteConflictReader } from './conflictReader.ts'
import { SqliteDocumentReader } from './documents.ts'
import { SqliteFeedReader } from './feed.ts'
import { SqliteHistoryReader } from './history.ts'
import { SqliteLockReader } from './locks.ts'
import { SqliteLogReader } from './log.ts'
import { SqlitePeopleReader } from './people.ts'
import { SqlitePurgeReader } from './purges.ts'
import { SqliteRevocationReader } from './revocations.ts'
import { SqliteSnapshotReader } from './snapshots.ts'
import type { Clock } from './steadyClock.ts'
import { SqliteWaitingReader } from './waiting.ts'
import { SqliteWebhookReader } from './webhooks.ts'

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
  readonly people: SqlitePeopleReader
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
    this.people = new SqlitePeopleReader(connection)
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
