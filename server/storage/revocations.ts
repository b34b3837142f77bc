import type { StoredAnswer } from '../foundation/answer.ts'
import type { PrincipalId } from '../foundation/ids.ts'

/** Tokens issued at or before `until` (seconds since the epoch) are void. */
export interface Revocation {
  readonly subject: { readonly sub: PrincipalId } | { readonly jti: string }
  readonly until: number
}

/** What is asked about revocations. */
export interface RevocationReads {
  /** Those whose `until` is `since` or later (seconds; 0 for all), in no particular order. */
  revocations(since: number): Promise<readonly Revocation[]>
}

/** What is written about revocations. An `answer` is kept as an act keeps one. */
export interface RevocationWrites {
  revoke(revocation: Revocation, answer?: StoredAnswer): Promise<void>
}

/** How revocations are forgotten. */
export interface RevocationPruning {
  /** Forgets those whose `until` is before `before` (seconds). At most a bounded number; answers how many. */
  pruneRevocations(before: number): Promise<number>
}
