/**
 * Answers to requests with an `Idempotency-Key`, for their repeats (SPEC WRITE-8). Every write of the port that takes an
 * `answer` keeps it as an act does, or neither is written: it rejects with `ParleyError('request-in-progress')` where the key
 * of the answer has one already.
 */
import type { StoredAnswer } from '../foundation/answer.ts'
import type { PrincipalId } from '../foundation/ids.ts'

/** What is asked about answers. */
export interface AnswerReads {
  /** The answer kept under this key, expired or not. Throws `ParleyError('document-damaged')`. */
  answer(principal: PrincipalId, key: string): Promise<StoredAnswer | null>
}

/** How answers are forgotten. */
export interface AnswerPruning {
  /** Forgets answers whose `expiresAt` is before `before` (milliseconds). At most a bounded number; answers how many. */
  pruneAnswers(before: number): Promise<number>
}
