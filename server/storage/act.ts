/**
 * Whole atomic operations. Version checks, log rows, conflicts, events and stored contents of one act stand or fall together,
 * and the promise of an act resolves only once it is on disk (fsynced). Adapters group acts that wait at the same time into
 * one fsync.
 */
import type { Content } from '../content/content.ts'
import type { StoredAnswer } from '../foundation/answer.ts'
import type { ConflictId, DocumentId, Version } from '../foundation/ids.ts'
import type { ParleyError } from '../foundation/problems.ts'
import type { ContentHash } from '../model/conflict.ts'
import type { Head } from '../model/document.ts'
import type { NewEvent, StoredEvent } from '../model/event.ts'
import type { LockPass } from '../model/lock.ts'
import type { ConflictWrite } from './conflicts.ts'
import type { LockWrite } from './locks.ts'
import type { Entry, EntryMark, Standing } from './log.ts'
import type { Actor } from './people.ts'

/** Appends one entry and moves the head of its document. */
export interface Append {
  /** The head as it is after the entry; `head.version` is the entry's version. */
  readonly head: Head
  /** The version the head must have in storage for the act to stand; 0 for an id never used. */
  readonly expected: Version
  /** Of the head only version and the marks of its last change differ from what is stored at `expected`. */
  readonly keepsSettings?: boolean
  /**
   * The entry at `expected`, where that was not on disk yet when this one was made: it builds on that very entry, so it
   * is stale where that was refused and another took its version.
   */
  readonly onto?: EntryMark
  /** What the writer shows of a lock, checked by the statement that moves the head; absent: a request without token. */
  readonly pass?: LockPass
  readonly entry: Entry
  /** Present where this version shall be readable without going back further. */
  readonly checkpoint?: Content
  /** Of an entry that ends an incarnation: its Yjs clients with the clock after their last struct, for SYNC-7. */
  readonly formerClients?: ReadonlyMap<number, number>
}

/** One atomic act. */
export interface Act {
  /** Wall time of the act, milliseconds; the `at` of its events. */
  readonly at: number
  readonly appends: readonly Append[]
  readonly conflicts: readonly ConflictWrite[]
  /** All contents that the conflicts refer to, and did not refer to before, by hash: storage does not look for them elsewhere. */
  readonly contents: ReadonlyMap<ContentHash, Content>
  readonly events: readonly NewEvent[]
  /** Come after the appends, which are checked against the locks as they were before. */
  readonly locks?: readonly LockWrite[]
  /** Positions of waiting edits that the act takes in, or gives up; from then on they wait no more. */
  readonly settles?: readonly number[]
  /**
   * Purges documents, last of all (SPEC HIST-5): the stored head becomes this one, and from then on nothing else of the
   * document is there for anyone; it goes by `erasePurged`. Stands if the stored head is deleted at that very version and
   * time; else the act is stale.
   */
  readonly purges?: readonly Head[]
  /** The act stands only where these very entries are in the log: without them it is stale. */
  readonly onto?: readonly Standing[]
  /** What those are called who act (SPEC HIST-8), where that is not stored yet or was another name. */
  readonly people?: readonly Actor[]
  /** What the one who asked for the act is answered, for repeats of the request (SPEC WRITE-8). */
  readonly answer?: StoredAnswer | undefined
}

export type ActResult =
  | {
      readonly status: 'committed'
      readonly events: readonly StoredEvent[]
      /** When the one lock that the act took or renewed expires, milliseconds of the database host's clock. */
      readonly lockExpiresAt?: number
    }
  /** Someone else's lock, or the end of one's own, bars an append to this document. Nothing was written. */
  | { readonly status: 'locked'; readonly document: DocumentId }
  /** The lock of this document is not what the act's `locks` build on. Nothing was written. */
  | { readonly status: 'lock-moved'; readonly document: DocumentId }
  /** The head of this document is not at the expected version (0: it does not exist). Nothing was written. */
  | { readonly status: 'stale'; readonly document: DocumentId; readonly version: Version }
  /** This conflict is not at the expected revision any more. Nothing was written. */
  | { readonly status: 'conflict-moved'; readonly conflict: ConflictId }
  /** Some of the waiting edits that the act settles wait no more. Nothing was written. */
  | { readonly status: 'settled' }
  /** The key of the act's answer has one that has not expired: the same was done already. Nothing was written. */
  | { readonly status: 'answered' }

/** What every committed act tells its process, in commit order. */
export interface Committed {
  /** As they are now; of a purged document first the deleted one, then what is left. */
  readonly heads: readonly Head[]
  readonly events: readonly StoredEvent[]
}

/** How acts are made durable. */
export interface Acting {
  /**
   * What would refuse any act that is handed over in this very tick, null where nothing would: to be asked before
   * something is applied that would then be in no log.
   */
  refusal(): ParleyError | null
  /**
   * Makes the act durable. Acts of one process commit in the order of the calls. An act that is refused at once, as
   * `refusal` says, ends before those that were handed over earlier.
   * Throws `ParleyError('storage-unavailable')` when the disk or database refuses: nothing was written then.
   */
  commit(act: Act): Promise<ActResult>
}

/** How the process hears of its acts. */
export interface CommittedActs {
  /** Called after each committed act, in commit order, before `commit` resolves. Returns how to stop. */
  onCommitted(listener: (committed: Committed) => void): () => void
}
