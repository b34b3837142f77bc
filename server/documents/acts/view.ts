import type { Comparing } from '../../content/comparing.ts'
import type { Content } from '../../content/content.ts'
import type { Effect } from '../../content/effect.ts'
import type { LimitBreach } from '../../content/limits.ts'
import type { ConflictId, DocumentId, PrincipalId, Version } from '../../foundation/ids.ts'
import { type ConflictRecord, type ContentHash, MAX_OPEN_CONFLICTS } from '../../model/conflict.ts'
import type { Head } from '../../model/document.ts'
import { decide, type LockPass, type LockState } from '../../model/lock.ts'
import { lockedProblem, lockLostProblem } from '../../model/lockRefusal.ts'
import type { Committer } from '../commit.ts'
import type { OpenReaches } from '../openReaches.ts'
import { contentAt } from '../past.ts'
import type { Replica } from '../replica.ts'
import type { ConflictQuery } from '../../storage/conflicts.ts'
import type { LockReads } from '../../storage/locks.ts'
import type { EntryEffect } from '../../storage/log.ts'
import type { Sharing } from '../../storage/sharing.ts'
import type { StorageView } from '../../storage/view.ts'
import { appliedConflicts } from './appliedConflicts.ts'

const OPEN_STALE_WRITES = {
  statuses: ['open'],
  kinds: ['stale-write'],
  before: null,
  limit: MAX_OPEN_CONFLICTS,
} as const

/** How contents are compared in a round of planning, for whom. */
export type Comparison = (by: PrincipalId) => Comparing

/** How many wait for a document's lock in this process. */
export type LineLength = (document: DocumentId) => number

/** What of a document is known without loading it. */
export interface HeadView {
  readonly head: Head
  lock(): Promise<LockState>
}

/**
 * A document at one moment, with all that is applied, on disk or on its way there. There is nothing to change it by and
 * nothing to note anything in: who looks at a document has done nothing to it.
 */
export interface View extends HeadView {
  /** At `head.version`. Shared: never change it. */
  content(): Content
  /** At an earlier version, or at this one. */
  contentAt(version: Version): Content | Promise<Content>
  /** All entries from an earlier version up to this one, oldest first; null where they would have to be read. */
  entriesFrom(version: Version): readonly EntryEffect[] | null
  /** What refuses a content in place of the present one; null where nothing does. */
  refusesContent(content: Content): LimitBreach | null
  /** The open stale writes of one author, newest first. */
  openConflicts(author: PrincipalId): readonly ConflictRecord[] | Promise<readonly ConflictRecord[]>
  /** Of open conflicts those that a write with this effect may settle. */
  touchedBy(conflicts: readonly ConflictRecord[], effect: Effect): Promise<readonly ConflictRecord[]>
  /** As it is on disk, once whatever is on its way for it is too: storage has all that it refers to then. */
  conflict(id: ConflictId): Promise<ConflictRecord | null>
  /** Newest first. */
  conflicts(query: Omit<ConflictQuery, 'patterns'>): Promise<readonly ConflictRecord[]>
  /** A content that a conflict keeps; null where there is none. */
  storedContent(conflict: ConflictId, hash: ContentHash): Promise<Content | null>
  /** Throws `locked` or `lock-lost` (SPEC LOCK-2), which come right after 404 and 410 (API-4). */
  assertPasses(pass: LockPass): undefined | Promise<void>
  /** How contents are compared for somebody, while there is time for it. */
  comparing(by: PrincipalId): Comparing
  /** Resolves once all that is shown is on disk. */
  whenOnDisk(): Promise<void>
}

export interface ViewParts {
  readonly storage: StorageView & Pick<Sharing, 'shared'>
  readonly committer: Committer
  readonly lineLength: LineLength
  readonly reaches: OpenReaches
}

/** The document is not any more what a view shows; whatever is worked out from that is worked out anew. */
export class Moved extends Error {}

/** Whether the document may be written now, as far as this process knows; to be asked in the tick of the change. */
export const passesLock = (replica: Pick<Replica, 'lock'>, pass: LockPass): boolean =>
  decide(replica.lock.state, { type: 'writes', pass }).do === 'allow'

/** What is known of a document that is not loaded. */
export const headViewOf = (storage: LockReads, head: Head): HeadView => ({
  head,
  lock: () => storage.lock(head.id),
})

/** Notes a lock as it was read. Whoever hands it to a view has the document's turn. */
export type NoteLock = (state: LockState) => void

/** The view of a replica. Without `noteLock` nothing of what was looked at stays anywhere. */
export class ReplicaView implements View {
  readonly head: Head
  readonly #parts: ViewParts
  readonly #replica: Replica
  readonly comparing: Comparison
  readonly #noteLock: NoteLock | undefined

  constructor(parts: ViewParts, replica: Replica, comparing: Comparison, noteLock?: NoteLock) {
    this.head = replica.appliedHead
    this.comparing = comparing
    this.#parts = parts
    this.#replica = replica
    this.#noteLock = noteLock
  }

  lock(): Promise<LockState> {
    return this.#parts.storage.lock(this.head.id)
  }

  content(): Content {
    if (!this.#isStill()) throw new Moved()
    return this.#replica.content()
  }

  contentAt(version: Version): Content | Promise<Content> {
    const { head } = this
    if (version === head.version) return this.content()
    const replica = this.#replica
    const { storage } = this.#parts
    const read = async (): Promise<Content> => {
      await replica.whenCommitted(version)
      return contentAt(storage, head.id, head.kind, version)
    }
    const past = this.#past()
    if (past === null) return read()
    // Whoever is behind is told of this version, and may write on it when it is an old one too.
    if (this.#isStill()) past.keep(head.version, replica.content())
    return past.contentAt(version, read)
  }

  entriesFrom(version: Version): readonly EntryEffect[] | null {
    return this.#past()?.entries(version, this.head.version) ?? null
  }

  refusesContent(wanted: Content): LimitBreach | null {
    return this.#replica.refusesContent(wanted)
  }

  openConflicts(author: PrincipalId): readonly ConflictRecord[] | Promise<readonly ConflictRecord[]> {
    const read = (): Promise<readonly ConflictRecord[]> => this.conflicts({ ...OPEN_STALE_WRITES, author })
    return this.#parts.committer.openStaleWrites?.of(this.head.id, author, read) ?? read()
  }

  touchedBy(own: readonly ConflictRecord[], effect: Effect): Promise<readonly ConflictRecord[]> {
    const { id, version } = this.head
    return this.#parts.reaches.touchedBy(own, { version, effect }, async (after) => {
      await this.#replica.whenCommitted(version)
      return this.#parts.storage.effects(id, after, version, version - after)
    })
  }

  async conflict(conflict: ConflictId): Promise<ConflictRecord | null> {
    const { committer, storage } = this.#parts
    const { id } = this.head
    if (committer.conflictsUnderway(id).some((record) => record.id === conflict)) await committer.settled(id)
    return storage.conflict(conflict)
  }

  conflicts(query: Omit<ConflictQuery, 'patterns'>): Promise<readonly ConflictRecord[]> {
    return appliedConflicts(this.#parts, this.head.id, query)
  }

  async storedContent(conflict: ConflictId, hash: ContentHash): Promise<Content | null> {
    return this.#parts.committer.contentUnderway(hash) ?? this.#parts.storage.content(conflict, hash)
  }

  assertPasses(pass: LockPass): undefined | Promise<void> {
    return passesLock(this.#replica, pass) ? undefined : this.#assertPassesRow(pass)
  }

  async #assertPassesRow(pass: LockPass): Promise<void> {
    const { committer, storage, lineLength } = this.#parts
    const { id } = this.head
    // Nobody is refused by what this process remembers, which may be an act on its way: the row is read.
    await committer.settled(id)
    if (this.#replica.ended !== null) throw new Moved()
    const state = await storage.lock(id)
    this.#noteLock?.(state)
    const action = decide(state, { type: 'writes', pass })
    if (action.do !== 'refuse') return
    if (action.code === 'locked' && state.name === 'held') throw lockedProblem(id, state, lineLength(id) + 1)
    throw lockLostProblem(id, state)
  }

  whenOnDisk(): Promise<void> {
    return this.#replica.whenCommitted(this.head.version)
  }

  /** Other nodes compact as well, and do not say so: null where they do. */
  #past(): Replica['past'] | null {
    return this.#parts.storage.shared ? null : this.#replica.past
  }

  #isStill(): boolean {
    return this.#replica.ended === null && this.#replica.appliedVersion === this.head.version
  }
}
