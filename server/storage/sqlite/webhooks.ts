import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import type {
  Delivery,
  DisabledReason,
  StoredDelivery,
  StoredWebhook,
  Webhook,
  WebhookId,
} from '../../model/webhook.ts'
import type { DeliveryQuery } from '../webhooks.ts'
import { notPurged } from './purges.ts'
import { parseStored } from './row.ts'

interface WebhookRow {
  readonly id: string
  readonly record: string
  readonly cursor: string
}
interface StoredWebhookRow extends WebhookRow {
  readonly disabled_at: number | null
  readonly disabled_reason: DisabledReason | null
}

interface DeliveryRow {
  readonly pending: 0 | 1
  readonly record: string
}
interface StoredDeliveryRow extends DeliveryRow {
  readonly position: number
}

export const encodeWebhook = (webhook: Webhook, cursor: string): WebhookRow => ({
  id: webhook.id,
  record: JSON.stringify(webhook),
  cursor,
})

function decodeWebhook(row: StoredWebhookRow): StoredWebhook {
  const { record, cursor, disabled_at: at, disabled_reason: reason } = row
  return {
    webhook: parseStored<Webhook>(record),
    cursor,
    disabled: at === null || reason === null ? null : { at, reason },
  }
}

export const encodeDelivery = (delivery: Delivery): DeliveryRow => ({
  pending: delivery.state.status === 'pending' ? 1 : 0,
  record: JSON.stringify(delivery),
})

const decodeDelivery = (row: StoredDeliveryRow): StoredDelivery => ({
  ...parseStored<Delivery>(row.record),
  position: row.position,
})

/** What the writer is asked to do about webhooks. */
export type WebhookOperation =
  | { readonly op: 'webhook-insert'; readonly row: WebhookRow }
  | { readonly op: 'webhook-update'; readonly id: string; readonly record: string; readonly enables: boolean }
  | { readonly op: 'webhook-disable'; readonly id: string; readonly at: number; readonly reason: string }
  | { readonly op: 'webhook-delete'; readonly id: string }
  | {
      readonly op: 'deliveries-queue'
      readonly id: string
      readonly cursor: string
      readonly rows: readonly DeliveryRow[]
    }
  | {
      readonly op: 'delivery-update'
      readonly id: string
      readonly position: number
      readonly row: DeliveryRow
      /** Finished deliveries of the webhook that are kept. */
      readonly keep: number
    }

/** Does them; knows nothing of transactions. */
export class SqliteWebhookWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** Answers the position of the first delivery queued; 0 for everything else. */
  run(operation: WebhookOperation): number {
    switch (operation.op) {
      case 'webhook-insert':
        this.#sql.insert.run(operation.row)
        return 0
      case 'webhook-update':
        this.#sql.change.run(operation.record, operation.id)
        if (operation.enables) this.#sql.enable.run(operation.id)
        return 0
      case 'webhook-disable':
        this.#sql.disable.run(operation.at, operation.reason, operation.id)
        // One whose receiver is gone goes on with what waits, where it gets another one.
        if (operation.reason !== 'gone') this.#sql.deletePending.run(operation.id)
        return 0
      case 'webhook-delete':
        this.#sql.deleteDeliveries.run(operation.id)
        this.#sql.delete.run(operation.id)
        return 0
      case 'deliveries-queue':
        return this.#queue(operation)
      case 'delivery-update':
        this.#sql.update.run(operation.row.pending, operation.row.record, operation.position)
        if (operation.row.pending === 0) this.#sql.forget.run({ id: operation.id, keep: operation.keep })
        return 0
      default:
        return assertNever(operation)
    }
  }

  /** Nothing is queued for a webhook that is gone or disabled meanwhile. */
  #queue({ id, cursor, rows }: WebhookOperation & { op: 'deliveries-queue' }): number {
    if (this.#sql.move.run(cursor, id).changes === 0) return 0
    let last = 0
    for (const row of rows) last = Number(this.#sql.queue.run(id, row.pending, row.record).lastInsertRowid)
    if (rows.length === 0) return 0
    const first = last - rows.length + 1
    this.#sql.dropPurged.run(first)
    return first
  }
}

/** Answers what is asked about webhooks. */
export class SqliteWebhookReader {
  readonly #sql: ReturnType<typeof prepareReads>

  constructor(connection: Database.Database) {
    this.#sql = prepareReads(connection)
  }

  webhooks(): StoredWebhook[] {
    return this.#sql.webhooks.all().map(decodeWebhook)
  }

  webhook(id: WebhookId): StoredWebhook | null {
    const row = this.#sql.webhook.get(id)
    return row === undefined ? null : decodeWebhook(row)
  }

  pendingDeliveries(id: WebhookId): StoredDelivery[] {
    return this.#sql.pending.all(id).map(decodeDelivery)
  }

  delivery(id: WebhookId, message: string): StoredDelivery | null {
    const row = this.#sql.delivery.get(id, message)
    return row === undefined ? null : decodeDelivery(row)
  }

  deliveries(id: WebhookId, { before, limit }: DeliveryQuery): StoredDelivery[] {
    return this.#sql.deliveries.all(id, before ?? Number.MAX_SAFE_INTEGER, limit).map(decodeDelivery)
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    insert: connection.prepare<[WebhookRow]>(
      'INSERT INTO webhooks (id, record, cursor) VALUES (@id, @record, @cursor)',
    ),
    change: connection.prepare<[record: string, id: string]>('UPDATE webhooks SET record = ? WHERE id = ?'),
    enable: connection.prepare<[id: string]>(
      'UPDATE webhooks SET disabled_at = NULL, disabled_reason = NULL WHERE id = ?',
    ),
    disable: connection.prepare<[at: number, reason: string, id: string]>(
      'UPDATE webhooks SET disabled_at = ?, disabled_reason = ? WHERE id = ? AND disabled_at IS NULL',
    ),
    delete: connection.prepare<[id: string]>('DELETE FROM webhooks WHERE id = ?'),
    move: connection.prepare<[cursor: string, id: string]>(
      'UPDATE webhooks SET cursor = ? WHERE id = ? AND disabled_at IS NULL',
    ),
    queue: connection.prepare<[id: string, pending: number, record: string]>(
      'INSERT INTO webhook_deliveries (webhook, pending, record) VALUES (?, ?, ?)',
    ),
    /** What was on its way here when its document was purged. Of a new life nothing can be on its way yet. */
    dropPurged: connection.prepare<[first: number]>(
      `DELETE FROM webhook_deliveries WHERE position >= ? AND record ->> 'type' <> 'parley.document.deleted'
         AND EXISTS (SELECT 1 FROM purges JOIN documents ON documents.key = purges.document
                     WHERE purges.id = record ->> 'document' AND deleted_at IS NOT NULL)`,
    ),
    update: connection.prepare<[pending: number, record: string, position: number]>(
      'UPDATE webhook_deliveries SET pending = ?, record = ? WHERE position = ?',
    ),
    deletePending: connection.prepare<[id: string]>('DELETE FROM webhook_deliveries WHERE webhook = ? AND pending = 1'),
    deleteDeliveries: connection.prepare<[id: string]>('DELETE FROM webhook_deliveries WHERE webhook = ?'),
    forget: connection.prepare<[{ id: string; keep: number }]>(
      `DELETE FROM webhook_deliveries WHERE webhook = @id AND pending = 0 AND position <=
         (SELECT position FROM webhook_deliveries WHERE webhook = @id AND pending = 0
          ORDER BY position DESC LIMIT 1 OFFSET @keep)`,
    ),
  }
}

const WEBHOOKS = 'SELECT id, record, cursor, disabled_at, disabled_reason FROM webhooks'
const TELLS_OF = "webhook_deliveries.record ->> 'document'"
/** That a document was deleted is told even where nothing else of it is (SPEC HIST-5). */
const IS_SHOWN = `(record ->> 'type' = 'parley.document.deleted'
  OR ${notPurged('webhook_deliveries', 'position', 'delivery', TELLS_OF)})`

function prepareReads(connection: Database.Database) {
  return {
    webhooks: connection.prepare<[], StoredWebhookRow>(`${WEBHOOKS} ORDER BY id`),
    webhook: connection.prepare<[id: string], StoredWebhookRow>(`${WEBHOOKS} WHERE id = ?`),
    pending: connection.prepare<[id: string], StoredDeliveryRow>(
      `SELECT position, pending, record FROM webhook_deliveries
       WHERE webhook = ? AND pending = 1 AND ${IS_SHOWN} ORDER BY position`,
    ),
    delivery: connection.prepare<[id: string, message: string], StoredDeliveryRow>(
      `SELECT position, pending, record FROM webhook_deliveries
       WHERE webhook = ? AND record ->> 'message' = ? AND ${IS_SHOWN}`,
    ),
    deliveries: connection.prepare<[id: string, before: number, limit: number], StoredDeliveryRow>(
      `SELECT position, pending, record FROM webhook_deliveries WHERE webhook = ? AND position < ? AND ${IS_SHOWN}
       ORDER BY position DESC LIMIT ?`,
    ),
  }
}
