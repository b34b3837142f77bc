import * as Y from 'yjs'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, LockHash, PrincipalId } from '../foundation/ids.ts'
import type { Job, Jobs } from '../foundation/jobs.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Head } from '../model/document.ts'
import { decide, type LockPass, type LockState } from '../model/lock.ts'
import type { Committed, CommittedActs } from '../storage/act.ts'
import type { LockReads } from '../storage/locks.ts'
import type { WaitingEdits, WaitingFacts, WaitingReads, WaitingWrites } from '../storage/waiting.ts'
import type { Committer } from './commit.ts'
import { joinInSteps } from './joinUpdates.ts'
import { bringsSomething } from './knowledge.ts'
import type { LiveMerge, Replica } from './replica.ts'
import type { Replicas } from './replicas.ts'

/** Until what storage or a moving document refused is tried again. */
const RETRY_MS = 1_000
/** Rows listed at a time; each is read alone, for it may be as large as what one session may leave. */
const PAGE = 100
/** Until what only waits for something other than a lock is looked at again; twice as long each time, up to the longest. */
const STUCK_RETRY_MS = { shortest: 1_000, longest: 600_000 }
/** Edits that build on what is missing are looked at again so long after somebody wrote: it may have come. */
const MISSING_RETRY_MS = 10_000
/** What may wait of one author and document for something other than a lock; past either the oldest is given up. */
const MAX_STUCK = { rows: 100, bytes: 16 * 1024 * 1024 }
/**
 * The document as it is now has no place for the edits. That may pass: what they build on may be among what waits as well,
 * who uses their Yjs client id may leave, the document may become smaller.
 */
const STUCK: ReadonlySet<ProblemCode> = new Set(['invalid-request', 'content-too-large', 'content-too-complex'])

/**
 * What came of an attempt to take edits in. `stuck`: something other than a lock keeps them out; `lacking`: they build on what is
 * missing, which is told for little. */
type TakenIn = 'gone' | 'barred' | 'stuck' | 'lacking' | 'damaged'

/** Edits of a session that ended while somebody else's lock barred them. */
export interface LeftEdits {
  readonly author: PrincipalId
  /** Of the lock token that it showed, if it did. */
  readonly tokenHash: LockHash | null
  readonly knowledge: Knowledge
  readonly updates: readonly Uint8Array[]
  /** The Yjs client ids in them under which it handed on what others wrote. */
  readonly handedOn: readonly number[]
}

export interface WaitingEditsParts {
  readonly storage: WaitingReads & WaitingWrites & LockReads & CommittedActs
  readonly committer: Pick<Committer, 'commit'>
  readonly replicas: Pick<Replicas, 'lease'>
  readonly environment: Environment
  readonly jobs: Jobs
  /** Works out the judgement of a return (CONF-6). */
  readonly prepare: (replica: Replica, left: WaitingEdits) => Promise<LiveMerge | null>
  /** What rules the bytes of an update out, whatever there is; null where nothing does. */
  readonly malformed: (update: Uint8Array) => ParleyError | null
  /** What refuses the update as the document is now (SYNC-6), null where nothing does. */
  readonly refusal: (replica: Replica, left: WaitingEdits) => ParleyError | null
  /** Told of edits that are given up, and of those that are damaged in storage and stay. */
  readonly onRefused: (facts: WaitingFacts, problem: ParleyError) => void
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

/**
 * What sessions left behind locks (SPEC LOCK-4): made durable at once, and taken in when no lock bars it any more, as
 * any return, in one act with the end of its waiting; so it goes in once, whichever process lives to see that. One
 * document after the other: in memory is at most what one session left.
 */
export class WaitingEditsKeeper {
  readonly #parts: WaitingEditsParts
  /** Bytes that wait for locks in storage, as far as this process knows, and bytes on their way there. */
  readonly #stored = new Map<DocumentId, number>()
  readonly #keeping = new Map<DocumentId, number>()
  /** Edits on their way to the disk. */
  readonly #underway = new Set<Promise<void>>()
  /** Documents with edits that something other than a lock keeps out: how long until they are looked at again. */
  readonly #stuckMs = new Map<DocumentId, number>()
  /** Of them, those that have nothing but what builds on what is missing. */
  readonly #lacking = new Set<DocumentId>()
  /** When each document is to be looked at, by the clock that never goes back. */
  readonly #dueMs = new Map<DocumentId, number>()
  readonly #job: Job
  #isClosed = false
  readonly #stopListening: () => void

  constructor(parts: WaitingEditsParts) {
    this.#parts = parts
    this.#job = parts.jobs.start({ name: 'waiting edits', run: () => this.#run(), longestRetryMs: RETRY_MS })
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

  /** Keeps what a session left of this incarnation of the document; resolves once it is on disk. */
  keep(head: Pick<Head, 'id' | 'incarnation'>, left: LeftEdits): Promise<void> {
    const bytes = left.updates.reduce((sum, { length }) => sum + length, 0)
    add(this.#keeping, head.id, bytes)
    const at = this.#parts.environment.now()
    const keeping: Promise<void> = this.#keep(head, left, at)
      .catch(this.#parts.onUnexpected)
      .finally(() => {
        add(this.#keeping, head.id, -bytes)
        this.#underway.delete(keeping)
      })
    this.#underway.add(keeping)
    return keeping
  }

  /** Takes nothing in from now on; resolves once everything that was left is on disk. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopListening()
    await this.#job.stop()
    while (this.#underway.size > 0) await Promise.all(this.#underway)
  }

  /** Storage may refuse for a while; until it takes the edits they are only here. */
  async #keep(head: Pick<Head, 'id' | 'incarnation'>, left: LeftEdits, at: number): Promise<void> {
    const { author, tokenHash, knowledge, updates, handedOn } = left
    const update = await joinInSteps(updates)
    const edits = { document: head.id, author, tokenHash, knowledge, update, handedOn, at }
    for (;;) {
      const position = await this.#unlessRefused(() => this.#parts.storage.keepWaiting(edits, head.incarnation))
      if (position === 'refused') {
        await new Promise<void>((resolve) => this.#parts.environment.after(RETRY_MS, resolve))
        continue
      }
      if (position !== null) add(this.#stored, head.id, update.length)
      return this.#look(head.id)
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
    for (const { id, deletedAt } of heads)
      if (deletedAt !== null) this.#forget(id)
      else if (this.#lacking.has(id)) this.#look(id, MISSING_RETRY_MS)
    for (const { type, document } of events) {
      // A lock that is taken may be taken by the author of what waits.
      if (type !== 'parley.document.unlocked' && type !== 'parley.document.locked') continue
      this.#stuckMs.delete(document)
      this.#look(document)
    }
  }

  #forget(document: DocumentId): void {
    for (const known of [this.#stored, this.#stuckMs, this.#lacking]) known.delete(document)
  }

  #look(document: DocumentId, delayMs = 0): void {
    if (this.#isClosed) return
    const dueMs = this.#parts.environment.monotonicMs() + delayMs
    this.#dueMs.set(document, Math.min(dueMs, this.#dueMs.get(document) ?? Infinity))
    this.#job.wake()
  }

  /** Looks at what is due; answers when the next is. */
  async #run(): Promise<number | null> {
    const { environment } = this.#parts
    const now = environment.monotonicMs()
    for (const [document, dueMs] of [...this.#dueMs]) {
      if (this.#isClosed) return null
      if (dueMs > now) continue
      this.#dueMs.delete(document)
      await this.#lookAt(document)
    }
    let next = Infinity
    for (const dueMs of this.#dueMs.values()) next = Math.min(next, dueMs)
    return next === Infinity ? null : Math.max(0, next - environment.monotonicMs())
  }

  async #lookAt(document: DocumentId): Promise<void> {
    try {
      const isDone = await this.#unlessRefused(() => this.#takeInAll(document))
      if (isDone === 'refused') this.#look(document, RETRY_MS)
    } catch (error) {
      if (!(error instanceof ParleyError && error.code === 'shutting-down')) this.#parts.onUnexpected(error)
    }
  }

  /** Again as long as something goes in, for what was left first may build on what was left later. */
  async #takeInAll(document: DocumentId): Promise<void> {
    for (;;) {
      const { barredBytes, stuck, hasMoved, isDear } = await this.#takeInOnce(document)
      if (this.#isClosed) return
      if (stuck.length > 0 && hasMoved) continue
      if (barredBytes === 0) this.#stored.delete(document)
      else this.#stored.set(document, barredBytes)
      if (stuck.length > 0 && !isDear) this.#lacking.add(document)
      else this.#lacking.delete(document)
      if (stuck.length === 0) this.#stuckMs.delete(document)
      else {
        await this.#giveUpOldest(stuck)
        this.#lookLater(document)
      }
      return
    }
  }

  /** In the order in which it was left, for what came later may build on what came before. */
  async #takeInOnce(document: DocumentId) {
    const stuck: WaitingFacts[] = []
    let barredBytes = 0
    let [hasMoved, isDear] = [false, false]
    for (let after = 0; ;) {
      const page = await this.#parts.storage.waiting({ document, after, limit: PAGE })
      for (const facts of page) {
        if (this.#isClosed) break
        const outcome = bars(await this.#parts.storage.lock(document), facts) ? 'barred' : await this.#takeIn(facts)
        if (outcome === 'barred') barredBytes += facts.bytes
        if (outcome === 'stuck' || outcome === 'lacking') stuck.push(facts)
        isDear ||= outcome === 'stuck'
        if (outcome === 'gone') hasMoved = true
      }
      const last = page.at(-1)
      if (!last || this.#isClosed) return { barredBytes, stuck, hasMoved, isDear }
      after = last.position
    }
  }

  async #takeIn(facts: WaitingFacts): Promise<TakenIn> {
    try {
      return await this.#apply(facts)
    } catch (problem) {
      if (!(problem instanceof ParleyError)) throw problem
      // With the document it is gone.
      if (problem.code === 'document-deleted') return 'gone'
      if (problem.code === 'document-damaged') {
        this.#parts.onRefused(facts, problem)
        return 'damaged'
      }
      if (problem.code === 'missing-dependencies') return 'lacking'
      if (STUCK.has(problem.code)) return 'stuck'
      throw problem
    }
  }

  async #giveUp(facts: WaitingFacts, problem: ParleyError): Promise<void> {
    const { committer, environment, onRefused } = this.#parts
    onRefused(facts, problem)
    const nothing = { conflicts: [], contents: new Map(), events: [] }
    await committer.commit([], { at: environment.now(), ...nothing, settles: [facts.position] })
  }

  async #giveUpOldest(stuck: readonly WaitingFacts[]): Promise<void> {
    const kept = new Map<PrincipalId, { rows: number; bytes: number }>()
    for (const facts of stuck.toReversed()) {
      const sum = kept.get(facts.author) ?? { rows: 0, bytes: 0 }
      sum.rows += 1
      sum.bytes += facts.bytes
      kept.set(facts.author, sum)
      if (sum.rows > MAX_STUCK.rows || sum.bytes > MAX_STUCK.bytes)
        await this.#giveUp(facts, new ParleyError('overloaded', 'Too much of this author waits for other edits.'))
    }
  }

  /** What is stuck may fit once somebody has left or written. */
  #lookLater(document: DocumentId): void {
    const { shortest, longest } = STUCK_RETRY_MS
    const delayMs = Math.min(longest, (this.#stuckMs.get(document) ?? shortest / 2) * 2)
    this.#stuckMs.set(document, delayMs)
    this.#look(document, delayMs)
  }

  async #apply(facts: WaitingFacts): Promise<TakenIn> {
    const { storage, replicas, prepare, refusal, malformed } = this.#parts
    const edits = await storage.waitingEdits(facts.position)
    if (!edits) return 'gone'
    const problem = malformed(edits.update)
    if (problem) {
      await this.#giveUp(facts, problem)
      return 'gone'
    }
    const lease = await replicas.lease(facts.document)
    if ('absent' in lease) return 'gone'
    const { replica } = lease
    try {
      replica.lock.see(await storage.lock(facts.document))
      const refused = refusal(replica, edits)
      if (refused) throw refused
      const { appliedVersion } = replica
      const merge = isKnown(replica, edits.update) ? null : await prepare(replica, edits)
      if (replica.ended) throw replica.ended
      // The next lock was faster.
      if (bars(replica.lock.state, facts)) return 'barred'
      // Others have written while it was judged.
      const refusedNow = refusal(replica, edits)
      if (refusedNow) throw refusedNow
      const { author, tokenHash, update } = edits
      const isJudged = isKnown(replica, update)
      // Its author had everything, but what came while that was worked out they may lack.
      if (!isJudged && merge === null && replica.appliedVersion !== appliedVersion)
        throw new ParleyError('overloaded', 'Others write while it is judged.')
      const judged = isJudged ? null : merge
      await replica.applyLive(update, author, { merge: judged, tokenHash, settles: [facts.position] })
      return 'gone'
    } catch (refused) {
      // To try it costs everybody their session (SYNC-6), so it is tried once.
      const isTooCostly = refused instanceof ParleyError && refused.code === 'content-too-complex' && replica.ended
      if (!isTooCostly) throw refused
      await this.#giveUp(facts, refused)
      return 'gone'
    } finally {
      lease.release()
    }
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
