import type { StoredAnswer } from '../../foundation/answer.ts'
import { invariant } from '../../foundation/assert.ts'
import { ParleyError, type ProblemCode } from '../../foundation/problems.ts'
import type { Act, Append, LockWrite, Standing } from '../storage.ts'
import { encodeAnswer, type NewAnswerRow } from './answers.ts'
import { type ConflictWriteRow, type ContentJson, encodeConflictWrite, encodeContents } from './conflicts.ts'
import { type HeadMove, encodeHead, type NewHeadRow } from './documents.ts'
import { toStorageError } from './errors.ts'
import { encodeEvent, type NewEventRow } from './feed.ts'
import type { HistoryOperation } from './history.ts'
import { encodePass } from './locks.ts'
import { encodeEntry, type NewEntryRow } from './log.ts'
import type { RewriteOperation } from './packs.ts'
import type { PurgeOperation } from './purges.ts'
import type { RevocationOperation } from './revocations.ts'
import type { SnapshotOperation } from './snapshots.ts'
import type { WaitingOperation } from './waiting.ts'
import type { WebhookOperation } from './webhooks.ts'

/**
 * What the writer is asked to do: rows of plain values that are cheap to hand to another thread. All JSON of documents is
 * made by whoever asks, because everybody waits for the writer. Rows of the log and heads are summed up by the writer, which
 * has a processor to itself where there is much to write.
 */
export type SqliteOperation = Deed & {
  /** Stored with what the operation does, or neither is. */
  readonly answer?: NewAnswerRow
}

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
  | { readonly op: 'probe' }

export interface ActOperation {
  readonly op: 'act'
  readonly at: number
  readonly appends: readonly AppendRow[]
  readonly conflicts: readonly ConflictWriteRow[]
  readonly contents: readonly ContentJson[]
  readonly events: readonly NewEventRow[]
  readonly locks: readonly LockWrite[]
  readonly settles: readonly number[]
  /** Heads of documents that are purged. */
  readonly purges: readonly NewHeadRow[]
  readonly onto?: readonly Standing[]
}

export interface AppendRow extends HeadMove {
  readonly entry: NewEntryRow
  /** JSON; the writer packs it. */
  readonly checkpoint: string | null
  readonly formerClients: readonly (readonly [client: number, clock: number])[]
}

export type SqliteResult =
  /**
   * `value` is the sequence of an act's first event, the position of the first delivery queued, how many rows were
   * pruned, the position of waiting edits, how far a purge is, or whether a label was set, rows were rewritten or the WAL is
   * empty; else 0.
   */
  | { readonly status: 'done'; readonly value: number; readonly lockExpiresAt?: number }
  | { readonly status: 'stale'; readonly document: string; readonly version: number }
  | { readonly status: 'locked' | 'lock-moved'; readonly document: string }
  | { readonly status: 'conflict-moved'; readonly conflict: string }
  | { readonly status: 'answered' | 'settled' }
  /** What the operation names is not there. Nothing was written. */
  | { readonly status: 'missed' }
  | { readonly status: 'failed'; readonly failure: Failure }

/** An error in a form that passes from thread to thread; `code` is null for a bug. */
export type Failure =
  | { readonly code: ProblemCode; readonly message: string }
  | { readonly code: null; readonly message: string; readonly stack: string }

/** The rows of an act. Throws where it breaks the rules of the port, which is a bug of the caller. */
export function encodeAct(act: Act): SqliteOperation {
  const conflicts = act.conflicts.map(encodeConflictWrite)
  const operation: ActOperation = {
    op: 'act',
    at: act.at,
    appends: act.appends.map(encodeAppend),
    conflicts,
    contents: act.contents.size === 0 ? [] : encodeContents(act.contents, conflicts),
    events: act.events.map(encodeEvent),
    locks: act.locks ?? [],
    settles: act.settles ?? [],
    purges: (act.purges ?? []).map(encodeHead),
    ...(act.onto === undefined ? {} : { onto: act.onto }),
  }
  return act.answer === undefined ? operation : { ...operation, ...withAnswer(act.answer) }
}

/** The part of an operation that stores an answer; none where there is none. */
export const withAnswer = (answer: StoredAnswer | undefined): Pick<SqliteOperation, 'answer'> =>
  answer === undefined ? {} : { answer: encodeAnswer(answer) }

function encodeAppend(append: Append): AppendRow {
  const { head, entry, expected } = append
  invariant(entry.version === head.version, 'the head is at the version of its entry')
  invariant(entry.version === expected + 1, 'an entry takes the version after the expected one')
  return {
    expected,
    isStep: append.keepsSettings === true && append.onto === undefined && !append.pass?.tokenHash,
    onto: append.onto ?? null,
    pass: encodePass(append.pass),
    head: encodeHead(head),
    entry: encodeEntry(entry),
    checkpoint: append.checkpoint === undefined ? null : JSON.stringify(append.checkpoint),
    formerClients: append.formerClients === undefined ? [] : [...append.formerClients],
  }
}

/** About how many bytes an operation holds while it waits. */
export function operationBytes(operation: SqliteOperation): number {
  const { answer } = operation
  return deedBytes(operation) + (answer ? ROW_BYTES + answer.record.length + (answer.body?.length ?? 0) : 0)
}

function deedBytes(operation: Deed): number {
  if (operation.op === 'snapshot') return ROW_BYTES + operation.row.state.byteLength
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
  if (operation.op !== 'act') return ROW_BYTES
  let bytes = ROW_BYTES
  for (const { head, entry, checkpoint } of operation.appends) {
    bytes += ROW_BYTES + entry.update_bytes.byteLength
    bytes += (entry.effect?.length ?? 0) + (checkpoint?.length ?? 0) + (head.schema?.length ?? 0)
  }
  for (const conflict of operation.conflicts) bytes += ROW_BYTES + conflict.row.record.length
  for (const content of operation.contents) bytes += ROW_BYTES + content.json.length
  for (const event of operation.events) bytes += ROW_BYTES + event.data.length
  return bytes
}
/** The fixed fields of a row, generously. */
const ROW_BYTES = 256

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
