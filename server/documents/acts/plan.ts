import type { Content } from '../../content/content.ts'
import { invariant } from '../../foundation/assert.ts'
import type { DocumentId, Version } from '../../foundation/ids.ts'
import type { ParleyError } from '../../foundation/problems.ts'
import type { ContentHash } from '../../model/conflict.ts'
import type { Head, Settings } from '../../model/document.ts'
import type { NewEvent } from '../../model/event.ts'
import type { Settling } from '../openConflicts.ts'
import type { Authorship } from '../replica.ts'
import type { Absent } from '../replicas.ts'
import type { ActResult } from '../../storage/act.ts'
import type { ConflictWrite } from '../../storage/conflicts.ts'
import type { LockWrite } from '../../storage/locks.ts'
import type { HeadView, View } from './view.ts'

/** What shall be appended to the log of a document. */
export type NewEntry = { readonly by: Authorship } & (
  | { readonly type: 'create'; readonly head: Head; readonly content: Content }
  /** A content that differs from the present one. */
  | { readonly type: 'content'; readonly content: Content }
  | { readonly type: 'settings'; readonly settings: Settings }
  | { readonly type: 'delete' }
)

/** What shall become of one document: worked out, and not done yet. Plain data, which nothing but `Acts` can do. */
export interface Plan {
  readonly document: DocumentId
  /** The version that it was worked out on; an entry is appended to no other. */
  readonly version: Version
  /** Null where the document stays as it is. */
  readonly entry: NewEntry | null
  readonly lock?: LockWrite
  /** What is left of the document, where the act purges it. */
  readonly purge?: Head
  readonly conflicts: readonly ConflictWrite[]
  /** Open conflicts of the author of its entry, as that leaves them. */
  readonly settling?: Settling
  readonly contents: ReadonlyMap<ContentHash, Content>
  readonly events: readonly NewEvent[]
}

/** What shall be done, as one act, and what will have come of it once that is on disk; a problem is thrown then. */
export interface Planned<Outcome> {
  readonly outcome: Outcome | ParleyError
  /** Of each document that the outcome speaks of. */
  readonly plans: readonly Plan[]
  /** What the outcome is instead, where storage has something to say to it. */
  readonly onDisk?: (result: CommittedResult) => Outcome
}

export type CommittedResult = Extract<ActResult, { status: 'committed' }>

/** What became of planning on one document. */
export interface Step<Outcome> {
  readonly outcome: Outcome | ParleyError
  /** Null where there is nothing to be done, and nothing that the outcome speaks of. */
  readonly plan: Plan | null
}

/** A document as a planner finds it. */
export type Found = View | Absent

/**
 * Works out an act from what it is shown, all of one moment: `found` has each document in the order in which they were
 * named. It may be asked several times. What it throws is told once what it was shown is on disk.
 */
export type Planner<Outcome, Shown extends HeadView = View> = (
  found: readonly (Shown | Absent)[],
  at: number,
) => Promise<Planned<Outcome>> | Planned<Outcome>

export const NO_CONTENTS: Plan['contents'] = new Map()

/** A plan that leaves the document as it is. */
export const nothing = ({ head }: Pick<HeadView, 'head'>): Plan => ({
  document: head.id,
  version: head.version,
  entry: null,
  conflicts: [],
  contents: NO_CONTENTS,
  events: [],
})

/** The planner of an act on one document. */
export const onOne =
  <Outcome>(plan: (found: Found, at: number) => Promise<Step<Outcome>> | Step<Outcome>): Planner<Outcome> =>
  async ([found], at) => {
    invariant(found !== undefined, 'what was named is shown')
    const step = await plan(found, at)
    return { outcome: step.outcome, plans: step.plan === null ? [] : [step.plan] }
  }

/** Whether there is anything to store. */
export const storesSomething = ({ entry, conflicts, events, lock, purge }: Plan): boolean =>
  entry !== null || conflicts.length > 0 || events.length > 0 || lock !== undefined || purge !== undefined
