/**
 * The storage port. One atomic act at a time: version checks, log rows, conflicts, events and stored
 * contents of one act stand or fall together, and the promise of an act resolves only once it is on disk
 * (fsynced). Adapters group acts that wait at the same time into one fsync.
 */
import type { ConflictRecord, ConflictStatus, ConflictKind, ContentHash } from '../model/conflict.ts'
import type { Content } from '../content/content.ts'
import type { Effect } from '../content/effect.ts'
import type { Knowledge } from '../model/clientKnowledge.ts'
import type { Head, Origin } from '../model/document.ts'
import type { StoredAnswer } from '../foundation/answer.ts'
import type { ParleyError } from '../foundation/problems.ts'
import type {
  ConflictId,
  DocumentId,
  Incarnation,
  LockHash,
  Pattern,
  PrincipalId,
  Sequence,
  Version,
} from '../foundation/ids.ts'
import type { HeldLock, LapsedLock, LockPass, LockState } from '../model/lock.ts'
import type { NewEvent, StoredEvent } from '../model/event.ts'
import type { Delivery, DisabledReason, StoredDelivery, StoredWebhook, Webhook, WebhookId } from '../model/webhook.ts'

/** One log row. `update` is a Yjs v1 update; empty (0 bytes) where the entry changes no Yjs state. */
export interface Entry {
  readonly version: Version
  /** Set where several versions became one row: the first of them. */
  readonly firstVersion?: Version
  readonly author: PrincipalId
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly origin: Origin
  readonly update: Uint8Array
  readonly effect: Effect
}

/** A log row without its Yjs bytes: what diffs, blame and `intervening` need. */
export type EntryEffect = Omit<Entry, 'update'>

/** A log row as lists of versions show it: without what it did. */
export interface VersionFacts extends Pick<Entry, 'version' | 'author' | 'at' | 'origin'> {
  /** The first of the versions that became this row; the version itself where there was one. */
  readonly firstVersion: Version
  /** Of its Yjs update. */
  readonly bytes: number
  readonly label: string | null
}

/** How far the log of a document was gone through to keep it small (SPEC HIST-4). */
export interface LogProgress {
  /** Rows up to here are kept tightly; those after it are as they came. */
  readonly packed: Version
  /** Up to here what may be one row is one. */
  readonly joined: Version
  /** When there may be more to join, milliseconds; null while nobody knows. */
  readonly dueAt: number | null
}

/** A living document as its log is kept. */
export interface LogState extends LogProgress {
  readonly document: DocumentId
  /** Of its head. */
  readonly version: Version
}

/** Puts rows of a log in the place of others that say the same. */
export interface Rewrite {
  readonly document: DocumentId
  /** The versions of the rows that go, all there are from the first to the last of them. */
  readonly replaced: readonly Version[]
  /** What comes in their place: the same rows, or some of them joined. */
  readonly rows: readonly Entry[]
}

/** The Yjs state of a document at a version, from which a load replays the rows after it. */
export interface Snapshot {
  readonly version: Version
  readonly state: Uint8Array
}

/** The plain content of a document at a version. */
export interface Checkpoint {
  readonly version: Version
  readonly content: Content
}

/** What tells an entry from another one that took the same version on another node. */
export interface EntryMark {
  /** CRC-32 of its update. */
  readonly checksum: number
  readonly author: PrincipalId
  readonly at: number
}

/** An entry that was not on disk yet when an act was made that speaks of its version. */
export interface Standing {
  readonly document: DocumentId
  readonly version: Version
  readonly mark: EntryMark
}

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

export type ConflictWrite =
  | { readonly op: 'insert'; readonly record: ConflictRecord }
  /** Stands only if the stored revision is `record.revision - 1`. */
  | { readonly op: 'update'; readonly record: ConflictRecord }

/**
 * A change of a document's lock. Each names the fence it saw, and stands only if nobody was faster. Times are the
 * database host's, read when the statement runs.
 */
export type LockWrite =
  /**
   * Stands if the document lives and the last fence given is `fence - 1`, whose lock was ended, or, where `lapsed` says
   * so, has expired without: then it ends with this act, once.
   */
  | {
      readonly op: 'acquire'
      readonly document: DocumentId
      readonly fence: number
      readonly owner: PrincipalId
      readonly tokenHash: LockHash
      readonly ttlMs: number
      readonly lapsed: boolean
    }
  /** Stands while this very lock has not expired; from now on it has `ttlMs` to live. */
  | { readonly op: 'renew'; readonly document: DocumentId; readonly fence: number; readonly ttlMs: number }
  /** Stands while nobody has ended this very lock, expired or not. Its fence is kept. */
  | { readonly op: 'end'; readonly document: DocumentId; readonly fence: number }

/** Edits that a live session left when it ended while somebody else's lock barred them (SPEC LOCK-4). */
export interface WaitingEdits {
  readonly document: DocumentId
  readonly author: PrincipalId
  /** Of the lock token that the session showed, if it did. */
  readonly tokenHash: LockHash | null
  /** What the session had of the document when it made them. */
  readonly knowledge: Knowledge
  /** Yjs v1. */
  readonly update: Uint8Array
  /** When they were kept, milliseconds since the epoch. */
  readonly at: number
}

/** Waiting edits as lists show them. Positions grow in the order in which edits were kept, and are given once. */
export interface WaitingFacts extends Pick<WaitingEdits, 'document' | 'author' | 'tokenHash'> {
  readonly position: number
  /** Of the update. */
  readonly bytes: number
}

export interface WaitingQuery {
  /** Null: of all documents. */
  readonly document: DocumentId | null
  /** Positions after this one; 0 for all. */
  readonly after: number
  readonly limit: number
}

/** One atomic act. */
export interface Act {
  /** Wall time of the act, milliseconds; the `at` of its events. */
  readonly at: number
  readonly appends: readonly Append[]
  readonly conflicts: readonly ConflictWrite[]
  /** Contents that the conflicts refer to, by hash; equal ones are stored once. */
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
  /** What the one who asked for the act is answered, for repeats of the request (SPEC WRITE-8). */
  readonly answer?: StoredAnswer
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

export interface HeadQuery {
  readonly patterns: readonly Pattern[]
  /** Ids after this one, in id order. */
  readonly after: DocumentId | null
  readonly limit: number
}

export interface ConflictQuery {
  readonly patterns: readonly Pattern[]
  readonly statuses?: readonly ConflictStatus[]
  readonly kinds?: readonly ConflictKind[]
  readonly author?: PrincipalId
  /** Conflicts older than this one: newest first, by id. */
  readonly before: ConflictId | null
  readonly limit: number
}

export interface DeliveryQuery {
  /** Positions below this one: newest first. */
  readonly before: number | null
  readonly limit: number
}

/** Tokens issued at or before `until` (seconds since the epoch) are void. */
export interface Revocation {
  readonly subject: { readonly sub: PrincipalId } | { readonly jti: string }
  readonly until: number
}

/** What storage tells of documents, their logs and their conflicts. */
export interface StorageView {
  /** Random tag of this database; changes when a backup is started (SPEC OPS-7). Part of every etag and cursor. */
  readonly epoch: string
  /**
   * Answers one question, however many steps it takes, from one state: nothing that is committed meanwhile shows, so that
   * rows are not packed or joined between two steps. The question changes nothing outside, for it is asked again where a
   * document was purged meanwhile. Rejects with `overloaded` where it takes over a minute, or too many are asked at once.
   */
  read<T>(question: (view: StorageView) => Promise<T>): Promise<T>

  /** Heads of deleted documents are found too. */
  head(document: DocumentId): Promise<Head | null>
  /** Living documents only. */
  heads(query: HeadQuery): Promise<readonly Head[]>
  /** Throws `ParleyError('document-damaged')` when a checksum fails; so do the three below. */
  snapshot(document: DocumentId): Promise<Snapshot | null>
  /**
   * Rows with `after < version <= upTo`, oldest first, at most `limit`. A row that stands for several versions counts
   * by its last.
   */
  entries(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly Entry[]>
  effects(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly EntryEffect[]>
  /** The newest checkpoint at or before `version`. */
  checkpoint(document: DocumentId, version: Version): Promise<Checkpoint | null>
  /** What is known of rows with `after < version <= upTo`, newest first, at most `limit`. */
  versions(document: DocumentId, after: Version, upTo: Version, limit: number): Promise<readonly VersionFacts[]>
  /** Versions with `after < version <= upTo` that are named, or that a conflict refers to. */
  pinned(document: DocumentId, after: Version, upTo: Version): Promise<ReadonlySet<Version>>
  /** Living documents in id order, those after this id. */
  logStates(after: DocumentId | null, limit: number): Promise<readonly LogState[]>
  logState(document: DocumentId): Promise<LogState | null>
  /** The row that holds a version, alone or with others; null where the log has none. */
  versionAt(document: DocumentId, version: Version): Promise<VersionFacts | null>
  /** The version before the first row that is kept: 0 but for a document that was purged once. */
  logStart(document: DocumentId): Promise<Version>
  /** Yjs clients of ended incarnations of this id, erased ones too, with the clock after their last struct. */
  formerClients(document: DocumentId): Promise<ReadonlyMap<number, number>>

  conflict(id: ConflictId): Promise<ConflictRecord | null>
  conflicts(query: ConflictQuery): Promise<readonly ConflictRecord[]>
  /** Open conflicts of living documents, counted by document. */
  openConflictCounts(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, number>>
  content(hash: ContentHash): Promise<Content | null>
}

/** What reads the same database besides this storage, from another thread. */
export interface OtherReader {
  /** A document was purged: what is being read may hold it, and is read anew. */
  endAll(): void
  /** Resolves when nothing is being read; nothing is until what it answers is called. */
  pause(): Promise<() => void>
}

export interface Storage extends StorageView {
  /** Whether other processes may use this database at the same time, so that not everything in it was written here. */
  readonly shared: boolean

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
  /** From now on a purge waits for this reader too. */
  sharesWith(reader: OtherReader): void
  /** Called after each committed act, in commit order, before `commit` resolves. Returns how to stop. */
  onCommitted(listener: (committed: Committed) => void): () => void
  /**
   * Replaces the document's snapshot if `snapshot.version` is in its log with exactly this entry checksum
   * (CRC-32 of the entry's update bytes), so that a snapshot of what never committed is refused. May be dropped.
   */
  storeSnapshot(document: DocumentId, snapshot: Snapshot, entryChecksum: number): Promise<void>

  /**
   * Stands, and answers true, if the rows are those that are stored, none of the versions that go is named or referred
   * to by a conflict, and packed rows go all or none. Their checkpoints go too. Readers cannot tell when it happens.
   */
  rewrite(rewrite: Rewrite): Promise<boolean>
  setLogProgress(document: DocumentId, progress: LogProgress): Promise<void>
  /**
   * Names a version, or takes its name away (null). False where the log has no row of exactly this version; nothing is
   * written then. `answer` as of `revoke`.
   */
  setLabel(document: DocumentId, version: Version, label: string | null, answer?: StoredAnswer): Promise<boolean>

  /**
   * Erases a bounded part of what the log, checkpoints, labels, conflicts with their contents, events, webhook
   * deliveries and stored answers held of a purged document up to its purge, but for the events of its deletion. True while
   * something may be left; once it answers false, no file of the database holds any of it.
   */
  erasePurged(document: DocumentId): Promise<boolean>
  /** Documents that were purged and of which something may still be left. */
  unfinishedPurges(): Promise<readonly DocumentId[]>
  lock(document: DocumentId): Promise<LockState>
  /** Those of the documents whose lock is held now. */
  locks(documents: readonly DocumentId[]): Promise<ReadonlyMap<DocumentId, HeldLock>>
  /** Locks that were not ended, expired ones included, in the order in which they expire. */
  nextLocks(limit: number): Promise<readonly { readonly document: DocumentId; readonly lock: HeldLock | LapsedLock }[]>

  /**
   * Keeps waiting edits; answers their position, or null where the document does not live in this incarnation. They go
   * with the act that settles them, or with the entry that deletes the document.
   */
  keepWaiting(edits: WaitingEdits, incarnation: Incarnation): Promise<number | null>
  /** What waits, in the order of the positions. */
  waiting(query: WaitingQuery): Promise<readonly WaitingFacts[]>
  /** Null where nothing waits at the position any more. Throws `ParleyError('document-damaged')` as above. */
  waitingEdits(position: number): Promise<WaitingEdits | null>

  /** Stored events with `sequence > after`, oldest first, at most `limit`. */
  events(after: Sequence, limit: number): Promise<readonly StoredEvent[]>
  /**
   * First and last sequence kept. `first - 1` is the oldest usable cursor, also when the feed is empty: then `last` is
   * the last sequence ever given (0 if none was) and `first` the one after it.
   */
  eventRange(): Promise<{ readonly first: Sequence; readonly last: Sequence }>
  /** `eventMark` of the event with this sequence, also of the newest that was pruned; `NO_MARK` of any other. */
  eventMark(sequence: Sequence): Promise<string>
  /**
   * Forgets events from the oldest on up to the first that is not older than `before` (milliseconds), so that the
   * feed has no holes. At most a bounded number a call; answers how many went.
   */
  pruneEvents(before: number): Promise<number>
  /** Forgets closed conflicts whose `closedAt` is before `before` (milliseconds), likewise. */
  pruneConflicts(before: number): Promise<number>

  /** The answer kept under this key, expired or not. Throws `ParleyError('document-damaged')` as above. */
  answer(principal: PrincipalId, key: string): Promise<StoredAnswer | null>
  /** Forgets answers whose `expiresAt` is before `before` (milliseconds). At most a bounded number; answers how many. */
  pruneAnswers(before: number): Promise<number>

  /**
   * This write, and the others below that take an `answer`, store it as an act does. Rejects with
   * `ParleyError('request-in-progress')` where its key has one already; nothing was written then.
   */
  revoke(revocation: Revocation, answer?: StoredAnswer): Promise<void>
  /** Those whose `until` is `since` or later (seconds; 0 for all), in no particular order. */
  revocations(since: number): Promise<readonly Revocation[]>
  /** Forgets those whose `until` is before `before` (seconds). At most a bounded number; answers how many. */
  pruneRevocations(before: number): Promise<number>

  /** Keeps a new webhook, whose deliveries begin after `cursor`. */
  addWebhook(webhook: Webhook, cursor: string, answer?: StoredAnswer): Promise<void>
  /** Nothing is queued for it from now on, and what is pending is forgotten. */
  disableWebhook(id: WebhookId, at: number, reason: DisabledReason): Promise<void>
  /** Forgets it and all its deliveries. */
  deleteWebhook(id: WebhookId, answer?: StoredAnswer): Promise<void>
  webhooks(): Promise<readonly StoredWebhook[]>
  /**
   * Queues deliveries behind those that wait and moves the webhook's cursor, as one. Answers them as stored; none
   * where the webhook is disabled or gone.
   */
  queueDeliveries(id: WebhookId, cursor: string, deliveries: readonly Delivery[]): Promise<readonly StoredDelivery[]>
  /** Replaces what is known of a delivery. When it is finished, all but the newest `keep` finished ones are forgotten. */
  updateDelivery(id: WebhookId, delivery: StoredDelivery, keep: number): Promise<void>
  /** Deliveries still to be made, oldest first. */
  pendingDeliveries(id: WebhookId): Promise<readonly StoredDelivery[]>
  deliveries(id: WebhookId, query: DeliveryQuery): Promise<readonly StoredDelivery[]>

  /** Whether a write would succeed now. */
  writable(): Promise<boolean>
  /** Waits for what was handed in, then closes. */
  close(): Promise<void>
}
