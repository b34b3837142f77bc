import type { DocumentId } from '../foundation/ids.ts'
import { CHANGED } from '../model/event.ts'
import type { Feed } from './feed.ts'
import { Progress } from './progress.ts'
import type { SubscriptionRequest } from './request.ts'
import type { FeedEvent, Sink, Subscription } from './subscription.ts'

/**
 * One reader of the feed, whatever carries the events to it: what it asks for, and how far it has come. Stands between
 * the feed and the transport, which gets the same calls.
 */
export class FeedReader implements Sink {
  readonly #feed: Feed
  readonly #mayRead: (document: DocumentId) => boolean
  readonly #transport: Sink
  readonly #subscriptions = new Set<Subscription>()
  #progress: Progress | null = null

  /** `mayRead` is asked with every event, so that a change of rights counts at once (SPEC NOTE-7). */
  constructor(feed: Feed, mayRead: (document: DocumentId) => boolean, transport: Sink) {
    this.#feed = feed
    this.#mayRead = mayRead
    this.#transport = transport
  }

  /** The cursor from which it would go on; null before its first subscription. */
  get cursor(): string | null {
    return this.#progress?.cursor ?? null
  }

  /** Whether it has nothing left to catch up on. */
  get isLive(): boolean {
    if (this.#subscriptions.size === 0) return false
    for (const { joinedAfter } of this.#subscriptions) if (joinedAfter === null) return false
    return true
  }

  /** Delivers what is asked for from now on. Nothing is delivered before this returns. */
  subscribe({ patterns, types, since }: SubscriptionRequest): Subscription {
    const subscription = this.#feed.subscribe({ patterns, types, mayRead: this.#mayRead }, since, this)
    this.#progress ??= new Progress(subscription.cursor, this.#feed.epoch)
    this.#subscriptions.add(subscription)
    return subscription
  }

  unsubscribe(subscription: Subscription): void {
    subscription.close()
    this.#subscriptions.delete(subscription)
  }

  /**
   * Goes on past events that were not for it, so that its cursor never becomes too old. Answers the new cursor; null
   * where it stays, or still catches up.
   */
  moveOn(): string | null {
    if (this.#progress === null || !this.isLive) return null
    return this.#progress.moveTo(this.#feed.settled(), this.#asksForChanges) ? this.#progress.cursor : null
  }

  /** Nothing is delivered any more. Idempotent. */
  close(): void {
    for (const subscription of this.#subscriptions) subscription.close()
    this.#subscriptions.clear()
  }

  // What the feed calls

  deliver(event: FeedEvent, subscriptions: readonly Subscription[]): void {
    this.#progress?.delivered(event)
    this.#transport.deliver(event, subscriptions)
  }

  resync(subscription: Subscription, cursor: string): void {
    this.#progress?.restart(cursor)
    this.#transport.resync(subscription, cursor)
  }

  caughtUp(subscription: Subscription): void {
    this.#progress?.caughtUp()
    this.#transport.caughtUp(subscription)
  }

  room(): Promise<void> | null {
    return this.#transport.room()
  }

  failed(subscription: Subscription, error: unknown): void {
    this.#subscriptions.delete(subscription)
    this.#transport.failed(subscription, error)
  }

  get #asksForChanges(): boolean {
    for (const { interest } of this.#subscriptions) if (interest.types.has(CHANGED)) return true
    return false
  }
}
