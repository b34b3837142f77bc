/**
 * Builders of the stored events. `data` is thin: ids, versions, actors, pointers and hrefs, never contents, so
 * that a subscriber fetches what it may still read. Every event has `document` (its id) and `href`.
 *
 * | type                                | data, besides `document` and `href`                                        |
 * |-------------------------------------|----------------------------------------------------------------------------|
 * | `parley.conflict.detected`          | `conflict`, `kind`, `baseVersion`, `currentVersion`, `author` (of the       |
 * |                                     | incoming change), `overlaps` (json: pointers, text: ids), `overlapCount`    |
 * | `parley.conflict.proposed`          | `conflict`, `proposal`, `use`, `baseVersion`, `by`                          |
 * | `parley.conflict.proposal-rejected` | `conflict`, `proposal`, `proposedBy`, `by`                                  |
 * | `parley.conflict.resolved`          | `conflict`, `kind`, `use`, `version`, `proposal` (accepted one or null), `by` |
 * | `parley.conflict.superseded`        | `conflict`, `kind`, `by`                                                    |
 * | `parley.conflict.dismissed`         | `conflict`, `kind`, `by`                                                    |
 * | `parley.conflict.expired`           | `conflict`, `kind`, `by`                                                    |
 * | `parley.document.created`           | `kind`, `version`, `by`                                                     |
 * | `parley.document.deleted`           | `kind`, `version` (the last one), `by`                                      |
 * | `parley.document.locked`            | `fence`, `by` (the owner)                                                   |
 * | `parley.document.unlocked`          | `fence`, `reason` (`released`, `broken`, `expired`, `deleted`), `owner`,    |
 * |                                     | `by` (null where time ended it)                                             |
 * | `parley.document.changed`           | `kind`, `version` (the newest), `by`; made at delivery, never stored        |
 *
 * `href` leads to the conflict where the event tells of one, else to the document. Pure.
 */
import type { ConflictRecord, Place, Proposal } from './conflict.ts'
import type { Head } from './document.ts'
import { invariant } from '../foundation/assert.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import type { EndReason, HeldLock, LapsedLock } from './lock.ts'
import type { EventData, NewEvent, StoredEventType } from './event.ts'

/** An event names so many overlaps; `overlapCount` and the conflict itself tell of the others. */
const MAX_OVERLAPS = 20
/** A pointer may be as long as the keys in it. One longer than this is left out: an event must stay thin. */
const MAX_PLACE_LENGTH = 256

type ConflictClosing = Extract<
  StoredEventType,
  'parley.conflict.superseded' | 'parley.conflict.dismissed' | 'parley.conflict.expired'
>

export function conflictDetected(record: ConflictRecord): NewEvent {
  return conflictEvent('parley.conflict.detected', record, {
    kind: record.kind,
    baseVersion: record.base.version,
    currentVersion: record.current.version,
    author: record.author,
    overlaps: record.places
      .map(nameOf)
      .filter((name) => name.length <= MAX_PLACE_LENGTH)
      .slice(0, MAX_OVERLAPS),
    overlapCount: record.places.length,
  })
}

export function conflictProposed(record: ConflictRecord, proposal: Proposal): NewEvent {
  return conflictEvent('parley.conflict.proposed', record, {
    proposal: proposal.id,
    use: proposal.use,
    baseVersion: proposal.baseVersion,
    by: proposal.by,
  })
}

/** `proposal` as it is after its rejection. */
export function proposalRejected(record: ConflictRecord, proposal: Proposal): NewEvent {
  invariant(proposal.status === 'rejected', 'only a rejected proposal is told of as rejected')
  return conflictEvent('parley.conflict.proposal-rejected', record, {
    proposal: proposal.id,
    proposedBy: proposal.by,
    by: proposal.decidedBy,
  })
}

/** `record` as it is after its end, as for the three below. Proposals that end with it have no event of their own. */
export function conflictResolved(record: ConflictRecord): NewEvent {
  invariant(record.state.status === 'resolved', `${record.id} is resolved`)
  const { resolution } = record.state
  return conflictEvent('parley.conflict.resolved', record, {
    kind: record.kind,
    use: resolution.use,
    version: resolution.version,
    proposal: record.proposals.find((proposal) => proposal.status === 'accepted')?.id ?? null,
    by: resolution.by,
  })
}

export const conflictSuperseded = (record: ConflictRecord): NewEvent => ended('parley.conflict.superseded', record)
export const conflictDismissed = (record: ConflictRecord): NewEvent => ended('parley.conflict.dismissed', record)
export const conflictExpired = (record: ConflictRecord): NewEvent => ended('parley.conflict.expired', record)

/** `head` as the creating (or restoring) entry left it. */
export const documentCreated = (head: Head): NewEvent => ({
  type: 'parley.document.created',
  document: head.id,
  data: documentData(head),
})

/** `head` as the deleting entry left it. */
export const documentDeleted = (head: Head): NewEvent => ({
  type: 'parley.document.deleted',
  document: head.id,
  data: documentData(head),
})

export const documentLocked = (document: DocumentId, lock: { fence: number; owner: PrincipalId }): NewEvent => ({
  type: 'parley.document.locked',
  document,
  data: { document, fence: lock.fence, by: lock.owner, href: documentHref(document) },
})

/** `by` is whoever ended the lock; null where its time was over. */
export const documentUnlocked = (
  document: DocumentId,
  { fence, owner }: HeldLock | LapsedLock,
  reason: EndReason,
  by: PrincipalId | null,
): NewEvent => ({
  type: 'parley.document.unlocked',
  document,
  data: { document, fence, reason, owner, by, href: documentHref(document) },
})

/** The facts every event of a document's own life tells; those of `parley.document.changed` too. */
export const documentData = (head: Head): EventData => ({
  document: head.id,
  kind: head.kind,
  version: head.version,
  by: head.updatedBy,
  href: documentHref(head.id),
})

export const documentHref = (id: DocumentId): string => `/documents/${id}`

function ended(type: ConflictClosing, record: ConflictRecord): NewEvent {
  invariant(type === `parley.conflict.${record.state.status}`, `${record.id} is ${type}`)
  invariant('closedBy' in record.state, `${record.id} was closed by someone`)
  return conflictEvent(type, record, { kind: record.kind, by: record.state.closedBy })
}

const conflictEvent = (type: StoredEventType, record: ConflictRecord, data: EventData): NewEvent => ({
  type,
  document: record.document,
  data: { conflict: record.id, document: record.document, ...data, href: `/conflicts/${record.id}` },
})

/** A json overlap is named by its pointer, a text one by its id. */
const nameOf = (place: Place): string => ('pointer' in place ? place.pointer : place.id)
