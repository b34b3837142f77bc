import { growthOf, spansOverlap, type Run, type Span } from './align.ts'

/** A stretch of the base that at least one side changed, and what each side has in its place. */
export interface Stretch {
  readonly base: Span
  readonly current: Span
  readonly incoming: Span
  readonly changedBy: 'current' | 'incoming' | 'both'
}

/**
 * Lays the changes of two sides over their base. Changes that overlap (CONF-2) are joined to one stretch;
 * what lies between the stretches is unchanged on both sides. In order.
 */
export function weave(currentRuns: readonly Run[], incomingRuns: readonly Run[]): Stretch[] {
  const changes: WovenChange[] = [
    ...currentRuns.map((run): WovenChange => ({ by: 'current', base: run.base, growth: growthOf(run) })),
    ...incomingRuns.map((run): WovenChange => ({ by: 'incoming', base: run.base, growth: growthOf(run) })),
  ]
  changes.sort((a, b) => a.base[0] - b.base[0] || a.base[1] - b.base[1])
  const shift = { current: 0, incoming: 0 }
  return joinOverlapping(changes).map(({ base, growth, changedBy }) => {
    const spanOf = (side: Side): Span => {
      const start = base[0] + shift[side]
      shift[side] += growth[side]
      return [start, base[1] + shift[side]]
    }
    return { base, current: spanOf('current'), incoming: spanOf('incoming'), changedBy }
  })
}

/**
 * The spans of current where incoming differs from base, apart and in order, each with all that is changed beside it: what in
 * a run of changes corresponds to what depends on the whole run, so that a change at its one end can make or end an overlap
 * at the other.
 */
export function reachedSpans(stretches: readonly Stretch[]): Span[] {
  const reached: Span[] = []
  let [start, end, isReached] = [0, -1, false]
  for (const { current, changedBy } of stretches) {
    if (current[0] !== end) {
      if (isReached) reached.push([start, end])
      start = current[0]
      isReached = false
    }
    end = current[1]
    isReached ||= changedBy !== 'current'
  }
  if (isReached) reached.push([start, end])
  return reached
}

type Side = 'current' | 'incoming'

interface WovenChange {
  readonly by: Side
  readonly base: Span
  /** How many elements more the side has there than the base. */
  readonly growth: number
}

interface Group {
  base: Span
  readonly growth: Record<Side, number>
  changedBy: Stretch['changedBy']
}

function joinOverlapping(sorted: readonly WovenChange[]): Group[] {
  const groups: Group[] = []
  for (const change of sorted) {
    let group = groups.at(-1)
    if (group && spansOverlap(group.base, change.base)) {
      group.base = [group.base[0], Math.max(group.base[1], change.base[1])]
      if (group.changedBy !== change.by) group.changedBy = 'both'
    } else {
      group = { base: change.base, growth: { current: 0, incoming: 0 }, changedBy: change.by }
      groups.push(group)
    }
    group.growth[change.by] += change.growth
  }
  return groups
}
