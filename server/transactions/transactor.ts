import type { Terms } from '../foundation/answer.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import type { Acts } from '../documents/acts/acts.ts'
import { nothing, NO_CONTENTS, type Found, type Plan, type Planned, type Step } from '../documents/acts/plan.ts'
import { LifecyclePlanner, MAX_EXPIRED_AT_ONCE } from '../documents/lifecycle.ts'
import { WritePlanner, type PlannerParts } from '../documents/planWrite.ts'
import { gravest, isConflict } from './gravest.ts'
import type { Done, OperationFailure, Operation, OperationOutcome, Verdict } from './operation.ts'

/** Performs operations on several documents as one act, or none of them (SPEC TX-1, TX-3, TX-4). */
export class Transactor {
  readonly #acts: Acts
  readonly #writes: WritePlanner
  readonly #lifecycle: LifecyclePlanner

  constructor(parts: PlannerParts, acts: Acts) {
    this.#acts = acts
    this.#writes = new WritePlanner(parts)
    this.#lifecycle = new LifecyclePlanner(parts.storage, parts.schemas)
  }

  /**
   * Plans every operation at one moment and commits all plans as one act, or, where one fails, only the conflicts of
   * those that are refused as stale. Throws what is nobody's fault (`storage-unavailable`, `document-damaged`,
   * `overloaded`); nothing was written then.
   */
  perform(
    operations: readonly Operation[],
    author: PrincipalId,
    terms: Terms<OperationOutcome> | null = null,
  ): Promise<OperationOutcome> {
    const plan = async (found: readonly Found[], at: number) =>
      concluded(await this.#plan(operations, author, found, at))
    return this.#acts.perform(documentsOf(operations), plan, terms)
  }

  /** What would become of each operation now. Writes nothing and opens no conflict. */
  preview(operations: readonly Operation[], author: PrincipalId): Promise<readonly Verdict[]> {
    return this.#acts.preview(documentsOf(operations), async (found, at) => {
      const steps = await this.#plan(operations, author, found, at)
      return { outcome: steps.map(({ outcome }) => outcome), plans: plansOf(steps) }
    })
  }

  async #plan(
    operations: readonly Operation[],
    author: PrincipalId,
    found: readonly Found[],
    at: number,
  ): Promise<readonly Planning[]> {
    // Of all deletions together, because it is one act.
    const expiring = Math.floor(MAX_EXPIRED_AT_ONCE / Math.max(1, operations.filter(isDeletion).length))
    const steps: Planning[] = []
    for (const [index, operation] of operations.entries()) {
      const one = found[index]
      invariant(one !== undefined, 'every document is shown')
      steps.push(await asVerdict(one, () => this.#planOn(operation, one, { author, at, expiring })))
    }
    return steps
  }

  async #planOn(
    operation: Operation,
    found: Found,
    { author, at, expiring }: { readonly author: PrincipalId; readonly at: number; readonly expiring: number },
  ): Promise<Step<Verdict>> {
    switch (operation.do) {
      case 'create':
        return this.#writes.creation(operation.wanted, operation.content, { author, at, origin: 'transaction' }, found)
      case 'write':
        return this.#writes.write(operation.request, found, at)
      case 'delete': {
        const { outcome, plan } = await this.#lifecycle.removal(operation.change, found, at, expiring)
        return {
          plan,
          outcome: outcome instanceof ParleyError ? outcome : { status: 'done', outcome: 'deleted', head: outcome },
        }
      }
      default:
        return assertNever(operation)
    }
  }
}

const isDeletion = (operation: Operation): boolean => operation.do === 'delete'

/** What one operation comes to; there is no plan where it fails on a document that is not there. */
interface Planning {
  readonly outcome: Verdict
  readonly plan: Plan | null
}

const documentsOf = (operations: readonly Operation[]) => operations.map(({ document }) => document)

const plansOf = (steps: readonly Planning[]): readonly Plan[] =>
  steps.flatMap(({ plan }) => (plan === null ? [] : [plan]))

/** A problem that is the client's becomes a verdict; all others are thrown. */
async function asVerdict(found: Found, plan: () => Promise<Step<Verdict>>): Promise<Planning> {
  try {
    const step = await plan()
    if (step.outcome instanceof ParleyError) throw step.outcome
    return { outcome: step.outcome, plan: step.plan }
  } catch (problem) {
    if (!(problem instanceof ParleyError) || problemKind(problem.code).status >= 500) throw problem
    return { outcome: { status: 'failed', problem }, plan: 'absent' in found ? null : nothing(found) }
  }
}

/** All of it, or only the conflicts of what is refused, and what the rest speaks of. */
function concluded(steps: readonly Planning[]): Planned<OperationOutcome> {
  const outcome = outcomeOf(steps.map((step) => step.outcome))
  if (outcome.status === 'committed') return { outcome, plans: plansOf(steps) }
  const opens = opensConflicts(outcome)
  const refused = steps.map((step) => (opens && step.outcome.status !== 'done' ? step : withoutAct(step)))
  return { outcome, plans: plansOf(refused) }
}

/** Of an operation that is not done; a document that it would create does not exist. */
function withoutAct({ outcome, plan }: Planning): Planning {
  if (plan === null || plan.entry?.type === 'create') return { outcome, plan: null }
  const { document, version } = plan
  return { outcome, plan: { document, version, entry: null, conflicts: [], contents: NO_CONTENTS, events: [] } }
}

function outcomeOf(verdicts: readonly Verdict[]): OperationOutcome {
  const results: Done[] = []
  const failures: (OperationFailure | null)[] = []
  for (const verdict of verdicts) {
    if (verdict.status === 'done') results.push(verdict)
    failures.push(verdict.status === 'done' ? null : verdict)
  }
  return results.length === verdicts.length ? { status: 'committed', results } : { status: 'refused', failures }
}

/** The code of a failure, for its place in the order of refusal. */
export const codeOf = (failure: OperationFailure): ProblemCode =>
  failure.status === 'failed' ? failure.problem.code : 'version-conflict'

/** Conflicts are opened where the transaction is answered as one (SPEC TX-3). */
function opensConflicts({ failures }: Extract<OperationOutcome, { status: 'refused' }>): boolean {
  const codes = failures.map((failure) => failure && codeOf(failure))
  const code = codes[gravest(codes) ?? -1] ?? null
  return code !== null && isConflict(code)
}
