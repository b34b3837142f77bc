import type { StoredAnswer } from '../foundation/answer.ts'
import type { Delivery, DisabledReason, StoredDelivery, StoredWebhook, Webhook, WebhookId } from '../model/webhook.ts'

export interface DeliveryQuery {
  /** Positions below this one: newest first. */
  readonly before: number | null
  readonly limit: number
}

/** What is asked about webhooks and their deliveries. */
export interface WebhookReads {
  /** All there are: thousands, of tens of KB each. */
  webhooks(): Promise<readonly StoredWebhook[]>
  webhook(id: WebhookId): Promise<StoredWebhook | null>
  /** Deliveries still to be made, oldest first. */
  pendingDeliveries(id: WebhookId): Promise<readonly StoredDelivery[]>
  deliveries(id: WebhookId, query: DeliveryQuery): Promise<readonly StoredDelivery[]>
  /** By its message id. */
  delivery(id: WebhookId, message: string): Promise<StoredDelivery | null>
}

/** What is written about webhooks. An `answer` is kept as an act keeps one. */
export interface WebhookWrites {
  /** Keeps a new webhook, whose deliveries begin after `cursor`. */
  addWebhook(webhook: Webhook, cursor: string, answer?: StoredAnswer): Promise<void>
  /** Replaces all but its cursor; `enables`: it works again, if it did not. */
  updateWebhook(webhook: Webhook, enables: boolean, answer?: StoredAnswer): Promise<void>
  /** Nothing is queued for it from now on. What is pending stays for one that is `gone`, else it is forgotten. */
  disableWebhook(id: WebhookId, at: number, reason: DisabledReason): Promise<void>
  /** Forgets it and all its deliveries. */
  deleteWebhook(id: WebhookId, answer?: StoredAnswer): Promise<void>
  /**
   * Queues deliveries behind those that wait and moves the webhook's cursor, as one. Answers them as stored; none
   * where the webhook is disabled or gone.
   */
  queueDeliveries(id: WebhookId, cursor: string, deliveries: readonly Delivery[]): Promise<readonly StoredDelivery[]>
  /** Replaces what is known of a delivery. When it is finished, all but the newest `keep` finished ones are forgotten. */
  updateDelivery(id: WebhookId, delivery: StoredDelivery, keep: number): Promise<void>
}
