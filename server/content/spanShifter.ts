import { growthOf, hull, spansOverlap, type Run, type Span } from './align.ts'

/**
 * Tells where a span is after runs of change; what changed at it belongs to it. Runs do not overlap each other. Both are in
 * order of their starts, so that all spans together go through the runs once.
 */
export function spanShifter(runs: readonly Run[]): (span: Span) => Span {
  /** The runs that end before the last span began, and how far they move what lies behind them. */
  let [passed, shift] = [0, 0]
  return (span) => {
    for (let run = runs[passed]; run && run.base[1] < span[0]; run = runs[passed]) {
      shift += growthOf(run)
      passed += 1
    }
    let [start, end] = span
    let [startBy, endBy] = [shift, shift]
    for (let next = passed, run = runs[next]; run && run.base[0] <= span[1]; run = runs[next]) {
      const growth = growthOf(run)
      const isInside = spansOverlap(span, run.base)
      const isBefore = !isInside && run.base[1] <= span[0]
      if (isInside) [start, end] = hull([start, end], run.base)
      if (isBefore) startBy += growth
      if (isBefore || isInside) endBy += growth
      next += 1
    }
    return [start + startBy, end + endBy]
  }
}
