/**
 * The storage port: the sum of small interfaces, a file for each kind of thing that is kept, beside which an adapter has its own.
 */
import type { Tidying } from './tidying.ts'
import type { StorageView } from './view.ts'
import type { Sharing } from './sharing.ts'
import type { Acting, CommittedActs } from './act.ts'
import type { AnswerPruning } from './answers.ts'
import type { Batches } from './batches.ts'
import type { ConflictPruning } from './conflicts.ts'
import type { FeedPruning } from './feed.ts'
import type { HistoryWrites } from './history.ts'
import type { LogWrites } from './log.ts'
import type { PurgeWrites } from './purges.ts'
import type { RevocationPruning, RevocationWrites } from './revocations.ts'
import type { WaitingWrites } from './waiting.ts'
import type { WebhookWrites } from './webhooks.ts'

/** All of storage, as whoever composes a server knows it. Features name the interfaces that they use. */
export interface Storage
  extends
    StorageView,
    Sharing,
    Batches,
    Acting,
    CommittedActs,
    LogWrites,
    HistoryWrites,
    WaitingWrites,
    RevocationWrites,
    WebhookWrites,
    PurgeWrites,
    Tidying,
    ConflictPruning,
    FeedPruning,
    AnswerPruning,
    RevocationPruning {
  /** Whether a write would succeed now. */
  writable(): Promise<boolean>
  /** Waits for what was handed in, then closes. */
  close(): Promise<void>
}
