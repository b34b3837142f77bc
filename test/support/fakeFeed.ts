import { invariant } from '../../server/foundation/assert.ts'
import {
  type DocumentId,
  matchesPattern,
  parsePattern,
  type Sequence,
  toSequence,
  toVersion,
  trustedDocumentId,
} from '../../server/foundation/ids.ts'
import { NO_MARK } from '../../server/foundation/mark.ts'
import type { Head } from '../../server/model/document.ts'
import {
  CHANGED,
  EVENT_TYPES,
  eventMark,
  type EventType,
  type FeedPoint,
  type NewEvent,
  type StoredEvent,
} from '../../server/model/event.ts'
import type { FeedStorage } from '../../server/notifications/catchUp.ts'
import { disjointPatterns } from '../../server/notifications/subscriberIndex.ts'
import type { FeedEvent, Interest, Sink, Subscription } from '../../server/notifications/subscription.ts'
import type { Committed } from '../../server/storage/act.ts'
import type { HeadQuery } from '../../server/storage/documents.ts'
import { newHead } from './storageSamples.ts'

/** What of storage the feed reads, in memory, with the faults and delays a test asks for. */
export class FakeFeedStorage implements FeedStorage {
  readonly epoch: string
  readonly #now: () => number
  readonly #heads = new Map<DocumentId, Head>()
  readonly #listeners = new Set<(committed: Committed) => void>()
  #events: StoredEvent[] = []
  #last = 0
  /** The newest that was pruned. */
  #pruned: StoredEvent | null = null
  /** Reads of events wait for this. */
  gate: Promise<void> = Promise.resolve()
  /** Reads of events fail with this. */
  failure: Error | null = null
  reads = 0

  constructor(now: () => number, epoch = 'epocha') {
    this.#now = now
    this.epoch = epoch
  }

  /** Commits events, and the heads the act moved, and tells the listeners as an adapter does. */
  commit(events: readonly NewEvent[], heads: readonly Head[] = []): readonly StoredEvent[] {
    const committed = this.commitUnheard(events, heads)
    this.tell(committed)
    return committed.events
  }

  /** Commits what no listener hears of, as another node's commit whose hint was lost. */
  commitUnheard(events: readonly NewEvent[], heads: readonly Head[] = []): Committed {
    const stored = events.map((event) => ({ ...event, sequence: toSequence(++this.#last), at: this.#now() }))
    this.#events.push(...stored)
    for (const head of heads) this.#heads.set(head.id, head)
    return { events: stored, heads }
  }

  tell(committed: Committed): void {
    for (const listener of this.#listeners) listener(committed)
  }

  /** Forgets all events up to this one. */
  prune(upTo: number): void {
    this.#pruned = this.#events.findLast((event) => event.sequence <= upTo) ?? this.#pruned
    this.#events = this.#events.filter((event) => event.sequence > upTo)
  }

  /** Leaves holes, as the purge of a document does. */
  purge(document: DocumentId): void {
    this.#events = this.#events.filter((event) => event.document !== document)
  }

  onCommitted(listener: (committed: Committed) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async events(after: Sequence, limit: number): Promise<readonly StoredEvent[]> {
    this.reads++
    await this.gate
    if (this.failure) throw this.failure
    return this.#events.filter((event) => event.sequence > after).slice(0, limit)
  }

  async eventRange(): Promise<{ first: Sequence; last: Sequence }> {
    return { first: this.#events[0]?.sequence ?? toSequence(this.#last + 1), last: toSequence(this.#last) }
  }

  /** The place after the event with this sequence, kept or not. */
  pointAt(sequence: number): FeedPoint {
    const event = [...this.#events, ...(this.#pruned ? [this.#pruned] : [])].find((one) => one.sequence === sequence)
    return { sequence: toSequence(sequence), mark: event ? eventMark(event) : NO_MARK }
  }

  async eventMark(sequence: Sequence): Promise<string> {
    return this.pointAt(sequence).mark
  }

  /** Entries are not kept: of a version that is not the newest nobody knows anything. */
  async versionAt(): Promise<null> {
    return null
  }

  async head(document: DocumentId): Promise<Head | null> {
    return this.#heads.get(document) ?? null
  }

  async heads({ patterns, after, limit }: HeadQuery): Promise<readonly Head[]> {
    return [...this.#heads.values()]
      .filter((head) => head.deletedAt === null && patterns.some((pattern) => matchesPattern(pattern, head.id)))
      .filter((head) => after === null || head.id > after)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit)
  }
}

/** A sink that keeps what it gets. */
export class RecordingSink implements Sink {
  readonly events: FeedEvent[] = []
  readonly deliveries: { readonly event: FeedEvent; readonly subscriptions: readonly Subscription[] }[] = []
  readonly resyncs: string[] = []
  readonly failures: unknown[] = []
  caughtUpCount = 0
  onDeliver: (event: FeedEvent) => void = () => undefined
  #full: Promise<void> | null = null
  #free: () => void = () => undefined

  get ids(): string[] {
    return this.events.map((event) => event.id)
  }

  /** The stored sequences it was told of, in order. */
  get sequences(): number[] {
    return this.events.filter((event) => event.type !== CHANGED).map((event) => event.place.sequence)
  }

  /** What it was told of changes, as `document@version`. */
  get changes(): string[] {
    return this.events
      .filter((event) => event.type === CHANGED)
      .map((event) => `${event.document}@${String(versionIn(event))}`)
  }

  fill(): void {
    this.#full ??= new Promise((resolve) => {
      this.#free = resolve
    })
  }

  drain(): void {
    this.#full = null
    this.#free()
  }

  deliver(event: FeedEvent, subscriptions: readonly Subscription[]): void {
    this.events.push(event)
    this.deliveries.push({ event, subscriptions })
    this.onDeliver(event)
  }

  resync(_subscription: Subscription, cursor: string): void {
    this.resyncs.push(cursor)
  }

  caughtUp(): void {
    this.caughtUpCount++
  }

  room(): Promise<void> | null {
    return this.#full
  }

  failed(_subscription: Subscription, error: unknown): void {
    this.failures.push(error)
  }
}

const versionIn = (event: FeedEvent): unknown => {
  const parsed: { data?: { version?: unknown } } = JSON.parse(event.json)
  return parsed.data?.version
}

export const id = trustedDocumentId

export function interest(
  patterns: readonly string[] = ['*'],
  options: { readonly types?: readonly EventType[]; readonly mayRead?: Interest['mayRead'] } = {},
): Interest {
  return {
    patterns: disjointPatterns(
      patterns.map((text) => {
        const pattern = parsePattern(text)
        invariant(pattern !== null, `${text} is a pattern`)
        return pattern
      }),
    ),
    types: new Set(options.types ?? EVENT_TYPES.filter((type) => type !== CHANGED)),
    mayRead: options.mayRead ?? (() => true),
  }
}

/** Some event of a document. */
export const anEvent = (document: string, note = ''): NewEvent => ({
  type: 'parley.conflict.detected',
  document: id(document),
  data: { document, note },
})

/** The head of a living document, changed at that time. */
export const aHead = (document: string, version: number, at: number, more: Partial<Head> = {}): Head =>
  newHead(id(document), { version: toVersion(version), updatedAt: at, ...more })
