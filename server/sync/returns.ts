import * as Y from 'yjs'
import type { ClockSet } from '../model/clockSet.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import { joinInSteps } from '../documents/joinUpdates.ts'
import { bringsSomething, deletesOf, knowsAll } from '../documents/knowledge.ts'
import type { LiveMerge } from '../documents/replica.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId, Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Departures } from './departures.ts'
import type { SyncLimits } from './limits.ts'
import type { Member } from './member.ts'
import type { Presence, HeldReturn, Silence } from './presence.ts'
import { QUERY_AWARENESS_MESSAGE, type ServerMessage, type StateVector } from './protocol.ts'
import { Questions } from './questions.ts'
import { readUpdate, type Struct } from '../documents/admission/updateReader.ts'

/** Judges what becomes of edits that were made without knowledge of others' (CONF-6). */
export interface RoomJudge<R> {
  /** What judges the merge when it is applied; null where the client knew everything that counts. */
  prepare(replica: R, returned: ReturnedEdits): Promise<LiveMerge | null>
}

/** What a client brings that did not know everything the document holds. */
export interface ReturnedEdits {
  readonly author: PrincipalId
  readonly knowledge: Knowledge
  /** Everything it brings, as one update. */
  readonly update: Uint8Array
}

/** An update to be applied, the message it came in, and what judges it. */
export interface HeldChange {
  readonly update: Uint8Array
  readonly message: 'sync-step-2' | 'update'
  readonly merge: LiveMerge | null
}

/** What the returns of a room need of it. */
export interface ReturnsOptions {
  readonly document: DocumentId
  readonly doc: Y.Doc
  readonly departures: Departures
  readonly limits: SyncLimits
  readonly environment: Environment
  /** Works out the judgement of a return. */
  prepare(returned: ReturnedEdits): Promise<LiveMerge | null>
  /** What of an update of the session may be applied; null where it is refused, and the session closed. */
  admitted(member: Member, update: Uint8Array): Uint8Array | null
  /** Sends the session what it lacks, once that is on disk. */
  answer(member: Member, stateVector: StateVector): void
  /** Applies an update of the session now. */
  apply(member: Member, change: HeldChange): void
  /** Sends what the session lacks since a state vector, once it is on disk. */
  catchUp(member: Member, stateVector: StateVector): void
  appliedVersion(): Version
  /** Whether an open session uses the Yjs client id. */
  isUsed(client: number): boolean
  /** The open sessions of the room. */
  members(): Iterable<Member>
  /** About how long a list of everybody would be that the session sends; null where it could not be told to be one. */
  listBytes(member: Member): number | null
  /** Whether a lock of somebody else bars what the session writes (LOCK-4). */
  mustWait(member: Member): boolean
  /** Keeps what a session left that ended while a lock barred it, or brought while one did; resolves once it is on disk. */
  leaveBehind(member: Member, left: HeldReturn): Promise<void>
  /** Bytes that such sessions left, all together. */
  leftBytes(): number
  fail(member: Member, error: unknown): void
  /** Nothing is being taken in any more. */
  onIdle(): void
}

/**
 * Decides for every update whether its author knew what the document holds (CONF-6, CONF-7). Who did writes at
 * once and pays one comparison. Who did not is returning: its updates are held until it has everything, judged
 * against what it had, and taken in as one entry, in one act with the conflict they may cause. A client that was
 * never acknowledged sends its edits again after a crash, so none goes in unjudged.
 *
 * For locks (LOCK-4): while `mustWait` says so, a session that edits is away from its first such update on: it is
 * sent no entries and its updates are held. After `release` it is asked for all it has, judged as any return,
 * and only then sent what it missed. What a session that ended meanwhile left goes to `leaveBehind`.
 * What returns while a lock bars it waits likewise.
 */
export class Returns {
  readonly #options: ReturnsOptions
  readonly #timers = new Map<Member, Timer>()
  readonly #jobs = new Set<Promise<void>>()
  readonly #questions: Questions
  #lastQuestion: { readonly version: Version; readonly message: ServerMessage } | null = null
  /** Of the newest answer to a SyncStep1 that brought nothing but the deletes. */
  #answerBytes = 0

  constructor(options: ReturnsOptions) {
    this.#options = options
    const { environment, limits } = options
    this.#questions = new Questions(
      environment,
      limits.windowMs,
      () => options.members(),
      (member) => this.#wantProof(member),
    )
  }

  /** Whether something is being taken in. */
  get isBusy(): boolean {
    return this.#jobs.size > 0
  }

  /** Resolves once what is being taken in now is applied. */
  async settled(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs)
  }

  /**
   * The session asks for the document. It is answered once what it brings is in the log, judged: who has our answer has
   * merged it, and comes back with the two as one whatever becomes of its line or of this process.
   */
  asks(member: Member, clocks: StateVector): void {
    const { presence } = member
    if (!presence || (presence.state !== 'unasked' && !presence.due)) return this.#options.answer(member, clocks)
    if (presence.due) {
      presence.due = clocks
      return
    }
    presence.asks(clocks)
    this.#forget(member)
    if (this.#options.doc.store.clients.size === 0) return this.#settle(member, presence, null)
    // Who has nothing brings nothing.
    if (presence.hasTold || (clocks.size === 0 && presence.heldBytes === 0)) return this.#finish(member, presence)
    this.#expectAnswer(member, presence)
  }

  /** All of our answer to it is on its way: what it knew until then ends with the answer to a question behind it. */
  answered(member: Member): void {
    const { presence } = member
    if (presence?.state === 'away' && !presence.silence && presence.confirmation === null) this.#ask(member, presence)
  }

  /** The session brings an update, or answers a SyncStep1 of ours. */
  brings(member: Member, update: Uint8Array, message: 'sync-step-2' | 'update'): void {
    const { presence } = member
    const asked = message === 'sync-step-2' ? presence?.answers() : null
    if (!presence) return
    if (asked && asked.question === null) {
      if (presence.clocks !== null) return this.#arrives(member, presence, update)
      readUpdate(update)
      presence.tells(deletesOf(update))
    }
    // By then the client has merged what we sent, so its state tells no more what it did alone: that came before.
    if (asked && asked.question !== null) return this.#confirms(member, presence, update, asked.question)
    if (!asked || this.#isNew(update)) this.#take(member, presence, update, message)
  }

  /** The page of the session lists everybody it knows of, which nothing but a question makes it do. */
  lists(member: Member): void {
    const { presence } = member
    const question = presence?.listed ?? null
    if (!presence || question === null) return
    this.#proves(member, presence, question)
  }

  /** The page of the session answered a question: it has everything that was sent before it. */
  #proves(member: Member, presence: Presence, question: number): void {
    presence.sight.answered(question)
    presence.listed = null
    if (presence.confirmation === question) this.#finish(member, presence)
    else if (presence.sight.hasUnasked) this.#questions.soon()
  }

  /** An entry goes out to a session. */
  sent({ presence }: Member, version: Version): void {
    if (!presence) return
    presence.sight.sent(version, presence.writing.delete(version), this.#nowMs())
    if (presence.sight.hasUnasked) this.#questions.soon()
  }

  /** The session uses a Yjs client id, which `user` used until now. */
  uses({ presence }: Member, client: number, user: Member | null): void {
    if (!presence?.isAnnounced || presence.earlier.has(client)) return
    const before = user?.presence?.inSync(this.#nowMs()) ?? null
    const earlier = before ?? this.#options.departures.find(this.#options.document, client)
    if (earlier && user?.presence !== presence) presence.earlier.set(client, earlier)
  }

  /** The session has ended, which used these ids; what it brought is taken in all the same. */
  left(member: Member, clients: Iterable<number>): void {
    const { presence } = member
    if (!presence) return
    const { departures, document } = this.#options
    presence.isGone = true
    const earlier = presence.isAnnounced ? presence.inSync(this.#nowMs()) : null
    for (const client of clients) {
      if (earlier) departures.remember(document, client, earlier)
      else departures.forget(document, client)
    }
    this.#conclude(member, presence)
  }

  /** What is held of a session that has ended is taken in without it, or waits without it. */
  #conclude(member: Member, presence: Presence): void {
    if (presence.heldBytes === 0 || presence.state === 'taking-in') return this.#forget(member)
    if (!presence.isBarred) return this.#finish(member, presence)
    const left = presence.arrive()
    presence.settle()
    if (left) void this.#options.leaveBehind(member, left)
  }

  /** The lock has changed: those who waited return, unless it bars them still. */
  release(): void {
    for (const member of this.#options.members()) {
      const { presence } = member
      if (!presence?.silence || presence.silence.isOver || this.#options.mustWait(member)) continue
      presence.silence.isOver = true
      this.#ask(member, presence)
      this.#expectAnswer(member, presence)
    }
  }

  /** Asks a session that is there to answer. */
  probe(member: Member): void {
    if (member.presence) this.#askForAll(member, member.presence)
  }

  /** The room is closed. */
  stop(): void {
    this.#questions.stop()
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  /** What the session had is complete now. */
  #arrives(member: Member, presence: Presence, update: Uint8Array): void {
    const { sections } = readUpdate(update)
    const writers = [...sections].filter(([client, { structs }]) => endOf(structs) > this.#stateOf(client))
    if (presence.isAnnounced) for (const [client] of writers) this.uses(member, client, null)
    const clients = writers.length > 0 ? writers.map(([client]) => client) : [...presence.earlier.keys()]
    const deletes = deletesOf(update)
    if (this.#isBehind(presence, deletes) && !presence.isShortBreak(clients, this.#options.limits.windowMs)) {
      presence.tells(deletes)
      if (writers.length > 0 || deletes.size > 0) presence.hold(update, clocksOf(update))
      return this.#finish(member, presence)
    }
    this.#settle(member, presence, bringsSomething(this.#options.doc, update) ? update : null)
  }

  /** The session lacks nothing that counts: what it brings is applied as it is. */
  #settle(member: Member, presence: Presence, update: Uint8Array | null): void {
    const { seenUpTo } = presence
    presence.sight.begins(seenUpTo ?? this.#options.appliedVersion())
    const held = presence.settle()
    this.#forget(member)
    if (update) this.#write(member, presence, update, 'sync-step-2')
    for (const one of held) this.#write(member, presence, one, 'update')
    this.#answer(member, presence, seenUpTo)
  }

  /** `seen`: it had everything up to here, and has to prove the rest. */
  #answer(member: Member, presence: Presence, seen: Version | null): void {
    const due = presence.isAnswered(this.#options.appliedVersion(), seen, this.#nowMs())
    if (due) this.#options.answer(member, due)
    if (presence.sight.hasUnasked) this.#questions.soon()
  }

  #isBehind({ clocks, seenUpTo }: Presence, deletes: ClockSet): boolean {
    if (seenUpTo !== null && seenUpTo < this.#options.appliedVersion()) return true
    return !knowsAll(this.#options.doc, clocks ?? new Map(), deletes)
  }

  #stateOf(client: number): number {
    return Y.getState(this.#options.doc.store, client)
  }

  #confirms(member: Member, presence: Presence, update: Uint8Array, question: number): void {
    const isBare = hasNoStructs(update)
    if (isBare) this.#answerBytes = update.length
    if (!isBare || update.length <= READ_BYTES) {
      const isMore = [...readUpdate(update).sections].some(([client, { structs }]) => {
        return endOf(structs) > Math.max(presence.heldClocks.get(client) ?? 0, this.#stateOf(client))
      })
      if (isMore) this.#take(member, presence, update, 'sync-step-2')
    }
    this.#proves(member, presence, question)
  }

  #isNew(update: Uint8Array): boolean {
    readUpdate(update)
    return bringsSomething(this.#options.doc, update)
  }

  #take(member: Member, presence: Presence, update: Uint8Array, message: HeldChange['message']): void {
    if (presence.isHeld) return this.#hold(member, presence, update)
    const stored = presence.state === 'present' ? this.#storedIn(presence, update) : null
    if (stored !== null) return this.#away(member, presence, update, { by: 'stored', seen: stored })
    const { sight } = presence
    const since = sight.unseenSinceMs
    if (since === null || this.#nowMs() - since < this.#options.limits.windowMs || presence.state === 'unasked') {
      return this.#write(member, presence, update, message)
    }
    this.#away(member, presence, update, sight.knowledge())
  }

  #away(member: Member, presence: Presence, update: Uint8Array, knowledge: Knowledge): void {
    presence.leave(null, knowledge)
    this.#hold(member, presence, update)
    this.#ask(member, presence)
  }

  /** What was sent to the page whose stored edits it brings; null where it brings none, or that was everything. */
  #storedIn(presence: Presence, update: Uint8Array): Version | null {
    const { departures, document, limits } = this.#options
    const writers = [...readUpdate(update).sections]
      .filter(([client, { structs }]) => !this.#options.isUsed(client) && endOf(structs) > this.#stateOf(client))
      .map(([client]) => client)
    const sent = presence.handsOn(writers, limits.windowMs, (client) => departures.find(document, client))
    return sent !== null && sent < this.#options.appliedVersion() ? sent : null
  }

  /** Applies what needs no judgement, unless a lock bars it. */
  #write(member: Member, presence: Presence, update: Uint8Array, message: HeldChange['message']): void {
    if (presence.state === 'away') return this.#hold(member, presence, update)
    if (!this.#options.mustWait(member)) return this.#options.apply(member, { update, message, merge: null })
    presence.leave(this.#silence(), presence.sight.knowledge())
    this.#hold(member, presence, update)
  }

  /** What is held, or `returned`, has to wait for a lock. */
  #wait(member: Member, presence: Presence, returned: HeldReturn | null): void {
    presence.wait(this.#silence(), returned)
    if (presence.isGone) this.#conclude(member, presence)
  }

  #silence(): Silence {
    const stateVector = Y.encodeStateVector(this.#options.doc)
    return { after: this.#options.appliedVersion(), stateVector, isOver: false }
  }

  #hold(member: Member, presence: Presence, update: Uint8Array): void {
    presence.hold(update, clocksOf(update))
    const { limits } = this.#options
    const isTooMuch = presence.heldBytes > limits.heldBytes
    if (presence.isBarred) {
      const isPastAll = this.#waitingBytes() > limits.waitingBytes
      if (isTooMuch || isPastAll) this.#refuse(member, presence, 'locked', 'too much waits for the lock')
    } else if (presence.state === 'taking-in') {
      if (isTooMuch) this.#refuse(member, presence, 'overloaded', 'too much came while earlier edits went in')
    } else if (isTooMuch) this.#finish(member, presence)
    else this.#expectAnswer(member, presence)
  }

  #refuse(member: Member, presence: Presence, code: 'locked' | 'overloaded', why: string): void {
    // What comes of one that has ended was taken from it before, and nobody could be told.
    if (presence.isGone) return
    presence.drop()
    this.#options.fail(member, new ParleyError(code, `${why}; your editor keeps it`))
  }

  /** Of all sessions of the document, those that are gone included. */
  #waitingBytes(): number {
    let bytes = this.#options.leftBytes()
    for (const { presence } of this.#options.members()) if (presence?.silence) bytes += presence.heldBytes
    return bytes
  }

  /** What is held is taken in after a while even if the session never answers, or never asks. */
  #expectAnswer(member: Member, presence: Presence): void {
    if (this.#timers.has(member)) return
    const { environment, limits } = this.#options
    const waitMs = presence.state === 'unasked' ? limits.windowMs : limits.confirmMs
    this.#timers.set(
      member,
      environment.after(waitMs, () => this.#finish(member, presence)),
    )
  }

  /** Asks the session for all it has; its answer ends the arrival or absence. */
  #ask(member: Member, presence: Presence): void {
    presence.confirmation = this.#askForAll(member, presence)
  }

  #askForAll(member: Member, presence: Presence): number {
    const question = presence.sight.ask()
    presence.ask(question)
    member.send(this.#question())
    return question
  }

  /** The same message for all that are asked at one version, so that it is encoded once. */
  #question(): ServerMessage {
    const version = this.#options.appliedVersion()
    if (this.#lastQuestion?.version !== version) {
      const stateVector = Y.encodeStateVector(this.#options.doc)
      this.#lastQuestion = { version, message: { type: 'sync-step-1', stateVector } }
    }
    return this.#lastQuestion.message
  }

  /**
   * Asks the page for proof of what it was sent, by the question with the shorter answer: a SyncStep1 is answered by all
   * deletes of the document, QueryAwareness by the states of everybody the page knows of. The latter is told from what a
   * page says of its own only where that is more than itself.
   */
  #wantProof(member: Member): void {
    const { presence } = member
    if (!presence) return
    const listBytes = presence.listed === null ? this.#options.listBytes(member) : null
    if (listBytes === null || listBytes >= this.#answerBytes) {
      this.#askForAll(member, presence)
      return
    }
    presence.listed = presence.sight.ask()
    member.send(QUERY_AWARENESS_MESSAGE)
    // What it answers may be no list; then it is asked the other way.
    this.#questions.soon()
  }

  #finish(member: Member, presence: Presence): void {
    this.#forget(member)
    if (presence.state === 'unasked') return this.#loseBase(member, presence)
    const { doc } = this.#options
    const isBarred = this.#options.mustWait(member) && presence.held.some((update) => bringsSomething(doc, update))
    if (isBarred && !presence.due) return this.#wait(member, presence, null)
    const returned = presence.arrive()
    if (!returned) {
      if (presence.due) this.#answer(member, presence, null)
      return
    }
    const task = isBarred ? this.#toDisk(member, presence, returned) : this.#takeIn(member, presence, returned)
    const job = task
      .catch((error: unknown) => this.#options.fail(member, error))
      .finally(() => {
        this.#jobs.delete(job)
        if (!this.isBusy) this.#options.onIdle()
      })
    this.#jobs.add(job)
  }

  /** Of a session that does not ask for the document nobody knows what it had: what it writes is merged as it comes. */
  #loseBase(member: Member, presence: Presence): void {
    for (const one of presence.losesPatience()) this.#write(member, presence, one, 'update')
    if (presence.isGone) this.#conclude(member, presence)
  }

  async #takeIn(member: Member, presence: Presence, returned: HeldReturn): Promise<void> {
    const { silence } = presence
    const { updates, knowledge } = returned
    const brought = updates.length > 0 ? await joinInSteps(updates) : null
    if (brought) {
      const update = this.#options.admitted(member, brought)
      if (!update) return
      const merge = await this.#options.prepare({ author: member.principal, knowledge, update })
      // Who says only what it has changes nothing, and waits for nobody.
      if (merge !== null || bringsSomething(this.#options.doc, update)) {
        // The next lock was faster.
        if (this.#options.mustWait(member)) {
          if (presence.due) return this.#toDisk(member, presence, { updates: [brought], knowledge })
          return this.#wait(member, presence, returned)
        }
        this.#options.apply(member, { update: brought, message: 'sync-step-2', merge })
      }
    }
    this.#goOn(member, presence, brought, silence, false)
  }

  /** A lock bars what a session brought when it came: only on disk it outlives our answer. */
  async #toDisk(member: Member, presence: Presence, { updates, knowledge }: HeldReturn): Promise<void> {
    const update = await joinInSteps(updates)
    if (!this.#options.admitted(member, update)) return
    await this.#options.leaveBehind(member, { updates: [update], knowledge })
    this.#goOn(member, presence, update, null, this.#options.mustWait(member))
  }

  /** `brought` stands in the log, or on disk because a lock bars it still. */
  #goOn(
    member: Member,
    presence: Presence,
    brought: Uint8Array | null,
    silence: Silence | null,
    isBarred: boolean,
  ): void {
    const queued = presence.takenIn(brought)
    if (presence.due) {
      if (isBarred) presence.wait(this.#silence(), null)
      this.#answer(member, presence, null)
    } else if (silence) this.#options.catchUp(member, Y.decodeStateVector(silence.stateVector))
    for (const one of queued) this.#take(member, presence, one, 'update')
    if (presence.isGone) this.#conclude(member, presence)
  }

  #forget(member: Member): void {
    this.#timers.get(member)?.cancel()
    this.#timers.delete(member)
  }

  #nowMs(): number {
    return this.#options.environment.monotonicMs()
  }
}

/** A longer list of deletes is not read when it answers a question: once a second, that would cost more than it tells. */
const READ_BYTES = 1_024

/** By its first byte, the number of clients that have some. What it deletes came before, in order, as an update. */
const hasNoStructs = (update: Uint8Array): boolean => update[0] === 0

/** The next clock of each client that writes in an update. Throws where the bytes are no update. */
const clocksOf = (update: Uint8Array): [client: number, clock: number][] =>
  [...readUpdate(update).sections].map(([client, { structs }]) => [client, endOf(structs)])

/** The next clock after the structs of one client. */
function endOf(structs: readonly Struct[]): number {
  const last = structs.at(-1)
  return last ? last.id.clock + last.length : 0
}
