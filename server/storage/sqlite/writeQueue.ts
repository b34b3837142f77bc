import { ParleyError } from '../../foundation/problems.ts'
import type { WrittenBatch } from '../batches.ts'
import { unavailable } from './errors.ts'
import { operationBytes, type SqliteOperation, type SqliteResult, toError } from './operation.ts'

export interface ExecutedBatch {
  /** One for each operation, in their order. */
  readonly results: readonly SqliteResult[]
  /** How long the commit at its end took, which is how long the disk took. */
  readonly commitMs: number
  /** Whether there is something to `tidy`; null where nobody knows. */
  readonly isUntidy: boolean | null
}

/** Executes batches one after the other; the next is only handed over when the one before is answered. */
export interface BatchExecutor {
  /**
   * `bytes` is about what the operations hold. Answers at once where they are written in this thread. Throws or rejects only
   * when no further batch can ever succeed.
   */
  execute(operations: readonly SqliteOperation[], bytes: number): ExecutedBatch | Promise<ExecutedBatch>
  close(): Promise<void>
}

export interface WriteQueueLimits {
  /** What waits longer than a client does before it asks again is better refused at once: some 0.5 s of work. */
  readonly waitingOperations: number
  /** The memory that a stuck disk may cost; a dozen of the largest contents. */
  readonly waitingBytes: number
  /** An operation that came just after a batch began waits for all of it: some 20 ms of work. */
  readonly batchOperations: number
  /** Likewise for large operations; one that is larger goes alone. */
  readonly batchBytes: number
}

const MEBIBYTE = 1024 * 1024
const WRITE_QUEUE_LIMITS: WriteQueueLimits = {
  waitingOperations: 10_000,
  waitingBytes: 128 * MEBIBYTE,
  batchOperations: 512,
  batchBytes: 8 * MEBIBYTE,
}

/** So many turns of the event loop in a row that brought one operation each, and the next is expected to bring no more. */
const LONE_TURNS = 16

interface WaitingDeed {
  readonly operation: SqliteOperation
  readonly bytes: number
  settle(result: SqliteResult): void
  fail(error: Error): void
}

type QueueState =
  | { readonly kind: 'open' }
  /** `closed` is called when the last operation is answered. */
  | { readonly kind: 'closing'; readonly closed: () => void }
  | { readonly kind: 'dead'; readonly problem: ParleyError }

/**
 * Group commit: what is asked for while a batch is on its way to the disk, or within one turn of the event loop, forms the
 * next batch and shares its fsync. Where nothing has been sharing it for a while, the first operation of a turn does not
 * wait for the turn's end. Keeps the order of the calls.
 */
export class WriteQueue {
  readonly #executor: BatchExecutor
  readonly #crash: (error: Error) => void
  readonly #limits: WriteQueueLimits
  #waiting: WaitingDeed[] = []
  #waitingBytes = 0
  #inFlight: readonly WaitingDeed[] = []
  #scheduled = false
  /** Operations of this turn of the event loop, and how many turns in a row brought one. */
  #turn: { operations: number } | null = null
  #loneTurns = 0
  #isUntidy = false
  readonly #untidyListeners = new Set<() => void>()
  #state: QueueState = { kind: 'open' }
  readonly #listeners = new Set<(batch: WrittenBatch) => void>()

  /** `crash` is called when the writer is lost, unless this was being closed: a server cannot go on without one. */
  constructor(executor: BatchExecutor, crash: (error: Error) => void, limits: WriteQueueLimits = WRITE_QUEUE_LIMITS) {
    this.#executor = executor
    this.#crash = crash
    this.#limits = limits
  }

  /** See `Storage.onBatch`. */
  onBatch(listener: (batch: WrittenBatch) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** See `Storage.onUntidy`. */
  onUntidy(listener: () => void): () => void {
    this.#untidyListeners.add(listener)
    return () => void this.#untidyListeners.delete(listener)
  }

  get waitingOperations(): number {
    return this.#waiting.length
  }

  /**
   * What refuses an operation that is submitted in this very tick, of whatever size: `overloaded`, `shutting-down`, or as
   * the writer failed. Null where there is room; one operation more than the bytes that may wait does not matter.
   */
  refusal(): ParleyError | null {
    return this.#refusal(0)
  }

  /**
   * Queues an operation. `read` turns its result into the answer; it runs in the order of the calls, before any of
   * the promises of its batch resolves. Rejects with `overloaded`, `shutting-down`, or as the writer failed; where
   * `isAdmitted`, only as `refusal` does, which was asked before the operation was made.
   */
  submit<T>(operation: SqliteOperation, read: (result: SqliteResult) => T, isAdmitted = false): Promise<T> {
    const bytes = operationBytes(operation)
    const refusal = this.#refusal(isAdmitted ? 0 : bytes)
    if (refusal !== null) return Promise.reject(refusal)
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ operation, bytes, fail: reject, settle: (result) => settle(result, read, resolve, reject) })
      this.#waitingBytes += bytes
      this.#countTurn()
      this.#schedule()
    })
  }

  /** Refuses what comes from now on and resolves when everything queued is answered. */
  async drain(): Promise<void> {
    if (this.#state.kind !== 'open') return
    await new Promise<void>((closed) => {
      this.#state = { kind: 'closing', closed }
      this.#closeIfIdle()
    })
  }

  /** The writer is gone: everything queued and everything to come is refused. */
  die(cause: unknown): void {
    const before = this.#state
    if (before.kind === 'dead') return
    const problem = unavailable('its writer has failed', cause)
    this.#state = { kind: 'dead', problem }
    const lost = [...this.#inFlight, ...this.#waiting]
    this.#inFlight = []
    this.#waiting = []
    for (const one of lost) one.fail(problem)
    if (before.kind === 'closing') before.closed()
    else this.#crash(new Error('The writer of the storage has failed', { cause }))
  }

  #refusal(bytes: number): ParleyError | null {
    if (this.#state.kind === 'dead') return this.#state.problem
    if (this.#state.kind === 'closing') return new ParleyError('shutting-down', 'The storage is closing.')
    const tooMany = this.#waiting.length >= this.#limits.waitingOperations
    const tooLarge = this.#waiting.length > 0 && this.#waitingBytes + bytes > this.#limits.waitingBytes
    if (!tooMany && !tooLarge) return null
    return new ParleyError('overloaded', 'Too many writes are waiting for the disk.', {
      headers: { 'Retry-After': '1' },
    })
  }

  #countTurn(): void {
    if (this.#turn !== null) {
      this.#turn.operations += 1
      return
    }
    const turn = { operations: 1 }
    this.#turn = turn
    setImmediate(() => {
      this.#turn = null
      this.#loneTurns = turn.operations === 1 ? this.#loneTurns + 1 : 0
    })
  }

  /** Not at once: everything that this turn of the event loop still brings shall share the batch. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0 || this.#waiting.length === 0) return
    this.#scheduled = true
    const run = (): void => {
      this.#scheduled = false
      if (this.#waiting.length > 0) this.#executeBatch()
    }
    if (this.#loneTurns >= LONE_TURNS && this.#turn?.operations === 1) queueMicrotask(run)
    else setImmediate(run)
  }

  #executeBatch(): void {
    const batch = this.#takeBatch()
    this.#inFlight = batch
    try {
      const bytes = batch.reduce((sum, one) => sum + one.bytes, 0)
      const operations = batch.map((one) => one.operation)
      const executed = this.#executor.execute(operations, bytes)
      if (!(executed instanceof Promise)) this.#executed(batch, executed)
      else executed.then((later) => this.#executed(batch, later)).catch((error: unknown) => this.die(error))
    } catch (error) {
      this.die(error)
    }
  }

  #executed(batch: readonly WaitingDeed[], { results, commitMs, isUntidy }: ExecutedBatch): void {
    if (this.#inFlight !== batch) return
    this.#inFlight = []
    for (const listener of this.#listeners) listener({ operations: batch.length, commitMs })
    batch.forEach((one, index) => one.settle(results[index] ?? NO_RESULT))
    this.#note(isUntidy)
    this.#schedule()
    this.#closeIfIdle()
  }

  /** Told once, for whoever fails to tidy repeats it by itself. */
  #note(isUntidy: boolean | null): void {
    if (isUntidy === null || isUntidy === this.#isUntidy) return
    this.#isUntidy = isUntidy
    if (isUntidy) for (const listener of this.#untidyListeners) listener()
  }

  #takeBatch(): WaitingDeed[] {
    let bytes = 0
    let count = 0
    for (const one of this.#waiting) {
      bytes += one.bytes
      if (count > 0 && (count >= this.#limits.batchOperations || bytes > this.#limits.batchBytes)) break
      count += 1
    }
    const batch = this.#waiting.splice(0, count)
    for (const one of batch) this.#waitingBytes -= one.bytes
    return batch
  }

  #closeIfIdle(): void {
    if (this.#state.kind !== 'closing' || this.#waiting.length > 0 || this.#inFlight.length > 0) return
    this.#state.closed()
  }
}

const NO_RESULT: SqliteResult = {
  status: 'failed',
  failure: { code: null, message: 'The writer left an operation unanswered', stack: '' },
}

function settle<T>(
  result: SqliteResult,
  read: (result: SqliteResult) => T,
  resolve: (answer: T) => void,
  reject: (error: unknown) => void,
): void {
  if (result.status === 'failed') {
    reject(toError(result.failure))
    return
  }
  try {
    resolve(read(result))
  } catch (error) {
    reject(error)
  }
}
