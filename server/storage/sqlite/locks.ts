import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import { type DocumentId, toLockHash, toPrincipalId, trustedDocumentId } from '../../foundation/ids.ts'
import type { HeldLock, LapsedLock, LockPass, LockState } from '../../model/lock.ts'
import type { LockWrite } from '../locks.ts'
import type { Clock } from './steadyClock.ts'

/** A row of `locks`. All but the fence is null where nobody holds it. */
interface LockRow {
  readonly document: string
  readonly fence: number
  readonly owner: string | null
  readonly token_hash: string | null
  readonly ttl_ms: number | null
  readonly expires_at: number | null
}

/** The lock at `now`, milliseconds of the clock that the row was written by. */
function decodeLock(row: LockRow, now: number): LockState {
  const { fence, owner, token_hash: tokenHash, ttl_ms: ttlMs, expires_at: expiresAt } = row
  if (owner === null || tokenHash === null || ttlMs === null || expiresAt === null) return { name: 'free', fence }
  const holding = { fence, owner: toPrincipalId(owner), tokenHash: toLockHash(tokenHash), ttlMs, expiresAt }
  return now < expiresAt ? { name: 'held', ...holding, remainingMs: expiresAt - now } : { name: 'lapsed', ...holding }
}

/** What the statement that moves a head compares with the lock; `editor` is null for a request. */
export interface PassRow {
  readonly token_hash: string | null
  readonly editor: string | null
}

/** Of a request that shows nothing of a lock. */
export const NO_PASS: PassRow = { token_hash: null, editor: null }

export const encodePass = (pass: LockPass): PassRow => ({
  token_hash: pass.tokenHash,
  editor: pass.by === 'edit' ? pass.principal : null,
})

/**
 * Whether `@token_hash` and `@editor` pass the lock of the document `@id` at `@now` (`LockPass`): part of the very
 * statement that writes. A request has the hash of the held lock, or none where none is held; a live edit is barred
 * by another's lock only.
 */
export const PASSES = `CASE WHEN @editor IS NULL
  THEN (SELECT token_hash FROM locks WHERE document = @id AND expires_at > @now) IS @token_hash
  ELSE NOT EXISTS (SELECT 1 FROM locks WHERE document = @id AND expires_at > @now
                     AND owner <> @editor AND token_hash IS NOT @token_hash)
END`

/** Changes locks; knows nothing of transactions. */
export class SqliteLockWriter {
  readonly #sql: ReturnType<typeof prepareWrites>
  readonly #clock: Clock

  constructor(connection: Database.Database, clock: Clock) {
    this.#sql = prepareWrites(connection)
    this.#clock = clock
  }

  /** Null where the lock is not what the write builds on; else when it expires, 0 where it has ended. */
  run(write: LockWrite): number | null {
    const now = this.#clock()
    switch (write.op) {
      case 'acquire':
        return this.#sql.acquire.get({ ...write, lapsed: write.lapsed ? 1 : 0, now }) ?? null
      case 'renew':
        return this.#sql.renew.get({ ...write, now }) ?? null
      case 'end':
        return this.#sql.end.run(write).changes === 1 ? 0 : null
      default:
        return assertNever(write)
    }
  }
}

/** Answers what is asked about locks, as of its clock. */
export class SqliteLockReader {
  readonly #sql: ReturnType<typeof prepareReads>
  readonly #clock: Clock

  constructor(connection: Database.Database, clock: Clock) {
    this.#sql = prepareReads(connection)
    this.#clock = clock
  }

  lock(document: DocumentId): LockState {
    const row = this.#sql.lock.get(document)
    return row === undefined ? { name: 'free', fence: 0 } : decodeLock(row, this.#clock())
  }

  locks(documents: readonly DocumentId[]): Map<DocumentId, HeldLock> {
    const now = this.#clock()
    const held = new Map<DocumentId, HeldLock>()
    for (const row of this.#sql.locks.all(JSON.stringify(documents))) {
      const lock = decodeLock(row, now)
      if (lock.name === 'held') held.set(trustedDocumentId(row.document), lock)
    }
    return held
  }

  nextLocks(limit: number): { document: DocumentId; lock: HeldLock | LapsedLock }[] {
    const now = this.#clock()
    return this.#sql.nextLocks.all(limit).flatMap((row) => {
      const lock = decodeLock(row, now)
      return lock.name === 'free' ? [] : [{ document: trustedDocumentId(row.document), lock }]
    })
  }
}

/**
 * At a start the wall clock may show anything: no lock has longer to live than it was given (SPEC LOCK-3).
 */
export function shortenLocks(connection: Database.Database, now: number): void {
  connection.prepare('UPDATE locks SET expires_at = @now + ttl_ms WHERE expires_at > @now + ttl_ms').run({ now })
}

const COLUMNS = 'document, fence, owner, token_hash, ttl_ms, expires_at'

function prepareWrites(connection: Database.Database) {
  return {
    acquire: connection
      .prepare<[Omit<LockWrite & { op: 'acquire' }, 'lapsed'> & { lapsed: 0 | 1; now: number }], number>(
        `INSERT INTO locks (${COLUMNS})
         SELECT @document, @fence, @owner, @tokenHash, @ttlMs, @now + @ttlMs
         WHERE EXISTS (SELECT 1 FROM documents WHERE id = @document AND deleted_at IS NULL)
         ON CONFLICT (document) DO UPDATE SET fence = excluded.fence, owner = excluded.owner,
           token_hash = excluded.token_hash, ttl_ms = excluded.ttl_ms, expires_at = excluded.expires_at
           WHERE locks.fence = excluded.fence - 1
             AND CASE WHEN @lapsed THEN locks.expires_at <= @now ELSE locks.expires_at IS NULL END
         RETURNING expires_at`,
      )
      .pluck(),
    renew: connection
      .prepare<[LockWrite & { op: 'renew'; now: number }], number>(
        `UPDATE locks SET ttl_ms = @ttlMs, expires_at = @now + @ttlMs
         WHERE document = @document AND fence = @fence AND expires_at > @now RETURNING expires_at`,
      )
      .pluck(),
    end: connection.prepare<[LockWrite & { op: 'end' }]>(
      `UPDATE locks SET owner = NULL, token_hash = NULL, ttl_ms = NULL, expires_at = NULL
       WHERE document = @document AND fence = @fence AND expires_at IS NOT NULL`,
    ),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    lock: connection.prepare<[document: string], LockRow>(`SELECT ${COLUMNS} FROM locks WHERE document = ?`),
    locks: connection.prepare<[documents: string], LockRow>(
      `SELECT ${COLUMNS} FROM locks
       WHERE expires_at IS NOT NULL AND document IN (SELECT value FROM json_each(?))`,
    ),
    nextLocks: connection.prepare<[limit: number], LockRow>(
      `SELECT ${COLUMNS} FROM locks WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT ?`,
    ),
  }
}
