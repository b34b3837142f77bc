import type { DocumentId, Incarnation, LockHash, PrincipalId } from '../foundation/ids.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'

/** Edits that a live session left when it ended while somebody else's lock barred them (SPEC LOCK-4). */
export interface WaitingEdits {
  readonly document: DocumentId
  readonly author: PrincipalId
  /** Of the lock token that the session showed, if it did. */
  readonly tokenHash: LockHash | null
  /** What the session had of the document when it made them. */
  readonly knowledge: Knowledge
  /** Yjs v1. */
  readonly update: Uint8Array
  /** The Yjs client ids that begin with them and are not the author's, as of an entry. Absent: none. */
  readonly handedOn?: readonly number[]
  /** When they were kept, milliseconds since the epoch. */
  readonly at: number
}

/** Waiting edits as lists show them. Positions grow in the order in which edits were kept, and are given once. */
export interface WaitingFacts extends Pick<WaitingEdits, 'document' | 'author' | 'tokenHash'> {
  readonly position: number
  /** Of the update. */
  readonly bytes: number
}

export interface WaitingQuery {
  /** Null: of all documents. */
  readonly document: DocumentId | null
  /** Positions after this one; 0 for all. */
  readonly after: number
  readonly limit: number
}

/** What is asked about waiting edits. */
export interface WaitingReads {
  /** What waits, in the order of the positions. */
  waiting(query: WaitingQuery): Promise<readonly WaitingFacts[]>
  /** Null where nothing waits at the position any more. Throws `ParleyError('document-damaged')`. */
  waitingEdits(position: number): Promise<WaitingEdits | null>
}

/** How edits come to wait. */
export interface WaitingWrites {
  /**
   * Keeps waiting edits; answers their position, or null where the document does not live in this incarnation. They go
   * with the act that settles them, or with the entry that deletes the document.
   */
  keepWaiting(edits: WaitingEdits, incarnation: Incarnation): Promise<number | null>
}
