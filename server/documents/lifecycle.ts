import type { ConflictRecord } from '../model/conflict.ts'
import { closed } from './staleWrite.ts'
import type { Keep } from '../foundation/answer.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Turns } from '../foundation/turns.ts'
import { contentEquals } from '../content/equal.ts'
import { decide } from '../model/lock.ts'
import { conflictExpired, documentDeleted, documentUnlocked } from '../model/events.ts'
import type { NewEvent } from '../model/event.ts'
import type { LockWrite, Storage } from '../storage/storage.ts'
import { baseOf, type Intent } from './base.ts'
import type { Committer } from './commit.ts'
import { purgedHead, type Head, type Settings } from '../model/document.ts'
import { formatEtag } from './etag.ts'
import { assertPassesLock, passOf, type LineLength } from './lockGuard.ts'
import { openInvalidMerge, validAgain } from './openConflicts.ts'
import { contentAt } from './past.ts'
import { carryOut, type Plan } from './plan.ts'
import type { Replica } from './replica.ts'
import type { Replicas } from './replicas.ts'
import { assertValid } from './schema.ts'
import { isFinal, MAX_ROUNDS, missing } from './write.ts'

/** Conflicts read at a time when a document is deleted. */
const CONFLICT_PAGE = 500

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

/** Works out what shall become of a document as a whole; changes nothing. */
export class LifecyclePlanner {
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /**
   * A change of settings (SPEC DOC-7); the outcome is the head after it, the present one where nothing differs.
   * A stale base is always refused: settings cannot be merged, and no conflict is opened for them. Another schema is one
   * that the content keeps, so it ends the conflict over what broke the last one (CONF-8).
   */
  async settings(
    { author, intent, lockToken }: Change,
    wanted: Partial<Settings>,
    replica: Replica,
    at: number,
  ): Promise<Plan<Head>> {
    const head = replica.appliedHead
    const base = await baseOf(intent, head, this.#storage)
    const schema = wanted.schema ?? null
    if (schema !== null && head.kind === 'text') {
      throw new ParleyError('invalid-request', 'A text document has no schema.')
    }
    if (base.type === 'version' && base.version !== head.version) {
      throw staleChange(head, this.#storage.epoch, 'The settings')
    }
    assertValid(schema, replica.content())
    const settings: Settings = { conflictPolicy: head.conflictPolicy, schema: head.schema, ...wanted }
    const isUnchanged = isSame(head, settings)
    const isJudged = !isUnchanged && wanted.schema !== undefined
    const broken = isJudged ? await openInvalidMerge(this.#storage, head.id) : null
    const pass = passOf(lockToken)
    return {
      replica,
      version: head.version,
      outcome: isUnchanged ? head : { ...replica.headAfter({ author, at }), ...settings },
      stage: isUnchanged ? null : () => replica.stageSettings(settings, { author, at, origin: 'settings', pass }),
      pass,
      ...validAgain(broken, { by: author, at }),
      contents: new Map(),
    }
  }

  /** A deletion, with which the document's open conflicts expire (SPEC DOC-6, CONF-4). The outcome is the last head. */
  async removal(change: Change, replica: Replica, at: number): Promise<Plan<Head>> {
    const { author } = change
    const head = replica.appliedHead
    await this.#assertRemovable(change, replica)
    const state = { status: 'expired', closedAt: at, closedBy: author, comment: null } as const
    const expired = (await this.#openConflicts(head.id)).map((record) => closed(record, state))
    const deletion = await this.#deletion(change, replica, at)
    return {
      ...deletion,
      conflicts: expired.map((record) => ({ op: 'update', record })),
      events: [...expired.map((record) => conflictExpired(record)), ...deletion.events],
    }
  }

  /** A deletion after which nothing is left but that it was: of its conflicts nothing is told any more (SPEC HIST-5). */
  async purge(change: Change, replica: Replica, at: number): Promise<Plan<void>> {
    await this.#assertRemovable(change, replica)
    const { outcome: deleted, ...deletion } = await this.#deletion(change, replica, at)
    return { ...deletion, outcome: undefined, purge: purgedHead(deleted, change.author) }
  }

  /** Throws `version-conflict` where the base of a deletion is not the current version, or its content is not. */
  async #assertRemovable({ intent }: Change, replica: Replica): Promise<void> {
    const head = replica.appliedHead
    const base = await baseOf(intent, head, this.#storage)
    const current = replica.content()
    if (base.type === 'version' && base.version !== head.version) {
      await replica.whenCommitted(base.version)
      const content = await contentAt(this.#storage, head.id, head.kind, base.version)
      if (base.strict || !contentEquals(content, current)) {
        throw staleChange(head, this.#storage.epoch, 'The document')
      }
    }
  }

  async #deletion({ author, lockToken }: Change, replica: Replica, at: number): Promise<Plan<Head>> {
    const { id, version } = replica.appliedHead
    const unlocking = await this.#unlocking(id, author)
    const pass = passOf(lockToken)
    const outcome: Head = { ...replica.headAfter({ author, at }), deletedAt: at }
    return {
      replica,
      version,
      outcome,
      stage: () => replica.stageDelete({ author, at, origin: 'delete', pass }),
      pass,
      ...unlocking.write,
      conflicts: [],
      contents: new Map(),
      events: [...unlocking.events, documentDeleted(outcome)],
    }
  }

  /** The end of the document's lock, as parts of the act that deletes it. */
  async #unlocking(
    document: DocumentId,
    by: PrincipalId,
  ): Promise<{ readonly events: readonly NewEvent[]; readonly write: { readonly lock?: LockWrite } }> {
    const action = decide(await this.#storage.lock(document), { type: 'document-ends' })
    if (action.do !== 'end') return { events: [], write: {} }
    const { lock, reason } = action
    return {
      events: [documentUnlocked(document, lock, reason, reason === 'expired' ? null : by)],
      write: { lock: { op: 'end', document, fence: lock.fence } },
    }
  }

  async #openConflicts(document: DocumentId): Promise<readonly ConflictRecord[]> {
    const all: ConflictRecord[] = []
    for (;;) {
      const page = await this.#storage.conflicts({
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
    headers: { etag: `"${formatEtag(head, epoch)}"` },
  })
}

/** Performs settings and deletions, under the same preconditions as a write. */
export class DocumentLifecycle {
  readonly #parts: LifecycleParts
  readonly #planner: LifecyclePlanner
  readonly #turns: Turns<DocumentId>

  constructor(parts: LifecycleParts, turns: Turns<DocumentId>) {
    this.#parts = parts
    this.#planner = new LifecyclePlanner(parts.storage)
    this.#turns = turns
  }

  /** Changes settings; answers the head after it. The caller has seen to it that a schema is usable. */
  changeSettings(change: Change, wanted: Partial<Settings>, keep: Keep<Head> | null = null): Promise<Head> {
    return this.#perform(change, keep, (replica, at) => this.#planner.settings(change, wanted, replica, at))
  }

  /** Deletes the document; answers the last head. */
  remove(change: Change, keep: Keep<Head> | null = null): Promise<Head> {
    return this.#perform(change, keep, (replica, at) => this.#planner.removal(change, replica, at))
  }

  /** Deletes the document, and begins to erase it. */
  purge(change: Change, keep: Keep<void> | null = null): Promise<void> {
    return this.#perform(change, keep, (replica, at) => this.#planner.purge(change, replica, at))
  }

  async #perform<Outcome>(
    change: Change,
    keep: Keep<Outcome> | null,
    plan: (replica: Replica, at: number) => Promise<Plan<Outcome>>,
  ): Promise<Outcome> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const lease = await this.#parts.replicas.lease(change.document)
      if ('absent' in lease) throw missing(change.document, lease)
      const { replica } = lease
      try {
        const result = await this.#turns.take(change.document, async () => {
          if (replica.ended) return 'again'
          await assertPassesLock(this.#parts, replica, passOf(change.lockToken))
          if (replica.ended) return 'again'
          const at = this.#parts.environment.now()
          return carryOut(this.#parts.committer, await plan(replica, at), at, keep)
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
}

function isSame(head: Head, settings: Settings): boolean {
  return (
    head.conflictPolicy === settings.conflictPolicy &&
    contentEquals({ schema: head.schema }, { schema: settings.schema })
  )
}
