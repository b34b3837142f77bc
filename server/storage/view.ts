import type { DocumentReads } from './documents.ts'
import type { LogReads } from './log.ts'
import type { HistoryReads } from './history.ts'
import type { ConflictReads } from './conflicts.ts'
import type { LockReads } from './locks.ts'
import type { WaitingReads } from './waiting.ts'
import type { FeedReads } from './feed.ts'
import type { AnswerReads } from './answers.ts'
import type { RevocationReads } from './revocations.ts'
import type { WebhookReads } from './webhooks.ts'
import type { PeopleReads } from './people.ts'
import type { PurgeReads } from './purges.ts'

/** What tells this database from others, and from itself before it was put back (SPEC OPS-7). */
export interface StorageEpoch {
  /** Random tag of this database; changes when a backup is started. Part of every etag and cursor. */
  readonly epoch: string
}

/** What is asked of storage. */
export interface StorageView
  extends
    StorageEpoch,
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
    PeopleReads,
    PurgeReads {
  /**
   * Answers one question, however many steps it takes, from one state: nothing that is committed meanwhile shows, so that
   * rows are not packed or joined between two steps. The question changes nothing outside, for it is asked again where a
   * document was purged meanwhile. Rejects with `overloaded` where it takes over a minute, or too many are asked at once.
   */
  read<T>(question: (view: StorageView) => Promise<T>): Promise<T>
}
