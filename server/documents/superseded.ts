import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { contentEquals } from '../content/equal.ts'
import { merge, touches } from '../content/merge.ts'

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

/**
 * Whether a write by the author of an open conflict settles it (SPEC WRITE-7): it touches one of the overlaps,
 * or merging the conflict's incoming into the new content would change nothing. Pure.
 */
export const isSuperseded = (conflict: RefusedSides, write: LaterWrite): boolean =>
  touchesOverlap(conflict, write) || bringsNothing(conflict, write)

/** The first half of it. */
export function touchesOverlap({ base, incoming }: RefusedSides, { before, effect }: LaterWrite): boolean {
  return touches(effect, before, merge(base, before, incoming).overlaps)
}

/** The second. */
export function bringsNothing({ base, incoming }: RefusedSides, { after }: LaterWrite): boolean {
  const rest = merge(base, after, incoming)
  return rest.clean && contentEquals(rest.content, after)
}
