import * as Y from 'yjs'
import type { Kind } from '../../server/content/content.ts'
import type { Admission, Offer } from '../../server/documents/admission/admission.ts'
import { Kept } from '../../server/documents/admission/kept.ts'
import { ContentView } from '../../server/content/view.ts'
import type { CommittedUpdate } from '../../server/documents/replica.ts'
import type { Head } from '../../server/model/document.ts'
import {
  toIncarnation,
  toPrincipalId,
  toVersion,
  trustedDocumentId,
  type PrincipalId,
  type Version,
} from '../../server/foundation/ids.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { KnownLock } from '../../server/documents/knownLock.ts'
import type { ParleyError } from '../../server/foundation/problems.ts'
import type { LiveReplica } from '../../server/sync/liveReplica.ts'

const LIMITS = { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }

interface Waiter {
  readonly version: Version
  readonly settle: (problem: ParleyError | null) => void
}

/** A replica without storage: a test decides when what it applied is on disk, and when it ends. */
export class FakeReplica implements LiveReplica {
  readonly id = trustedDocumentId('doc')
  readonly head: Head
  readonly doc = new Y.Doc()
  readonly formerClients: ReadonlyMap<number, number>
  readonly #kept: Kept
  readonly lock = new KnownLock({ name: 'free', fence: 0 }, systemEnvironment)
  /** What has reached the disk, oldest first. */
  readonly log: { readonly author: PrincipalId; readonly update: Uint8Array }[] = []
  appliedVersion = toVersion(1)
  ended: ParleyError | null = null
  /** While true, what is applied waits for `commit`. */
  isHeld = false
  /** Rejects the next update, as the real one does for content past a limit. */
  refuseNext: ParleyError | null = null
  readonly #staged: (CommittedUpdate & { readonly author: PrincipalId })[] = []
  readonly #waiters: Waiter[] = []
  readonly #committed = new Set<(entry: CommittedUpdate) => void>()
  readonly #ends = new Set<(problem: ParleyError) => void>()
  #committedVersion = toVersion(1)

  constructor(kind: Kind = 'text', clientId = 4_000_000_000, formerClients: ReadonlyMap<number, number> = new Map()) {
    this.formerClients = formerClients
    this.doc.clientID = clientId
    if (kind === 'text') this.doc.getText('content')
    else this.doc.getMap('content')
    const view = new ContentView(this.doc, kind, 'content')
    this.#kept = new Kept({ doc: this.doc, view, kind, root: 'content', limits: LIMITS, formerClients })
    const someone = toPrincipalId('someone')
    const times = { createdAt: 0, createdBy: someone, updatedAt: 0, updatedBy: someone, deletedAt: null }
    const versions = { version: toVersion(1), firstVersion: toVersion(1) }
    const settings = { conflictPolicy: 'manual' as const, schema: null }
    this.head = {
      id: this.id,
      incarnation: toIncarnation('abc'),
      kind,
      root: 'content',
      ...versions,
      ...times,
      ...settings,
    }
  }

  get text(): string {
    return this.doc.getText('content').toString()
  }

  /** How many sessions' rooms listen. */
  get listeners(): number {
    return this.#committed.size + this.#ends.size
  }

  admit(update: Uint8Array, offer: Offer): Admission {
    return this.#kept.admit(update, offer)
  }

  ownerOf(client: number): PrincipalId | null {
    return this.#kept.ownerOf(client)
  }

  async applyLive(update: Uint8Array, author: PrincipalId): Promise<Version | null> {
    if (this.ended) throw this.ended
    const refused = this.refuseNext
    this.refuseNext = null
    if (refused) throw refused
    const changes: Uint8Array[] = []
    const capture = (change: Uint8Array): void => void changes.push(change)
    this.doc.on('update', capture)
    Y.applyUpdate(this.doc, update)
    this.#kept.applied(author)
    this.doc.off('update', capture)
    return changes.length === 0 ? null : this.#stage(Y.mergeUpdates(changes), author)
  }

  /** A change by the server, as a REST write makes it. */
  write(change: (doc: Y.Doc) => void): void {
    const before = Y.encodeStateVector(this.doc)
    this.doc.transact(() => change(this.doc))
    void this.#stage(Y.encodeStateAsUpdate(this.doc, before), toPrincipalId('rest'))
  }

  whenCommitted(version: Version): Promise<void> {
    if (this.#committedVersion >= version) return Promise.resolve()
    if (this.ended) return Promise.reject(this.ended)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ version, settle: (problem) => (problem ? reject(problem) : resolve()) })
    })
  }

  onCommitted(listener: (entry: CommittedUpdate) => void): () => void {
    this.#committed.add(listener)
    return () => this.#committed.delete(listener)
  }

  onEnded(listener: (problem: ParleyError) => void): () => void {
    this.#ends.add(listener)
    return () => this.#ends.delete(listener)
  }

  /** What was applied reaches the disk, or the oldest so many of that. */
  commit(count = Number.POSITIVE_INFINITY): void {
    for (const { version, update, author } of this.#staged.splice(0, count)) {
      this.log.push({ author, update })
      this.#committedVersion = version
      while (this.#waiters[0] && this.#waiters[0].version <= version) this.#waiters.shift()?.settle(null)
      for (const listener of this.#committed) listener({ version, update })
    }
  }

  end(problem: ParleyError): void {
    this.ended = problem
    for (const waiter of this.#waiters.splice(0)) waiter.settle(problem)
    for (const listener of this.#ends) listener(problem)
  }

  async #stage(update: Uint8Array, author: PrincipalId): Promise<Version> {
    const version = toVersion(this.appliedVersion + 1)
    this.appliedVersion = version
    this.#staged.push({ version, update, author })
    if (!this.isHeld) queueMicrotask(() => this.commit())
    await this.whenCommitted(version)
    return version
  }
}
