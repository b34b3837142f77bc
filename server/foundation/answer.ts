import type { DocumentId, PrincipalId } from './ids.ts'
import type { ParleyError } from './problems.ts'
import type { ShownContent } from './shownContent.ts'

/** An answer over HTTP, byte for byte. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** As tokens name them. */
export type NeededPermission = 'read' | 'write' | 'resolve' | 'overwrite' | 'admin'

/** An answer that a repeat of its request gets again (SPEC WRITE-8). Times are milliseconds since the epoch. */
export interface StoredAnswer extends Answer {
  readonly principal: PrincipalId
  /** The `Idempotency-Key`; one principal uses it for one request. */
  readonly key: string
  /** Of the request: a repeat has the same. */
  readonly fingerprint: string
  /** What the answer may speak of: it is erased with any of these documents (SPEC HIST-5). */
  readonly documents: readonly DocumentId[]
  /** What one must be allowed on each of them for what was done, and so for being told of it again; absent: `read`. */
  readonly needs?: NeededPermission
  /** `body` has null in each of these places: the content stands elsewhere already, and is kept as long (SPEC HIST-4). */
  readonly contents?: readonly ShownContent[]
  readonly at: number
  /** From then on the key is free again. */
  readonly expiresAt: number
}

/** What an act is done under, besides what it does. `null` in its place: the server does it of itself. */
export interface Terms<Outcome> {
  /**
   * Throws where whoever asked for the act may not have it any more (SPEC SYNC-8). It is called right before the act is
   * done, however long that waited for its turn.
   */
  readonly assertAllowed: () => void
  /**
   * Renders the answer to an act before the act is done, so that both are stored as one (SPEC WRITE-8); null where none is
   * stored. The outcome is what will be returned or thrown once the act is on disk. Called only for an act that stores
   * something; where the act then does not come about, what was rendered is forgotten.
   */
  readonly keep: ((outcome: Outcome | ParleyError) => Promise<StoredAnswer>) | null
}

/** The answer that is stored with an act that is about to be done, if one is. Throws where it may not be done any more. */
export async function answerUnder<Outcome>(
  terms: Terms<Outcome> | null,
  outcome: Outcome,
): Promise<StoredAnswer | undefined> {
  terms?.assertAllowed()
  return terms?.keep?.(outcome)
}

/** The same terms for an act whose outcome is told in other words. */
export function termsOf<Told, Outcome>(
  terms: Terms<Told> | null,
  tell: (outcome: Outcome | ParleyError) => Told | ParleyError,
): Terms<Outcome> | null {
  if (terms === null) return null
  const { assertAllowed, keep } = terms
  return { assertAllowed, keep: keep && ((outcome) => keep(tell(outcome))) }
}
