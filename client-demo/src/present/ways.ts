import { assertNever } from '../assertNever.ts'
import type { Conflict, ConflictKind } from '../parley/types.ts'
import { currentWords } from './conflict.ts'

/** The ways to close a conflict, as a person picks one of them. */
export const WAYS = ['choices', 'merged', 'current', 'incoming', 'hand', 'dismiss'] as const
export type Way = (typeof WAYS)[number]

/** The ways the server takes for this conflict; the first is what is offered before anything is picked. */
export function waysOf({ kind, merged, overlaps, truncated }: Conflict): readonly Way[] {
  const byHand: readonly Way[] = truncated ? [] : ['hand']
  switch (kind) {
    case 'stale-write':
      if (merged.clean) return ['merged', 'current', 'incoming', ...byHand, 'dismiss']
      return [...choices(overlaps), 'current', 'incoming', ...byHand, 'dismiss']
    case 'concurrent-edit':
      return [...choices(overlaps), 'current', 'incoming', 'merged', ...byHand, 'dismiss']
    case 'invalid-merge':
      // What breaks the schema cannot be kept, and is not there to be chosen.
      return ['current', ...byHand, 'dismiss']
    default:
      return assertNever(kind)
  }
}

const choices = (overlaps: Conflict['overlaps']): readonly Way[] => (overlaps.length > 0 ? ['choices'] : [])

/** A way, as where it is picked. */
export function wayWords(way: Way, kind: ConflictKind): string {
  switch (way) {
    case 'choices':
      return 'Place by place'
    case 'merged':
      return kind === 'stale-write' ? 'Use the merge' : 'Keep the merge'
    case 'current':
      return currentWords(kind)
    case 'incoming':
      return 'Take incoming'
    case 'hand':
      return 'By hand'
    case 'dismiss':
      return 'Dismiss'
    default:
      return assertNever(way)
  }
}

/** The same on the button that does it. */
export function applyWords(way: Way, kind: ConflictKind): string {
  if (way === 'choices') return 'Apply choices'
  return way === 'hand' ? 'Use this result' : wayWords(way, kind)
}

/** The same by whoever may write but not resolve. */
export function proposeWords(way: Way, kind: ConflictKind): string {
  if (way === 'choices') return 'Propose choices'
  if (way === 'hand') return 'Propose this result'
  const words = wayWords(way, kind)
  return way === 'dismiss' ? words : `Propose: ${words.charAt(0).toLowerCase()}${words.slice(1)}`
}

/** What becomes of the document, where that cannot be seen in it because it stays as it is. */
export function stays(way: Way, kind: ConflictKind): string {
  if (way === 'dismiss') return 'The document stays as it is. The conflict is closed without a decision.'
  if (way === 'merged') return 'The document stays as the merge left it.'
  if (way === 'current' && kind === 'stale-write') {
    return 'The document stays as it is. Incoming is not taken; it can be read here later.'
  }
  return 'The document stays as it is.'
}

/** Edits of two that a merge wove into each other are no result anybody wrote: keeping that is never what is urged. */
export const isUrged = (way: Way, kind: ConflictKind): boolean =>
  way !== 'dismiss' && !(way === 'merged' && kind === 'concurrent-edit')
