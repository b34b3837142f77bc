import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import { SqliteAnswerWriter } from './answers.ts'
import { SqliteConflictWriter } from './conflicts.ts'
import { SqliteDocumentWriter } from './documents.ts'
import { SqliteFeedWriter } from './feed.ts'
import { SqliteHistoryWriter } from './history.ts'
import { SqliteLockWriter } from './locks.ts'
import { SqliteLogWriter } from './log.ts'
import type { ActOperation, AppendRow, SqliteOperation, SqliteResult } from './operation.ts'
import { SqlitePackWriter } from './packs.ts'
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
  readonly #sql: ReturnType<typeof prepare>
  readonly #answers: SqliteAnswerWriter
  readonly #webhooks: SqliteWebhookWriter
  readonly #packs: SqlitePackWriter
  readonly #history: SqliteHistoryWriter
  readonly #conflicts: SqliteConflictWriter
  readonly #locks: SqliteLockWriter
  readonly #clock: Clock
  readonly #purges: SqlitePurgeWriter
  readonly #waiting: SqliteWaitingWriter
  readonly #log: SqliteLogWriter
  readonly #feed: SqliteFeedWriter
  readonly #revocations: SqliteRevocationWriter
  readonly #snapshots: SqliteSnapshotWriter

  /** `clock` says which locks are held. */
  constructor(connection: Database.Database, clock: Clock) {
    this.#sql = prepare(connection)
    this.#documents = new SqliteDocumentWriter(connection, clock)
    this.#answers = new SqliteAnswerWriter(connection)
    this.#webhooks = new SqliteWebhookWriter(connection)
    this.#packs = new SqlitePackWriter(connection)
    this.#history = new SqliteHistoryWriter(connection, this.#packs)
    const isGone = (document: string, version: number): boolean => this.#packs.isGone(document, version)
    this.#conflicts = new SqliteConflictWriter(connection, isGone)
    this.#locks = new SqliteLockWriter(connection)
    this.#clock = clock
    this.#purges = new SqlitePurgeWriter(connection, this.#documents, (key) => this.#conflicts.forget(key))
    this.#waiting = new SqliteWaitingWriter(connection)
    this.#log = new SqliteLogWriter(connection)
    this.#feed = new SqliteFeedWriter(connection)
    this.#revocations = new SqliteRevocationWriter(connection)
    this.#snapshots = new SqliteSnapshotWriter(connection)
  }

  /** To be called when anything was taken back: what a key was given to may be gone with it. */
  forgetKeys(): void {
    this.#log.forgetKeys()
    this.#documents.forgetKeys()
  }

  /** Whether new rows of the log are left to be sorted in later, from now on. */
  leaveFresh(isLeft: boolean): void {
    this.#log.leaveFresh(isLeft)
  }

  /** Whether rows of the log that were left wait for `sortSomeEntries`; they do once they are `many`. */
  entriesNeedSorting(many: number): boolean {
    return this.#log.needSorting(many)
  }

  sortSomeEntries(): void {
    this.#log.sortSome()
  }

  run(operation: SqliteOperation): SqliteResult {
    const { answer } = operation
    // First of all: what was answered already is not to be looked at again.
    return answer === undefined || this.#answers.insert(answer) ? this.#perform(operation) : { status: 'answered' }
  }

  #perform(operation: SqliteOperation): SqliteResult {
    switch (operation.op) {
      case 'act':
        return this.#act(operation)
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
      case 'probe':
        this.#sql.insertProbe.run(PROBE_BYTES)
        this.#sql.deleteProbe.run()
        return DONE
      case 'webhook-insert':
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

  #act(act: ActOperation): SqliteResult {
    const lost = act.onto?.find((standing) => !this.#log.stands(standing))
    if (lost !== undefined) return this.#stale(lost.document)
    for (const append of act.appends) {
      const refusal = this.#append(append)
      if (refusal !== null) return refusal
    }
    if (!act.settles.every((position) => this.#waiting.settle(position))) return { status: 'settled' }
    for (const content of act.contents) this.#conflicts.keepContent(content)
    for (const write of act.conflicts) {
      if (!this.#conflicts.write(write)) return { status: 'conflict-moved', conflict: write.row.id }
    }
    const value = this.#feed.append(act.at, act.events)
    let lockExpiresAt = 0
    for (const write of act.locks) {
      const expiresAt = this.#locks.run(write, this.#clock())
      if (expiresAt === null) return { status: 'lock-moved', document: write.document }
      lockExpiresAt = expiresAt
    }
    const refused = act.purges.find((head) => !this.#purges.begin(head))
    if (refused !== undefined) return this.#stale(refused.id)
    return { status: 'done', value, ...(lockExpiresAt === 0 ? {} : { lockExpiresAt }) }
  }

  /** What refuses it, null if nothing did. A lock is refused before a version (SPEC API-4). */
  #append(append: AppendRow): SqliteResult | null {
    const { head, entry, checkpoint, formerClients } = append
    const moved = this.#documents.move(append)
    if (moved === 'locked') return { status: 'locked', document: head.id }
    if (moved === 'stale') return this.#stale(head.id)
    this.#log.insert(head.id, entry, this.#documents.keyOf(head.id))
    if (checkpoint !== null) this.#snapshots.keepCheckpoint(head.id, entry.version, checkpoint)
    if (head.deleted_at !== null) this.#waiting.forget(head.id)
    this.#documents.keepFormerClients(head.id, formerClients)
    if (head.version === head.first_version) this.#snapshots.forget(head.id)
    return null
  }

  #stale(document: string): SqliteResult {
    return { status: 'stale', document, version: this.#documents.version(document) }
  }
}

function prepare(connection: Database.Database) {
  return {
    insertProbe: connection.prepare<[bytes: number]>('INSERT INTO probe (filler) VALUES (zeroblob(?))'),
    deleteProbe: connection.prepare<[]>('DELETE FROM probe'),
  }
}
