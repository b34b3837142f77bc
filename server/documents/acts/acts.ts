import { comparedHere } from '../../content/comparing.ts'
import type { KnownEffect } from '../../content/view.ts'
import type { Terms, StoredAnswer } from '../../foundation/answer.ts'
import { assertNever, invariant } from '../../foundation/assert.ts'
import type { Environment } from '../../foundation/environment.ts'
import type { DocumentId } from '../../foundation/ids.ts'
import { ParleyError } from '../../foundation/problems.ts'
import { Turns } from '../../foundation/turns.ts'
import type { Head } from '../../model/document.ts'
import type { LockState } from '../../model/lock.ts'
import type { Settling } from '../openConflicts.ts'
import { OpenReaches } from '../openReaches.ts'
import type { Replica } from '../replica.ts'
import type { Absent, Lease, Replicas } from '../replicas.ts'
import type { ActResult } from '../../storage/act.ts'
import { TakesLong, type TextComparer } from '../textComparer.ts'
import { partsOf, stageAll, standings } from './handOver.ts'
import { type Found, type Plan, type Planned, type Planner, storesSomething } from './plan.ts'
import {
  type Comparison,
  type HeadView,
  headViewOf,
  Moved,
  type NoteLock,
  ReplicaView,
  type ViewParts,
} from './view.ts'

/**
 * How often an act is planned anew because a document moved meanwhile. Each round answers to somebody else's success; past
 * this the document is so busy that the client had better wait.
 */
const MAX_ROUNDS = 8

/**
 * Rounds in which long texts are compared beside the event loop. Each takes up to half a second then, in which somebody
 * who types moves the document: in later rounds they are compared in the tick of the act, which nothing comes between.
 */
const ROUNDS_BESIDE = 3

export interface ActsParts extends Omit<ViewParts, 'reaches'> {
  readonly replicas: Replicas
  readonly comparer: TextComparer
  readonly environment: Environment
}

/** A document as it was found: held in memory, known by its head only, or not there. */
type Held = Lease | { readonly head: Head } | Absent

/** What one round came to while it had its turns; the disk is waited for without them. */
type Round<Outcome> =
  | { readonly do: 'again' }
  /** Nothing is stored: the outcome stands once what it speaks of is on disk. */
  | { readonly do: 'answer'; readonly outcome: Outcome | ParleyError }
  /** The planner refused: likewise. */
  | { readonly do: 'refuse'; readonly problem: unknown }
  | {
      readonly do: 'await'
      readonly planned: Planned<Outcome>
      readonly result: Promise<ActResult>
      /** Replicas of the documents that it creates. */
      readonly created: readonly Replica[]
    }

const AGAIN = { do: 'again' } as const

/** One attempt at an act: its documents as they were found, and how contents are compared in it. */
interface ActAttempt {
  readonly held: readonly Held[]
  readonly comparing: Comparison
}

/** What an act was found to need before the tick in which it is done. */
interface ReadyAct {
  readonly held: readonly Held[]
  /** Replicas of the documents that it creates. */
  readonly created: readonly Replica[]
  /** What rewritings of long texts do, by document. */
  readonly ahead: ReadonlyMap<DocumentId, KnownEffect>
}

/** What a planner is asked in one round: `found` is made of what is held then. */
type Ask<Outcome> = (attempt: ActAttempt, at: number) => Promise<Planned<Outcome>> | Planned<Outcome>

/**
 * The one way in which something is done to documents: hold them, take their turns, let a planner work the act out on what
 * is applied, hand it to storage. A turn lasts until then, not until the disk has synced: what comes next is planned on
 * the applied state and shares the commit. An act stands only on what reached the disk before it, so where that is lost it
 * is refused by storage and planned anew.
 */
export class Acts {
  readonly #parts: ActsParts
  readonly #turns = new Turns<DocumentId>()
  /** Of those who have long texts compared, each has one act planned at a time. */
  readonly #long = new Turns<string>()
  readonly #viewParts: ViewParts
  readonly #listeners = new Set<(settling: Settling) => void>()

  constructor(parts: ActsParts) {
    this.#parts = parts
    this.#viewParts = { ...parts, reaches: new OpenReaches() }
  }

  /**
   * Does what the planner works out, all or nothing, under the terms. Answers the outcome, or throws the problem, once all that it speaks of is on disk. Throws what the planner throws, `overloaded` where a
   * document changes too fast or the disk is busy, and whatever storage refuses with; nothing was written then.
   */
  perform<Outcome>(
    documents: readonly DocumentId[],
    planner: Planner<Outcome>,
    terms: Terms<Outcome> | null = null,
  ): Promise<Outcome> {
    const noteIn =
      ({ lock }: Replica): NoteLock =>
      (state) =>
        lock.see(state)
    const ask: Ask<Outcome> = (attempt, at) => planner(this.#views(attempt, noteIn), at)
    return this.#rounds(documents, true, (attempt) => this.#inTurns(documents, attempt, ask, terms))
  }

  /** The same on one document that is not loaded for it: nothing is appended, and its content is not shown. */
  performUnloaded<Outcome>(
    document: DocumentId,
    planner: (found: HeadView | Absent, at: number) => Promise<Planned<Outcome>>,
    terms: Terms<Outcome> | null = null,
  ): Promise<Outcome> {
    const ask: Ask<Outcome> = ({ held: [one] }, at) => {
      invariant(one !== undefined, 'the document that was named is held')
      return planner('absent' in one ? one : headViewOf(this.#parts.storage, headOf(one)), at)
    }
    return this.#rounds([document], false, (attempt) => this.#inTurns([document], attempt, ask, terms))
  }

  /** Called after each act that leaves conflicts of its author open. Returns how to stop. */
  onSettling(listener: (settling: Settling) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** What would become of the documents now. The planner is shown what it would be for an act, and nothing is done. */
  preview<Outcome>(documents: readonly DocumentId[], planner: Planner<Outcome>): Promise<Outcome> {
    const ask: Ask<Outcome> = (attempt, at) => planner(this.#views(attempt), at)
    return this.#rounds(documents, true, async (attempt) => {
      const { held } = attempt
      const round = held.some(isLeaving) ? AGAIN : await this.#planned(attempt, ask)
      return conclude(held, round.do === 'plan' ? { do: 'answer', outcome: round.planned.outcome } : round)
    })
  }

  async #rounds<Outcome>(
    documents: readonly DocumentId[],
    loads: boolean,
    perform: (attempt: ActAttempt) => Promise<{ readonly outcome: Outcome } | 'again'>,
  ): Promise<Outcome> {
    const { comparer } = this.#parts
    const rounds = (comparing: (round: number) => Comparison): Promise<Outcome> =>
      this.#repeat(documents, loads, (held, round) => perform({ held, comparing: comparing(round) }))
    try {
      return await rounds(() => (by) => comparer.briefly(by))
    } catch (problem) {
      if (!(problem instanceof TakesLong)) throw problem
      // Whoever waits in this line keeps nobody from a document.
      return this.#long.take(problem.by, () =>
        rounds((round) => (round < ROUNDS_BESIDE ? (by) => comparer.askedBy(by) : () => comparedHere)),
      )
    }
  }

  async #repeat<Outcome>(
    documents: readonly DocumentId[],
    loads: boolean,
    perform: (held: readonly Held[], round: number) => Promise<{ readonly outcome: Outcome } | 'again'>,
  ): Promise<Outcome> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const held: Held[] = []
      try {
        for (const document of documents) held.push(await this.#hold(document, loads))
        const done = await perform(held, round)
        if (done !== 'again') return done.outcome
      } finally {
        for (const one of held) if ('replica' in one) one.release()
      }
    }
    throw new ParleyError('overloaded', `${documents.join(', ')} changes too fast just now.`)
  }

  #hold(document: DocumentId, loads: boolean): Held | Promise<Held> {
    const { replicas } = this.#parts
    return replicas.leaseLoaded(document) ?? (loads ? replicas.lease(document) : replicas.find(document))
  }

  #views({ held, comparing }: ActAttempt, noteIn?: (replica: Replica) => NoteLock): readonly Found[] {
    return held.map((one) => {
      if ('absent' in one) return one
      invariant('replica' in one, 'what is planned on is loaded')
      return new ReplicaView(this.#viewParts, one.replica, comparing, noteIn?.(one.replica))
    })
  }

  async #inTurns<Outcome>(
    documents: readonly DocumentId[],
    attempt: ActAttempt,
    ask: Ask<Outcome>,
    terms: Terms<Outcome> | null,
  ): Promise<{ readonly outcome: Outcome } | 'again'> {
    // In one order for all, so that no two acts wait for each other.
    const round = await this.#turns.takeAll(documents.toSorted(), () => this.#round(attempt, ask, terms))
    const done = await conclude(attempt.held, round)
    if (round.do === 'await' && done !== 'again') {
      for (const replica of round.created) this.#parts.replicas.adopt(replica).release()
      for (const { settling } of round.planned.plans) if (settling !== undefined) this.#tell(settling)
    }
    return done
  }

  /** Of conflicts that were compared with an entry on disk, or are to be. */
  #tell(settling: Settling): void {
    this.#viewParts.reaches.compared(settling.open, settling.version)
    for (const listener of this.#listeners) listener(settling)
  }

  /** One round in the turns of all documents, up to the hand-over. */
  async #round<Outcome>(attempt: ActAttempt, ask: Ask<Outcome>, terms: Terms<Outcome> | null): Promise<Round<Outcome>> {
    // Who lost the right while others had their turns is no work for anybody.
    terms?.assertAllowed()
    const { held } = attempt
    if (held.some(isLeaving)) return AGAIN
    const round = await this.#planned(attempt, ask)
    if (round.do !== 'plan') return round
    const { planned, at } = round
    if (!planned.plans.some(storesSomething)) return { do: 'answer', outcome: planned.outcome }
    const ahead = planned.plans.some(writesContent) ? await aheadOfWrites(planned.plans, attempt) : NOTHING_AHEAD
    let answer: StoredAnswer | null = null
    if (terms?.keep) {
      // What is rendered of a document that stays as it is may have to be read from storage.
      if (planned.plans.every(({ entry }) => entry === null) && !(await onDisk(held))) return AGAIN
      answer = await terms.keep(planned.outcome)
    }
    const created: Replica[] = []
    for (const { entry } of planned.plans) {
      if (entry?.type === 'create') created.push(await this.#parts.replicas.prepare(entry.head))
    }
    terms?.assertAllowed()
    return this.#handOver({ held, created, ahead }, planned, at, answer)
  }

  async #planned<Outcome>(
    attempt: ActAttempt,
    ask: Ask<Outcome>,
  ): Promise<
    | { readonly do: 'plan'; readonly planned: Planned<Outcome>; readonly at: number }
    | { readonly do: 'refuse'; readonly problem: unknown }
    | typeof AGAIN
  > {
    const at = this.#parts.environment.now()
    try {
      return { do: 'plan', planned: await ask(attempt, at), at }
    } catch (problem) {
      return problem instanceof Moved ? AGAIN : { do: 'refuse', problem }
    }
  }

  /** Applies what was planned and hands it to storage, in one tick. */
  #handOver<Outcome>(
    { held, created, ahead }: ReadyAct,
    planned: Planned<Outcome>,
    at: number,
    answer: StoredAnswer | null,
  ): Round<Outcome> {
    const { committer } = this.#parts
    const { plans } = planned
    const replicaOf = new Map(created.map((replica) => [replica.id, replica]))
    for (const one of held) if ('replica' in one) replicaOf.set(one.replica.id, one.replica)
    const onto = standings(plans, replicaOf)
    if (onto === 'moved') return AGAIN
    committer.assertRoom()
    const parts = partsOf(plans, at, onto, answer)
    const result = committer.commit(stageAll(plans, replicaOf, ahead), parts)
    for (const plan of plans) this.#noteLock(plan, replicaOf.get(plan.document), result)
    return { do: 'await', planned, result, created }
  }

  /** From this tick on whatever is applied would reach storage behind a lock that is being taken. */
  #noteLock({ document, lock }: Plan, replica: Replica | undefined, result: Promise<ActResult>): void {
    if (lock?.op !== 'acquire' || replica === undefined) return
    const { fence, owner, tokenHash, ttlMs } = lock
    const expiresAt = this.#parts.environment.now() + ttlMs
    replica.lock.see({ name: 'held', fence, owner, tokenHash, ttlMs, expiresAt, remainingMs: ttlMs })
    const retract = (state: LockState): void => replica.lock.retract(fence, state)
    const free: LockState = { name: 'free', fence: fence - 1 }
    result
      .then(async ({ status }) => {
        if (status !== 'committed') retract(await this.#parts.storage.lock(document))
      })
      .catch(() => retract(free))
  }
}

/** Waits, without turns, until what a round came to may be told. */
async function conclude<Outcome>(
  held: readonly Held[],
  round: Round<Outcome>,
): Promise<{ readonly outcome: Outcome } | 'again'> {
  switch (round.do) {
    case 'again':
      // What is leaving may be on its way to the disk.
      await onDisk(held.filter(isLeaving))
      return 'again'
    case 'refuse': {
      const { problem } = round
      const isLost = held.some((one) => 'replica' in one && one.replica.ended === problem)
      // It speaks of what it met, so that has to be on disk first; else the request is judged anew.
      if (isLost || !(await onDisk(held))) return 'again'
      throw problem
    }
    case 'answer':
      return (await onDisk(held)) ? told(round.outcome) : 'again'
    case 'await': {
      const { planned } = round
      const result = await round.result
      if (result.status !== 'committed') return 'again'
      return told(planned.onDisk === undefined ? planned.outcome : planned.onDisk(result))
    }
    default:
      return assertNever(round)
  }
}

function told<Outcome>(outcome: Outcome | ParleyError): { readonly outcome: Outcome } {
  if (outcome instanceof ParleyError) throw outcome
  return { outcome }
}

const NOTHING_AHEAD: ReadyAct['ahead'] = new Map()

const writesContent = ({ entry }: Plan): boolean => entry?.type === 'content'

/** What the writes of the plans do to long texts, which takes long to find out. */
async function aheadOfWrites(plans: readonly Plan[], { held, comparing }: ActAttempt): Promise<ReadyAct['ahead']> {
  const ahead = new Map<DocumentId, KnownEffect>()
  for (const { document, version, entry } of plans) {
    if (entry?.type !== 'content') continue
    const one = held.find((found): found is Lease => 'replica' in found && found.replica.id === document)
    // A document that has moved is planned on anew.
    if (one === undefined || one.replica.ended !== null || one.replica.appliedVersion !== version) continue
    const from = one.replica.content()
    const effect = await comparing(entry.by.author).aheadOfWrite(from, entry.content)
    if (effect !== null) ahead.set(document, { from, effect })
  }
  return ahead
}

const headOf = (held: Lease | { readonly head: Head }): Head =>
  'replica' in held ? held.replica.appliedHead : held.head

/** It has ended, or is deleted by an act on its way. */
const isLeaving = (held: Held): boolean =>
  'replica' in held && (held.replica.ended !== null || held.replica.appliedHead.deletedAt !== null)

/** Whether all that is applied to the documents gets to the disk. */
async function onDisk(held: readonly Held[]): Promise<boolean> {
  for (const one of held) if ('replica' in one && !(await one.replica.isOnDisk())) return false
  return true
}
