import { kindOf, type Content, type Kind } from '../content/content.ts'
import { checkContent, type ContentLimits } from '../content/limits.ts'
import type { ConflictRecord } from '../conflicts/conflict.ts'
import { nextVersion, type ConflictId, type DocumentId, type PrincipalId, type Version } from '../foundation/ids.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Turns } from '../foundation/turns.ts'
import type { LockPass } from '../locks/lock.ts'
import { lockLostProblem } from '../locks/refusal.ts'
import type { Storage } from '../storage/storage.ts'
import { baseOf, type Base, type Intent } from './base.ts'
import type { Committer } from './commit.ts'
import type { ConflictPolicy, Head, Origin } from './document.ts'
import { assertPassesLock, passesLock, passOf, type LineLength } from './lockGuard.ts'
import { judgeCurrent, judgeStale, type Judgement } from './judge.ts'
import { contentAt } from './past.ts'
import { openConflictsOf, supersede } from './openConflicts.ts'
import { recordRefusal, type Refusal, type RefusedWrite } from './refusal.ts'
import type { Replica } from './replica.ts'
import type { Absent, Lease, NewDocument, Replicas } from './replicas.ts'
import { assertValid, violationsOf } from './schema.ts'

/**
 * How often a write is planned anew because the document moved while its base was being read. Each round
 * answers to another committed entry; past this the document is so busy that the client had better wait.
 */
const MAX_ROUNDS = 8

export interface WriteRequest {
  readonly document: DocumentId
  readonly author: PrincipalId
  readonly intent: Intent
  /** The wanted content, from the content of the base; throws `patch-failed` where a patch does not apply. */
  readonly incoming: (base: Content) => Content
  /** Kind of the document if the write creates it; null where it may not. */
  readonly createsKind: Kind | null
  readonly onConflict: ConflictPolicy | null
  readonly origin: Origin
  /** The `Lock-Token` sent with it (SPEC LOCK-2). */
  readonly lockToken?: string | null
}

export type WriteResult =
  | {
      readonly status: 'done'
      readonly outcome: 'created' | 'written' | 'merged' | 'unchanged'
      readonly head: Head
      readonly content: Content
    }
  | {
      readonly status: 'done'
      readonly outcome: 'overwrote'
      readonly head: Head
      readonly content: Content
      readonly conflict: ConflictId
    }
  | { readonly status: 'refused'; readonly head: Head; readonly refusal: Refusal }
  /** Strict, and only the version moved: the content is what it was at the base. */
  | { readonly status: 'refused-version'; readonly head: Head }

export interface WriterParts {
  readonly storage: Storage
  readonly replicas: Replicas
  readonly committer: Committer
  readonly environment: Environment
  readonly limits: ContentLimits
  readonly lineLength: LineLength
}

/** The base of a stale write. */
interface Past {
  readonly version: Version
  readonly content: Content
}

/** What one round of planning works on: all of the same moment. */
interface Round {
  readonly replica: Replica
  readonly request: WriteRequest
  readonly pass: LockPass
  readonly head: Head
  readonly current: Content
  readonly incoming: Content
  /** Null for a write on the current version. */
  readonly past: Past | null
  /** Open conflicts of the writer. */
  readonly own: readonly ConflictRecord[]
}

/** Versioned writes of content (SPEC WRITE-1 to WRITE-7, DOC-1, DOC-4). */
export class DocumentWriter {
  readonly #parts: WriterParts
  readonly #turns: Turns<DocumentId>

  constructor(parts: WriterParts, turns: Turns<DocumentId>) {
    this.#parts = parts
    this.#turns = turns
  }

  /** Creates a document, or a new life of a deleted one; throws `already-exists`, `kind-mismatch`, `schema-violation` or a limit. */
  async create(
    wanted: NewDocument,
    content: Content,
    by: PrincipalId,
    origin: 'create' | 'restore' = 'create',
  ): Promise<WriteResult> {
    const { replicas, environment, limits } = this.#parts
    assertSize(content, limits)
    const at = environment.now()
    const replica = await replicas.prepare(wanted, by, at)
    this.#assertKeepable(content, replica.appliedHead)
    assertValid(replica.appliedHead.schema, content)
    const staged = replica.stageCreate(content, { author: by, at, origin })
    await replicas.commitCreation(staged)
    replicas.adopt(replica).release()
    return { status: 'done', outcome: 'created', head: staged.append.head, content }
  }

  /**
   * Writes content on the base the request names. Answers what became of it; throws what API-4 puts before
   * or after a version conflict (`not-found`, `document-deleted`, `precondition-*`, `unknown-base`,
   * `weak-etag`, `patch-failed`, `kind-mismatch`, `schema-violation`, limits).
   */
  async write(request: WriteRequest): Promise<WriteResult> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const lease =
        this.#parts.replicas.leaseLoaded(request.document) ?? (await this.#parts.replicas.lease(request.document))
      const result =
        'absent' in lease ? await this.#createAbsent(request, lease) : await this.#writeHeld(request, lease)
      if (result !== 'again') return result
    }
    throw new ParleyError('overloaded', `${request.document} changes too fast to be written just now.`)
  }

  async #createAbsent(request: WriteRequest, absent: Absent): Promise<WriteResult | 'again'> {
    if (request.intent.type !== 'create' || request.createsKind === null) throw missing(request.document, absent)
    if (request.lockToken) throw lockLostProblem(request.document, { name: 'free', fence: 0 })
    try {
      const content = request.incoming(request.createsKind === 'text' ? '' : {})
      return await this.create({ id: request.document, kind: request.createsKind }, content, request.author)
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'already-exists') return 'again'
      throw error
    }
  }

  async #writeHeld(request: WriteRequest, lease: Lease): Promise<WriteResult | 'again'> {
    const { replica } = lease
    const head = replica.appliedHead
    try {
      if (head.deletedAt !== null) {
        await replica.isOnDisk()
        return 'again'
      }
      await assertPassesLock(this.#parts, replica, passOf(request.lockToken))
      const isSimple = this.#staleBase(request, head) === null && replica.authorsWithoutConflicts.has(request.author)
      // Whatever opens, refreshes or supersedes conflicts of a document does so one at a time.
      return isSimple
        ? await this.#plan(request, replica)
        : await this.#turns.take(request.document, () => this.#plan(request, replica))
    } catch (problem) {
      if (await isFinal(problem, replica)) throw problem
      return 'again'
    } finally {
      lease.release()
    }
  }

  /** One round: reads what it needs, then judges and acts in one tick. */
  async #plan(request: WriteRequest, replica: Replica): Promise<WriteResult | 'again'> {
    if (replica.ended) return 'again'
    const head = replica.appliedHead
    const current = replica.content()
    const stale = this.#staleBase(request, head)
    const past = stale ? await this.#readPast(replica, stale.version) : null
    const own = await openConflictsOf(this.#parts.storage, replica, request.author)
    const incoming = request.incoming(past?.content ?? current)
    this.#assertKeepable(incoming, head)
    const judgement =
      past && stale
        ? judgeStale({
            base: past.content,
            current,
            incoming,
            strict: stale.strict,
            policy: request.onConflict ?? head.conflictPolicy,
            isKeepable: (content) => this.#isKeepable(content, head),
          })
        : judgeCurrent(current, incoming)
    return this.#act(
      { replica, request, pass: passOf(request.lockToken), head, current, incoming, past, own },
      judgement,
    )
  }

  /** The base if it is not the current version, else null. */
  #staleBase({ intent }: WriteRequest, head: Head): Extract<Base, { type: 'version' }> | null {
    const base = baseOf(intent, head, this.#parts.storage.epoch)
    return base.type === 'version' && base.version !== head.version ? base : null
  }

  async #readPast(replica: Replica, version: Version): Promise<Past> {
    await replica.whenCommitted(version)
    return { version, content: await contentAt(this.#parts.storage, replica.id, replica.head.kind, version) }
  }

  async #act(round: Round, judgement: Judgement): Promise<WriteResult | 'again'> {
    const { replica, head } = round
    switch (judgement.do) {
      case 'nothing':
        await replica.whenCommitted(head.version)
        return { status: 'done', outcome: 'unchanged', head, content: round.current }
      case 'refuse-version':
        await replica.whenCommitted(head.version)
        return { status: 'refused-version', head }
      case 'write':
        return this.#store(round, judgement)
      case 'overwrite':
        return this.#overwrite(round)
      case 'refuse':
      case 'refuse-for-good':
        return this.#refuse(round, judgement.do === 'refuse')
      default:
        return assertNever(judgement)
    }
  }

  async #store(round: Round, judgement: Extract<Judgement, { do: 'write' }>): Promise<WriteResult | 'again'> {
    const { replica, request, current, head, pass } = round
    const { content, outcome } = judgement
    assertValid(head.schema, content)
    const at = this.#parts.environment.now()
    const superseded = await supersede(this.#parts.storage, round.own, {
      author: request.author,
      at,
      before: current,
      after: content,
    })
    if (isMoved(round)) return 'again'
    const origin = outcome === 'merged' ? 'merge' : request.origin
    const staged = replica.stageContent(content, { author: request.author, at, origin, pass })
    if (!staged) {
      await replica.whenCommitted(head.version)
      return { status: 'done', outcome, head, content: current }
    }
    const result = await this.#parts.committer.commit([staged], { at, contents: new Map(), ...superseded })
    return result.status === 'committed' ? { status: 'done', outcome, head: staged.append.head, content } : 'again'
  }

  async #overwrite(round: Round): Promise<WriteResult | 'again'> {
    const { replica, request, head, current, incoming, pass } = round
    assertValid(head.schema, incoming)
    const { author, origin } = request
    const at = this.#parts.environment.now()
    const end = { use: 'incoming', version: nextVersion(head.version) } as const
    const kept = recordRefusal(refusalInput(round, at), end, this.#parts.environment)
    const others = round.own.filter((record) => record.id !== kept.record.id)
    const superseded = await supersede(this.#parts.storage, others, { author, at, before: current, after: incoming })
    if (isMoved(round)) return 'again'
    const staged = replica.stageContent(incoming, { author, at, origin, pass })
    invariant(staged !== null, 'an overwriting content differs from current')
    const result = await this.#parts.committer.commit([staged], {
      at,
      contents: kept.contents,
      conflicts: [...kept.conflicts, ...superseded.conflicts],
      events: [...kept.events, ...superseded.events],
    })
    if (result.status !== 'committed') return 'again'
    return {
      status: 'done',
      outcome: 'overwrote',
      head: staged.append.head,
      content: incoming,
      conflict: kept.record.id,
    }
  }

  async #refuse(round: Round, open: boolean): Promise<WriteResult | 'again'> {
    const { replica, request, head } = round
    const at = this.#parts.environment.now()
    const end = open ? null : ({ use: 'current', version: head.version } as const)
    const refusal = recordRefusal(refusalInput(round, at), end, this.#parts.environment)
    // What the conflict calls current must be on disk before anything refers to it.
    await replica.whenCommitted(head.version)
    if (refusal.stored) {
      replica.authorsWithoutConflicts.delete(request.author)
      const { conflicts, contents, events } = refusal
      const result = await this.#parts.committer.commit([], { at, conflicts, contents, events })
      if (result.status !== 'committed') return 'again'
    }
    return { status: 'refused', head, refusal }
  }

  #isKeepable(content: Content, head: Head): boolean {
    return checkContent(content, this.#parts.limits) === null && violationsOf(head.schema, content).length === 0
  }

  #assertKeepable(content: Content, head: Head): void {
    assertKind(content, head.kind)
    const breach = checkContent(content, this.#parts.limits)
    if (breach) throw new ParleyError(breach.code, breach.detail)
  }
}

/** Throws `kind-mismatch` (SPEC DOC-1). */
export function assertKind(content: Content, kind: Kind): void {
  if (kindOf(content) === kind) return
  const wanted = kind === 'text' ? 'a string' : 'an object'
  throw new ParleyError('kind-mismatch', `The content of a ${kind} document is ${wanted}.`)
}

/** Throws `content-too-large`, which comes before all that depends on the document (SPEC API-4). */
export function assertSize(content: Content, limits: ContentLimits): void {
  const breach = checkContent(content, limits)
  if (breach?.code === 'content-too-large') throw new ParleyError(breach.code, breach.detail)
}

/**
 * Whether a refusal may be told: it speaks of the head it met, so that has to be on disk first. It is not
 * where another act's commit failed meanwhile; then the request is to be judged anew.
 */
export async function isFinal(problem: unknown, replica: Replica): Promise<boolean> {
  return problem === replica.ended || (await replica.isOnDisk())
}

/** `not-found`, or `document-deleted` with the last version. */
export function missing(document: DocumentId, absent: Absent): ParleyError {
  if (absent.absent === 'never') return new ParleyError('not-found', `There is no document ${document}.`)
  return new ParleyError('document-deleted', `${document} was deleted.`, {
    extras: { lastVersion: absent.lastVersion },
  })
}

/** Whether the round's plan is not to be acted on: others have changed what it was made for. */
function isMoved({ replica, head, pass }: Round): boolean {
  return replica.ended !== null || replica.appliedVersion !== head.version || !passesLock(replica, pass)
}

function refusalInput(round: Round, at: number): RefusedWrite {
  invariant(round.past !== null, 'only a stale write is refused')
  return {
    head: round.head,
    author: round.request.author,
    at,
    baseVersion: round.past.version,
    base: round.past.content,
    current: round.current,
    incoming: round.incoming,
    own: round.own,
  }
}
