import type { Version } from '../foundation/ids.ts'
import type { StateVector } from '../model/clockSet.ts'

/**
 * What a session is shown of the document. `since`: the version that its answer shows; later entries come one by one,
 * behind the answer.
 *
 * |           | it asks        | its answer is sent            |
 * |-----------|----------------|-------------------------------|
 * | `nothing` | → `answer`     | –                             |
 * | `answer`  | noted, `again` | → `answer` anew, or `entries` |
 * | `entries` | → `answer`     | –                             |
 */
export type Shown =
  | { readonly name: 'nothing' }
  /** `again`: it asked once more meanwhile; the newest question counts. */
  | { readonly name: 'answer'; readonly since: Version; readonly again: StateVector | null }
  | { readonly name: 'entries'; readonly since: Version }

interface ShownNext {
  readonly shown: Shown
  /** The state vector that is to be answered now, with the document at `since`; null for none. */
  readonly answer: StateVector | null
}

export const SHOWN_NOTHING: Shown = { name: 'nothing' }

/** The session asks. */
export const shownOnQuestion = (shown: Shown, stateVector: StateVector, version: Version): ShownNext =>
  shown.name === 'answer' ? { shown: { ...shown, again: stateVector }, answer: null } : begin(stateVector, version)

/** All of its answer is on its way. */
export function shownOnAnswerSent(shown: Shown, version: Version): ShownNext {
  if (shown.name !== 'answer') return { shown, answer: null }
  return shown.again ? begin(shown.again, version) : { shown: { name: 'entries', since: shown.since }, answer: null }
}

/**
 * The entries that are shown, of some in their order: those up to `since` are in the answer, before it nothing is, because it
 * will hold them, and none is that comes after `silentAfter`.
 */
export function shownOf(shown: Shown, versions: readonly Version[], silentAfter?: Version): readonly Version[] {
  if (shown.name === 'nothing') return []
  const isDue = (version: Version): boolean =>
    version > shown.since && (silentAfter === undefined || version <= silentAfter)
  const [oldest, newest] = [versions[0], versions.at(-1)]
  const areAll = oldest === undefined || newest === undefined || (isDue(oldest) && isDue(newest))
  return areAll ? versions : versions.filter(isDue)
}

const begin = (stateVector: StateVector, since: Version): ShownNext => ({
  shown: { name: 'answer', since, again: null },
  answer: stateVector,
})
