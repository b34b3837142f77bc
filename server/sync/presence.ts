import type { ClockSet } from '../model/clockSet.ts'
import { UpdatePile } from '../documents/joinUpdates.ts'
import { withOwn } from '../documents/knowledge.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import { assertNever } from '../foundation/assert.ts'
import { NO_VERSION, type Version } from '../foundation/ids.ts'
import type { Earlier } from './departures.ts'
import type { StateVector } from './protocol.ts'
import { Sight } from './sight.ts'

/**
 * Where a session that may write stands between what it has and what the document holds.
 *
 * | state       | its updates are                         | ends when                                             |
 * |-------------|-----------------------------------------|-------------------------------------------------------|
 * | `unasked`   | held for a moment, then applied         | it asks for the document (its SyncStep1)               |
 * | `arriving`  | held                                    | it answered our first SyncStep1: that is all it had    |
 * | `present`   | applied                                 | it edits without having seen what is no longer recent  |
 * | `away`      | held                                    | it answered our SyncStep1 (after the lock, if one bars)|
 * | `taking-in` | held, for when what was held is applied | that is applied                                        |
 *
 * What was held is a return: it is judged against what the session had, and taken in as one entry. A session that arrives
 * is answered (`due`) only when what it brought is in the log, because from then on its copy tells no more who knew what.
 * Then it is `away` until its page has proved to have our answer.
 */
type PresenceState =
  /** `isPatient`: what it brings waits for its question. `deletes` comes with its answer to our first SyncStep1. */
  | { readonly name: 'unasked'; readonly isPatient: boolean; deletes: ClockSet | null }
  | { readonly name: 'arriving'; readonly clocks: StateVector; deletes: ClockSet | null }
  | { readonly name: 'present' }
  | { readonly name: 'away'; readonly knowledge: Knowledge; readonly silence: Silence | null }
  | { readonly name: 'taking-in'; readonly knowledge: Knowledge; readonly silence: Silence | null }

/** A session that waits for a lock is sent no entries after this version (LOCK-4). */
export interface Silence {
  readonly after: Version
  /** The state vector of the document at that version. */
  readonly stateVector: Uint8Array
  isOver: boolean
}

/** What was held of a session, and what it knew when it made that. */
export interface HeldReturn {
  readonly updates: readonly Uint8Array[]
  readonly knowledge: Knowledge
}

/** What a session is asked by our SyncStep1: what it has, when it came; or, later, for proof of what it has seen. */
type AskedOf = { readonly question: number | null }

/** One session that may write, between what it has and what there is. No I/O; the room acts. */
export class Presence {
  readonly joinedMs: number
  /** The session has ended; what is held of it is taken in without it. */
  isGone = false
  readonly sight = new Sight(NO_VERSION)
  /** What it asked for and was not answered yet. */
  due: StateVector | null = null
  /** The question whose answer ends an arrival or an absence. */
  confirmation: number | null = null
  /** The question that its page answers by the list of everybody it knows of. */
  listed: number | null = null
  /** By Yjs client id that the session uses: how far that client had come in another session. */
  readonly earlier = new Map<number, Earlier>()
  /**
   * Whether the session has said by awareness which Yjs client it is, as stock clients do at once. Of one that does
   * not, nobody can tell later how far it had come.
   */
  isAnnounced = false
  /** Versions that the session wrote and that are not shown yet. */
  readonly writing = new Set<Version>()
  #state: PresenceState = { name: 'unasked', isPatient: true, deletes: null }
  #asked: AskedOf[] = [{ question: null }]
  #held = UpdatePile.EMPTY
  readonly #heldClocks = new Map<number, number>()
  /** Yjs clients whose edits it has brought that no session used. */
  readonly #handedOn = new Set<number>()

  constructor(nowMs: number) {
    this.joinedMs = nowMs
  }

  get state(): PresenceState['name'] {
    return this.#state.name
  }
  get held(): readonly Uint8Array[] {
    return this.#held.updates
  }
  get heldBytes(): number {
    return this.#held.bytes
  }
  get silence(): Silence | null {
    return 'silence' in this.#state ? this.#state.silence : null
  }
  /** Whether a lock bars what is held. */
  get isBarred(): boolean {
    return this.silence !== null && !this.silence.isOver
  }
  /**
   * How far its page has come for certain, if it is in sync: what it was sent last may never have reached it, on a line
   * that was dead before anybody noticed.
   */
  inSync(nowMs: number): Earlier | null {
    if (this.state !== 'present') return null
    return { sinceMs: this.sight.unseenSinceMs ?? nowMs, seen: this.sight.seenUpTo }
  }
  /**
   * Whether its page is to be asked what it has seen. One question is on its way at a time, for a page that hangs is not
   * to find a heap of them; a second one where the first may have got an answer that tells nothing.
   */
  get needsProof(): boolean {
    const { unseenSinceMs, isAsked } = this.sight
    return unseenSinceMs !== null && (!isAsked || this.listed !== null)
  }
  /** Whether what it brings waits. */
  get isHeld(): boolean {
    const state = this.#state
    return state.name === 'unasked' ? state.isPatient : state.name !== 'present'
  }
  /** Whether it has told which deletes it had when it came. */
  get hasTold(): boolean {
    return 'deletes' in this.#state && this.#state.deletes !== null
  }
  get clocks(): StateVector | null {
    return this.#state.name === 'arriving' ? this.#state.clocks : null
  }

  /** It asks for the document for the first time. */
  asks(clocks: StateVector): void {
    if (this.#state.name !== 'unasked') return
    this.#state = { name: 'arriving', clocks, deletes: this.#state.deletes }
    this.due = clocks
  }

  /** It did not ask for the document in time: what was held of it is applied as it is. */
  losesPatience(): readonly Uint8Array[] {
    if (this.#state.name === 'unasked') this.#state = { ...this.#state, isPatient: false }
    return this.#release()
  }

  /** It is being sent all it lacks, up to `version`. `seen`: it had everything up to here, and needs to prove the rest. */
  isAnswered(version: Version, seen: Version | null, nowMs: number): StateVector | null {
    const { due } = this
    this.due = null
    this.sight.begins(seen ?? version)
    if (seen !== null && seen < version) this.sight.sent(version, false, nowMs)
    for (const own of this.writing) if (own <= version) this.writing.delete(own)
    return due
  }

  /** Our SyncStep1 goes out once more; its answer answers the question of this number. */
  ask(question: number): void {
    this.#asked.push({ question })
  }

  /** Its next SyncStep2 is here. Null where it answers nothing. */
  answers(): AskedOf | null {
    return this.#asked.shift() ?? null
  }

  /** The deletes it had when it came. */
  tells(deletes: ClockSet): void {
    if ('deletes' in this.#state) this.#state.deletes ??= deletes
  }

  /**
   * CONF-7: a break shorter than the window is no absence. It began when the first went out that the Yjs clients of the
   * session may have missed in another one.
   */
  isShortBreak(clients: readonly number[], windowMs: number): boolean {
    const isRecent = (one: Earlier | undefined): boolean => one !== undefined && this.joinedMs - one.sinceMs < windowMs
    return clients.length > 0 && clients.every((client) => isRecent(this.earlier.get(client)))
  }

  /** From now on its updates are held, as made with this knowledge. */
  leave(silence: Silence | null, knowledge: Knowledge): void {
    this.#state = { name: 'away', knowledge, silence }
  }

  /**
   * It brings edits of Yjs clients that no session uses. Where these had left a window before it came, they are edits
   * that the browser has stored, made without what came after: answers the newest version that all of them had, null for
   * none. Of a client that left later it can be the peer, which has told it all along. Each client counts once.
   */
  handsOn(clients: readonly number[], windowMs: number, find: (client: number) => Earlier | null): Version | null {
    let oldest: Version | null = null
    for (const client of clients) {
      const earlier = this.#handedOn.has(client) ? null : find(client)
      this.#handedOn.add(client)
      if (earlier && this.joinedMs - earlier.sinceMs >= windowMs && (oldest === null || earlier.seen < oldest))
        oldest = earlier.seen
    }
    return oldest
  }

  /**
   * A lock bars what is held (LOCK-4), or was about to be taken in: it waits, as a return with the knowledge that the
   * session had. A silence that began before goes on.
   */
  wait(silence: Silence, returned: HeldReturn | null): void {
    const knowledge = returned?.knowledge ?? knowledgeIn(this.#state, this.seenUpTo)
    if (knowledge === null) return
    this.#state = { name: 'away', knowledge, silence: this.silence ? { ...this.silence, isOver: false } : silence }
    this.confirmation = null
    if (!returned) return
    for (const update of returned.updates) this.#held = this.#held.with(update)
  }

  /** Forgets what is held: the session is about to be closed, and its client keeps its edits. */
  drop(): void {
    this.#release()
  }

  /** The next clocks of the clients that write in what is held. */
  get heldClocks(): StateVector {
    return this.#heldClocks
  }

  /** `clocks`: the next clock of each client that writes in it. */
  hold(update: Uint8Array, clocks: Iterable<readonly [client: number, clock: number]>): void {
    this.#held = this.#held.with(update)
    for (const [client, clock] of clocks) {
      this.#heldClocks.set(client, Math.max(clock, this.#heldClocks.get(client) ?? 0))
    }
  }

  /** The newest version up to which it had everything in other sessions; null where that is not known. */
  get seenUpTo(): Version | null {
    let newest: Version | null = null
    for (const { seen } of this.earlier.values()) if (newest === null || seen > newest) newest = seen
    return newest
  }

  /** Ends an arrival or absence. Answers what was held and what the session knew; null where nothing was held. */
  arrive(): HeldReturn | null {
    const updates = this.#release()
    const knowledge = knowledgeIn(this.#state, this.seenUpTo)
    const { silence } = this
    if (knowledge !== null && (updates.length > 0 || silence !== null)) {
      this.#state = { name: 'taking-in', knowledge, silence }
      return { updates, knowledge }
    }
    this.#state = knowledge !== null && this.due ? { name: 'away', knowledge, silence: null } : { name: 'present' }
    return null
  }

  /** It lacks nothing that counts. Answers what was held. */
  settle(): readonly Uint8Array[] {
    this.#state = { name: 'present' }
    return this.#release()
  }

  /**
   * What was held is applied. Answers what came meanwhile: of one that has no answer yet, that is made with the same
   * knowledge and what it brought.
   */
  takenIn(brought: Uint8Array | null): readonly Uint8Array[] {
    if (this.#state.name !== 'taking-in' || !this.due) return this.settle()
    const knowledge = brought ? withOwn(this.#state.knowledge, brought) : this.#state.knowledge
    this.#state = { name: 'away', knowledge, silence: null }
    return this.#release()
  }

  #release(): readonly Uint8Array[] {
    const { updates } = this.#held
    this.#held = UpdatePile.EMPTY
    this.#heldClocks.clear()
    this.confirmation = null
    return updates
  }
}

function knowledgeIn(state: PresenceState, seenUpTo: Version | null): Knowledge | null {
  switch (state.name) {
    case 'arriving':
      return { by: 'clocks', clocks: state.clocks, deletes: state.deletes ?? new Map(), seenUpTo }
    case 'away':
      return state.knowledge
    case 'unasked':
    case 'present':
    case 'taking-in':
      return null
    default:
      return assertNever(state)
  }
}
