import type { Content } from '../content/content.ts'
import type { Terms } from '../foundation/answer.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import type { Acts } from './acts/acts.ts'
import { onOne } from './acts/plan.ts'
import { WritePlanner, type PlannerParts, type WriteRequest, type WriteResult } from './planWrite.ts'
import type { NewDocument } from './replicas.ts'

/** How a write is answered, where its answer is to be stored with it. */
type WriteTerms = Terms<WriteResult> | null

/** Writes of content, each as an act of its own. */
export class DocumentWriter {
  readonly #acts: Acts
  readonly #planner: WritePlanner

  constructor(parts: PlannerParts, acts: Acts) {
    this.#acts = acts
    this.#planner = new WritePlanner(parts)
  }

  /** Creates a document, or a new life of a deleted one; throws `already-exists`, `kind-mismatch`, `schema-violation` or a limit. */
  create(
    wanted: NewDocument,
    content: Content,
    { author, origin }: { readonly author: PrincipalId; readonly origin: 'create' | 'restore' },
    terms: WriteTerms = null,
  ): Promise<WriteResult> {
    const plan = onOne((found, at) => this.#planner.creation(wanted, content, { author, at, origin }, found))
    return this.#acts.perform([wanted.id], plan, terms)
  }

  /** Creates an empty document for a live client (SPEC SYNC-3). Rejects with `already-exists`. */
  createEmpty(wanted: Pick<NewDocument, 'id' | 'kind'>, author: PrincipalId): Promise<WriteResult> {
    return this.create(wanted, wanted.kind === 'text' ? '' : {}, { author, origin: 'create' })
  }

  /**
   * Writes content on the base the request names. Answers what became of it; throws what API-4 puts before or after a
   * version conflict, as `WritePlanner.write`.
   */
  write(request: WriteRequest, terms: WriteTerms = null): Promise<WriteResult> {
    const plan = onOne((found, at) => this.#planner.write(request, found, at))
    return this.#acts.perform([request.document], plan, terms)
  }
}
