import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import { SqliteActWriter } from './act.ts'
import { SqliteAnswerWriter } from './answers.ts'
import { SqliteConflictWriter } from './conflicts.ts'
import { SqliteDocumentWriter } from './documents.ts'
import { SqliteExpiringWriter } from './expiring.ts'
import { SqliteFeedWriter } from './feed.ts'
import { SqliteHistoryWriter } from './history.ts'
import { SqliteLockWriter } from './locks.ts'
import { SqliteLogWriter } from './log.ts'
import type { SqliteOperation, SqliteResult } from './operation.ts'
import { SqlitePackWriter } from './packs.ts'
import { SqlitePeopleWriter } from './people.ts'
import { SqlitePurgeWriter } from './purges.ts'
import { SqliteRevocationWriter } from './revocations.ts'
import { SqliteSnapshotWriter } from './snapshots.ts'
import type { Clock } from './steadyClock.ts'
import { SqliteWaitingWriter } from './waiting.ts'
import { SqliteWebhookWriter } from './webhooks.ts'

/** More than the free space in the pages already there, so that a full disk refuses it. */
const PROBE_BYTES = 16 * 1024

const DONE: SqliteResult = { status: 'done', value: 0 }

/**
 * What each operation does to the database, by statements prepared once for one connection. Knows nothing of
 * transactions: a result other than `done` asks its caller to take back what was written.
 */
export class SqliteStatements {
  readonly #documents: SqliteDocumentWriter
  readonly #log: SqliteLogWriter
  readonly #packs: SqlitePackWriter
  readonly #history: SqliteHistoryWriter
  readonly #snapshots: SqliteSnapshotWriter
  readonly #conflicts: SqliteConflictWriter
  readonly #purges: SqlitePurgeWriter
  readonly #feed: SqliteFeedWriter
  readonly #waiting: SqliteWaitingWriter
  readonly #answers: SqliteAnswerWriter
  readonly #revocations: SqliteRevocationWriter
  readonly #webhooks: SqliteWebhookWriter
  readonly #acts: SqliteActWriter
  readonly #sql: ReturnType<typeof prepare>
  readonly #freshRows: number

  /** `clock` says which locks are held; new rows of the log are sorted in once there are `freshRows`. */
  constructor(connection: Database.Database, clock: Clock, freshRows: number) {
    this.#freshRows = freshRows
    this.#documents = new SqliteDocumentWriter(connection, clock)
    this.#log = new SqliteLogWriter(connection)
    this.#packs = new SqlitePackWriter(connection)
    this.#history = new SqliteHistoryWriter(connection, this.#packs)
    this.#snapshots = new SqliteSnapshotWriter(connection)
    const isGone = (document: string, version: number): boolean => this.#packs.isGone(document, version)
    this.#conflicts = new SqliteConflictWriter(connection, isGone)
    this.#purges = new SqlitePurgeWriter(connection, this.#documents, (key) => this.#conflicts.forget(key))
    this.#feed = new SqliteFeedWriter(connection)
    this.#waiting = new SqliteWaitingWriter(connection)
    this.#answers = new SqliteAnswerWriter(connection)
    this.#revocations = new SqliteRevocationWriter(connection)
    this.#webhooks = new SqliteWebhookWriter(connection)
    this.#acts = new SqliteActWriter({
      documents: this.#documents,
      log: this.#log,
      snapshots: this.#snapshots,
      conflicts: this.#conflicts,
      expiring: new SqliteExpiringWriter(connection),
      feed: this.#feed,
      locks: new SqliteLockWriter(connection, clock),
      waiting: this.#waiting,
      purges: this.#purges,
      people: new SqlitePeopleWriter(connection, this.#documents),
    })
    this.#sql = prepare(connection)
  }

  /** To be called when anything was taken back: what a key was given to may be gone with it. */
  forget(): void {
    this.#log.forget()
    this.#documents.forgetKeys()
  }

  /** Whether new rows of the log are left to be sorted in later, from now on. */
  leaveFresh(isLeft: boolean): void {
    this.#log.leaveFresh(isLeft)
  }

  /** Whether rows of the log that were left wait to be sorted in. */
  isUntidy(): boolean {
    return this.#log.needSorting(this.#freshRows)
  }

  run(operation: SqliteOperation): SqliteResult {
    const { answer } = operation
    // First of all: what was answered already is not to be looked at again.
    return answer === undefined || this.#answers.insert(answer) ? this.#perform(operation) : { status: 'answered' }
  }

  #perform(operation: SqliteOperation): SqliteResult {
    switch (operation.op) {
      case 'act':
        return this.#acts.write(operation)
      case 'snapshot':
        this.#snapshots.keep(operation)
        return DONE
      case 'revoke':
        this.#revocations.keep(operation.row)
        return DONE
      case 'prune-events':
        return { status: 'done', value: this.#feed.prune(operation.before) }
      case 'prune-conflicts':
        return { status: 'done', value: this.#conflicts.prune(operation.before) }
      case 'prune-revocations':
        return { status: 'done', value: this.#revocations.prune(operation.before) }
      case 'prune-answers':
        return { status: 'done', value: this.#answers.prune(operation.before) }
      case 'tidy':
        if (this.isUntidy()) this.#log.sortSome()
        return { status: 'done', value: this.isUntidy() ? 1 : 0 }
      case 'probe':
        this.#sql.insertProbe.run(PROBE_BYTES)
        this.#sql.deleteProbe.run()
        return DONE
      case 'webhook-insert':
      case 'webhook-update':
      case 'webhook-disable':
      case 'webhook-delete':
      case 'deliveries-queue':
      case 'delivery-update':
        return { status: 'done', value: this.#webhooks.run(operation) }
      case 'keep-waiting': {
        const position = this.#waiting.keep(operation)
        return position === null ? { status: 'missed' } : { status: 'done', value: position }
      }
      case 'label':
        return this.#history.run(operation) ? { status: 'done', value: 1 } : { status: 'missed' }
      case 'log-progress':
        return { status: 'done', value: this.#history.run(operation) ? 1 : 0 }
      case 'rewrite':
        return { status: 'done', value: this.#packs.rewrite(operation) ? 1 : 0 }
      case 'erase-purged':
        return { status: 'done', value: this.#purges.erase(operation.document) }
      case 'end-purge':
        this.#purges.end(operation.document)
        return DONE
      // Not while a transaction is open: by the writer, after the commit.
      case 'empty-wal':
        return DONE
      default:
        return assertNever(operation)
    }
  }
}

function prepare(connection: Database.Database) {
  return {
    insertProbe: connection.prepare<[bytes: number]>('INSERT INTO probe (filler) VALUES (zeroblob(?))'),
    deleteProbe: connection.prepare<[]>('DELETE FROM probe'),
  }
}
