/**
 * The storage port: the sum of small interfaces, one file each, of which whoever uses storage imports what it needs.
 */
import type { Acting, CommittedActs } from './act.ts'
import type { AnswerPruning, AnswerReads } from './answers.ts'
import type { ConflictPruning, ConflictReads } from './conflicts.ts'
import type { DocumentReads } from './documents.ts'
import type { FeedPruning, FeedReads } from './feed.ts'
import type { HistoryReads, HistoryWrites } from './history.ts'
import type { LockReads } from './locks.ts'
import type { LogReads, LogWrites } from './log.ts'
import type { PurgeReads, PurgeWrites } from './purges.ts'
import type { RevocationPruning, RevocationReads, RevocationWrites } from './revocations.ts'
import type { WaitingReads, WaitingWrites } from './waiting.ts'
import type { WebhookReads, WebhookWrites } from './webhooks.ts'

/** What is asked of storage. */
export interface StorageView
  extends
    DocumentReads,
    LogReads,
    HistoryReads,
    ConflictReads,
    LockReads,
    WaitingReads,
    FeedReads,
    AnswerReads,
    RevocationReads,
    WebhookReads,
    PurgeReads {
  /** Random tag of this database; changes when a backup is started (SPEC OPS-7). Part of every etag and cursor. */
  readonly epoch: string
  /**
   * Answers one question, however many steps it takes, from one state: nothing that is committed meanwhile shows, so that
   * rows are not packed or joined between two steps. The question changes nothing outside, for it is asked again where a
   * document was purged meanwhile. Rejects with `overloaded` where it takes over a minute, or too many are asked at once.
   */
  read<T>(question: (view: StorageView) => Promise<T>): Promise<T>
}

/** What reads the same database besides this storage, from another thread. */
export interface OtherReader {
  /** A document was purged: what is being read may hold it, and is read anew. */
  endAll(): void
  /** Resolves when nothing is being read; nothing is until what it answers is called. */
  pause(): Promise<() => void>
}

export interface Storage
  extends
    StorageView,
    Acting,
    CommittedActs,
    LogWrites,
    HistoryWrites,
    WaitingWrites,
    RevocationWrites,
    WebhookWrites,
    PurgeWrites,
    ConflictPruning,
    FeedPruning,
    AnswerPruning,
    RevocationPruning {
  /** Whether other processes may use this database at the same time, so that not everything in it was written here. */
  readonly shared: boolean
  /** From now on a purge waits for this reader too. */
  sharesWith(reader: OtherReader): void

  /** Whether a write would succeed now. */
  writable(): Promise<boolean>
  /** Waits for what was handed in, then closes. */
  close(): Promise<void>
}
