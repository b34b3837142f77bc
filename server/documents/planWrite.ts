import { type Content, type Kind, kindOf } from '../content/content.ts'
import { contentEquals } from '../content/equal.ts'
import { checkContent, type ContentLimits } from '../content/limits.ts'
import { inOrder } from '../content/order.ts'
import { isSmallContent } from '../content/smallContent.ts'
import type { ConflictRecord } from '../model/conflict.ts'
import {
  type ConflictId,
  type DocumentId,
  nextVersion,
  NO_VERSION,
  type PrincipalId,
  type Version,
} from '../foundation/ids.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import { documentDeleted, documentNotFound, ParleyError } from '../foundation/problems.ts'
import { yieldTurn } from '../foundation/turns.ts'
import type { LockPass } from '../model/lock.ts'
import { lockLostProblem } from '../model/lockRefusal.ts'
import { passOf } from '../model/lockToken.ts'
import { documentCreated } from '../model/events.ts'
import type { HistoryReads } from '../storage/history.ts'
import type { StorageEpoch } from '../storage/view.ts'
import { type Found, NO_CONTENTS, nothing, type Step } from './acts/plan.ts'
import type { View } from './acts/view.ts'
import { baseOf, type Intent } from './base.ts'
import { type ConflictPolicy, type Head, headAfter, type Origin } from '../model/document.ts'
import { judgeCurrent, type Judgement, judgeStale } from './judge.ts'
import { supersede } from './openConflicts.ts'
import { recordRefusal, type Refusal, type RefusalParts, type RefusedWrite } from './refusal.ts'
import type { Authorship } from './replica.ts'
import { type Absent, type NewDocument, newHead } from './replicas.ts'
import type { SchemaJudge } from './schemaJudge.ts'

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

export interface PlannerParts {
  readonly storage: StorageEpoch & HistoryReads
  readonly environment: Environment
  readonly limits: ContentLimits
  readonly schemas: SchemaJudge
}

/** The base of a stale write. */
interface Past {
  readonly version: Version
  readonly content: Content
}

/** What a write is planned on: all of the same moment. */
interface Situation {
  readonly view: View
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
  readonly policy: ConflictPolicy
  readonly rest: RefusalParts['rest']
}

/** Works out what shall become of writes of content (SPEC WRITE-1 to WRITE-7, DOC-1, DOC-4). */
export class WritePlanner {
  readonly #parts: PlannerParts

  constructor(parts: PlannerParts) {
    this.#parts = parts
  }

  /** A document that does not exist yet; throws `already-exists`, `kind-mismatch`, `schema-violation` or a limit. */
  async creation(wanted: NewDocument, sent: Content, by: Authorship, found: Found): Promise<Step<WriteResult>> {
    assertSize(sent, this.#parts.limits)
    if (!('absent' in found)) throw new ParleyError('already-exists', `${wanted.id} exists already.`)
    const last = found.absent === 'never' ? NO_VERSION : found.lastVersion
    const head = newHead(wanted, last, by, this.#parts.environment)
    assertKind(sent, head.kind)
    const breach = checkContent(sent, this.#parts.limits)
    if (breach) throw new ParleyError(breach.code, breach.detail)
    const content = inOrder(sent)
    await this.#parts.schemas.assertValid(head.schema, content, by.author)
    return {
      outcome: { status: 'done', outcome: 'created', head, content },
      plan: { ...nothing({ head }), entry: { type: 'create', head, content, by }, events: [documentCreated(head)] },
    }
  }

  /**
   * A write of content. Throws what API-4 puts before or after a version conflict (`not-found`, `document-deleted`,
   * `locked`, `lock-lost`, `precondition-*`, `unknown-base`, `weak-etag`, `patch-failed`, `kind-mismatch`,
   * `schema-violation`, limits).
   */
  async write(request: WriteRequest, found: Found, at: number): Promise<Step<WriteResult>> {
    if ('absent' in found) return this.#createAbsent(request, found, at)
    const pass = passOf(request.lockToken)
    await found.assertPasses(pass)
    const { head } = found
    const current = found.content()
    const base = await baseOf(request.intent, head, this.#parts.storage)
    const stale = base.type === 'version' && base.version !== head.version ? base : null
    const past = stale ? { version: stale.version, content: await found.contentAt(stale.version) } : null
    const policy = request.onConflict ?? head.conflictPolicy
    const rest = restOf(current, stale !== null && (stale.strict || policy === 'manual' || policy === 'current-wins'))
    const own = await found.openConflicts(request.author)
    await rest()
    const incoming = keepable(request.incoming(past?.content ?? current), found)
    await rest()
    const judgement =
      past && stale
        ? await judgeStale({
            base: past.content,
            current,
            incoming,
            strict: stale.strict,
            policy,
            isKeepable: (content) => this.#isKeepable(content, found, request.author),
            merge: (sides) => found.comparing(request.author).merge(sides),
          })
        : judgeCurrent(current, incoming)
    return this.#planned(
      { view: found, request, pass, at, head, current, incoming, past, own, policy, rest },
      judgement,
    )
  }

  async #isKeepable(content: Content, view: View, by: PrincipalId): Promise<boolean> {
    if (view.refusesContent(content) !== null) return false
    return (await this.#parts.schemas.violationsOf(view.head.schema, content, by)).length === 0
  }

  #createAbsent(request: WriteRequest, absent: Absent, at: number): Promise<Step<WriteResult>> {
    const { document, author, intent, createsKind: kind, lockToken } = request
    if (intent.type !== 'create' || kind === null) throw missing(document, absent)
    if (lockToken) throw lockLostProblem(document, { name: 'free', fence: 0 })
    const content = request.incoming(kind === 'text' ? '' : {})
    const origin = request.origin === 'write' ? 'create' : request.origin
    return this.creation({ id: document, kind }, content, { author, at, origin }, absent)
  }

  #planned(situation: Situation, judgement: Judgement): Step<WriteResult> | Promise<Step<WriteResult>> {
    const { view, head, current } = situation
    const plan = nothing(view)
    switch (judgement.do) {
      case 'nothing':
        return { plan, outcome: { status: 'done', outcome: 'unchanged', head, content: current } }
      case 'refuse-version':
        return { plan, outcome: { status: 'refused-version', head } }
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
  ): Promise<Step<WriteResult>> {
    const { view, request, pass, at, head, current, own } = situation
    await this.#parts.schemas.assertValid(head.schema, content, request.author)
    // Everything of what was sent came from others already: there is nothing left to be written.
    if (outcome === 'merged' && contentEquals(content, current)) {
      return { plan: nothing(view), outcome: { status: 'done', outcome, head, content: current } }
    }
    const { author } = request
    const superseded = await supersede(view, own, { author, at, before: current, after: content })
    const origin = outcome === 'merged' && request.origin !== 'transaction' ? 'merge' : request.origin
    return {
      outcome: { status: 'done', outcome, head: headAfter(head, { author, at }), content },
      plan: {
        document: head.id,
        version: head.version,
        entry: { type: 'content', content, by: { author, at, origin, pass } },
        contents: NO_CONTENTS,
        ...superseded,
      },
    }
  }

  async #overwrite(situation: Situation): Promise<Step<WriteResult>> {
    const { view, request, pass, at, head, current, incoming, own } = situation
    await this.#parts.schemas.assertValid(head.schema, incoming, request.author)
    const { author, origin } = request
    const end = { use: 'incoming', version: nextVersion(head.version) } as const
    const kept = await recordRefusal(refusalInput(situation), end, {
      environment: this.#parts.environment,
      comparing: view.comparing(author),
      rest: () => undefined,
    })
    const others = own.filter((record) => record.id !== kept.record.id)
    const superseded = await supersede(view, others, { author, at, before: current, after: incoming })
    return {
      outcome: {
        status: 'done',
        outcome: 'overwrote',
        head: headAfter(head, { author, at }),
        content: incoming,
        conflict: kept.record.id,
      },
      plan: {
        ...nothing(view),
        entry: { type: 'content', content: incoming, by: { author, at, origin, pass } },
        contents: kept.contents,
        ...superseded,
        conflicts: [...kept.conflicts, ...superseded.conflicts],
        events: [...kept.events, ...superseded.events],
      },
    }
  }

  async #refuse(situation: Situation, open: boolean): Promise<Step<WriteResult>> {
    const { view, request, head, rest } = situation
    const end = open ? null : ({ use: 'current', version: head.version } as const)
    const refusal = await recordRefusal(refusalInput(situation), end, {
      environment: this.#parts.environment,
      comparing: view.comparing(request.author),
      rest,
    })
    const outcome: WriteResult = { status: 'refused', head, refusal }
    if (!refusal.stored) return { outcome, plan: nothing(view) }
    const { conflicts, contents, events } = refusal
    return { outcome, plan: { ...nothing(view), conflicts, contents, events } }
  }
}

/** Looked at in one go, whatever is done with it. */
const BRIEF = { units: 256 * 1024, values: 4_000 }

/**
 * How the planning of a write lets others go first. Only of one that will be refused: what is written on the newest version
 * has to be planned in one go, because each edit of somebody live meanwhile would have it planned anew.
 */
function restOf(current: Content, isRefused: boolean): RefusalParts['rest'] {
  return isRefused && !isSmallContent(current, BRIEF) ? yieldTurn : () => undefined
}

/** What was sent as it is kept; throws `kind-mismatch` or a limit. */
function keepable(content: Content, view: View): Content {
  assertAdmissible(content, view)
  return inOrder(content)
}

/** Throws `kind-mismatch` (SPEC DOC-1). */
export function assertKind(content: Content, kind: Kind): void {
  if (kindOf(content) === kind) return
  const wanted = kind === 'text' ? 'a string' : 'an object'
  throw new ParleyError('kind-mismatch', `The content of a ${kind} document is ${wanted}.`)
}

/** Throws `kind-mismatch`, or the limit that refuses a content in place of the present one. */
export function assertAdmissible(content: Content, view: View): void {
  assertKind(content, view.head.kind)
  const breach = view.refusesContent(content)
  if (breach) throw new ParleyError(breach.code, breach.detail)
}

/** Throws `content-too-large`, which comes before all else that is wrong with a request (SPEC API-4). */
export function assertSize(content: Content, limits: ContentLimits): void {
  const breach = checkContent(content, limits)
  if (breach?.code === 'content-too-large') throw new ParleyError(breach.code, breach.detail)
}

/** `not-found`, or `document-deleted` with the last version. */
export function missing(document: DocumentId, absent: Absent): ParleyError {
  if (absent.absent === 'never') return documentNotFound(document)
  return documentDeleted(document, absent.lastVersion)
}

function refusalInput(situation: Situation): RefusedWrite {
  const { view, request, head, at, past, current, incoming, own, policy } = situation
  invariant(past !== null, 'only a stale write is refused')
  const entries = view.entriesFrom(past.version)
  const met = { baseVersion: past.version, base: past.content, current, incoming, own, entries, policy }
  return { head, author: request.author, at, ...met }
}
