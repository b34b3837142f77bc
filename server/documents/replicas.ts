import type * as Y from 'yjs'
import type { ContentLimits } from '../content/limits.ts'
import { randomTag, type Environment } from '../foundation/environment.ts'
import {
  NO_VERSION,
  nextVersion,
  previousVersion,
  toIncarnation,
  type DocumentId,
  type PrincipalId,
  type Version,
} from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { DocumentReads } from '../storage/documents.ts'
import type { LockReads } from '../storage/locks.ts'
import type { Entry, LogReads, Snapshot } from '../storage/log.ts'
import type { Committer } from './commit.ts'
import { DEFAULT_ROOT, DEFAULT_SETTINGS, type Head, type Settings } from '../model/document.ts'
import { firstVersionOf } from './past.ts'
import { ServerIds } from './serverIds.ts'
import { Replica } from './replica.ts'
import { decodeOwners } from './owners.ts'
import { ReplicaDoc } from './replicaDoc.ts'

/** Rows read at a time while a document loads: keystrokes are a few KB then; of the largest there are only a few rows. */
const LOAD_PAGE_ENTRIES = 32
/** Idle documents are looked for so often; a shorter idle time is not met more exactly than the shortest. */
const SWEEP_INTERVAL_MS = { shortest: 100, longest: 5_000 }
/** Random characters of an incarnation: 60 bits, so that no two creations of an id ever meet. */
const INCARNATION_CHARACTERS = 12

export interface ReplicasOptions {
  readonly storage: DocumentReads & LogReads & LockReads
  readonly committer: Committer
  readonly environment: Environment
  readonly limits: ContentLimits
  /** A document nobody uses leaves memory after this time. */
  readonly idleMs: number
  /** All loaded documents together; past it the least recently used idle ones go first. */
  readonly budgetBytes: number
}

/** A hold on a replica; it stays in memory until every hold is released. */
export interface Lease {
  readonly replica: Replica
  /** Idempotent. */
  release(): void
}

export type Absent = { readonly absent: 'never' } | { readonly absent: 'deleted'; readonly lastVersion: Version }

/** What a new document shall be; its version and incarnation are decided here. */
export interface NewDocument extends Pick<Head, 'id' | 'kind'> {
  readonly root?: string
  readonly settings?: Partial<Settings>
}

interface Slot {
  readonly replica: Replica
  leases: number
  lastUsedMs: number
  /** As of the last look. */
  bytes: number
}

/** The documents in memory: loads each once, shares it, and lets it go when nobody needs it. */
export class Replicas {
  readonly #options: ReplicasOptions
  readonly #slots = new Map<DocumentId, Slot>()
  readonly #loading = new Map<DocumentId, Promise<Slot | Absent>>()
  readonly #ids: ServerIds
  /** Of all slots together. */
  #heldBytes = 0
  #isSweepDue = false
  #closed = false

  constructor(options: ReplicasOptions) {
    this.#options = options
    this.#ids = new ServerIds(options.environment)
    this.#sweepLater()
  }

  /** Of all documents together, as of the last look at each. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** How many documents are in memory. */
  get size(): number {
    return this.#slots.size
  }

  /** Loads or shares the replica of a living document. Rejects with `document-damaged` or `storage-unavailable`. */
  async lease(id: DocumentId): Promise<Lease | Absent> {
    const slot = this.#slots.get(id) ?? (await this.#loadOnce(id))
    if ('absent' in slot) return slot
    // The replica may have ended while this call waited; what replaced it is loaded anew.
    return slot.replica.ended ? this.lease(id) : this.#hold(slot)
  }

  /** The head of a living document that is not loaded, as every act leaves it that was handed over. */
  async find(id: DocumentId): Promise<{ readonly head: Head } | Absent> {
    await this.#options.committer.settled(id)
    return foundHead(await this.#options.storage.head(id))
  }

  /** Yjs clients of earlier lives of the document, with the clock after their last struct (SYNC-7). */
  async #formerClients({ id, firstVersion }: Head): Promise<ReadonlyMap<number, number>> {
    return previousVersion(firstVersion) === NO_VERSION ? new Map() : this.#options.storage.formerClients(id)
  }

  /** Like `lease` for a document already in memory, without waiting; null where it is not. */
  leaseLoaded(id: DocumentId): Lease | null {
    const slot = this.#slots.get(id)
    return slot ? this.#hold(slot) : null
  }

  /**
   * The replica of a document that does not exist, to stage its creation: outside the map until that is committed, so that
   * nobody finds a document which may never have been. `adopt` puts it in the map afterwards.
   */
  async prepare(head: Head): Promise<Replica> {
    const { committer, environment, limits } = this.#options
    const { version } = head
    const doc = new ReplicaDoc({ gc: true })
    doc.clientID = this.#ids.firstFor(head, doc)
    const snapshot = { version: previousVersion(version), bytesAfter: 0 }
    const formerClients = await this.#formerClients(head)
    return new Replica({ head, doc, snapshot, formerClients, committer, environment, limits })
  }

  /** Takes a committed new replica into memory, or shares the one that was loaded meanwhile. */
  adopt(replica: Replica): Lease {
    const known = this.#slots.get(replica.id)
    if (known) return this.#hold(known)
    return this.#hold(this.#keep(replica))
  }

  /** Versions of the document became part of others: what is at hand of its log is read anew. */
  forgetPast(id: DocumentId): void {
    this.#slots.get(id)?.replica.past.forget()
  }

  /** Unloads everything; sessions learn it through `onEnded`. */
  close(problem: ParleyError): void {
    this.#closed = true
    for (const slot of [...this.#slots.values()]) slot.replica.end(problem)
  }

  #hold(slot: Slot): Lease {
    slot.leases += 1
    let released = false
    return {
      replica: slot.replica,
      release: () => {
        if (released) return
        released = true
        slot.leases -= 1
        slot.lastUsedMs = this.#options.environment.monotonicMs()
      },
    }
  }

  #keep(replica: Replica): Slot {
    const lastUsedMs = this.#options.environment.monotonicMs()
    const slot: Slot = { replica, leases: 0, lastUsedMs, bytes: replica.memoryBytes() }
    this.#slots.set(replica.id, slot)
    this.#heldBytes += slot.bytes
    replica.onEnded(() => {
      if (this.#slots.get(replica.id) === slot) this.#slots.delete(replica.id)
      this.#heldBytes -= slot.bytes
    })
    if (this.#heldBytes > this.#options.budgetBytes) this.#sweepSoon()
    return slot
  }

  #loadOnce(id: DocumentId): Promise<Slot | Absent> {
    const running = this.#loading.get(id)
    if (running) return running
    const loading = this.#load(id).finally(() => this.#loading.delete(id))
    this.#loading.set(id, loading)
    return loading
  }

  async #load(id: DocumentId): Promise<Slot | Absent> {
    const { storage, committer, environment, limits } = this.#options
    await committer.settled(id)
    if (this.#closed) throw new ParleyError('shutting-down', 'The server is stopping.')
    const found = foundHead(await storage.head(id))
    if ('absent' in found) return found
    const { head } = found
    const stored = await this.#soundSnapshot(id)
    const start = stored && stored.version >= head.firstVersion ? stored : null
    const version = start?.version ?? previousVersion(head.firstVersion)
    const doc = new ReplicaDoc({ gc: true })
    if (start) applyStored(doc, start.state, head.id)
    const owners = start?.owners ? decodeOwners(start.owners) : new Map<number, PrincipalId>()
    const bytesAfter = await this.#replay(doc, head, version, owners)
    doc.clientID = this.#ids.firstFor(head, doc)
    const lock = await storage.lock(id)
    const snapshot = { version, bytesAfter }
    const formerClients = await this.#formerClients(head)
    const known = { owners, formerClients, lock }
    const replica = new Replica({ head, doc, snapshot, ...known, committer, environment, limits })
    // An act of this process may have committed while the rows were read; then they are read again.
    const newest = await storage.head(id)
    if (newest?.version !== head.version) return this.#load(id)
    return this.#slots.get(id) ?? this.#keep(replica)
  }

  /** A snapshot only saves work: where it is damaged the log still says everything, and the next one replaces it. */
  async #soundSnapshot(id: DocumentId): Promise<Snapshot | null> {
    try {
      return await this.#options.storage.snapshot(id)
    } catch (problem) {
      if (problem instanceof ParleyError && problem.code === 'document-damaged') return null
      throw problem
    }
  }

  /** Applies every entry after a version, and notes who brought which Yjs clients; answers the bytes of their updates. */
  async #replay(doc: ReplicaDoc, head: Head, after: Version, owners: Map<number, PrincipalId>): Promise<number> {
    let version = after
    let bytes = 0
    while (version < head.version) {
      const page: readonly Entry[] = await this.#options.storage.entries(
        head.id,
        version,
        head.version,
        LOAD_PAGE_ENTRIES,
      )
      for (const entry of page) {
        if (firstVersionOf(entry) > version + 1) throw damaged(head.id, `version ${version + 1} is missing`)
        const clients = doc.store.clients.size
        if (entry.update.length > 0) applyStored(doc, entry.update, head.id)
        for (const client of entry.origin === 'live' ? clientsAfter(doc, clients) : []) {
          if (entry.handedOn?.includes(client) !== true) owners.set(client, entry.author)
        }
        bytes += entry.update.length
        version = entry.version
      }
      if (page.length === 0) throw damaged(head.id, `version ${version + 1} is missing`)
      // A small update can have a large effect: their bytes do not bound what was read.
      if (version < head.version) await yieldTurn()
    }
    if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) {
      throw damaged(head.id, 'an entry builds on something that is not in the log')
    }
    return bytes
  }

  #sweepLater(): void {
    const { shortest, longest } = SWEEP_INTERVAL_MS
    this.#options.environment.after(Math.max(shortest, Math.min(this.#options.idleMs, longest)), () => {
      if (this.#closed) return
      this.#sweep()
      this.#sweepLater()
    })
  }

  /** Not at once: whoever waits for the document that was just loaded has to take hold of it first. */
  #sweepSoon(): void {
    if (this.#isSweepDue) return
    this.#isSweepDue = true
    this.#options.environment.after(0, () => {
      this.#isSweepDue = false
      if (!this.#closed) this.#sweep()
    })
  }

  #sweep(): void {
    const now = this.#options.environment.monotonicMs()
    for (const slot of this.#slots.values()) {
      this.#heldBytes -= slot.bytes
      slot.bytes = slot.replica.memoryBytes()
      this.#heldBytes += slot.bytes
    }
    const idle = [...this.#slots.values()]
      .filter((slot) => slot.leases === 0 && slot.replica.appliedVersion === slot.replica.committedVersion)
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs)
    for (const slot of idle) {
      const expired = now - slot.lastUsedMs >= this.#options.idleMs
      if (!expired && this.#heldBytes <= this.#options.budgetBytes) break
      slot.replica.end(new ParleyError('overloaded', 'The document left memory.'))
    }
  }
}

function foundHead(head: Head | null): { readonly head: Head } | Absent {
  if (!head) return { absent: 'never' }
  return head.deletedAt === null ? { head } : { absent: 'deleted', lastVersion: head.version }
}

/** The head of a document that begins, or begins anew after the last version of its earlier life. */
export function newHead(
  wanted: NewDocument,
  last: Version,
  { author, at }: { readonly author: PrincipalId; readonly at: number },
  environment: Environment,
): Head {
  const version = nextVersion(last)
  return {
    id: wanted.id,
    kind: wanted.kind,
    root: wanted.root ?? DEFAULT_ROOT,
    ...DEFAULT_SETTINGS,
    ...wanted.settings,
    incarnation: toIncarnation(randomTag(environment, INCARNATION_CHARACTERS)),
    version,
    firstVersion: version,
    createdAt: at,
    createdBy: author,
    updatedAt: at,
    updatedBy: author,
    deletedAt: null,
  }
}

/** The Yjs clients that came after the first so many: a map keeps the order in which they came. */
function clientsAfter({ store: { clients } }: Y.Doc, count: number): readonly number[] {
  return clients.size === count ? [] : [...clients.keys()].slice(count)
}

/** Bytes that pass their checksum and still cannot be applied: the log is damaged all the same. */
function applyStored(doc: ReplicaDoc, update: Uint8Array, id: DocumentId): void {
  try {
    doc.take(update)
  } catch (cause) {
    throw damaged(id, 'an entry cannot be applied', cause)
  }
}

function damaged(id: DocumentId, what: string, cause?: unknown): ParleyError {
  return new ParleyError('document-damaged', `The log of ${id} is damaged: ${what}.`, { cause })
}
