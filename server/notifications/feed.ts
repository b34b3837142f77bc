/**
 * The one stored feed that every way of reading it shares: WebSocket, Server-Sent Events, long poll, webhooks.
 * It matches events to subscriptions, resumes them from their cursors, coalesces changes of documents, and
 * makes each event's JSON once.
 *
 * Events go out in the order of their sequences, off the path of the commit: a writer neither waits for its
 * subscribers nor fails by them. What storage tells of its commits is a hint; the stored events are the truth.
 */
import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId, Sequence } from '../foundation/ids.ts'
import { type Head, headMark, isPurged } from '../model/document.ts'
import { CHANGED, DELETED, type EventType, type FeedPoint, pointAfter, type StoredEvent } from '../model/event.ts'
import type { Committed } from '../storage/act.ts'
import { catchUp, type FeedStorage, type LiveEnd } from './catchUp.ts'
import { Changes } from './changes.ts'
import { type Cursor, formatCursor, toChangedEvent, toCloudEvent, type Told } from './envelope.ts'
import { SubscriberIndex } from './subscriberIndex.ts'
import { type FeedEvent, type FeedPlace, type Interest, type Sink, Subscription } from './subscription.ts'

/** Events that wait to be told, about 1 MB. Past this they are left to storage and read from there. */
const MAX_QUEUED = 1_000
const EVENTS_A_PAGE = 100
/** How many sinks get an event before sockets and timers have their turn: ten to twenty milliseconds of writing. */
const SINKS_A_TURN = 1_000
/** Storage that could not be read is tried again after this. */
const RETRY_MS = 1_000

export interface FeedParts {
  readonly storage: FeedStorage
  readonly environment: Environment
  /** `source` of every event: the URI of this service, known once it listens. */
  readonly source: () => string
}

/** What is to be told next. */
interface Telling {
  readonly type: EventType
  readonly document: DocumentId
  /** Null for a change, which is not stored. */
  readonly sequence: Sequence | null
  /** When it happened. */
  readonly at: number
  readonly make: () => FeedEvent
}

export class Feed {
  readonly #storage: FeedStorage
  readonly #environment: Environment
  readonly #source: () => string
  readonly #index = new SubscriberIndex<Subscription>()
  readonly #changes: Changes
  readonly #liveEnd: LiveEnd
  readonly #stopListening: () => void
  #queue: StoredEvent[] = []
  /** Changes told. */
  #changesTold = 0
  /** The newest event that was queued. */
  #newest: FeedPoint
  /** The event that was, or is being, told last. */
  #last: FeedPoint
  /** What every live sink has been given. */
  #settled: { readonly point: FeedPoint; readonly told: Told }
  /** Whether storage may hold events after the newest heard of. */
  #behind = false
  #filling = false
  /** Storage could not be read, and is to be tried again then. */
  #retry: Timer | null = null
  /** The newest event that storage has told of, also where it is still to be read from there. */
  #heard: Sequence
  /** Who waits until all that was heard of by then is told. Bounded by the polls that there may be. */
  #waiters: { readonly sequence: Sequence; readonly changes: number; readonly resolve: () => void }[] = []
  /** The telling under way; null while there is nothing to tell. */
  #telling: Generator<void> | null = null
  readonly #toldListeners = new Set<(lagMs: number) => void>()
  #closed = false
  #purges = 0

  /** Opens the feed at its present end. Throws `storage-unavailable`. */
  static async open(parts: FeedParts): Promise<Feed> {
    const { last } = await parts.storage.eventRange()
    return new Feed(parts, { sequence: last, mark: await parts.storage.eventMark(last) })
  }

  private constructor(parts: FeedParts, last: FeedPoint) {
    this.#storage = parts.storage
    this.#environment = parts.environment
    this.#source = parts.source
    this.#newest = last
    this.#heard = last.sequence
    this.#last = last
    this.#changes = new Changes(parts.environment, () => this.#wake())
    this.#settled = { point: last, told: this.#changes.told }
    this.#liveEnd = this.#makeLiveEnd()
    this.#stopListening = parts.storage.onCommitted((committed) => this.#take(committed))
  }

  /** How many subscriptions are live. */
  get size(): number {
    return this.#index.size
  }

  /** Part of every cursor (SPEC OPS-7). */
  /** `source` of every event. */
  get source(): string {
    return this.#source()
  }

  get epoch(): string {
    return this.#storage.epoch
  }

  /**
   * Delivers to `sink` what `interest` asks for: with `since` everything after that cursor, in order, then
   * what happens; without it (null) what happens from now on. A cursor that is of another epoch (`foreign`),
   * too old or of the future is answered by `sink.resync`. Nothing is delivered before the call returns.
   */
  subscribe(interest: Interest, since: Cursor | 'foreign' | null, sink: Sink): Subscription {
    const isCursor = since !== null && since !== 'foreign'
    const start = this.#format(isCursor ? since : this.#now())
    const subscription = new Subscription(interest, sink, start, (closed) =>
      this.#index.remove(closed.interest.patterns, closed),
    )
    if (since === null) this.#join(subscription, this.#newest.sequence)
    else void this.#resume(subscription, since)
    return subscription
  }

  /** A place that every live subscription has reached, and its cursor: what may be sent as a bookmark. */
  settled(): { readonly place: FeedPlace; readonly cursor: string } {
    const { point, told } = this.#settled
    const place = { sequence: point.sequence, stamp: told.stamp }
    return { place, cursor: this.#format({ ...point, told, change: null }) }
  }

  /** The cursor of this moment: what is committed from now on comes after it. */
  now(): string {
    return this.#format(this.#now())
  }

  /** Resolves once all that has been heard of by now was told: whoever asks after a write has its event then. */
  toldAll(): Promise<void> {
    const changes = this.#changesTold + this.#changes.due
    return new Promise((resolve) => {
      this.#waiters.push({ sequence: this.#heard, changes, resolve })
      this.#releaseWaiters(this.#telling === null)
    })
  }

  /** Nothing is told any more. Subscriptions are for their owners to end. */
  close(): void {
    this.#closed = true
    this.#stopListening()
    this.#retry?.cancel()
    for (const { resolve } of this.#waiters.splice(0)) resolve()
  }

  #format(cursor: Cursor): string {
    return formatCursor(this.#storage.epoch, cursor)
  }

  #now(): Cursor {
    return { ...this.#newest, told: this.#changes.told, change: null }
  }

  /** Called with how long ago each thing happened once it was told to all who listen. Returns how to stop. */
  onTold(listener: (lagMs: number) => void): () => void {
    this.#toldListeners.add(listener)
    return () => void this.#toldListeners.delete(listener)
  }

  /** Events that were heard of and events that were told, both by the number of the last. */
  get progress(): { readonly due: number; readonly done: number } {
    const due = Math.max(this.#heard, this.#newest.sequence)
    // What a purge erased is not told.
    const isIdle = this.#telling === null && this.#queue.length === 0 && due === this.#newest.sequence
    return { due, done: isIdle ? due : this.#settled.point.sequence }
  }

  async #resume(subscription: Subscription, since: Cursor | 'foreign'): Promise<void> {
    try {
      const outcome = await catchUp(subscription, since, this.#liveEnd)
      if (outcome !== 'resync') return
      const now = this.#now()
      subscription.sink.resync(subscription, this.#format(now))
      this.#join(subscription, now.sequence)
      subscription.sink.caughtUp(subscription)
    } catch (error) {
      if (subscription.closed) return
      subscription.close()
      subscription.sink.failed(subscription, error)
    }
  }

  #join(subscription: Subscription, after: Sequence): void {
    if (subscription.closed) return
    subscription.join(after)
    this.#index.add(subscription.interest.patterns, subscription)
  }

  #makeLiveEnd(): LiveEnd {
    const purges = (): number => this.#purges
    return {
      storage: this.#storage,
      changes: this.#changes,
      get purges() {
        return purges()
      },
      last: () => this.#last,
      isKnown: (sequence) => sequence <= this.#newest.sequence,
      refresh: () => this.#refresh(),
      storedEvent: (event) => this.#storedEvent(event),
      changedEvent: (head, point, told) => this.#changedEvent(head, point, told),
      join: (subscription, position) => {
        this.#join(subscription, position)
        subscription.sink.caughtUp(subscription)
      },
    }
  }

  #take(committed: Committed): void {
    for (const head of committed.heads) if (isPurged(head)) this.#forget(head.id)
    for (const event of committed.events) {
      if (event.sequence > this.#heard) this.#heard = event.sequence
      const newest = this.#newest.sequence
      if (event.sequence === newest + 1 && this.#queue.length < MAX_QUEUED) this.#enqueue(event)
      else if (event.sequence > newest) this.#refresh()
    }
    for (const head of committed.heads) this.#changes.observe(head)
  }

  /** Of a purged document nothing is told any more but that it was deleted (SPEC HIST-5). */
  #forget(document: DocumentId): void {
    this.#purges += 1
    const isTold = ({ type, document: of }: StoredEvent): boolean => of !== document || type === DELETED
    this.#queue = this.#queue.filter(isTold)
  }

  #enqueue(event: StoredEvent): void {
    if (event.sequence <= this.#newest.sequence) return
    this.#newest = pointAfter(event)
    this.#queue.push(event)
    this.#wake()
  }

  #refresh(): void {
    this.#behind = true
    if (!this.#filling && this.#retry === null && this.#queue.length < MAX_QUEUED) void this.#fill()
  }

  /** Reads from storage what this process has not heard of, as much as the queue takes. */
  async #fill(): Promise<void> {
    this.#filling = true
    try {
      while (this.#behind && this.#queue.length < MAX_QUEUED && !this.#closed) {
        this.#behind = false
        const purges = this.#purges
        const page = await this.#storage.events(this.#newest.sequence, EVENTS_A_PAGE)
        // What was purged while this was read may be in it.
        const isStale = purges !== this.#purges
        for (const event of isStale ? [] : page) this.#enqueue(event)
        if (isStale || page.length === EVENTS_A_PAGE) this.#behind = true
      }
    } catch {
      // Readiness tells operators that storage fails; subscribers get the events once it can be read again.
      this.#behind = true
      this.#retry = this.#environment.after(RETRY_MS, () => {
        this.#retry = null
        this.#refresh()
      })
    } finally {
      this.#filling = false
    }
  }

  #wake(): void {
    if (this.#telling !== null || this.#closed) return
    this.#telling = this.#tell()
    this.#environment.after(0, () => this.#takeTurn())
  }

  #takeTurn(): void {
    for (let sinks = 0; sinks < SINKS_A_TURN; sinks++) {
      if (this.#closed || this.#telling === null) return
      if (this.#telling.next().done === true) {
        this.#telling = null
        return
      }
    }
    this.#environment.after(0, () => this.#takeTurn())
  }

  /** Tells all there is to tell; yields after each sink. */
  *#tell(): Generator<void> {
    for (;;) {
      const telling = this.#nextTelling()
      if (telling === null) return this.#releaseWaiters(true)
      const { document } = telling
      let event: FeedEvent | null = null
      for (const [sink, subscriptions] of this.#targetsOf(telling)) {
        // Rights and subscriptions may have changed since the turn before.
        const open = subscriptions.filter((one) => !one.closed && one.interest.mayRead(document))
        if (open.length > 0) sink.deliver((event ??= telling.make()), open)
        yield
      }
      this.#settled = { point: this.#last, told: this.#changes.told }
      if (telling.sequence === null) this.#changesTold += 1
      for (const listener of this.#toldListeners) listener(Math.max(0, this.#environment.now() - telling.at))
      if (this.#waiters.length > 0) this.#releaseWaiters(false)
    }
  }

  /** `isIdle`: nothing is being told, and what was due and is not told was taken back. */
  #releaseWaiters(isIdle: boolean): void {
    for (const waiter of this.#waiters.splice(0)) {
      const isTold = waiter.sequence <= this.#settled.point.sequence && (isIdle || waiter.changes <= this.#changesTold)
      if (isTold) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }

  /** Stored events go first, so that whoever was told of a change has had every event before it. */
  #nextTelling(): Telling | null {
    const stored = this.#queue.shift()
    if (stored !== undefined) {
      this.#last = pointAfter(stored)
      this.#changes.mark(stored.sequence)
      const { type, document, sequence, at } = stored
      return { type, document, sequence, at, make: () => this.#storedEvent(stored) }
    }
    if (this.#behind) this.#refresh()
    const change = this.#changes.next()
    if (change === null) return null
    const { head, stamp } = change
    const last = this.#last
    const told = { stamp, process: this.#changes.told.process }
    return {
      type: CHANGED,
      document: head.id,
      sequence: null,
      at: head.updatedAt,
      make: () => this.#changedEvent(head, last, told),
    }
  }

  #targetsOf(telling: Telling): Map<Sink, Subscription[]> {
    const targets = new Map<Sink, Subscription[]>()
    for (const subscription of this.#index.matching(telling.document)) {
      const { interest, joinedAfter, sink } = subscription
      if (!interest.types.has(telling.type)) continue
      if (telling.sequence !== null && (joinedAfter ?? 0) >= telling.sequence) continue
      const others = targets.get(sink)
      if (others) others.push(subscription)
      else targets.set(sink, [subscription])
    }
    return targets
  }

  #storedEvent(event: StoredEvent): FeedEvent {
    const cloudEvent = toCloudEvent(event, this.#source(), this.#storage.epoch)
    return {
      id: cloudEvent.id,
      type: event.type,
      document: event.document,
      json: JSON.stringify(cloudEvent),
      place: { sequence: event.sequence, stamp: null },
    }
  }

  #changedEvent(head: Head, point: FeedPoint, told: Told): FeedEvent {
    const change = { document: head.id, version: head.version, mark: headMark(head) }
    const id = this.#format({ sequence: point.sequence, mark: point.mark, told, change })
    return {
      id,
      type: CHANGED,
      document: head.id,
      json: JSON.stringify(toChangedEvent(head, this.#source(), id)),
      place: { sequence: point.sequence, stamp: told.stamp },
    }
  }
}
