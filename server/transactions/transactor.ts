import type { Keep } from '../foundation/answer.ts'
import { assertNever } from '../foundation/assert.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { ParleyError, problemKind, type ProblemCode } from '../foundation/problems.ts'
import type { Turns } from '../foundation/turns.ts'
import { LifecyclePlanner } from '../documents/lifecycle.ts'
import { assertPassesLock, passOf } from '../documents/lockGuard.ts'
import { commitPlans, storesSomething, type Plan } from '../documents/plan.ts'
import { WritePlanner, type WriterParts } from '../documents/planWrite.ts'
import type { Replica } from '../documents/replica.ts'
import type { Absent, Lease } from '../documents/replicas.ts'
import { createsAbsent, isFinal, MAX_ROUNDS, missing } from '../documents/write.ts'
import { lockLostProblem } from '../model/lockRefusal.ts'
import { gravest, isConflict } from './gravest.ts'
import type { Done, Failure, Operation, Outcome, Verdict } from './operation.ts'

/** What one operation came to in one round. */
type Planned = { readonly plan: Plan<Verdict> } | { readonly problem: ParleyError }

/** Performs operations on several documents as one act, or none of them (SPEC TX-1, TX-3, TX-4). */
export class Transactor {
  readonly #parts: WriterParts
  readonly #writes: WritePlanner
  readonly #lifecycle: LifecyclePlanner
  readonly #turns: Turns<DocumentId>

  constructor(parts: WriterParts, turns: Turns<DocumentId>) {
    this.#parts = parts
    this.#writes = new WritePlanner(parts)
    this.#lifecycle = new LifecyclePlanner(parts.storage)
    this.#turns = turns
  }

  /**
   * Plans every operation at one moment and commits all plans as one act, or, where one fails, only the conflicts of
   * those that are refused as stale. Throws what is nobody's fault (`storage-unavailable`, `document-damaged`,
   * `overloaded`); nothing was written then.
   */
  perform(operations: readonly Operation[], author: PrincipalId, keep: Keep<Outcome> | null = null): Promise<Outcome> {
    // In one order for all, so that no two transactions wait for each other.
    const documents = operations.map(({ document }) => document).toSorted()
    return this.#rounds(operations, author, (round) => this.#inTurns(documents, () => this.#conclude(round, keep)))
  }

  /** What would become of each operation now. Writes nothing and opens no conflict. */
  preview(operations: readonly Operation[], author: PrincipalId): Promise<readonly Verdict[]> {
    const documents = operations.map(({ document }) => document).toSorted()
    return this.#rounds(operations, author, (round) =>
      this.#inTurns(documents, async () => {
        const planned = await this.#plan(round)
        if (planned === 'again') return 'again'
        await settled(plansOf(planned))
        return planned.map(verdictOf)
      }),
    )
  }

  /** Ends one round of a transaction in the turns of all its documents. */
  async #conclude(round: TransactionRound, keep: Keep<Outcome> | null): Promise<Outcome | 'again'> {
    const planned = await this.#plan(round)
    if (planned === 'again') return 'again'
    const outcome = outcomeOf(planned.map(verdictOf))
    const plans = plansOf(planned)
    const toCommit = outcome.status === 'committed' ? plans : opensConflicts(outcome) ? plans.filter(isRefused) : []
    // What is told, and what a conflict calls current, is on disk first.
    await settled(toCommit.filter(({ stage }) => stage === null))
    if (!toCommit.some(storesSomething)) return outcome
    const answer = keep === null ? null : await keep(outcome)
    // What is answered as unchanged has to be so at the moment at which all the rest is written.
    if (outcome.status === 'committed' && plans.some(hasMoved)) return 'again'
    const ended = await commitPlans(this.#parts.committer, toCommit, round.at, answer)
    if (ended === 'again') return 'again'
    for (const { outcome: done, replica } of toCommit) {
      if (done.status === 'done' && done.outcome === 'created') this.#parts.replicas.adopt(replica).release()
    }
    return outcome
  }

  async #rounds<T>(
    operations: readonly Operation[],
    author: PrincipalId,
    perform: (round: TransactionRound) => Promise<T | 'again'>,
  ): Promise<T> {
    const { replicas, environment } = this.#parts
    for (let count = 0; count < MAX_ROUNDS; count++) {
      const leases: (Lease | Absent)[] = []
      try {
        for (const { document } of operations) {
          leases.push(replicas.leaseLoaded(document) ?? (await replicas.lease(document)))
        }
        const steps = operations.map((operation, index) => ({ operation, lease: leases[index] ?? NEVER }))
        const result = await perform({ steps, author, at: environment.now() })
        if (result !== 'again') return result
      } finally {
        for (const lease of leases) if ('replica' in lease) lease.release()
      }
    }
    throw new ParleyError('overloaded', 'The documents of the transaction change too fast just now.')
  }

  #inTurns<T>([first, ...rest]: readonly DocumentId[], task: () => Promise<T>): Promise<T> {
    return first === undefined ? task() : this.#turns.take(first, () => this.#inTurns(rest, task))
  }

  async #plan({ steps, author, at }: TransactionRound): Promise<readonly Planned[] | 'again'> {
    const planned: Planned[] = []
    for (const { operation, lease } of steps) {
      const one =
        'absent' in lease
          ? await this.#planAbsent(operation, lease, author, at)
          : await this.#planHeld(operation, lease.replica, author, at)
      if (one === 'again') return 'again'
      planned.push(one)
    }
    return planned
  }

  #planAbsent(operation: Operation, absent: Absent, author: PrincipalId, at: number): Promise<Planned> {
    return asPlanned(async () => {
      switch (operation.do) {
        case 'create':
          return this.#writes.creation(operation.wanted, operation.content, { author, at, origin: 'transaction' })
        case 'write':
          if (!createsAbsent(operation.request)) throw missing(operation.document, absent)
          if (operation.request.lockToken) throw lockLostProblem(operation.document, { name: 'free', fence: 0 })
          return this.#writes.creationBy(operation.request, at)
        case 'delete':
          throw missing(operation.document, absent)
        default:
          return assertNever(operation)
      }
    })
  }

  async #planHeld(operation: Operation, replica: Replica, author: PrincipalId, at: number): Promise<Planned | 'again'> {
    if (replica.ended || replica.appliedHead.deletedAt !== null) {
      await replica.isOnDisk()
      return 'again'
    }
    const planned = await asPlanned(() => this.#planOn(operation, replica, author, at))
    if (replica.ended) return 'again'
    return 'plan' in planned || (await isFinal(planned.problem, replica)) ? planned : 'again'
  }

  async #planOn(operation: Operation, replica: Replica, author: PrincipalId, at: number): Promise<Plan<Verdict>> {
    switch (operation.do) {
      case 'create':
        return this.#writes.creation(operation.wanted, operation.content, { author, at, origin: 'transaction' })
      case 'write':
        await assertPassesLock(this.#parts, replica, passOf(operation.request.lockToken))
        return this.#writes.write(operation.request, replica, at)
      case 'delete': {
        await assertPassesLock(this.#parts, replica, passOf(operation.change.lockToken))
        const plan = await this.#lifecycle.removal(operation.change, replica, at)
        return { ...plan, outcome: { status: 'done', outcome: 'deleted', head: plan.outcome } }
      }
      default:
        return assertNever(operation)
    }
  }
}

/** What one round works on: each operation with the document that it found. */
interface TransactionRound {
  readonly steps: readonly { readonly operation: Operation; readonly lease: Lease | Absent }[]
  readonly author: PrincipalId
  readonly at: number
}

const NEVER: Absent = { absent: 'never' }

/** A problem that is the client's becomes a value; all others are thrown. */
async function asPlanned(plan: () => Promise<Plan<Verdict>>): Promise<Planned> {
  try {
    return { plan: await plan() }
  } catch (problem) {
    if (problem instanceof ParleyError && problemKind(problem.code).status < 500) return { problem }
    throw problem
  }
}

const plansOf = (planned: readonly Planned[]): readonly Plan<Verdict>[] =>
  planned.flatMap((one) => ('plan' in one ? [one.plan] : []))

const verdictOf = (one: Planned): Verdict =>
  'plan' in one ? one.plan.outcome : { status: 'failed', problem: one.problem }

const isRefused = ({ outcome }: Plan<Verdict>): boolean => outcome.status !== 'done'

const hasMoved = ({ replica, version }: Plan<Verdict>): boolean =>
  replica.ended !== null || replica.appliedVersion !== version

function outcomeOf(verdicts: readonly Verdict[]): Outcome {
  const results: Done[] = []
  const failures: (Failure | null)[] = []
  for (const verdict of verdicts) {
    if (verdict.status === 'done') results.push(verdict)
    failures.push(verdict.status === 'done' ? null : verdict)
  }
  return results.length === verdicts.length ? { status: 'committed', results } : { status: 'refused', failures }
}

/** The code of a failure, for its place in the order of refusal. */
export const codeOf = (failure: Failure): ProblemCode =>
  failure.status === 'failed' ? failure.problem.code : 'version-conflict'

/** Conflicts are opened where the transaction is answered as one (SPEC TX-3). */
function opensConflicts({ failures }: Extract<Outcome, { status: 'refused' }>): boolean {
  const codes = failures.map((failure) => failure && codeOf(failure))
  const code = codes[gravest(codes) ?? -1] ?? null
  return code !== null && isConflict(code)
}

/** Resolves once all that the plans were made on is on disk. */
const settled = async (plans: readonly Plan<Verdict>[]): Promise<void> => {
  await Promise.all(plans.map(({ replica, version }) => replica.whenCommitted(version)))
}
