import type { ConflictId, DocumentId, Version } from './ids.ts'

/** Where a content stands that need not be kept once more: as a version of the log, among the contents that a conflict keeps, or as the merge of three such. */
export type ContentRef =
  | { readonly version: Version }
  /** Without `conflict` in answers that were stored before small contents lay with their conflicts. */
  | { readonly hash: string; readonly conflict?: ConflictId }
  | { readonly merge: { readonly base: ContentRef; readonly current: ContentRef; readonly incoming: ContentRef } }

/** A place in the body of an answer that shows such a content. */
export type ShownContent = ContentRef & {
  /** The members and the positions in arrays that lead there. */
  readonly path: readonly (string | number)[]
  readonly document: DocumentId
}

/** What of a body stands elsewhere as well: asked only of an answer that is stored. */
export type ShownIn = (body: object) => readonly ShownContent[]
