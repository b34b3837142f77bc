/**
 * Brings a subscription from its cursor to the live end of the feed: from storage, page by page, at the pace
 * of its sink, without a gap or a repetition where it goes over to live delivery.
 *
 * A client may leave at any event and come back with its id, so at each event delivered everything before that
 * id must have been delivered too. Hence changes go before the stored events that were told after them.
 */
import { CHANGED, type FeedPoint, pointAfter, type StoredEvent } from '../model/event.ts'
import type { CommittedActs } from '../storage/act.ts'
import type { DocumentReads } from '../storage/documents.ts'
import type { FeedReads } from '../storage/feed.ts'
import type { HistoryReads } from '../storage/history.ts'
import type { StorageEpoch } from '../storage/view.ts'
import type { Changes } from './changes.ts'
import type { Cursor, Told } from './envelope.ts'
import type { FeedEvent, Subscription } from './subscription.ts'
import { type Head, headMark, versionMark } from '../model/document.ts'
import { type DocumentId, type Pattern, type Sequence, toSequence } from '../foundation/ids.ts'

/** Some 50 kB of events in memory for each subscriber that catches up. */
const EVENTS_A_PAGE = 100
const HEADS_A_PAGE = 500
/** A subscriber that missed changes of more documents had better list them: it is told to start anew. */
export const MAX_MISSED_CHANGES = 1_000
/** Heads looked at for one subscriber that asks for changes by a prefix, before it is told to start anew. */
const MAX_HEADS_READ = 20_000
/**
 * How much earlier than its cursor a change may have been committed that was not told by then: a second of
 * coalescing, and the time between an act's clock reading and its commit, on nodes whose clocks differ.
 */
const SETTLING_MS = 6_000
/** In place of a process tag where a cursor says nothing of changes. */
const NO_PROCESS = '222222'

export type FeedStorage = StorageEpoch &
  FeedReads &
  CommittedActs &
  Pick<DocumentReads, 'head' | 'heads'> &
  Pick<HistoryReads, 'versionAt'>

/** What catching up needs of the feed. */
export interface LiveEnd {
  readonly storage: FeedStorage
  readonly changes: Changes
  /** The stored event that was told last. */
  last(): FeedPoint
  /** Whether `sequence` is known to have been given to an event. */
  isKnown(sequence: Sequence): boolean
  /** How many documents were purged so far: what was read before may hold what nobody may be shown any more. */
  readonly purges: number
  /** Looks for events of other nodes that this one has not heard of. */
  refresh(): void
  storedEvent(event: StoredEvent): FeedEvent
  changedEvent(head: Head, point: FeedPoint, told: Told): FeedEvent
  /** From here on the subscription gets every event after `position` as it happens. */
  join(subscription: Subscription, position: Sequence): void
}

type CaughtUp = 'joined' | 'closed' | 'resync'

/**
 * Resolves once the subscription is live or closed; `resync` where what it missed can no longer be told.
 * Delivers nothing before it has returned its promise.
 */
export async function catchUp(subscription: Subscription, since: Cursor | 'foreign', feed: LiveEnd): Promise<CaughtUp> {
  const range = await feed.storage.eventRange()
  if (subscription.closed) return 'closed'
  if (since === 'foreign' || since.sequence < range.first - 1) return 'resync'
  if (!feed.isKnown(since.sequence)) {
    if (since.sequence > range.last) return 'resync'
    feed.refresh()
  }
  if (!(await isOfThisHistory(since, feed.storage))) return 'resync'
  if (subscription.closed) return 'closed'
  let stamp = feed.changes.stampOf(since)
  if (stamp === null && subscription.interest.types.has(CHANGED)) {
    stamp = feed.changes.told.stamp
    const outcome = await deliverSwept(subscription, since, feed)
    if (outcome !== 'delivered') return outcome
  }
  return followStored(subscription, since, stamp ?? feed.changes.told.stamp, feed)
}

/** Whether what a cursor names is what storage holds: not where the file was put back since (SPEC OPS-7). */
async function isOfThisHistory({ sequence, mark, change }: Cursor, storage: FeedStorage): Promise<boolean> {
  if ((await storage.eventMark(sequence)) !== mark) return false
  const head = change && (await storage.head(change.document))
  if (!head) return true
  if (change.version >= head.version) return change.version === head.version && change.mark === headMark(head)
  const facts = await storage.versionAt(change.document, change.version)
  return facts?.version !== change.version || change.mark === versionMark(facts)
}

async function followStored(
  subscription: Subscription,
  from: FeedPoint,
  fromStamp: number,
  feed: LiveEnd,
): Promise<CaughtUp> {
  let position = from
  let stamp = fromStamp
  for (;;) {
    const upTo = feed.last()
    const told = feed.changes.told.stamp
    if (!(await deliverChanges(subscription, position, stamp, feed))) return 'closed'
    stamp = told
    if (position.sequence >= upTo.sequence) {
      // Nothing was told meanwhile, and no one else runs before the subscription has joined.
      if (feed.last().sequence !== upTo.sequence || feed.changes.told.stamp !== told) continue
      feed.join(subscription, position.sequence)
      return 'joined'
    }
    const { purges } = feed
    const page = await readPage(position.sequence, feed)
    if (subscription.closed) return 'closed'
    if (page === 'pruned') return 'resync'
    const due = page.filter((event) => event.sequence <= upTo.sequence)
    const last = due.at(-1)
    const end = due.length < EVENTS_A_PAGE || last === undefined ? upTo : pointAfter(last)
    const reached = await deliverPage(subscription, due, feed, purges)
    if (reached === 'closed') return 'closed'
    position = reached === 'all' ? end : (reached ?? position)
  }
}

/** Delivers a page. Where a document is purged meanwhile, answers the last event before; null for none. */
async function deliverPage(
  subscription: Subscription,
  page: readonly StoredEvent[],
  feed: LiveEnd,
  purges: number,
): Promise<'all' | 'closed' | FeedPoint | null> {
  let last: FeedPoint | null = null
  for (const event of page) {
    const room = subscription.sink.room()
    if (room !== null) await room
    if (feed.purges !== purges) return last
    if (!(await deliverStored(subscription, event, feed))) return 'closed'
    last = pointAfter(event)
  }
  return 'all'
}

/** The next events, or that some of them are kept no longer. */
async function readPage(position: Sequence, feed: LiveEnd): Promise<readonly StoredEvent[] | 'pruned'> {
  const page = await feed.storage.events(position, EVENTS_A_PAGE)
  if (page[0]?.sequence === position + 1) return page
  // Either the events of a purged document are missing, which is as it should be, or old ones were pruned.
  const range = await feed.storage.eventRange()
  return range.first - 1 > position ? 'pruned' : page
}

async function deliverStored(subscription: Subscription, event: StoredEvent, feed: LiveEnd): Promise<boolean> {
  if (!subscription.asksFor(event.type, event.document)) return !subscription.closed
  return hand(subscription, event.document, () => feed.storedEvent(event))
}

/** Delivers what was told after `stamp`; false when the subscription was closed meanwhile. */
async function deliverChanges(
  subscription: Subscription,
  position: FeedPoint,
  stamp: number,
  feed: LiveEnd,
): Promise<boolean> {
  if (!subscription.interest.types.has(CHANGED)) return !subscription.closed
  const { process } = feed.changes.told
  for (const change of feed.changes.after(stamp)) {
    const { head } = change
    if (!subscription.asksFor(CHANGED, head.id) || !feed.changes.isLast(change)) continue
    const told = { stamp: change.stamp, process }
    if (!(await hand(subscription, head.id, () => feed.changedEvent(head, position, told)))) return false
  }
  return !subscription.closed
}

/** Delivers one event when the sink has room, if its reader may see it; false when the subscription is closed. */
async function hand(subscription: Subscription, document: DocumentId, make: () => FeedEvent): Promise<boolean> {
  const room = subscription.sink.room()
  if (room !== null) await room
  if (!subscription.closed && subscription.interest.mayRead(document)) subscription.sink.deliver(make(), [subscription])
  return !subscription.closed
}

/**
 * Changes this process did not tell itself, or has forgotten: found by the time of each document's last entry.
 * Their ids keep the stamp of `since`, so that whoever leaves amid them gets the others again.
 */
async function deliverSwept(
  subscription: Subscription,
  since: Cursor,
  feed: LiveEnd,
): Promise<'delivered' | 'closed' | 'resync'> {
  const told = since.told ?? (await toldBefore(since.sequence, feed.storage))
  const after = told.stamp / 1_000 - SETTLING_MS
  const missed = await changedAfter(subscription, after, feed.storage)
  if (subscription.closed) return 'closed'
  if (missed === 'too-many') return 'resync'
  for (const head of missed) {
    if (since.change?.document === head.id && since.change.version >= head.version) continue
    const open = await hand(subscription, head.id, () => feed.changedEvent(head, since, told))
    if (!open) return 'closed'
  }
  return 'delivered'
}

/** When the stored event was told, as far as storage knows: at the earliest when it happened. */
async function toldBefore(sequence: Sequence, storage: FeedStorage): Promise<Told> {
  const [event] = sequence > 0 ? await storage.events(toSequence(sequence - 1), 1) : []
  return { stamp: event?.sequence === sequence ? event.at * 1_000 : 0, process: NO_PROCESS }
}

/** Living documents the subscription asks for that changed after `after` (milliseconds), oldest change first. */
async function changedAfter(
  subscription: Subscription,
  after: number,
  storage: FeedStorage,
): Promise<readonly Head[] | 'too-many'> {
  const { patterns, mayRead } = subscription.interest
  const changed: Head[] = []
  let read = 0
  for await (const head of headsOf(patterns, storage)) {
    if (subscription.closed) return []
    read++
    const hasChanged = head.updatedAt > after && head.version > head.firstVersion && head.deletedAt === null
    if (hasChanged && mayRead(head.id)) changed.push(head)
    if (changed.length > MAX_MISSED_CHANGES || read > MAX_HEADS_READ) return 'too-many'
  }
  return changed.toSorted((a, b) => a.updatedAt - b.updatedAt)
}

async function* headsOf(patterns: readonly Pattern[], storage: FeedStorage): AsyncGenerator<Head> {
  const prefixes: Pattern[] = []
  for (const pattern of patterns) {
    if ('prefix' in pattern) {
      prefixes.push(pattern)
      continue
    }
    const head = await storage.head(pattern.exact)
    if (head !== null) yield head
  }
  if (prefixes.length === 0) return
  let after: DocumentId | null = null
  for (;;) {
    const page: readonly Head[] = await storage.heads({ patterns: prefixes, after, limit: HEADS_A_PAGE })
    yield* page
    after = page.at(-1)?.id ?? null
    if (page.length < HEADS_A_PAGE) return
  }
}
