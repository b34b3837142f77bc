import { ulid } from 'ulid'
import type { Environment } from '../foundation/environment.ts'
import { toConflictId, toProposalId, type ConflictId, type ProposalId } from '../foundation/ids.ts'

const random = (environment: Environment) => (): number => (environment.randomBytes(1)[0] ?? 0) / 256

export const newConflictId = (environment: Environment): ConflictId =>
  toConflictId(`cfl_${ulid(environment.now(), random(environment))}`)

export const newProposalId = (environment: Environment): ProposalId =>
  toProposalId(`prp_${ulid(environment.now(), random(environment))}`)
