/**
 * What is done with the plans of an act in the tick in which it is handed to storage.
 */
import type { KnownEffect } from '../../content/view.ts'
import type { StoredAnswer } from '../../foundation/answer.ts'
import { assertNever, invariant } from '../../foundation/assert.ts'
import type { DocumentId } from '../../foundation/ids.ts'
import { ParleyError } from '../../foundation/problems.ts'
import type { LockPass } from '../../model/lock.ts'
import type { Standing } from '../../storage/log.ts'
import type { ActParts, Staged } from '../commit.ts'
import type { Replica } from '../replica.ts'
import type { NewEntry, Plan } from './plan.ts'
import { passesLock } from './view.ts'

/** The entries on their way that the act is to stand on; or that a document is not what it was planned on any more. */
export function standings(
  plans: readonly Plan[],
  replicaOf: ReadonlyMap<DocumentId, Replica>,
): readonly Standing[] | 'moved' {
  const onto: Standing[] = []
  const hasEntry = plans.some(({ entry }) => entry !== null)
  for (const { document, version, entry } of plans) {
    const replica = replicaOf.get(document)
    if (replica === undefined) continue
    if (replica.ended !== null) return 'moved'
    // What is stored together with an entry has to be so at the very moment of that entry.
    if (hasEntry && replica.appliedVersion !== version) return 'moved'
    if (entry !== null && !passesLock(replica, entry.by.pass ?? NO_PASS)) return 'moved'
    const standing = entry === null ? replica.standing(version) : null
    if (standing === 'unknown') return 'moved'
    if (standing !== null) onto.push(standing)
  }
  return onto
}

const NO_PASS: LockPass = { by: 'request', tokenHash: null }

/** What the act of the plans does besides their entries. */
export function partsOf(
  plans: readonly Plan[],
  at: number,
  onto: readonly Standing[],
  answer: StoredAnswer | null,
): ActParts {
  const [only] = plans
  const isOne = plans.length === 1 && only !== undefined
  return {
    at,
    conflicts: isOne ? only.conflicts : plans.flatMap((plan) => plan.conflicts),
    contents: isOne ? only.contents : new Map(plans.flatMap((plan) => [...plan.contents])),
    events: isOne ? only.events : plans.flatMap((plan) => plan.events),
    locks: plans.flatMap(locksOf),
    purges: plans.flatMap(purgesOf),
    onto,
    answer: answer ?? undefined,
  }
}

const locksOf = ({ lock }: Plan) => (lock === undefined ? [] : [lock])
const purgesOf = ({ purge }: Plan) => (purge === undefined ? [] : [purge])

/** All or none: what is staged already when another cannot be is in no log. */
export function stageAll(
  plans: readonly Plan[],
  replicaOf: ReadonlyMap<DocumentId, Replica>,
  ahead: ReadonlyMap<DocumentId, KnownEffect>,
): Staged[] {
  const staged: Staged[] = []
  try {
    for (const { document, entry } of plans) {
      const replica = replicaOf.get(document)
      invariant(entry === null || replica !== undefined, 'an entry is for a document that was found or is created')
      if (entry !== null && replica !== undefined) {
        staged.push(stage(replica, entry, ahead.get(document) ?? null))
      }
    }
    return staged
  } catch (error) {
    const problem = error instanceof ParleyError ? error : new ParleyError('overloaded', 'Try again.', { cause: error })
    for (const one of staged) one.fail(problem)
    throw error
  }
}

function stage(replica: Replica, entry: NewEntry, known: KnownEffect | null): Staged {
  switch (entry.type) {
    case 'create':
      return replica.stageCreate(entry.content, entry.by)
    case 'content': {
      const staged = replica.stageContent(entry.content, entry.by, known)
      invariant(staged !== null, 'contents that differ make an entry')
      return staged
    }
    case 'settings':
      return replica.stageSettings(entry.settings, entry.by)
    case 'delete':
      return replica.stageDelete(entry.by)
    default:
      return assertNever(entry)
  }
}
