import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import { SqliteAnswerWriter } from './answers.ts'
import { SqliteConflictWriter } from './conflicts.ts'
import { SqliteDocumentWriter } from './documents.ts'
import { SqliteFeedWriter } from './feed.ts'
import { SqliteLockWriter } from './locks.ts'
import { SqliteNewEntries } from './newEntries.ts'
import type { ActOperation, AppendRow, SqliteOperation, SqliteResult } from './operation.ts'
import { SqliteRewriter } from './packs.ts'
import { SqlitePurgeWriter } from './purges.ts'
import { SqliteRevocationWriter } from './revocations.ts'
import { SqliteSnapshotWriter } from './snapshots.ts'
import type { Clock } from './steadyClock.ts'
import { SqliteWaitingWriter } from './waiting.ts'
import { SqliteWebhookWriter } from './webhooks.ts'

/** Many more principals, and documents, than are busy at one time; a full cache starts anew. */
const CACHED_KEYS = 10_000
/** More than the free space in the pages already there, so that a full disk refuses it. */
const PROBE_BYTES = 16 * 1024

const DONE: SqliteResult = { status: 'done', value: 0 }

/**
 * What each operation does to the database, by statements prepared once for one connection. Knows nothing of
 * transactions: a result other than `done` asks its caller to take back what was written.
 */
export class SqliteStatements {
  readonly #principals = new Map<string, number>()
  readonly #documents: SqliteDocumentWriter
  readonly #sql: ReturnType<typeof prepare>
  readonly #answers: SqliteAnswerWriter
  readonly #webhooks: SqliteWebhookWriter
  readonly #rewriter: SqliteRewriter
  readonly #conflicts: SqliteConflictWriter
  readonly #locks: SqliteLockWriter
  readonly #clock: Clock
  readonly #purges: SqlitePurgeWriter
  readonly #waiting: SqliteWaitingWriter
  readonly #entries: SqliteNewEntries
  readonly #feed: SqliteFeedWriter
  readonly #revocations: SqliteRevocationWriter
  readonly #snapshots: SqliteSnapshotWriter

  /** `clock` says which locks are held. */
  constructor(connection: Database.Database, clock: Clock) {
    this.#sql = prepare(connection)
    this.#documents = new SqliteDocumentWriter(connection, clock)
    this.#answers = new SqliteAnswerWriter(connection)
    this.#webhooks = new SqliteWebhookWriter(connection)
    this.#rewriter = new SqliteRewriter(connection)
    const isGone = (document: string, version: number): boolean => this.#rewriter.isGone(document, version)
    this.#conflicts = new SqliteConflictWriter(connection, isGone)
    this.#locks = new SqliteLockWriter(connection)
    this.#clock = clock
    this.#purges = new SqlitePurgeWriter(connection, this.#documents, (key) => this.#conflicts.forget(key))
    this.#waiting = new SqliteWaitingWriter(connection)
    this.#entries = new SqliteNewEntries(connection)
    this.#feed = new SqliteFeedWriter(connection)
    this.#revocations = new SqliteRevocationWriter(connection)
    this.#snapshots = new SqliteSnapshotWriter(connection)
  }

  /** To be called when anything was taken back: what a key was given to may be gone with it. */
  forgetKeys(): void {
    this.#principals.clear()
    this.#documents.forgetKeys()
  }

  /** Whether new rows of the log are left to be sorted in later, from now on. */
  leaveFresh(isLeft: boolean): void {
    this.#entries.leaveFresh(isLeft)
  }

  /** Whether rows of the log that were left wait for `sortSomeEntries`; they do once they are `many`. */
  entriesNeedSorting(many: number): boolean {
    return this.#entries.needSorting(many)
  }

  sortSomeEntries(): void {
    this.#entries.sortSome()
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
        return this.#rewriter.run(operation) === 1 ? { status: 'done', value: 1 } : { status: 'missed' }
      case 'rewrite':
      case 'log-progress':
        return { status: 'done', value: this.#rewriter.run(operation) }
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
    for (const { document, version, mark } of act.onto ?? []) {
      const stands = this.#sql.selectMarked.get(document, version, mark.checksum, mark.author, mark.at) === 1
      if (!stands) return { status: 'stale', document, version: this.#documents.version(document) }
    }
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
    const keys = { document: this.#documents.keyOf(head.id), author: this.#principal(entry.author) }
    this.#entries.insert(head.id, entry, keys)
    if (checkpoint !== null) this.#snapshots.keepCheckpoint(head.id, entry.version, checkpoint)
    if (head.deleted_at !== null) this.#waiting.forget(head.id)
    this.#documents.keepFormerClients(head.id, formerClients)
    if (head.version === head.first_version) this.#snapshots.forget(head.id)
    return null
  }

  #stale(document: string): SqliteResult {
    return { status: 'stale', document, version: this.#documents.version(document) }
  }

  #principal(sub: string): number {
    const { selectPrincipal, insertPrincipal } = this.#sql
    return cached(
      this.#principals,
      sub,
      () => selectPrincipal.get(sub) ?? Number(insertPrincipal.run(sub).lastInsertRowid),
    )
  }
}

function cached(keys: Map<string, number>, name: string, find: () => number): number {
  const known = keys.get(name)
  if (known !== undefined) return known
  if (keys.size >= CACHED_KEYS) keys.clear()
  const key = find()
  keys.set(name, key)
  return key
}

function prepare(connection: Database.Database) {
  return { ...prepareLog(connection), ...prepareRest(connection) }
}

function prepareLog(connection: Database.Database) {
  return {
    selectPrincipal: connection.prepare<[sub: string], number>('SELECT key FROM principals WHERE sub = ?').pluck(),
    insertPrincipal: connection.prepare<[sub: string]>('INSERT INTO principals (sub) VALUES (?)'),
    selectMarked: connection
      .prepare<[id: string, version: number, checksum: number, sub: string, at: number], number>(
        `SELECT 1 FROM documents JOIN single_entries AS entry ON entry.document = documents.key
         JOIN principals ON principals.key = entry.author
         WHERE documents.id = ? AND entry.version = ? AND update_checksum = ? AND sub = ? AND at = ?`,
      )
      .pluck(),
  }
}

function prepareRest(connection: Database.Database) {
  return {
    insertProbe: connection.prepare<[bytes: number]>('INSERT INTO probe (filler) VALUES (zeroblob(?))'),
    deleteProbe: connection.prepare<[]>('DELETE FROM probe'),
  }
}
