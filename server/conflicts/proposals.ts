/**
 * What becomes of a record when somebody proposes how to resolve it, or decides on that (SPEC RES-1, RES-3). Pure.
 */
import type { PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ConflictRecord, Proposal } from '../model/conflict.ts'

/** Pending proposals a conflict may hold: each keeps a content of up to 10 MiB. */
const MAX_PENDING_PROPOSALS = 20
/** Decided proposals kept with the conflict, as its history. */
const MAX_PROPOSALS = 200

/** A proposal that is new or was decided, and its conflict after that. */
interface Changed {
  readonly record: ConflictRecord
  readonly proposal: Proposal
}

/** Adds a pending proposal. Throws `too-many-proposals`. */
export function proposed(
  record: ConflictRecord,
  made: Pick<Proposal, 'id' | 'use' | 'hash' | 'baseVersion' | 'by' | 'at' | 'comment'>,
): Changed {
  assertRoomIn(record)
  const undecided = { status: 'pending', decidedBy: null, decidedAt: null, decisionComment: null } as const
  const proposal: Proposal = { ...made, ...undecided }
  return { record: { ...record, proposals: [...record.proposals, proposal], revision: record.revision + 1 }, proposal }
}

/** Accepts or rejects one of its proposals. */
export function decided(
  record: ConflictRecord,
  pending: Proposal,
  decision: {
    readonly status: 'accepted' | 'rejected'
    readonly by: PrincipalId
    readonly at: number
    readonly comment: string | null
  },
): Changed {
  const { status, by, at, comment } = decision
  const proposal: Proposal = { ...pending, status, decidedBy: by, decidedAt: at, decisionComment: comment }
  const proposals = record.proposals.map((one) => (one.id === pending.id ? proposal : one))
  return { record: { ...record, proposals, revision: record.revision + 1 }, proposal }
}

function assertRoomIn({ proposals }: ConflictRecord): void {
  const pending = proposals.filter((proposal) => proposal.status === 'pending').length
  if (pending >= MAX_PENDING_PROPOSALS) {
    throw new ParleyError('too-many-proposals', `At most ${MAX_PENDING_PROPOSALS} proposals can be pending.`)
  }
  if (proposals.length >= MAX_PROPOSALS) {
    throw new ParleyError('too-many-proposals', `A conflict takes at most ${MAX_PROPOSALS} proposals in all.`)
  }
}
