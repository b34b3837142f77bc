import { markOf } from '../foundation/mark.ts'
import type { DocumentId, Sequence } from '../foundation/ids.ts'

/** Types that are stored with the act they tell of. */
export const STORED_EVENT_TYPES = [
  'parley.conflict.detected',
  'parley.conflict.proposed',
  'parley.conflict.proposal-rejected',
  'parley.conflict.resolved',
  'parley.conflict.superseded',
  'parley.conflict.dismissed',
  'parley.conflict.expired',
  'parley.document.created',
  'parley.document.deleted',
  'parley.document.locked',
  'parley.document.unlocked',
] as const
export type StoredEventType = (typeof STORED_EVENT_TYPES)[number]

/** The one event that outlives a purge of its document (SPEC HIST-5). */
export const DELETED: StoredEventType = 'parley.document.deleted'
/** Made at delivery, never stored; sent only to those who ask for it. */
export const CHANGED = 'parley.document.changed'
export const EVENT_TYPES = [...STORED_EVENT_TYPES, CHANGED] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** Thin by rule: ids, versions, actors, pointers and hrefs, never contents. */
export type EventData = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** An event as an act hands it to storage. */
export interface NewEvent {
  readonly type: StoredEventType
  readonly document: DocumentId
  readonly data: EventData
}

/** An event as the feed holds it. `at` is milliseconds since the epoch. */
export interface StoredEvent extends NewEvent {
  readonly sequence: Sequence
  readonly at: number
}

/** A place in the feed: right after the event with this sequence, which the mark tells from any other that had it. */
export interface FeedPoint {
  readonly sequence: Sequence
  readonly mark: string
}

/** Tells an event from another that had its sequence before the database file was put back (SPEC OPS-7). */
export const eventMark = ({ at, type, document, data }: StoredEvent): string =>
  markOf(JSON.stringify([at, type, document, data]))

/** The place right after an event. Its mark is made when somebody asks for it, for most events are followed by the next. */
export const pointAfter = (event: StoredEvent): FeedPoint => ({
  sequence: event.sequence,
  get mark() {
    return eventMark(event)
  },
})
