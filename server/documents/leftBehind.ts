import * as Y from 'yjs'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId, LockHash, PrincipalId } from '../foundation/ids.ts'
import { ParleyError, type ProblemCode } from '../foundation/problems.ts'
import { decide, type LockPass, type LockState } from '../model/lock.ts'
import type { Committed, Storage, WaitingEdits, WaitingFacts } from '../storage/storage.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Committer } from './commit.ts'
import type { Head } from '../model/document.ts'
import { bringsSomething } from './knowledge.ts'
import type { LiveMerge, Replica } from './replica.ts'
import type { Replicas } from './replicas.ts'

/** Until what storage or a moving document refused is tried again. */
const RETRY_MS = 1_000
/** Rows listed at a time; each is read alone, for it may be as large as what one session may leave. */
const PAGE = 100
/** Nothing that comes later makes these edits fit: a session would be closed with the same code. */
const FINAL: ReadonlySet<ProblemCode> = new Set([
  'invalid-request',
  'missing-dependencies',
  'content-too-large',
  'content-too-complex',
])

/** Edits of a session that ended while somebody else's lock barred them. */
export interface Left {
  readonly author: PrincipalId
  /** Of the lock token that it showed, if it did. */
  readonly tokenHash: LockHash | null
  readonly knowledge: Knowledge
  readonly update: Uint8Array
}

export interface LeftBehindParts {
  readonly storage: Pick<Storage, 'keepWaiting' | 'waiting' | 'waitingEdits' | 'lock' | 'onCommitted'>
  readonly committer: Pick<Committer, 'commit'>
  readonly replicas: Pick<Replicas, 'lease'>
  readonly environment: Environment
  /** Works out the judgement of a return (CONF-6). */
  readonly prepare: (replica: Replica, left: Left) => Promise<LiveMerge | null>
  /** What refuses the update as the document is now (SYNC-6), null where nothing does. */
  readonly refusal: (replica: Replica, left: Left) => ParleyError | null
  /** Told of edits that can never be taken in and are given up, and of those that are damaged in storage and stay. */
  readonly onRefused: (facts: WaitingFacts, problem: ParleyError) => void
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

/**
 * What sessions left behind locks (SPEC LOCK-4): made durable at once, and taken in when no lock bars it any more, as
 * any return, in one act with the end of its waiting; so it goes in once, whichever process lives to see that. One
 * document after the other: in memory is at most what one session left.
 */
export class LeftBehind {
  readonly #parts: LeftBehindParts
  /** Bytes that wait in storage, as far as this process knows, and bytes on their way there. */
  readonly #stored = new Map<DocumentId, number>()
  readonly #keeping = new Map<DocumentId, number>()
  readonly #jobs = new Set<Promise<void>>()
  readonly #timers = new Set<Timer>()
  /** Documents to be looked at. */
  readonly #due = new Set<DocumentId>()
  #isWorking = false
  #isClosed = false
  readonly #stopListening: () => void

  constructor(parts: LeftBehindParts) {
    this.#parts = parts
    this.#stopListening = parts.storage.onCommitted((committed) => this.#notice(committed))
  }

  /** Finds what waits since before this start. Rejects with `storage-unavailable`. */
  async start(): Promise<void> {
    for (let after = 0; ;) {
      const page = await this.#parts.storage.waiting({ document: null, after, limit: PAGE })
      for (const { document, bytes } of page) {
        add(this.#stored, document, bytes)
        this.#look(document)
      }
      const last = page.at(-1)
      if (!last) return
      after = last.position
    }
  }

  /** How much waits for the document. */
  bytes(document: DocumentId): number {
    return (this.#stored.get(document) ?? 0) + (this.#keeping.get(document) ?? 0)
  }

  /** Keeps what a session left of this incarnation of the document. */
  keep(head: Pick<Head, 'id' | 'incarnation'>, left: Left): void {
    add(this.#keeping, head.id, left.update.length)
    const { author, tokenHash, knowledge, update } = left
    const at = this.#parts.environment.now()
    this.#track(this.#keep(head, { document: head.id, author, tokenHash, knowledge, update, at }))
  }

  /** Takes nothing in from now on; resolves once everything that was left is on disk. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopListening()
    while (this.#jobs.size > 0) await Promise.all(this.#jobs)
    for (const timer of this.#timers) timer.cancel()
  }

  /** Storage may refuse for a while; until it takes the edits they are only here. */
  async #keep(head: Pick<Head, 'id' | 'incarnation'>, edits: WaitingEdits): Promise<void> {
    const { storage } = this.#parts
    const bytes = edits.update.length
    try {
      for (;;) {
        const position = await this.#unlessRefused(() => storage.keepWaiting(edits, head.incarnation))
        if (position === 'refused') {
          await this.#pause()
          continue
        }
        if (position !== null) add(this.#stored, head.id, bytes)
        return this.#look(head.id)
      }
    } finally {
      add(this.#keeping, head.id, -bytes)
    }
  }

  async #unlessRefused<T>(task: () => Promise<T>): Promise<T | 'refused'> {
    try {
      return await task()
    } catch (error) {
      if (error instanceof ParleyError && isPassing(error)) return 'refused'
      throw error
    }
  }

  #notice({ heads, events }: Committed): void {
    for (const { id, deletedAt } of heads) if (deletedAt !== null) this.#stored.delete(id)
    for (const { type, document } of events) {
      // A lock that is taken may be taken by the author of what waits.
      if (type === 'parley.document.unlocked' || type === 'parley.document.locked') this.#look(document)
    }
  }

  #look(document: DocumentId): void {
    if (this.#isClosed) return
    this.#due.add(document)
    if (this.#isWorking) return
    this.#isWorking = true
    this.#track(this.#work())
  }

  async #work(): Promise<void> {
    // What is added meanwhile comes last.
    for (const document of this.#due) {
      this.#due.delete(document)
      try {
        const isDone = await this.#unlessRefused(() => this.#takeInAll(document))
        if (isDone === 'refused') this.#after(() => this.#look(document))
      } catch (error) {
        if (!(error instanceof ParleyError && error.code === 'shutting-down')) this.#parts.onUnexpected(error)
      }
    }
    // In this very tick: who looks from now on begins anew.
    this.#isWorking = false
  }

  /** In the order in which it was left, for what came later may build on what came before. */
  async #takeInAll(document: DocumentId): Promise<void> {
    const { storage } = this.#parts
    let left = 0
    for (let after = 0; ;) {
      const page = await storage.waiting({ document, after, limit: PAGE })
      for (const facts of page) {
        if (this.#isClosed) return
        const isWaiting = bars(await storage.lock(document), facts) || !(await this.#takeIn(facts))
        if (isWaiting) left += facts.bytes
      }
      const last = page.at(-1)
      if (!last) break
      after = last.position
    }
    if (left === 0) this.#stored.delete(document)
    else this.#stored.set(document, left)
  }

  /** Whether it waits no more. */
  async #takeIn(facts: WaitingFacts): Promise<boolean> {
    const { committer, environment, onRefused } = this.#parts
    try {
      return await this.#apply(facts)
    } catch (problem) {
      if (!(problem instanceof ParleyError)) throw problem
      // With the document it is gone.
      if (problem.code === 'document-deleted') return true
      if (problem.code === 'document-damaged') {
        onRefused(facts, problem)
        return false
      }
      if (!FINAL.has(problem.code)) throw problem
      onRefused(facts, problem)
      const nothing = { conflicts: [], contents: new Map(), events: [] }
      await committer.commit([], { at: environment.now(), ...nothing, settles: [facts.position] })
      return true
    }
  }

  async #apply(facts: WaitingFacts): Promise<boolean> {
    const { storage, replicas, prepare, refusal } = this.#parts
    const edits = await storage.waitingEdits(facts.position)
    if (!edits) return true
    const lease = await replicas.lease(facts.document)
    if ('absent' in lease) return true
    const { replica } = lease
    try {
      replica.lock.see(await storage.lock(facts.document))
      const refused = refusal(replica, edits)
      if (refused) throw refused
      const merge = isKnown(replica, edits.update) ? null : await prepare(replica, edits)
      if (replica.ended) throw replica.ended
      // The next lock was faster.
      if (bars(replica.lock.state, facts)) return false
      // Others have written while it was judged.
      const refusedNow = refusal(replica, edits)
      if (refusedNow) throw refusedNow
      const { author, tokenHash, update } = edits
      const judged = isKnown(replica, update) ? null : merge
      await replica.applyLive(update, author, { merge: judged, tokenHash, settles: [facts.position] })
      return true
    } finally {
      lease.release()
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#after(resolve))
  }

  #after(task: () => void): void {
    const timer = this.#parts.environment.after(RETRY_MS, () => {
      this.#timers.delete(timer)
      task()
    })
    this.#timers.add(timer)
  }

  #track(task: Promise<void>): void {
    const job: Promise<void> = task.catch(this.#parts.onUnexpected).finally(() => this.#jobs.delete(job))
    this.#jobs.add(job)
  }
}

/**
 * Whether its author came back meanwhile and brought these very edits, which were judged then: nobody else had what they
 * insert, and a client that brings that brings all its deletes.
 */
const isKnown = ({ doc }: Replica, update: Uint8Array): boolean =>
  !bringsSomething(doc, update) && Y.decodeUpdate(update).structs.length > 0

/** Whether the same may succeed after a while. */
const isPassing = ({ code }: ParleyError): boolean => code === 'storage-unavailable' || code === 'overloaded'

function bars(state: LockState, { author, tokenHash }: Pick<WaitingFacts, 'author' | 'tokenHash'>): boolean {
  const pass: LockPass = { by: 'edit', principal: author, tokenHash }
  return decide(state, { type: 'writes', pass }).do === 'refuse'
}

function add(counts: Map<DocumentId, number>, document: DocumentId, bytes: number): void {
  const sum = (counts.get(document) ?? 0) + bytes
  if (sum === 0) counts.delete(document)
  else counts.set(document, sum)
}
