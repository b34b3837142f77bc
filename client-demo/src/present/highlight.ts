import { presentableDiff } from '@codemirror/merge'
import { assertNever } from '../assertNever.ts'
import type { Overlap, SideName, TextOverlap, Value } from '../parley/types.ts'

/** A stretch of a text, and whether the other side differs there. */
export interface Stretch {
  readonly text: string
  readonly changed: boolean
}

/** Counted in characters and not in time, so that the same texts always look the same. */
const DIFF = { scanLimit: 2_000 }

/** `text`, cut where it differs from `other`. */
export function highlight(text: string, other: string): readonly Stretch[] {
  const stretches: Stretch[] = []
  let at = 0
  for (const change of presentableDiff(other, text, DIFF)) {
    push(stretches, text.slice(at, change.fromB), false)
    push(stretches, text.slice(change.fromB, change.toB), true)
    at = change.toB
  }
  push(stretches, text.slice(at), false)
  return stretches
}

function push(stretches: Stretch[], text: string, changed: boolean): void {
  if (text !== '') stretches.push({ text, changed })
}

/** What a side has at an overlap, as text; null where it has nothing there (lines removed, member absent). */
export function sideText(overlap: Overlap, side: SideName): string | null {
  if ('pointer' in overlap) return valueText(overlap[side])
  const { start, end } = overlap.lines[side]
  return start === end ? null : overlap[side]
}

/** What a live merge made of an overlap, cut where it differs from the base; null where nothing stands there. */
export function mergedStretches(overlap: Overlap): readonly Stretch[] | null {
  const text = 'pointer' in overlap ? valueText(overlap.merged ?? ABSENT) : mergedLines(overlap)
  return text === null ? null : highlight(text, sideText(overlap, 'base') ?? '')
}

const ABSENT: Value = { present: false }

function mergedLines({ lines, merged }: TextOverlap): string | null {
  return merged === undefined || lines.merged === undefined || lines.merged.start === lines.merged.end ? null : merged
}

export const valueText = (value: Value): string | null => (value.present ? JSON.stringify(value.value, null, 2) : null)

/** What each side is compared with: current and incoming with base, base with both in turn. */
export function sideStretches(overlap: Overlap, side: SideName): readonly Stretch[] | null {
  const text = sideText(overlap, side)
  if (text === null) return null
  switch (side) {
    case 'base':
      return [{ text, changed: false }]
    case 'current':
    case 'incoming':
      return highlight(text, sideText(overlap, 'base') ?? '')
    default:
      return assertNever(side)
  }
}
