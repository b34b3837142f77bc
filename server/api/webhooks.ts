import { Type } from 'typebox'
import type { Principal } from '../access/access.ts'
import { invariant } from '../foundation/assert.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Idempotency } from '../http/idempotency.ts'
import type { About } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { PAGE_QUERY, pageAsked, pageOf } from '../http/pagination.ts'
import { MAX_PATTERNS } from '../notifications/request.ts'
import type { Delivery, Webhook, WebhookId } from '../model/webhook.ts'
import type { KnownWebhook, Webhooks } from '../notifications/webhooks.ts'
import { DeliveryPageShape, NewWebhookShape, WebhookPageShape, WebhookShape } from './shapes/notifications.ts'
import { WEBHOOK_ID_PATTERN } from './shapes/values.ts'

/** Patterns of full length fit in. */
export const BODY_LIMIT_BYTES = 32 * 1024
const MAX_URL_LENGTH = 2_048

export const Registration = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: MAX_URL_LENGTH }),
    documents: Type.Array(Type.String(), { minItems: 1, maxItems: MAX_PATTERNS }),
    events: Type.Optional(
      Type.Array(Type.String(), { description: 'Types; without it all but `parley.document.changed`.' }),
    ),
  },
  { additionalProperties: false, title: 'WebhookRegistration' },
)
const ListQuery = Type.Object(PAGE_QUERY, { additionalProperties: false })
/** Positions in the lists: the last one shown. */
const WebhookCursor = Type.Tuple([Type.String({ pattern: WEBHOOK_ID_PATTERN })])
const DeliveryCursor = Type.Tuple([Type.Integer({ minimum: 1 })])

/** Webhooks as resources (SPEC NOTE-5). */
export function webhookRoutes(webhooks: Webhooks, idempotency: Idempotency): Routes {
  return async (app) => {
    addRegister(app, webhooks, idempotency)
    addList(app, webhooks)
    addOne(app, webhooks, idempotency)
    addDeliveries(app, webhooks)
  }
}

function addRegister(app: TypedApp, webhooks: Webhooks, idempotency: Idempotency): void {
  const options = {
    config: {
      access: 'authenticated',
      secret: true,
      about: {
        id: 'registerWebhook',
        tag: 'notifications',
        summary: 'Register a webhook',
        text: 'Posts are signed by Standard Webhooks. Its rights are those of the token it is registered with.',
        answers: {
          201: { text: 'The webhook with its secret.', body: NewWebhookShape, headers: ['Location', 'Cache-Control'] },
        },
        refusals: ['not-found', 'too-many-webhooks', 'address-refused'],
      },
    },
    schema: { body: Registration },
    bodyLimit: BODY_LIMIT_BYTES,
  } as const
  app.post('/conflict-notifications', options, async (request, reply) => {
    const { principal, body } = request
    return idempotency.answer(request, reply, {
      documents: [],
      perform: (terms) => webhooks.register(principal, body, terms),
      answer: (webhook: Webhook) => ({
        status: 201,
        headers: { location: `${request.linkBase}/conflict-notifications/${webhook.id}`, 'cache-control': 'no-store' },
        body: { ...showWebhook({ webhook, disabled: null }), secret: webhook.secret },
        keptBody: showWebhook({ webhook, disabled: null }),
      }),
      reveal: (kept) => withSecretAgain(kept, webhooks, principal),
    })
  })
}

function addList(app: TypedApp, webhooks: Webhooks): void {
  const about: About = {
    id: 'listWebhooks',
    tag: 'notifications',
    summary: "List one's own webhooks",
    answers: { 200: { text: 'A page of webhooks.', body: WebhookPageShape } },
    refusals: ['invalid-cursor'],
  }
  const options = { config: { access: 'authenticated', about }, schema: { querystring: ListQuery } } as const
  app.get('/conflict-notifications/webhooks', options, async (request) => {
    const { limit, after } = pageAsked(request.query, WebhookCursor)
    const own = webhooks.ownedBy(request.principal.sub).toSorted((a, b) => (a.webhook.id < b.webhook.id ? -1 : 1))
    const found = own.filter(({ webhook }) => after === null || webhook.id > after[0])
    return pageOf(found, limit, showWebhook, ({ webhook }) => [webhook.id])
  })
}

function addOne(app: TypedApp, webhooks: Webhooks, idempotency: Idempotency): void {
  const shown: About = {
    id: 'readWebhook',
    tag: 'notifications',
    summary: 'Look at a webhook',
    answers: { 200: { text: 'The webhook, without its secret.', body: WebhookShape } },
    refusals: ['not-found'],
  }
  const removed: About = {
    id: 'deleteWebhook',
    tag: 'notifications',
    summary: 'Delete a webhook',
    answers: { 204: { text: 'Nothing more is posted.' } },
    refusals: ['not-found'],
  }
  app.get('/conflict-notifications/:webhook', { config: { access: 'authenticated', about: shown } }, async (request) =>
    showWebhook(webhooks.find(webhookInPath(request.params), request.principal)),
  )
  const deleting = { config: { access: 'authenticated', about: removed } } as const
  app.delete('/conflict-notifications/:webhook', deleting, async (request, reply) => {
    const id = webhookInPath(request.params)
    return idempotency.answer(request, reply, {
      documents: [],
      perform: (terms) => webhooks.remove(id, request.principal, terms),
      answer: () => ({ status: 204 }),
    })
  })
}

function addDeliveries(app: TypedApp, webhooks: Webhooks): void {
  const about: About = {
    id: 'listDeliveries',
    tag: 'notifications',
    summary: 'What became of the posts to a webhook',
    text: 'All that wait, and the newest 200 that are over.',
    answers: { 200: { text: 'A page of deliveries, newest first.', body: DeliveryPageShape } },
    refusals: ['not-found', 'invalid-cursor'],
  }
  const config = { access: 'authenticated', rate: { class: 'read', tokens: 5 }, about } as const
  const options = { config, schema: { querystring: ListQuery } } as const
  app.get('/conflict-notifications/:webhook/deliveries', options, async (request) => {
    const id = webhookInPath(request.params)
    const { limit, after } = pageAsked(request.query, DeliveryCursor)
    const query = { before: after && after[0], limit: limit + 1 }
    const found = await webhooks.deliveries(id, request.principal, query)
    return pageOf(found, limit, showDelivery, ({ position }) => [position])
  })
}

/** A stored answer that shows a webhook, with the secret that is not stored in it. */
export function withSecretAgain(kept: object, webhooks: Webhooks, principal: Principal): object {
  const id: unknown = Reflect.get(kept, 'id')
  invariant(typeof id === 'string' && isWebhookId(id), 'a kept answer names its webhook')
  return { ...kept, secret: webhooks.secretAgain(id, principal) }
}

export function webhookInPath(params: unknown): WebhookId {
  const text: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'webhook') : undefined
  if (typeof text === 'string' && isWebhookId(text)) return text
  throw new ParleyError('invalid-request', 'The path does not hold a valid webhook id.')
}

const isWebhookId = (text: string): text is WebhookId => new RegExp(WEBHOOK_ID_PATTERN).test(text)

/** Without its secret, which is shown once. */
export const showWebhook = ({ webhook, disabled }: KnownWebhook) => ({
  id: webhook.id,
  url: webhook.url,
  documents: webhook.documents,
  events: webhook.events,
  owner: webhook.owner.sub,
  createdAt: toTimestamp(webhook.createdAt),
  status: disabled === null ? 'active' : 'disabled',
  disabledAt: disabled && toTimestamp(disabled.at),
  disabledReason: disabled && disabled.reason,
  previousSecretUntil: webhook.previousSecret ? toTimestamp(webhook.previousSecret.until) : null,
})

export const showDelivery = ({ message, type, document, body, createdAt, attempts, lastAttempt, state }: Delivery) => ({
  id: message,
  type,
  document,
  status: state.status,
  createdAt: toTimestamp(createdAt),
  attempts,
  lastAttemptAt: lastAttempt && toTimestamp(lastAttempt.at),
  lastStatus: lastAttempt && lastAttempt.status,
  lastError: lastAttempt && lastAttempt.error,
  nextAttemptAt: state.status === 'pending' ? toTimestamp(state.nextAttemptAt) : null,
  finishedAt: state.status === 'pending' ? null : toTimestamp(state.finishedAt),
  body,
})
