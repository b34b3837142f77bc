import type { DocumentId } from '../foundation/ids.ts'
import { decide, type LockPass } from '../model/lock.ts'
import { lockLostProblem, lockedProblem } from '../model/lockRefusal.ts'
import { hashGiven } from '../model/lockToken.ts'
import type { Storage } from '../storage/storage.ts'
import type { Committer } from './commit.ts'
import type { Replica } from './replica.ts'

/** How many wait for a document's lock in this process. */
export type LineLength = (document: DocumentId) => number

/** What a request shows by its `Lock-Token`, if it has one. */
export const passOf = (lockToken: string | null | undefined): LockPass => ({
  by: 'request',
  tokenHash: hashGiven(lockToken),
})

export interface LockGuardParts {
  readonly storage: Storage
  readonly committer: Committer
  readonly lineLength: LineLength
}

/** Whether the document may be written now, as far as this process knows; to be asked in the tick of the change. */
export const passesLock = (replica: Pick<Replica, 'lock'>, pass: LockPass): boolean =>
  decide(replica.lock.state, { type: 'writes', pass }).do === 'allow'

/**
 * Throws `locked` or `lock-lost` (SPEC LOCK-2), which come right after 404 and 410 (API-4). Nobody is refused by what
 * this process remembers: the row is read then. A replica that has ended meanwhile is the caller's to notice.
 */
export async function assertPassesLock(
  { storage, committer, lineLength }: LockGuardParts,
  replica: Pick<Replica, 'id' | 'lock' | 'ended'>,
  pass: LockPass,
): Promise<void> {
  if (passesLock(replica, pass)) return
  // What is known may be an act on its way.
  await committer.settled(replica.id)
  if (replica.ended) return
  const state = await storage.lock(replica.id)
  replica.lock.see(state)
  const action = decide(state, { type: 'writes', pass })
  if (action.do !== 'refuse') return
  if (action.code === 'locked' && state.name === 'held') {
    throw lockedProblem(replica.id, state, lineLength(replica.id) + 1)
  }
  throw lockLostProblem(replica.id, state)
}
