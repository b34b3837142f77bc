/** The shapes of Parley's REST answers and notifications, as SPEC.md names them. Times are RFC 3339 UTC. */

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export interface JsonObject {
  [key: string]: JsonValue
}
export type Content = string | JsonObject
export type Kind = 'text' | 'json'

export interface DocumentFacts {
  readonly id: string
  readonly kind: Kind
  readonly version: number
  readonly etag: string
  readonly root: string
  readonly updatedAt: string
  readonly updatedBy: string
}

export interface Document extends DocumentFacts {
  readonly content: Content
  /** When its present life began: an id that is deleted and created again begins another. */
  readonly createdAt: string
}

/** A version of the past (HIST-2). */
export interface PastVersion {
  readonly version: number
  readonly content: Content
  readonly authors: readonly string[]
  readonly at: string
  readonly origin: string
}

export interface ListedDocument extends DocumentFacts {
  readonly openConflicts: number
  /** What their token calls who changed it last; null where it calls them nothing. */
  readonly updatedByName: string | null
}

/** Somebody who acted on a document, and what their token calls them. */
export interface Person {
  readonly sub: string
  readonly name: string
}

/** Who may write a document alone for now. */
export interface Lock {
  readonly owner: string
  readonly expiresAt: string
  readonly fence: number
}

/** What its owner has: the token that lets them write. */
export interface OwnLock extends Lock {
  readonly token: string
}

/** A version in a list; `firstVersion` where several were joined to one. */
export interface ListedVersion {
  readonly version: number
  readonly firstVersion?: number
  readonly authors: readonly string[]
  readonly at: string
  readonly origin: string
  readonly label: string | null
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor?: string
}

export interface WriteAnswer {
  readonly id: string
  readonly version: number
  readonly etag: string
  /** `written`, `unchanged`, `merged` or another of WRITE-2 to WRITE-6. */
  readonly outcome: string
}

/** Lines, 1-based, end exclusive; `start === end` is a place between lines. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** Absent is not null. */
export type Value = { readonly present: true; readonly value: JsonValue } | { readonly present: false }

export const SIDES = ['base', 'current', 'incoming'] as const
export type SideName = (typeof SIDES)[number]

/** A side as lists show it. */
export interface ListedSide {
  readonly version: number | null
  readonly etag: string | null
  readonly href: string
}

/** What a conflict's base, current or incoming is; the content is missing where it is too large to send along. */
export interface Side extends ListedSide {
  readonly authors: readonly string[]
  readonly content?: Content
}

/** Where an overlap is, without what stands there. */
export type Place = TextPlace | JsonPlace

export interface TextPlace {
  readonly id: string
  /** `merged` where the merge stands in the document: where it is there. */
  readonly lines: { readonly base: Range; readonly current: Range; readonly incoming: Range; readonly merged?: Range }
}

export interface JsonPlace {
  readonly id: string
  readonly pointer: string
  /** Where the same place is in the other contents; `merged` where the merge stands in the document. */
  readonly pointers?: { readonly current?: string; readonly merged?: string }
}

export interface TextOverlap extends TextPlace {
  readonly base: string
  readonly current: string
  readonly incoming: string
  /** What a live merge made of it. */
  readonly merged?: string
  /** Who is behind `current`. */
  readonly authors: readonly string[]
}

export interface JsonOverlap extends JsonPlace {
  readonly base: Value
  readonly current: Value
  readonly incoming: Value
  /** What a live merge made of it. */
  readonly merged?: Value
  /** The values are lists of elements, the first of which stands at the pointer. */
  readonly elements?: boolean
}

export type Overlap = TextOverlap | JsonOverlap

export const USES = ['current', 'incoming', 'merged', 'content', 'choices'] as const
export type Use = (typeof USES)[number]

export interface Resolution {
  readonly use: Use
  readonly by: string
  readonly at: string
  readonly version: number
  readonly comment: string | null
}

export interface Proposal {
  readonly id: string
  readonly use: Use
  readonly content?: Content
  readonly baseVersion: number
  readonly by: string
  readonly at: string
  readonly comment: string | null
  readonly status: 'pending' | 'accepted' | 'rejected'
  readonly decidedBy?: string | null
  readonly decisionComment?: string | null
}

export const CONFLICT_KINDS = ['stale-write', 'concurrent-edit', 'invalid-merge'] as const
export type ConflictKind = (typeof CONFLICT_KINDS)[number]

export const CONFLICT_STATUSES = ['open', 'resolved', 'superseded', 'dismissed', 'expired'] as const
export type ConflictStatus = (typeof CONFLICT_STATUSES)[number]

/** What a list tells of a conflict: everything but contents and the values of the overlaps. */
export interface ListedConflict {
  readonly id: string
  readonly kind: ConflictKind
  readonly status: ConflictStatus
  readonly document: { readonly id: string; readonly kind: Kind }
  readonly detectedAt: string
  /** Of a live merge: the edits had to wait on the server, mostly for a lock. */
  readonly waited?: boolean
  readonly closedAt: string | null
  readonly closedBy: string | null
  readonly closedComment: string | null
  readonly base: ListedSide
  readonly current: ListedSide
  readonly incoming: Side
  /** `version`: of the document that holds the merge. */
  readonly merged: { readonly clean: boolean; readonly version?: number }
  readonly overlaps: readonly Place[]
  readonly proposals: readonly Proposal[]
  readonly resolution: Resolution | null
}

export interface Intervening {
  readonly version: number
  readonly author: string
  readonly at: string
}

export interface Violation {
  readonly pointer: string
  readonly message: string
}

export interface Conflict extends ListedConflict {
  readonly base: Side
  readonly current: Side
  readonly merged: { readonly clean: boolean; readonly version?: number; readonly content?: Content }
  /** The sides differ in nothing but line ends and blanks at the ends of lines. */
  readonly whitespaceOnly: boolean
  readonly overlaps: readonly Overlap[]
  readonly intervening: readonly Intervening[]
  readonly violations?: readonly Violation[]
  readonly truncated: boolean
}

/** What stands at an overlap after the resolution; `value` for json, `text` for text. */
export type Choice = SideName | { readonly value: JsonValue } | { readonly text: string }

export type ResolutionRequest =
  | {
      readonly conflictId: string
      readonly baseVersion: number
      readonly use: 'current' | 'incoming' | 'merged'
      readonly comment?: string
    }
  | {
      readonly conflictId: string
      readonly baseVersion: number
      readonly use: 'content'
      readonly content: Content
      readonly comment?: string
    }
  | {
      readonly conflictId: string
      readonly baseVersion: number
      readonly use: 'choices'
      readonly choices: Readonly<Record<string, Choice>>
      readonly comment?: string
    }
  | { readonly conflictId: string; readonly accept: string }
  | { readonly conflictId: string; readonly reject: string; readonly comment?: string }
  | { readonly conflictId: string; readonly dismiss: true; readonly comment?: string }

/** 200: applied, rejected or dismissed. 202: kept as a proposal, for someone who may resolve. */
export type ResolutionAnswer =
  | { readonly outcome: 'closed'; readonly conflict: ListedConflict }
  | { readonly outcome: 'proposed'; readonly conflict: ListedConflict; readonly proposal: Proposal }

/** An RFC 9457 problem document with Parley's `code` and `retryable`, and what some codes carry besides. */
export interface Problem {
  readonly code: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly retryable: boolean
  readonly conflict?: Conflict
  readonly errors?: readonly { readonly overlap?: string; readonly message: string }[]
  readonly violations?: readonly Violation[]
  /** Of 410 `document-deleted`. */
  readonly lastVersion?: number
  readonly deletedAt?: string
  readonly deletedBy?: string
  readonly purged?: boolean
  /** Of 423: who holds the lock, and until when. */
  readonly owner?: string
  readonly expiresAt?: string
}

export const EVENT_TYPES = [
  'parley.conflict.detected',
  'parley.conflict.proposed',
  'parley.conflict.proposal-rejected',
  'parley.conflict.resolved',
  'parley.conflict.superseded',
  'parley.conflict.dismissed',
  'parley.conflict.expired',
  'parley.document.created',
  'parley.document.changed',
  'parley.document.deleted',
  'parley.document.locked',
  'parley.document.unlocked',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** A CloudEvent. `data` is thin: ids, versions, actors, pointers and hrefs, never contents. */
export interface ParleyEvent {
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}
