import type Database from 'better-sqlite3'
import { isUnavailable } from './errors.ts'
import { type SqliteOperation, type SqliteResult, toFailure } from './operation.ts'
import { SqliteStatements } from './statements.ts'
import type { Clock } from './steadyClock.ts'
import type { ExecutedBatch } from './writeQueue.ts'

/** How new rows of the log are kept until they are sorted in. */
export interface FreshLimits {
  /** Batches with fewer new rows leave none: they go to their places at once. */
  readonly batch: number
  /** So many are sorted in, by operations of their own (`tidy`). */
  readonly rows: number
}

/**
 * One row alone writes as many pages either way, and need not be sorted in. Were fewer rows sorted in at once, pages of documents
 * would be written for a few rows each; more make reading slower.
 */
export const FRESH_LIMITS: FreshLimits = { batch: 2, rows: 2_048 }

/** A connection with everything prepared on it. */
interface WriterSession {
  readonly connection: Database.Database
  readonly statements: SqliteStatements
  readonly begin: Database.Statement<[]>
  readonly rollback: Database.Statement<[]>
  readonly savepoint: Database.Statement<[]>
  readonly release: Database.Statement<[]>
  readonly rollbackTo: Database.Statement<[]>
  readonly commit: Database.Statement<[]>
}

/**
 * The one writer of a database file: executes batches, synchronously. Each batch is one transaction with one
 * fsync at its end, each operation in it stands or falls alone.
 */
export class SqliteWriter {
  readonly #open: () => Database.Database
  readonly #clock: Clock
  readonly #fresh: FreshLimits
  #session: WriterSession | null

  /** `open` makes a configured connection; it is asked for another one after each failed batch. */
  constructor(open: () => Database.Database, clock: Clock, fresh: FreshLimits) {
    this.#open = open
    this.#clock = clock
    this.#fresh = fresh
    this.#session = startSession(open(), clock, fresh.rows)
  }

  /**
   * One result for each operation, in their order; when this returns, everything that is `done` is on disk.
   * Where the disk or database refuses, it refuses the whole batch: nothing of it was written, every operation
   * is `failed` with `storage-unavailable`, and the next batch tries anew.
   */
  execute(operations: readonly SqliteOperation[]): ExecutedBatch {
    try {
      this.#session ??= startSession(this.#open(), this.#clock, this.#fresh.rows)
      return executeBatch(this.#session, operations, this.#fresh)
    } catch (error) {
      // What is wrong with a connection after a failed disk is hard to tell, and a new one is cheap.
      this.close()
      const failure = toFailure(error)
      return { results: operations.map(() => ({ status: 'failed', failure })), commitMs: 0, isUntidy: null }
    }
  }

  /** Takes back what is not committed. */
  close(): void {
    this.#session?.connection.close()
    this.#session = null
  }
}

function startSession(connection: Database.Database, clock: Clock, freshRows: number): WriterSession {
  const prepare = (sql: string): Database.Statement<[]> => connection.prepare<[]>(sql)
  return {
    connection,
    statements: new SqliteStatements(connection, clock, freshRows),
    // Immediate: a transaction that reads first and writes later can be refused in the middle.
    begin: prepare('BEGIN IMMEDIATE'),
    rollback: prepare('ROLLBACK'),
    savepoint: prepare('SAVEPOINT operation'),
    release: prepare('RELEASE operation'),
    rollbackTo: prepare('ROLLBACK TO operation'),
    commit: prepare('COMMIT'),
  }
}

function executeBatch(
  session: WriterSession,
  operations: readonly SqliteOperation[],
  fresh: FreshLimits,
): ExecutedBatch {
  session.begin.run()
  session.statements.leaveFresh(newRows(operations) >= fresh.batch)
  const results = executeAsOne(session, operations) ?? operations.map((operation) => executeOne(session, operation))
  const began = performance.now()
  session.commit.run()
  const commitMs = performance.now() - began
  const isUntidy = untidiness(session)
  const emptied = operations.some(emptiesWal) ? withEmptyWal(session, operations, results) : results
  return { results: emptied, commitMs, isUntidy }
}

/** Whatever goes wrong here takes nothing back of what was committed before. */
function untidiness({ statements }: WriterSession): boolean | null {
  try {
    return statements.isUntidy()
  } catch {
    return null
  }
}

const emptiesWal = ({ op }: SqliteOperation): boolean => op === 'empty-wal'

/** Moves all of the WAL into the file and cuts it to nothing, which no transaction can; says whether it could. */
function withEmptyWal(
  { connection }: WriterSession,
  operations: readonly SqliteOperation[],
  results: readonly SqliteResult[],
): SqliteResult[] {
  const emptied = emptyWal(connection)
  return results.map((result, index) => (operations[index]?.op === 'empty-wal' ? emptied : result))
}

/** Whatever goes wrong here takes nothing back of what was committed before. */
function emptyWal(connection: Database.Database): SqliteResult {
  try {
    const isBusy = connection.pragma('wal_checkpoint(TRUNCATE)', { simple: true }) !== 0
    return { status: 'done', value: isBusy ? 0 : 1 }
  } catch (error) {
    return { status: 'failed', failure: toFailure(error) }
  }
}

/** A transaction is one operation with a row for each of its documents. */
const newRows = (operations: readonly SqliteOperation[]): number =>
  operations.reduce((rows, operation) => rows + (operation.op === 'act' ? (operation.appends?.length ?? 0) : 0), 0)

/** Without savepoints, which cost as much as a statement. Null, and all is taken back, where an operation is refused. */
function executeAsOne(session: WriterSession, operations: readonly SqliteOperation[]): SqliteResult[] | null {
  const results: SqliteResult[] = []
  for (const operation of operations) {
    const result = attempt(session, operation)
    if (result.status !== 'done') {
      session.rollback.run()
      session.statements.forget()
      session.begin.run()
      return null
    }
    results.push(result)
  }
  return results
}

/** Throws where not only this operation but the whole batch is lost. */
function executeOne(session: WriterSession, operation: SqliteOperation): SqliteResult {
  session.savepoint.run()
  const result = attempt(session, operation)
  if (result.status !== 'done') {
    session.rollbackTo.run()
    session.statements.forget()
  }
  session.release.run()
  return result
}

function attempt(session: WriterSession, operation: SqliteOperation): SqliteResult {
  try {
    return session.statements.run(operation)
  } catch (error) {
    // Some errors make SQLite roll the transaction back by itself; then there is no savepoint to go back to.
    if (isUnavailable(error) || !session.connection.inTransaction) throw error
    return { status: 'failed', failure: toFailure(error) }
  }
}
