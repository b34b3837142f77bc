import type { StoredAnswer } from '../../foundation/answer.ts'
import { assertNever, invariant } from '../../foundation/assert.ts'
import {
  type DocumentId,
  type Incarnation,
  toConflictId,
  toSequence,
  toVersion,
  trustedDocumentId,
  type Version,
} from '../../foundation/ids.ts'
import { ParleyError, requestInProgress } from '../../foundation/problems.ts'
import type { Delivery, DisabledReason, StoredDelivery, Webhook, WebhookId } from '../../model/webhook.ts'
import type { Act, ActResult, Committed } from '../act.ts'
import type { WrittenBatch } from '../batches.ts'
import type { LogProgress, Rewrite } from '../history.ts'
import type { Snapshot } from '../log.ts'
import type { Revocation } from '../revocations.ts'
import type { OtherReader } from '../sharing.ts'
import type { Storage } from '../storage.ts'
import type { StorageView } from '../view.ts'
import type { WaitingEdits } from '../waiting.ts'
import { encodeAct } from './act.ts'
import { withAnswer } from './answers.ts'
import { unavailable } from './errors.ts'
import type { HeldViews } from './heldViews.ts'
import type { InstanceLock } from './instanceLock.ts'
import { type SqliteOperation, type SqliteResult, toError } from './operation.ts'
import { encodePack } from './packs.ts'
import { PURGE } from './purges.ts'
import type { SqliteReader } from './reader.ts'
import { encodeRevocation } from './revocations.ts'
import { encodeSnapshot } from './snapshots.ts'
import { SqliteView } from './view.ts'
import { encodeWaiting } from './waiting.ts'
import { encodeDelivery, encodeWebhook } from './webhooks.ts'
import type { BatchExecutor, WriteQueue } from './writeQueue.ts'

/** What a storage is made of. */
interface SqliteStorageParts {
  readonly epoch: string
  readonly reader: SqliteReader
  readonly views: HeldViews
  readonly executor: BatchExecutor
  readonly queue: WriteQueue
  readonly lock: InstanceLock
}

export class SqliteStorage extends SqliteView implements Storage {
  /** The instance lock keeps every other process out. */
  readonly shared = false
  readonly #parts: SqliteStorageParts
  readonly #listeners = new Set<(committed: Committed) => void>()
  #closing: Promise<void> | null = null
  #closed = false

  constructor(parts: SqliteStorageParts) {
    super(parts.epoch)
    this.#parts = parts
  }

  read<T>(question: (view: StorageView) => Promise<T>): Promise<T> {
    return this.#parts.views.read(question)
  }

  refusal(): ParleyError | null {
    return this.#parts.queue.refusal()
  }

  commit(act: Act): Promise<ActResult> {
    try {
      return this.#parts.queue.submit(encodeAct(act), (result) => this.#settle(act, result), true)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  sharesWith(reader: OtherReader): void {
    this.#parts.views.sharesWith(reader)
  }

  onBatch(listener: (batch: WrittenBatch) => void): () => void {
    return this.#parts.queue.onBatch(listener)
  }

  get waitingOperations(): number {
    return this.#parts.queue.waitingOperations
  }

  onCommitted(listener: (committed: Committed) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #settle(act: Act, result: SqliteResult): ActResult {
    switch (result.status) {
      case 'done': {
        const events = act.events.map((event, index) => ({
          ...event,
          at: act.at,
          sequence: toSequence(result.value + index),
        }))
        const heads = act.appends.map((append) => append.head)
        if (act.purges !== undefined && act.purges.length > 0) this.#parts.views.endAll()
        this.#tell({ heads: act.purges === undefined ? heads : [...heads, ...act.purges], events })
        const { lockExpiresAt } = result
        return { status: 'committed', events, ...(lockExpiresAt === undefined ? {} : { lockExpiresAt }) }
      }
      case 'locked':
      case 'lock-moved':
        return { status: result.status, document: trustedDocumentId(result.document) }
      case 'stale':
        return { status: 'stale', document: trustedDocumentId(result.document), version: toVersion(result.version) }
      case 'conflict-moved':
        return { status: 'conflict-moved', conflict: toConflictId(result.conflict) }
      case 'answered':
      case 'settled':
        return { status: result.status }
      case 'missed':
        throw new Error('An act misses nothing: it is stale.')
      case 'failed':
        throw toError(result.failure)
      default:
        return assertNever(result)
    }
  }

  /** A listener that throws is a bug, but not one that could undo the act or be kept from the other listeners. */
  #tell(committed: Committed): void {
    for (const listener of this.#listeners) {
      try {
        listener(committed)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  async tidy(): Promise<boolean> {
    return (await this.#write({ op: 'tidy' })) === 1
  }

  onUntidy(listener: () => void): () => void {
    return this.#parts.queue.onUntidy(listener)
  }

  async storeSnapshot(document: DocumentId, snapshot: Snapshot, entryChecksum: number): Promise<void> {
    await this.#write({ op: 'snapshot', document, row: encodeSnapshot(document, snapshot), entryChecksum })
  }

  async setLabel(
    document: DocumentId,
    version: Version,
    label: string | null,
    answer?: StoredAnswer,
  ): Promise<boolean> {
    return (await this.#write({ op: 'label', document, version, label, ...withAnswer(answer) })) === 1
  }

  async rewrite({ document, replaced, rows }: Rewrite): Promise<boolean> {
    const kept = rows.map((row) => row.version)
    const pack = await encodePack(document, rows)
    return (await this.#write({ op: 'rewrite', document, replaced, kept, pack })) === 1
  }

  async setLogProgress(document: DocumentId, progress: LogProgress): Promise<void> {
    const { packed, joined, dueAt } = progress
    await this.#write({ op: 'log-progress', document, packed, joined, dueAt })
  }

  async erasePurged(document: DocumentId): Promise<boolean> {
    const state = await this.#write({ op: 'erase-purged', document })
    if (state !== PURGE.rowsGone) return state === PURGE.rowsLeft
    const isEmpty = (await this.#parts.views.without(() => this.#write({ op: 'empty-wal' }))) === 1
    if (!isEmpty) throw unavailable('somebody reads an older state of it')
    await this.#write({ op: 'end-purge', document })
    return false
  }

  async keepWaiting(edits: WaitingEdits, incarnation: Incarnation): Promise<number | null> {
    const position = await this.#write({ op: 'keep-waiting', row: encodeWaiting(edits), incarnation })
    return position === 0 ? null : position
  }

  async pruneEvents(before: number): Promise<number> {
    return this.#write({ op: 'prune-events', before })
  }

  async pruneConflicts(before: number): Promise<number> {
    return this.#write({ op: 'prune-conflicts', before })
  }

  async pruneAnswers(before: number): Promise<number> {
    return this.#write({ op: 'prune-answers', before })
  }

  async revoke(revocation: Revocation, answer?: StoredAnswer): Promise<void> {
    await this.#write({ op: 'revoke', row: encodeRevocation(revocation), ...withAnswer(answer) })
  }

  async pruneRevocations(before: number): Promise<number> {
    return this.#write({ op: 'prune-revocations', before })
  }

  async addWebhook(webhook: Webhook, cursor: string, answer?: StoredAnswer): Promise<void> {
    await this.#write({ op: 'webhook-insert', row: encodeWebhook(webhook, cursor), ...withAnswer(answer) })
  }

  async updateWebhook(webhook: Webhook, enables: boolean, answer?: StoredAnswer): Promise<void> {
    const { id, record } = encodeWebhook(webhook, '')
    await this.#write({ op: 'webhook-update', id, record, enables, ...withAnswer(answer) })
  }

  async disableWebhook(id: WebhookId, at: number, reason: DisabledReason): Promise<void> {
    await this.#write({ op: 'webhook-disable', id, at, reason })
  }

  async deleteWebhook(id: WebhookId, answer?: StoredAnswer): Promise<void> {
    await this.#write({ op: 'webhook-delete', id, ...withAnswer(answer) })
  }

  async queueDeliveries(
    id: WebhookId,
    cursor: string,
    deliveries: readonly Delivery[],
  ): Promise<readonly StoredDelivery[]> {
    const first = await this.#write({ op: 'deliveries-queue', id, cursor, rows: deliveries.map(encodeDelivery) })
    return first === 0 ? [] : deliveries.map((delivery, index) => ({ ...delivery, position: first + index }))
  }

  async updateDelivery(id: WebhookId, { position, ...delivery }: StoredDelivery, keep: number): Promise<void> {
    await this.#write({ op: 'delivery-update', id, position, row: encodeDelivery(delivery), keep })
  }

  async writable(): Promise<boolean> {
    try {
      await this.#write({ op: 'probe' })
      return true
    } catch (error) {
      if (error instanceof ParleyError) return false
      throw error
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The writer goes last: whoever closes a database last moves the WAL into it, which is work for its thread. */
  async #close(): Promise<void> {
    const { reader, views, executor, queue, lock } = this.#parts
    await queue.drain()
    this.#closed = true
    views.close()
    reader.close()
    await executor.close()
    lock.release()
  }

  #write(operation: Exclude<SqliteOperation, { op: 'act' }>): Promise<number> {
    return this.#parts.queue.submit(operation, (result) => {
      if (result.status === 'answered') throw requestInProgress()
      if (result.status === 'missed') return 0
      invariant(result.status === 'done', 'only acts are refused')
      return result.value
    })
  }

  protected reader(): SqliteReader {
    if (this.#closed) throw new ParleyError('shutting-down', 'The storage is closed.')
    return this.#parts.reader
  }
}
