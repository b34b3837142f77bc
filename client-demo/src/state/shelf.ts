import type { JsonDraft } from './jsonDraft.ts'

/** Something that may hold edits which are nowhere else. */
interface Holder {
  readonly hasUnsavedEdits: boolean
}

/**
 * What was left unsaved in this window, so that going from one document to another loses nothing: json drafts
 * wait here to be taken up again, text sessions stay until the server has their edits. Both are as many as a
 * person made by hand, so there is no bound but theirs.
 */
export class Shelf {
  readonly #holders = new Set<Holder>()
  readonly #drafts = new Map<string, JsonDraft>()

  /** Whether closing the window now would lose something. */
  get hasUnsavedEdits(): boolean {
    return this.#drafts.size > 0 || [...this.#holders].some((holder) => holder.hasUnsavedEdits)
  }

  add(holder: Holder): void {
    this.#holders.add(holder)
  }

  remove(holder: Holder): void {
    this.#holders.delete(holder)
  }

  putDraft(documentId: string, draft: JsonDraft): void {
    this.#drafts.set(documentId, draft)
  }

  /** The draft left of this document, if any; it is the caller's from now on. */
  takeDraft(documentId: string): JsonDraft | null {
    const draft = this.#drafts.get(documentId) ?? null
    this.#drafts.delete(documentId)
    return draft
  }
}
