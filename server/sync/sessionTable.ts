import { shownOf } from './shown.ts'
import type {
  Away,
  Barred,
  Open,
  SessionEvent,
  SessionState,
  SessionStep,
  Surroundings,
  TakingIn,
  Writer,
} from './session.ts'
import {
  asksFirst,
  awaitAnswer,
  brings,
  bringsGap,
  ends,
  finish,
  judged,
  judgedWithout,
  kept,
  keptWithout,
  CLOSED,
  proves,
  take,
} from './sessionEdits.ts'
import { answer, answerDue, answered, askForAll, askForProof, askToConfirm, sent } from './sessionQuestions.ts'
import { andThen, away, close, mayPass, to, withPage, type WriterState } from './sessionStep.ts'

type States = { readonly [Name in SessionState['name']]: Extract<SessionState, { name: Name }> }
type Events = { readonly [Type in SessionEvent['type']]: Extract<SessionEvent, { type: Type }> }
type Cell<Name extends keyof States, Type extends keyof Events> = (
  state: States[Name],
  event: Events[Type],
  room: Surroundings,
) => SessionStep
type CellsOf<Name extends keyof States> = { readonly [Type in keyof Events]: Cell<Name, Type> }
/** Every state, every event: a cell that is not decided does not compile. */
type Table = { readonly [Name in keyof States]: CellsOf<Name> }

/** What a session becomes, and what its room does then, when something happens to it. Pure. */
export const step = (state: SessionState, event: SessionEvent, room: Surroundings): SessionStep =>
  cell(state.name, event.type)(state, event, room)

function cell<Name extends keyof States, Type extends keyof Events>(name: Name, type: Type): Cell<Name, Type> {
  const row: CellsOf<Name> = TABLE[name]
  return row[type]
}

// Cells that several states share

const nothing = (state: SessionState): SessionStep => to(state)
const announces = (state: SessionState): SessionStep => to(state, { do: 'announce' })
const queries = (state: SessionState): SessionStep => to(state, { do: 'list-awareness' })
const isAsking = (
  state: Open & SessionState,
  { stateVector }: Events['asks'],
  { version }: Surroundings,
): SessionStep => answer(state, stateVector, version)
const isAnswered = (state: Open & SessionState, _: unknown, { version }: Surroundings): SessionStep =>
  answered(state, version)
const isProbed = (state: WriterState): SessionStep => askForAll(state)
const proofIsWanted = (state: WriterState, _: unknown, room: Surroundings): SessionStep => askForProof(state, room)
const isBringing = (state: WriterState, { brought }: Events['brings'], room: Surroundings): SessionStep =>
  brings(state, brought, room)
const goesOn = (state: WriterState, { brought }: Events['goes-on'], room: Surroundings): SessionStep =>
  take(state, brought, room)
const hasEnded = (state: WriterState, { brokeOff }: Events['ends'], room: Surroundings): SessionStep =>
  ends(state, brokeOff, room)
const hasWaited = (state: Parameters<typeof finish>[0], _: unknown, room: Surroundings): SessionStep =>
  finish({ ...state, untilMs: null }, room)
const isDue = (state: Parameters<typeof answerDue>[0], _: unknown, room: Surroundings): SessionStep =>
  answerDue(state, room)

const hasGap = (state: Parameters<typeof bringsGap>[0], { update }: Events['gap'], room: Surroundings): SessionStep =>
  bringsGap(state, update, room)

const isListing = (state: WriterState, _: unknown, room: Surroundings): SessionStep =>
  state.page.listed === null ? to(state) : proves(state, state.page.listed, room)

function isUsing(state: WriterState, { client, earlier, isSaid }: Events['uses']): SessionStep {
  const { page } = state
  const isAnnounced = page.isAnnounced || isSaid
  const isNews = isAnnounced && earlier !== null && !page.earlier.has(client)
  if (isAnnounced === page.isAnnounced && !isNews) return to(state)
  return to(withPage(state, { isAnnounced, ...(isNews && { earlier: new Map(page.earlier).set(client, earlier) }) }))
}

/** Entries are on disk: they are shown to whoever has asked, but nothing new to who waits for a lock. */
function isCommitted(state: WriterState, { versions, own }: Events['committed'], { nowMs }: Surroundings): SessionStep {
  const due = shownOf(state.shown, versions, silenceOf(state)?.after)
  if (due.length === 0) return to(state)
  return andThen(to(state, { do: 'show', versions: due }), (next) => sent(next, due, own, nowMs))
}

const silenceOf = (state: WriterState): TakingIn['silence'] => ('silence' in state ? state.silence : null)

/** It asks once more before it was answered: the newest question counts. Who is silent is sent what it lacks afterwards. */
function asksAgain(state: Away | Barred | TakingIn, event: Events['asks'], room: Surroundings): SessionStep {
  if (state.due !== null) return to({ ...state, due: { after: 'question', stateVector: event.stateVector } })
  return silenceOf(state) && state.shown.name !== 'nothing' ? to(state) : isAsking(state, event, room)
}

/** The lock has changed: who waited returns, unless it is barred still. */
function returns(state: Barred, _: unknown, room: Surroundings): SessionStep {
  if (room.isBarred) return to(state)
  const { knowledge, silence, held, due } = state
  const returning: Writer & Away = away(state, knowledge, { silence, held, due })
  return askToConfirm(awaitAnswer(returning, room))
}

/** What a session left that is gone could not go in. */
const failedWithout = ({ merge, held }: States['leaving'], { code, reason }: Events['failed']): SessionStep => {
  const edits = { ...merge, updates: [...merge.updates, ...held.updates] }
  return to(CLOSED, mayPass(code) ? { do: 'leave-behind', edits } : { do: 'give-up', code, reason })
}

const gaveUp = (_: SessionState, { code, reason }: Events['failed']): SessionStep =>
  to(CLOSED, { do: 'remember', departure: null }, close(code, reason))

/** What happens to every open session that may write, whatever its state. */
const WRITER = {
  announces,
  queries,
  brings: isBringing,
  lists: isListing,
  uses: isUsing,
  committed: isCommitted,
  'proof-wanted': proofIsWanted,
  probed: isProbed,
  ends: hasEnded,
} as const

/** What comes of an act, where none is under way. */
const NO_ACT = { judged: nothing, kept: nothing, failed: nothing } as const

const TABLE: Table = {
  watching: {
    asks: isAsking,
    brings: (state) => to({ ...state, hasAnswered: true }),
    announces,
    queries,
    lists: nothing,
    uses: nothing,
    ends: () => to(CLOSED),
    committed: (state, { versions }) => {
      const due = shownOf(state.shown, versions)
      return due.length === 0 ? to(state) : to(state, { do: 'show', versions: due })
    },
    'lock-changed': nothing,
    'answer-sent': isAnswered,
    'answer-due': nothing,
    gap: nothing,
    'goes-on': nothing,
    'proof-wanted': nothing,
    probed: nothing,
    waited: nothing,
    ...NO_ACT,
  },
  syncing: {
    ...WRITER,
    ...NO_ACT,
    asks: (state, { stateVector }, room) => asksFirst(state, stateVector, room),
    'lock-changed': nothing,
    'answer-sent': isAnswered,
    'answer-due': nothing,
    gap: (state) => to(state, close('missing-dependencies', 'it builds on something unknown')),
    'goes-on': goesOn,
    waited: hasWaited,
  },
  arriving: {
    ...WRITER,
    ...NO_ACT,
    asks: (state, { stateVector }) => to({ ...state, due: { after: 'question', stateVector } }),
    'lock-changed': nothing,
    'answer-sent': isAnswered,
    'answer-due': nothing,
    gap: hasGap,
    'goes-on': goesOn,
    waited: hasWaited,
  },
  present: {
    ...WRITER,
    ...NO_ACT,
    asks: isAsking,
    'lock-changed': nothing,
    'answer-sent': isAnswered,
    'answer-due': isDue,
    gap: hasGap,
    'goes-on': goesOn,
    waited: nothing,
  },
  away: {
    ...WRITER,
    ...NO_ACT,
    asks: asksAgain,
    'lock-changed': nothing,
    'answer-sent': (state, _, room) =>
      andThen(state.silence === null && state.confirmation === null ? askToConfirm(state) : to(state), (next) =>
        answered(next, room.version),
      ),
    'answer-due': isDue,
    gap: hasGap,
    'goes-on': goesOn,
    waited: hasWaited,
  },
  barred: {
    ...WRITER,
    ...NO_ACT,
    asks: asksAgain,
    'lock-changed': returns,
    'answer-sent': isAnswered,
    'answer-due': isDue,
    gap: hasGap,
    'goes-on': goesOn,
    waited: nothing,
  },
  'taking-in': {
    ...WRITER,
    asks: asksAgain,
    'lock-changed': nothing,
    'answer-sent': isAnswered,
    'answer-due': nothing,
    gap: hasGap,
    'goes-on': goesOn,
    judged,
    kept: (state, { joined }, room) => kept(state, joined, room),
    failed: gaveUp,
    waited: nothing,
  },
  leaving: {
    asks: nothing,
    brings: nothing,
    announces: nothing,
    queries: nothing,
    lists: nothing,
    uses: nothing,
    ends: nothing,
    committed: nothing,
    'lock-changed': nothing,
    'answer-sent': nothing,
    'answer-due': nothing,
    gap: nothing,
    'goes-on': ({ held, ...state }, { brought }) => to({ ...state, held: held.with(brought.update) }),
    judged: judgedWithout,
    kept: (state, { joined }, room) => keptWithout(state, joined, room),
    failed: failedWithout,
    'proof-wanted': nothing,
    probed: nothing,
    waited: nothing,
  },
  closed: {
    asks: nothing,
    brings: nothing,
    announces: nothing,
    queries: nothing,
    lists: nothing,
    uses: nothing,
    ends: nothing,
    committed: nothing,
    'lock-changed': nothing,
    'answer-sent': nothing,
    'answer-due': nothing,
    gap: nothing,
    'goes-on': nothing,
    ...NO_ACT,
    'proof-wanted': nothing,
    probed: nothing,
    waited: nothing,
  },
}
