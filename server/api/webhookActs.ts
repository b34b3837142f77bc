import { Type } from 'typebox'
import type { About } from '../http/about.ts'
import type { Idempotency } from '../http/idempotency.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import type { Delivery, WebhookId } from '../model/webhook.ts'
import type { KnownWebhook, Webhooks } from '../notifications/webhooks.ts'
import { DeliveryShape, NewWebhookShape, WebhookShape } from './shapes/notifications.ts'
import {
  BODY_LIMIT_BYTES,
  Registration,
  showDelivery,
  showWebhook,
  webhookInPath,
  withSecretAgain,
} from './webhooks.ts'

/** A receiver takes the new secret up within it; a day and night, so that somebody is there. */
const DEFAULT_OVERLAP_SECONDS = 24 * 3_600
const MAX_OVERLAP_SECONDS = 7 * 24 * 3_600

const ChangeBody = Type.Partial(Registration, { additionalProperties: false, minProperties: 1, title: 'WebhookChange' })
const SecretBody = Type.Union([
  Type.Null(),
  Type.Object(
    {
      overlapSeconds: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: MAX_OVERLAP_SECONDS,
          description: 'For how long posts are signed by the secret before it as well; a day, if it is not said.',
        }),
      ),
    },
    { additionalProperties: false, title: 'SecretRotation' },
  ),
])

/** What can be done with a webhook that is registered (SPEC NOTE-8). */
export function webhookActRoutes(webhooks: Webhooks, idempotency: Idempotency): Routes {
  return async (app) => {
    addChange(app, webhooks, idempotency)
    addRotation(app, webhooks, idempotency)
    addTest(app, webhooks, idempotency)
    addResend(app, webhooks, idempotency)
  }
}

function addChange(app: TypedApp, webhooks: Webhooks, idempotency: Idempotency): void {
  const about: About = {
    id: 'changeWebhook',
    tag: 'notifications',
    summary: 'Change where a webhook posts to, or what it asks for',
    text: 'What waits is still told. One that was disabled because its receiver was gone works again at another URL.',
    answers: { 200: { text: 'The webhook.', body: WebhookShape } },
    refusals: ['not-found', 'address-refused'],
  }
  const config = { access: 'authenticated', about } as const
  const options = { config, schema: { body: ChangeBody }, bodyLimit: BODY_LIMIT_BYTES } as const
  app.patch('/conflict-notifications/:webhook', options, async (request, reply) => {
    const id = webhookInPath(request.params)
    return idempotency.answer(request, reply, {
      documents: [],
      perform: (terms) => webhooks.change(id, request.principal, request.body, terms),
      answer: (known: KnownWebhook) => ({ status: 200, body: showWebhook(known) }),
    })
  })
}

function addRotation(app: TypedApp, webhooks: Webhooks, idempotency: Idempotency): void {
  const about: About = {
    id: 'rotateWebhookSecret',
    tag: 'notifications',
    summary: 'Draw another secret for a webhook',
    answers: { 200: { text: 'The webhook with its secret.', body: NewWebhookShape, headers: ['Cache-Control'] } },
    refusals: ['not-found'],
  }
  const config = { access: 'authenticated', secret: true, about } as const
  app.post(
    '/conflict-notifications/:webhook/secret',
    { config, schema: { body: SecretBody } },
    async (request, reply) => {
      const id = webhookInPath(request.params)
      const { overlapSeconds = DEFAULT_OVERLAP_SECONDS } = request.body ?? {}
      return idempotency.answer(request, reply, {
        documents: [],
        perform: (terms) => webhooks.rotateSecret(id, request.principal, overlapSeconds * 1_000, terms),
        answer: (known: KnownWebhook) => ({
          status: 200,
          headers: { 'cache-control': 'no-store' },
          body: { ...showWebhook(known), secret: known.webhook.secret },
          keptBody: showWebhook(known),
        }),
        reveal: (kept) => withSecretAgain(kept, webhooks, request.principal),
      })
    },
  )
}

function addTest(app: TypedApp, webhooks: Webhooks, idempotency: Idempotency): void {
  const about: About = {
    id: 'testWebhook',
    tag: 'notifications',
    summary: 'Have a test message posted to a webhook',
    text: 'A CloudEvent `parley.webhook.test`, signed and retried as any other.',
    answers: { 202: { text: 'The delivery, on its way.', body: DeliveryShape } },
    refusals: ['not-found', 'webhook-disabled'],
  }
  app.post(
    '/conflict-notifications/:webhook/test',
    { config: { access: 'authenticated', about } },
    (request, reply) => {
      const id = webhookInPath(request.params)
      return idempotency.answer(request, reply, {
        documents: [],
        perform: async () => webhooks.test(id, request.principal),
        answer: accepted,
      })
    },
  )
}

function addResend(app: TypedApp, webhooks: Webhooks, idempotency: Idempotency): void {
  const about: About = {
    id: 'resendDelivery',
    tag: 'notifications',
    summary: 'Have a delivery posted again',
    text: 'Under the same message id, and retried anew for three days. One that waits is due at once, where it is the next of its document.',
    answers: { 202: { text: 'The delivery, on its way.', body: DeliveryShape } },
    refusals: ['not-found', 'webhook-disabled'],
  }
  const path = '/conflict-notifications/:webhook/deliveries/:delivery/resend'
  app.post(path, { config: { access: 'authenticated', about } }, (request, reply) => {
    const id: WebhookId = webhookInPath(request.params)
    const message = deliveryInPath(request.params)
    return idempotency.answer(request, reply, {
      documents: [],
      perform: async () => webhooks.resend(id, request.principal, message),
      answer: accepted,
    })
  })
}

const accepted = (delivery: Delivery) => ({ status: 202, body: showDelivery(delivery) })

/** Any text: one that is no id names no delivery. */
function deliveryInPath(params: unknown): string {
  const text: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'delivery') : undefined
  return typeof text === 'string' ? text : ''
}
