import type { ActOperation } from './act.ts'
import type { NewHeadRow } from './documents.ts'
import type { SqliteOperation } from './operation.ts'
import type { BatchExecutor, ExecutedBatch } from './writeQueue.ts'

/** What decides which thread a batch is written in. */
export interface AdaptiveLimits {
  /** A disk whose commits take longer is a slow one: sockets and reads shall not wait for it. */
  readonly slowCommitMs: number
  /** One slow commit in so many is an accident; so many faster ones in a row make a slow disk a fast one again. */
  readonly fastCommits: number
  /** Larger batches share their fsync among so many that the way to the other thread costs each little. */
  readonly inlineBatch: number
  /** What is larger is packed, checksummed and copied for milliseconds, whatever the disk: never in this thread. */
  readonly inlineBytes: number
  /** After so many operations the other thread writes one batch, and moves the WAL into the file where that is due. */
  readonly inlineOperations: number
}

/**
 * A loop that stands still for five milliseconds is noticed by nobody, and a local SSD syncs in less than one. On a disk
 * that is slow now and then, one commit in 17 stalls the loop at the most. 4,096 operations
 * leave the WAL below 64 MiB.
 */
export const ADAPTIVE_LIMITS: AdaptiveLimits = {
  slowCommitMs: 5,
  fastCommits: 16,
  inlineBatch: 8,
  inlineBytes: 64 * 1024,
  inlineOperations: 4_096,
}

/** A page of the WAL: what is larger counts for as many operations as fill its pages. */
const OPERATION_BYTES = 4 * 1024

/** Each is some milliseconds of work or more, and can wait: they are done where that holds nobody up. */
const BACKGROUND: ReadonlySet<SqliteOperation['op']> = new Set([
  'rewrite',
  'erase-purged',
  'empty-wal',
  'tidy',
  'prune-conflicts',
  'prune-answers',
  'webhook-disable',
  'webhook-delete',
])

/** What is taken away may be much, however little says so: whatever waits goes with a document that is deleted. */
const takesAway = ({ purges, appends = [] }: ActOperation): boolean =>
  purges !== undefined || appends.some(({ head, expected }) => head.deleted_at !== null || beginsAnew(head, expected))

/** A document that was there before. */
const beginsAnew = ({ version, first_version: first }: NewHeadRow, before: number): boolean =>
  version === first && before > 0

const isBackground = (operation: SqliteOperation): boolean =>
  BACKGROUND.has(operation.op) || (operation.op === 'act' && takesAway(operation))

/** The writer of this thread. Its connection never moves the WAL into the file, which takes long. */
export interface InlineWriter {
  execute(operations: readonly SqliteOperation[]): ExecutedBatch
  close(): void
}

type WriterPlace =
  /** `operations` written here since the other thread last wrote, and commits here since the last slow one. */
  | { readonly disk: 'fast'; readonly operations: number; readonly fastCommits: number }
  | { readonly disk: 'slow'; readonly fastCommits: number }

/**
 * Writes in this thread while the disk is fast, because to wake another one costs as much as the fsync, and in a thread
 * of its own while it is slow, or much is to be written. One batch is on its way at a time, so the
 * two never write at once.
 */
export class AdaptiveExecutor implements BatchExecutor {
  readonly #inline: InlineWriter
  readonly #thread: BatchExecutor
  readonly #limits: AdaptiveLimits
  #state: WriterPlace

  constructor(inline: InlineWriter, thread: BatchExecutor, limits: AdaptiveLimits = ADAPTIVE_LIMITS) {
    this.#inline = inline
    this.#thread = thread
    this.#limits = limits
    this.#state = { disk: 'fast', operations: 0, fastCommits: limits.fastCommits }
  }

  execute(operations: readonly SqliteOperation[], bytes: number): ExecutedBatch | Promise<ExecutedBatch> {
    if (!this.#isInline(operations.length, bytes) || operations.some(isBackground))
      return this.#executeInThread(operations, bytes)
    const batch = this.#inline.execute(operations)
    const written = Math.max(operations.length, Math.ceil(bytes / OPERATION_BYTES))
    this.#state = this.#next(batch.commitMs, written)
    return batch
  }

  async #executeInThread(operations: readonly SqliteOperation[], bytes: number): Promise<ExecutedBatch> {
    const batch = await this.#thread.execute(operations, bytes)
    this.#state = this.#next(batch.commitMs, 0)
    return batch
  }

  /** The thread last, for whoever closes a database last moves the WAL into it. */
  async close(): Promise<void> {
    this.#inline.close()
    await this.#thread.close()
  }

  #isInline(batch: number, bytes: number): boolean {
    const { inlineBatch, inlineBytes, inlineOperations } = this.#limits
    if (this.#state.disk === 'slow' || batch > inlineBatch || bytes > inlineBytes) return false
    return this.#state.operations < inlineOperations
  }

  /** `written` operations of this thread; 0 where the other one wrote. */
  #next(commitMs: number, written: number): WriterPlace {
    const { slowCommitMs, fastCommits } = this.#limits
    const state = this.#state
    // What the other thread commits may move the WAL, which says nothing of the disk.
    if (state.disk === 'fast' && written === 0) return { ...state, operations: 0 }
    const isSlow = commitMs > slowCommitMs
    const inARow = isSlow ? 0 : state.fastCommits + 1
    if (state.disk === 'slow') {
      return inARow < fastCommits
        ? { disk: 'slow', fastCommits: inARow }
        : { disk: 'fast', operations: 0, fastCommits: inARow }
    }
    const isAccident = state.fastCommits >= fastCommits
    if (isSlow && !isAccident) return { disk: 'slow', fastCommits: 0 }
    return { disk: 'fast', operations: state.operations + written, fastCommits: inARow }
  }
}
