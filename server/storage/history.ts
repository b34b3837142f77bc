/** What is known of versions, and how a log is kept small. */
import type { StoredAnswer } from '../foundation/answer.ts'
import type { DocumentId, Version } from '../foundation/ids.ts'
import type { Entry } from './log.ts'

/** A log row as lists of versions show it: without what it did. */
export interface VersionFacts extends Pick<Entry, 'version' | 'author' | 'at' | 'origin'> {
  /** The first of the versions that became this row; the version itself where there was one. */
  readonly firstVersion: Version
  /** Of its Yjs update. */
  readonly bytes: number
  readonly label: string | null
}

/** How far the log of a document was gone through to keep it small (SPEC HIST-4). */
export interface LogProgress {
  /** Rows up to here are kept tightly; those after it are as they came. */
  readonly packed: Version
  /** Up to here what may be one row is one. */
  readonly joined: Version
  /** When there may be more to join, milliseconds; null while nobody knows. */
  readonly dueAt: number | null
}

/** A living document as its log is kept. */
export interface LogState extends LogProgress {
  readonly document: DocumentId
  /** Of its head. */
  readonly version: Version
}

/** Puts rows of a log in the place of others that say the same. */
export interface Rewrite {
  readonly document: DocumentId
  /** The versions of the rows that go, all there are from the first to the last of them. */
  readonly replaced: readonly Version[]
  /** What comes in their place: the same rows, or some of them joined. */
  readonly rows: readonly Entry[]
}

/** What is asked about versions. */
export interface HistoryReads {
  /** What is known of rows with `after < version <= upTo`, newest first, at most `limit`. */
  versions(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly VersionFacts[]>
  /** The row that holds a version, alone or with others; null where the log has none. */
  versionAt(document: DocumentId, version: Version): Promise<VersionFacts | null>
  /** Versions with `after < version <= upTo` that are named, or that a conflict refers to. */
  pinned(document: DocumentId, after: Version, upTo: Version): Promise<ReadonlySet<Version>>
  /** The version before the first row that is kept: 0 but for a document that was purged once. */
  logStart(document: DocumentId): Promise<Version>
  /** Living documents in id order, those after this id. */
  logStates(after: DocumentId | null, limit: number): Promise<readonly LogState[]>
  logState(document: DocumentId): Promise<LogState | null>
}

/** What is written about versions. An `answer` is kept as an act keeps one. */
export interface HistoryWrites {
  /**
   * Stands, and answers true, if the rows are those that are stored, none of the versions that go is named or referred
   * to by a conflict, and packed rows go all or none. Their checkpoints go too. Readers cannot tell when it happens.
   */
  rewrite(rewrite: Rewrite): Promise<boolean>
  setLogProgress(document: DocumentId, progress: LogProgress): Promise<void>
  /**
   * Names a version, or takes its name away (null). False where the log has no row of exactly this version; nothing is
   * written then.
   */
  setLabel(document: DocumentId, version: Version, label: string | null, answer?: StoredAnswer): Promise<boolean>
}
