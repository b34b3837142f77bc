import type { Delivery, DisabledReason, StoredDelivery, StoredWebhook, Webhook } from '../../../model/webhook.ts'
import { parseStored } from '../row.ts'

export interface WebhookRow {
  readonly id: string
  readonly record: string
  readonly cursor: string
}
export interface StoredWebhookRow extends WebhookRow {
  readonly disabled_at: number | null
  readonly disabled_reason: DisabledReason | null
}

export interface DeliveryRow {
  readonly pending: 0 | 1
  readonly record: string
}
export interface StoredDeliveryRow extends DeliveryRow {
  readonly position: number
}

export const encodeWebhook = (webhook: Webhook, cursor: string): WebhookRow => ({
  id: webhook.id,
  record: JSON.stringify(webhook),
  cursor,
})

export function decodeWebhook(row: StoredWebhookRow): StoredWebhook {
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

export const decodeDelivery = (row: StoredDeliveryRow): StoredDelivery => ({
  ...parseStored<Delivery>(row.record),
  position: row.position,
})
