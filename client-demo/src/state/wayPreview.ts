import { assertNever } from '../assertNever.ts'
import type { Choice, Conflict, Content } from '../parley/types.ts'
import type { Way } from '../present/ways.ts'
import { chosen, preview, type Picks, type Preview } from './choices.ts'

/** What the document as it was `seen` becomes by a way; null where that cannot be worked out here. */
export function wayPreview(
  conflict: Conflict,
  way: Exclude<Way, 'hand'>,
  picks: Picks,
  seen: Content | undefined,
): Preview | null {
  switch (way) {
    case 'choices':
      return preview(conflict, chosen(conflict.overlaps, picks).choices, seen)
    case 'merged':
      return conflict.kind === 'stale-write' ? preview(conflict, {}, seen) : asSeen(seen)
    case 'current':
      if (conflict.kind === 'stale-write') return asSeen(seen)
      return preview(conflict, everywhere(conflict, 'current'), seen)
    case 'incoming':
      // Of a refused write it is all of it, also what overlaps nothing.
      if (conflict.kind === 'stale-write') return asSeen(conflict.incoming.content)
      return preview(conflict, everywhere(conflict, 'incoming'), seen)
    case 'dismiss':
      return asSeen(seen)
    default:
      return assertNever(way)
  }
}

const asSeen = (content: Content | undefined): Preview | null => (content === undefined ? null : { content })

const everywhere = ({ overlaps }: Conflict, choice: Choice): Readonly<Record<string, Choice>> =>
  Object.fromEntries(overlaps.map(({ id }) => [id, choice]))
