import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { contentEquals } from '../content/equal.ts'
import { merge, mergeReaching, touches } from '../content/merge.ts'
import type { Reach } from '../content/reach.ts'

/** What a refused write started from, and what it wanted. */
interface RefusedSides {
  readonly base: Content
  readonly incoming: Content
}

/** A later write of the same author, and what it did. */
interface LaterWrite {
  readonly before: Content
  readonly effect: Effect
  readonly after: Content
}

/** What a later write is to an open conflict; where that stays open, with where it reaches after the write. */
export type SettlingVerdict = { readonly isSettled: true } | { readonly isSettled: false; readonly reach: Reach }

/**
 * Whether a write by the author of an open conflict settles it (SPEC WRITE-7): it touches one of the overlaps,
 * or merging the conflict's incoming into the new content would change nothing. Pure.
 */
export const verdictOn = (conflict: RefusedSides, write: LaterWrite): SettlingVerdict =>
  touchesOverlap(conflict, write) ? { isSettled: true } : broughtBy(conflict, write)

/** The first half of it. */
export function touchesOverlap(
  { base, incoming }: RefusedSides,
  { before, effect }: Pick<LaterWrite, 'before' | 'effect'>,
): boolean {
  return touches(effect, before, merge(base, before, incoming).overlaps)
}

/** The second. */
export function broughtBy({ base, incoming }: RefusedSides, { after }: Pick<LaterWrite, 'after'>): SettlingVerdict {
  const { clean, content, reach } = mergeReaching(base, after, incoming)
  return clean && contentEquals(content, after) ? { isSettled: true } : { isSettled: false, reach }
}
