/** The log of a document: its entries, and what stands for many of them. */
import { crc32 } from 'node:zlib'
import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import type { DocumentId, PrincipalId, Version } from '../foundation/ids.ts'
import type { Origin } from '../model/document.ts'

/** One log row. `update` is a Yjs v1 update; empty (0 bytes) where the entry changes no Yjs state. */
export interface Entry {
  readonly version: Version
  /** Set where several versions became one row: the first of them. */
  readonly firstVersion?: Version
  readonly author: PrincipalId
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly origin: Origin
  readonly update: Uint8Array
  readonly effect: Effect
  /**
   * Of a live entry: the Yjs client ids that begin with it and are not its author's, who only handed on what was written
   * under them (SYNC-6). Absent: none.
   */
  readonly handedOn?: readonly number[]
}

/** A log row without its Yjs bytes: what diffs, blame and `intervening` need. */
export type EntryEffect = Omit<Entry, 'update'>

/** The Yjs state of a document at a version, from which a load replays the rows after it. */
export interface Snapshot {
  readonly version: Version
  readonly state: Uint8Array
  /** Who wrote first under each Yjs client id, which the state does not say: as `documents/owners.ts` writes it. Absent: not known. */
  readonly owners?: Uint8Array
}

/** The plain content of a document at a version. */
export interface Checkpoint {
  readonly version: Version
  readonly content: Content
}

/** What tells an entry from another one that took the same version on another node. */
export interface EntryMark {
  /** CRC-32 of its update. */
  readonly checksum: number
  readonly author: PrincipalId
  readonly at: number
}

/** An entry that was not on disk yet when an act was made that speaks of its version. */
export interface Standing {
  readonly document: DocumentId
  readonly version: Version
  readonly mark: EntryMark
}

/** CRC-32 of an entry's update: what `EntryMark` and `storeSnapshot` ask for. */
export const entryChecksum = (update: Uint8Array): number => crc32(update)

/**
 * What of updates and effects one page of a log holds at most, give or take a row: to read, check and parse that much takes
 * some 8 ms, in one tick. A hundred rewrites of a large content in one page held everybody for a second.
 */
export const LOG_PAGE_BYTES = 1024 * 1024

/** What is asked about logs. */
export interface LogReads {
  /** Throws `ParleyError('document-damaged')` when a checksum fails; so do the others. */
  snapshot(document: DocumentId): Promise<Snapshot | null>
  /**
   * A page of the rows with `after < version <= upTo`, oldest first. It ends after `limit` rows, or after the one with which
   * it comes to `LOG_PAGE_BYTES` of update and effect. So few rows say nothing about the end of the range: whoever wants all
   * asks again, after the last version that came, until that is `upTo` or none comes (`documents/logPages.ts`). None comes
   * only where there is none. A row that stands for several versions counts by its last.
   */
  entries(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly Entry[]>
  /** The same without the updates, which do not count then either. */
  effects(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly EntryEffect[]>
  /** The newest checkpoint at or before `version`. */
  checkpoint(document: DocumentId, version: Version): Promise<Checkpoint | null>
}

/** What is written to logs besides acts. */
export interface LogWrites {
  /**
   * Replaces the document's snapshot if `snapshot.version` is in its log with exactly this entry checksum
   * (CRC-32 of the entry's update bytes), so that a snapshot of what never committed is refused. May be dropped.
   */
  storeSnapshot(document: DocumentId, snapshot: Snapshot, entryChecksum: number): Promise<void>
}
