import type { DocumentSession } from '../state/documentSession.ts'
import type { LockView } from '../state/documentLock.ts'
import { useStore } from './hooks.ts'
import { useNames, useRights } from './parts.ts'

/** What whoever sits here may do about conflicts of a document: what is not among it is not offered. */
export interface Allowed {
  readonly self: string
  readonly mayResolve: boolean
  readonly mayWrite: boolean
  /** The lock of somebody else, until whose end nothing can be written. */
  readonly barredBy: LockView | null
}

export function useAllowed(session: DocumentSession): Allowed {
  const rights = useRights(session.id)
  const { self } = useNames()
  const lock = useStore(session.lock.held)
  return {
    self,
    mayResolve: rights.has('resolve'),
    mayWrite: rights.has('write'),
    barredBy: lock !== null && lock.token === null ? lock : null,
  }
}
