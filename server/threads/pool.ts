import { ParleyError } from '../foundation/problems.ts'
import { nobodyWaits } from '../foundation/sharedWork.ts'
import type { Asking, Desk } from './desk.ts'
import { Askers, type Waiting } from './askers.ts'
import { PoolThread } from './poolThread.ts'

/** A start that fails takes a millisecond, a line of the log and memory that Node does not give back: so long none is tried. */
const RETRY_MS = 1_000

/** No thread can be started, because of what else the machine does: its files, its memory. */
interface NotStarted {
  readonly cause: unknown
  /** By the monotonic clock. */
  readonly atMs: number
}

const problemOf = ({ cause }: NotStarted): ParleyError =>
  new ParleyError('overloaded', 'No thread can be started just now that answers this.', { cause })

export interface PoolOptions {
  /** For whoever looks at the process. */
  readonly name: string
  /** Of the built file that a thread runs. */
  readonly url: URL
  readonly argv?: readonly string[]
  readonly threads: number
  /** Questions that one thread works on at a time, between whose steps the others have their turn. */
  readonly atOnce: number
  /** Told of questions that failed, and of threads that ended. */
  readonly onUnexpected: (error: unknown) => void
}

/**
 * Threads that answer questions. Whoever asks has one question answered at a time and waits in a line of their own, the
 * lines having turns, so a flood makes nobody wait but its sender. What was answered by a thread that ended is asked once
 * more, with no other question beside it, so that the one which ends threads fails and all others are answered. Where no
 * further thread can be started, those that are there answer everybody.
 */
export class ThreadPool<Question, Answer> implements Desk<Question, Answer> {
  readonly #options: PoolOptions
  readonly #askers = new Askers<Question, Answer>()
  readonly #threads: PoolThread<Question, Answer>[] = []
  #pauses = 0
  #isClosed = false
  /** The last start that failed. */
  #notStarted: NotStarted | null = null

  constructor(options: PoolOptions) {
    this.#options = options
  }

  ask(question: Question, { by, gone = null }: Asking): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new ParleyError('shutting-down', 'The server is stopping.'))
      if (gone?.aborted) return reject(nobodyWaits())
      const waiting: Waiting<Question, Answer> = {
        question,
        by,
        resolve,
        reject,
        isRepeat: false,
        isStale: false,
        isGone: false,
      }
      if (!this.#askers.add(waiting)) return reject(new ParleyError('overloaded', 'Too many questions are waiting.'))
      gone?.addEventListener('abort', () => this.#drop(waiting), { once: true })
      this.#work()
    })
  }

  /** What is being answered now is answered anew, because it may hold what nobody may be shown any more. */
  endAll(): void {
    for (const thread of this.#threads) for (const waiting of thread.running.values()) waiting.isStale = true
  }

  /** Resolves when no thread holds anything; none does until what it answers is called. */
  async pause(): Promise<() => void> {
    this.endAll()
    this.#pauses += 1
    await Promise.all(this.#threads.map((thread) => thread.pause()))
    return () => {
      this.#pauses -= 1
      if (this.#pauses > 0) return
      for (const thread of this.#threads) thread.resume()
      this.#work()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const closing = new ParleyError('shutting-down', 'The server is stopping.')
    for (const waiting of this.#askers.takeAll()) waiting.reject(closing)
    for (const thread of this.#threads) for (const waiting of thread.running.values()) waiting.reject(closing)
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()))
  }

  #work(): void {
    if (this.#pauses > 0 || this.#isClosed) return
    for (let next = this.#askers.peek(); next !== null; next = this.#askers.peek()) {
      const thread = this.#freeThread(next)
      if (thread === null) return
      this.#askers.take(next)
      if (thread instanceof PoolThread) thread.ask(next)
      else {
        this.#askers.done(next)
        next.reject(problemOf(thread))
      }
    }
  }

  /** The one with the least to do; a further one is started while all have something. */
  #freeThread({ isRepeat }: Waiting<Question, Answer>): PoolThread<Question, Answer> | NotStarted | null {
    const room = isRepeat ? 1 : this.#options.atOnce
    const [least] = this.#threads.toSorted((a, b) => a.running.size - b.running.size)
    if ((least === undefined || least.running.size > 0) && this.#threads.length < this.#options.threads) {
      const started = this.#recentFailure() ?? this.#start()
      if (started instanceof PoolThread || least === undefined) return started
    }
    const isFree = least !== undefined && least.running.size < room && !least.isAlone
    return isFree ? least : null
  }

  #start(): PoolThread<Question, Answer> | NotStarted {
    const { name, url, argv = [] } = this.#options
    try {
      const thread: PoolThread<Question, Answer> = new PoolThread<Question, Answer>(
        { name, url, argv },
        {
          onAnswer: (waiting, answer) => this.#answered(waiting, () => waiting.resolve(answer)),
          onProblem: (waiting, problem) => this.#answered(waiting, () => waiting.reject(problem)),
          onEnd: (cause) => this.#ended(thread, cause),
        },
      )
      this.#threads.push(thread)
      return thread
    } catch (cause) {
      this.#options.onUnexpected(cause)
      return this.#failed(cause)
    }
  }

  #failed(cause: unknown): NotStarted {
    this.#notStarted = { cause, atMs: performance.now() }
    return this.#notStarted
  }

  #recentFailure(): NotStarted | null {
    const failure = this.#notStarted
    return failure !== null && performance.now() - failure.atMs < RETRY_MS ? failure : null
  }

  #answered(waiting: Waiting<Question, Answer>, tell: () => void): void {
    this.#askers.done(waiting)
    if (waiting.isStale) {
      waiting.isStale = false
      this.#again(waiting)
    } else tell()
    this.#work()
  }

  #ended(thread: PoolThread<Question, Answer>, cause: unknown): void {
    if (this.#isClosed) return
    this.#threads.splice(this.#threads.indexOf(thread), 1)
    this.#options.onUnexpected(cause)
    // No question is to blame for that: others answer it, or it is refused below.
    if (!thread.isReady) this.#failed(cause)
    for (const waiting of thread.running.values()) {
      this.#askers.done(waiting)
      if (!thread.isReady) this.#again(waiting)
      else if (waiting.isRepeat) waiting.reject(new ParleyError('internal', 'To answer this took too much.', { cause }))
      else {
        waiting.isRepeat = true
        this.#again(waiting)
      }
    }
    this.#work()
  }

  /** It stays the same object, by which whoever leaves it finds it. */
  #again(waiting: Waiting<Question, Answer>): void {
    if (waiting.isGone) waiting.reject(nobodyWaits())
    else if (!this.#askers.add(waiting))
      waiting.reject(new ParleyError('overloaded', 'Too many questions are waiting.'))
  }

  #drop(waiting: Waiting<Question, Answer>): void {
    waiting.isGone = true
    if (this.#askers.remove(waiting)) waiting.reject(nobodyWaits())
    else for (const thread of this.#threads) thread.drop(waiting)
  }
}
