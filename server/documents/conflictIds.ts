import { ulid } from 'ulid'
import type { Environment } from '../foundation/environment.ts'
import { toConflictId, toProposalId, type ConflictId, type ProposalId } from '../foundation/ids.ts'

/** Characters of a ulid that are drawn, five bits each. */
const RANDOM_CHARACTERS = 16

export const newConflictId = (environment: Environment): ConflictId => toConflictId(`cfl_${newUlid(environment)}`)

export const newProposalId = (environment: Environment): ProposalId => toProposalId(`prp_${newUlid(environment)}`)

/** All its chance is drawn at once: what a draw costs, a few bytes more do not. */
function newUlid(environment: Environment): string {
  const bytes = environment.randomBytes(RANDOM_CHARACTERS).values()
  return ulid(environment.now(), () => (bytes.next().value ?? 0) / 256)
}
