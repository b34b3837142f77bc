import type { Content } from '../content/content.ts'
import { contentEquals, contentHash } from '../content/equal.ts'
import { inOrder } from '../content/order.ts'
import { isKnown, unknownBase } from '../documents/base.ts'
import { type Head, headAfter } from '../model/document.ts'
import { formatEtag } from '../documents/etag.ts'
import { supersede } from '../documents/openConflicts.ts'
import type { Acts } from '../documents/acts/acts.ts'
import { type Found, nothing, onOne, type Plan, type Step } from '../documents/acts/plan.ts'
import type { View } from '../documents/acts/view.ts'
import { assertAdmissible, type PlannerParts } from '../documents/planWrite.ts'
import { assertNever } from '../foundation/assert.ts'
import type { Terms } from '../foundation/answer.ts'
import type { ConflictId, PrincipalId, ProposalId, Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { LockPass } from '../model/lock.ts'
import { passOf } from '../model/lockToken.ts'
import { conflictDismissed, conflictProposed, conflictResolved, proposalRejected } from '../model/events.ts'
import type { NewEvent } from '../model/event.ts'
import { closed, type ConflictRecord, type Proposal, type Use } from '../model/conflict.ts'
import { newProposalId } from '../documents/conflictIds.ts'
import type { StorageView } from '../storage/view.ts'
import { invalidTargetOf, resolvedLiveContentOf } from './resolvedLiveContent.ts'
import { decided, proposed } from './proposals.ts'
import { shownInConflict } from './shownContents.ts'
import type { ConflictShower } from './shower.ts'
import { conflictAtVersion } from './conflictAtVersion.ts'
import { holdingVersion, liveSides, type ShowOptions, sidesOf, storedContent } from './show.ts'
import { invalidResolution, resolvedContentOf, type Way } from './resolvedContent.ts'

/** What is asked of a conflict. */
export type Request =
  | { readonly ask: 'resolve'; readonly baseVersion: Version; readonly way: Way; readonly comment: string | null }
  | { readonly ask: 'propose'; readonly baseVersion: Version; readonly way: Way; readonly comment: string | null }
  | { readonly ask: 'accept'; readonly proposal: ProposalId }
  | { readonly ask: 'reject'; readonly proposal: ProposalId; readonly comment: string | null }
  | { readonly ask: 'dismiss'; readonly comment: string | null }

export interface Outcome {
  readonly record: ConflictRecord
  /** The document after the act. */
  readonly head: Head
  /** Set where a proposal was kept. */
  readonly proposal: { readonly id: ProposalId; readonly content: Content } | null
}

/** What a decision is worked out from, all of the same moment. */
interface ResolvingSituation {
  readonly record: ConflictRecord
  readonly view: View
  readonly head: Head
  readonly by: PrincipalId
  readonly at: number
  readonly pass: LockPass
  readonly shown: ShownSides
}

/** Who asks, for what, and with which `Lock-Token` (SPEC LOCK-2); `shown` is for the conflict in a refusal. */
export interface Asked {
  readonly by: PrincipalId
  readonly request: Request
  readonly shown: ShownSides
  readonly lockToken?: string | null
  readonly terms?: Terms<Outcome> | null
}

/** How much of the conflict goes with a refusal. */
type ShownSides = Pick<ShowOptions, 'contents' | 'by' | 'linkBase'>

/** A content to be written as the resolution, looked at from a version. */
interface Wanted {
  readonly use: Use
  readonly content: Content
  readonly baseVersion: Version
  readonly lookedAt: Content
  readonly comment: string | null
  readonly accepted: Proposal | null
}

export interface ResolverParts extends PlannerParts {
  readonly storage: StorageView
  readonly shower: Pick<ConflictShower, 'show'>
}

/** Decides conflicts: a resolution is an ordinary write at the head (SPEC RES-1 to RES-7). */
export class ConflictResolver {
  readonly #parts: ResolverParts
  readonly #acts: Acts

  constructor(parts: ResolverParts, acts: Acts) {
    this.#parts = parts
    this.#acts = acts
  }

  /**
   * Performs the request by a principal whose rights were checked. Throws `conflict-expired`, `locked`, `lock-lost`,
   * `conflict-closed`, `version-conflict` (refreshed, still open), `unknown-base`, `invalid-resolution`,
   * `proposal-closed`, `too-many-proposals`, `schema-violation`, `kind-mismatch` or a limit; nothing was written then.
   */
  async perform(id: ConflictId, asked: Asked): Promise<Outcome> {
    const record = await this.#parts.storage.conflict(id)
    if (!record) throw notFound(id)
    const plan = onOne((found: Found, at) => this.#plan(record, asked, found, at))
    return this.#acts.perform([record.document], plan, asked.terms ?? null)
  }

  async #plan(known: ConflictRecord, asked: Asked, found: Found, at: number): Promise<Step<Outcome>> {
    const { by, request, shown } = asked
    if ('absent' in found) throw expired(known)
    const record = await found.conflict(known.id)
    if (!record) throw notFound(known.id)
    if (isOfThePast(record, found)) throw expired(record)
    const pass = passOf(asked.lockToken)
    // What decides nothing about the document needs no lock of it.
    if (request.ask === 'resolve' || request.ask === 'accept') await found.assertPasses(pass)
    await this.#assertOpen(record, shown)
    const situation: ResolvingSituation = { record, view: found, head: found.head, by, at, pass, shown }
    switch (request.ask) {
      case 'resolve':
      case 'propose': {
        const wanted = await this.#wanted(situation, request)
        if (wanted === 'moved') return this.#refuseMoved(situation, request.baseVersion)
        return request.ask === 'resolve' ? this.#apply(situation, wanted) : this.#propose(situation, wanted)
      }
      case 'accept':
        return this.#apply(situation, await this.#accepted(situation, request.proposal))
      case 'reject':
        return this.#reject(situation, request.proposal, request.comment)
      case 'dismiss':
        return dismissal(situation, request.comment)
      default:
        return assertNever(request)
    }
  }

  async #assertOpen(record: ConflictRecord, shown: ShownSides): Promise<void> {
    if (record.state.status === 'open') return
    throw new ParleyError('conflict-closed', `The conflict is ${record.state.status} already.`, {
      extras: { conflict: await this.#parts.shower.show(record, shown) },
      shownIn: shownInConflict(record),
    })
  }

  async #wanted(
    situation: ResolvingSituation,
    request: { readonly baseVersion: Version; readonly way: Way; readonly comment: string | null },
  ): Promise<Wanted | 'moved'> {
    const { view } = situation
    const lookedAt = await this.#contentAt(view, request.baseVersion)
    const target = await this.#target(situation, lookedAt, request)
    if (target === null) return 'moved'
    assertAdmissible(target, view)
    const { use } = request.way
    return {
      use,
      content: inOrder(target),
      baseVersion: request.baseVersion,
      lookedAt,
      comment: request.comment,
      accepted: null,
    }
  }

  /** What the document shall be, in place of what the resolver looked at; null where that can no longer be told. */
  async #target(
    { record, view, by }: ResolvingSituation,
    lookedAt: Content,
    { baseVersion, way }: { readonly baseVersion: Version; readonly way: Way },
  ): Promise<Content | null> {
    const { storage } = this.#parts
    const comparing = view.comparing(by)
    const { live } = record
    const seen = holdingVersion(record)
    // Who looked at a version before the merge has not seen its places.
    if (seen !== null && baseVersion < seen && way.use !== 'content') return null
    const target = live
      ? await resolvedLiveContentOf(await liveSides(storage, record, live), live, lookedAt, way, comparing)
      : record.kind === 'invalid-merge'
        ? await invalidTargetOf(await sidesOf(storage, record), lookedAt, way, comparing)
        : await resolvedContentOf(await sidesOf(storage, record), lookedAt, way, comparing)
    if (target.ok) return target.content
    if (target.errors === null) return null
    throw invalidResolution(target.errors)
  }

  async #accepted(situation: ResolvingSituation, id: ProposalId): Promise<Wanted> {
    const proposal = await this.#pending(situation, id)
    const content = await storedContent(this.#parts.storage, situation.record, proposal.hash)
    const lookedAt = await this.#contentAt(situation.view, proposal.baseVersion)
    const { use, baseVersion, comment } = proposal
    return { use, content, baseVersion, lookedAt, comment, accepted: proposal }
  }

  /** Writes the wanted content, merged with what came since the resolver looked, and closes the conflict. */
  async #apply(situation: ResolvingSituation, wanted: Wanted): Promise<Step<Outcome>> {
    const { record, view, head, by, at, pass } = situation
    const before = view.content()
    const after = await this.#merged(situation, wanted)
    if (after === null) return this.#refuseMoved(situation, wanted.baseVersion)
    // A resolution is a write: it settles other conflicts of whoever makes it, as any write does (WRITE-7).
    const others = (await view.openConflicts(by)).filter((other) => other.id !== record.id)
    const superseded = await supersede(view, others, { author: by, at, before, after })
    const isChange = !contentEquals(before, after)
    const headThen = isChange ? headAfter(head, { author: by, at }) : head
    const { accepted } = wanted
    const accepting = accepted && decided(record, accepted, { status: 'accepted', by, at, comment: null })
    const resolution = { use: wanted.use, by, at, version: headThen.version, comment: wanted.comment }
    const ended = closed(accepting?.record ?? record, { status: 'resolved', closedAt: at, resolution })
    const done = { ...ended, revision: record.revision + 1 }
    return {
      outcome: { record: done, head: headThen, proposal: null },
      plan: {
        ...nothing(view),
        entry: isChange
          ? { type: 'content', content: after, by: { author: by, at, origin: 'resolution', pass } }
          : null,
        ...superseded,
        conflicts: [{ op: 'update', record: done }, ...superseded.conflicts],
        events: [conflictResolved(done), ...superseded.events],
      },
    }
  }

  /** What the wanted content becomes at the head; null where what came since overlaps it. Throws where it cannot be kept. */
  async #merged({ record, view, head, by }: ResolvingSituation, wanted: Wanted): Promise<Content | null> {
    const { lookedAt, content } = wanted
    const merged = await view.comparing(by).merge({ base: lookedAt, current: view.content(), incoming: content })
    if (!merged.clean) return null
    // What stands may break the schema, which is a conflict of its own (CONF-8); leaving it as it is writes nothing.
    const isKept = wanted.use === 'merged' && record.kind !== 'invalid-merge'
    if (isKept && contentEquals(merged.content, view.content())) return merged.content
    assertAdmissible(merged.content, view)
    await this.#parts.schemas.assertValid(head.schema, merged.content, by)
    return merged.content
  }

  async #propose(situation: ResolvingSituation, wanted: Wanted): Promise<Step<Outcome>> {
    const { record, by, at } = situation
    if ((await this.#merged(situation, wanted)) === null) return this.#refuseMoved(situation, wanted.baseVersion)
    const { use, content, baseVersion, comment } = wanted
    const hash = contentHash(content)
    const made = { id: newProposalId(this.#parts.environment), use, hash, baseVersion, by, at, comment }
    const { record: kept, proposal } = proposed(record, made)
    const step = decision(situation, kept, [conflictProposed(kept, proposal)])
    return {
      outcome: { ...step.outcome, proposal: { id: proposal.id, content } },
      plan: { ...step.plan, contents: new Map([[hash, content]]) },
    }
  }

  async #reject(situation: ResolvingSituation, id: ProposalId, comment: string | null): Promise<Step<Outcome>> {
    const { by, at } = situation
    const pending = await this.#pending(situation, id)
    const { record, proposal } = decided(situation.record, pending, { status: 'rejected', by, at, comment })
    return decision(situation, record, [proposalRejected(record, proposal)])
  }

  /** The 409 of a resolution that overlaps what came since: the same conflict, seen from the head, still open. */
  async #refuseMoved({ record, view, head, by, shown }: ResolvingSituation, lookedAt: Version): Promise<Step<Outcome>> {
    const { storage } = this.#parts
    const newer = { version: head.version, content: view.content() }
    const { record: seen, known } = await conflictAtVersion(storage, record, newer, view.comparing(by))
    // What is shown of it is read from storage.
    await view.whenOnDisk()
    const outcome = new ParleyError(
      'version-conflict',
      `What came from version ${lookedAt} to ${head.version} overlaps this resolution: look again and resolve with baseVersion ${head.version}.`,
      {
        extras: { conflict: await this.#parts.shower.show(seen, { ...shown, known }) },
        shownIn: shownInConflict(seen),
        headers: {
          etag: `"${formatEtag(head, storage.epoch)}"`,
          link: `<${shown.linkBase ?? ''}/conflicts/${record.id}>; rel="conflict"`,
        },
      },
    )
    return { outcome, plan: { ...nothing(view), conflicts: [{ op: 'update', record: seen }] } }
  }

  async #contentAt(view: View, version: Version): Promise<Content> {
    if (version !== view.head.version && !isKnown(version, view.head)) {
      throw unknownBase(view.head, this.#parts.storage.epoch)
    }
    return view.contentAt(version)
  }

  async #pending({ record, shown }: ResolvingSituation, id: ProposalId): Promise<Proposal> {
    const proposal = record.proposals.find((one) => one.id === id)
    if (!proposal) throw invalidResolution([{ overlap: id, message: 'this conflict has no such proposal' }])
    if (proposal.status === 'pending') return proposal
    throw new ParleyError('proposal-closed', `The proposal was ${proposal.status} already.`, {
      extras: { conflict: await this.#parts.shower.show(record, shown) },
      shownIn: shownInConflict(record),
    })
  }
}

function dismissal(situation: ResolvingSituation, comment: string | null): Step<Outcome> {
  const { record, by, at } = situation
  const done = closed(record, { status: 'dismissed', closedAt: at, closedBy: by, comment })
  return decision(situation, done, [conflictDismissed(done)])
}

/** What becomes of a conflict where the document stays as it is. */
const decision = (
  { view, head }: ResolvingSituation,
  record: ConflictRecord,
  events: readonly NewEvent[],
): { readonly outcome: Outcome; readonly plan: Plan } => ({
  outcome: { record, head, proposal: null },
  plan: { ...nothing(view), conflicts: [{ op: 'update', record }], events },
})

const isOfThePast = (record: ConflictRecord, { head }: View): boolean =>
  record.state.status === 'expired' || record.incarnation !== head.incarnation

const notFound = (id: ConflictId): ParleyError => new ParleyError('not-found', `There is no conflict ${id}.`)

function expired(record: ConflictRecord): ParleyError {
  return new ParleyError('conflict-expired', `The document ${record.document} was deleted.`)
}
