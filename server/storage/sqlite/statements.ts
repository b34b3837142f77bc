import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import { SqliteAnswerWriter } from './answers.ts'
import { SqliteConflictWriter } from './conflicts.ts'
import { SqliteFeedWriter } from './feed.ts'
import { PASSES, SqliteLockWriter, type PassRow } from './locks.ts'
import { SqliteNewEntries } from './newEntries.ts'
import type { ActOperation, AppendRow, SqliteOperation, SqliteResult } from './operation.ts'
import { SqliteRewriter } from './packs.ts'
import { SqlitePurgeWriter } from './purges.ts'
import { SqliteRevocationWriter } from './revocations.ts'
import { headChecksum, type HeadRow } from './rows/head.ts'
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
  readonly #documents = new Map<string, number>()
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
    this.#answers = new SqliteAnswerWriter(connection)
    this.#webhooks = new SqliteWebhookWriter(connection)
    this.#rewriter = new SqliteRewriter(connection)
    const isGone = (document: string, version: number): boolean => this.#rewriter.isGone(document, version)
    this.#conflicts = new SqliteConflictWriter(connection, isGone)
    this.#locks = new SqliteLockWriter(connection)
    this.#clock = clock
    this.#purges = new SqlitePurgeWriter(connection, (conflict) => this.#conflicts.forget(conflict))
    this.#waiting = new SqliteWaitingWriter(connection)
    this.#entries = new SqliteNewEntries(connection)
    this.#feed = new SqliteFeedWriter(connection)
    this.#revocations = new SqliteRevocationWriter(connection)
    this.#snapshots = new SqliteSnapshotWriter(connection)
  }

  /** To be called when anything was taken back: what a key was given to may be gone with it. */
  forgetKeys(): void {
    this.#principals.clear()
    this.#documents.clear()
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
      if (!stands) return { status: 'stale', document, version: this.#sql.selectVersion.get(document) ?? 0 }
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
    const checksum = headChecksum(head)
    if (!this.#stepHead(append, checksum)) {
      const refusal = this.#moveHead(append, checksum)
      if (refusal !== null) return refusal
    }
    const keys = { document: this.#document(head.id), author: this.#principal(entry.author) }
    this.#entries.insert(head.id, entry, keys)
    if (checkpoint !== null) this.#snapshots.keepCheckpoint(head.id, entry.version, checkpoint)
    if (head.deleted_at !== null) this.#waiting.forget(head.id)
    for (const [client, clock] of formerClients) this.#sql.upsertFormerClient.run(head.id, client, clock)
    if (head.version === head.first_version) this.#snapshots.forget(head.id)
    return null
  }

  /** What nearly every write is: of a document without a lock only version and time change. False where it is not. */
  #stepHead({ expected, isStep, head }: AppendRow, checksum: number): boolean {
    if (!isStep) return false
    const document = this.#document(head.id)
    const { version, updated_at: at, updated_by: by } = head
    return this.#sql.stepHead.run(version, at, by, checksum, document, expected).changes === 1
  }

  /** What refuses it, null if nothing did. A lock is refused before a version (SPEC API-4). */
  #moveHead({ expected, onto, pass, head }: AppendRow, checksum: number): SqliteResult | null {
    const now = this.#clock()
    const on = { onto_checksum: onto?.checksum ?? null, onto_author: onto?.author ?? null, onto_at: onto?.at ?? null }
    const statement = expected === 0 ? this.#sql.insertHead : this.#sql.updateHead
    if (statement.run({ ...head, checksum, ...pass, ...on, expected, now }).changes === 1) return null
    const passes = this.#sql.selectPasses.get({ ...pass, id: head.id, now }) === 1
    if (!passes) return { status: 'locked', document: head.id }
    return this.#stale(head.id)
  }

  #stale(document: string): SqliteResult {
    return { status: 'stale', document, version: this.#sql.selectVersion.get(document) ?? 0 }
  }

  #principal(sub: string): number {
    const { selectPrincipal, insertPrincipal } = this.#sql
    return cached(
      this.#principals,
      sub,
      () => selectPrincipal.get(sub) ?? Number(insertPrincipal.run(sub).lastInsertRowid),
    )
  }

  /** 0, which is nobody's, for an id never used. */
  #document(id: string): number {
    const known = this.#documents.get(id) ?? this.#sql.selectDocument.get(id)
    return known === undefined ? 0 : cached(this.#documents, id, () => known)
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

/** A head to be stored if the stored version is `expected`, made by that very entry, and the pass stands `now`. */
type HeadMove = HeadRow & PassRow & OntoRow & { readonly expected: number; readonly now: number }

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

function prepareLog(connection: Database.Database) {
  return {
    insertHead: connection.prepare<[HeadMove]>(
      `INSERT INTO documents (id, incarnation, kind, root, conflict_policy, schema, version, first_version,
         created_at, created_by, updated_at, updated_by, deleted_at, checksum)
       SELECT @id, @incarnation, @kind, @root, @conflict_policy, @schema, @version, @first_version,
         @created_at, @created_by, @updated_at, @updated_by, @deleted_at, @checksum
       WHERE @expected = 0 AND ${PASSES}
       ON CONFLICT (id) DO NOTHING`,
    ),
    updateHead: connection.prepare<[HeadMove]>(
      `UPDATE documents SET incarnation = @incarnation, kind = @kind, root = @root,
         conflict_policy = @conflict_policy, schema = @schema, version = @version, first_version = @first_version,
         created_at = @created_at, created_by = @created_by, updated_at = @updated_at, updated_by = @updated_by,
         deleted_at = @deleted_at, checksum = @checksum
       WHERE id = @id AND version = @expected AND ${IS_ONTO} AND ${PASSES}`,
    ),
    stepHead: connection.prepare<
      [version: number, at: number, by: string, checksum: number, key: number, expected: number]
    >(
      `UPDATE documents SET version = ?, updated_at = ?, updated_by = ?, checksum = ?
       WHERE key = ? AND version = ?
         AND NOT EXISTS (SELECT 1 FROM locks WHERE document = documents.id AND expires_at IS NOT NULL)`,
    ),
    selectDocument: connection.prepare<[id: string], number>('SELECT key FROM documents WHERE id = ?').pluck(),
    selectPasses: connection.prepare<[PassRow & { id: string; now: number }], number>(`SELECT ${PASSES}`).pluck(),
    selectVersion: connection.prepare<[id: string], number>('SELECT version FROM documents WHERE id = ?').pluck(),
    selectPrincipal: connection.prepare<[sub: string], number>('SELECT key FROM principals WHERE sub = ?').pluck(),
    insertPrincipal: connection.prepare<[sub: string]>('INSERT INTO principals (sub) VALUES (?)'),
    upsertFormerClient: connection.prepare<[id: string, client: number, clock: number]>(
      `INSERT INTO former_clients (document, client, clock)
       VALUES ((SELECT key FROM documents WHERE id = ?), ?, ?)
       ON CONFLICT DO UPDATE SET clock = max(clock, excluded.clock)`,
    ),
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
