import { toTimestamp } from '../foundation/environment.ts'
import type { LockState } from '../model/lock.ts'

/** SPEC `Lock`. */
export interface Lock {
  readonly owner: string
  readonly expiresAt: string
  readonly fence: number
}

/** The lock as the API shows it; null where nobody holds it. */
export const lockOf = (state: LockState | undefined): Lock | null =>
  state?.name === 'held' ? { owner: state.owner, expiresAt: toTimestamp(state.expiresAt), fence: state.fence } : null
