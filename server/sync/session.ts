import { assertNever } from '../foundation/assert.ts'
import type { Version } from '../foundation/ids.ts'
import type { StateVector } from './protocol.ts'

/** What every open session carries. */
interface Open {
  /** A session that may only read is shown everything and changes nothing (SYNC-4). */
  readonly access: 'read' | 'write'
  /** Whether it has sent anything since our SyncStep1; the first thing it sends is its answer to that. */
  readonly hasAnswered: boolean
}

/** Where one session stands. `since`: the version its answer shows; it is shown later entries one by one. */
export type SessionState =
  /** Our SyncStep1 is out, theirs has not come: it is shown nothing of the document yet. */
  | (Open & { readonly name: 'syncing' })
  /** Its SyncStep1 is being answered. `again`: it asked once more meanwhile; the newest question counts. */
  | (Open & { readonly name: 'answering'; readonly since: Version; readonly again: StateVector | null })
  | (Open & { readonly name: 'live'; readonly since: Version })
  | { readonly name: 'closed' }

/** `version` is the version applied at that moment, which an answer would show. */
export type SessionEvent =
  | { readonly type: 'asks'; readonly stateVector: StateVector; readonly version: Version }
  | { readonly type: 'answer-sent'; readonly version: Version }
  | { readonly type: 'brings' }
  | { readonly type: 'announces' }
  | { readonly type: 'queries' }
  | { readonly type: 'committed'; readonly version: Version }
  | { readonly type: 'ends' }

export type SessionAction =
  | { readonly do: 'nothing' }
  /** Encode what the state vector lacks, and send it once the version it shows is on disk. */
  | { readonly do: 'answer'; readonly stateVector: StateVector }
  /** Send the committed entry, behind an answer that is on its way. */
  | { readonly do: 'show' }
  | { readonly do: 'apply' }
  | { readonly do: 'announce' }
  | { readonly do: 'list-awareness' }
  | { readonly do: 'leave' }

export interface SessionStep {
  readonly state: SessionState
  readonly action: SessionAction
}

type OpenState = Exclude<SessionState, { readonly name: 'closed' }>

export const openSession = (access: Open['access']): SessionState => ({ name: 'syncing', access, hasAnswered: false })

/** What a session becomes and what is to be done when something happens to it. Pure. */
export function step(state: SessionState, event: SessionEvent): SessionStep {
  if (state.name === 'closed') return stay(state)
  switch (event.type) {
    case 'asks':
      return asks(state, event.stateVector, event.version)
    case 'answer-sent':
      return answerSent(state, event.version)
    case 'brings':
      return {
        state: state.hasAnswered ? state : { ...state, hasAnswered: true },
        action: { do: state.access === 'write' ? 'apply' : 'nothing' },
      }
    case 'announces':
      return { state, action: { do: 'announce' } }
    case 'queries':
      return { state, action: { do: 'list-awareness' } }
    case 'committed':
      return { state, action: { do: isShown(state, event.version) ? 'show' : 'nothing' } }
    case 'ends':
      return { state: { name: 'closed' }, action: { do: 'leave' } }
    default:
      return assertNever(event)
  }
}

function asks(state: OpenState, stateVector: StateVector, version: Version): SessionStep {
  if (state.name === 'answering') return stay({ ...state, again: stateVector })
  return answer(state, stateVector, version)
}

function answerSent(state: OpenState, version: Version): SessionStep {
  if (state.name !== 'answering') return stay(state)
  if (state.again) return answer(state, state.again, version)
  const { access, hasAnswered, since } = state
  return stay({ name: 'live', access, hasAnswered, since })
}

function answer({ access, hasAnswered }: Open, stateVector: StateVector, since: Version): SessionStep {
  return {
    state: { name: 'answering', access, hasAnswered, since, again: null },
    action: { do: 'answer', stateVector },
  }
}

/** Entries up to `since` are in the answer; before the answer nothing is shown, for it will hold them. */
function isShown(state: OpenState, version: Version): boolean {
  return state.name !== 'syncing' && version > state.since
}

const stay = (state: SessionState): SessionStep => ({ state, action: { do: 'nothing' } })
