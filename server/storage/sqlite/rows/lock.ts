import { toLockHash, toPrincipalId } from '../../../foundation/ids.ts'
import type { LockPass, LockState } from '../../../model/lock.ts'

/** A row of `locks`. All but the fence is null where nobody holds it. */
export interface LockRow {
  readonly document: string
  readonly fence: number
  readonly owner: string | null
  readonly token_hash: string | null
  readonly ttl_ms: number | null
  readonly expires_at: number | null
}

/** The lock at `now`, milliseconds of the clock that the row was written by. */
export function decodeLock(row: LockRow, now: number): LockState {
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

export function encodePass(pass: LockPass | undefined): PassRow {
  if (pass === undefined) return { token_hash: null, editor: null }
  return { token_hash: pass.tokenHash, editor: pass.by === 'edit' ? pass.principal : null }
}
