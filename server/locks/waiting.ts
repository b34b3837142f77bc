import type { Environment, Timer } from '../foundation/environment.ts'
import type { DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { Line } from './line.ts'
import type { HeldLock } from '../model/lock.ts'
import type { DocumentLocks, LockRequest, OwnedLock } from './locks.ts'
import { lockedProblem } from '../model/lockRefusal.ts'

/**
 * Waiters for one lock, each an open request. Most locks are held for longer than 60 ms, so who came behind so many
 * would hardly be served in the 60 s that a request may wait.
 */
const MAX_WAITERS = 1_000
/** A lock that another node ended is looked at again after this. */
const POLL_MS = 1_000

export interface WaitOptions {
  /** How long to stand in line; 0: the lock is wanted now or not at all. */
  readonly waitMs: number
  /** Aborted when nobody is there any more to take the lock. */
  readonly gone: AbortSignal
  /** Why whoever waits may not have the lock any more; null where they may. */
  readonly refusal?: () => ParleyError | null
}

interface LockWaiter {
  readonly request: LockRequest
  /** On the monotonic clock. */
  readonly untilMs: number
  readonly refusal: () => ParleyError | null
  readonly grant: (lock: OwnedLock) => void
  readonly refuse: (problem: unknown) => void
}

interface Queue {
  readonly document: DocumentId
  readonly line: Line<LockWaiter>
  isServing: boolean
  /** Something happened while it was being served. */
  isDue: boolean
  timer: Timer | null
}

/** The lines of those who wait for locks in this process, first come, first served (SPEC LOCK-1). */
export class LockLines {
  readonly #locks: DocumentLocks
  readonly #environment: Environment
  readonly #queues = new Map<DocumentId, Queue>()
  #isClosed = false

  constructor(locks: DocumentLocks, environment: Environment) {
    this.#locks = locks
    this.#environment = environment
  }

  /** How many wait for the lock of this document. */
  length(document: DocumentId): number {
    return this.#queues.get(document)?.line.length ?? 0
  }

  /**
   * Takes the lock once everybody who came before has had it or gone. Rejects with `locked` when the time to wait is
   * over, and with `not-found`, `document-deleted`, `storage-unavailable` or `shutting-down`.
   */
  async acquire(request: LockRequest, { waitMs, gone, refusal = () => null }: WaitOptions): Promise<OwnedLock> {
    if (this.#isClosed) throw stopping()
    if (gone.aborted) throw left()
    const queue = this.#queueOf(request.document)
    if (queue.line.length >= MAX_WAITERS) {
      throw new ParleyError('overloaded', `Too many wait for the lock of ${request.document}.`)
    }
    const lock = await new Promise<OwnedLock>((grant, refuse) => {
      const waiter = { request, untilMs: this.#environment.monotonicMs() + waitMs, refusal, grant, refuse }
      queue.line.join(waiter)
      gone.addEventListener('abort', () => this.#leave(queue, waiter), { once: true })
      void this.#serve(queue)
    })
    // Whoever can ask again for this very answer still hears of it.
    if (gone.aborted && !request.terms?.keep) await this.giveBack(request, lock)
    return lock
  }

  /** Ends a lock that its owner never heard of. If that fails it expires. */
  async giveBack({ document, owner }: LockRequest, { token }: OwnedLock): Promise<void> {
    await this.#locks.release(document, token, owner).catch(() => undefined)
  }

  /** The lock may have ended: whoever is first tries to take it. */
  wake(document: DocumentId): void {
    const queue = this.#queues.get(document)
    if (queue) void this.#serve(queue)
  }

  /** Refuses everybody who waits, and whoever comes. */
  close(): void {
    this.#isClosed = true
    for (const queue of [...this.#queues.values()]) this.#refuseAll(queue, stopping())
  }

  #queueOf(document: DocumentId): Queue {
    const known = this.#queues.get(document)
    if (known) return known
    const queue: Queue = { document, line: new Line(), isServing: false, isDue: false, timer: null }
    this.#queues.set(document, queue)
    return queue
  }

  #leave(queue: Queue, waiter: LockWaiter): void {
    if (!queue.line.leave(waiter)) return
    waiter.refuse(left())
    if (!queue.isServing) this.#tidy(queue)
  }

  /** One at a time for each document; never rejects. */
  async #serve(queue: Queue): Promise<void> {
    queue.isDue = true
    if (queue.isServing) return
    queue.isServing = true
    try {
      while (queue.isDue) {
        queue.isDue = false
        await this.#serveLine(queue)
      }
    } catch (problem) {
      this.#refuseAll(queue, problem)
    } finally {
      queue.isServing = false
      this.#tidy(queue)
    }
  }

  /** Gives the lock to whoever is first, until it is held by someone. */
  async #serveLine(queue: Queue): Promise<void> {
    const { line } = queue
    for (let first = line.first; first; first = line.first) {
      const waiter = first
      const refusal = waiter.refusal()
      if (refusal !== null) {
        line.leave(waiter)
        waiter.refuse(refusal)
        continue
      }
      const isWanted = (): boolean => line.first === waiter && waiter.refusal() === null
      const attempt = await this.#locks.tryAcquire(waiter.request, isWanted)
      if (attempt.outcome === 'held') {
        this.#keepWaiting(queue, attempt.lock)
        return
      }
      if (attempt.outcome === 'unwanted') continue
      if (line.leave(waiter)) waiter.grant(attempt.lock)
      else if (!waiter.request.terms?.keep) await this.giveBack(waiter.request, attempt.lock)
    }
  }

  /** Refuses those whose time is over or who may not any more, and comes back when the next or the lock is due. */
  #keepWaiting(queue: Queue, lock: HeldLock): void {
    const nowMs = this.#environment.monotonicMs()
    let waitMs = Math.min(POLL_MS, lock.remainingMs + 1)
    const over = queue.line.dismiss(({ untilMs, refusal }) => {
      if (untilMs > nowMs) waitMs = Math.min(waitMs, untilMs - nowMs)
      return untilMs <= nowMs || refusal() !== null
    })
    for (const { waiter, place } of over) waiter.refuse(waiter.refusal() ?? lockedProblem(queue.document, lock, place))
    queue.timer?.cancel()
    queue.timer = this.#environment.after(waitMs, () => void this.#serve(queue))
  }

  #refuseAll(queue: Queue, problem: unknown): void {
    for (const { waiter } of queue.line.dismiss(() => true)) waiter.refuse(problem)
    if (!queue.isServing) this.#tidy(queue)
  }

  #tidy(queue: Queue): void {
    if (queue.line.length > 0) return
    queue.timer?.cancel()
    if (this.#queues.get(queue.document) === queue) this.#queues.delete(queue.document)
  }
}

const left = (): ParleyError => new ParleyError('request-timeout', 'The connection ended while the request waited.')
const stopping = (): ParleyError => new ParleyError('shutting-down', 'The server is stopping.')
