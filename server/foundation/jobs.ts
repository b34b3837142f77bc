import type { Environment, Timer } from './environment.ts'

/** After a failure a job waits this long, and twice as long after each further one in a row. */
const FIRST_RETRY_MS = 1_000
/** A disk that was full for hours is found free within a minute. */
const LONGEST_RETRY_MS = 60_000

/** What is known of a job, for operators. Times are milliseconds since the epoch. */
export interface JobState {
  readonly name: string
  readonly isRunning: boolean
  /** When it last began. */
  readonly lastRunAt: number | null
  readonly lastFailure: { readonly at: number; readonly message: string } | null
  /** Runs in a row that failed; 0 when the last one did what was to be done. */
  readonly failures: number
}

export interface Job {
  readonly state: JobState
  /** Runs it now, or once more after the run that is under way. */
  wake(): void
  /** No run begins any more; resolves when the one under way has ended. Idempotent. */
  stop(): Promise<void>
}

export interface JobOptions {
  readonly name: string
  /**
   * Does what is due, and answers when it is to run again (milliseconds from now), or null where it waits to be woken.
   * A run that throws is repeated by itself, later and later. What is left to do is in storage, so that a restart goes on;
   * a long run ends early once `stopping` is aborted.
   */
  readonly run: (stopping: AbortSignal) => Promise<number | null>
  /** The longest wait after failures, where somebody waits for what the job does; a minute where it is absent. */
  readonly longestRetryMs?: number
}

/** Work that goes on behind the requests, each piece under a name, one run of it at a time. */
export class Jobs {
  readonly #environment: Environment
  readonly #onFailure: (name: string, error: unknown) => void
  readonly #jobs = new Map<string, RunningJob>()

  constructor(environment: Environment, onFailure: (name: string, error: unknown) => void) {
    this.#environment = environment
    this.#onFailure = onFailure
  }

  /** Starts a job, whose first run begins in the next turn of the event loop. */
  start(options: JobOptions): Job {
    const job = new RunningJob(options, this.#environment, (error) => this.#onFailure(options.name, error))
    this.#jobs.set(options.name, job)
    job.wake()
    return job
  }

  states(): readonly JobState[] {
    return Array.from(this.#jobs.values(), (job) => job.state)
  }

  /** Stops all of them. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#jobs.values(), (job) => job.stop()))
  }
}

class RunningJob implements Job {
  readonly #options: JobOptions
  readonly #environment: Environment
  readonly #onFailure: (error: unknown) => void
  #state: JobState
  #timer: Timer | null = null
  #running: Promise<void> | null = null
  #isWoken = false
  readonly #stopping = new AbortController()

  constructor(options: JobOptions, environment: Environment, onFailure: (error: unknown) => void) {
    this.#options = options
    this.#environment = environment
    this.#onFailure = onFailure
    this.#state = { name: options.name, isRunning: false, lastRunAt: null, lastFailure: null, failures: 0 }
  }

  get state(): JobState {
    return this.#state
  }

  wake(): void {
    this.#isWoken = true
    if (this.#running === null) this.#runIn(0)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#timer?.cancel()
    await this.#running
  }

  #runIn(delayMs: number): void {
    this.#timer?.cancel()
    if (this.#stopping.signal.aborted) return
    this.#timer = this.#environment.after(delayMs, () => {
      this.#timer = null
      this.#running = this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isWoken = false
    this.#state = { ...this.#state, isRunning: true, lastRunAt: this.#environment.now() }
    const next = await this.#attempt()
    this.#state = { ...this.#state, isRunning: false }
    this.#running = null
    if (this.#isWoken) this.#runIn(0)
    else if (next !== null) this.#runIn(next)
  }

  async #attempt(): Promise<number | null> {
    try {
      const next = await this.#options.run(this.#stopping.signal)
      this.#state = { ...this.#state, failures: 0 }
      return next
    } catch (error) {
      const failures = this.#state.failures + 1
      const message = error instanceof Error ? error.message : String(error)
      this.#state = { ...this.#state, failures, lastFailure: { at: this.#environment.now(), message } }
      this.#onFailure(error)
      return Math.min(this.#options.longestRetryMs ?? LONGEST_RETRY_MS, retryDelayMs(failures))
    }
  }
}

/** How long to wait after so many failures in a row. */
export const retryDelayMs = (failures: number): number =>
  Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10))
