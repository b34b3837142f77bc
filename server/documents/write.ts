import type { Content } from '../content/content.ts'
import type { Keep } from '../foundation/answer.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Turns } from '../foundation/turns.ts'
import { lockLostProblem } from '../model/lockRefusal.ts'
import { assertPassesLock, passOf } from './lockGuard.ts'
import { carryOut, type Plan } from './plan.ts'
import { WritePlanner, type WriteRequest, type WriteResult, type WriterParts } from './planWrite.ts'
import type { Replica } from './replica.ts'
import type { Absent, Lease, NewDocument } from './replicas.ts'

/**
 * How often a write is planned anew because the document moved while its base was being read. Each round
 * answers to another committed entry; past this the document is so busy that the client had better wait.
 */
export const MAX_ROUNDS = 8

/** How a write is answered, where its answer is to be stored with it. */
type KeepWrite = Keep<WriteResult> | null

/** Performs planned writes, each as an act of its own. */
export class DocumentWriter {
  readonly #parts: WriterParts
  readonly #planner: WritePlanner
  readonly #turns: Turns<DocumentId>

  constructor(parts: WriterParts, turns: Turns<DocumentId>) {
    this.#parts = parts
    this.#planner = new WritePlanner(parts)
    this.#turns = turns
  }

  /** Creates a document, or a new life of a deleted one; throws `already-exists`, `kind-mismatch`, `schema-violation` or a limit. */
  async create(
    wanted: NewDocument,
    content: Content,
    { author, origin }: { readonly author: PrincipalId; readonly origin: 'create' | 'restore' },
    keep: KeepWrite = null,
  ): Promise<WriteResult> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const at = this.#parts.environment.now()
      const plan = await this.#planner.creation(wanted, content, { author, at, origin })
      const result = await this.#carryOutCreation(plan, at, keep)
      if (result !== 'again') return result
    }
    throw tooBusy(wanted.id)
  }

  /**
   * Writes content on the base the request names. Answers what became of it; throws what API-4 puts before
   * or after a version conflict (`not-found`, `document-deleted`, `precondition-*`, `unknown-base`,
   * `weak-etag`, `patch-failed`, `kind-mismatch`, `schema-violation`, limits).
   */
  async write(request: WriteRequest, keep: KeepWrite = null): Promise<WriteResult> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const lease =
        this.#parts.replicas.leaseLoaded(request.document) ?? (await this.#parts.replicas.lease(request.document))
      const result =
        'absent' in lease ? await this.#createAbsent(request, lease, keep) : await this.#writeHeld(request, lease, keep)
      if (result !== 'again') return result
    }
    throw tooBusy(request.document)
  }

  async #createAbsent(request: WriteRequest, absent: Absent, keep: KeepWrite): Promise<WriteResult | 'again'> {
    if (!createsAbsent(request)) throw missing(request.document, absent)
    if (request.lockToken) throw lockLostProblem(request.document, { name: 'free', fence: 0 })
    try {
      const at = this.#parts.environment.now()
      return await this.#carryOutCreation(await this.#planner.creationBy(request, at), at, keep)
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'already-exists') return 'again'
      throw error
    }
  }

  async #carryOutCreation(plan: Plan<WriteResult>, at: number, keep: KeepWrite): Promise<WriteResult | 'again'> {
    const result = await carryOut(this.#parts.committer, plan, at, keep)
    if (result !== 'again') this.#parts.replicas.adopt(plan.replica).release()
    return result
  }

  async #writeHeld(request: WriteRequest, lease: Lease, keep: KeepWrite): Promise<WriteResult | 'again'> {
    const { replica } = lease
    try {
      if (replica.appliedHead.deletedAt !== null) {
        await replica.isOnDisk()
        return 'again'
      }
      await assertPassesLock(this.#parts, replica, passOf(request.lockToken))
      // Whatever opens, refreshes or supersedes conflicts of a document does so one at a time.
      return this.#planner.isSimple(request, replica)
        ? await this.#perform(request, replica, keep)
        : await this.#turns.take(request.document, () => this.#perform(request, replica, keep))
    } catch (problem) {
      if (await isFinal(problem, replica)) throw problem
      return 'again'
    } finally {
      lease.release()
    }
  }

  async #perform(request: WriteRequest, replica: Replica, keep: KeepWrite): Promise<WriteResult | 'again'> {
    if (replica.ended) return 'again'
    const at = this.#parts.environment.now()
    return carryOut(this.#parts.committer, await this.#planner.write(request, replica, at), at, keep)
  }
}

/** Whether a write creates what it does not find (SPEC DOC-4). */
export const createsAbsent = (request: WriteRequest): boolean =>
  request.intent.type === 'create' && request.createsKind !== null

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

const tooBusy = (document: DocumentId): ParleyError =>
  new ParleyError('overloaded', `${document} changes too fast to be written just now.`)
