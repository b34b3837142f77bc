import { UpdatePile } from '../documents/joinUpdates.ts'
import type { LiveMerge } from '../documents/replica.ts'
import { NO_VERSION, type Version } from '../foundation/ids.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { ClockSet } from '../model/clockSet.ts'
import type { Brought } from './brought.ts'
import type { Departure } from './departures.ts'
import type { SyncLimits } from './limits.ts'
import type { StateVector } from '../model/clockSet.ts'
import { SeenVersions } from './seenVersions.ts'
import { SHOWN_NOTHING, type Shown } from './shown.ts'

/**
 * One session of a document, whatever protocol carries it: its states, what can happen to it, and what its room then does.
 * `sessionTable.ts` decides each cell. Here is nothing of sockets, timers or Yjs documents.
 *
 * | state       | what it brings is                                      | it ends when                                      |
 * |-------------|--------------------------------------------------------|---------------------------------------------------|
 * | `watching`  | ignored: it may only read (SYNC-4)                     | the session ends                                  |
 * | `syncing`   | held for a moment, then applied                        | it asks for the document (its SyncStep1)          |
 * | `arriving`  | held                                                   | it answered our first SyncStep1: that is all it had |
 * | `present`   | applied                                                | it edits without having seen what is no longer recent |
 * | `away`      | held                                                   | its page has proved to have what it was sent      |
 * | `barred`    | held behind somebody else's lock, and shown nothing new (LOCK-4) | the lock changes: then `away`            |
 * | `taking-in` | held, until what was held before stands in the log, or on disk behind a lock | that is done                |
 * | `leaving`   | the same, and the session has ended                    | that is done                                      |
 * | `closed`    | ignored                                                | never                                             |
 *
 * What was held is an offline merge: it is judged against what the session had, and taken in as one entry. A session that
 * arrives is answered (`due`) only when what it brought is in the log, because from then on its copy tells no more who knew
 * what. Then it is `away` until its page has proved to have our answer.
 */
export type SessionState = Watching | Syncing | Arriving | Present | Away | Barred | TakingIn | Leaving | Closed

/** What every open session carries. */
export interface Open {
  readonly shown: Shown
  /** Whether it has brought anything since our SyncStep1; the first thing it brings is its answer to that. */
  readonly hasAnswered: boolean
}

/** What every session that may write carries besides. */
export interface Writer extends Open {
  readonly page: PageFacts
}

interface Watching extends Open {
  readonly name: 'watching'
}

export interface Syncing extends Writer, HoldingEdits {
  readonly name: 'syncing'
  /** What it brings waits for its question. */
  readonly isPatient: boolean
  /** Those it had when it came, once it has told. */
  readonly deletes: ClockSet | null
}

export interface Arriving extends Writer, HoldingEdits {
  readonly name: 'arriving'
  /** What it had when it came. */
  readonly had: StateVector
  readonly deletes: ClockSet | null
  readonly due: Due
}

export interface Present extends Writer {
  readonly name: 'present'
  /** What it lacks, and is sent once what it brought is applied. */
  readonly due: Due | null
}

/** What it writes until its page has proved what it was sent is made with this knowledge. */
export interface Away extends Writer, HoldingEdits {
  readonly name: 'away'
  readonly knowledge: Knowledge
  /** Of the lock that barred it: it is sent nothing new before what it wrote behind that is taken in. */
  readonly silence: Silence | null
  readonly due: Due | null
  /** The question whose answer ends this. */
  readonly confirmation: number | null
}

export interface Barred extends Writer, HoldingEdits {
  readonly name: 'barred'
  readonly knowledge: Knowledge
  readonly silence: Silence
  readonly due: Due | null
}

export interface TakingIn extends Writer, HoldingEdits {
  readonly name: 'taking-in'
  readonly merge: HeldEdits
  readonly silence: Silence | null
  readonly due: Due | null
}

export interface Leaving {
  readonly name: 'leaving'
  readonly merge: HeldEdits
  /** What it brought while that was on its way. */
  readonly held: UpdatePile
}

interface Closed {
  readonly name: 'closed'
}

export interface HoldingEdits {
  readonly held: UpdatePile
  /** When it is taken in though the session did not answer, by the monotonic clock; null while nothing is waited for. */
  readonly untilMs: number | null
}

/** What is known of the page at the other end, in whatever state. */
export interface PageFacts {
  readonly joinedMs: number
  /**
   * Whether it has said by awareness which Yjs client it is, as stock clients do at once. Of one that does not, nobody can
   * tell later how far it had come.
   */
  readonly isAnnounced: boolean
  readonly seen: SeenVersions
  /** By Yjs client id that it uses: how far that client had come in another session. */
  readonly earlier: ReadonlyMap<number, Departure>
  /** Yjs clients that left before it came, and whose edits it has brought. */
  readonly handedOn: ReadonlySet<number>
  /** Our SyncStep1s that it has not answered, oldest first, by the number of the question; null: the very first. */
  readonly asked: readonly (number | null)[]
  /** The question that it answers by the list of everybody it knows of. */
  readonly listed: number | null
}

/** A session that waits for a lock is sent no entries after this version (LOCK-4). */
export interface Silence {
  readonly after: Version
  /** Of the document at that version. */
  readonly stateVector: StateVector
}

/** What a session lacks: it asked with this state vector, or was kept in silence since that one. */
export interface Due {
  readonly after: 'question' | 'silence'
  readonly stateVector: StateVector
}

/** What was held of a session, the oldest first, and what it knew when it made that. */
export interface HeldEdits {
  readonly updates: readonly Uint8Array[]
  readonly knowledge: Knowledge
}

/** How what was held came to be part of the document: joined, and what its author has now that it brought that. */
export interface Joined {
  readonly update: Uint8Array
  readonly knowledge: Knowledge
}

export type SessionEvent =
  /** What the client sends. */
  | { readonly type: 'asks'; readonly stateVector: StateVector }
  | { readonly type: 'brings'; readonly brought: Brought }
  | { readonly type: 'announces' }
  | { readonly type: 'queries' }
  /** It lists everybody it knows of, which nothing but a question makes it do. */
  | { readonly type: 'lists' }
  /** It uses a Yjs client id, which had come this far in another session; `isSaid`: it says so of itself. */
  | { readonly type: 'uses'; readonly client: number; readonly earlier: Departure | null; readonly isSaid: boolean }
  /** The connection is gone, or is being closed. */
  /** `brokeOff`: nobody closed its connection, the line ended. */
  | { readonly type: 'ends'; readonly brokeOff: boolean }
  /** What happens to the document: entries, oldest first. `own`: those of them that the session wrote. */
  | { readonly type: 'committed'; readonly versions: readonly Version[]; readonly own: ReadonlySet<Version> }
  | { readonly type: 'lock-changed' }
  /** What comes of our own doing: all of an answer was given to the line; what it brought is applied, so it is answered now. */
  | { readonly type: 'answer-sent' }
  | { readonly type: 'answer-due' }
  /** An update of it builds on what the document lacks, and was not applied. */
  | { readonly type: 'gap'; readonly update: Uint8Array }
  /** What it brought while earlier edits went in. */
  | { readonly type: 'goes-on'; readonly brought: Brought }
  /** What was held was looked at, at a version: null where nothing was. `counts`: it brings something, or a conflict. */
  | {
      readonly type: 'judged'
      readonly at: Version
      readonly joined: Joined | null
      readonly counts: boolean
      readonly merge: LiveMerge | null
    }
  /** What was held is on disk, behind a lock. */
  | { readonly type: 'kept'; readonly joined: Joined }
  /** What was held could not be taken in. */
  | { readonly type: 'failed'; readonly code: ProblemCode; readonly reason: string }
  /** Time: proof is wanted of what was sent; a sign of life is wanted; it has been waited for long enough. */
  | { readonly type: 'proof-wanted' }
  | { readonly type: 'probed' }
  | { readonly type: 'waited' }

export type SessionAction =
  /** Encode what the state vector lacks, and send it once what it shows is on disk; then `answer-sent`. */
  | { readonly do: 'answer'; readonly stateVector: StateVector }
  /** The same of what it missed while it was silent, in which nothing tells it that it is in sync. */
  | { readonly do: 'catch-up'; readonly stateVector: StateVector }
  /** Go on with `answer-due`, once what comes before is done. */
  | { readonly do: 'turn-to-answer' }
  /** Show these of the committed entries, behind an answer that is on its way. */
  | { readonly do: 'show'; readonly versions: readonly Version[] }
  | { readonly do: 'ask-for-all' }
  | { readonly do: 'ask-who-is-there' }
  /** Have the page asked for proof, soon but not too often. */
  | { readonly do: 'want-proof' }
  | { readonly do: 'announce' }
  | { readonly do: 'list-awareness' }
  /** `knowledge`: of its author; where it cannot go in and the session is gone, it waits on disk with that. */
  | {
      readonly do: 'apply'
      readonly update: Uint8Array
      readonly message: Brought['message']
      readonly merge: LiveMerge | null
      readonly knowledge: Knowledge
    }
  /** Begin an act: join, admit and judge; then `judged` or `failed`. */
  | { readonly do: 'judge'; readonly edits: HeldEdits }
  /** Begin an act: put on disk what a lock bars; then `kept` or `failed`. */
  | { readonly do: 'keep'; readonly edits: HeldEdits }
  /** The same, of a session that is gone: nobody waits for the end. */
  | { readonly do: 'leave-behind'; readonly edits: HeldEdits }
  /** Go on with each by `goes-on`, once what comes before is done. */
  | { readonly do: 'go-on'; readonly updates: readonly Uint8Array[] }
  /** Say in the log that what a session left that is gone cannot go in, because nobody is there to hear it. */
  | { readonly do: 'give-up'; readonly code: ProblemCode; readonly reason: string }
  /** Remember how far its Yjs clients have come; null: that is not known any more. */
  | { readonly do: 'remember'; readonly departure: Departure | null }
  | { readonly do: 'close'; readonly code: ProblemCode; readonly reason: string }

/** The room at one moment, as a session finds it. Nothing can be changed by it. */
export interface Surroundings {
  readonly nowMs: number
  /** The version applied. */
  readonly version: Version
  readonly limits: Pick<SyncLimits, 'windowMs' | 'confirmMs' | 'heldBytes' | 'waitingBytes'>
  readonly isEmpty: boolean
  /** Whether a lock of somebody else bars what the session writes (LOCK-4). */
  readonly isBarred: boolean
  /** What a session that is silent from now on is not sent. */
  silence(): Silence
  /** Bytes that wait for the lock, of all others. */
  waitingBytes(): number
  /** The next clock expected of a Yjs client. */
  stateOf(client: number): number
  knowsAll(clocks: StateVector, deletes: ClockSet): boolean
  bringsSomething(update: Uint8Array): boolean
  /** Whether an update has structs that neither the document nor these have. */
  addsTo(held: readonly Uint8Array[], brought: Brought): boolean
  /** Whether an open session uses the Yjs client id. */
  isUsed(client: number): boolean
  /** How far the Yjs client had come in a session that has ended. */
  departureOf(client: number): Departure | null
  /** Whether a page that lists everybody it knows of would answer shorter than one that tells all deletes. */
  isListShorter(): boolean
}

export interface SessionStep {
  readonly state: SessionState
  readonly actions: readonly SessionAction[]
}

/** A session that opens, with our SyncStep1 on its way to it. */
export function openSession(access: 'read' | 'write', nowMs: number): SessionState {
  const open: Open = { shown: SHOWN_NOTHING, hasAnswered: false }
  if (access === 'read') return { name: 'watching', ...open }
  const page: PageFacts = {
    joinedMs: nowMs,
    isAnnounced: false,
    seen: SeenVersions.upTo(NO_VERSION),
    earlier: new Map(),
    handedOn: new Set(),
    asked: [null],
    listed: null,
  }
  return { name: 'syncing', ...open, page, held: UpdatePile.EMPTY, untilMs: null, isPatient: true, deletes: null }
}
