import type { Content } from '../content/content.ts'
import type { ContentRef } from '../foundation/shownContent.ts'
import { documentDeleted, ParleyError } from '../foundation/problems.ts'
import type { DocumentId, Version } from '../foundation/ids.ts'
import { deletionOf, type DocumentState, type Head, isPurged } from '../model/document.ts'
import type { StorageView } from '../storage/view.ts'
import { contentAt } from './past.ts'
import type { Replicas } from './replicas.ts'
import { missing } from './planWrite.ts'
import type { TextComparer } from './textComparer.ts'

/** Reads documents as of their newest committed entry. */
export class DocumentReader {
  readonly #storage: StorageView
  readonly #replicas: Replicas
  readonly #comparer: TextComparer

  constructor(storage: StorageView, replicas: Replicas, comparer: TextComparer) {
    this.#storage = storage
    this.#replicas = replicas
    this.#comparer = comparer
  }

  /**
   * A living document with its content, both of one version that is on disk.
   * Throws `not-found`, `document-deleted` or `document-damaged`.
   */
  async read(id: DocumentId): Promise<DocumentState> {
    const loaded = await this.#fromMemory(id)
    if (loaded) return loaded
    return this.#storage.read(async (view) => {
      const head = await headIn(view, id)
      return { head, content: await contentAt(view, id, head.kind, head.version) }
    })
  }

  /** The same without the content, which a client may have already. */
  async head(id: DocumentId): Promise<Head> {
    return (await this.#fromMemory(id))?.head ?? headIn(this.#storage, id)
  }

  /** What a document holds or held at a version that is kept. Throws `document-deleted` where it was purged. */
  async at(id: DocumentId, version: Version): Promise<Content> {
    return this.#storage.read(async (view) => {
      const head = await view.head(id)
      if (!head) throw missing(id, { absent: 'never' })
      if (isPurged(head)) throw missing(id, { absent: 'deleted', lastVersion: head.version })
      return contentAt(view, id, head.kind, version)
    })
  }

  /** A content where it stands. Throws as `at`, and `document-damaged` where a conflict's content is gone. */
  async contentOf(id: DocumentId, ref: ContentRef): Promise<Content> {
    if ('version' in ref) return this.at(id, ref.version)
    if ('hash' in ref) {
      const content = await this.#storage.content(ref.conflict ?? null, ref.hash)
      if (content === null) throw new ParleyError('document-damaged', `A content of a conflict of ${id} is missing.`)
      return content
    }
    const sides = {
      base: await this.contentOf(id, ref.merge.base),
      current: await this.contentOf(id, ref.merge.current),
      incoming: await this.contentOf(id, ref.merge.incoming),
    }
    return (await this.#comparer.askedBy(`answers of ${id}`).merge(sides)).content
  }

  /** What a loaded replica holds, once it is on disk; null where none is loaded or what it held was refused by the disk. */
  async #fromMemory(id: DocumentId): Promise<DocumentState | null> {
    const lease = this.#replicas.leaseLoaded(id)
    if (!lease) return null
    const state = { head: lease.replica.appliedHead, content: lease.replica.content() }
    try {
      await lease.replica.whenCommitted(state.head.version)
      return state.head.deletedAt === null ? state : null
    } catch {
      return null
    } finally {
      lease.release()
    }
  }
}

async function headIn(storage: StorageView, id: DocumentId): Promise<Head> {
  const head = await storage.head(id)
  if (!head) throw missing(id, { absent: 'never' })
  if (head.deletedAt !== null) throw documentDeleted(id, head.version, deletionOf(head))
  return head
}
