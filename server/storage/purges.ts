import type { DocumentId } from '../foundation/ids.ts'

/** What is asked about purges. */
export interface PurgeReads {
  /** Documents that were purged and of which something may still be left. */
  unfinishedPurges(): Promise<readonly DocumentId[]>
}

/** How purges go on. */
export interface PurgeWrites {
  /**
   * Erases a bounded part of what the log, checkpoints, labels, conflicts with their contents, events, webhook
   * deliveries and stored answers held of a purged document up to its purge, but for the events of its deletion. True while
   * something may be left; once it answers false, no file of the database holds any of it.
   */
  erasePurged(document: DocumentId): Promise<boolean>
}
