import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import type { EventType } from './event.ts'

/** What somebody asked for to see whether it arrives. */
export const WEBHOOK_TEST = 'parley.webhook.test'

export type WebhookId = `whk_${string}`

/** Why nothing is sent any more: its receiver answered 410, or its owner's tokens were revoked. */
export type DisabledReason = 'gone' | 'revoked'

/** Who registered a webhook, and the claims of the token it was registered with. Times are seconds, as in tokens. */
export interface WebhookOwner {
  readonly sub: PrincipalId
  readonly name: string | null
  readonly access: Readonly<Record<string, readonly string[]>>
  readonly issuedAt: number
  readonly expiresAt: number
  readonly tokenId: string | null
}

/** A registered webhook (SPEC NOTE-5). */
export interface Webhook {
  readonly id: WebhookId
  readonly url: string
  /** Patterns, as they were sent. */
  readonly documents: readonly string[]
  readonly events: readonly EventType[]
  /** `whsec_` and the key in base64, as Standard Webhooks has it. */
  readonly secret: string
  /** The one before it, by which messages are signed as well until then. */
  readonly previousSecret?: { readonly secret: string; readonly until: number }
  readonly owner: WebhookOwner
  /** Milliseconds since the epoch, as every time below. */
  readonly createdAt: number
}

/** A webhook as storage holds it. */
export interface StoredWebhook {
  readonly webhook: Webhook
  /** Every event before this place of the feed is in its deliveries. */
  readonly cursor: string
  readonly disabled: { readonly at: number; readonly reason: DisabledReason } | null
}

/** How the last try went. */
export interface Attempt {
  readonly at: number
  /** The HTTP status, where there was an answer. */
  readonly status: number | null
  /** What went wrong, for the owner to read; null where it went well. */
  readonly error: string | null
}

export type DeliveryState =
  | { readonly status: 'pending'; readonly nextAttemptAt: number }
  | { readonly status: 'delivered' | 'failed'; readonly finishedAt: number }

/** One message to one webhook: an event, or that some can no longer be told. */
export interface Delivery {
  /** `webhook-id`: the same on each try. */
  readonly message: string
  readonly type: EventType | 'resync' | typeof WEBHOOK_TEST
  /** Null for what is of no document. */
  readonly document: DocumentId | null
  /** What is posted. */
  readonly body: string
  readonly createdAt: number
  readonly attempts: number
  readonly firstAttemptAt: number | null
  readonly lastAttempt: Attempt | null
  readonly state: DeliveryState
}

export interface StoredDelivery extends Delivery {
  /** Grows from delivery to delivery. */
  readonly position: number
}
