import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import { contentEquals } from '../content/equal.ts'
import { merge, touches } from '../content/merge.ts'

/**
 * Whether a write by the author of an open conflict settles it (SPEC WRITE-7): it touches one of the overlaps,
 * or merging the conflict's incoming into the new content would change nothing. Pure.
 */
export function isSuperseded(
  conflict: { readonly base: Content; readonly incoming: Content },
  write: { readonly before: Content; readonly effect: Effect; readonly after: Content },
): boolean {
  const seen = merge(conflict.base, write.before, conflict.incoming)
  if (touches(write.effect, write.before, seen.overlaps)) return true
  const rest = merge(conflict.base, write.after, conflict.incoming)
  return rest.clean && contentEquals(rest.content, write.after)
}
