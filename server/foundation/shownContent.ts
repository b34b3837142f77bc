import type { DocumentId, Version } from './ids.ts'

/** Where a content stands that need not be kept once more: as a version of the log, among the contents that conflicts keep, or as the merge of three such. */
export type ContentRef =
  | { readonly version: Version }
  | { readonly hash: string }
  | { readonly merge: { readonly base: ContentRef; readonly current: ContentRef; readonly incoming: ContentRef } }

/** A place in the body of an answer that shows such a content. */
export type ShownContent = ContentRef & {
  /** The members and the positions in arrays that lead there. */
  readonly path: readonly (string | number)[]
  readonly document: DocumentId
}

/** What of a body stands elsewhere as well: asked only of an answer that is stored. */
export type ShownIn = (body: object) => readonly ShownContent[]
