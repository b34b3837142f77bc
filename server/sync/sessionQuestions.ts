import type { Version } from '../foundation/ids.ts'
import type { StateVector } from '../model/clockSet.ts'
import type { Away, Barred, Open, PageFacts, Present, SessionState, Surroundings, Writer } from './session.ts'
import { andThen, close, to, withPage, type StepTo } from './sessionStep.ts'
import type { SeenVersions } from './seenVersions.ts'
import { shownOnAnswerSent, shownOnQuestion, type Shown } from './shown.ts'

/** Of our SyncStep1s; a page that leaves so many unanswered, at most one a second, does not answer at all. */
const MAX_ASKED = 64

/** It asks, and lacks nothing that has to come first. */
export const answer = <S extends Open & SessionState>(
  state: S,
  stateVector: StateVector,
  version: Version,
): StepTo<S> => showing(state, shownOnQuestion(state.shown, stateVector, version))

/** All of an answer is on its way. */
export const answered = <S extends Open & SessionState>(state: S, version: Version): StepTo<S> =>
  showing(state, shownOnAnswerSent(state.shown, version))

function showing<S extends Open & SessionState>(
  state: S,
  next: { readonly shown: Shown; readonly answer: StateVector | null },
): StepTo<S> {
  const shown = { ...state, shown: next.shown }
  return next.answer ? to(shown, { do: 'answer', stateVector: next.answer }) : to(shown)
}

/** All up to a version goes out to it. */
export const sentUpTo = <S extends Writer & SessionState>(state: S, version: Version, nowMs: number): StepTo<S> =>
  wantingProof(state, state.page.seen.sent(version, false, nowMs))

/** Entries go out to it. */
export const sent = <S extends Writer & SessionState>(
  state: S,
  versions: readonly Version[],
  own: ReadonlySet<Version>,
  nowMs: number,
): StepTo<S> => wantingProof(state, state.page.seen.allSent(versions, own, nowMs))

function wantingProof<S extends Writer & SessionState>(state: S, seen: SeenVersions): StepTo<S> {
  const next = withPage(state, { seen })
  return seen.hasUnasked ? to(next, { do: 'want-proof' }) : to(next)
}

/** Asks for all it has. Its answer proves what it was sent before. */
export function askForAll<S extends Writer & SessionState>(state: S): StepTo<S> {
  const { seen, asked } = state.page
  if (asked.length >= MAX_ASKED) return to(state, close('too-slow', 'it answers none of our questions'))
  const page = { seen: seen.asked(), asked: [...asked, seen.nextQuestion] }
  return to(withPage(state, page), { do: 'ask-for-all' })
}

/** Its answer ends the absence. */
export const askToConfirm = (state: Away): StepTo<Away> =>
  askForAll({ ...state, confirmation: state.page.seen.nextQuestion })

/**
 * Asks the page for proof of what it was sent, by the question with the shorter answer: a SyncStep1 is answered by all
 * deletes of the document, QueryAwareness by the states of everybody the page knows of. One question is on its way at a
 * time, because a page that hangs is not to find a heap of them; a second one where the first may have got an answer that
 * tells nothing.
 */
export function askForProof<S extends Writer & SessionState>(state: S, room: Surroundings): StepTo<S> {
  const { seen, listed } = state.page
  if (seen.unseenSinceMs === null || (seen.isAsked && listed === null)) return to(state)
  if (listed !== null || !room.isListShorter()) return askForAll(state)
  const asked = withPage(state, { seen: seen.asked(), listed: seen.nextQuestion })
  return to(asked, { do: 'ask-who-is-there' }, { do: 'want-proof' })
}

/** What it brought is applied, or on disk: it is sent what it lacks. */
export function answerDue<S extends Present | Away | Barred>(state: S, room: Surroundings): StepTo<S> {
  const { due } = state
  if (due === null) return to(state)
  const { version, nowMs } = room
  const { stateVector } = due
  const next = { ...state, due: null }
  if (due.after === 'question') return andThen(begin(next, room), (begun) => answer(begun, stateVector, version))
  return andThen(sentUpTo(next, version, nowMs), (caughtUp) => to(caughtUp, { do: 'catch-up', stateVector }))
}

/** It has, or is being sent, everything. One that is not away had everything up to a version, and has to prove the rest. */
function begin<S extends Present | Away | Barred>(state: S, { version, nowMs }: Surroundings): StepTo<S> {
  const had = state.name === 'away' ? null : newest(state.page, 'seen')
  const begun = withPage(state, { seen: state.page.seen.begins(had ?? version) })
  return had !== null && had < version ? sentUpTo(begun, version, nowMs) : to(begun)
}

/** The newest version that the page had in other sessions, or may have had; null where that is not known. */
export function newest({ earlier }: PageFacts, of: 'seen' | 'sent'): Version | null {
  let found: Version | null = null
  for (const { [of]: version } of earlier.values()) if (found === null || version > found) found = version
  return found
}
