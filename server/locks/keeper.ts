import type { Job, Jobs } from '../foundation/jobs.ts'
import type { Committed, CommittedActs } from '../storage/act.ts'
import type { LockReads } from '../storage/locks.ts'
import type { DocumentLocks } from './locks.ts'
import type { LockLines } from './waiting.ts'

/** A node may die with its locks, so every node looks after all; not oftener, for a lock that lapsed bars nobody. */
const SWEEP_MS = 5_000
/** Locks looked at in one sweep; those that expire later come in the next. */
const SWEEP_LOCKS = 100

export interface KeeperParts {
  readonly storage: LockReads & CommittedActs
  readonly locks: DocumentLocks
  readonly lines: LockLines
  /** Told of errors that are bugs. */
  readonly onUnexpected: (error: unknown) => void
}

/**
 * Keeps the time of locks: writes down the end of each when it expires, so that it is told to subscribers, and tells
 * replicas and those in line of every change, whichever node made it.
 */
export class LockKeeper {
  readonly #parts: KeeperParts

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** Looks after locks from now on. */
  start(jobs: Jobs): void {
    const job = jobs.start({ name: 'lock expiry', run: () => this.#sweep(), longestRetryMs: SWEEP_MS })
    this.#parts.storage.onCommitted((committed) => this.#notice(committed, job))
  }

  #notice({ heads, events }: Committed, job: Job): void {
    const { lines, locks } = this.#parts
    for (const head of heads) if (head.deletedAt !== null) lines.wake(head.id)
    for (const { type, document } of events) {
      if (type !== 'parley.document.locked' && type !== 'parley.document.unlocked') continue
      locks.see(document).catch(this.#parts.onUnexpected)
      lines.wake(document)
      // A lock that was just taken may be the next to expire.
      job.wake()
    }
  }

  /** Until storage takes the end of a lock, nobody is barred by it. Answers after how long there is something to do again. */
  async #sweep(): Promise<number> {
    const { storage, locks } = this.#parts
    const next = await storage.nextLocks(SWEEP_LOCKS)
    for (const { document, lock } of next) if (lock.name === 'lapsed') await locks.expire(document)
    const held = next.find(({ lock }) => lock.name === 'held')?.lock
    if (held?.name === 'held') return Math.min(SWEEP_MS, held.remainingMs + 1)
    return next.length === SWEEP_LOCKS ? 0 : SWEEP_MS
  }
}
