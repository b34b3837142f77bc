import type { Kind, Range, Violation } from '../content/content.ts'
import type { Reach } from '../content/reach.ts'
import type { ConflictId, DocumentId, Incarnation, PrincipalId, ProposalId, Version } from '../foundation/ids.ts'

export const CONFLICT_KINDS = ['stale-write', 'concurrent-edit', 'invalid-merge'] as const
export type ConflictKind = (typeof CONFLICT_KINDS)[number]

export const CONFLICT_STATUSES = ['open', 'resolved', 'superseded', 'dismissed', 'expired'] as const
export type ConflictStatus = (typeof CONFLICT_STATUSES)[number]

export const RESOLUTION_USES = ['current', 'incoming', 'merged', 'content', 'choices'] as const
export type Use = (typeof RESOLUTION_USES)[number]

/** SPEC CONF-9: open conflicts a principal may have on one document. */
export const MAX_OPEN_CONFLICTS = 100

/** sha-256 of the canonical form of a content, base64url; the key under which storage keeps equal contents once. */
export type ContentHash = string

/**
 * One side of a conflict as it is kept: a version of the log, or (for what never became a version)
 * a stored content.
 */
export type SideRef =
  | { readonly version: Version; readonly hash: null }
  | { readonly version: Version | null; readonly hash: ContentHash }

export interface Resolution {
  readonly use: Use
  readonly by: PrincipalId
  readonly at: number
  readonly version: Version
  readonly comment: string | null
}

export interface Proposal {
  readonly id: ProposalId
  readonly use: Use
  /** The content the proposal would make, kept like any refused content. */
  readonly hash: ContentHash
  readonly baseVersion: Version
  readonly by: PrincipalId
  readonly at: number
  readonly comment: string | null
  readonly status: 'pending' | 'accepted' | 'rejected'
  readonly decidedBy: PrincipalId | null
  readonly decidedAt: number | null
  readonly decisionComment: string | null
}

/** What only a merge of live edits has: how to find its overlaps again from the contents (CONF-6). */
export interface LiveFacts {
  /** The version right after the merge. */
  readonly merged: Version
  /** The version in which the places were last looked for: `merged`, or later where a resolution came too late (RES-1). */
  readonly seen: Version
  /** The newest version of which the returning client had everything; base, where that is a version. */
  readonly since: Version
  /** Later versions that it had as well: what it wrote itself. The oldest of them where they are very many. */
  readonly own: readonly Version[]
  /** Pointers into current at which a shared text stood that both sides changed: it is compared by lines. */
  readonly texts: readonly string[]
  /** Where the sides held different things, one having replaced what the other edited: compared as a whole. */
  readonly wholes: readonly string[]
  /** The edits had to wait here, for a lock, for the disk or for what they build on; else their author was away. */
  readonly waited?: true
}

/** How a conflict ended; `open` carries none of this. */
export type ConflictState =
  | { readonly status: 'open' }
  | { readonly status: 'resolved'; readonly closedAt: number; readonly resolution: Resolution }
  | {
      readonly status: 'superseded' | 'dismissed' | 'expired'
      readonly closedAt: number
      readonly closedBy: PrincipalId
      readonly comment: string | null
    }

/** Where an overlap is, without what stands there. */
export type Place =
  | { readonly id: string; readonly pointer: string }
  | { readonly id: string; readonly lines: { readonly base: Range; readonly current: Range; readonly incoming: Range } }

/** Where a refused write reaches in the content of a version. */
export interface ReachAt {
  readonly version: Version
  readonly reach: Reach
}

/** A conflict as it is kept: references and facts; contents and overlaps are worked out when it is shown. */
export interface ConflictRecord {
  readonly id: ConflictId
  readonly kind: ConflictKind
  readonly document: DocumentId
  readonly documentKind: Kind
  readonly incarnation: Incarnation
  /** Author of the incoming change. */
  readonly author: PrincipalId
  readonly detectedAt: number
  readonly base: SideRef
  readonly current: SideRef
  readonly incoming: SideRef
  /** The overlaps as of `current`, at most 1,000; worked out in full when the conflict is shown. */
  readonly places: readonly Place[]
  /** Of a refused write: what is written elsewhere settles nothing of it. */
  readonly reach?: ReachAt
  /** Versions that its author wrote and that are still to be compared with it, oldest first (SPEC WRITE-7). */
  readonly unsettled?: readonly Version[]
  /** Set for `concurrent-edit`. */
  readonly live?: LiveFacts
  /** Set for `invalid-merge`: what the content breaks, the first so many. */
  readonly violations?: readonly Violation[]
  /** Whether `merged` takes every change of both sides; of a live merge it never does for certain. */
  readonly clean: boolean
  /** Whether the sides differ in nothing but line ends and blanks at the ends of lines, wherever they overlap. */
  readonly whitespaceOnly: boolean
  readonly state: ConflictState
  readonly proposals: readonly Proposal[]
  /** Grows with each change of the record; an update names the one it saw. */
  readonly revision: number
}

/** The record after its conflict ended; proposals still pending are rejected by whoever ended it (SPEC RES-1). */
export function closed(record: ConflictRecord, state: Exclude<ConflictState, { status: 'open' }>): ConflictRecord {
  const by = state.status === 'resolved' ? state.resolution.by : state.closedBy
  return {
    ...record,
    state,
    proposals: record.proposals.map((proposal) =>
      proposal.status === 'pending'
        ? { ...proposal, status: 'rejected', decidedBy: by, decidedAt: state.closedAt }
        : proposal,
    ),
    revision: record.revision + 1,
  }
}
