import type { Content } from '../content/content.ts'
import type { ConflictId, DocumentId, Pattern, PrincipalId } from '../foundation/ids.ts'
import type { ConflictKind, ConflictRecord, ConflictStatus, ContentHash } from '../model/conflict.ts'
import type { ConflictPolicy } from '../model/document.ts'

export type ConflictWrite =
  /** `policy`: by which a stale write was judged; live edits are judged by none. */
  | { readonly op: 'insert'; readonly record: ConflictRecord; readonly policy?: ConflictPolicy }
  /** Stands only if the stored revision is `record.revision - 1`. */
  | { readonly op: 'update'; readonly record: ConflictRecord }

export interface ConflictQuery {
  readonly patterns: readonly Pattern[]
  readonly statuses?: readonly ConflictStatus[]
  readonly kinds?: readonly ConflictKind[]
  readonly author?: PrincipalId
  /** Conflicts older than this one: newest first, by id. */
  readonly before: ConflictId | null
  readonly limit: number
}

/** What is asked about conflicts. */
export interface ConflictReads {
  /**
   * Here as in all other answers, open conflicts of a document count as expired from the act on that deletes it, by whoever
   * deleted it and at that time. Those that the act itself does not close are stored as open until they are written so.
   */
  conflict(id: ConflictId): Promise<ConflictRecord | null>
  conflicts(query: ConflictQuery): Promise<readonly ConflictRecord[]>
  /** Documents with conflicts that count as expired and are not stored so yet. */
  expiringDocuments(): Promise<readonly DocumentId[]>
  /** Such conflicts of a document, oldest first, as an update is to store them. */
  expiringConflicts(document: DocumentId, limit: number): Promise<readonly ConflictRecord[]>
  /** Open conflicts of living documents, counted by document. */
  openConflictCounts(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, number>>
  /**
   * A content that a conflict refers to; null where there is none. Without a conflict, as answers of before small contents
   * lay with theirs name it, none of those is found.
   */
  content(conflict: ConflictId | null, hash: ContentHash): Promise<Content | null>
}

/** How conflicts are forgotten. */
export interface ConflictPruning {
  /**
   * Forgets closed conflicts whose `closedAt` is before `before` (milliseconds). At most a bounded number; answers how many.
   */
  pruneConflicts(before: number): Promise<number>
}
