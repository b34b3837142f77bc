/**
 * Which of several failures a transaction is answered with (SPEC TX-3). Pure.
 */
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'

/**
 * The order of refusal of SPEC API-4, but that 428 comes before 423 (TX-3). What one may not read is found out before
 * anything else, and then it is the only 404. What is missing here comes last.
 */
const ORDER = [401, 429, 404, 403, 415, 413, 400, 410, 428, 423, 409, 412, 422]

/** The index of the failure that decides the answer, the first of the gravest; null where nothing failed. */
export function gravest(codes: readonly (ProblemCode | null)[]): number | null {
  let found: { readonly index: number; readonly rank: number } | null = null
  for (const [index, code] of codes.entries()) {
    if (code === null) continue
    const rank = rankOf(code)
    if (found === null || rank < found.rank) found = { index, rank }
  }
  return found === null ? null : found.index
}

/** Whether an answer by this failure is a conflict, with which conflicts are opened. */
export const isConflict = (code: ProblemCode): boolean => problemKind(code).status === 409

function rankOf(code: ProblemCode): number {
  const rank = ORDER.indexOf(problemKind(code).status)
  return rank === -1 ? ORDER.length : rank
}
