/**
 * What is on its way to one webhook. Events are first queued in storage, with the cursor they move, and then
 * posted: so a restart loses and doubles none. Those of one document go one after the other, the next only when the
 * one before it was taken or given up; documents do not wait for each other.
 */
import { can, type Principal } from '../access/access.ts'
import { invariant } from '../foundation/assert.ts'
import { type Environment, randomTag, runAt, type Timer } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { WebhookWrites } from '../storage/webhooks.ts'
import type { Feed } from './feed.ts'
import { FeedReader } from './reader.ts'
import { parseRequest, parseSince } from './request.ts'
import type { FeedEvent, Sink, Subscription } from './subscription.ts'
import { DELETED } from '../model/event.ts'
import type { Delivery, DisabledReason, StoredDelivery, StoredWebhook, Webhook } from '../model/webhook.ts'
import { afterAttempt, isGone, postOf } from './webhookAttempt.ts'
import { principalOf } from './webhookOwner.ts'
import type { Send } from './webhooksSender.ts'

/** Deliveries of one webhook that wait, in memory and in storage: about 1 MB. Past this, events wait in the feed. */
const MAX_WAITING = 1_000
/** Posts to one receiver at a time, so that one that never answers is not flooded. Each webhook has its own. */
const PARALLEL_POSTS = 4
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
  readonly cursor: string
  /** Its document was purged meanwhile. */
  isPurged: boolean
}

/** What is to be posted of one document, the first next. */
interface Lane {
  readonly document: string
  waiting: StoredDelivery[]
  /** Until the first is due. */
  timer: Timer | null
  /** The first, while it is being posted. */
  posting: StoredDelivery | null
}

export class WebhookLine implements Sink {
  readonly #webhook: Webhook
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
  /** By document; `''` for what is of none. */
  readonly #lanes = new Map<string, Lane>()
  /** In all of them. */
  #waiting = 0
  /** What storage held at the start. */
  readonly #pending: StoredDelivery[]
  /** Lanes whose first delivery is due, and that no post is under way for. */
  readonly #due: Lane[] = []
  #posts = 0
  readonly #roomWaiters: (() => void)[] = []

  /** `pending` is what storage holds for it, oldest first. */
  constructor({ webhook, cursor }: StoredWebhook, pending: readonly StoredDelivery[], parts: LineParts) {
    this.#webhook = webhook
    this.#owner = principalOf(webhook.owner)
    this.#cursor = cursor
    this.#parts = parts
    this.#pending = [...pending]
  }

  /** Takes up what is pending, and what comes. */
  start(): void {
    for (const delivery of this.#pending.splice(0)) this.#enqueue(delivery)
    this.#subscribe()
    this.#moveOnLater()
  }

  /** Ends what is under way; what is pending stays in storage. Idempotent. */
  stop(): void {
    this.#stopping.abort()
    this.#pause()
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#releaseWaiters()
  }

  /** Ends it for good where its owner's rights have ended. */
  revalidate(): void {
    if (!this.#stopped && this.#parts.isRevoked(this.#owner)) this.#disable('revoked')
  }

  /** Tells nothing more of a document that was purged but that it was deleted (SPEC HIST-5). */
  forget(document: DocumentId): void {
    const isTold = (delivery: Delivery): boolean => delivery.document !== document || delivery.type === DELETED
    this.#incoming = this.#incoming.filter(({ delivery }) => isTold(delivery))
    for (const one of this.#queuing) one.isPurged ||= !isTold(one.delivery)
    const lane = this.#lanes.get(document)
    if (!lane) return
    const [first] = lane.waiting
    this.#waiting -= lane.waiting.length
    lane.waiting = lane.waiting.filter(isTold)
    this.#waiting += lane.waiting.length
    // What is being posted cannot be taken back; no retry follows it.
    if (lane.posting === null && first !== lane.waiting[0]) this.#schedule(lane)
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

  #take(told: Pick<Delivery, 'type' | 'document'> & { readonly json: string }, cursor: string): void {
    const { environment } = this.#parts
    const now = environment.now()
    const delivery: Delivery = {
      message: `msg_${randomTag(environment, 26)}`,
      type: told.type,
      document: told.document,
      body: told.json,
      createdAt: now,
      attempts: 0,
      firstAttemptAt: null,
      lastAttempt: null,
      state: { status: 'pending', nextAttemptAt: now },
    }
    this.#cursor = cursor
    this.#incoming.push({ delivery, cursor, isPurged: false })
    if (this.#load >= MAX_WAITING) this.#pause()
    if (this.#queuing.length === 0) void this.#queue()
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
      const cursor = batch.at(-1)?.cursor ?? this.#cursor
      const stored = await this.#persist(async () => {
        const told = batch.filter(({ isPurged }) => !isPurged)
        const deliveries = told.map(({ delivery }) => delivery)
        const queued = await this.#parts.storage.queueDeliveries(this.#webhook.id, cursor, deliveries)
        return queued.filter((_, index) => told[index]?.isPurged === false)
      })
      this.#queuing = []
      for (const delivery of stored ?? []) this.#enqueue(delivery)
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

  #enqueue(delivery: StoredDelivery): void {
    this.#waiting++
    const document = delivery.document ?? ''
    const known = this.#lanes.get(document)
    if (known) {
      known.waiting.push(delivery)
      return
    }
    const lane: Lane = { document, waiting: [delivery], timer: null, posting: null }
    this.#lanes.set(document, lane)
    this.#schedule(lane)
  }

  /** Posts the first of a lane when it is due; a lane that holds nothing more goes. */
  #schedule(lane: Lane): void {
    this.#cancel(lane)
    const [first] = lane.waiting
    if (first === undefined) {
      this.#lanes.delete(lane.document)
      return
    }
    const { state } = first
    invariant(state.status === 'pending', 'only what is pending is posted')
    const { environment } = this.#parts
    if (state.nextAttemptAt <= environment.now()) {
      this.#makeDue(lane)
      return
    }
    const timer = runAt(environment, state.nextAttemptAt, () => {
      this.#timers.delete(timer)
      lane.timer = null
      this.#makeDue(lane)
    })
    lane.timer = timer
    this.#timers.add(timer)
  }

  #cancel(lane: Lane): void {
    const at = this.#due.indexOf(lane)
    if (at !== -1) this.#due.splice(at, 1)
    if (lane.timer === null) return
    lane.timer.cancel()
    this.#timers.delete(lane.timer)
    lane.timer = null
  }

  #makeDue(lane: Lane): void {
    this.#due.push(lane)
    this.#pump()
  }

  #pump(): void {
    while (this.#posts < PARALLEL_POSTS && !this.#stopped) {
      const lane = this.#due.shift()
      if (lane === undefined) return
      this.#posts++
      void this.#post(lane)
    }
  }

  /** Makes one attempt for the first delivery of a lane. */
  async #post(lane: Lane): Promise<void> {
    const [delivery] = lane.waiting
    invariant(delivery !== undefined, 'a lane that is due holds something')
    const { environment, send, storage } = this.#parts
    this.revalidate()
    if (this.#stopped) return
    lane.posting = delivery
    const outcome = await send(postOf(this.#webhook, delivery, environment.now()), this.#stopping.signal)
    if (this.#stopped) return
    const random = (environment.randomBytes(1)[0] ?? 0) / 256
    const tried = afterAttempt(delivery, outcome, environment.now(), random)
    await this.#persist(() => storage.updateDelivery(this.#webhook.id, tried, KEPT_DELIVERIES))
    this.#parts.onTried(tried)
    if (this.#stopped) return
    lane.posting = null
    this.#posts--
    if (isGone(outcome)) this.#disable('gone')
    else this.#settle(lane, delivery, tried)
    this.#pump()
  }

  /** What was purged while it was posted is in its lane no more. */
  #settle(lane: Lane, delivery: StoredDelivery, tried: StoredDelivery): void {
    if (lane.waiting[0] === delivery) {
      if (tried.state.status === 'pending') lane.waiting[0] = tried
      else {
        lane.waiting.shift()
        this.#waiting--
      }
    }
    this.#schedule(lane)
    this.#goOn()
  }

  #disable(reason: DisabledReason): void {
    this.stop()
    this.#parts.onDisabled(reason)
  }

  // How much waits

  get #load(): number {
    return this.#waiting + this.#queuing.length + this.#incoming.length
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
