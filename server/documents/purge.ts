import * as Y from 'yjs'
import type { Keep } from '../foundation/answer.ts'
import type { Environment } from '../foundation/environment.ts'
import { nextVersion, type DocumentId, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { Storage } from '../storage/storage.ts'
import { baseOf } from './base.ts'
import { DEFAULT_ROOT, type Head } from '../model/document.ts'
import { staleChange, type Change, type DocumentLifecycle } from './lifecycle.ts'
import { missing } from './write.ts'

/** Entries read at a time to learn their Yjs clients. */
const PAGE_ENTRIES = 128

export interface PurgerParts {
  readonly storage: Storage
  readonly environment: Environment
}

/**
 * Erases documents for good (SPEC HIST-5). A purge is done in steps, each a short act of storage: first the document
 * is marked, and from then on nothing of it is shown; then its rows go. A crash in between is made up for by `resume`.
 */
export class DocumentPurger {
  readonly #parts: PurgerParts
  readonly #lifecycle: DocumentLifecycle

  constructor(parts: PurgerParts, lifecycle: DocumentLifecycle) {
    this.#parts = parts
    this.#lifecycle = lifecycle
  }

  /** Deletes the document if it lives, under the preconditions of a deletion, and erases what it was. */
  async purge(change: Change, keep: Keep<void> | null = null): Promise<void> {
    const { storage } = this.#parts
    const found = await storage.head(change.document)
    if (!found) throw missing(change.document, { absent: 'never' })
    const head = found.deletedAt === null ? await this.#lifecycle.remove(change) : this.#deleted(change, found)
    const clients = await this.#clientsOf(head)
    const answer = keep === null ? undefined : await keep()
    const isMarked = await storage.purge(purged(head, change), clients, answer)
    if (!isMarked) throw staleChange((await storage.head(head.id)) ?? head, storage.epoch, 'The document')
    await this.#erase(head.id)
  }

  /** Goes on with the purges that a crash or a full disk interrupted. */
  async resume(): Promise<void> {
    for (const document of await this.#parts.storage.unfinishedPurges()) await this.#erase(document)
  }

  async #erase(document: DocumentId): Promise<void> {
    while (await this.#parts.storage.erasePurged(document)) await yieldTurn()
  }

  /** The head of a document that is deleted already, if the request names its last version. */
  #deleted({ intent }: Change, head: Head): Head {
    if (isPurged(head)) throw missing(head.id, { absent: 'deleted', lastVersion: head.version })
    const base = baseOf(intent, head, this.#parts.storage.epoch)
    const isCurrent = base.type === 'unconditional' || base.version === head.version
    if (!isCurrent) throw staleChange(head, this.#parts.storage.epoch, 'The document')
    return head
  }

  /** Every Yjs client in the log with the clock after its last struct. */
  async #clientsOf({ id, version }: Head): Promise<ReadonlyMap<number, number>> {
    const { storage } = this.#parts
    const clients = new Map<number, number>()
    let after: Version = await storage.logStart(id)
    while (after < version) {
      const page = await storage.entries(id, after, version, PAGE_ENTRIES)
      for (const { update } of page) {
        if (update.length === 0) continue
        for (const [client, clock] of Y.parseUpdateMeta(update).to) {
          clients.set(client, Math.max(clock, clients.get(client) ?? 0))
        }
      }
      const last = page.at(-1)
      if (!last) throw new ParleyError('document-damaged', `The log of ${id} lacks version ${after + 1}.`)
      after = last.version
      await yieldTurn()
    }
    return clients
  }
}

/** Nothing is left of it but its id and its last version. */
export const isPurged = (head: Head): boolean => head.firstVersion > head.version

/** The head of a purged document: no version of it is left, and nobody's name but who purged it. */
function purged(head: Head, { author }: Change): Head {
  const at = head.deletedAt ?? head.updatedAt
  return {
    ...head,
    root: DEFAULT_ROOT,
    conflictPolicy: 'manual',
    schema: null,
    firstVersion: nextVersion(head.version),
    createdAt: at,
    createdBy: author,
    updatedAt: at,
    updatedBy: author,
  }
}
