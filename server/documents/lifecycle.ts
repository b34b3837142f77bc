import { contentEquals } from '../content/equal.ts'
import type { Terms } from '../foundation/answer.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { closed } from '../model/conflict.ts'
import { type Head, headAfter, purgedHead, type Settings, settingsOf } from '../model/document.ts'
import type { NewEvent } from '../model/event.ts'
import { conflictExpired, documentDeleted, documentUnlocked } from '../model/events.ts'
import { decide } from '../model/lock.ts'
import { passOf } from '../model/lockToken.ts'
import type { HistoryReads } from '../storage/history.ts'
import type { LockWrite } from '../storage/locks.ts'
import type { StorageEpoch } from '../storage/view.ts'
import type { Acts } from './acts/acts.ts'
import { type Found, nothing, onOne, type Plan, type Step } from './acts/plan.ts'
import type { View } from './acts/view.ts'
import { baseOf, type Intent } from './base.ts'
import { formatEtag } from './etag.ts'
import { openInvalidMerge, validAgain } from './openConflicts.ts'
import { missing } from './planWrite.ts'
import type { SchemaJudge } from './schemaJudge.ts'

/**
 * Conflicts that one act closes because their document is deleted, some 10 ms of everybody's writing. A document may have
 * 100 open ones of each principal: an act that closed 20,000 kept all writes waiting for 18 s.
 */
export const MAX_EXPIRED_AT_ONCE = 100

export interface LifecycleChange {
  readonly document: DocumentId
  readonly author: PrincipalId
  readonly intent: Intent
  /** The `Lock-Token` sent with it (SPEC LOCK-2). */
  readonly lockToken?: string | null
}

/** Works out what shall become of a document as a whole; changes nothing. */
export class LifecyclePlanner {
  readonly #storage: StorageEpoch & HistoryReads
  readonly #schemas: SchemaJudge

  constructor(storage: StorageEpoch & HistoryReads, schemas: SchemaJudge) {
    this.#storage = storage
    this.#schemas = schemas
  }

  /**
   * A change of settings (SPEC DOC-7); the outcome is the head after it, the present one where nothing differs.
   * A stale base is always refused: settings cannot be merged, and no conflict is opened for them. Another schema is one
   * that the content keeps, so it ends the conflict over what broke the last one (CONF-8).
   */
  async settings(
    { document, author, intent, lockToken }: LifecycleChange,
    wanted: Partial<Settings>,
    found: Found,
    at: number,
  ): Promise<Step<Head>> {
    if ('absent' in found) throw missing(document, found)
    const pass = passOf(lockToken)
    await found.assertPasses(pass)
    const { head } = found
    const base = await baseOf(intent, head, this.#storage)
    const schema = wanted.schema ?? null
    if (schema !== null && head.kind === 'text') {
      throw new ParleyError('invalid-request', 'A text document has no schema.')
    }
    if (base.type === 'version' && base.version !== head.version) {
      throw staleChange(head, this.#storage.epoch, 'The settings')
    }
    await this.#schemas.assertValid(schema, found.content(), author)
    const settings: Settings = { ...settingsOf(head), ...wanted }
    const isUnchanged = contentEquals({ ...settingsOf(head) }, { ...settings })
    const isJudged = !isUnchanged && wanted.schema !== undefined
    if (isUnchanged) return { outcome: head, plan: nothing(found) }
    const broken = isJudged ? await openInvalidMerge(found) : null
    const by = { author, at, origin: 'settings', pass } as const
    return {
      outcome: { ...headAfter(head, by), ...settings },
      plan: { ...nothing(found), entry: { type: 'settings', settings, by }, ...validAgain(broken, { by: author, at }) },
    }
  }

  /**
   * A deletion, with which the document's open conflicts expire (SPEC DOC-6, CONF-4): the newest `expiring` are closed by
   * its act, and the others count as expired until they are (`conflicts/expiring`). The outcome is the last head.
   */
  async removal(
    change: LifecycleChange,
    found: Found,
    at: number,
    expiring = MAX_EXPIRED_AT_ONCE,
  ): Promise<Step<Head>> {
    const view = await this.#removable(change, found)
    const open = await view.conflicts({ statuses: ['open'], before: null, limit: expiring })
    const state = { status: 'expired', closedAt: at, closedBy: change.author, comment: null } as const
    const expired = open.map((record) => closed(record, state))
    const { outcome, plan } = await deletion(change, view, at)
    const conflicts = expired.map((record) => ({ op: 'update', record }) as const)
    const events = [...expired.map((record) => conflictExpired(record)), ...plan.events]
    return { outcome, plan: { ...plan, conflicts, events } }
  }

  /** A deletion after which nothing is left but that it was: of its conflicts nothing is told any more (SPEC HIST-5). */
  async purge(change: LifecycleChange, found: Found, at: number): Promise<Step<void>> {
    const { outcome, plan } = await deletion(change, await this.#removable(change, found), at)
    return { outcome: undefined, plan: { ...plan, purge: purgedHead(outcome, change.author) } }
  }

  /**
   * Throws `not-found`, `document-deleted`, `locked`, `lock-lost`, and `version-conflict` where the base of a deletion is
   * not the current version, or its content is not.
   */
  async #removable({ document, intent, lockToken }: LifecycleChange, found: Found): Promise<View> {
    if ('absent' in found) throw missing(document, found)
    await found.assertPasses(passOf(lockToken))
    const { head } = found
    const base = await baseOf(intent, head, this.#storage)
    const current = found.content()
    if (base.type === 'version' && base.version !== head.version) {
      const content = await found.contentAt(base.version)
      if (base.strict || !contentEquals(content, current)) {
        throw staleChange(head, this.#storage.epoch, 'The document')
      }
    }
    return found
  }
}

async function deletion(
  { author, lockToken }: LifecycleChange,
  view: View,
  at: number,
): Promise<{ readonly outcome: Head; readonly plan: Plan }> {
  const unlocking = await unlockingOf(view, author)
  const by = { author, at, origin: 'delete', pass: passOf(lockToken) } as const
  const outcome: Head = { ...headAfter(view.head, by), deletedAt: at }
  const events = [...unlocking.events, documentDeleted(outcome)]
  return { outcome, plan: { ...nothing(view), entry: { type: 'delete', by }, ...unlocking.write, events } }
}

/** The end of the document's lock, as parts of the act that deletes it. */
async function unlockingOf(
  view: View,
  by: PrincipalId,
): Promise<{ readonly events: readonly NewEvent[]; readonly write: { readonly lock?: LockWrite } }> {
  const document = view.head.id
  const action = decide(await view.lock(), { type: 'document-ends' })
  if (action.do !== 'end') return { events: [], write: {} }
  const { lock, reason } = action
  return {
    events: [documentUnlocked(document, lock, reason, reason === 'expired' ? null : by)],
    write: { lock: { op: 'end', document, fence: lock.fence } },
  }
}

/** The 409 of an act on the document as a whole: no conflict is opened for it. */
export function staleChange(head: Head, epoch: string, what: string): ParleyError {
  const { version } = head
  const detail = `${what} changed since the version this request is based on; it is at version ${version}.`
  return new ParleyError('version-conflict', detail, {
    extras: { current: { version } },
    headers: { etag: `"${formatEtag(head, epoch)}"` },
  })
}

/** Settings and deletions, under the same preconditions as a write. */
export class DocumentLifecycle {
  readonly #acts: Acts
  readonly #planner: LifecyclePlanner

  constructor(storage: StorageEpoch & HistoryReads, acts: Acts, schemas: SchemaJudge) {
    this.#acts = acts
    this.#planner = new LifecyclePlanner(storage, schemas)
  }

  /** Changes settings; answers the head after it. The caller has seen to it that a schema is usable. */
  changeSettings(change: LifecycleChange, wanted: Partial<Settings>, terms: Terms<Head> | null = null): Promise<Head> {
    const plan = onOne((found, at) => this.#planner.settings(change, wanted, found, at))
    return this.#acts.perform([change.document], plan, terms)
  }

  /** Deletes the document; answers the last head. */
  remove(change: LifecycleChange, terms: Terms<Head> | null = null): Promise<Head> {
    const plan = onOne((found, at) => this.#planner.removal(change, found, at))
    return this.#acts.perform([change.document], plan, terms)
  }

  /** Deletes the document, and begins to erase it. */
  purge(change: LifecycleChange, terms: Terms<void> | null = null): Promise<void> {
    const plan = onOne((found, at) => this.#planner.purge(change, found, at))
    return this.#acts.perform([change.document], plan, terms)
  }
}
