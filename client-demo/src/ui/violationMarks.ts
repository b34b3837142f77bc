import type { EditorView } from '@codemirror/view'
import type { Violation } from '../parley/types.ts'
import { spotOf } from './jsonPlaces.ts'
import { marking, type Mark } from './marks.ts'

/** Past these nobody reads them one by one. */
const MOST_MARKED = 100
export const VIOLATIONS = marking('violation')

/** Marks in a JSON text where it breaks its schema, as the server said; until it is asked again. */
export function markViolations(view: EditorView, violations: readonly Violation[]): void {
  VIOLATIONS.set(
    view,
    violations.slice(0, MOST_MARKED).flatMap(({ pointer, message }): Mark[] => {
      const spot = spotOf(view.state, pointer)
      return spot === null ? [] : [{ ...spot, words: message, href: null }]
    }),
  )
}

/** Takes whoever writes to one of them. */
export function goTo(view: EditorView, { pointer }: Violation): void {
  const spot = spotOf(view.state, pointer)
  if (spot === null) return
  view.dispatch({ selection: { anchor: spot.from, head: spot.to }, scrollIntoView: true })
  view.focus()
}
