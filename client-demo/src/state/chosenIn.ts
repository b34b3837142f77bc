import { changesOf, merge } from '../../../server/content/merge.ts'
import { spansOverlap } from '../../../server/content/align.ts'
import type { Conflict, Content, Range, SideName } from '../parley/types.ts'

/** What stands at a place after a resolution: a side, what the merge made, or words of the one who resolved it. */
export type Chosen = SideName | 'merged' | 'own'

/** What was chosen at each overlap, by its id, as the resulting content shows it: only that is kept. */
export function chosenIn(conflict: Conflict, result: Content): ReadonlyMap<string, Chosen> {
  const { base, current, incoming, overlaps, kind, resolution } = conflict
  if (resolution?.use === 'current' || resolution?.use === 'incoming' || resolution?.use === 'merged') {
    const { use } = resolution
    return new Map(overlaps.map(({ id }) => [id, use]))
  }
  if (base.content === undefined || current.content === undefined || incoming.content === undefined) return new Map()
  const changed = changesOf(base.content, result)
  // A side that made the same change overlaps nothing of the result there.
  const unlikeCurrent = merge(base.content, current.content, result).overlaps
  const unlikeIncoming = merge(base.content, incoming.content, result).overlaps
  const unlikeMerged =
    kind !== 'concurrent-edit' || conflict.merged.content === undefined
      ? null
      : merge(base.content, conflict.merged.content, result).overlaps
  return new Map(
    overlaps.map((overlap): [string, Chosen] => {
      const meets = (others: readonly Place[]): boolean => others.some((other) => meet(overlap, other))
      if (!meets(changed)) return [overlap.id, 'base']
      if (!meets(unlikeCurrent)) return [overlap.id, 'current']
      if (!meets(unlikeIncoming)) return [overlap.id, 'incoming']
      if (unlikeMerged !== null && !meets(unlikeMerged)) return [overlap.id, 'merged']
      return [overlap.id, 'own']
    }),
  )
}

/** Of an overlap and of a change alike. */
type Place = { readonly lines: { readonly base: Range } } | { readonly pointer: string }

function meet(a: Place, b: Place): boolean {
  if ('pointer' in a && 'pointer' in b) return isWithin(a.pointer, b.pointer) || isWithin(b.pointer, a.pointer)
  if ('pointer' in a || 'pointer' in b) return false
  return spansOverlap(spanOf(a.lines.base), spanOf(b.lines.base))
}

const spanOf = ({ start, end }: Range): [number, number] => [start, end]

const isWithin = (inner: string, outer: string): boolean => inner === outer || inner.startsWith(`${outer}/`)
