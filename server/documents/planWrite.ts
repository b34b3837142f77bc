import { kindOf, type Content, type Kind } from '../content/content.ts'
import { contentEquals } from '../content/equal.ts'
import { checkContent, type ContentLimits } from '../content/limits.ts'
import { inOrder } from '../content/order.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import { nextVersion, type ConflictId, type DocumentId, type PrincipalId, type Version } from '../foundation/ids.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { LockPass } from '../model/lock.ts'
import { documentCreated } from '../model/events.ts'
import type { Storage } from '../storage/storage.ts'
import { baseByHead, baseOf, type Base, type Intent } from './base.ts'
import type { Committer, Staged } from './commit.ts'
import type { ConflictPolicy, Head, Origin } from '../model/document.ts'
import { passOf, type LineLength } from './lockGuard.ts'
import { judgeCurrent, judgeStale, type Judgement } from './judge.ts'
import { openConflictsOf, supersede } from './openConflicts.ts'
import { contentAt } from './past.ts'
import type { Plan } from './plan.ts'
import { recordRefusal, type Refusal, type RefusedWrite } from './refusal.ts'
import type { Authorship, Replica } from './replica.ts'
import type { NewDocument, Replicas } from './replicas.ts'
import { assertValid, violationsOf } from './schema.ts'

export interface WriteRequest {
  readonly document: DocumentId
  readonly author: PrincipalId
  readonly intent: Intent
  /** The wanted content, from the content of the base; throws `patch-failed` where a patch does not apply. */
  readonly incoming: (base: Content) => Content
  /** Kind of the document if the write creates it; null where it may not. */
  readonly createsKind: Kind | null
  readonly onConflict: ConflictPolicy | null
  readonly origin: Origin
  /** The `Lock-Token` sent with it (SPEC LOCK-2). */
  readonly lockToken?: string | null
}

export type WriteResult =
  | {
      readonly status: 'done'
      readonly outcome: 'created' | 'written' | 'merged' | 'unchanged'
      readonly head: Head
      readonly content: Content
    }
  | {
      readonly status: 'done'
      readonly outcome: 'overwrote'
      readonly head: Head
      readonly content: Content
      readonly conflict: ConflictId
    }
  | { readonly status: 'refused'; readonly head: Head; readonly refusal: Refusal }
  /** Strict, and only the version moved: the content is what it was at the base. */
  | { readonly status: 'refused-version'; readonly head: Head }

export interface WriterParts {
  readonly storage: Storage
  readonly replicas: Replicas
  readonly committer: Committer
  readonly environment: Environment
  readonly limits: ContentLimits
  readonly lineLength: LineLength
}

/** The base of a stale write. */
interface Past {
  readonly version: Version
  readonly content: Content
}

/** What a write is planned on: all of the same moment. */
interface Situation {
  readonly replica: Replica
  readonly request: WriteRequest
  readonly pass: LockPass
  readonly at: number
  readonly head: Head
  readonly current: Content
  readonly incoming: Content
  /** Null for a write on the current version. */
  readonly past: Past | null
  /** Open conflicts of the writer. */
  readonly own: readonly ConflictRecord[]
}

/** Works out what shall become of writes of content (SPEC WRITE-1 to WRITE-7, DOC-1, DOC-4); changes nothing. */
export class WritePlanner {
  readonly #parts: WriterParts

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** A document that does not exist yet; throws `already-exists`, `kind-mismatch`, `schema-violation` or a limit. */
  async creation(wanted: NewDocument, sent: Content, authorship: Authorship): Promise<Plan<WriteResult>> {
    assertSize(sent, this.#parts.limits)
    const replica = await this.#parts.replicas.prepare(wanted, authorship.author, authorship.at)
    const head = replica.appliedHead
    const content = this.#keepable(sent, replica)
    assertValid(head.schema, content)
    return {
      replica,
      version: head.version,
      outcome: { status: 'done', outcome: 'created', head, content },
      stage: () => replica.stageCreate(content, authorship),
      pass: NO_PASS,
      conflicts: [],
      contents: NO_CONTENTS,
      events: [documentCreated(head)],
    }
  }

  /** The same for a write that creates what it does not find; the caller has seen to it that it may. */
  creationBy(request: WriteRequest, at: number): Promise<Plan<WriteResult>> {
    const { document, author, createsKind: kind } = request
    invariant(kind !== null, 'a write that creates says of which kind')
    const content = request.incoming(kind === 'text' ? '' : {})
    const origin = request.origin === 'write' ? 'create' : request.origin
    return this.creation({ id: document, kind }, content, { author, at, origin })
  }

  /** Whether a write can be planned without the document's turn: it opens, refreshes and supersedes no conflict. */
  isSimple(request: WriteRequest, replica: Replica): boolean {
    const head = replica.appliedHead
    const base = baseByHead(request.intent, head, this.#parts.storage.epoch)
    const isCurrent = base.type === 'unconditional' || (base.type === 'version' && base.version === head.version)
    return isCurrent && replica.authorsWithoutConflicts.has(request.author)
  }

  /**
   * A write on a living replica. Throws what API-4 puts before or after a version conflict (`precondition-*`,
   * `unknown-base`, `weak-etag`, `patch-failed`, `kind-mismatch`, `schema-violation`, limits).
   */
  async write(request: WriteRequest, replica: Replica, at: number): Promise<Plan<WriteResult>> {
    const head = replica.appliedHead
    const current = replica.content()
    const stale = await this.#staleBase(request, head)
    const past = stale ? await this.#readPast(replica, stale.version) : null
    const own = await openConflictsOf(this.#parts.storage, replica, request.author)
    const incoming = this.#keepable(request.incoming(past?.content ?? current), replica)
    const judgement =
      past && stale
        ? judgeStale({
            base: past.content,
            current,
            incoming,
            strict: stale.strict,
            policy: request.onConflict ?? head.conflictPolicy,
            isKeepable: (content) => this.#isKeepable(content, replica),
          })
        : judgeCurrent(current, incoming)
    const pass = passOf(request.lockToken)
    return this.#planned({ replica, request, pass, at, head, current, incoming, past, own }, judgement)
  }

  /** The base if it is not the current version, else null. */
  async #staleBase({ intent }: WriteRequest, head: Head): Promise<Extract<Base, { type: 'version' }> | null> {
    const base = await baseOf(intent, head, this.#parts.storage)
    return base.type === 'version' && base.version !== head.version ? base : null
  }

  async #readPast(replica: Replica, version: Version): Promise<Past> {
    await replica.whenCommitted(version)
    return { version, content: await contentAt(this.#parts.storage, replica.id, replica.head.kind, version) }
  }

  #planned(situation: Situation, judgement: Judgement): Plan<WriteResult> | Promise<Plan<WriteResult>> {
    const { head, current } = situation
    switch (judgement.do) {
      case 'nothing':
        return nothing(situation, { status: 'done', outcome: 'unchanged', head, content: current })
      case 'refuse-version':
        return nothing(situation, { status: 'refused-version', head })
      case 'write':
        return this.#store(situation, judgement)
      case 'overwrite':
        return this.#overwrite(situation)
      case 'refuse':
      case 'refuse-for-good':
        return this.#refuse(situation, judgement.do === 'refuse')
      default:
        return assertNever(judgement)
    }
  }

  async #store(
    situation: Situation,
    { content, outcome }: Extract<Judgement, { do: 'write' }>,
  ): Promise<Plan<WriteResult>> {
    const { replica, request, pass, at, head, current, own } = situation
    assertValid(head.schema, content)
    // Everything of what was sent came from others already: there is nothing left to be written.
    if (outcome === 'merged' && contentEquals(content, current)) {
      return nothing(situation, { status: 'done', outcome, head, content: current })
    }
    const { author } = request
    const superseded = await supersede(this.#parts.storage, own, { author, at, before: current, after: content })
    const origin = outcome === 'merged' && request.origin !== 'transaction' ? 'merge' : request.origin
    return {
      replica,
      version: head.version,
      outcome: { status: 'done', outcome, head: replica.headAfter({ author, at }), content },
      stage: () => stageChange(replica, content, { author, at, origin, pass }),
      pass,
      conflicts: superseded.conflicts,
      contents: NO_CONTENTS,
      events: superseded.events,
    }
  }

  async #overwrite(situation: Situation): Promise<Plan<WriteResult>> {
    const { replica, request, pass, at, head, current, incoming, own } = situation
    assertValid(head.schema, incoming)
    const { author, origin } = request
    const end = { use: 'incoming', version: nextVersion(head.version) } as const
    const kept = recordRefusal(refusalInput(situation), end, this.#parts.environment)
    const others = own.filter((record) => record.id !== kept.record.id)
    const superseded = await supersede(this.#parts.storage, others, { author, at, before: current, after: incoming })
    return {
      ...nothing(situation, {
        status: 'done',
        outcome: 'overwrote',
        head: replica.headAfter({ author, at }),
        content: incoming,
        conflict: kept.record.id,
      }),
      stage: () => stageChange(replica, incoming, { author, at, origin, pass }),
      contents: kept.contents,
      conflicts: [...kept.conflicts, ...superseded.conflicts],
      events: [...kept.events, ...superseded.events],
    }
  }

  #refuse(situation: Situation, open: boolean): Plan<WriteResult> {
    const { replica, request, head } = situation
    const end = open ? null : ({ use: 'current', version: head.version } as const)
    const refusal = recordRefusal(refusalInput(situation), end, this.#parts.environment)
    const refused = nothing(situation, { status: 'refused', head, refusal })
    if (!refusal.stored) return refused
    replica.authorsWithoutConflicts.delete(request.author)
    const { conflicts, contents, events } = refusal
    return { ...refused, conflicts, contents, events }
  }

  #isKeepable(content: Content, replica: Replica): boolean {
    const { schema } = replica.appliedHead
    return replica.refusesContent(content) === null && violationsOf(schema, content).length === 0
  }

  /** What was sent as it is kept; throws `kind-mismatch` or a limit. */
  #keepable(content: Content, replica: Replica): Content {
    assertAdmissible(content, replica)
    return inOrder(content)
  }
}

/** Throws `kind-mismatch` (SPEC DOC-1). */
export function assertKind(content: Content, kind: Kind): void {
  if (kindOf(content) === kind) return
  const wanted = kind === 'text' ? 'a string' : 'an object'
  throw new ParleyError('kind-mismatch', `The content of a ${kind} document is ${wanted}.`)
}

/** Throws `kind-mismatch`, or the limit that refuses a content in place of the present one. */
export function assertAdmissible(content: Content, replica: Replica): void {
  assertKind(content, replica.head.kind)
  const breach = replica.refusesContent(content)
  if (breach) throw new ParleyError(breach.code, breach.detail)
}

/** Throws `content-too-large`, which comes before all else that is wrong with a request (SPEC API-4). */
export function assertSize(content: Content, limits: ContentLimits): void {
  const breach = checkContent(content, limits)
  if (breach?.code === 'content-too-large') throw new ParleyError(breach.code, breach.detail)
}

/** Of a document that does not exist nobody has the lock. */
const NO_PASS = passOf(null)

const NO_CONTENTS: Plan<WriteResult>['contents'] = new Map()

/** A plan that stores nothing. */
const nothing = ({ replica, pass, head }: Situation, outcome: WriteResult): Plan<WriteResult> => ({
  replica,
  version: head.version,
  outcome,
  stage: null,
  pass,
  conflicts: [],
  contents: NO_CONTENTS,
  events: [],
})

/** Stages a content that differs from the present one. */
export function stageChange(replica: Replica, content: Content, authorship: Authorship): Staged {
  const staged = replica.stageContent(content, authorship)
  invariant(staged !== null, 'contents that differ make an entry')
  return staged
}

function refusalInput(situation: Situation): RefusedWrite {
  const { request, head, at, past, current, incoming, own } = situation
  invariant(past !== null, 'only a stale write is refused')
  return { head, author: request.author, at, baseVersion: past.version, base: past.content, current, incoming, own }
}
