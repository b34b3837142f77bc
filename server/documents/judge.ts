/**
 * What becomes of a write, from plain contents alone (SPEC WRITE-2 to WRITE-6). Pure.
 */
import type { Comparing } from '../content/comparing.ts'
import type { Content } from '../content/content.ts'
import { contentEquals } from '../content/equal.ts'
import { assertNever } from '../foundation/assert.ts'
import type { ConflictPolicy } from '../model/document.ts'

export type Judgement =
  | { readonly do: 'nothing' }
  /** Store `content`; it is what was sent, or (`merged`) what was sent together with what came between. */
  | { readonly do: 'write'; readonly outcome: 'written' | 'merged'; readonly content: Content }
  /** Store what was sent over current, and keep current in a resolved conflict. */
  | { readonly do: 'overwrite' }
  /** Refuse, and open a conflict. */
  | { readonly do: 'refuse' }
  /** Refuse, and keep what was sent in a conflict resolved as `current`. */
  | { readonly do: 'refuse-for-good' }
  /** Refuse without a conflict: only the version moved, the content did not. */
  | { readonly do: 'refuse-version' }

/** A write on the current version, or without a condition. */
export function judgeCurrent(current: Content, incoming: Content): Judgement {
  return contentEquals(current, incoming) ? { do: 'nothing' } : { do: 'write', outcome: 'written', content: incoming }
}

interface JudgedWrite {
  readonly base: Content
  readonly current: Content
  readonly incoming: Content
  readonly strict: boolean
  readonly policy: ConflictPolicy
  /** Whether a content satisfies the document's schema and the limits. */
  readonly isKeepable: (content: Content) => Promise<boolean>
  readonly merge: Comparing['merge']
}

/** A write on a stale version. */
export function judgeStale(write: JudgedWrite): Judgement | Promise<Judgement> {
  const { base, current, incoming, policy } = write
  if (contentEquals(incoming, current)) return { do: 'nothing' }
  const moved = !contentEquals(base, current)
  if (write.strict) return moved ? { do: 'refuse' } : { do: 'refuse-version' }
  if (!moved) return { do: 'write', outcome: 'written', content: incoming }
  switch (policy) {
    case 'manual':
      return { do: 'refuse' }
    case 'merge':
      return judgeMerge(write)
    case 'incoming-wins':
      return { do: 'overwrite' }
    case 'current-wins':
      return { do: 'refuse-for-good' }
    default:
      return assertNever(policy)
  }
}

async function judgeMerge({ base, current, incoming, merge, isKeepable }: JudgedWrite): Promise<Judgement> {
  const merged = await merge({ base, current, incoming })
  // Two sides that can be kept can make a whole that cannot: a person has to look at it.
  return merged.clean && (await isKeepable(merged.content))
    ? { do: 'write', outcome: 'merged', content: merged.content }
    : { do: 'refuse' }
}
