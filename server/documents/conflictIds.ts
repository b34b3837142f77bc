import { newUlid, type Environment } from '../foundation/environment.ts'
import { toConflictId, toProposalId, type ConflictId, type ProposalId } from '../foundation/ids.ts'

export const newConflictId = (environment: Environment): ConflictId => toConflictId(`cfl_${newUlid(environment)}`)

export const newProposalId = (environment: Environment): ProposalId => toProposalId(`prp_${newUlid(environment)}`)
