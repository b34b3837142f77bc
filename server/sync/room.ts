import * as Y from 'yjs'
import type { Head } from '../model/document.ts'
import { askingForTails } from '../documents/admission/sameHistory.ts'
import type { LeftEdits } from '../documents/waitingEdits.ts'
import { assertNever } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, LockHash, PrincipalId, Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import { Answers } from './answers.ts'
import { Broadcast, partOf, type ShownEntries } from './broadcast.ts'
import { Brought } from './brought.ts'
import type { Departure, Departures } from './departures.ts'
import { hasMissing, IncomingEdits } from './incomingEdits.ts'
import type { SyncLimits } from './limits.ts'
import type { LiveLease, LiveReplica } from './liveReplica.ts'
import { Member, type Channel } from './member.ts'
import { OfflineMerges, type RoomJudge } from './offlineMerges.ts'
import type { Again } from './outbox.ts'
import { People } from './people.ts'
import { QUERY_AWARENESS_MESSAGE, type ClientMessage } from './messages.ts'
import type { StateVector } from '../model/clockSet.ts'
import { Questions } from './questions.ts'
import { NO_VERSIONS } from './seenVersions.ts'
import type { HeldEdits, SessionAction, SessionEvent } from './session.ts'
import { isForEveryone, mayPass } from './sessionStep.ts'
import { step } from './sessionTable.ts'
import { RoomAround } from './surroundings.ts'

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
  /** Told of edits that cannot go in, by somebody who is gone and does not hear it. */
  readonly onGivenUp: (author: PrincipalId, problem: ParleyError) => void
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
  /** The connection is gone, or is being closed by its owner; `brokeOff`: nobody closed it, its line ended. Idempotent. */
  leave(brokeOff?: boolean): void
}

/**
 * The open sessions of one document. What happens to a session is decided by its table (`sessionTable.ts`); the room tells
 * it, and does what comes of that. An update is admitted, applied, committed, and only then shown to all, its sender
 * included (SYNC-2).
 */
export class Room<R extends LiveReplica = LiveReplica> {
  readonly replica: R
  readonly #options: RoomOptions<R>
  readonly #members = new Map<Member, RoomAround>()
  readonly #people: People
  readonly #answers: Answers
  readonly #incoming: IncomingEdits
  readonly #merges: OfflineMerges
  readonly #questions: Questions<Member>
  readonly #broadcast: Broadcast
  readonly #stopListening: () => void
  #isClosed = false

  constructor(options: RoomOptions<R>) {
    const { lease, judge, departures, limits, environment } = options
    const { replica } = lease
    this.#options = options
    this.replica = replica
    const tell = (member: Member, event: SessionEvent): void => this.#told(member, event)
    const members = (): Iterable<Member> => this.#members.keys()
    this.#broadcast = new Broadcast(
      environment,
      (shown) => this.#show(shown),
      () => this.#people.tell(),
    )
    const ownerOf = (client: number): PrincipalId | null => replica.ownerOf(client)
    this.#people = new People(environment, members, ownerOf, () => this.#broadcast.soon())
    this.#answers = new Answers(replica)
    this.#incoming = new IncomingEdits({
      replica,
      awareness: this.#people.awareness,
      departures,
      environment,
      windowMs: limits.windowMs,
      tell,
      close: (member, code, reason) => this.#close(member, code, reason),
      refused: (member, edits, error) => this.#refused(member, edits, error),
      saved: (member) => this.#endWith(member),
    })
    this.#merges = new OfflineMerges({
      doc: replica.doc,
      appliedVersion: () => replica.appliedVersion,
      prepare: (edits) => judge.prepare(replica, edits),
      admit: (member, update) => this.#incoming.admit(member, update, 'sync-step-2'),
      keep: (member, edits) => this.#keep(member, edits),
      tell,
      onUnexpected: options.onUnexpected,
      onIdle: () => this.#shutWhenEmpty(),
    })
    this.#questions = new Questions(environment, limits.windowMs, members, (one) => tell(one, { type: 'proof-wanted' }))
    const stops = [
      replica.onCommitted((entry) => this.#broadcast.add(entry)),
      replica.onEnded(() => this.#end()),
      replica.lock.onSeen(() => [...this.#members.keys()].forEach((member) => tell(member, { type: 'lock-changed' }))),
    ]
    this.#stopListening = () => stops.forEach((stop) => stop())
  }

  /** The principal of the open session that uses the Yjs client id, if any does. */
  userOf(client: number): PrincipalId | null {
    return this.#incoming.userOf(client)
  }

  /** Resolves once what sessions brought that are gone is taken in. */
  settled(): Promise<void> {
    return this.#merges.settled()
  }

  get size(): number {
    return this.#members.size
  }

  /** Opens a session: our SyncStep1 goes out first, then who is here. */
  join(channel: Channel, principal: PrincipalId, access: 'read' | 'write', tokenHash: LockHash | null = null): Seat {
    const { limits, environment } = this.#options
    const onStalled = (stalled: Member): void => this.#close(stalled, 'too-slow', 'takes nothing any more')
    const again = (slow: Member): Again => this.#again(slow)
    const member = new Member({ channel, principal, access, tokenHash, limits, environment, again, onStalled })
    this.#members.set(member, this.#around(member))
    member.send({ type: 'sync-step-1', stateVector: askingForTails(this.replica.doc) })
    for (const message of this.#people.others(member)) member.sendAside(message)
    return {
      receive: (message) => this.#guarded(member, () => this.#receive(member, message)),
      leave: (brokeOff) => this.#leave(member, brokeOff),
    }
  }

  #around(member: Member): RoomAround {
    const { limits, environment, departures, keeper } = this.#options
    const { replica } = this
    const { clientIds } = this.#incoming
    const parts = {
      replica,
      limits,
      environment,
      departures,
      clientIds,
      members: () => this.#members.keys(),
      leftBytes: () => keeper.bytes(replica.id),
      isListShorter: () => (this.#people.awareness.listBytes(member) ?? Infinity) < this.#incoming.proofBytes,
    }
    return new RoomAround(parts, member)
  }

  #receive(member: Member, message: ClientMessage): void {
    member.heard += 1
    if (!member.isHeard || !member.isOpen) return
    switch (message.type) {
      case 'sync-step-1':
        if (this.#isOfEarlierLife(message.stateVector)) {
          return this.#close(member, 'other-history', 'this copy is of an earlier document of the same id')
        }
        return this.#tell(member, { type: 'asks', stateVector: message.stateVector })
      case 'sync-step-2':
      case 'update':
        if (message.type === 'update') this.#questions.enliven(member)
        return this.#incoming.receive(member, message.update, message.type)
      case 'awareness':
        if (this.#advance(member, { type: 'announces' }).length > 0) this.#announce(member, message.body)
        return
      case 'query-awareness':
        return this.#tell(member, { type: 'queries' })
      default:
        assertNever(message)
    }
  }

  /** The same, whatever comes of it. */
  #told(member: Member, event: SessionEvent): void {
    this.#guarded(member, () => this.#tell(member, event))
  }

  /** Something happens to a session. */
  #tell(member: Member, event: SessionEvent): void {
    for (const action of this.#advance(member, event)) this.#perform(member, action)
  }

  /** What its room is to do then. */
  #advance(member: Member, event: SessionEvent): readonly SessionAction[] {
    const around = this.#members.get(member) ?? this.#around(member)
    const { state, actions } = step(member.state, event, around)
    member.become(state, () => this.#told(member, { type: 'waited' }))
    return actions
  }

  #perform(member: Member, action: SessionAction): void {
    switch (action.do) {
      case 'answer':
        return member.answer(this.#answers.to(action.stateVector, () => this.#told(member, { type: 'answer-sent' })))
      case 'catch-up':
        return member.answer(this.#answers.difference(action.stateVector))
      case 'turn-to-answer':
        return this.#tell(member, { type: 'answer-due' })
      case 'go-on':
        for (const update of action.updates) {
          this.#tell(member, { type: 'goes-on', brought: new Brought(update, 'update') })
        }
        return
      case 'ask-for-all':
        return member.send(this.#answers.question())
      case 'ask-who-is-there':
        return member.send(QUERY_AWARENESS_MESSAGE)
      case 'want-proof':
        return this.#questions.soon()
      case 'apply':
        return this.#incoming.apply(member, action)
      case 'judge':
        return this.#merges.judge(member, action.edits)
      case 'keep':
        return this.#merges.keep(member, action.edits)
      case 'leave-behind':
        return void this.#keep(member, action.edits)
      case 'give-up':
        return this.#options.onGivenUp(member.principal, new ParleyError(action.code, action.reason))
      case 'remember':
        return this.#remember(member, action.departure)
      case 'close':
        return this.#close(member, action.code, action.reason)
      case 'list-awareness':
        return this.#people.list(member)
      case 'announce':
      case 'show':
        // Whoever told it of the event has what is announced or shown.
        return
      default:
        assertNever(action)
    }
  }

  /** SYNC-7: it has what an earlier life of the document has and this one has not. Unknown clients are welcome. */
  #isOfEarlierLife(stateVector: StateVector): boolean {
    for (const [client, clock] of this.replica.formerClients) {
      if (Math.min(clock, stateVector.get(client) ?? 0) > Y.getState(this.replica.doc.store, client)) return true
    }
    return false
  }

  /** Whoever brought it first may keep it waiting; what is somebody else's to bring is left to them. */
  async #keep(member: Member, { knowledge, updates: brought }: HeldEdits): Promise<void> {
    const { principal: author, pass } = member
    const updates = this.#incoming.withoutOthers(member, brought)
    if (updates.length === 0) {
      if (!this.#members.has(member)) this.#options.onGivenUp(author, hasMissing())
      return
    }
    const handedOn = this.#incoming.handedOnBy(member, updates)
    const left = { author, tokenHash: pass.tokenHash, knowledge, updates, handedOn }
    await this.#options.keeper.keep(this.replica.head, left)
  }

  #remember(member: Member, departure: Departure | null): void {
    const { departures } = this.#options
    for (const client of this.#incoming.clientIds.idsOf(member)) {
      if (departure) departures.remember(this.replica.id, client, departure)
      else departures.forget(this.replica.id, client)
    }
  }

  #announce(member: Member, body: Uint8Array): void {
    const said = this.#people.announce(member, body)
    if (!said) return this.#close(member, 'invalid-request', 'malformed awareness')
    if (said.isNews) this.#questions.enliven(member)
    if (said.isList) this.#tell(member, { type: 'lists' })
    // A reader writes nothing, so it keeps nobody from writing.
    if (member.mayWrite) for (const client of said.own) this.#incoming.claim(member, client, true)
  }

  #show(shown: ShownEntries): void {
    const versions = shown.entries.map(({ version }) => version)
    const newest = versions.at(-1)
    if (newest === undefined) return
    // Authors last: to them this may be only the confirmation, and each write to a socket keeps the others waiting.
    const authors: Member[] = []
    for (const member of [...this.#members.keys()]) {
      if (member.hasWritten(newest)) authors.push(member)
      else this.#showTo(member, shown, versions, NO_VERSIONS)
    }
    for (const author of authors) this.#showTo(author, shown, versions, author.takeWritten(newest))
    this.#incoming.moved()
  }

  #showTo(member: Member, shown: ShownEntries, versions: readonly Version[], own: ReadonlySet<Version>): void {
    for (const action of this.#advance(member, { type: 'committed', versions, own })) {
      if (action.do !== 'show') this.#perform(member, action)
      else for (const message of partOf(shown, action.versions).messages) member.show(message)
    }
  }

  /** The replica is gone. A session whose update may have been the reason hears of it once it is known what became of that. */
  #end(): void {
    this.#broadcast.now()
    for (const member of [...this.#members.keys()]) if (!member.hasUnsaved) this.#endWith(member)
    this.#shut()
  }

  #endWith(member: Member): void {
    const { ended } = this.replica
    if (ended) this.#close(member, isForEveryone(ended.code) ? ended.code : 'overloaded', ended.detail)
  }

  /**
   * An update could not go in. Whoever is there is told, and its editor has it. Of who left before that was known, it waits
   * on disk where the same may pass later, or is given up in the log.
   */
  #refused(member: Member, edits: HeldEdits, error: unknown): void {
    if (member.isTold || this.#members.has(member)) return this.#fail(member, error)
    if (!(error instanceof ParleyError)) return this.#options.onUnexpected(error)
    if (mayPass(error.code)) void this.#keep(member, edits)
    else this.#options.onGivenUp(member.principal, error)
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
    member.isTold = true
    this.#leave(member)
    member.channel.close(code, reason)
  }

  #leave(member: Member, brokeOff = false): void {
    if (!this.#members.delete(member)) return
    this.#told(member, { type: 'ends', brokeOff })
    this.#people.left(member)
    const owed = this.#incoming.left(member)
    if (owed) this.#refused(member, owed, hasMissing())
    this.#shutWhenEmpty()
  }

  #shutWhenEmpty(): void {
    if (this.#members.size === 0 && !this.#merges.isBusy) this.#shut()
  }

  /** What a session lacks for which entries were dropped. */
  #again(member: Member): Again {
    return {
      entries: (lacking) => {
        // It may not see what there is now, and what there was then is not kept.
        if ('silence' in member.state && member.state.silence)
          this.#close(member, 'too-slow', 'reads too slowly to wait for a lock')
        return this.#answers.since(lacking)
      },
      aside: () => this.#people.others(member),
    }
  }

  #shut(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopListening()
    this.#questions.stop()
    this.#people.stop()
    this.#options.lease.release()
    this.#options.onClosed()
  }
}
