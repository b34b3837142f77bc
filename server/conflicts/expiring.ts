import type { Acts } from '../documents/acts/acts.ts'
import { nothing, type Planned } from '../documents/acts/plan.ts'
import { MAX_EXPIRED_AT_ONCE } from '../documents/lifecycle.ts'
import type { DocumentId } from '../foundation/ids.ts'
import type { Job, Jobs } from '../foundation/jobs.ts'
import { yieldTurn } from '../foundation/turns.ts'
import { conflictExpired } from '../model/events.ts'
import type { CommittedActs } from '../storage/act.ts'
import type { ConflictReads } from '../storage/conflicts.ts'
import type { DocumentReads } from '../storage/documents.ts'

export interface ConflictExpirerParts {
  readonly storage: ConflictReads & DocumentReads & CommittedActs
  readonly acts: Acts
}

/**
 * Closes, and tells of, what a deletion left of its document's open conflicts (SPEC CONF-4): one act could be of 20,000 of
 * them, and everybody's writes would wait for it. Storage counts them as expired already and names their documents, so it
 * makes no difference to a reader when this comes to them, and a restart goes on.
 */
export class ConflictExpirer {
  readonly #parts: ConflictExpirerParts
  readonly #stopListening: () => void
  #job: Job | null = null

  constructor(parts: ConflictExpirerParts) {
    this.#parts = parts
    this.#stopListening = parts.storage.onCommitted(({ heads }) => {
      if (heads.some(({ deletedAt }) => deletedAt !== null)) this.#job?.wake()
    })
  }

  /** Goes on with what was left, now and whenever a document is deleted. */
  start(jobs: Jobs): void {
    this.#job = jobs.start({ name: 'expiring', run: (stopping) => this.#expireAll(stopping) })
  }

  /** Closes nothing from now on; resolves once the act under way is done. */
  async close(): Promise<void> {
    this.#stopListening()
    await this.#job?.stop()
  }

  /** A document that fails does not keep the others; what went wrong last is thrown then. */
  async #expireAll(stopping: AbortSignal): Promise<null> {
    const failures: unknown[] = []
    for (const document of await this.#parts.storage.expiringDocuments()) {
      try {
        while (!stopping.aborted && (await this.#expireSome(document))) await yieldTurn()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures.at(-1)
    return null
  }

  /** One act; false where there was nothing to do. The id may have come to life again, which is none of its business. */
  #expireSome(document: DocumentId): Promise<boolean> {
    return this.#parts.acts.performUnloaded(document, () => this.#plan(document))
  }

  async #plan(document: DocumentId): Promise<Planned<boolean>> {
    const { storage } = this.#parts
    const head = await storage.head(document)
    const expired = await storage.expiringConflicts(document, MAX_EXPIRED_AT_ONCE)
    if (head === null || expired.length === 0) return { outcome: false, plans: [] }
    const conflicts = expired.map((record) => ({ op: 'update', record }) as const)
    return { outcome: true, plans: [{ ...nothing({ head }), conflicts, events: expired.map(conflictExpired) }] }
  }
}
