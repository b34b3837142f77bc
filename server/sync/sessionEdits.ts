import { UpdatePile } from '../documents/joinUpdates.ts'
import { assertNever } from '../foundation/assert.ts'
import type { Version } from '../foundation/ids.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Brought } from './brought.ts'
import type { Departure } from './departures.ts'
import type {
  Arriving,
  Away,
  Due,
  Joined,
  Leaving,
  HeldEdits,
  PageFacts,
  Present,
  SessionEvent,
  SessionState,
  SessionStep,
  Surroundings,
  Syncing,
  TakingIn,
} from './session.ts'
import { askToConfirm, newest } from './sessionQuestions.ts'
import {
  away,
  barred,
  close,
  present,
  takingIn,
  andThen,
  to,
  withPage,
  type HoldingState,
  type StepTo,
  type WriterState,
} from './sessionStep.ts'

/** A longer list of deletes is not read when it answers a question: once a second, that would cost more than it tells. */
const READ_BYTES = 1_024

/** It brings an update, or answers a SyncStep1 of ours. */
export function brings(state: WriterState, brought: Brought, room: Surroundings): SessionStep {
  const heard = { ...state, hasAnswered: true }
  const [question, ...asked] = brought.message === 'sync-step-2' ? state.page.asked : []
  if (question === undefined) return take(heard, brought, room)
  const told = withPage(heard, { asked })
  // By then the page has merged what we sent, so its state tells no more what it did alone: that came before.
  if (question !== null) return confirms(told, brought, question, room)
  if (told.name === 'arriving') return arrives(told, brought, room)
  const next = told.name === 'syncing' ? { ...told, deletes: told.deletes ?? brought.deletes } : told
  return room.bringsSomething(brought.update) ? take(next, brought, room) : to(next)
}

/** What is there to be taken: applied where its author knew all that counts, else held. */
export function take(state: WriterState, brought: Brought, room: Surroundings): SessionStep {
  if (state.name === 'syncing' && !state.isPatient) return write(state, brought, room)
  if (state.name !== 'present') return hold(state, brought.update, room)
  const { seen, handedOn } = readStored(state.page, brought, room)
  const next = withPage(state, { handedOn })
  if (seen !== null) return leave(next, brought, { by: 'stored', seen }, room)
  if (isYoung(state.page, room)) return write(next, brought, room)
  return leave(next, brought, state.page.seen.knowledge(), room)
}

/** It is away from now on, as far as what it brings is concerned. */
const leave = (state: Present, { update }: Brought, knowledge: Knowledge, room: Surroundings): SessionStep =>
  andThen(askToConfirm(away(state, knowledge)), (next) => hold(next, update, room))

/**
 * What it wrote builds on what the document lacks, because its page has it by another way (of another tab, say) and hands
 * it on only when asked. So it is asked for all it has. It knew what there is now, as far as it had seen that.
 */
export function bringsGap(state: Exclude<WriterState, Syncing>, update: Uint8Array, room: Surroundings): SessionStep {
  if (state.name !== 'present') return hold(state, update, room)
  const { seen } = state.page
  const knowledge: Knowledge = isYoung(state.page, room)
    ? { by: 'versions', seen: room.version, own: [] }
    : seen.knowledge()
  return andThen(askToConfirm(away(state, knowledge, { due: state.due })), (next) => hold(next, update, room))
}

/** Whether all that its page may not have is younger than the window (CONF-7). */
const isYoung = ({ seen: { unseenSinceMs } }: PageFacts, { nowMs, limits }: Surroundings): boolean =>
  unseenSinceMs === null || nowMs - unseenSinceMs < limits.windowMs

/**
 * Edits of Yjs clients that no session uses. Where these had left a window before this one came, they are edits that the
 * browser has stored, made without what came after: `seen` is the newest version that all of them had, null for none or
 * where that is everything. Of a client that left later it can be the peer, which has told it all along. Each client
 * counts once.
 */
function readStored(
  { joinedMs, handedOn }: PageFacts,
  { clocks }: Brought,
  room: Surroundings,
): Pick<PageFacts, 'handedOn'> & { readonly seen: Version | null } {
  let seen: Version | null = null
  let known = handedOn
  for (const [client, clock] of clocks) {
    if (known.has(client) || room.isUsed(client) || clock <= room.stateOf(client)) continue
    const departure = room.departureOf(client)
    if (departure === null) continue
    known = new Set([...known, client])
    const isStored = joinedMs - departure.sinceMs >= room.limits.windowMs
    if (isStored && (seen === null || departure.seen < seen)) seen = departure.seen
  }
  return { seen: seen !== null && seen < room.version ? seen : null, handedOn: known }
}

/** Applies what needs no judgement, unless a lock bars it. */
function write(
  state: Syncing | Present,
  { update, message }: Pick<Brought, 'update' | 'message'>,
  room: Surroundings,
): SessionStep {
  const knowledge = state.page.seen.knowledge()
  if (!room.isBarred) return to(state, { do: 'apply', update, message, merge: null, knowledge })
  return hold(barred(state, knowledge, room.silence()), update, room)
}

/** The same of several, in their order. */
function writeAll(
  state: Syncing | Present,
  all: readonly Pick<Brought, 'update' | 'message'>[],
  room: Surroundings,
): SessionStep {
  let step: SessionStep = to(state)
  for (const one of all) {
    step = andThen(step, (next) => {
      if (next.name === 'syncing' || next.name === 'present') return write(next, one, room)
      return next.name === 'barred' ? hold(next, one.update, room) : to(next)
    })
  }
  return step
}

function hold(state: HoldingState, update: Uint8Array, room: Surroundings): SessionStep {
  const next = { ...state, held: state.held.with(update) }
  const { bytes } = next.held
  const { heldBytes, waitingBytes } = room.limits
  const isTooMuch = bytes > heldBytes
  switch (next.name) {
    case 'barred':
      return isTooMuch || bytes + room.waitingBytes() > waitingBytes
        ? refuse(state, 'locked', 'too much waits for the lock')
        : to(next)
    case 'taking-in':
      return isTooMuch ? refuse(state, 'overloaded', 'too much came while earlier edits went in') : to(next)
    case 'syncing':
    case 'arriving':
    case 'away':
      return isTooMuch ? finish(next, room) : to(awaitAnswer(next, room))
    default:
      return assertNever(next)
  }
}

/** What is held is taken in after a while even if the session never answers, or never asks. */
export function awaitAnswer<S extends Syncing | Arriving | Away>(state: S, { nowMs, limits }: Surroundings): S {
  const { windowMs, confirmMs } = limits
  return { ...state, untilMs: state.untilMs ?? nowMs + (state.name === 'syncing' ? windowMs : confirmMs) }
}

/** Nothing of what is held stays here: the session is told so by its end, and its editor has it. */
const refuse = (state: HoldingState, code: ProblemCode, why: string): SessionStep =>
  to({ ...state, held: UpdatePile.EMPTY }, close(code, `${why}; your editor keeps it`))

/** It asks for the document for the first time. It is answered once what it brings is in the log, judged. */
export function asksFirst(state: Syncing, stateVector: Due['stateVector'], room: Surroundings): SessionStep {
  const { shown, hasAnswered, page, held, deletes } = state
  const due: Due = { after: 'question', stateVector }
  const open = { shown, hasAnswered, page, held, deletes }
  const arriving: Arriving = { ...open, name: 'arriving', had: stateVector, due, untilMs: null }
  if (room.isEmpty) return settle(arriving, null, room)
  // Who has nothing brings nothing.
  if (deletes !== null || (stateVector.size === 0 && held.isEmpty)) return finish(arriving, room)
  return to(awaitAnswer(arriving, room))
}

/** What the session had is complete now. */
function arrives(state: Arriving, brought: Brought, room: Surroundings): SessionStep {
  const { clocks, deletes } = brought
  const writers = [...clocks].filter(([client, clock]) => clock > room.stateOf(client)).map(([client]) => client)
  const page = state.page.isAnnounced ? withDepartures(state.page, writers, room) : state.page
  const told: Arriving = { ...state, page, deletes: state.deletes ?? deletes }
  const clients = writers.length > 0 ? writers : [...page.earlier.keys()]
  const sent = newest(page, 'sent')
  // Of whom nothing is remembered the log may tell more than the clocks and deletes do.
  const isForgotten = sent === null && writers.length > 0
  const isBehind = isForgotten || (sent !== null && sent < room.version) || !room.knowsAll(state.had, deletes)
  if (!isBehind || isShortBreak(page, clients, room.limits.windowMs)) {
    return settle(told, room.bringsSomething(brought.update) ? brought : null, room)
  }
  const bringsNothing = writers.length === 0 && deletes.size === 0
  return finish(bringsNothing ? told : { ...told, held: told.held.with(brought.update) }, room)
}

function withDepartures(page: PageFacts, clients: readonly number[], room: Surroundings): PageFacts {
  const earlier = new Map(page.earlier)
  for (const client of clients) {
    const departure = earlier.has(client) ? null : room.departureOf(client)
    if (departure) earlier.set(client, departure)
  }
  return { ...page, earlier }
}

/**
 * CONF-7: a break shorter than the window is no absence. It began when the first went out that the Yjs clients of the
 * session may have missed in another one.
 */
function isShortBreak({ earlier, joinedMs }: PageFacts, clients: readonly number[], windowMs: number): boolean {
  const isRecent = (client: number): boolean => {
    const departure = earlier.get(client)
    return departure !== undefined && joinedMs - departure.sinceMs < windowMs
  }
  return clients.length > 0 && clients.every(isRecent)
}

/** It lacks nothing that counts: what it brings is applied as it is. */
function settle(state: Arriving, brought: Brought | null, room: Surroundings): SessionStep {
  const seen = state.page.seen.begins(newest(state.page, 'seen') ?? room.version)
  const next = withPage(present(state, state.due), { seen })
  const all = [...(brought ? [brought] : []), ...asUpdates(state.held)]
  return andThen(writeAll(next, all, room), (written) => to(withDue(written, state.due), { do: 'turn-to-answer' }))
}

/** What was written may have made it wait for a lock. */
const withDue = (state: SessionState, due: Due): SessionState => (state.name === 'barred' ? { ...state, due } : state)

const asUpdates = ({ updates }: UpdatePile): Pick<Brought, 'update' | 'message'>[] =>
  updates.map((update) => ({ update, message: 'update' }))

/** The page answers a question by all it has, or by what we lack. */
function confirms(state: WriterState, brought: Brought, question: number, room: Surroundings): SessionStep {
  const isRead = !brought.isBare || brought.update.length <= READ_BYTES
  const held = state.name === 'present' ? UpdatePile.EMPTY : state.held
  const isMore = isRead && room.addsTo(held.updates, brought)
  const step = isMore ? take(state, brought, room) : to(state)
  return andThen(step, (next) => ('page' in next ? proves(next, question, room) : to(next)))
}

/** The page answered a question: it has everything that was sent before it. */
export function proves(state: WriterState, question: number, room: Surroundings): SessionStep {
  const seen = state.page.seen.answered(question)
  const next = withPage(state, { seen, listed: null })
  if (next.name === 'away' && next.confirmation === question) return finish(next, room)
  return seen.hasUnasked ? to(next, { do: 'want-proof' }) : to(next)
}

/** Nothing is waited for any more: what is held is taken in. */
export function finish(state: Syncing | Arriving | Away, room: Surroundings): SessionStep {
  if (state.name === 'syncing') return loseBase(state, room)
  const { held, due } = state
  const knowledge = knowledgeIn(state)
  const silence = state.name === 'away' ? state.silence : null
  const isBarred = room.isBarred && held.updates.some((update) => room.bringsSomething(update))
  if (isBarred && due === null) return to(barred(state, knowledge, silence ?? room.silence(), { held }))
  if (!held.isEmpty || silence !== null) {
    const edits: HeldEdits = { updates: held.updates, knowledge }
    return to(takingIn(state, edits, { silence, due }), { do: isBarred ? 'keep' : 'judge', edits })
  }
  return due ? to(away(state, knowledge, { due }), { do: 'turn-to-answer' }) : to(present(state))
}

/** Of a session that does not ask for the document nobody knows what it had: what it writes is merged as it comes. */
const loseBase = (state: Syncing, room: Surroundings): SessionStep =>
  writeAll({ ...state, held: UpdatePile.EMPTY, untilMs: null, isPatient: false }, asUpdates(state.held), room)

function knowledgeIn(state: Arriving | Away): Knowledge {
  if (state.name === 'away') return state.knowledge
  const { had: clocks, deletes, page } = state
  const none = { brought: new Map(), broughtUpdate: null }
  return { by: 'clocks', clocks, deletes: deletes ?? new Map(), sentUpTo: newest(page, 'sent'), ...none }
}

type JudgedEvent = Extract<SessionEvent, { type: 'judged' }>

/** What was held was looked at, and goes in, unless the next lock was faster. */
export function judged(state: TakingIn, event: JudgedEvent, room: Surroundings): SessionStep {
  const { joined, counts, merge } = event
  if (joined === null) return goOn(state, state.merge.knowledge)
  if (!counts) return goOn(state, joined.knowledge)
  const { update } = joined
  const { knowledge } = state.merge
  if (!room.isBarred && isOutdated(event, room)) {
    return to(state, { do: 'judge', edits: { updates: [update], knowledge } })
  }
  if (!room.isBarred) {
    return andThen(to(state, { do: 'apply', update, message: 'sync-step-2', merge, knowledge }), (next) =>
      goOn(next, joined.knowledge),
    )
  }
  if (state.due !== null) return to(state, { do: 'keep', edits: { updates: [update], knowledge } })
  const held = state.held.updates.reduce((pile, one) => pile.with(one), UpdatePile.EMPTY.with(update))
  return to(barred(state, knowledge, state.silence ?? room.silence(), { held }))
}

/**
 * Who had everything when it was looked at may lack what came since. It is looked at once more: by then its author lacks
 * something, or has written what came themselves.
 */
const isOutdated = ({ counts, merge, at }: JudgedEvent, room: Surroundings): boolean =>
  counts && merge === null && at !== room.version

/** What it brought stands on disk, because a lock bars it, or did until now. */
export function kept(state: TakingIn, { knowledge }: Joined, room: Surroundings): SessionStep {
  if (!room.isBarred || state.due === null) return goOn(state, knowledge)
  const { held, due } = state
  return to(barred(state, knowledge, room.silence(), { held, due }), { do: 'turn-to-answer' })
}

/**
 * What was held is part of the document. A session that has no answer yet goes on with the same knowledge, and what it
 * brought, until its page has proved to have our answer.
 */
function goOn(state: TakingIn, knowledge: Knowledge): StepTo<Present | Away> {
  const { due, silence, held } = state
  const goesOn = held.isEmpty ? [] : [{ do: 'go-on', updates: held.updates } as const]
  if (due !== null) return to(away(state, knowledge, { due }), { do: 'turn-to-answer' }, ...goesOn)
  if (silence === null) return to(present(state), ...goesOn)
  const missed: Due = { after: 'silence', stateVector: silence.stateVector }
  return to(present(state, missed), { do: 'turn-to-answer' }, ...goesOn)
}

/**
 * A session has ended while what it brought was looked at. What came meanwhile is of the same absence: it is looked at once
 * more, with that, and goes in as one.
 */
export function judgedWithout(
  { merge: { knowledge }, held }: Leaving,
  event: JudgedEvent,
  room: Surroundings,
): SessionStep {
  const { joined, counts, merge } = event
  const looked = joined && counts ? [joined.update] : []
  const edits: HeldEdits = { updates: [...looked, ...held.updates], knowledge }
  if (edits.updates.length === 0) return to(CLOSED)
  if (room.isBarred) return to(CLOSED, { do: 'leave-behind', edits })
  if (joined === null || !held.isEmpty || isOutdated(event, room)) return to(leaving(edits), { do: 'judge', edits })
  return to(CLOSED, { do: 'apply', update: joined.update, message: 'sync-step-2', merge, knowledge })
}

/** The same, and what it brought is on disk. */
export function keptWithout({ held }: Leaving, { knowledge }: Joined, room: Surroundings): SessionStep {
  if (held.isEmpty) return to(CLOSED)
  const edits: HeldEdits = { updates: held.updates, knowledge }
  return room.isBarred ? to(CLOSED, { do: 'leave-behind', edits }) : to(leaving(edits), { do: 'judge', edits })
}

/** The session has ended; what is held of it is taken in without it, or waits on disk without it. */
export function ends(state: WriterState, brokeOff: boolean, room: Surroundings): SessionStep {
  const remember = {
    do: 'remember',
    departure: state.page.isAnnounced ? departureOf(state, room.nowMs, brokeOff ? 0 : room.limits.windowMs) : null,
  } as const
  return andThen(to(state, remember), (next) => endsHolding(next, room))
}

function endsHolding(state: WriterState, room: Surroundings): SessionStep {
  if (state.name === 'present') return to(CLOSED)
  const { held } = state
  if (state.name === 'taking-in') return to({ ...leaving(state.merge), held })
  if (held.isEmpty) return to(CLOSED)
  if (state.name === 'syncing') {
    return andThen(loseBase(state, room), (next) =>
      next.name === 'barred' ? endsHolding(next, room) : to<SessionState>(CLOSED),
    )
  }
  const isBarred = state.name === 'barred' || (room.isBarred && held.updates.some((one) => room.bringsSomething(one)))
  const knowledge = state.name === 'barred' ? state.knowledge : knowledgeIn(state)
  const edits: HeldEdits = { updates: held.updates, knowledge }
  if (isBarred) return to(CLOSED, { do: 'leave-behind', edits })
  return to(leaving(edits), { do: 'judge', edits })
}

export const CLOSED: Extract<SessionState, { name: 'closed' }> = { name: 'closed' }
const leaving = (merge: HeldEdits): Leaving => ({ name: 'leaving', merge, held: UpdatePile.EMPTY })

/**
 * How far its page has come for certain, if it is in sync: what it was sent last may never have reached it, on a line that
 * was dead before anybody noticed. What was sent for less than `windowMs` it may have had no time to prove; of a line that
 * broke off nothing is taken for granted.
 */
export function departureOf({ name, page }: WriterState, nowMs: number, windowMs: number): Departure | null {
  if (name !== 'present') return null
  const sinceMs = page.seen.unseenSinceMs ?? nowMs
  const { seenUpTo: seen, sentUpTo } = page.seen
  return { sinceMs, seen, sent: nowMs - sinceMs < windowMs ? sentUpTo : seen }
}
