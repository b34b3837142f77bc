import type Database from 'better-sqlite3'
import type { Environment } from '../../foundation/environment.ts'
import type { Storage } from '../storage.ts'
import { AdaptiveExecutor, type AdaptiveLimits } from './adaptiveExecutor.ts'
import { openConnection } from './connection.ts'
import { assertMayBeDatabase, canonicalPath, openDatabaseFile } from './file.ts'
import { type HeldViewLimits, HeldViews } from './heldViews.ts'
import { acquireInstanceLock } from './instanceLock.ts'
import { shortenLocks } from './locks.ts'
import { SqliteReader } from './reader.ts'
import { SqliteStorage } from './sqliteStorage.ts'
import { type Clock, processOffsetMs, steadyClock } from './steadyClock.ts'
import { startThreadExecutor } from './threadExecutor.ts'
import { type BatchExecutor, WriteQueue } from './writeQueue.ts'
import { FRESH_LIMITS, type FreshLimits, SqliteWriter } from './writer.ts'

interface SqliteOptions {
  readonly file: string
  /**
   * Where commits wait for the disk: in this thread while that is fast and else in one of their own, or always in this
   * one, which then stalls everything.
   */
  readonly writer: 'adaptive' | 'inline'
  readonly environment: Environment
}

/** What tests reach into; nothing of it can be configured. */
export interface SqliteInternals {
  /** Of an adaptive writer. */
  readonly adaptiveLimits?: AdaptiveLimits
  /** Called with each connection of an inline writer, to emulate a full disk. */
  readonly prepareWriter?: (connection: Database.Database) => void
  /** Instead of `FRESH_LIMITS`. */
  readonly fresh?: FreshLimits
  /** Instead of `HELD_VIEW_LIMITS`. */
  readonly views?: HeldViewLimits
  /** Another entry point of the writer's thread, that can load the source. */
  readonly workerUrl?: URL
  /** Instead of ending the process when the writer's thread died. */
  readonly crash?: (error: Error) => void
}

/**
 * Opens a SQLite file as storage, creating it if it is missing, and keeps other processes off it until `close`.
 * Rejects with `CannotOpenStorage`, whose message is for the person who started the process.
 */
export async function openSqlite(options: SqliteOptions, internals: SqliteInternals = {}): Promise<Storage> {
  const file = canonicalPath(options.file)
  // Before there is a lock, which is a file: a wrong path is left as it was found.
  assertMayBeDatabase(file)
  const lock = acquireInstanceLock(file)
  let connection: Database.Database | undefined
  try {
    const opened = openDatabaseFile(file, options.environment)
    connection = opened.connection
    const clock = steadyClock(options.environment)
    shortenLocks(connection, clock())
    connection.pragma('query_only = ON')
    // A thread may die as soon as it has started.
    let die = (cause: Error): void => void (lost = cause)
    let lost: Error | null = null
    const executor = await startExecutor({ ...options, file, clock }, internals, (cause) => die(cause))
    const queue = new WriteQueue(executor, internals.crash ?? crash)
    die = (cause) => queue.die(cause)
    if (lost !== null) die(lost)
    const { epoch } = opened
    const open = (): Database.Database => openReading(file)
    const { environment } = options
    const limits = internals.views === undefined ? {} : { limits: internals.views }
    const views = new HeldViews({ epoch, environment, clock, open, ...limits })
    const reader = new SqliteReader(connection, clock)
    return new SqliteStorage({ epoch, reader, views, executor, queue, lock })
  } catch (error) {
    connection?.close()
    lock.release()
    throw error
  }
}

async function startExecutor(
  { file, writer, clock }: SqliteOptions & { readonly clock: Clock },
  internals: SqliteInternals,
  onDeath: (cause: Error) => void,
): Promise<BatchExecutor> {
  const { fresh = FRESH_LIMITS } = internals
  const openInline = (): Database.Database => {
    const connection = openConnection(file)
    if (writer === 'adaptive') connection.pragma('wal_autocheckpoint = 0')
    internals.prepareWriter?.(connection)
    return connection
  }
  const inline = new SqliteWriter(openInline, clock, fresh)
  if (writer === 'adaptive') {
    const work = { file, clockOffsetMs: processOffsetMs(clock), fresh }
    const thread = await startThreadExecutor(work, onDeath, internals.workerUrl)
    return new AdaptiveExecutor(inline, thread, internals.adaptiveLimits)
  }
  return {
    execute: (operations) => inline.execute(operations),
    close: async () => inline.close(),
  }
}

function openReading(file: string): Database.Database {
  const connection = openConnection(file)
  connection.pragma('query_only = ON')
  return connection
}

/** In a task of its own, so that those who wait for an answer have theirs first. */
const crash = (error: Error): void => {
  setImmediate(() => {
    throw error
  })
}
