import type Database from 'better-sqlite3'
import { type Sequence, toSequence, trustedDocumentId } from '../../foundation/ids.ts'
import { NO_MARK } from '../../foundation/mark.ts'
import { type EventData, eventMark, type NewEvent, type StoredEvent, type StoredEventType } from '../../model/event.ts'
import { notPurged } from './purges.ts'
import { parseStored, type StorageStep, STEP_ROWS } from './row.ts'

/** Events one pruning call deletes at most: what waits behind it waits some milliseconds, not longer. */
const PRUNED_EVENTS = 1000

/** A row of `events` as an act hands it in; its sequence and time are the act's. */
export interface NewEventRow {
  readonly type: StoredEventType
  readonly document: string
  readonly data: string
}
interface EventRow extends NewEventRow {
  readonly sequence: number
  readonly at: number
}

export const encodeEvent = (event: NewEvent): NewEventRow => ({
  type: event.type,
  document: event.document,
  data: JSON.stringify(event.data),
})

function decodeEvent(row: EventRow): StoredEvent {
  return {
    sequence: toSequence(row.sequence),
    at: row.at,
    type: row.type,
    document: trustedDocumentId(row.document),
    data: parseStored<EventData>(row.data),
  }
}

/** Keeps and forgets events; knows nothing of transactions. */
export class SqliteFeedWriter {
  readonly #sql: ReturnType<typeof prepareWrites>

  constructor(connection: Database.Database) {
    this.#sql = prepareWrites(connection)
  }

  /** Answers the sequence of the first; 0 where there is none. */
  append(at: number, events: readonly NewEventRow[]): number {
    let last = 0
    for (const event of events) {
      last = Number(this.#sql.insertEvent.run(at, event.type, event.document, event.data).lastInsertRowid)
    }
    return events.length === 0 ? 0 : last - events.length + 1
  }

  /**
   * Forgets those before `before` from the oldest on, up to the first that is kept, so that the feed has no holes even if a
   * clock went back. At most a bounded number; answers how many.
   */
  prune(before: number): number {
    const oldest = this.#sql.selectOldestEvents.all(PRUNED_EVENTS)
    const kept = oldest.findIndex((event) => event.at >= before)
    const pruned = kept === -1 ? oldest.length : kept
    const last = oldest[pruned - 1]
    if (last !== undefined) {
      this.#sql.keepPrunedMark.run(last.sequence, eventMark(decodeEvent(last)))
      this.#sql.deleteEventsUpTo.run(last.sequence)
    }
    return pruned
  }
}

/** Answers what is asked about events. */
export class SqliteFeedReader {
  readonly #sql: ReturnType<typeof prepareReads>

  constructor(connection: Database.Database) {
    this.#sql = prepareReads(connection)
  }

  /**
   * The first that are shown, of a bounded number that are there or are being erased. Fewer are forgotten at a time
   * (`PRUNED_EVENTS`), so that none that were not gone through are before the next step.
   */
  events(after: number, limit: number): StorageStep<StoredEvent, number> {
    const first = this.#sql.next.get(after) ?? null
    if (first === null) return { found: [], next: null }
    const last = first + STEP_ROWS - 1
    const found = this.#sql.events.all({ first, last, limit }).map(decodeEvent)
    return { found, next: this.#sql.next.get(last) === null ? null : last }
  }

  eventMark(sequence: Sequence): string {
    const event = this.#sql.events.get({ first: sequence, last: sequence, limit: 1 })
    return event === undefined ? (this.#sql.prunedMark.get(sequence) ?? NO_MARK) : eventMark(decodeEvent(event))
  }

  eventRange(): { first: Sequence; last: Sequence } {
    const { first, last } = this.#sql.eventRange.get() ?? { first: null, last: null }
    return { first: toSequence(first ?? (last ?? 0) + 1), last: toSequence(last ?? 0) }
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    insertEvent: connection.prepare<[at: number, type: string, document: string, data: string]>(
      'INSERT INTO events (at, type, document, data) VALUES (?, ?, ?, ?)',
    ),
    selectOldestEvents: connection.prepare<[limit: number], EventRow>(
      'SELECT sequence, at, type, document, data FROM events ORDER BY sequence LIMIT ?',
    ),
    keepPrunedMark: connection.prepare<[sequence: number, mark: string]>(
      'UPDATE meta SET pruned_sequence = ?, pruned_mark = ?',
    ),
    deleteEventsUpTo: connection.prepare<[sequence: number]>('DELETE FROM events WHERE sequence <= ?'),
  }
}

function prepareReads(connection: Database.Database) {
  return {
    events: connection.prepare<[{ first: number; last: number; limit: number }], EventRow>(
      `SELECT sequence, at, type, document, data FROM events
       WHERE sequence >= @first AND sequence <= @last
         AND (type = 'parley.document.deleted' OR ${notPurged('events', 'sequence', 'event')})
       ORDER BY sequence LIMIT @limit`,
    ),
    next: connection
      .prepare<[after: number], number | null>('SELECT min(sequence) FROM events WHERE sequence > ?')
      .pluck(),
    prunedMark: connection
      .prepare<[sequence: number], string>(
        "SELECT pruned_mark FROM meta WHERE pruned_sequence = ? AND pruned_mark <> ''",
      )
      .pluck(),
    // The ledger of AUTOINCREMENT knows the last sequence even when its event was forgotten.
    eventRange: connection.prepare<[], { first: number | null; last: number | null }>(
      `SELECT (SELECT min(sequence) FROM events) AS first,
              (SELECT seq FROM sqlite_sequence WHERE name = 'events') AS last`,
    ),
  }
}
