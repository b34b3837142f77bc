import { mergeWith } from '../../../server/content/merge.ts'
import type { Conflict, Content } from '../parley/types.ts'

/**
 * A write that brings up again what a closed conflict was about; null where there is nothing to bring up. It is stale on
 * purpose: it says what its author wanted and on which version, so that a conflict opens over the same places.
 */
export function openedAgain(conflict: Conflict): { readonly content: Content; readonly baseVersion: number } | null {
  const { kind, status, base, current, incoming, resolution } = conflict
  // Another change settled it, or its document is gone.
  if (status !== 'dismissed' && resolution === null) return null
  if (kind === 'invalid-merge' || incoming.content === undefined) return null
  if (kind === 'stale-write') {
    return base.version === null ? null : { content: incoming.content, baseVersion: base.version }
  }
  if (base.content === undefined || current.content === undefined || current.version === null) return null
  // Edits that were merged have no version of their own: they are put onto what stood just before the merge.
  const all = new Map(conflict.overlaps.map(({ id }) => [id, 'incoming' as const]))
  const { content, errors } = mergeWith(base.content, current.content, incoming.content, all)
  return errors.length === 0 ? { content, baseVersion: current.version } : null
}
