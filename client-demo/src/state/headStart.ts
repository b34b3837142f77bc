import type { Rest } from '../parley/rest.ts'
import type { Document } from '../parley/types.ts'

/**
 * The document that the page was opened with, asked for while the code of its editor is on its way. It is handed out once: what
 * opens it later reads it as it is then.
 */
export class HeadStart {
  readonly #rest: Pick<Rest, 'getDocument'>
  #asked: { readonly id: string; readonly document: Promise<Document | null> } | null = null

  constructor(rest: Pick<Rest, 'getDocument'>) {
    this.#rest = rest
  }

  begin(id: string): void {
    this.#asked = { id, document: this.#rest.getDocument(id).catch(() => null) }
  }

  /** The document, read ahead where it was; whatever kept that from being read is met again here. */
  async read(id: string): Promise<Document> {
    const asked = this.#asked
    this.#asked = null
    const document = asked?.id === id ? await asked.document : null
    return document ?? this.#rest.getDocument(id)
  }
}
