import * as Y from 'yjs'
import type { Head } from '../model/document.ts'
import type { Admitted, Offer } from '../documents/admission/admission.ts'
import { askingForTails } from '../documents/admission/sameHistory.ts'
import type { LeftEdits } from '../documents/waitingEdits.ts'
import type { Replica } from '../documents/replica.ts'
import { assertNever } from '../foundation/assert.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId, LockHash, PrincipalId, Version } from '../foundation/ids.ts'
import { ParleyError, problemKind, type ProblemCode } from '../foundation/problems.ts'
import { decide } from '../model/lock.ts'
import { Awareness, decodeAwareness, type AwarenessEntry, type AwarenessMember } from './awareness.ts'
import { Broadcast, showing, type Shown } from './broadcast.ts'
import { ClientIds } from './clientIds.ts'
import type { Departures } from './departures.ts'
import type { SyncLimits } from './limits.ts'
import { Owed } from './owed.ts'
import { Member, type Channel } from './member.ts'
import { EMPTY_AWARENESS, type ClientMessage, type ServerMessage, type StateVector } from './protocol.ts'
import type { Again, QueuedAnswer } from './outbox.ts'
import { Returns, type HeldChange, type RoomJudge } from './returns.ts'
import type { HeldReturn } from './presence.ts'
import type { SessionEvent } from './session.ts'
import { Remembered } from './remembered.ts'
import { answerMessages, awarenessMessages, updateMessages } from './messages.ts'

/** What a room needs of a replica. */
export type LiveReplica = Pick<
  Replica,
  | 'id'
  | 'head'
  | 'doc'
  | 'lock'
  | 'appliedVersion'
  | 'ended'
  | 'admit'
  | 'ownerOf'
  | 'formerClients'
  | 'applyLive'
  | 'whenCommitted'
  | 'onCommitted'
  | 'onEnded'
>

/** A hold on a replica. */
export interface LiveLease<R extends LiveReplica = LiveReplica> {
  readonly replica: R
  release(): void
}

export interface RoomOptions<R extends LiveReplica = LiveReplica> {
  /** Held until the room is empty. */
  readonly lease: LiveLease<R>
  readonly judge: RoomJudge<R>
  /** Of all rooms. */
  readonly departures: Departures
  readonly limits: SyncLimits
  readonly environment: Environment
  /** Keeps what sessions leave behind a lock (LOCK-4), also after the room has closed. */
  readonly keeper: EditsKeeper
  /** Called once, when the last session is gone or the replica has ended. */
  readonly onClosed: () => void
  /** Told of errors that are bugs; the session at fault ends with 1011. */
  readonly onUnexpected: (error: unknown) => void
}

/** Keeps edits of sessions that ended while somebody else's lock barred them, until they are taken in. */
export interface EditsKeeper {
  /** Resolves once they are on disk. */
  keep(head: Head, left: LeftEdits): Promise<void>
  /** How many bytes wait there for the document. */
  bytes(document: DocumentId): number
}

/** A session as its connection holds it. */
export interface Seat {
  /** Takes a message of the client. Never throws. */
  receive(message: ClientMessage): void
  /** The connection is gone, or is being closed by its owner. Idempotent. */
  leave(): void
}

/** For a page that is there to answer a question, before its Yjs client id passes on. */
const HOLDER_ANSWERS_MS = 2_000

type Brought = Extract<ClientMessage, { readonly update: Uint8Array }>

/**
 * The open sessions of one document. An update is guarded, applied, committed, and only then shown to all,
 * its sender included (SYNC-2).
 */
export class Room<R extends LiveReplica = LiveReplica> {
  readonly replica: R
  readonly #options: RoomOptions<R>
  readonly #returns: Returns
  readonly #members = new Set<Member>()
  readonly #awareness = new Awareness()
  readonly #clientIds = new ClientIds()
  readonly #owed = new Owed()
  /** Sessions that are asked whether they are there, because another one says it writes under their Yjs client id. */
  readonly #contested = new Set<Member>()
  readonly #broadcast = new Broadcast((shown) => this.#show(shown))
  readonly #stopListening: () => void
  /** The last answer to an empty state vector: what everybody gets who opens the document anew. */
  #fullAnswer: { readonly version: number; readonly messages: Iterable<ServerMessage> } | null = null
  #isClosed = false
  /** When awareness states are next looked through; null while there is none. */
  #outdating: Timer | null = null

  constructor(options: RoomOptions<R>) {
    this.#options = options
    this.replica = options.lease.replica
    const stops = [
      this.replica.onCommitted((entry) => this.#broadcast.add(entry)),
      this.replica.onEnded((problem) => this.#end(problem)),
      this.replica.lock.onSeen(() => this.#returns.release()),
    ]
    this.#stopListening = () => stops.forEach((stop) => stop())
    this.#returns = this.#openReturns()
  }

  #openReturns(): Returns {
    const { limits, environment, judge, departures, keeper } = this.#options
    return new Returns({
      document: this.replica.id,
      doc: this.replica.doc,
      departures,
      limits,
      environment,
      prepare: (returned) => judge.prepare(this.replica, returned),
      admitted: (member, update) => this.#admitted(member, update, 'sync-step-2')?.update ?? null,
      answer: (member, stateVector) =>
        this.#stepToAnswer(member, { type: 'asks', stateVector, version: this.replica.appliedVersion }),
      apply: (member, change) => this.#guarded(member, () => this.#apply(member, change)),
      catchUp: (member, stateVector) => this.#catchUp(member, stateVector),
      appliedVersion: () => this.replica.appliedVersion,
      isUsed: (client) => this.#clientIds.memberOf(client) !== null,
      members: () => this.#members,
      listBytes: (member) => this.#awareness.listBytes(member),
      mustWait: ({ pass }) => decide(this.replica.lock.state, { type: 'writes', pass }).do === 'refuse',
      leaveBehind: (member, left) => this.#leaveBehind(member, left),
      leftBytes: () => keeper.bytes(this.replica.id),
      fail: (member, error) => this.#fail(member, error),
      onIdle: () => this.#shutWhenEmpty(),
    })
  }

  #leaveBehind({ principal, pass }: Member, { knowledge, updates }: HeldReturn): Promise<void> {
    return this.#options.keeper.keep(this.replica.head, {
      author: principal,
      tokenHash: pass.tokenHash,
      knowledge,
      updates,
    })
  }

  /** The principal of the open session that uses the Yjs client id, if any does. */
  userOf(client: number): PrincipalId | null {
    return this.#clientIds.userOf(client)
  }

  /** Resolves once what sessions brought that are gone is taken in. */
  settled(): Promise<void> {
    return this.#returns.settled()
  }

  get size(): number {
    return this.#members.size
  }

  /** Opens a session: our SyncStep1 goes out first (WIRE), then who is here. */
  join(channel: Channel, principal: PrincipalId, access: 'read' | 'write', tokenHash: LockHash | null = null): Seat {
    const { limits, environment } = this.#options
    const onStalled = (stalled: Member): void => this.#close(stalled, 'too-slow', 'takes nothing any more')
    const again = (slow: Member): Again => this.#again(slow)
    const member = new Member({ channel, principal, access, tokenHash, limits, environment, again, onStalled })
    this.#members.add(member)
    member.send({ type: 'sync-step-1', stateVector: askingForTails(this.replica.doc) })
    for (const message of awarenessMessages(this.#awareness.states(member))) member.sendAside(message)
    return {
      receive: (message) => this.#guarded(member, () => this.#receive(member, message)),
      leave: () => this.#leave(member),
    }
  }

  #receive(member: Member, message: ClientMessage): void {
    member.heard += 1
    if (!member.isHeard) return
    switch (message.type) {
      case 'sync-step-1':
        if (this.#isOfEarlierLife(message.stateVector)) {
          this.#close(member, 'other-history', 'this copy is of an earlier document of the same id')
          return
        }
        return this.#returns.asks(member, message.stateVector)
      case 'sync-step-2':
      case 'update':
        if (member.step({ type: 'brings' }).do === 'apply') this.#brings(member, message)
        return
      case 'awareness':
        if (member.step({ type: 'announces' }).do === 'announce') this.#announce(member, message.body)
        return
      case 'query-awareness':
        if (member.step({ type: 'queries' }).do === 'list-awareness') this.#listAwareness(member)
        return
      default:
        assertNever(message)
    }
  }

  /** SYNC-7: it has what an earlier life of the document has and this one has not. Unknown clients are welcome. */
  #isOfEarlierLife(stateVector: StateVector): boolean {
    for (const [client, clock] of this.replica.formerClients) {
      if (Math.min(clock, stateVector.get(client) ?? 0) > Y.getState(this.replica.doc.store, client)) return true
    }
    return false
  }

  #stepToAnswer(member: Member, event: SessionEvent): void {
    const action = member.step(event)
    if (action.do !== 'answer') return
    const { appliedVersion } = this.replica
    const sent = (): void => {
      this.#guarded(member, () => {
        this.#returns.answered(member)
        this.#stepToAnswer(member, { type: 'answer-sent', version: this.replica.appliedVersion })
      })
    }
    const messages = this.#answerTo(action.stateVector)
    member.answer({ messages, ready: this.replica.whenCommitted(appliedVersion), sent })
  }

  #answerTo(stateVector: StateVector): Iterable<ServerMessage> {
    if (stateVector.size > 0) return answerMessages(this.#encode(stateVector))
    const version = this.replica.appliedVersion
    if (this.#fullAnswer?.version !== version) {
      this.#fullAnswer = { version, messages: new Remembered(answerMessages(this.#encode(stateVector))) }
    }
    return this.#fullAnswer.messages
  }

  #encode(stateVector: StateVector): Uint8Array {
    return Y.encodeStateAsUpdate(this.replica.doc, Y.encodeStateVector(new Map(stateVector)))
  }

  /**
   * An answer to our SyncStep1 holds all that the client has and we lack. What of it cannot be placed, the client itself
   * could not place either: its stored history has a hole. That stays out, and whoever has the rest brings it some time.
   */
  #brings(member: Member, { type, update }: Brought): void {
    const whole = type === 'sync-step-2' ? this.replica.admit(update, this.#offerOf(member, 'part')) : null
    if (whole?.admitted === false && whole.code === 'other-history')
      return this.#close(member, whole.code, whole.reason)
    const isHollow = whole?.admitted === true && whole.left?.because === 'missing'
    this.#returns.brings(member, isHollow ? whole.update : update, type)
  }

  #apply(member: Member, { update: brought, message, merge }: HeldChange): void {
    const admission = this.#admitted(member, brought, message)
    if (!admission) return
    const { update, extended, left } = admission
    if (left && !this.#owed.keep(member, left.update, this.replica.doc)) {
      return this.#close(member, 'missing-dependencies', 'too much builds on what somebody else has to bring')
    }
    if (left) this.#contest(member)
    for (const client of extended) if (this.#isOwnWork(member, client, message)) this.#claim(member, client)
    const before = this.replica.appliedVersion
    member.unsaved(update.length)
    this.replica.applyLive(update, member.principal, { merge, tokenHash: member.pass.tokenHash }).then(
      () => member.saved(update.length),
      (error: unknown) => {
        member.saved(update.length)
        this.#fail(member, error)
      },
    )
    // New structs always make a version; without one the update was refused, as the promise is about to tell.
    const after = this.replica.appliedVersion
    if (extended.length > 0 && after === before) member.isHeard = false
    if (after !== before) member.presence?.writing.add(after)
  }

  /**
   * What may be applied of an update; null where it is refused, and with it the session. What is another's to bring waits
   * for them, and so does what may build on it.
   */
  #admitted(member: Member, update: Uint8Array, message: Brought['type']): Admitted | null {
    const owns = (client: number): boolean => this.#isOwnWork(member, client, message)
    const admission = this.replica.admit(update, { ...this.#offerOf(member, 'part'), owns })
    if (!admission.admitted) this.#close(member, admission.code, admission.reason)
    else if (admission.left?.because !== 'missing' || this.#owed.has(member)) return admission
    else this.#close(member, 'missing-dependencies', 'it builds on something unknown')
    return null
  }

  #offerOf(member: Member, takes: Offer['takes']): Offer {
    return {
      principal: member.principal,
      userOf: (client) => this.userOf(client),
      isOwn: (client) => this.#awareness.says(member, client),
      takes,
    }
  }

  /**
   * Somebody else's session uses the id that the session says it writes under: a page may have gone on as somebody else,
   * and left a line behind that is dead. Whoever is there answers.
   */
  #contest(member: Member): void {
    const client = this.#awareness.saidBy(member)
    const holder = client === null ? null : this.#clientIds.memberOf(client)
    if (!holder || holder.principal === member.principal || this.#contested.has(holder)) return
    this.#contested.add(holder)
    const { heard } = holder
    this.#returns.probe(holder)
    this.#options.environment.after(HOLDER_ANSWERS_MS, () => {
      this.#contested.delete(holder)
      if (holder.heard === heard) this.#close(holder, 'too-slow', 'another connection goes on under its Yjs client id')
    })
  }

  /** What somebody else had to bring first may be there now, or they are gone. */
  #bringOwed(due: readonly Member[]): void {
    for (const member of due) {
      const update = this.#owed.of(member)
      const admission = this.replica.admit(update, this.#offerOf(member, 'part'))
      if (!admission.admitted || (admission.extended.length === 0 && admission.left !== null)) continue
      this.#owed.forget(member)
      this.#guarded(member, () => this.#returns.brings(member, update, 'update'))
    }
  }

  /**
   * What a client hands on in its answer to our SyncStep1 may be others' work that they lost, or that we lost; so an
   * answer makes ids its own only for a client that says of itself nothing else.
   */
  #isOwnWork(member: Member, client: number, message: Brought['type']): boolean {
    return message === 'update' || !this.#awareness.hasId(member) || this.#awareness.says(member, client)
  }

  #claim(member: Member, client: number): void {
    const owner = this.replica.ownerOf(client)
    const isAnothers = owner !== null && owner !== member.principal && !this.#awareness.says(member, client)
    if (!this.#members.has(member) || isAnothers) return
    this.#returns.uses(member, client, this.#clientIds.memberOf(client))
    this.#clientIds.claim(member, client)
  }

  #announce(member: Member, body: Uint8Array): void {
    const entries = decodeAwareness(body)
    if (!entries) return this.#close(member, 'invalid-request', 'malformed awareness')
    if (this.#awareness.isList(member, entries)) this.#returns.lists(member)
    const own = this.#awareness.announce(member, entries, this.#nowMs())
    this.#dropOutdatedLater()
    // A reader writes nothing, so it keeps nobody from writing.
    if (member.presence) {
      if (own.length > 0) member.presence.isAnnounced = true
      for (const { client } of own) this.#claim(member, client)
    }
    this.#tell(own, member)
  }

  #listAwareness(member: Member): void {
    const messages = awarenessMessages(this.#awareness.states(member))
    if (messages.length === 0) messages.push({ type: 'awareness', body: EMPTY_AWARENESS })
    for (const message of messages) member.sendAside(message)
  }

  /** Who is not heard of for a while is shown to nobody any more, as stock clients do by themselves. */
  #dropOutdatedLater(): void {
    const dueMs = this.#outdating ? null : this.#awareness.outdatesAtMs
    if (dueMs === null) return
    this.#outdating = this.#options.environment.after(Math.max(dueMs - this.#nowMs(), 0), () => {
      this.#outdating = null
      for (const { entry, owner } of this.#awareness.dropOutdated(this.#nowMs())) this.#tell([entry], owner)
      this.#dropOutdatedLater()
    })
  }

  #nowMs(): number {
    return this.#options.environment.monotonicMs()
  }

  /** Tells everyone but whom it came from: a client takes its own state from nobody. */
  #tell(entries: readonly AwarenessEntry[], from: AwarenessMember): void {
    for (const message of awarenessMessages(entries)) {
      for (const member of [...this.#members]) if (member !== from) member.sendAside(message)
    }
  }

  #show(shown: Shown): void {
    // Authors last: to them this may be only the confirmation, and each write to a socket keeps the others waiting.
    const isAuthor = ({ presence }: Member): boolean =>
      shown.entries.some(({ version }) => presence?.writing.has(version) === true)
    const members = [...this.#members]
    const authors = new Set(members.filter(isAuthor))
    for (const member of [...members.filter((one) => !authors.has(one)), ...authors]) this.#showTo(member, shown)
    this.#bringOwed(this.#owed.due(this.replica.doc))
  }

  #showTo(member: Member, { entries, messages }: Shown): void {
    const due = entries.filter(({ version }) => member.step({ type: 'committed', version }).do === 'show')
    const seen = due.filter(({ version }) => !isSilent(member, version))
    // What it has already it may be sent again, but nothing that a lock keeps from it.
    const own = seen.length === due.length ? messages : seen.flatMap((entry) => showing([entry]).messages)
    if (seen.length > 0) for (const message of own) member.show(message)
    for (const { version } of seen) this.#returns.sent(member, version)
  }

  /** The replica is gone. A session whose update may have been the reason hears of it from that update. */
  #end(problem: ParleyError): void {
    this.#broadcast.now()
    const code = isForEveryone(problem.code) ? problem.code : 'overloaded'
    for (const member of [...this.#members]) {
      if (!member.hasUnsaved) this.#close(member, code, problem.detail)
    }
    this.#shut()
  }

  #fail(member: Member, error: unknown): void {
    if (error instanceof ParleyError) return this.#close(member, error.code, error.detail)
    this.#options.onUnexpected(error)
    this.#close(member, 'internal', 'something went wrong in the server')
  }

  #guarded(member: Member, task: () => void): void {
    try {
      task()
    } catch (error) {
      this.#fail(member, error)
    }
  }

  #close(member: Member, code: ProblemCode, reason: string): void {
    if (!this.#members.has(member)) return
    this.#leave(member)
    member.channel.close(code, reason)
  }

  #leave(member: Member): void {
    if (!this.#members.delete(member)) return
    member.step({ type: 'ends' })
    this.#returns.left(member, this.#clientIds.idsOf(member))
    this.#clientIds.left(member)
    this.#owed.forget(member)
    this.#tell(this.#awareness.leave(member), member)
    this.#bringOwed(this.#owed.members())
    this.#shutWhenEmpty()
  }

  #shutWhenEmpty(): void {
    if (this.#members.size === 0 && !this.#returns.isBusy) this.#shut()
  }

  /** What a session missed while it waited for a lock. */
  #catchUp(member: Member, stateVector: StateVector): void {
    const version = this.replica.appliedVersion
    member.answer(this.#difference(stateVector, () => this.#returns.sent(member, version)))
  }

  /** What a session lacks for which entries were dropped. */
  #again(member: Member): Again {
    return {
      entries: (lacking) => {
        // It may not see what there is now, and what there was then is not kept.
        if (member.presence?.silence) this.#close(member, 'too-slow', 'reads too slowly to wait for a lock')
        const clocks = new Map(Y.decodeStateVector(Y.encodeStateVector(this.replica.doc)))
        for (const [client, clock] of lacking) clocks.set(client, Math.min(clock, clocks.get(client) ?? 0))
        return this.#difference(clocks, () => undefined)
      },
      aside: () => awarenessMessages(this.#awareness.states(member)),
    }
  }

  #difference(stateVector: StateVector, sent: () => void): QueuedAnswer {
    const messages = updateMessages(this.#encode(stateVector))
    return { messages, ready: this.replica.whenCommitted(this.replica.appliedVersion), sent }
  }

  #shut(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopListening()
    this.#returns.stop()
    this.#outdating?.cancel()
    this.#options.lease.release()
    this.#options.onClosed()
  }
}

/** It waits for a lock: what is newer comes when that is over (LOCK-4). */
function isSilent({ presence }: Member, version: Version): boolean {
  const silence = presence?.silence ?? null
  return silence !== null && version > silence.after
}

/**
 * Whether what ended a replica ends the sessions of everybody for the same reason. A code that stops stock
 * clients for good (44xx) must not reach those who had no part in it.
 */
function isForEveryone(code: ProblemCode): boolean {
  const close = problemKind(code).close ?? 0
  return code === 'document-deleted' || close < 4400 || close >= 4500
}
