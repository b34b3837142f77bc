import { bucketOfMinute, LIVE_BYTES_PER_MINUTE, LIVE_MESSAGES_PER_MINUTE, type BudgetLimits } from '../limits/budget.ts'

/** Bounds of live sessions that an operator or a test may set; other bounds stand beside what they bound. */
export interface SyncLimits {
  /**
   * Entries that wait for a slow reader, besides the answer it is being sent; past it they are dropped, and it is sent
   * what it lacks as one difference later. More than the largest entry, which many readers share; a difference is made
   * for one. Who is here waits by the same bound.
   */
  readonly readerBufferBytes: number
  /** A line that took nothing for so long of what waits for it is closed: 1013. */
  readonly stalledMs: number
  /** Updates of one session that are applied and not yet on disk; past either, reading from it pauses. */
  readonly unsavedBytes: number
  readonly unsavedUpdates: number
  /** A session that was sent nothing for so long gets an empty awareness (a stock client gives up after 30 s). */
  readonly heartbeatMs: number
  /** How long a refused connection is kept, silent, before it is closed, so that it cannot come back at once. */
  readonly refusalMs: number
  /** Refused connections kept at one time; one more is closed at once. */
  readonly refusedConnections: number
  /** Between pings; a peer that lets two pass without a sign of life is gone, and its socket is cut. */
  readonly pingMs: number
  /** CONF-7: edits made without knowledge of what is younger than this raise nothing. */
  readonly windowMs: number
  /**
   * What is held of a session that returns, until it has told and seen everything; past it, it is taken in at once. And
   * what it brings while that goes on; past it: 1013.
   * More than the largest frame, so that one who waits for a lock can always come back with what it has.
   */
  readonly heldBytes: number
  /** What is held of all sessions of a document that wait for a lock; a session past this or `heldBytes`: 1013. */
  readonly waitingBytes: number
  /** For a session to answer our SyncStep1, which a stock client does at once; then what is held is taken in. */
  readonly confirmMs: number
  /** For a peer to answer a close, before its socket is cut. */
  readonly closeGraceMs: number
  /** What one connection may send. */
  readonly budget: BudgetLimits
}

const MEBIBYTE = 1024 * 1024
export const DEFAULT_SYNC_LIMITS: SyncLimits = {
  readerBufferBytes: 16 * MEBIBYTE,
  stalledMs: 60_000,
  unsavedBytes: 4 * MEBIBYTE,
  unsavedUpdates: 256,
  heartbeatMs: 15_000,
  refusalMs: 5_000,
  refusedConnections: 1_000,
  pingMs: 30_000,
  windowMs: 2_000,
  heldBytes: 16 * MEBIBYTE,
  waitingBytes: 64 * MEBIBYTE,
  confirmMs: 60_000,
  closeGraceMs: 3_000,
  budget: { messages: bucketOfMinute(LIVE_MESSAGES_PER_MINUTE), bytes: bucketOfMinute(LIVE_BYTES_PER_MINUTE) },
}

/** SYNC-6: a frame holds at most what a document may hold, and some room for what Yjs adds. */
export const frameLimitBytes = (maxContentBytes: number): number => maxContentBytes + MEBIBYTE
