import type { Comparing } from '../content/comparing.ts'
import type { Content } from '../content/content.ts'
import { contentHash } from '../content/equal.ts'
import type { Merge, Sides } from '../content/merge.ts'
import type { Environment } from '../foundation/environment.ts'
import type { PrincipalId, Version } from '../foundation/ids.ts'
import {
  closed,
  type ConflictRecord,
  type ConflictState,
  type ContentHash,
  MAX_OPEN_CONFLICTS,
} from '../model/conflict.ts'
import type { ConflictPolicy, Head } from '../model/document.ts'
import type { NewEvent } from '../model/event.ts'
import { conflictDetected, conflictResolved } from '../model/events.ts'
import type { ConflictWrite } from '../storage/conflicts.ts'
import type { EntryEffect } from '../storage/log.ts'
import { newConflictId } from './conflictIds.ts'
import { newStaleWrite, refreshed } from './staleWrite.ts'

/** A write that did not stand as it was sent, with all it met. */
export interface RefusedWrite extends Sides {
  readonly head: Head
  readonly author: PrincipalId
  readonly at: number
  readonly baseVersion: Version
  readonly policy: ConflictPolicy
  /** Open conflicts of the same author on the document. */
  readonly own: readonly ConflictRecord[]
  /** All entries from the base up to the current version, oldest first; null where they would have to be read. */
  readonly entries: readonly EntryEffect[] | null
}

/** What is kept of a refused write, as parts of an act. */
export interface Refusal {
  readonly record: ConflictRecord
  /** False when the author has too many open conflicts: the answer is full, but nothing is kept (CONF-9). */
  readonly stored: boolean
  readonly sides: Sides
  readonly merged: Merge
  /** See `RefusedWrite`. */
  readonly entries: readonly EntryEffect[] | null
  readonly conflicts: readonly ConflictWrite[]
  readonly contents: ReadonlyMap<ContentHash, Content>
  readonly events: readonly NewEvent[]
}

export interface RefusalParts {
  readonly environment: Environment
  readonly comparing: Pick<Comparing, 'mergeReaching'>
  /** Lets others go first, between two pieces of work on large contents. */
  readonly rest: () => Promise<void> | undefined
}

/**
 * What is kept of a write that did not stand: the open conflict this author already has for the same content
 * on the same base, seen from the newer current (SPEC WRITE-7), or a new one. `end` closes it at once, as
 * `incoming-wins` and `current-wins` do; both the detection and the outcome are told then.
 */
export async function recordRefusal(
  write: RefusedWrite,
  end: { readonly use: 'current' | 'incoming'; readonly version: Version } | null,
  { environment, comparing, rest }: RefusalParts,
): Promise<Refusal> {
  const { base, current, incoming, entries } = write
  const sides: Sides = { base, current, incoming }
  await rest()
  const merged = await comparing.mergeReaching(sides)
  await rest()
  const incomingHash = contentHash(incoming)
  const state: Exclude<ConflictState, { status: 'open' }> | null = end && {
    status: 'resolved',
    closedAt: write.at,
    resolution: { use: end.use, by: write.author, at: write.at, version: end.version, comment: null },
  }
  const same = write.own.find(
    (record) => record.base.version === write.baseVersion && record.incoming.hash === incomingHash,
  )
  if (same) {
    const seen = refreshed(same, { version: write.head.version, merge: merged })
    const record = state ? { ...closed(seen, state), revision: seen.revision } : seen
    const events = state ? [conflictResolved(record)] : []
    const parts = { conflicts: [{ op: 'update', record }] as const, contents: new Map(), events }
    return { record, stored: true, sides, merged, entries, ...parts }
  }
  const record = newStaleWrite({
    id: newConflictId(environment),
    document: write.head.id,
    documentKind: write.head.kind,
    incarnation: write.head.incarnation,
    author: write.author,
    at: write.at,
    baseVersion: write.baseVersion,
    currentVersion: write.head.version,
    incomingHash,
    merge: merged,
    state: state ?? { status: 'open' },
  })
  return {
    record,
    stored: state !== null || write.own.length < MAX_OPEN_CONFLICTS,
    sides,
    merged,
    entries,
    conflicts: [{ op: 'insert', record, policy: write.policy }],
    contents: new Map([[incomingHash, incoming]]),
    events: state ? [conflictDetected(record), conflictResolved(record)] : [conflictDetected(record)],
  }
}
