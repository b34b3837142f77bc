import { Worker } from 'node:worker_threads'
import { assertNever, invariant } from '../../foundation/assert.ts'
import type { SqliteOperation } from './operation.ts'
import type { BatchExecutor, ExecutedBatch } from './writeQueue.ts'
import type { FreshLimits } from './writer.ts'

export type ToWorker =
  | { readonly kind: 'execute'; readonly operations: readonly SqliteOperation[] }
  | { readonly kind: 'close' }
export type FromWorker = { readonly kind: 'ready' } | { readonly kind: 'executed'; readonly batch: ExecutedBatch }

/** Lies beside this file in the built output only: the source is TypeScript, which a plain worker cannot load. */
const WORKER = new URL('./worker.js', import.meta.url)

/** What the writer's thread works on. */
interface ThreadWork {
  readonly file: string
  /** `processOffsetMs` of the storage's clock. */
  readonly clockOffsetMs: number
  /** As of `SqliteWriter`. */
  readonly fresh: FreshLimits
}

/**
 * Starts a thread with the one writer of a database file. If it ends without having been closed, `onDeath` is called
 * and the batch it had is never answered. Rejects when it cannot start.
 */
export async function startThreadExecutor(
  { file, clockOffsetMs, fresh }: ThreadWork,
  onDeath: (cause: Error) => void,
  url: URL = WORKER,
): Promise<BatchExecutor> {
  const argv = [file, String(clockOffsetMs), String(fresh.batch), String(fresh.rows)]
  const executor = new ThreadExecutor(new Worker(url, { name: 'parley-storage', argv }), onDeath)
  await executor.ready
  return executor
}

class ThreadExecutor implements BatchExecutor {
  readonly ready: Promise<void>
  readonly #worker: Worker
  readonly #exited: Promise<void>
  #starting: { resolve(): void; reject(cause: Error): void } | null = null
  #answer: ((batch: ExecutedBatch) => void) | null = null
  #closing = false

  constructor(worker: Worker, onDeath: (cause: Error) => void) {
    this.#worker = worker
    this.ready = new Promise((resolve, reject) => {
      this.#starting = { resolve, reject }
    })
    let cause: Error | null = null
    worker.on('message', (message: FromWorker) => this.#receive(message))
    worker.on('error', (error) => {
      cause = error instanceof Error ? error : new Error(messageOf(error))
    })
    this.#exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        resolve()
        this.#ended(cause ?? new Error(`The thread ended with code ${code}`), onDeath)
      })
    })
  }

  execute(operations: readonly SqliteOperation[]): Promise<ExecutedBatch> {
    invariant(this.#answer === null, 'one batch at a time')
    return new Promise((resolve) => {
      this.#answer = resolve
      this.#send({ kind: 'execute', operations })
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#send({ kind: 'close' })
    await this.#exited
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#starting?.resolve()
        this.#starting = null
        return
      case 'executed':
        this.#answered(message.batch)
        return
      default:
        assertNever(message)
    }
  }

  #answered(batch: ExecutedBatch): void {
    const answer = this.#answer
    invariant(answer !== null, 'the thread answers a batch')
    this.#answer = null
    answer(batch)
  }

  #ended(cause: Error, onDeath: (cause: Error) => void): void {
    if (this.#starting !== null) this.#starting.reject(cause)
    else if (!this.#closing) onDeath(cause)
  }
}

/** Errors of native code lose their class on the way between threads, but not their message. */
function messageOf(error: unknown): string {
  const message: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'message') : error
  return String(message)
}
