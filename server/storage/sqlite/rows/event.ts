import { toSequence, trustedDocumentId } from '../../../foundation/ids.ts'
import type { EventData, NewEvent, StoredEvent, StoredEventType } from '../../../model/event.ts'
import { parseStored } from '../row.ts'

/** A row of `events` as an act hands it in; its sequence and time are the act's. */
export interface NewEventRow {
  readonly type: StoredEventType
  readonly document: string
  readonly data: string
}
export interface EventRow extends NewEventRow {
  readonly sequence: number
  readonly at: number
}

export const encodeEvent = (event: NewEvent): NewEventRow => ({
  type: event.type,
  document: event.document,
  data: JSON.stringify(event.data),
})

export function decodeEvent(row: EventRow): StoredEvent {
  return {
    sequence: toSequence(row.sequence),
    at: row.at,
    type: row.type,
    document: trustedDocumentId(row.document),
    data: parseStored<EventData>(row.data),
  }
}
