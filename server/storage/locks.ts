import type { DocumentId, LockHash, PrincipalId } from '../foundation/ids.ts'
import type { HeldLock, LapsedLock, LockState } from '../model/lock.ts'

/**
 * A change of a document's lock. Each names the fence it saw, and stands only if nobody was faster. Times are the
 * database host's, read when the statement runs.
 */
export type LockWrite =
  /**
   * Stands if the document lives and the last fence given is `fence - 1`, whose lock was ended, or, where `lapsed` says
   * so, has expired without: then it ends with this act, once.
   */
  | {
      readonly op: 'acquire'
      readonly document: DocumentId
      readonly fence: number
      readonly owner: PrincipalId
      readonly tokenHash: LockHash
      readonly ttlMs: number
      readonly lapsed: boolean
    }
  /** Stands while this very lock has not expired; from now on it has `ttlMs` to live. */
  | { readonly op: 'renew'; readonly document: DocumentId; readonly fence: number; readonly ttlMs: number }
  /** Stands while nobody has ended this very lock, expired or not. Its fence is kept. */
  | { readonly op: 'end'; readonly document: DocumentId; readonly fence: number }

/** What is asked about locks. */
export interface LockReads {
  lock(document: DocumentId): Promise<LockState>
  /** Those of the documents whose lock is held now. */
  locks(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, HeldLock>>
  /** Locks that were not ended, expired ones included, in the order in which they expire. */
  nextLocks(limit: number): Promise<readonly { readonly document: DocumentId; readonly lock: HeldLock | LapsedLock }[]>
}
