import { UpdatePile } from '../documents/joinUpdates.ts'
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type {
  Arriving,
  Away,
  Barred,
  PageFacts,
  Present,
  SessionAction,
  SessionState,
  Silence,
  Syncing,
  TakingIn,
  Writer,
} from './session.ts'

/** What a session becomes, and what its room does, in this order. */
export interface StepTo<S extends SessionState> {
  readonly state: S
  readonly actions: readonly SessionAction[]
}

/** An open session that may write. */
export type WriterState = Syncing | Arriving | Present | Away | Barred | TakingIn
/** One whose edits wait. */
export type HoldingState = Exclude<WriterState, Present>

export const to = <S extends SessionState>(state: S, ...actions: readonly SessionAction[]): StepTo<S> => ({
  state,
  actions,
})

/** What comes of `next` in the state that the first step leads to. */
export function andThen<S extends SessionState, T extends SessionState>(
  first: StepTo<S>,
  next: (state: S) => StepTo<T>,
): StepTo<T> {
  const { state, actions } = next(first.state)
  return { state, actions: first.actions.length === 0 ? actions : [...first.actions, ...actions] }
}

export const withPage = <S extends Writer>(state: S, changed: Partial<PageFacts>): S => ({
  ...state,
  page: { ...state.page, ...changed },
})

export const close = (code: Extract<SessionAction, { do: 'close' }>['code'], reason: string): SessionAction => ({
  do: 'close',
  code,
  reason,
})

const writerOf = ({ shown, hasAnswered, page }: Writer): Writer => ({ shown, hasAnswered, page })

const PASSING: ReadonlySet<ProblemCode> = new Set(['overloaded', 'storage-unavailable', 'missing-dependencies'])

/** What the same edits may not meet after a while: room and time are found, and what they build on is brought by somebody. */
export const mayPass = (code: ProblemCode): boolean => PASSING.has(code)

export const present = (state: Writer, due: Present['due'] = null): Present => ({
  ...writerOf(state),
  name: 'present',
  due,
})

export const away = (state: Writer, knowledge: Knowledge, more: Partial<Away> = {}): Away => ({
  ...writerOf(state),
  name: 'away',
  knowledge,
  held: UpdatePile.EMPTY,
  untilMs: null,
  silence: null,
  due: null,
  confirmation: null,
  ...more,
})

export const barred = (
  state: Writer,
  knowledge: Knowledge,
  silence: Silence,
  more: Partial<Pick<Barred, 'held' | 'due'>> = {},
): Barred => ({
  ...writerOf(state),
  name: 'barred',
  knowledge,
  silence,
  held: UpdatePile.EMPTY,
  untilMs: null,
  due: null,
  ...more,
})

export const takingIn = (
  state: Writer,
  merge: TakingIn['merge'],
  more: Pick<TakingIn, 'silence' | 'due'>,
): TakingIn => ({
  ...writerOf(state),
  ...more,
  name: 'taking-in',
  merge,
  held: UpdatePile.EMPTY,
  untilMs: null,
})

/**
 * Whether what ended a replica ends the sessions of everybody for the same reason. A code that stops stock
 * clients for good (44xx) must not reach those who had no part in it.
 */
export function isForEveryone(code: ProblemCode): boolean {
  const close = problemKind(code).close ?? 0
  return code === 'document-deleted' || close < 4400 || close >= 4500
}
