import type * as Y from 'yjs'
import type { Admission } from '../documents/admission/admission.ts'
import { joinInSteps } from '../documents/joinUpdates.ts'
import { bringsSomething, withOwn } from '../documents/knowledge.ts'
import type { LiveMerge } from '../documents/replica.ts'
import type { Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { OfflineEdits } from '../model/clientKnowledge.ts'
import type { Member } from './member.ts'
import type { HeldEdits, SessionEvent } from './session.ts'

/** Judges what becomes of edits that were made without knowledge of others' (CONF-6). */
export interface RoomJudge<R> {
  /** What judges the merge when it is applied; null where the client knew everything that counts. */
  prepare(replica: R, edits: OfflineEdits): Promise<LiveMerge | null>
}

export interface OfflineMergesOptions {
  readonly doc: Y.Doc
  appliedVersion(): Version
  prepare(edits: OfflineEdits): Promise<LiveMerge | null>
  admit(member: Member, update: Uint8Array): Admission
  /** Keeps what a session brought while a lock barred it, or left; resolves once it is on disk. */
  keep(member: Member, edits: HeldEdits): Promise<void>
  /** Hands the session what came of an act. */
  tell(member: Member, event: SessionEvent): void
  /** Told of errors that are bugs. */
  onUnexpected(error: unknown): void
  /** Nothing is on its way any more. */
  onIdle(): void
}

/** What of the offline merges of a room takes longer than a tick: to join, admit and judge what was held, or to keep it. */
export class OfflineMerges {
  readonly #options: OfflineMergesOptions
  readonly #jobs = new Set<Promise<void>>()

  constructor(options: OfflineMergesOptions) {
    this.#options = options
  }

  /** Whether something is on its way. */
  get isBusy(): boolean {
    return this.#jobs.size > 0
  }

  /** Resolves once nothing is on its way any more. */
  async settled(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs)
  }

  /** Works out what becomes of what was held: the session hears `judged`, or `failed`. */
  judge(member: Member, edits: HeldEdits): void {
    this.#track(member, () => this.#judge(member, edits))
  }

  /** Puts on disk what a lock bars: the session hears `kept`, or `failed`. */
  keep(member: Member, edits: HeldEdits): void {
    this.#track(member, () => this.#keep(member, edits))
  }

  async #judge(member: Member, { updates, knowledge }: HeldEdits): Promise<SessionEvent> {
    if (updates.length === 0) {
      return { type: 'judged', at: this.#options.appliedVersion(), joined: null, counts: false, merge: null }
    }
    const brought = await joinInSteps(updates)
    const { update, left } = this.#admitted(member, brought)
    const at = this.#options.appliedVersion()
    const waited = 'silence' in member.state && member.state.silence !== null
    const merge = await this.#options.prepare({ author: member.principal, knowledge, update, waited })
    // Who says only what it has changes nothing, and waits for nobody; what is somebody else's to bring waits for them.
    const counts = merge !== null || left !== null || bringsSomething(this.#options.doc, update)
    const joined = { update: brought, knowledge: withOwn(knowledge, brought, update) }
    return { type: 'judged', at, joined, counts, merge }
  }

  async #keep(member: Member, { updates, knowledge }: HeldEdits): Promise<SessionEvent> {
    const update = await joinInSteps(updates)
    const { update: taken } = this.#admitted(member, update)
    await this.#options.keep(member, { updates: [update], knowledge })
    return { type: 'kept', joined: { update, knowledge: withOwn(knowledge, update, taken) } }
  }

  #admitted(member: Member, update: Uint8Array): Extract<Admission, { admitted: true }> {
    const admission = this.#options.admit(member, update)
    if (!admission.admitted) throw new ParleyError(admission.code, admission.reason)
    return admission
  }

  #track(member: Member, act: () => Promise<SessionEvent>): void {
    const job = act()
      .catch((error: unknown) => this.#failed(error))
      .then((event) => this.#options.tell(member, event))
      .finally(() => {
        this.#jobs.delete(job)
        if (!this.isBusy) this.#options.onIdle()
      })
    this.#jobs.add(job)
  }

  #failed(error: unknown): SessionEvent {
    if (error instanceof ParleyError) return { type: 'failed', code: error.code, reason: error.detail }
    this.#options.onUnexpected(error)
    return { type: 'failed', code: 'internal', reason: 'something went wrong in the server' }
  }
}
