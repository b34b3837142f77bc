/** Registered webhooks (SPEC NOTE-5): who has which, and what is on its way to each. */
import { can, canEverywhere, type Principal } from '../access/access.ts'
import { isPurged } from '../model/document.ts'
import type { Keep } from '../foundation/answer.ts'
import { newUlid, type Environment } from '../foundation/environment.ts'
import type { Pattern, PrincipalId } from '../foundation/ids.ts'
import { documentNotFound, ParleyError } from '../foundation/problems.ts'
import type { CommittedActs } from '../storage/act.ts'
import type { WebhookReads, WebhookWrites } from '../storage/webhooks.ts'
import type { Feed } from './feed.ts'
import { parseRequest, type RawRequest } from './request.ts'
import type { DisabledReason, StoredDelivery, StoredWebhook, Webhook, WebhookId } from '../model/webhook.ts'
import { isPrivateHost } from './webhooksAddress.ts'
import { SECRET_PREFIX } from './webhookAttempt.ts'
import { WebhookLine } from './webhookLine.ts'
import { ownerOf } from './webhookOwner.ts'
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
    keep: Keep<Webhook> | null = null,
  ): Promise<Webhook> {
    this.#assertRunning()
    const { environment, storage } = this.#parts
    const feed = this.#parts.feed
    const url = parseUrl(registration.url)
    const { patterns, types } = parseRequest(registration, feed.epoch)
    assertReadable(principal, patterns)
    if (!this.#parts.allowPrivate && isPrivateHost(url.hostname)) {
      throw new ParleyError('address-refused', 'A webhook may not be on a private or loopback address.')
    }
    this.#assertRoom(principal.sub)
    const webhook: Webhook = {
      id: newWebhookId(environment),
      url: url.href,
      documents: registration.documents,
      events: [...types],
      secret: SECRET_PREFIX + Buffer.from(environment.randomBytes(SECRET_BYTES)).toString('base64'),
      owner: ownerOf(principal),
      createdAt: environment.now(),
    }
    const cursor = feed.now()
    const known = { webhook, disabled: null }
    // Counted from here on, so that many at once do not pass the limit together.
    this.#known.set(webhook.id, known)
    try {
      await storage.addWebhook(webhook, cursor, keep === null ? undefined : await keep(webhook))
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

  async remove(id: WebhookId, principal: Principal, keep: Keep<void> | null = null): Promise<void> {
    this.find(id, principal)
    await this.#parts.storage.deleteWebhook(id, keep === null ? undefined : await keep())
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
