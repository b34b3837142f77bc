/**
 * What is on its way to one webhook. Events are first queued in storage, with the cursor they move, and then
 * posted: so a restart loses and doubles none. Those of one document go one after the other, the next only when the
 * one before it was taken or given up; documents do not wait for each other.
 */
import { can, type Principal } from '../access/access.ts'
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { WebhookWrites } from '../storage/webhooks.ts'
import type { Feed } from './feed.ts'
import { FeedReader } from './reader.ts'
import { parseRequest, parseSince } from './request.ts'
import type { FeedEvent, Sink, Subscription } from './subscription.ts'
import { DELETED } from '../model/event.ts'
import type { Delivery, DisabledReason, StoredDelivery, StoredWebhook, Webhook } from '../model/webhook.ts'
import { afterAttempt, isGone, newDelivery, newMessageId, postOf } from './webhookAttempt.ts'
import { DeliveryLanes } from './webhookLanes.ts'
import { principalOf } from './webhookOwner.ts'
import type { Send } from './webhooksSender.ts'

/** Deliveries of one webhook that wait, in memory and in storage: about 1 MB. Past this, events wait in the feed. */
const MAX_WAITING = 1_000
/** Finished deliveries that are kept to be shown. */
export const KEPT_DELIVERIES = 200
/** Storage that refused a write is asked again after this. */
const STORAGE_RETRY_MS = 1_000
/** The cursor of a webhook that nothing is for moves on this often, so that it never becomes too old. */
const MOVE_ON_MS = 3_600_000

export interface LineParts {
  readonly feed: Feed
  readonly storage: WebhookWrites
  readonly environment: Environment
  readonly send: Send
  /** Whether the tokens of its owner were revoked since. */
  readonly isRevoked: (owner: Principal) => boolean
  /** Is told of each delivery that was tried. */
  readonly onTried: (delivery: StoredDelivery) => void
  /** Is called once, when nothing may be sent any more. */
  readonly onDisabled: (reason: DisabledReason) => void
  /** Is told of errors nobody expected. */
  readonly onUnexpected: (error: unknown) => void
}

interface Incoming {
  readonly delivery: Delivery
  /** Its document was purged meanwhile. */
  isPurged: boolean
}

export class WebhookLine implements Sink {
  #webhook: Webhook
  readonly #owner: Principal
  readonly #parts: LineParts
  readonly #stopping = new AbortController()
  readonly #timers = new Set<Timer>()
  /** Where the next subscription goes on. */
  #cursor: string
  #reader: FeedReader | null = null
  #incoming: Incoming[] = []
  /** Those on their way to storage. */
  #queuing: readonly Incoming[] = []
  readonly #lanes: DeliveryLanes
  /** What storage held at the start. */
  readonly #pending: StoredDelivery[]
  readonly #roomWaiters: (() => void)[] = []

  /** `pending` is what storage holds for it, oldest first. */
  constructor({ webhook, cursor }: StoredWebhook, pending: readonly StoredDelivery[], parts: LineParts) {
    this.#webhook = webhook
    this.#owner = principalOf(webhook.owner)
    this.#cursor = cursor
    this.#parts = parts
    this.#pending = [...pending]
    const { environment } = parts
    this.#lanes = new DeliveryLanes(
      environment,
      (delivery) => this.#attempt(delivery),
      () => this.#goOn(),
    )
  }

  /** Takes up what is pending, and what comes. */
  start(): void {
    for (const delivery of this.#pending.splice(0)) this.#lanes.enqueue(delivery)
    this.#subscribe()
    this.#moveOnLater()
  }

  /** Ends what is under way; what is pending stays in storage. Idempotent. */
  stop(): void {
    this.#stopping.abort()
    this.#pause()
    this.#lanes.stop()
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#releaseWaiters()
  }

  /** Ends it for good where its owner's rights have ended. */
  revalidate(): void {
    if (!this.#stopped && this.#parts.isRevoked(this.#owner)) this.#disable('revoked')
  }

  /** Goes on as the webhook was changed: what waits is still told, and of what it asks for now what happens from now on. */
  adopt(webhook: Webhook): void {
    const { documents, events } = this.#webhook
    const asksForTheSame = JSON.stringify([documents, events]) === JSON.stringify([webhook.documents, webhook.events])
    this.#webhook = webhook
    if (asksForTheSame || this.#reader === null) return
    // On disk too: after a restart it would be told what came before, by what it asks for now.
    this.#moveOn()
    this.#cursor = this.#reader.moveOn() ?? this.#reader.cursor ?? this.#cursor
    this.#pause()
    this.#subscribe()
  }

  /** Sends a message that tells of no event, behind those that wait. Throws `overloaded`. */
  send(message: Pick<Delivery, 'message' | 'type' | 'body'>): Delivery {
    if (this.#load >= MAX_WAITING) throw new ParleyError('overloaded', 'Too many deliveries to this webhook wait.')
    return this.#add({ ...message, document: null })
  }

  /** Sends one that is finished once more, as storage has it; one that is pending is due at once, where it is the next. */
  resend(delivery: StoredDelivery): void {
    const isThis = (one: Incoming): boolean => one.delivery.message === delivery.message
    // It is on its way to its lane.
    if (this.#queuing.some(isThis) || this.#incoming.some(isThis)) return
    if (!this.#lanes.hasten(delivery, this.#parts.environment.now())) this.#lanes.enqueue(delivery)
  }

  /** Tells nothing more of a document that was purged but that it was deleted (SPEC HIST-5). */
  forget(document: DocumentId): void {
    const isTold = (delivery: Delivery): boolean => delivery.document !== document || delivery.type === DELETED
    this.#incoming = this.#incoming.filter(({ delivery }) => isTold(delivery))
    for (const one of this.#queuing) one.isPurged ||= !isTold(one.delivery)
    this.#lanes.forget(document, isTold)
    this.#goOn()
  }

  // What the feed calls

  deliver(event: FeedEvent): void {
    this.#take(event, event.id)
  }

  resync(_subscription: Subscription, cursor: string): void {
    this.#take({ type: 'resync', document: null, json: JSON.stringify({ type: 'resync', cursor }) }, cursor)
  }

  caughtUp(): void {
    // Its receiver is told of events one by one, whenever they happened.
  }

  room(): Promise<void> | null {
    if (this.#stopped || this.#hasRoom()) return null
    return new Promise((resolve) => this.#roomWaiters.push(resolve))
  }

  failed(_subscription: Subscription, error: unknown): void {
    this.#report(error)
    this.#reader = null
    this.#after(STORAGE_RETRY_MS, () => this.#subscribe())
  }

  // From the feed into storage

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  #subscribe(): void {
    if (this.#stopped || this.#reader !== null) return
    const { feed, isRevoked } = this.#parts
    const { documents, events } = this.#webhook
    const { patterns, types } = parseRequest({ documents, events }, feed.epoch)
    const mayRead = (document: DocumentId): boolean => !isRevoked(this.#owner) && can(this.#owner, 'read', document)
    this.#reader = new FeedReader(feed, mayRead, this)
    this.#reader.subscribe({ patterns, types, since: parseSince(this.#cursor, feed.epoch) })
  }

  #take(
    { type, document, json }: Pick<Delivery, 'type' | 'document'> & { readonly json: string },
    cursor: string,
  ): void {
    this.#cursor = cursor
    this.#add({ message: newMessageId(this.#parts.environment), type, document, body: json })
  }

  #add(message: Pick<Delivery, 'message' | 'type' | 'document' | 'body'>): Delivery {
    const delivery = newDelivery(message, this.#parts.environment.now())
    this.#incoming.push({ delivery, isPurged: false })
    if (this.#load >= MAX_WAITING) this.#pause()
    if (this.#queuing.length === 0) void this.#queue()
    return delivery
  }

  /** What comes from now on waits in the feed. */
  #pause(): void {
    this.#reader?.close()
    this.#reader = null
  }

  async #queue(): Promise<void> {
    while (this.#incoming.length > 0 && !this.#stopped) {
      const batch = this.#incoming
      this.#incoming = []
      this.#queuing = batch
      // All that came before it is queued by now, or in this batch.
      const cursor = this.#cursor
      const stored = await this.#persist(async () => {
        const told = batch.filter(({ isPurged }) => !isPurged)
        const deliveries = told.map(({ delivery }) => delivery)
        const queued = await this.#parts.storage.queueDeliveries(this.#webhook.id, cursor, deliveries)
        return queued.filter((_, index) => told[index]?.isPurged === false)
      })
      this.#queuing = []
      for (const delivery of stored ?? []) this.#lanes.enqueue(delivery)
    }
    this.#goOn()
  }

  /** Writes until the disk takes it; null, or no answer at all, when this was stopped before. */
  async #persist<T>(write: () => Promise<T>): Promise<T | null> {
    while (!this.#stopped) {
      try {
        return await write()
      } catch (error) {
        if (this.#stopped) return null
        this.#report(error)
        await new Promise<void>((resolve) => this.#after(STORAGE_RETRY_MS, resolve))
      }
    }
    return null
  }

  #moveOnLater(): void {
    this.#after(MOVE_ON_MS, () => {
      this.#moveOn()
      this.#moveOnLater()
    })
  }

  #moveOn(): void {
    const cursor = this.#incoming.length + this.#queuing.length > 0 ? null : (this.#reader?.moveOn() ?? null)
    if (cursor === null) return
    this.#cursor = cursor
    // Not tried again: by then another write may have moved the cursor further.
    this.#parts.storage.queueDeliveries(this.#webhook.id, cursor, []).catch((error: unknown) => this.#report(error))
  }

  // From storage to the receiver

  /** One attempt; null where nothing more is to be sent. */
  async #attempt(delivery: StoredDelivery): Promise<StoredDelivery | null> {
    const { environment, send, storage } = this.#parts
    this.revalidate()
    if (this.#stopped) return null
    const outcome = await send(postOf(this.#webhook, delivery, environment.now()), this.#stopping.signal)
    if (this.#stopped) return null
    const random = (environment.randomBytes(1)[0] ?? 0) / 256
    const tried = afterAttempt(delivery, outcome, environment.now(), random)
    await this.#persist(() => storage.updateDelivery(this.#webhook.id, tried, KEPT_DELIVERIES))
    this.#parts.onTried(tried)
    if (this.#stopped) return null
    if (!isGone(outcome)) return tried
    this.#disable('gone')
    return null
  }

  #disable(reason: DisabledReason): void {
    this.stop()
    this.#parts.onDisabled(reason)
  }

  // How much waits

  get #load(): number {
    return this.#lanes.size + this.#queuing.length + this.#incoming.length
  }

  #hasRoom(): boolean {
    return this.#load < MAX_WAITING / 2
  }

  /** Takes in what waited for room. */
  #goOn(): void {
    if (this.#stopped || !this.#hasRoom()) return
    this.#releaseWaiters()
    this.#subscribe()
  }

  #releaseWaiters(): void {
    for (const release of this.#roomWaiters.splice(0)) release()
  }

  /** That storage cannot be written shows in readiness; it need not be told for each webhook, each second. */
  #report(error: unknown): void {
    if (!(error instanceof ParleyError)) this.#parts.onUnexpected(error)
  }

  #after(delayMs: number, task: () => void): void {
    const timer = this.#parts.environment.after(delayMs, () => {
      this.#timers.delete(timer)
      task()
    })
    this.#timers.add(timer)
  }
}
