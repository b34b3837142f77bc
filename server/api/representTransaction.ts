import type { StorageView } from '../storage/view.ts'
import { shownAt } from './representDocument.ts'
import type { Content } from '../content/content.ts'
import { contentBytes } from '../content/equal.ts'
import { refusalOf } from './representRefusal.ts'
import { formatEtag } from '../documents/etag.ts'
import type { ConflictShower } from '../conflicts/shower.ts'
import { ParleyError } from '../foundation/problems.ts'
import { toJson } from '../foundation/renderedJson.ts'
import type { ShownContent } from '../foundation/shownContent.ts'
import type { Reply } from '../http/idempotency.ts'
import { problemDocument, type ProblemDocument } from '../http/problem.ts'
import { gravest, isConflict } from '../transactions/gravest.ts'
import type { Done, OperationFailure, OperationOutcome, Verdict } from '../transactions/operation.ts'

/** Contents and conflicts in one answer: a hundred operations could have gigabytes. What is left out has its href. */
const ROOM_BYTES = 8 * 1024 * 1024

export interface RepresentParts {
  readonly storage: StorageView
  readonly shower: ConflictShower
  readonly publicUrl: () => string
  readonly linkBase: string
}

/** The answer to a transaction that was performed (SPEC TX-1, TX-3). */
export async function answerTo(
  parts: RepresentParts,
  outcome: OperationOutcome,
  contents: boolean,
): Promise<Reply | ParleyError> {
  if (outcome.status === 'committed') {
    const room = new AnswerRoom()
    const operations = outcome.results.map((done) =>
      showDone(done, parts.storage.epoch, done.outcome === 'merged', room),
    )
    const contents = outcome.results.flatMap(({ head }, index) =>
      'content' in (operations[index] ?? {}) ? [shownAt(head, 'operations', index, 'content')] : [],
    )
    return { status: 200, body: { operations }, contents }
  }
  return refusal(parts, await problemsOf(parts, outcome.failures, contents))
}

/**
 * The one problem that stands for those of all operations, with all of them in `operations` (SPEC TX-3); null where
 * none failed.
 */
export function refusalOrNull(
  parts: Pick<RepresentParts, 'publicUrl'>,
  problems: readonly (ParleyError | null)[],
): ParleyError | null {
  return problems.some((problem) => problem !== null) ? refusal(parts, problems) : null
}

function refusal(
  { publicUrl }: Pick<RepresentParts, 'publicUrl'>,
  problems: readonly (ParleyError | null)[],
): ParleyError {
  const first = problems[gravest(problems.map((problem) => problem && problem.code)) ?? -1] ?? null
  if (first === null) return new ParleyError('internal', 'A transaction failed for no reason.')
  const operations = problems.map((problem) => problem && problemDocument(problem, publicUrl()))
  if (!isConflict(first.code)) {
    return new ParleyError(first.code, first.detail, {
      extras: { ...first.extras, operations },
      headers: { ...first.headers },
    })
  }
  const links = problems.flatMap((problem) => problem?.headers['link'] ?? [])
  return new ParleyError('transaction-conflict', 'An operation conflicts, so nothing was written.', {
    extras: { operations },
    shownIn: (body) => problems.flatMap((problem, index) => shownInOperation(problem, body, index)),
    headers: links.length === 0 ? {} : { link: links.join(', ') },
  })
}

/** What the conflict of an operation shows that stands elsewhere too. */
function shownInOperation(problem: ParleyError | null, body: object, index: number): readonly ShownContent[] {
  const operations: unknown = Reflect.get(body, 'operations')
  const operation: unknown = Array.isArray(operations) ? operations[index] : null
  if (!problem?.shownIn || typeof operation !== 'object' || operation === null) return []
  return problem.shownIn(operation).map((shown) => ({ ...shown, path: ['operations', index, ...shown.path] }))
}

/** The problem of each operation that failed, with its conflict as far as that fits. */
async function problemsOf(
  parts: RepresentParts,
  failures: readonly (OperationFailure | null)[],
  contents: boolean,
): Promise<readonly (ParleyError | null)[]> {
  const room = new AnswerRoom()
  const problems: (ParleyError | null)[] = []
  for (const failure of failures) {
    if (failure === null) problems.push(null)
    else if (failure.status === 'failed') problems.push(failure.problem)
    else {
      const { head } = failure
      const etag = formatEtag(head, parts.storage.epoch)
      const full = await refusalOf(parts, failure, etag, contents && !room.isFull, parts.linkBase)
      problems.push(
        room.takes(toJson(full.extras)) ? full : await refusalOf(parts, failure, etag, 'outline', parts.linkBase),
      )
    }
  }
  return problems
}

/** What became, or would become, of an operation; with the content it leads to, where asked for and as far as it fits. */
export function showDone(done: Done, epoch: string, withContent: boolean, room: AnswerRoom): object {
  const { head, outcome } = done
  const shown = {
    id: head.id,
    version: head.version,
    etag: formatEtag(head, epoch),
    outcome,
    ...(done.outcome === 'overwrote' ? { conflictId: done.conflict } : {}),
  }
  if (!withContent || done.outcome === 'deleted') return shown
  return room.takes(done.content) ? { ...shown, content: done.content } : { ...shown, truncated: true }
}

/** An operation of a staged transaction, with what it would come to (SPEC TX-2). */
export function showVerdict(
  { publicUrl, storage, linkBase }: Omit<RepresentParts, 'shower'>,
  operation: { readonly action: string; readonly document: string },
  verdict: Verdict,
  room: AnswerRoom,
): object {
  const { action, document } = operation
  if (verdict.status === 'done') {
    const { id: _, ...shown } = { id: '', ...showDone(verdict, storage.epoch, true, room) }
    return { action, document, ...shown }
  }
  const problem =
    verdict.status === 'failed'
      ? verdict.problem
      : new ParleyError('version-conflict', staleDetail(verdict, linkBase), {
          extras: { current: { version: verdict.head.version } },
        })
  const shown: ProblemDocument = problemDocument(problem, publicUrl())
  return { action, document, problem: shown }
}

/** Which versions meet, and where that is resolved. Nothing was opened for it yet. */
function staleDetail(verdict: Exclude<Verdict, { status: 'done' | 'failed' }>, linkBase: string): string {
  const { id, version } = verdict.head
  const base = verdict.status === 'refused' ? verdict.refusal.record.base.version : null
  const met = `This operation is based on ${base === null ? 'another version' : `version ${base}`}, and the document is at version ${version} since.`
  const from =
    base === null ? '' : ` See what came between at ${linkBase}/documents/${id}/diff?from=${base}&to=${version}.`
  return `${met}${from} Stage it anew with baseVersion ${version}; or commit as it is, which opens a conflict to resolve by POST /resolve-conflict with baseVersion ${version}.`
}

/** Counts what an answer holds already. */
export class AnswerRoom {
  #leftBytes = ROOM_BYTES

  get isFull(): boolean {
    return this.#leftBytes <= 0
  }

  /** Whether it fits; then it is counted. */
  takes(content: Content): boolean {
    const bytes = contentBytes(content)
    if (bytes > this.#leftBytes) return false
    this.#leftBytes -= bytes
    return true
  }
}
