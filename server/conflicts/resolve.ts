import type { Content } from '../content/content.ts'
import { contentEquals, contentHash } from '../content/equal.ts'
import { merge } from '../content/merge.ts'
import { inOrder } from '../content/order.ts'
import { isKnown, unknownBase } from '../documents/base.ts'
import type { Head } from '../model/document.ts'
import { formatEtag } from '../documents/etag.ts'
import { assertPassesLock, passOf } from '../documents/lockGuard.ts'
import { openConflictsOf, supersede } from '../documents/openConflicts.ts'
import { contentAt } from '../documents/past.ts'
import { carryOut, type Plan } from '../documents/plan.ts'
import type { Replica } from '../documents/replica.ts'
import { assertValid } from '../documents/schema.ts'
import { assertAdmissible, stageChange, type WriterParts } from '../documents/planWrite.ts'
import { assertNever } from '../foundation/assert.ts'
import type { Keep } from '../foundation/answer.ts'
import type { ConflictId, DocumentId, PrincipalId, ProposalId, Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Turns } from '../foundation/turns.ts'
import type { LockPass } from '../model/lock.ts'
import { conflictDismissed, conflictProposed, conflictResolved, proposalRejected } from '../model/events.ts'
import type { NewEvent } from '../model/event.ts'
import type { ConflictRecord, ContentHash, Proposal, Use } from '../model/conflict.ts'
import { newProposalId } from '../documents/conflictIds.ts'
import { invalidTargetOf, liveTargetOf } from './liveTarget.ts'
import { decided, proposed } from './proposals.ts'
import { seenFrom } from './seenFrom.ts'
import { holdingVersion, liveSides, showConflict, sidesOf, storedContent, type ShowOptions } from './show.ts'
import { closed } from '../documents/staleWrite.ts'
import { invalidResolution, targetOf, type Way } from './target.ts'

/** As for writes: how often a resolution is planned anew because the document moved meanwhile. */
const MAX_ROUNDS = 8

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

/** What one round works on, all of the same moment. */
interface Round {
  readonly record: ConflictRecord
  readonly replica: Replica
  readonly head: Head
  readonly by: PrincipalId
  readonly pass: LockPass
  readonly shown: Shown
  readonly keep: Keep<Outcome> | null
}

/** Who asks, for what, and with which `Lock-Token` (SPEC LOCK-2); `shown` is for the conflict in a refusal. */
export interface Asked {
  readonly by: PrincipalId
  readonly request: Request
  readonly shown: Shown
  readonly lockToken?: string | null
  readonly keep?: Keep<Outcome> | null
}

/** How much of the conflict goes with a refusal. */
type Shown = Pick<ShowOptions, 'contents'>

/** A content to be written as the resolution, looked at from a version. */
interface Wanted {
  readonly use: Use
  readonly content: Content
  readonly baseVersion: Version
  readonly lookedAt: Content
  readonly comment: string | null
  readonly accepted: Proposal | null
}

/** What becomes of a conflict, and what goes with it in one act. */
interface Deed extends Partial<Pick<Plan<Outcome>, 'stage' | 'contents'>> {
  readonly outcome: Outcome
  readonly at: number
  readonly events: readonly NewEvent[]
  readonly superseded?: Plan<Outcome>['conflicts']
}

/** Decides conflicts: a resolution is an ordinary write at the head (SPEC RES-1 to RES-7). */
export class ConflictResolver {
  readonly #parts: WriterParts
  readonly #turns: Turns<DocumentId>

  constructor(parts: WriterParts, turns: Turns<DocumentId>) {
    this.#parts = parts
    this.#turns = turns
  }

  /**
   * Performs the request by a principal whose rights were checked. Throws `conflict-expired`, `locked`, `lock-lost`,
   * `conflict-closed`, `version-conflict` (refreshed, still open), `unknown-base`, `invalid-resolution`,
   * `proposal-closed`, `too-many-proposals`, `schema-violation`, `kind-mismatch` or a limit; nothing was written then.
   */
  async perform(id: ConflictId, asked: Asked): Promise<Outcome> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const record = await this.#parts.storage.conflict(id)
      if (!record) throw new ParleyError('not-found', `There is no conflict ${id}.`)
      const lease = await this.#parts.replicas.lease(record.document)
      if ('absent' in lease) throw expired(record)
      try {
        const outcome = await this.#turns.take(record.document, () => this.#round(id, lease.replica, asked))
        if (outcome !== 'again') return outcome
      } finally {
        lease.release()
      }
    }
    throw new ParleyError('overloaded', 'The document changes too fast for a resolution just now.')
  }

  async #round(id: ConflictId, replica: Replica, asked: Asked): Promise<Outcome | 'again'> {
    const { by, request, shown, keep = null } = asked
    const record = await this.#parts.storage.conflict(id)
    if (replica.ended || !record) return 'again'
    if (isOfThePast(record, replica)) throw expired(record)
    const pass = passOf(asked.lockToken)
    // What decides nothing about the document needs no lock of it.
    if (request.ask === 'resolve' || request.ask === 'accept') await assertPassesLock(this.#parts, replica, pass)
    if (replica.ended) return 'again'
    await this.#assertOpen(record, shown)
    const round: Round = { record, replica, head: replica.appliedHead, by, pass, shown, keep }
    switch (request.ask) {
      case 'resolve':
      case 'propose': {
        const wanted = await this.#wanted(round, request)
        if (wanted === 'moved') return this.#refuseMoved(round, request.baseVersion)
        return request.ask === 'resolve' ? this.#apply(round, wanted) : this.#propose(round, wanted)
      }
      case 'accept':
        return this.#apply(round, await this.#accepted(round, request.proposal))
      case 'reject':
        return this.#reject(round, request.proposal, request.comment)
      case 'dismiss':
        return this.#dismiss(round, request.comment)
      default:
        return assertNever(request)
    }
  }

  async #assertOpen(record: ConflictRecord, shown: Shown): Promise<void> {
    if (record.state.status === 'open') return
    throw new ParleyError('conflict-closed', `The conflict is ${record.state.status} already.`, {
      extras: { conflict: await showConflict(this.#parts.storage, record, shown) },
    })
  }

  async #wanted(
    round: Round,
    request: { readonly baseVersion: Version; readonly way: Way; readonly comment: string | null },
  ): Promise<Wanted | 'moved'> {
    const { record, replica, head } = round
    const lookedAt = await this.#contentAt(replica, head, request.baseVersion)
    const target = await this.#target(record, lookedAt, request)
    if (target === null) return 'moved'
    assertAdmissible(target, replica)
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
    record: ConflictRecord,
    lookedAt: Content,
    { baseVersion, way }: { readonly baseVersion: Version; readonly way: Way },
  ): Promise<Content | null> {
    const { storage } = this.#parts
    const { live } = record
    const seen = holdingVersion(record)
    // Who looked at a version before the merge has not seen its places.
    if (seen !== null && baseVersion < seen && way.use !== 'content') return null
    const target = live
      ? liveTargetOf(await liveSides(storage, record, live), live, lookedAt, way)
      : record.kind === 'invalid-merge'
        ? invalidTargetOf(await sidesOf(storage, record), lookedAt, way)
        : targetOf(await sidesOf(storage, record), lookedAt, way)
    if (target.ok) return target.content
    if (target.errors === null) return null
    throw invalidResolution(target.errors)
  }

  async #accepted(round: Round, id: ProposalId): Promise<Wanted> {
    const proposal = await this.#pending(round, id)
    const content = await storedContent(this.#parts.storage, round.record, proposal.hash)
    const lookedAt = await this.#contentAt(round.replica, round.head, proposal.baseVersion)
    const { use, baseVersion, comment } = proposal
    return { use, content, baseVersion, lookedAt, comment, accepted: proposal }
  }

  /** Writes the wanted content, merged with what came since the resolver looked, and closes the conflict. */
  async #apply(round: Round, wanted: Wanted): Promise<Outcome | 'again'> {
    const { record, replica, head, by } = round
    const { storage, environment } = this.#parts
    if (isMoved(round)) return 'again'
    const before = replica.content()
    const after = this.#merged(round, wanted)
    if (after === null) return this.#refuseMoved(round, wanted.baseVersion)
    const at = environment.now()
    // A resolution is a write: it settles other conflicts of whoever makes it, as any write does (WRITE-7).
    const others = (await openConflictsOf(storage, replica, by)).filter((other) => other.id !== record.id)
    const superseded = await supersede(storage, others, { author: by, at, before, after })
    const isChange = !contentEquals(before, after)
    const headAfter = isChange ? replica.headAfter({ author: by, at }) : head
    const { accepted } = wanted
    const accepting = accepted && decided(record, accepted, { status: 'accepted', by, at, comment: null })
    const resolution = { use: wanted.use, by, at, version: headAfter.version, comment: wanted.comment }
    const ended = closed(accepting?.record ?? record, { status: 'resolved', closedAt: at, resolution })
    const done = { ...ended, revision: record.revision + 1 }
    return this.#commit(round, {
      outcome: { record: done, head: headAfter, proposal: null },
      at,
      stage: isChange
        ? () => stageChange(replica, after, { author: by, at, origin: 'resolution', pass: round.pass })
        : null,
      superseded: superseded.conflicts,
      events: [conflictResolved(done), ...superseded.events],
    })
  }

  /** What the wanted content becomes at the head; null where what came since overlaps it. Throws where it cannot be kept. */
  #merged({ record, replica, head }: Round, wanted: Wanted): Content | null {
    const merged = merge(wanted.lookedAt, replica.content(), wanted.content)
    if (!merged.clean) return null
    // What stands may break the schema, which is a conflict of its own (CONF-8); leaving it as it is writes nothing.
    const isKept = wanted.use === 'merged' && record.kind !== 'invalid-merge'
    if (isKept && contentEquals(merged.content, replica.content())) return merged.content
    assertAdmissible(merged.content, replica)
    assertValid(head.schema, merged.content)
    return merged.content
  }

  async #propose(round: Round, wanted: Wanted): Promise<Outcome | 'again'> {
    const { record, by, head } = round
    if (isMoved(round)) return 'again'
    if (this.#merged(round, wanted) === null) return this.#refuseMoved(round, wanted.baseVersion)
    const { environment } = this.#parts
    const { use, content, baseVersion, comment } = wanted
    const hash = contentHash(content)
    const at = environment.now()
    const made = { id: newProposalId(environment), use, hash, baseVersion, by, at, comment }
    const { record: kept, proposal } = proposed(record, made)
    return this.#commit(round, {
      outcome: { record: kept, head, proposal: { id: proposal.id, content } },
      at,
      contents: new Map([[hash, content]]),
      events: [conflictProposed(kept, proposal)],
    })
  }

  async #reject(round: Round, id: ProposalId, comment: string | null): Promise<Outcome | 'again'> {
    const pending = await this.#pending(round, id)
    const at = this.#parts.environment.now()
    const { record, proposal } = decided(round.record, pending, { status: 'rejected', by: round.by, at, comment })
    const outcome: Outcome = { record, head: round.head, proposal: null }
    return this.#commit(round, { outcome, at, events: [proposalRejected(record, proposal)] })
  }

  async #dismiss(round: Round, comment: string | null): Promise<Outcome | 'again'> {
    const { record, head, by } = round
    const at = this.#parts.environment.now()
    const done = closed(record, { status: 'dismissed', closedAt: at, closedBy: by, comment })
    const outcome: Outcome = { record: done, head, proposal: null }
    return this.#commit(round, { outcome, at, events: [conflictDismissed(done)] })
  }

  #commit({ replica, head, pass, keep }: Round, deed: Deed): Promise<Outcome | 'again'> {
    const { outcome, at, events, stage = null, superseded = [], contents = new Map<ContentHash, Content>() } = deed
    const conflicts: Plan<Outcome>['conflicts'] = [{ op: 'update', record: outcome.record }, ...superseded]
    const plan = { replica, version: head.version, outcome, stage, pass, conflicts, contents, events }
    return carryOut(this.#parts.committer, plan, at, keep)
  }

  /** The 409 of a resolution that overlaps what came since: the same conflict, seen from the head, still open. */
  async #refuseMoved({ record, replica, head, pass, shown, keep }: Round, lookedAt: Version): Promise<'again'> {
    const { storage, committer, environment } = this.#parts
    const current = replica.content()
    const { record: seen, known } = await seenFrom(storage, record, { version: head.version, content: current })
    await replica.whenCommitted(head.version)
    const problem = new ParleyError(
      'version-conflict',
      `What came since version ${lookedAt} overlaps this resolution.`,
      {
        extras: { conflict: await showConflict(storage, seen, { ...shown, known }) },
        headers: {
          etag: `"${formatEtag(head, storage.epoch)}"`,
          link: `</conflicts/${record.id}>; rel="conflict"`,
        },
      },
    )
    const plan: Plan<ParleyError> = {
      replica,
      version: head.version,
      outcome: problem,
      stage: null,
      pass,
      conflicts: [{ op: 'update', record: seen }],
      contents: new Map(),
      events: [],
    }
    const keepProblem = keep && ((refused: ParleyError) => keep(refused))
    if ((await carryOut(committer, plan, environment.now(), keepProblem)) === 'again') return 'again'
    throw problem
  }

  async #contentAt(replica: Replica, head: Head, version: Version): Promise<Content> {
    if (version === head.version) return replica.content()
    if (!isKnown(version, head)) throw unknownBase(head, this.#parts.storage.epoch)
    await replica.whenCommitted(version)
    return contentAt(this.#parts.storage, head.id, head.kind, version)
  }

  async #pending({ record, shown }: Round, id: ProposalId): Promise<Proposal> {
    const proposal = record.proposals.find((one) => one.id === id)
    if (!proposal) throw invalidResolution([{ overlap: id, message: 'this conflict has no such proposal' }])
    if (proposal.status === 'pending') return proposal
    throw new ParleyError('proposal-closed', `The proposal was ${proposal.status} already.`, {
      extras: { conflict: await showConflict(this.#parts.storage, record, shown) },
    })
  }
}

const isOfThePast = (record: ConflictRecord, replica: Replica): boolean =>
  record.state.status === 'expired' || record.incarnation !== replica.head.incarnation

const isMoved = ({ replica, head }: Round): boolean => replica.ended !== null || replica.appliedVersion !== head.version

function expired(record: ConflictRecord): ParleyError {
  return new ParleyError('conflict-expired', `The document ${record.document} was deleted.`)
}
