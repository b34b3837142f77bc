import type { DocumentId, Pattern } from '../foundation/ids.ts'
import type { Head } from '../model/document.ts'

export interface HeadQuery {
  readonly patterns: readonly Pattern[]
  /** Ids after this one, in id order. */
  readonly after: DocumentId | null
  readonly limit: number
}

/** What is asked about documents. */
export interface DocumentReads {
  /** Heads of deleted documents are found too. */
  head(document: DocumentId): Promise<Head | null>
  /** Living documents only. */
  heads(query: HeadQuery): Promise<readonly Head[]>
  /** Yjs clients of ended incarnations of this id, erased ones too, with the clock after their last struct. */
  formerClients(document: DocumentId): Promise<ReadonlyMap<number, number>>
}
