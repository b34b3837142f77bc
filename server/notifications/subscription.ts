import { matchesPattern, type DocumentId, type Pattern, type Sequence } from '../foundation/ids.ts'
import type { EventType } from '../model/event.ts'

/** How far the holder of a cursor has come: the last stored event, and the stamp of the last change told. */
export interface FeedPlace {
  readonly sequence: Sequence
  /** Null where the cursor says nothing of changes. */
  readonly stamp: number | null
}

/** An event as it goes out: made once, shared by everyone who gets it. */
export interface FeedEvent {
  /** The cursor of this event. */
  readonly id: string
  readonly type: EventType
  readonly document: DocumentId
  /** The CloudEvent as JSON text. */
  readonly json: string
  readonly place: FeedPlace
}

/** What a subscriber asks for. */
export interface Interest {
  /** Disjoint, see `disjointPatterns`. */
  readonly patterns: readonly Pattern[]
  readonly types: ReadonlySet<EventType>
  /** Whether the subscriber may read the document now; asked for every event, so a change of rights counts at once. */
  readonly mayRead: (document: DocumentId) => boolean
}

/**
 * Where the events of subscriptions go: a WebSocket, a stream, a poll, a webhook. Several subscriptions may
 * share one. No method may throw.
 */
export interface Sink {
  /** An event, once for all the sink's subscriptions that get it now. */
  deliver(event: FeedEvent, subscriptions: readonly Subscription[]): void
  /** What was missed can no longer be told; the subscription goes on from this cursor. */
  resync(subscription: Subscription, cursor: string): void
  /** Everything missed was delivered; from here on events come as they happen. */
  caughtUp(subscription: Subscription): void
  /**
   * Null while there is room for what was missed; else a promise that resolves when there is again, or when
   * the sink has ended. Live events do not ask.
   */
  room(): Promise<void> | null
  /** Catching up failed, as when storage cannot be read. The subscription is closed. */
  failed(subscription: Subscription, error: unknown): void
}

/** One standing interest of one sink. */
export class Subscription {
  readonly interest: Interest
  readonly sink: Sink
  /** What is delivered comes after this cursor. */
  readonly cursor: string
  readonly #onClose: (subscription: Subscription) => void
  #joinedAfter: Sequence | null = null
  #closed = false

  constructor(interest: Interest, sink: Sink, cursor: string, onClose: (subscription: Subscription) => void) {
    this.interest = interest
    this.sink = sink
    this.cursor = cursor
    this.#onClose = onClose
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The event after which it gets everything as it happens; null while it catches up. */
  get joinedAfter(): Sequence | null {
    return this.#joinedAfter
  }

  /** For the feed alone. */
  join(after: Sequence): void {
    this.#joinedAfter = after
  }

  /** Nothing is delivered for it any more, from this call on. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClose(this)
  }

  asksFor(type: EventType, document: DocumentId): boolean {
    return this.interest.types.has(type) && this.interest.patterns.some((pattern) => matchesPattern(pattern, document))
  }
}
