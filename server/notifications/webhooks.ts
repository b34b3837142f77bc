/** Registered webhooks (SPEC NOTE-5): who has which, and what is on its way to each. */
import { can, canEverywhere, type Principal } from '../access/access.ts'
import { isPurged } from '../model/document.ts'
import { answerUnder, type Terms } from '../foundation/answer.ts'
import { newUlid, toTimestamp, type Environment } from '../foundation/environment.ts'
import type { Pattern, PrincipalId } from '../foundation/ids.ts'
import { documentNotFound, ParleyError } from '../foundation/problems.ts'
import type { CommittedActs } from '../storage/act.ts'
import type { WebhookReads, WebhookWrites } from '../storage/webhooks.ts'
import type { Feed } from './feed.ts'
import { parseRequest, type RawRequest } from './request.ts'
import {
  WEBHOOK_TEST,
  type Delivery,
  type DisabledReason,
  type StoredDelivery,
  type StoredWebhook,
  type Webhook,
  type WebhookId,
} from '../model/webhook.ts'
import { isPrivateHost } from './webhooksAddress.ts'
import { dueAgain, newMessageId, SECRET_PREFIX } from './webhookAttempt.ts'
import { KEPT_DELIVERIES, WebhookLine } from './webhookLine.ts'
import { ownerOf, principalOf } from './webhookOwner.ts'
import type { Send } from './webhooksSender.ts'

/** One principal needs a few receivers; each costs connections and a queue. */
const MAX_A_PRINCIPAL = 20
/** With four posts at a time each: 4,000 connections, and 1 GB of queues at the very worst. */
const MAX_WEBHOOKS = 1_000
/** Standard Webhooks: 24 to 64 bytes. */
const SECRET_BYTES = 32

type WebhookStorage = WebhookReads & WebhookWrites & CommittedActs

export interface WebhooksParts {
  readonly storage: WebhookStorage
  readonly environment: Environment
  readonly feed: Feed
  readonly send: Send
  /** Whether receivers may be on private addresses (`PARLEY_WEBHOOK_PRIVATE`). */
  readonly allowPrivate: boolean
  readonly isRevoked: (principal: Principal) => boolean
  /** Is told of errors nobody expected. */
  readonly onUnexpected: (error: unknown) => void
}

/** What a webhook is registered with, by its form already checked. */
export interface Registration extends RawRequest {
  readonly url: string
  readonly documents: readonly string[]
}

/** A webhook, and whether it still works. */
export type KnownWebhook = Pick<StoredWebhook, 'webhook' | 'disabled'>

export class Webhooks {
  readonly #parts: WebhooksParts
  readonly #known = new Map<WebhookId, KnownWebhook>()
  readonly #lines = new Map<WebhookId, WebhookLine>()
  #stopListening: () => void = () => undefined
  readonly #triedListeners = new Set<(delivery: StoredDelivery) => void>()
  #phase: 'starting' | 'running' | 'stopped' = 'starting'

  constructor(parts: WebhooksParts) {
    this.#parts = parts
  }

  /** Called after each post with what became of the delivery. Returns how to stop. */
  onTried(listener: (delivery: StoredDelivery) => void): () => void {
    this.#triedListeners.add(listener)
    return () => void this.#triedListeners.delete(listener)
  }

  /** Takes up what storage holds, where it was left. The feed must be open. */
  async start(): Promise<void> {
    for (const stored of await this.#parts.storage.webhooks()) {
      this.#known.set(stored.webhook.id, stored)
      if (stored.disabled === null) {
        this.#startLine(stored, await this.#parts.storage.pendingDeliveries(stored.webhook.id))
      }
    }
    this.#phase = 'running'
    this.#stopListening = this.#parts.storage.onCommitted(({ heads }) => {
      for (const head of heads) if (isPurged(head)) for (const line of this.#lines.values()) line.forget(head.id)
    })
    this.revalidate()
  }

  /** Ends every delivery that is under way; what is pending stays in storage. */
  stop(): void {
    this.#phase = 'stopped'
    this.#stopListening()
    for (const line of this.#lines.values()) line.stop()
    this.#lines.clear()
  }

  /** Disables those whose owner's tokens were revoked. */
  revalidate(): void {
    for (const line of [...this.#lines.values()]) line.revalidate()
  }

  /**
   * Keeps a new webhook and begins to deliver. Throws `invalid-request`, `not-found` for a document named that the
   * principal may not read, `address-refused`, or `too-many-webhooks`.
   */
  async register(
    principal: Principal,
    registration: Registration,
    terms: Terms<Webhook> | null = null,
  ): Promise<Webhook> {
    this.#assertRunning()
    const { environment, storage } = this.#parts
    const feed = this.#parts.feed
    const url = this.#assertPublic(registration.url)
    const { patterns, types } = parseRequest(registration, feed.epoch)
    assertReadable(principal, patterns)
    this.#assertRoom(principal.sub)
    const webhook: Webhook = {
      id: newWebhookId(environment),
      url,
      documents: registration.documents,
      events: [...types],
      secret: newSecret(environment),
      owner: ownerOf(principal),
      createdAt: environment.now(),
    }
    const cursor = feed.now()
    const known = { webhook, disabled: null }
    // Counted from here on, so that many at once do not pass the limit together.
    this.#known.set(webhook.id, known)
    try {
      await storage.addWebhook(webhook, cursor, await answerUnder(terms, webhook))
    } catch (error) {
      this.#known.delete(webhook.id)
      throw error
    }
    if (this.#isRunning) this.#startLine({ ...known, cursor }, [])
    return webhook
  }

  /** Those the principal registered, in the order of their ids. */
  ownedBy(sub: PrincipalId): readonly KnownWebhook[] {
    this.#assertRunning()
    return [...this.#known.values()].filter(({ webhook }) => webhook.owner.sub === sub)
  }

  /** Only its owner and `admin` see a webhook; throws `not-found` for all others. */
  find(id: WebhookId, principal: Principal): KnownWebhook {
    this.#assertRunning()
    const known = this.#known.get(id)
    if (known && (known.webhook.owner.sub === principal.sub || canEverywhere(principal, 'admin'))) return known
    throw new ParleyError('not-found', 'There is no such webhook that you may see.')
  }

  /** The secret of one that the principal owns and might register now. Throws `not-found`. */
  secretAgain(id: WebhookId, principal: Principal): string {
    const { webhook } = this.find(id, principal)
    assertReadable(principal, parseRequest(webhook, this.#parts.feed.epoch).patterns)
    return webhook.secret
  }

  /**
   * Changes where one is posted to and what it asks for; what waits is still told. One that was disabled because its
   * receiver was gone works again at another URL. Throws what `register` throws.
   */
  async change(
    id: WebhookId,
    principal: Principal,
    wanted: Partial<Registration>,
    terms: Terms<KnownWebhook> | null = null,
  ): Promise<KnownWebhook> {
    const { webhook, disabled } = this.find(id, principal)
    const url = wanted.url === undefined ? webhook.url : this.#assertPublic(wanted.url)
    const { documents = webhook.documents, events = webhook.events } = wanted
    const { patterns, types } = parseRequest({ documents, events }, this.#parts.feed.epoch)
    // Its rights are those it was registered with, whoever changes it.
    assertReadable(principalOf(webhook.owner), patterns)
    const enables = disabled?.reason === 'gone' && url !== webhook.url
    return this.#replace({ ...webhook, url, documents, events: [...types] }, enables, terms)
  }

  /** Draws another secret; the one before it signs as well for as long as that. */
  async rotateSecret(
    id: WebhookId,
    principal: Principal,
    overlapMs: number,
    terms: Terms<KnownWebhook> | null = null,
  ): Promise<KnownWebhook> {
    const { previousSecret: _, ...webhook } = this.find(id, principal).webhook
    const until = this.#parts.environment.now() + overlapMs
    const previous = overlapMs === 0 ? {} : { previousSecret: { secret: webhook.secret, until } }
    return this.#replace({ ...webhook, secret: newSecret(this.#parts.environment), ...previous }, false, terms)
  }

  /** Sends a message that tells of nothing, to see whether it arrives. Throws `webhook-disabled`, `overloaded`. */
  test(id: WebhookId, principal: Principal): Delivery {
    const { webhook } = this.find(id, principal)
    const { environment, feed } = this.#parts
    const message = newMessageId(environment)
    const event = {
      specversion: '1.0',
      id: message,
      source: feed.source,
      type: WEBHOOK_TEST,
      time: toTimestamp(environment.now()),
      datacontenttype: 'application/json',
      data: { webhook: webhook.id },
    }
    return this.#lineOf(id).send({ message, type: WEBHOOK_TEST, body: JSON.stringify(event) })
  }

  /** Sends a delivery once more, under the same message id. Throws `not-found`, `webhook-disabled`. */
  async resend(id: WebhookId, principal: Principal, message: string): Promise<StoredDelivery> {
    this.find(id, principal)
    const line = this.#lineOf(id)
    const { storage, environment } = this.#parts
    const found = await storage.delivery(id, message)
    if (found === null) throw noDelivery()
    const again = found.state.status === 'pending' ? found : dueAgain(found, environment.now())
    if (again !== found) await storage.updateDelivery(id, again, KEPT_DELIVERIES)
    // It may have been erased with its document, and the webhook disabled, meanwhile.
    const stored = await storage.delivery(id, message)
    if (stored === null) throw noDelivery()
    // It may have been taken meanwhile, too.
    if (stored.state.status === 'pending' && this.#lines.get(id) === line) line.resend(stored)
    return stored
  }

  async remove(id: WebhookId, principal: Principal, terms: Terms<void> | null = null): Promise<void> {
    this.find(id, principal)
    await this.#parts.storage.deleteWebhook(id, await answerUnder(terms, undefined))
    this.#known.delete(id)
    this.#lines.get(id)?.stop()
    this.#lines.delete(id)
  }

  /** What happened, newest first: deliveries with a position below `before`. */
  async deliveries(
    id: WebhookId,
    principal: Principal,
    query: { readonly before: number | null; readonly limit: number },
  ): Promise<readonly StoredDelivery[]> {
    this.find(id, principal)
    return this.#parts.storage.deliveries(id, query)
  }

  get #isRunning(): boolean {
    return this.#phase === 'running'
  }

  #assertRunning(): void {
    if (this.#phase === 'starting') throw new ParleyError('overloaded', 'The server is starting.')
    if (this.#phase === 'stopped') throw new ParleyError('shutting-down', 'The server is stopping.')
  }

  /** Throws `invalid-request` or `address-refused`. */
  #assertPublic(text: string): string {
    const url = parseUrl(text)
    if (this.#parts.allowPrivate || !isPrivateHost(url.hostname)) return url.href
    throw new ParleyError('address-refused', 'A webhook may not be on a private or loopback address.')
  }

  #lineOf(id: WebhookId): WebhookLine {
    const line = this.#lines.get(id)
    if (line) return line
    throw new ParleyError('webhook-disabled', 'Nothing is sent to this webhook any more.')
  }

  /** Keeps what a webhook is now, and goes on by it. */
  async #replace(webhook: Webhook, enables: boolean, terms: Terms<KnownWebhook> | null): Promise<KnownWebhook> {
    const { storage } = this.#parts
    const before = this.#known.get(webhook.id)
    const known = { webhook, disabled: enables ? null : (before?.disabled ?? null) }
    // Known at once, so that what else is asked meanwhile is asked of this.
    this.#known.set(webhook.id, known)
    try {
      await storage.updateWebhook(webhook, enables, await answerUnder(terms, known))
    } catch (error) {
      if (before && this.#known.get(webhook.id) === known) this.#known.set(webhook.id, before)
      throw error
    }
    this.#lines.get(webhook.id)?.adopt(webhook)
    if (known.disabled === null && !this.#lines.has(webhook.id)) await this.#takeUp(webhook.id)
    return known
  }

  /** Goes on where one was left that had been disabled. Where this fails, its next change tries again. */
  async #takeUp(id: WebhookId): Promise<void> {
    const { storage } = this.#parts
    const stored = await storage.webhook(id)
    if (!stored) return
    const pending = await storage.pendingDeliveries(id)
    const isWanted = this.#known.get(id)?.disabled === null && !this.#lines.has(id)
    if (this.#isRunning && isWanted) this.#startLine(stored, pending)
  }

  #assertRoom(sub: PrincipalId): void {
    if (this.ownedBy(sub).length >= MAX_A_PRINCIPAL) {
      throw new ParleyError('too-many-webhooks', `One principal may have ${MAX_A_PRINCIPAL} webhooks.`)
    }
    if (this.#known.size >= MAX_WEBHOOKS) throw new ParleyError('overloaded', 'There are too many webhooks.')
  }

  #startLine(stored: StoredWebhook, pending: readonly StoredDelivery[]): void {
    const { id } = stored.webhook
    const line = new WebhookLine(stored, pending, {
      ...this.#parts,
      feed: this.#parts.feed,
      onTried: (delivery) => {
        for (const listener of this.#triedListeners) listener(delivery)
      },
      onDisabled: (reason) => this.#disable(id, reason),
    })
    this.#lines.set(id, line)
    line.start()
  }

  #disable(id: WebhookId, reason: DisabledReason): void {
    const at = this.#parts.environment.now()
    const known = this.#known.get(id)
    if (known) this.#known.set(id, { ...known, disabled: { at, reason } })
    this.#lines.delete(id)
    // Should this fail, it is found out anew after the next start.
    this.#parts.storage.disableWebhook(id, at, reason).catch(this.#parts.onUnexpected)
  }
}

function newWebhookId(environment: Environment): WebhookId {
  return `whk_${newUlid(environment)}`
}

const newSecret = (environment: Environment): string =>
  SECRET_PREFIX + Buffer.from(environment.randomBytes(SECRET_BYTES)).toString('base64')

const noDelivery = (): ParleyError => new ParleyError('not-found', 'The webhook has no such delivery.')

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const isPlain = url !== null && url.username === '' && url.password === '' && url.hash === ''
  if (isPlain && ['http:', 'https:'].includes(url.protocol)) return url
  throw new ParleyError('invalid-request', '`url` is an absolute http or https URL without credentials and fragment.')
}

/** Throws `not-found` for a document named that the principal may not read. */
function assertReadable(principal: Principal, patterns: readonly Pattern[]): void {
  for (const pattern of patterns) {
    if ('exact' in pattern && !can(principal, 'read', pattern.exact)) throw documentNotFound(pattern.exact)
  }
}
