import type { Content } from '../content/content.ts'
import type { ContentHash } from '../model/conflict.ts'
import type { Keep, StoredAnswer } from '../foundation/answer.ts'
import type { Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { LockPass } from '../model/lock.ts'
import type { NewEvent } from '../model/event.ts'
import type { ConflictWrite, LockWrite } from '../storage/storage.ts'
import type { ActParts, Committer, Staged } from './commit.ts'
import { passesLock } from './lockGuard.ts'
import type { Head } from '../model/document.ts'
import type { Replica } from './replica.ts'

/** What shall become of one document: worked out, and not done yet. */
export interface Plan<Outcome> {
  readonly replica: Replica
  /** The applied version it was worked out on; an entry is appended to no other. */
  readonly version: Version
  /** What will have come of it once it is on disk. */
  readonly outcome: Outcome
  /** Applies the planned entry; null where the document stays as it is. */
  readonly stage: (() => Staged) | null
  /** What its author shows of a lock. */
  readonly pass: LockPass
  /** What the act does to the lock besides. */
  readonly lock?: LockWrite
  readonly conflicts: readonly ConflictWrite[]
  readonly contents: ReadonlyMap<ContentHash, Content>
  readonly events: readonly NewEvent[]
  /** What is left of the document, where the act purges it. */
  readonly purge?: Head
}

/**
 * Does one plan as an act of its own; `keep` renders the answer that is stored with it. Answers its outcome once all
 * that it speaks of is on disk, or `again`, and rejects, as `commitPlans`.
 */
export async function carryOut<Outcome>(
  committer: Committer,
  plan: Plan<Outcome>,
  at: number,
  keep: Keep<Outcome> | null,
): Promise<Outcome | 'again'> {
  // What is told, and what a conflict calls current, is on disk first.
  if (plan.stage === null) await plan.replica.whenCommitted(plan.version)
  if (!storesSomething(plan)) return plan.outcome
  const answer = keep === null ? null : await keep(plan.outcome)
  return (await commitPlans(committer, [plan], at, answer)) === 'done' ? plan.outcome : 'again'
}

/** Whether there is anything to store. */
export const storesSomething = (plan: Plan<unknown>): boolean => plan.stage !== null || plan.conflicts.length > 0

/**
 * Does what was planned as one act, in this very tick. Answers `again` where a document has moved since, here or on
 * another node; nothing was written then. Rejects as `Committer.commit`, or with what ended a replica.
 */
export async function commitPlans(
  committer: Committer,
  plans: readonly Plan<unknown>[],
  at: number,
  answer: StoredAnswer | null,
): Promise<'done' | 'again'> {
  if (plans.some(isOutdated)) return 'again'
  committer.assertRoom()
  const parts = partsOf(plans, at, answer)
  const result = await committer.commit(stageAll(plans), parts)
  return result.status === 'committed' ? 'done' : 'again'
}

/** What the act of the plans does besides their entries. */
function partsOf(plans: readonly Plan<unknown>[], at: number, answer: StoredAnswer | null): ActParts {
  const [only] = plans
  const parts =
    plans.length === 1 && only
      ? partsOfOne(only, at)
      : {
          at,
          conflicts: plans.flatMap((plan) => plan.conflicts),
          contents: new Map(plans.flatMap((plan) => [...plan.contents])),
          events: plans.flatMap((plan) => plan.events),
          locks: plans.flatMap(locksOf),
        }
  return answer === null ? parts : { ...parts, answer }
}

const partsOfOne = ({ conflicts, contents, events, lock, purge }: Plan<unknown>, at: number): ActParts => ({
  at,
  conflicts,
  contents,
  events,
  locks: lock === undefined ? NO_LOCKS : [lock],
  purges: purge === undefined ? NO_PURGES : [purge],
})
const NO_PURGES: readonly Head[] = []

const locksOf = ({ lock }: Plan<unknown>): readonly LockWrite[] => (lock === undefined ? NO_LOCKS : [lock])
const NO_LOCKS: readonly LockWrite[] = []

const isOutdated = ({ stage, replica, version, pass }: Plan<unknown>): boolean =>
  stage !== null && (replica.ended !== null || replica.appliedVersion !== version || !passesLock(replica, pass))

/** All or none: what is staged already when another cannot be is in no log. */
function stageAll(plans: readonly Plan<unknown>[]): Staged[] {
  const staged: Staged[] = []
  try {
    for (const { stage } of plans) if (stage !== null) staged.push(stage())
    return staged
  } catch (error) {
    const problem = error instanceof ParleyError ? error : new ParleyError('overloaded', 'Try again.', { cause: error })
    for (const one of staged) one.fail(problem)
    throw error
  }
}
