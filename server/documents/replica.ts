import * as Y from 'yjs'
import { crc32 } from 'node:zlib'
import type { Content, Path } from '../content/content.ts'
import { effectCharacters } from '../content/effect.ts'
import type { SharedAt } from '../content/json.ts'
import type { ContentLimits, LimitBreach } from '../content/limits.ts'
import { pensOf } from '../content/pens.ts'
import { ContentView, type KnownEffect } from '../content/view.ts'
import { invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import { type DocumentId, type LockHash, previousVersion, type PrincipalId, type Version } from '../foundation/ids.ts'
import { documentDeleted, ParleyError } from '../foundation/problems.ts'
import { type Head, headAfter, type Origin, type Settings } from '../model/document.ts'
import type { LockPass, LockState } from '../model/lock.ts'
import type { Append } from '../storage/act.ts'
import type { Entry, EntryMark, Standing } from '../storage/log.ts'
import type { Admission, Offer } from './admission/admission.ts'
import { Kept, type KeptOptions } from './admission/kept.ts'
import type { ActParts, Committer, Staged } from './commit.ts'
import { applyWithinBudget } from './integrationBudget.ts'
import { KnownLock } from './knownLock.ts'
import { KnownPast } from './knownPast.ts'
import { encodeOwners } from './owners.ts'
import type { ReplicaDoc } from './replicaDoc.ts'
import { type SnapshotPoint, StartingPoints } from './startingPoints.ts'

/** Who wrote an entry, when (milliseconds since the epoch) and by what. */
export interface Authorship {
  readonly author: PrincipalId
  readonly at: number
  readonly origin: Origin
  /** What the author shows of a lock; absent: a request without token. */
  readonly pass?: LockPass
}

/** A committed entry as live sessions are shown it. */
export interface CommittedUpdate {
  readonly version: Version
  /** Yjs v1 update. */
  readonly update: Uint8Array
}

/** What an update does to a document, as it is judged in the tick in which it is applied. */
export interface LiveMerge {
  /** Called before the update is applied, with what it meets. */
  before(head: Head, content: Content, sharedAt: (path: Path) => SharedAt | null): void
  /** Called after; what it answers is stored in the act of the entry. */
  after(head: Head, content: Content, at: number): Pick<ActParts, 'conflicts' | 'contents' | 'events'>
}

/** What a live update comes with. */
interface LiveOptions {
  readonly merge?: LiveMerge | null
  readonly tokenHash?: LockHash | null
  readonly settles?: readonly number[]
}

const NOTHING_BESIDES: Pick<ActParts, 'conflicts' | 'contents' | 'events'> = {
  conflicts: [],
  contents: new Map(),
  events: [],
}

export interface ReplicaOptions {
  readonly head: Head
  /** Exactly the prefix of the log at `head.version`, its clientID set to the server's. */
  readonly doc: ReplicaDoc
  readonly snapshot: SnapshotPoint
  /** As it was read; absent for a new document, which has none. */
  readonly lock?: LockState
  readonly committer: Committer
  readonly environment: Environment
  readonly limits: ContentLimits
  readonly owners?: KeptOptions['owners']
  readonly formerClients?: KeptOptions['formerClients']
}

/** What an entry says besides what was applied. */
interface StageOptions {
  readonly keepsSettings?: boolean
  readonly handedOn?: Entry['handedOn']
}

/** An entry on its way to the disk. */
type Underway = Omit<EntryMark, 'checksum'> & { readonly update: Uint8Array }

interface CommitWaiter {
  readonly version: Version
  readonly resolve: () => void
  readonly reject: (problem: ParleyError) => void
}

/**
 * A Y.Doc that is exactly the prefix of a document's log at its applied version. It applies, storage
 * commits, and only then anyone is shown what came of it. When it may differ from its log it ends.
 */
export class Replica {
  readonly doc: ReplicaDoc
  /** Looked at right before something is applied: what storage would refuse for a lock costs the whole replica. */
  readonly lock: KnownLock
  /** What of the log need not be read. */
  readonly past = new KnownPast()
  readonly #view: ContentView
  readonly #committer: Committer
  readonly #environment: Environment
  readonly #kept: Kept
  readonly #captured: Uint8Array[] = []
  readonly #waiters: CommitWaiter[] = []
  readonly #committedListeners = new Set<(entry: CommittedUpdate) => void>()
  readonly #endedListeners = new Set<(problem: ParleyError) => void>()
  #applied: Head
  #committed: Head
  /** The entry at the applied version, until that is on disk. */
  #last: Underway | null = null
  #ended: ParleyError | null = null
  readonly #startingPoints: StartingPoints

  constructor(options: ReplicaOptions) {
    this.doc = options.doc
    this.#applied = options.head
    this.#committed = options.head
    this.#startingPoints = new StartingPoints(options.snapshot)
    this.#committer = options.committer
    this.#environment = options.environment
    this.lock = new KnownLock(options.lock ?? { name: 'free', fence: 0 }, options.environment)
    const { doc, head, limits, owners = new Map(), formerClients = new Map() } = options
    this.#view = new ContentView(doc, head.kind, head.root)
    const { kind, root } = head
    this.#kept = new Kept({ doc, view: this.#view, kind, root, limits, owners, formerClients })
    this.doc.on('update', (update: Uint8Array) => this.#captured.push(update))
    this.doc.on('afterTransaction', leaveFormattingAlone)
  }

  get id(): DocumentId {
    return this.#applied.id
  }
  /** The head that is on disk. */
  get head(): Head {
    return this.#committed
  }
  /** The head with all that is applied; show nothing of it before `whenCommitted`. */
  get appliedHead(): Head {
    return this.#applied
  }
  get appliedVersion(): Version {
    return this.#applied.version
  }
  get committedVersion(): Version {
    return this.#committed.version
  }
  get ended(): ParleyError | null {
    return this.#ended
  }
  /** The content at the applied version. Shared: never change it. */
  content(): Content {
    return this.#view.content()
  }
  /** What shared type stands at a path of a json content at the applied version. */
  sharedAt(path: Path): SharedAt | null {
    return this.#view.sharedAt(path)
  }
  /** Whether an update may be applied, and what of it. */
  admit(update: Uint8Array, offer: Offer): Admission {
    return this.#kept.admit(update, offer)
  }
  /** What refuses a content in place of the present one; null where nothing does. */
  refusesContent(content: Content): LimitBreach | null {
    return this.#kept.refusesContent(content)
  }
  /** Who wrote the first struct of a Yjs client id; null where nobody has, or it is not known. */
  ownerOf(client: number): PrincipalId | null {
    return this.#kept.ownerOf(client)
  }
  /** Yjs clients of earlier lives of the document, with the clock after their last struct (SYNC-7). */
  get formerClients(): ReadonlyMap<number, number> {
    return this.#kept.formerClients
  }
  /** A rough upper guess of the memory held, in bytes: Yjs structs weigh about 150 bytes each. */
  memoryBytes(): number {
    let structs = 0
    for (const list of this.doc.store.clients.values()) structs += list.length
    return 2048 + structs * 150 + this.#view.bytes() * 2 + this.past.bytes()
  }

  /** The head as an entry staged now would leave it. */
  headAfter(authorship: Omit<Authorship, 'origin'>): Head {
    return headAfter(this.#applied, authorship)
  }

  /**
   * The entry at a version, for whatever is to stand only on that very one; null where it is on disk, `unknown` where it
   * is on its way and others have been applied since.
   */
  standing(version: Version): Standing | 'unknown' | null {
    if (version <= this.#committed.version) return null
    if (this.#last === null || version !== this.#applied.version) return 'unknown'
    return { document: this.id, version, mark: markOf(this.#last) }
  }

  /** Turns the content into `content` by the smallest change, which may be known. Null when it is equal already. */
  stageContent(content: Content, authorship: Authorship, known: KnownEffect | null = null): Staged | null {
    this.#assertLive()
    return this.#orEnd(() => {
      this.#write(content, known)
      return this.#captured.length === 0
        ? null
        : this.#stage(this.headAfter(authorship), authorship, { keepsSettings: true })
    })
  }

  /** An entry that changes settings only. */
  stageSettings(settings: Settings, authorship: Authorship): Staged {
    this.#assertLive()
    return this.#orEnd(() => this.#stage({ ...this.headAfter(authorship), ...settings }, authorship))
  }

  /** The entry that ends this incarnation. */
  stageDelete(authorship: Authorship): Staged {
    this.#assertLive()
    return this.#orEnd(() => this.#stage({ ...this.headAfter(authorship), deletedAt: authorship.at }, authorship))
  }

  /** The first entry of an incarnation: the options' head is what it creates, its version included. */
  stageCreate(content: Content, authorship: Authorship): Staged {
    invariant(this.#applied.version === this.#applied.firstVersion, 'only a new replica stages its creation')
    return this.#orEnd(() => {
      this.#write(content, null)
      return this.#stage(this.#applied, authorship)
    })
  }

  /**
   * Applies an admitted live update now; resolves with the version of its entry once it is on disk, or null
   * if it changed nothing. `merge` judges what it did. Rejects with `content-too-large` or `content-too-complex`
   * (the replica goes on), or with whatever ended the replica. The caller has looked at the lock, which
   * `tokenHash` is of. `settles`: waiting edits that this takes in, which go with its act.
   */
  async applyLive(
    update: Uint8Array,
    author: PrincipalId,
    { merge = null, tokenHash = null, settles = [] }: LiveOptions = {},
  ): Promise<Version | null> {
    if (this.#applied.deletedAt !== null) await this.whenCommitted(this.#applied.version)
    this.#assertLive()
    const extended = this.#kept.assertAdmitted(update, author)
    this.#committer.assertRoom()
    const pass: LockPass = { by: 'edit', principal: author, tokenHash }
    const authorship: Authorship = { author, at: this.#environment.now(), origin: 'live', pass }
    merge?.before(this.#applied, this.content(), (path) => this.#view.sharedAt(path))
    const made = this.#orEnd(() => {
      this.doc.extending(extended, () => applyWithinBudget(this.doc, update))
      const handedOn = this.#kept.applied(author)
      if (this.#captured.length === 0) return null
      const staged = this.#stage(this.headAfter(authorship), authorship, { keepsSettings: true, handedOn })
      return { staged, besides: merge?.after(this.#applied, this.content(), authorship.at) ?? NOTHING_BESIDES }
    })
    if (made === null) return this.#keepBesides(merge, settles, authorship.at)
    const result = await this.#committer.commit([made.staged], { at: authorship.at, ...made.besides, settles })
    if (result.status !== 'committed') throw this.#ended ?? new ParleyError('overloaded', 'Try again.')
    return made.staged.append.entry.version
  }

  /** What is to be kept of an update that changed nothing: a delete of what was replaced meanwhile. */
  async #keepBesides(merge: LiveMerge | null, settles: readonly number[], at: number): Promise<null> {
    const besides = merge?.after(this.#applied, this.content(), at) ?? NOTHING_BESIDES
    if (besides.conflicts.length === 0 && settles.length === 0) return null
    await this.whenCommitted(this.#applied.version)
    await this.#committer.commit([], { at, ...besides, settles })
    return null
  }

  /** Resolves once everything applied up to `version` is on disk; rejects with what ended the replica. */
  whenCommitted(version: Version): Promise<void> {
    if (this.#committed.version >= version) return Promise.resolve()
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => this.#waiters.push({ version, resolve, reject }))
  }

  /** Resolves once everything applied so far is on disk: true; or the replica has ended before that: false. */
  async isOnDisk(): Promise<boolean> {
    try {
      await this.whenCommitted(this.appliedVersion)
      return true
    } catch {
      return false
    }
  }

  /** Called after each committed entry that changed Yjs state, in version order. Returns how to stop. */
  onCommitted(listener: (entry: CommittedUpdate) => void): () => void {
    this.#committedListeners.add(listener)
    return () => this.#committedListeners.delete(listener)
  }

  /** Called once, when the replica is gone: deleted, thrown away or unloaded. Returns how to stop. */
  onEnded(listener: (problem: ParleyError) => void): () => void {
    this.#endedListeners.add(listener)
    return () => this.#endedListeners.delete(listener)
  }

  /** Ends the replica; every later use fails with `problem`. Idempotent. */
  end(problem: ParleyError): void {
    if (this.#ended) return
    this.#ended = problem
    for (const waiter of this.#waiters.splice(0)) waiter.reject(problem)
    for (const listener of this.#endedListeners) listener(problem)
    this.#view.destroy()
    this.doc.destroy()
  }

  #write(content: Content, known: KnownEffect | null): void {
    const { doc } = this
    doc.extending(pensOf(doc), () => doc.transact(() => this.#view.write(content, known)))
  }

  #assertLive(): void {
    if (this.#ended) throw this.#ended
    invariant(this.#applied.deletedAt === null, 'nothing follows the entry that ends an incarnation')
    invariant(this.#captured.length === 0, 'every applied change was staged')
  }

  /**
   * Everything between the first change of the document and the hand-over of its entry. Where it throws, the document may
   * hold what is in no log: Yjs may have changed it before it threw.
   */
  #orEnd<T>(change: () => T): T {
    try {
      return change()
    } catch (cause) {
      this.end(new ParleyError('overloaded', 'The document is loaded anew; try again.', { cause }))
      throw cause
    }
  }

  #stage(head: Head, authorship: Authorship, { keepsSettings = false, handedOn = [] }: StageOptions = {}): Staged {
    const update = takeMerged(this.#captured)
    const effect = this.#view.takeEffect()
    // Once: of a large effect it takes as long as to encode it.
    const characters = effectCharacters(effect)
    const sizes = { updateBytes: update.length, effectCharacters: characters, contentBytes: this.#view.bytes() }
    const appended = { head, ...sizes }
    const { author, at, origin, pass } = authorship
    const facts = { version: head.version, author, at, origin, effect }
    this.past.note(facts, characters)
    const append: { -readonly [Part in keyof Append]: Append[Part] } = {
      head,
      expected: previousVersion(head.version),
      entry: handedOn.length === 0 ? { ...facts, update } : { ...facts, update, handedOn },
    }
    if (keepsSettings) append.keepsSettings = true
    if (this.#last) append.onto = markOf(this.#last)
    if (pass !== undefined) append.pass = pass
    if (this.#startingPoints.takesCheckpoint(appended)) append.checkpoint = this.#view.content()
    if (head.deletedAt !== null) append.formerClients = Y.decodeStateVector(Y.encodeStateVector(this.doc))
    this.#applied = head
    this.#last = { update, author, at }
    return {
      append,
      snapshot: this.#startingPoints.takesSnapshot(appended) ? this.#snapshotAfter(append) : null,
      confirm: () => this.#confirm(append),
      fail: (problem) => this.end(problem),
    }
  }

  #snapshotAfter({ entry: { version, update } }: Append): Staged['snapshot'] {
    const owners = encodeOwners(this.#kept.owners)
    return { version, state: Y.encodeStateAsUpdate(this.doc), owners, entryChecksum: crc32(update) }
  }

  #confirm({ head, entry }: Append): void {
    this.#committed = head
    if (this.#applied === head) this.#last = null
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.version <= head.version) waiter.resolve()
      else this.#waiters.push(waiter)
    }
    if (entry.update.length > 0) {
      for (const listener of this.#committedListeners) listener({ version: head.version, update: entry.update })
    }
    if (head.deletedAt !== null) this.end(documentDeleted(head.id, head.version))
  }
}

/**
 * Yjs tidies formats up after what others wrote, in time by the square of a deleted passage. Editors do that themselves,
 * and the server writes nothing into a document that nobody asked it for.
 */
function leaveFormattingAlone(transaction: Y.Transaction): void {
  transaction._needFormattingCleanup = false
}

const markOf = ({ update, author, at }: Underway): EntryMark => ({ checksum: crc32(update), author, at })

function takeMerged(captured: Uint8Array[]): Uint8Array {
  const updates = captured.splice(0)
  const [only] = updates
  if (only === undefined) return new Uint8Array(0)
  return updates.length === 1 ? only : Y.mergeUpdates(updates)
}
