/**
 * What a subscriber gets: CloudEvents 1.0 in JSON, and the cursors that name a place in the feed. Pure.
 *
 * A cursor is opaque to clients. It reads
 *
 *     <epoch>.<sequence>.<mark>                                 the stored event with this sequence
 *     <epoch>.<sequence>.<mark>~<stamp>.<process>               a place between events (a bookmark)
 *     …~<stamp>.<process>~<document>~<version>.<mark>           a `parley.document.changed`
 *
 * Marks tell the event, and the entry, from any other that had its number before the database file was put back.
 * Sequence and stamp are in base 36, zero-padded, so that cursors of one epoch are in the feed's order when
 * compared as strings. `stamp` says how far the changes that are never stored had been told, by the clock of
 * the process whose tag follows.
 */
import type { Head } from '../model/document.ts'
import { parseDocumentId, toSequence, toVersion, type DocumentId, type Version } from '../foundation/ids.ts'
import { prefixOf } from '../foundation/links.ts'
import { MARK_LENGTH } from '../foundation/mark.ts'
import { toTimestamp } from '../foundation/environment.ts'
import {
  CHANGED,
  pointAfter,
  type EventData,
  type EventType,
  type FeedPoint,
  type StoredEvent,
} from '../model/event.ts'
import { documentData } from '../model/events.ts'

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
export interface CloudEvent {
  readonly specversion: '1.0'
  /** A cursor: any event's id can be given as `since`. */
  readonly id: string
  readonly source: string
  readonly type: EventType
  /** `documents/ID` */
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly data: EventData
}

/** How far changes had been told: every one with a stamp up to this, by this process. */
export interface Told {
  /** Microseconds since the epoch, unique and growing in its process. */
  readonly stamp: number
  /** Tag of the process that told them. */
  readonly process: string
}

/** A place in the feed: after a stored event, and after the changes told until then. */
export interface Cursor extends FeedPoint {
  /** Null for the id of a stored event. */
  readonly told: Told | null
  /** The change whose id this is. */
  readonly change: { readonly document: DocumentId; readonly version: Version; readonly mark: string } | null
}

/** Length of a process tag. */
export const PROCESS_TAG_LENGTH = 6
/** 36^11 is beyond every safe integer. */
const NUMBER_LENGTH = 11

/** Without marks, as before there were any, it is of a course of events that nobody can know. */
const MARK = `(?:\\.([0-9a-z]{${MARK_LENGTH}}))?`
const cursorRegExp = new RegExp(
  `^([A-Za-z0-9_-]+)\\.([0-9a-z]{${NUMBER_LENGTH}})${MARK}` +
    `(?:~([0-9a-z]{${NUMBER_LENGTH}})\\.([a-z2-7]{${PROCESS_TAG_LENGTH}})(?:~(.+)~([1-9][0-9]*)${MARK})?)?$`,
)

export function formatCursor(epoch: string, cursor: Cursor): string {
  const { sequence, mark, told, change } = cursor
  const place = `${epoch}.${padded(sequence)}.${mark}`
  if (told === null) return place
  const between = `${place}~${padded(told.stamp)}.${told.process}`
  return change === null ? between : `${between}~${change.document}~${change.version}.${change.mark}`
}

/** `foreign`: well-formed, but of another epoch (SPEC OPS-7), or without marks. Null: not a cursor. */
export function parseCursor(text: string, epoch: string): Cursor | 'foreign' | null {
  const match = cursorRegExp.exec(text)
  if (match === null) return null
  const [, of, sequenceText = '', mark, stampText, process = '', document, version = '', versionMark] = match
  const sequence = parsePadded(sequenceText)
  const stamp = stampText === undefined ? null : parsePadded(stampText)
  const change = document === undefined ? null : parseChange(document, version)
  if (sequence === undefined || stamp === undefined || change === undefined) return null
  if (of !== epoch || mark === undefined || (change !== null && versionMark === undefined)) return 'foreign'
  return {
    sequence: toSequence(sequence),
    mark,
    told: stamp === null ? null : { stamp, process },
    change: change === null || versionMark === undefined ? null : { ...change, mark: versionMark },
  }
}

export const toCloudEvent = (event: StoredEvent, source: string, epoch: string): CloudEvent => ({
  specversion: '1.0',
  id: formatCursor(epoch, { ...pointAfter(event), told: null, change: null }),
  source,
  type: event.type,
  subject: `documents/${event.document}`,
  time: toTimestamp(event.at),
  datacontenttype: 'application/json',
  data: shownData(event.data, source),
})

/** The `parley.document.changed` of a head; `id` is the cursor that names it. */
export const toChangedEvent = (head: Head, source: string, id: string): CloudEvent => ({
  specversion: '1.0',
  id,
  source,
  type: CHANGED,
  subject: `documents/${head.id}`,
  time: toTimestamp(head.updatedAt),
  datacontenttype: 'application/json',
  data: shownData(documentData(head), source),
})

/** As whoever gets it reaches its `href`. */
const shownData = (data: EventData, source: string): EventData =>
  typeof data['href'] === 'string' ? { ...data, href: prefixOf(source) + data['href'] } : data

/** The only member of an event that is so named: a quote within a text is escaped. */
const HREF = /"href":"([^"]*)(\/(?:documents|conflicts)\/[^"/]+)"/

/** The JSON of an event for a reader that came by `/v1` (SPEC API-7). */
export const versionedEvent = (json: string): string => json.replace(HREF, '"href":"$1/v1$2"')

const padded = (n: number): string => n.toString(36).padStart(NUMBER_LENGTH, '0')

function parsePadded(text: string): number | undefined {
  const n = parseInt(text, 36)
  return Number.isSafeInteger(n) ? n : undefined
}

function parseChange(
  documentText: string,
  versionText: string,
): { document: DocumentId; version: Version } | undefined {
  const document = parseDocumentId(documentText)
  const version = Number(versionText)
  return document === null || !Number.isSafeInteger(version) ? undefined : { document, version: toVersion(version) }
}
