import type { ClockSet } from '../model/clockSet.ts'
import { UpdatePile } from '../documents/joinUpdates.ts'
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
 * | `unasked`   | applied                                 | it asks for the document (its SyncStep1)               |
 * | `arriving`  | held                                    | it answered what was sent after our answer to it       |
 * | `present`   | applied                                 | it edits without having seen what is no longer recent  |
 * | `away`      | held                                    | it answered our SyncStep1 (after the lock, if one bars)|
 * | `taking-in` | held, for when what was held is applied | that is applied                                        |
 *
 * What was held is a return: it is judged against what the session had, and taken in as one entry.
 */
type State =
  | { readonly name: 'unasked' }
  /** `deletes` comes with its answer to our first SyncStep1. `answered`: all of our answer to it is on its way. */
  | { readonly name: 'arriving'; readonly clocks: StateVector; deletes: ClockSet | null; answered: boolean }
  | { readonly name: 'present' }
  | { readonly name: 'away'; readonly knowledge: Knowledge; readonly silence: Silence | null }
  | { readonly name: 'taking-in'; readonly silence: Silence | null }

/** A session that waits for a lock is sent no entries after this version (LOCK-4). */
export interface Silence {
  readonly after: Version
  /** The state vector of the document at that version. */
  readonly stateVector: Uint8Array
  isOver: boolean
}

/** What was held of a session, and what it knew when it made that. */
export interface Return {
  readonly updates: readonly Uint8Array[]
  readonly knowledge: Knowledge
}

/** What a session is asked by our SyncStep1: the first one, or one after it, which is a mark. */
type Asked = { readonly mark: number | null }

/** One session that may write, between what it has and what there is. No I/O; the room acts. */
export class Presence {
  readonly joinedMs: number
  lastHeardMs: number
  /** The session has ended; what is held of it is taken in without it. */
  isGone = false
  sight = new Sight(NO_VERSION)
  /** The mark whose answer ends an arrival or an absence. */
  confirmation: number | null = null
  /** By Yjs client id that the session uses: how far that client had come in another session. */
  readonly earlier = new Map<number, Earlier>()
  /**
   * Whether the session has said by awareness which Yjs client it is, as stock clients do at once. Of one that does
   * not, nobody can tell later how far it had come.
   */
  isAnnounced = false
  /** Versions that the session wrote and that are not shown yet. */
  readonly writing = new Set<Version>()
  #state: State = { name: 'unasked' }
  #asked: Asked[] = [{ mark: null }]
  readonly #held = new UpdatePile()
  readonly #heldClocks = new Map<number, number>()
  /** Yjs clients whose edits it has brought that no session used. */
  readonly #handedOn = new Set<number>()

  constructor(nowMs: number) {
    this.joinedMs = nowMs
    this.lastHeardMs = nowMs
  }

  get state(): State['name'] {
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
  /** How far it has come for certain: it may have a line that is dead and not known to be. */
  get inSync(): Earlier | null {
    return this.state === 'present' ? { atMs: this.lastHeardMs, sent: this.sight.sentUpTo } : null
  }
  /** Whether the session had nothing of the document when it came. */
  get cameEmpty(): boolean {
    return this.#state.name === 'arriving' && this.#state.clocks.size === 0
  }
  /** Whether a mark that ends its arrival may go out: it can only be told from what comes after our answer. */
  get canConfirm(): boolean {
    const state = this.#state
    return state.name === 'arriving' && state.answered && (state.deletes !== null || state.clocks.size === 0)
  }
  get clocks(): StateVector | null {
    return this.#state.name === 'arriving' ? this.#state.clocks : null
  }

  /** It asks for the document, which is at `version`. Asking again changes nothing. */
  asks(clocks: StateVector, version: Version): void {
    if (this.#state.name !== 'unasked') return
    this.#state = { name: 'arriving', clocks, deletes: null, answered: false }
    this.sight = new Sight(version)
  }

  /** All of our answer is on its way. */
  isAnswered(): void {
    if (this.#state.name === 'arriving') this.#state.answered = true
  }

  /** Our SyncStep1 goes out once more; its answer answers the mark. */
  ask(mark: number): void {
    this.#asked.push({ mark })
  }

  /** Its next SyncStep2 is here. Null where it answers nothing. */
  answers(): Asked | null {
    return this.#asked.shift() ?? null
  }

  /** The deletes it had when it came. */
  tells(deletes: ClockSet): void {
    if (this.#state.name === 'arriving') this.#state.deletes ??= deletes
  }

  /**
   * CONF-7: a break shorter than the window is no absence. It began when the Yjs clients that the session uses were last
   * in sync in another one.
   */
  isShortBreak(clients: readonly number[], windowMs: number): boolean {
    const isRecent = (one: Earlier | undefined): boolean => one !== undefined && this.joinedMs - one.atMs < windowMs
    return clients.length > 0 && clients.every((client) => isRecent(this.earlier.get(client)))
  }

  /** From now on its updates are held, as made with this knowledge. */
  leave(silence: Silence | null, knowledge: Knowledge): void {
    this.#state = { name: 'away', knowledge, silence }
  }

  /**
   * It brings edits of Yjs clients that no session uses. Where these had left a window before it came, they are edits
   * that the browser has stored, made without what came after: answers the newest version that was sent to all of them,
   * null for none. Of a client that left later it can be the peer, which has told it all along. Each client counts once.
   */
  handsOn(clients: readonly number[], windowMs: number, find: (client: number) => Earlier | null): Version | null {
    let oldest: Version | null = null
    for (const client of clients) {
      const earlier = this.#handedOn.has(client) ? null : find(client)
      this.#handedOn.add(client)
      if (earlier && this.joinedMs - earlier.atMs >= windowMs && (oldest === null || earlier.sent < oldest))
        oldest = earlier.sent
    }
    return oldest
  }

  /**
   * A lock bars what is held (LOCK-4), or was about to be taken in: it waits, as a return with the knowledge that the
   * session had. A silence that began before goes on.
   */
  wait(silence: Silence, returned: Return | null): void {
    const knowledge = returned?.knowledge ?? knowledgeIn(this.#state, this.sentUpTo)
    if (knowledge === null) return
    this.#state = { name: 'away', knowledge, silence: this.silence ? { ...this.silence, isOver: false } : silence }
    this.confirmation = null
    if (!returned) return
    for (const update of returned.updates) this.#held.add(update)
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
    this.#held.add(update)
    for (const [client, clock] of clocks) {
      this.#heldClocks.set(client, Math.max(clock, this.#heldClocks.get(client) ?? 0))
    }
  }

  /** The newest version that was sent to it in other sessions; null where that is not known. */
  get sentUpTo(): Version | null {
    let newest: Version | null = null
    for (const { sent } of this.earlier.values()) if (newest === null || sent > newest) newest = sent
    return newest
  }

  /** Ends an arrival or absence. Answers what was held and what the session knew; null where nothing was held. */
  arrive(): Return | null {
    const state = this.#state
    const updates = this.#release()
    const knowledge = knowledgeIn(state, this.sentUpTo)
    const silence = this.silence
    const isReturn = knowledge !== null && (updates.length > 0 || silence !== null)
    this.#state = isReturn ? { name: 'taking-in', silence } : { name: 'present' }
    return isReturn ? { updates, knowledge } : null
  }

  /** What was held is applied. Answers what came meanwhile. */
  takenIn(): readonly Uint8Array[] {
    this.#state = { name: 'present' }
    return this.#release()
  }

  #release(): readonly Uint8Array[] {
    const { updates } = this.#held
    this.#held.clear()
    this.#heldClocks.clear()
    this.confirmation = null
    return updates
  }
}

function knowledgeIn(state: State, sentUpTo: Version | null): Knowledge | null {
  switch (state.name) {
    case 'arriving':
      return { by: 'clocks', clocks: state.clocks, deletes: state.deletes ?? new Map(), sentUpTo }
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
