import { ParleyError } from '../../foundation/problems.ts'
import type { ProblemCode } from '../../foundation/problemTable.ts'
import { actBytes, type ActOperation, type ActRefusal } from './act.ts'
import type { WithAnswer } from './answers.ts'
import { toStorageError } from './errors.ts'
import type { HistoryOperation } from './history.ts'
import type { RewriteOperation } from './packs.ts'
import type { PurgeOperation } from './purges.ts'
import type { RevocationOperation } from './revocations.ts'
import { ROW_BYTES } from './row.ts'
import type { SnapshotOperation } from './snapshots.ts'
import type { WaitingOperation } from './waiting.ts'
import type { WebhookOperation } from './webhooks.ts'

/**
 * What the writer is asked to do: rows of plain values that are cheap to hand to another thread. All JSON of documents is
 * made by whoever asks, because everybody waits for the writer. Rows of the log and heads are summed up by the writer, which
 * has a processor to itself where there is much to write.
 */
export type SqliteOperation = Deed & WithAnswer

type Deed =
  | ActOperation
  | WebhookOperation
  | RewriteOperation
  | HistoryOperation
  | PurgeOperation
  | WaitingOperation
  | SnapshotOperation
  | RevocationOperation
  | { readonly op: 'prune-events'; readonly before: number }
  | { readonly op: 'prune-conflicts'; readonly before: number }
  | { readonly op: 'prune-answers'; readonly before: number }
  /** To do a piece of what was put off to make writes cheap. */
  | { readonly op: 'tidy' }
  | { readonly op: 'probe' }

export type SqliteResult =
  /**
   * `value` is the sequence of an act's first event, the position of the first delivery queued, how many rows were
   * pruned, the position of waiting edits, how far a purge is, or whether a label was set, rows were rewritten or the WAL is
   * empty; else 0.
   */
  | { readonly status: 'done'; readonly value: number; readonly lockExpiresAt?: number }
  | ActRefusal
  | { readonly status: 'answered' }
  /** What the operation names is not there. Nothing was written. */
  | { readonly status: 'missed' }
  | { readonly status: 'failed'; readonly failure: Failure }

/** An error in a form that passes from thread to thread; `code` is null for a bug. */
export type Failure =
  | { readonly code: ProblemCode; readonly message: string }
  | { readonly code: null; readonly message: string; readonly stack: string }

/** About how many bytes an operation holds while it waits. */
export function operationBytes(operation: SqliteOperation): number {
  const { answer } = operation
  return deedBytes(operation) + (answer ? ROW_BYTES + answer.record.length + (answer.body?.length ?? 0) : 0)
}

function deedBytes(operation: Deed): number {
  if (operation.op === 'snapshot') return ROW_BYTES + operation.row.state.byteLength + operation.row.owners.byteLength
  if (operation.op === 'deliveries-queue') {
    return operation.rows.reduce((bytes, row) => bytes + ROW_BYTES + row.record.length, ROW_BYTES)
  }
  if (operation.op === 'rewrite') {
    const { replaced, pack } = operation
    return ROW_BYTES * (1 + replaced.length) + pack.facts.length + pack.updates.length
  }
  if (operation.op === 'keep-waiting') {
    return ROW_BYTES + operation.row.update_bytes.byteLength + operation.row.knowledge.length
  }
  return operation.op === 'act' ? actBytes(operation) : ROW_BYTES
}

export function toFailure(error: unknown): Failure {
  const known = toStorageError(error)
  if (known instanceof ParleyError) return { code: known.code, message: known.message }
  if (known instanceof Error) return { code: null, message: known.message, stack: known.stack ?? '' }
  return { code: null, message: String(known), stack: '' }
}

export function toError(failure: Failure): Error {
  if (failure.code !== null) return new ParleyError(failure.code, failure.message)
  const error = new Error(failure.message)
  error.stack = failure.stack
  return error
}
