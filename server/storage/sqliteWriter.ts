import type Database from 'better-sqlite3'
import { isUnavailable } from './sqliteErrors.ts'
import { toFailure, type SqliteOperation, type SqliteResult } from './sqliteOperation.ts'
import { SqliteStatements } from './sqliteStatements.ts'
import type { Clock } from './steadyClock.ts'
import type { ExecutedBatch } from './writeQueue.ts'

/**
 * New rows of the log before they are sorted in: fewer, and pages of documents are written for a few rows each; more, and
 * whoever writes then waits longer. 4,096 take some 20 ms.
 */
export const FRESH_ROWS = 2_048

/** A connection with everything prepared on it. */
interface Session {
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
  readonly #freshRows: number | null
  #session: Session | null

  /**
   * `open` makes a configured connection; it is asked for another one after each failed batch. With a batch the new
   * rows of the log are sorted in, where there are `freshRows`; null: never here.
   */
  constructor(open: () => Database.Database, clock: Clock, freshRows: number | null) {
    this.#open = open
    this.#clock = clock
    this.#freshRows = freshRows
    this.#session = startSession(open(), clock)
  }

  /**
   * One result for each operation, in their order; when this returns, everything that is `done` is on disk.
   * Where the disk or database refuses, it refuses the whole batch: nothing of it was written, every operation
   * is `failed` with `storage-unavailable`, and the next batch tries anew.
   */
  execute(operations: readonly SqliteOperation[]): ExecutedBatch {
    try {
      this.#session ??= startSession(this.#open(), this.#clock)
      return executeBatch(this.#session, operations, this.#freshRows)
    } catch (error) {
      // What is wrong with a connection after a failed disk is hard to tell, and a new one is cheap.
      this.close()
      const failure = toFailure(error)
      return { results: operations.map(() => ({ status: 'failed', failure })), commitMs: 0 }
    }
  }

  /** Takes back what is not committed. */
  close(): void {
    this.#session?.connection.close()
    this.#session = null
  }
}

function startSession(connection: Database.Database, clock: Clock): Session {
  const prepare = (sql: string): Database.Statement<[]> => connection.prepare<[]>(sql)
  return {
    connection,
    statements: new SqliteStatements(connection, clock),
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
  session: Session,
  operations: readonly SqliteOperation[],
  freshRows: number | null,
): ExecutedBatch {
  session.begin.run()
  const results = executeAsOne(session, operations) ?? operations.map((operation) => executeOne(session, operation))
  // Last, for what comes before it may be taken back.
  if (freshRows !== null) session.statements.sortFreshEntries(freshRows)
  const began = performance.now()
  session.commit.run()
  return { results, commitMs: performance.now() - began }
}

/** Without savepoints, which cost as much as a statement. Null, and all is taken back, where an operation is refused. */
function executeAsOne(session: Session, operations: readonly SqliteOperation[]): SqliteResult[] | null {
  const results: SqliteResult[] = []
  for (const operation of operations) {
    const result = attempt(session, operation)
    if (result.status !== 'done') {
      session.rollback.run()
      session.statements.forgetKeys()
      session.begin.run()
      return null
    }
    results.push(result)
  }
  return results
}

/** Throws where not only this operation but the whole batch is lost. */
function executeOne(session: Session, operation: SqliteOperation): SqliteResult {
  session.savepoint.run()
  const result = attempt(session, operation)
  if (result.status !== 'done') {
    session.rollbackTo.run()
    session.statements.forgetKeys()
  }
  session.release.run()
  return result
}

function attempt(session: Session, operation: SqliteOperation): SqliteResult {
  try {
    return session.statements.run(operation)
  } catch (error) {
    // Some errors make SQLite roll the transaction back by itself; then there is no savepoint to go back to.
    if (isUnavailable(error) || !session.connection.inTransaction) throw error
    return { status: 'failed', failure: toFailure(error) }
  }
}
