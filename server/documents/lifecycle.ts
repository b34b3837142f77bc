import type { ConflictRecord } from '../conflicts/conflict.ts'
import { closed } from '../conflicts/staleWrite.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Turns } from '../foundation/turns.ts'
import { contentEquals } from '../content/equal.ts'
import { decide } from '../locks/lock.ts'
import { conflictExpired, documentDeleted, documentUnlocked } from '../notifications/events.ts'
import type { NewEvent } from '../notifications/event.ts'
import type { LockWrite, Storage } from '../storage/storage.ts'
import { baseOf, type Base, type Intent } from './base.ts'
import type { Committer } from './commit.ts'
import type { Head, Settings } from './document.ts'
import { formatEtag } from './etag.ts'
import { assertPassesLock, passesLock, passOf, type LineLength } from './lockGuard.ts'
import { contentAt } from './past.ts'
import type { Replica } from './replica.ts'
import type { Replicas } from './replicas.ts'
import { assertValid } from './schema.ts'
import { isFinal, missing } from './write.ts'

/** Conflicts read at a time when a document is deleted. */
const CONFLICT_PAGE = 500
/** As for writes: how often the act is planned anew because the document moved meanwhile. */
const MAX_ROUNDS = 8

export interface LifecycleParts {
  readonly storage: Storage
  readonly replicas: Replicas
  readonly committer: Committer
  readonly environment: Environment
  readonly lineLength: LineLength
}

export interface Change {
  readonly document: DocumentId
  readonly author: PrincipalId
  readonly intent: Intent
  /** The `Lock-Token` sent with it (SPEC LOCK-2). */
  readonly lockToken?: string | null
}

/** Settings and deletion: acts on the document as a whole, under the same preconditions as a write. */
export class DocumentLifecycle {
  readonly #parts: LifecycleParts
  readonly #turns: Turns<DocumentId>

  constructor(parts: LifecycleParts, turns: Turns<DocumentId>) {
    this.#parts = parts
    this.#turns = turns
  }

  /**
   * Changes settings (SPEC DOC-7); answers the head after it, unchanged where nothing differs.
   * A stale base is always refused: settings cannot be merged, and no conflict is opened for them.
   * The caller has seen to it that a schema is usable.
   */
  changeSettings(change: Change, wanted: Partial<Settings>): Promise<Head> {
    return this.#perform(change, async (replica, base) => {
      const head = replica.appliedHead
      const schema = wanted.schema ?? null
      if (schema !== null && head.kind === 'text') {
        throw new ParleyError('invalid-request', 'A text document has no schema.')
      }
      if (base.type === 'version' && base.version !== head.version)
        throw staleChange(head, this.#parts.storage.epoch, 'The settings')
      assertValid(schema, replica.content())
      const settings: Settings = { conflictPolicy: head.conflictPolicy, schema: head.schema, ...wanted }
      if (isSame(head, settings)) {
        await replica.whenCommitted(head.version)
        return head
      }
      const at = this.#parts.environment.now()
      const pass = passOf(change.lockToken)
      if (!passesLock(replica, pass)) return 'again'
      const staged = replica.stageSettings(settings, { author: change.author, at, origin: 'settings', pass })
      const parts = { at, conflicts: [], contents: new Map(), events: [] }
      const result = await this.#parts.committer.commit([staged], parts)
      return result.status === 'committed' ? staged.append.head : 'again'
    })
  }

  /** Deletes the document; its open conflicts expire with it (SPEC DOC-6, CONF-4). Answers the last head. */
  remove(change: Change): Promise<Head> {
    return this.#perform(change, async (replica, base) => {
      const head = replica.appliedHead
      const current = replica.content()
      if (base.type === 'version' && base.version !== head.version) {
        await replica.whenCommitted(base.version)
        const content = await contentAt(this.#parts.storage, head.id, head.kind, base.version)
        if (base.strict || !contentEquals(content, current))
          throw staleChange(head, this.#parts.storage.epoch, 'The document')
      }
      const pass = passOf(change.lockToken)
      const open = await this.#openConflicts(head.id)
      const unlocking = await this.#unlocking(head.id, change.author)
      if (replica.ended || replica.appliedVersion !== head.version || !passesLock(replica, pass)) return 'again'
      const at = this.#parts.environment.now()
      const state = { status: 'expired', closedAt: at, closedBy: change.author, comment: null } as const
      const expired = open.map((record) => closed(record, state))
      const staged = replica.stageDelete({ author: change.author, at, origin: 'delete', pass })
      const result = await this.#parts.committer.commit([staged], {
        at,
        conflicts: expired.map((record) => ({ op: 'update', record })),
        contents: new Map(),
        events: [
          ...expired.map((record) => conflictExpired(record)),
          ...unlocking.events,
          documentDeleted(staged.append.head),
        ],
        ...unlocking.write,
      })
      return result.status === 'committed' ? staged.append.head : 'again'
    })
  }

  /** The end of the document's lock, as parts of the act that deletes it. */
  async #unlocking(
    document: DocumentId,
    by: PrincipalId,
  ): Promise<{ readonly events: readonly NewEvent[]; readonly write: { readonly lock?: LockWrite } }> {
    const action = decide(await this.#parts.storage.lock(document), { type: 'document-ends' })
    if (action.do !== 'end') return { events: [], write: {} }
    const { lock, reason } = action
    return {
      events: [documentUnlocked(document, lock, reason, reason === 'expired' ? null : by)],
      write: { lock: { op: 'end', document, fence: lock.fence } },
    }
  }

  async #perform(change: Change, act: (replica: Replica, base: Base) => Promise<Head | 'again'>): Promise<Head> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const lease = await this.#parts.replicas.lease(change.document)
      if ('absent' in lease) throw missing(change.document, lease)
      const { replica } = lease
      try {
        const result = await this.#turns.take(change.document, async () => {
          if (replica.ended) return 'again'
          await assertPassesLock(this.#parts, replica, passOf(change.lockToken))
          if (replica.ended) return 'again'
          return act(replica, baseOf(change.intent, replica.appliedHead, this.#parts.storage.epoch))
        })
        if (result !== 'again') return result
      } catch (problem) {
        if (await isFinal(problem, replica)) throw problem
      } finally {
        lease.release()
      }
    }
    throw new ParleyError('overloaded', `${change.document} changes too fast to be changed just now.`)
  }

  async #openConflicts(document: DocumentId): Promise<readonly ConflictRecord[]> {
    const all: ConflictRecord[] = []
    for (;;) {
      const page = await this.#parts.storage.conflicts({
        patterns: [{ exact: document }],
        statuses: ['open'],
        before: all.at(-1)?.id ?? null,
        limit: CONFLICT_PAGE,
      })
      all.push(...page)
      if (page.length < CONFLICT_PAGE) return all
    }
  }
}

/** The 409 of an act on the document as a whole: no conflict is opened for it. */
export function staleChange(head: Head, epoch: string, what: string): ParleyError {
  const { version } = head
  return new ParleyError('version-conflict', `${what} changed since the version this request is based on.`, {
    extras: { current: { version } },
    headers: { etag: `"${formatEtag(head, epoch, version)}"` },
  })
}

function isSame(head: Head, settings: Settings): boolean {
  return (
    head.conflictPolicy === settings.conflictPolicy &&
    contentEquals({ schema: head.schema }, { schema: settings.schema })
  )
}
