/** Events and webhooks, as the API shows them. */
import { Type } from 'typebox'
import { PATTERN_PATTERN } from '../../foundation/ids.ts'
import { EVENT_TYPES } from '../../model/event.ts'
import { WEBHOOK_TEST } from '../../model/webhook.ts'
import {
  CountShape,
  CursorShape,
  DocumentIdShape,
  listOf,
  oneOf,
  orNull,
  pageShape,
  PersonShape,
  TimeShape,
  WebhookIdShape,
} from './values.ts'

export const EventShape = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: CursorShape,
    source: Type.String({ format: 'uri', maxLength: 2_048 }),
    type: oneOf(EVENT_TYPES),
    subject: Type.String({ maxLength: 256, pattern: '^documents/' }),
    time: TimeShape,
    datacontenttype: Type.Literal('application/json'),
    data: Type.Unsafe({
      type: 'object',
      description: 'Ids, versions, actors, pointers and hrefs; never contents. `href` leads to what it tells of.',
      properties: { document: DocumentIdShape, href: Type.String({ maxLength: 512, pattern: '^/' }) },
      required: ['document', 'href'],
      additionalProperties: {
        anyOf: [
          { type: ['number', 'boolean', 'null'] },
          { type: 'string', maxLength: 4_096 },
          { type: 'array', maxItems: 20, items: { type: 'string', maxLength: 4_096 } },
        ],
      },
    }),
  },
  { title: 'Event', description: 'A CloudEvent 1.0. Its `id` is a cursor: any can be given as `since`.' },
)
/** What was missed can no longer be told. */
export const ResyncShape = Type.Object({ type: Type.Literal('resync'), cursor: CursorShape }, { title: 'Resync' })
/** Of a post to a webhook (https://www.standardwebhooks.com). */
export const WebhookHeadersShape = Type.Object(
  {
    'webhook-id': Type.String({ maxLength: 64, description: 'The same on each try.' }),
    'webhook-timestamp': Type.String({ pattern: '^[0-9]+$', maxLength: 16 }),
    'webhook-signature': Type.String({ pattern: '^v1,', maxLength: 128 }),
  },
  { title: 'WebhookHeaders' },
)
export const PollShape = Type.Object(
  { events: listOf(EventShape, { maxItems: 1_001 }), cursor: CursorShape },
  { title: 'Poll', description: 'What came since; go on from `cursor`.' },
)
export const StreamShape = Type.String({
  title: 'EventStream',
  maxLength: 2_147_483_647,
  description:
    'Server-Sent Events: `id` the cursor, `event` the type, `data` the whole event; or `resync` with a fresh cursor, or `bookmark` with one to go on from.',
})

const patterns = listOf(Type.String({ pattern: PATTERN_PATTERN, maxLength: 129 }), { maxItems: 100 })
const webhook = {
  id: WebhookIdShape,
  url: Type.String({ format: 'uri', maxLength: 2_048 }),
  documents: patterns,
  events: listOf(oneOf(EVENT_TYPES), { maxItems: EVENT_TYPES.length }),
  owner: PersonShape,
  createdAt: TimeShape,
  status: oneOf(['active', 'disabled']),
  disabledAt: orNull(TimeShape),
  disabledReason: orNull(oneOf(['gone', 'revoked'])),
  previousSecretUntil: orNull(TimeShape),
}
export const WebhookShape = Type.Object(webhook, { title: 'Webhook' })
export const NewWebhookShape = Type.Object(
  { ...webhook, secret: Type.String({ maxLength: 128, pattern: '^whsec_' }) },
  { title: 'NewWebhook', description: 'With its secret, which is shown once.' },
)
export const WebhookPageShape = pageShape('WebhookPage', WebhookShape)
export const DeliveryShape = Type.Object(
  {
    id: Type.String({ maxLength: 64, description: '`webhook-id` of each try.' }),
    type: oneOf([...EVENT_TYPES, 'resync', WEBHOOK_TEST]),
    document: orNull(DocumentIdShape),
    status: oneOf(['pending', 'delivered', 'failed']),
    createdAt: TimeShape,
    attempts: CountShape,
    lastAttemptAt: orNull(TimeShape),
    lastStatus: orNull(Type.Integer({ minimum: 100, maximum: 599, format: 'int32' })),
    lastError: orNull(Type.String({ maxLength: 4_096 })),
    nextAttemptAt: orNull(TimeShape),
    finishedAt: orNull(TimeShape),
    body: Type.String({ maxLength: 65_536, description: 'What is posted, to the byte.' }),
  },
  { title: 'Delivery' },
)
export const DeliveryPageShape = pageShape('DeliveryPage', DeliveryShape)
