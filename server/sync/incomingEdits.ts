import type { Admission, Offer } from '../documents/admission/admission.ts'
import type { Environment } from '../foundation/environment.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import { readUpdate } from '../documents/admission/updateReader.ts'
import { withoutClients } from '../documents/updateWriter.ts'
import type { Awareness } from './awareness.ts'
import { Brought } from './brought.ts'
import { ClientIds } from './clientIds.ts'
import type { Departures } from './departures.ts'
import type { Member } from './member.ts'
import { Owed } from './owed.ts'
import type { LiveReplica } from './liveReplica.ts'
import type { HeldEdits, SessionAction, SessionEvent } from './session.ts'
import { departureOf } from './sessionEdits.ts'

/** For a page that is there to answer a question, before its Yjs client id passes on. */
const HOLDER_ANSWERS_MS = 2_000

export interface IncomingEditsOptions {
  readonly replica: LiveReplica
  readonly awareness: Awareness
  readonly departures: Departures
  readonly environment: Environment
  /** Of CONF-7. */
  readonly windowMs: number
  /** Something happens to the session. */
  readonly tell: (member: Member, event: SessionEvent) => void
  readonly close: (member: Member, code: ProblemCode, reason: string) => void
  /** An update could not go in. */
  readonly refused: (member: Member, edits: HeldEdits, error: unknown) => void
  /** All that it wrote is on disk. */
  readonly saved: (member: Member) => void
}

/**
 * What sessions bring, on its way into the document: who may write under which Yjs client id, what of an update can be
 * placed, and what waits because it is somebody else's to bring (SYNC-6).
 */
export class IncomingEdits {
  readonly clientIds = new ClientIds()
  readonly #options: IncomingEditsOptions
  readonly #owed = new Owed()
  /** Sessions that are asked whether they are there, because another one says it writes under their Yjs client id. */
  readonly #contested = new Set<Member>()
  #proofBytes = 0

  constructor(options: IncomingEditsOptions) {
    this.#options = options
  }

  /**
   * An answer to our SyncStep1 holds all that the client has and we lack. What of it cannot be placed, the client itself
   * could not place either: its stored history has a hole. That stays out, and whoever has the rest brings it some time.
   */
  receive(member: Member, update: Uint8Array, message: Brought['message']): void {
    const { replica, tell, close } = this.#options
    let brought = new Brought(update, message)
    if (isMereProof(member, brought)) this.#proofBytes = update.length
    else if (member.mayWrite) {
      brought.assertWellFormed()
      const whole = message === 'sync-step-2' ? replica.admit(update, this.#offerOf(member)) : null
      if (whole?.admitted === false && whole.code === 'other-history') return close(member, whole.code, whole.reason)
      const isHollow = whole?.admitted === true && whole.left?.because === 'missing'
      if (isHollow) brought = new Brought(whole.update, message)
    }
    tell(member, { type: 'brings', brought })
  }

  /** Of the newest answer to a SyncStep1 that told nothing but all deletes. */
  get proofBytes(): number {
    return this.#proofBytes
  }

  /** Applies what may be applied of an update. */
  apply(member: Member, { update: brought, message, merge, knowledge }: Extract<SessionAction, { do: 'apply' }>): void {
    const { replica, tell, close, refused, saved } = this.#options
    const admission = this.admit(member, brought, message)
    if (!admission.admitted) {
      const isGap = admission.code === 'missing-dependencies' && message === 'update'
      if (isGap && member.isOpen) return tell(member, { type: 'gap', update: brought })
      return refused(member, { updates: [brought], knowledge }, new ParleyError(admission.code, admission.reason))
    }
    const { update, extended, left } = admission
    // Who has ended waits on disk.
    if (left && !member.isOpen) refused(member, { updates: [left.update], knowledge }, hasMissing())
    else if (left && !this.#owed.keep(member, left.update, knowledge, replica.doc)) {
      return close(member, 'missing-dependencies', 'too much builds on what somebody else has to bring')
    }
    if (left) this.#contest(member)
    for (const client of extended) if (this.#isOwnWork(member, client, message)) this.claim(member, client, false)
    const before = replica.appliedVersion
    member.unsaved(update.length)
    replica.applyLive(update, member.principal, { merge, tokenHash: member.pass.tokenHash }).then(
      () => {
        member.saved(update.length)
        if (!member.hasUnsaved) saved(member)
      },
      (error: unknown) => {
        member.saved(update.length)
        refused(member, { updates: [update], knowledge }, error)
      },
    )
    // New structs always make a version; without one the update was refused, as the promise is about to tell.
    const after = replica.appliedVersion
    if (extended.length > 0 && after === before) member.isHeard = false
    if (after !== before) member.wrote(after)
  }

  /**
   * What may be applied of an update, or why it is refused. What is another's to bring waits for them, and so does what may
   * build on it.
   */
  admit(member: Member, update: Uint8Array, message: Brought['message']): Admission {
    const owns = (client: number): boolean => this.#isOwnWork(member, client, message)
    const admission = this.#options.replica.admit(update, { ...this.#offerOf(member), owns })
    if (!admission.admitted || admission.left?.because !== 'missing' || this.#owed.has(member)) return admission
    return { admitted: false, code: 'missing-dependencies', reason: 'it builds on something unknown', isFinal: false }
  }

  /** The session writes under a Yjs client id, which it says of itself, or which is nobody else's. */
  claim(member: Member, client: number, isSaid: boolean): void {
    const { replica, awareness, departures, environment, windowMs, tell } = this.#options
    const owner = replica.ownerOf(client)
    const isAnothers = owner !== null && owner !== member.principal && !awareness.says(member, client)
    if (!member.isOpen || isAnothers) return
    const user = this.clientIds.memberOf(client)
    const { state } = user ?? {}
    const now = state && 'page' in state ? departureOf(state, environment.monotonicMs(), windowMs) : null
    const earlier = user === member ? null : (now ?? departures.find(replica.id, client))
    tell(member, { type: 'uses', client, earlier, isSaid })
    this.clientIds.claim(member, client, owner === member.principal)
  }

  /**
   * The session has ended: what waited for its edits may be placed now, or never. Answers what it brought that waited for
   * others.
   */
  left(member: Member): HeldEdits | null {
    const owed = this.#owed.left(member)
    this.clientIds.left(member)
    this.#bringOwed(this.#owed.members())
    return owed
  }

  /** What of updates may wait on disk without the session: not what is somebody else's to bring. */
  withoutOthers(member: Member, updates: readonly Uint8Array[]): Uint8Array[] {
    return updates.flatMap((update) => withoutClients(update, (client) => this.#isAnothers(member, client)) ?? [])
  }

  #isAnothers(member: Member, client: number): boolean {
    const user = this.userOf(client)
    if (user !== null) return user !== member.principal
    const owner = this.#options.replica.ownerOf(client)
    return owner !== null && owner !== member.principal && !this.#options.awareness.says(member, client)
  }

  /** The document has more than before. */
  moved(): void {
    this.#bringOwed(this.#owed.due(this.#options.replica.doc))
  }

  /** The Yjs client ids in updates under which the session, as far as it says, hands on what others wrote. */
  handedOnBy(member: Member, updates: readonly Uint8Array[]): number[] {
    if (!this.#options.awareness.hasId(member)) return []
    const clients = new Set(updates.flatMap((update) => [...readUpdate(update).sections.keys()]))
    return [...clients].filter((client) => !this.#isOwnWork(member, client, 'sync-step-2'))
  }

  #offerOf(member: Member): Offer {
    return {
      principal: member.principal,
      userOf: (client) => this.userOf(client),
      isOwn: (client) => this.#options.awareness.says(member, client),
      takes: 'part',
    }
  }

  /** The principal of the open session that uses the Yjs client id, if any does. */
  userOf(client: number): PrincipalId | null {
    return this.clientIds.userOf(client)
  }

  /**
   * Somebody else's session uses the id that the session says it writes under: a page may have gone on as somebody else,
   * and left a line behind that is dead. Whoever is there answers.
   */
  #contest(member: Member): void {
    const { awareness, environment, tell, close } = this.#options
    const client = awareness.saidBy(member)
    const holder = client === null ? null : this.clientIds.memberOf(client)
    if (!holder || holder.principal === member.principal || this.#contested.has(holder)) return
    this.#contested.add(holder)
    const { heard } = holder
    tell(holder, { type: 'probed' })
    environment.after(HOLDER_ANSWERS_MS, () => {
      this.#contested.delete(holder)
      if (holder.heard === heard) close(holder, 'too-slow', 'another connection goes on under its Yjs client id')
    })
  }

  /** What somebody else had to bring first may be there now, or they are gone. */
  #bringOwed(due: readonly Member[]): void {
    for (const member of due) {
      const update = this.#owed.of(member)
      const admission = this.#options.replica.admit(update, this.#offerOf(member))
      if (!admission.admitted || (admission.extended.length === 0 && admission.left !== null)) continue
      this.#owed.forget(member)
      this.#options.tell(member, { type: 'brings', brought: new Brought(update, 'update') })
    }
  }

  /**
   * What a client hands on in its answer to our SyncStep1 may be others' work that they lost, or that we lost; so an
   * answer makes ids its own only for a client that says of itself nothing else.
   */
  #isOwnWork(member: Member, client: number, message: Brought['message']): boolean {
    const { awareness } = this.#options
    return message === 'update' || !awareness.hasId(member) || awareness.says(member, client)
  }
}

/** What is somebody else's to bring did not come while the session was there. */
export const hasMissing = (): ParleyError =>
  new ParleyError('missing-dependencies', 'It builds on what somebody else had to bring.')

/** Whether it only proves what its page has seen: it brings nothing that came not as an update before. */
const isMereProof = ({ state }: Member, brought: Brought): boolean =>
  brought.message === 'sync-step-2' && brought.isBare && 'page' in state && typeof state.page.asked[0] === 'number'
