import type { Terms } from '../foundation/answer.ts'
import type { DocumentId } from '../foundation/ids.ts'
import type { Job, Jobs } from '../foundation/jobs.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { DocumentReads } from '../storage/documents.ts'
import type { HistoryReads } from '../storage/history.ts'
import type { PurgeReads, PurgeWrites } from '../storage/purges.ts'
import type { StorageEpoch } from '../storage/view.ts'
import type { Acts } from './acts/acts.ts'
import { nothing, type Planned } from './acts/plan.ts'
import { baseOf } from './base.ts'
import { isPurged, purgedHead } from '../model/document.ts'
import { type DocumentLifecycle, type LifecycleChange, staleChange } from './lifecycle.ts'
import { missing } from './planWrite.ts'

export interface PurgerParts {
  readonly storage: StorageEpoch & DocumentReads & HistoryReads & PurgeReads & PurgeWrites
  readonly acts: Acts
}

/**
 * Erases documents for good (SPEC HIST-5). The first step is one act that deletes the document and hides all that is left
 * of it; then its rows go, in short acts, and at last the WAL. What was interrupted goes on by itself.
 */
export class DocumentPurger {
  readonly #parts: PurgerParts
  readonly #lifecycle: DocumentLifecycle
  /** The erasing under way, which whoever wants it ended waits for. */
  readonly #erasing = new Map<DocumentId, Promise<void>>()
  #job: Job | null = null

  constructor(parts: PurgerParts, lifecycle: DocumentLifecycle) {
    this.#parts = parts
    this.#lifecycle = lifecycle
  }

  /** Goes on with the purges that a crash or a full disk interrupted, now and whenever one is. */
  start(jobs: Jobs): void {
    this.#job = jobs.start({ name: 'purge', run: (stopping) => this.#eraseAll(stopping) })
  }

  /**
   * Purges a document under the preconditions of a deletion, living or deleted. Resolves when no file holds any of it;
   * where the disk refuses that, rejects with `storage-unavailable`, and the erasing ends by itself.
   */
  async purge(change: LifecycleChange, terms: Terms<void> | null = null): Promise<void> {
    const head = await this.#parts.storage.head(change.document)
    if (!head) throw missing(change.document, { absent: 'never' })
    if (head.deletedAt === null) await this.#lifecycle.purge(change, terms)
    else await this.#parts.acts.performUnloaded(change.document, () => this.#planOfDeleted(change), terms)
    await this.ended(change.document)
  }

  /** Resolves when nothing of an earlier purge is left; rejects as `purge`. */
  async ended(document: DocumentId): Promise<void> {
    try {
      await this.#eraseOnce(document)
    } catch (error) {
      this.#job?.wake()
      throw error
    }
  }

  /** One that fails does not keep the others from being erased; what went wrong last is thrown then. */
  async #eraseAll(stopping: AbortSignal): Promise<null> {
    const failures: unknown[] = []
    for (const document of await this.#parts.storage.unfinishedPurges()) {
      if (stopping.aborted) return null
      await this.#eraseOnce(document).catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures.at(-1)
    return null
  }

  #eraseOnce(document: DocumentId): Promise<void> {
    const running = this.#erasing.get(document)
    if (running) return running
    const erasing = this.#erase(document).finally(() => this.#erasing.delete(document))
    this.#erasing.set(document, erasing)
    return erasing
  }

  async #erase(document: DocumentId): Promise<void> {
    while (await this.#parts.storage.erasePurged(document)) await yieldTurn()
  }

  /** Of a document that is deleted already the request names the last version. */
  async #planOfDeleted({ document, intent, author }: LifecycleChange): Promise<Planned<void>> {
    const { storage } = this.#parts
    const head = await storage.head(document)
    if (!head) throw missing(document, { absent: 'never' })
    if (isPurged(head)) {
      // The request that began it was not answered; this one is, when it has ended.
      if ((await storage.unfinishedPurges()).includes(document)) return { outcome: undefined, plans: [] }
      throw missing(document, { absent: 'deleted', lastVersion: head.version })
    }
    const base = await baseOf(intent, head, storage)
    const isCurrent = base.type === 'unconditional' || base.version === head.version
    if (head.deletedAt === null || !isCurrent) throw staleChange(head, storage.epoch, 'The document')
    return { outcome: undefined, plans: [{ ...nothing({ head }), purge: purgedHead(head, author) }] }
  }
}
