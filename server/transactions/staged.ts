import type { JsonObject } from '../content/content.ts'
import { measureJson } from '../content/limits.ts'
import { invariant } from '../foundation/assert.ts'
import { newUlid, type Environment, type Timer } from '../foundation/environment.ts'
import type { PrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { decide, type TransactionEvent, type TransactionState } from './transaction.ts'

/** SPEC TX-3. */
export const MAX_OPERATIONS = 100
/** A program has one at a time, or one for each of its workers. */
const MAX_A_PRINCIPAL = 20
/** Open ones, of all principals: each costs a timer and some KB besides its operations. */
const MAX_TRANSACTIONS = 1_000
/** Closed ones that are remembered, some 500 bytes each; whoever asks for one before them is told that there is none. */
const MAX_CLOSED = 1_000
/** What one request may hold at once, as bytes of JSON: the largest content, however it is escaped. */
const MAX_BYTES_A_PRINCIPAL = 64 * 1024 * 1024
/** They wait in memory. */
const MAX_BYTES = 256 * 1024 * 1024

export const TRANSACTION_ID_PATTERN = '^txn_[0-9A-HJKMNP-TV-Z]{26}$'

/** A transaction as its owner sees it. */
export interface StagedTransaction<Operation> {
  readonly id: string
  readonly state: TransactionState
  /** None when it is over. */
  readonly operations: readonly Operation[]
  /** When it is forgotten if nobody asks for it until then, milliseconds since the epoch. */
  readonly expiresAt: number
}

interface StagedEntry<Operation> {
  readonly id: string
  readonly owner: PrincipalId
  operations: readonly Operation[]
  bytes: number
  state: TransactionState
  expiresAt: number
  timer: Timer
  /** Of the tokens that brought operations: one at most for each operation, and that of the beginning. */
  broughtBy: (() => boolean)[]
}

/**
 * Transactions that are put together by several requests (SPEC TX-2). They wait in the memory of this process, hold no
 * lock and bar nobody: whether they can be committed shows when they are. A restart forgets them.
 */
export class StagedTransactions<Operation extends JsonObject & { readonly document: string }> {
  readonly #environment: Environment
  readonly #idleMs: number
  readonly #entries = new Map<string, StagedEntry<Operation>>()

  constructor(options: { readonly environment: Environment; readonly idleMs: number }) {
    this.#environment = options.environment
    this.#idleMs = options.idleMs
  }

  /**
   * `isRevoked` tells of the token that brings this. Throws `too-many-transactions`, `overloaded`, `content-too-large` or
   * `invalid-request`.
   */
  begin(owner: PrincipalId, operations: readonly Operation[], isRevoked = NEVER): StagedTransaction<Operation> {
    const alive = [...this.#entries.values()].filter(isAlive)
    if (alive.filter((entry) => entry.owner === owner).length >= MAX_A_PRINCIPAL) {
      throw new ParleyError('too-many-transactions', `One principal may have ${MAX_A_PRINCIPAL} open transactions.`)
    }
    if (alive.length >= MAX_TRANSACTIONS) throw new ParleyError('overloaded', 'Too many transactions are open.')
    const id = `txn_${newUlid(this.#environment)}`
    const timer = { cancel: () => undefined }
    const broughtBy = [isRevoked]
    const entry: StagedEntry<Operation> = {
      id,
      owner,
      operations: [],
      bytes: 0,
      state: 'open',
      expiresAt: 0,
      timer,
      broughtBy,
    }
    this.#extend(entry, operations)
    this.#entries.set(id, entry)
    this.#touch(entry)
    return show(entry)
  }

  /** Throws `not-found`, `transaction-closed`, and as `begin`. */
  add(
    id: string,
    owner: PrincipalId,
    operations: readonly Operation[],
    isRevoked = NEVER,
  ): StagedTransaction<Operation> {
    const entry = this.#find(id, owner)
    assertAllowed(entry, 'adds')
    this.#extend(entry, operations)
    if (operations.length > 0) entry.broughtBy.push(isRevoked)
    return this.#go(entry, 'adds')
  }

  /** Throws `not-found`. */
  look(id: string, owner: PrincipalId): StagedTransaction<Operation> {
    return this.#go(this.#find(id, owner), 'shows')
  }

  /** The operations, for a look that keeps nothing alive; none where there is no such transaction. */
  peek(id: string, owner: PrincipalId): readonly Operation[] {
    const entry = this.#entries.get(id)
    return entry?.owner === owner ? entry.operations : []
  }

  /**
   * Performs the operations; `perform` says whether that was the end of it. Throws `not-found`, `transaction-closed`,
   * and what `perform` throws; the transaction is open again then.
   */
  async commit<T extends { readonly ends: 'succeeds' | 'is-refused' | 'fails' }>(
    id: string,
    owner: PrincipalId,
    perform: (operations: readonly Operation[]) => Promise<T>,
  ): Promise<T> {
    const entry = this.#find(id, owner)
    const { operations } = this.#go(entry, 'commits')
    let ends: TransactionEvent = 'fails'
    try {
      const result = await perform(operations)
      ends = result.ends
      return result
    } finally {
      this.#go(entry, ends)
    }
  }

  /** Throws `not-found`, or `transaction-closed` where it is too late. */
  rollBack(id: string, owner: PrincipalId): void {
    this.#go(this.#find(id, owner), 'rolls-back')
  }

  /** Rolls back those of which something was brought by a token that was revoked. */
  revalidate(): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.state === 'open' && entry.broughtBy.some((isRevoked) => isRevoked())) this.#go(entry, 'rolls-back')
    }
  }

  /** Forgets all of them. */
  close(): void {
    for (const entry of this.#entries.values()) entry.timer.cancel()
    this.#entries.clear()
  }

  /** Someone else's is as one that is not there. */
  #find(id: string, owner: PrincipalId): StagedEntry<Operation> {
    const entry = this.#entries.get(id)
    if (entry?.owner === owner) return entry
    throw new ParleyError('not-found', 'There is no such transaction of yours; idle ones expire.')
  }

  #extend(entry: StagedEntry<Operation>, added: readonly Operation[]): void {
    const operations = [...entry.operations, ...added]
    if (operations.length > MAX_OPERATIONS) {
      throw new ParleyError('invalid-request', `A transaction has at most ${MAX_OPERATIONS} operations.`)
    }
    assertDistinct(operations)
    const bytes = added.reduce((sum, operation) => sum + measureJson(operation).bytes, 0)
    let [all, own] = [bytes, bytes]
    for (const other of this.#entries.values()) {
      all += other.bytes
      if (other.owner === entry.owner) own += other.bytes
    }
    if (own > MAX_BYTES_A_PRINCIPAL) {
      throw new ParleyError('content-too-large', `Open transactions may hold ${MAX_BYTES_A_PRINCIPAL} bytes together.`)
    }
    if (all > MAX_BYTES) throw new ParleyError('overloaded', 'The open transactions hold too much.')
    Object.assign(entry, { operations, bytes: entry.bytes + bytes })
  }

  #go(entry: StagedEntry<Operation>, event: TransactionEvent): StagedTransaction<Operation> {
    const wasAlive = isAlive(entry)
    entry.state = assertAllowed(entry, event)
    this.#touch(entry)
    if (wasAlive && !isAlive(entry)) this.#rememberClosed(entry)
    return show(entry)
  }

  #rememberClosed(entry: StagedEntry<Operation>): void {
    Object.assign(entry, { operations: [], bytes: 0, broughtBy: [] })
    // The map holds closed ones in the order in which they closed.
    this.#entries.delete(entry.id)
    this.#entries.set(entry.id, entry)
    const closed = [...this.#entries.values()].filter((one) => !isAlive(one))
    const [oldest] = closed
    if (oldest !== undefined && closed.length > MAX_CLOSED) this.#forget(oldest)
  }

  #forget(entry: StagedEntry<Operation>): void {
    entry.timer.cancel()
    this.#entries.delete(entry.id)
  }

  #touch(entry: StagedEntry<Operation>): void {
    entry.timer.cancel()
    entry.expiresAt = this.#environment.now() + this.#idleMs
    entry.timer = this.#environment.after(this.#idleMs, () => this.#idle(entry))
  }

  #idle(entry: StagedEntry<Operation>): void {
    const action = decide(entry.state, 'idles')
    if (action.do === 'forget') this.#forget(entry)
    else this.#touch(entry)
  }
}

const NEVER = (): boolean => false

const isAlive = ({ state }: { readonly state: TransactionState }): boolean => state === 'open' || state === 'committing'

const show = <Operation>({
  id,
  state,
  operations,
  expiresAt,
}: StagedEntry<Operation>): StagedTransaction<Operation> => ({
  id,
  state,
  operations,
  expiresAt,
})

/** The state after the event. Throws `transaction-closed`. */
function assertAllowed(entry: { readonly id: string; readonly state: TransactionState }, event: TransactionEvent) {
  const action = decide(entry.state, event)
  if (action.do === 'go') return action.to
  invariant(action.do === 'refuse', `a transaction that is ${entry.state} never ${event}`)
  const how = entry.state === 'committing' ? 'being committed' : entry.state
  throw new ParleyError('transaction-closed', `${entry.id} is ${how}.`, { extras: { transactionStatus: entry.state } })
}

/** SPEC TX-1: throws `invalid-request` where a document appears twice. */
export function assertDistinct(operations: readonly { readonly document: string }[]): void {
  const seen = new Set<string>()
  for (const { document } of operations) {
    if (seen.has(document)) {
      throw new ParleyError('invalid-request', `A transaction has one operation on ${document}, not two.`)
    }
    seen.add(document)
  }
}
