import type { Environment, Timer } from '../foundation/environment.ts'

/** Things outlive their retention by no more than this, give or take how long pruning takes. */
const INTERVAL_MS = 10 * 60_000
/** Between two steps, so that writes are not held up by a long row of them. */
const PAUSE_MS = 100

export interface PruningOptions {
  /** Forgets a bounded number of what is older than `before` (milliseconds since the epoch); answers how many. */
  readonly prune: (before: number) => Promise<number>
  readonly environment: Environment
  /** How long things are kept. */
  readonly retentionMs: number
}

/** Forgets what is old from now on, a bounded number at a time. Answers how to stop. */
export function startPruning(options: PruningOptions): { stop(): void } {
  const { prune, environment, retentionMs } = options
  let timer: Timer | null = null
  let stopped = false

  const schedule = (delayMs: number): void => {
    if (!stopped) timer = environment.after(delayMs, () => void step())
  }
  const step = async (): Promise<void> => {
    try {
      const pruned = await prune(environment.now() - retentionMs)
      schedule(pruned > 0 ? PAUSE_MS : INTERVAL_MS)
    } catch {
      // Storage that cannot be written shows in readiness; what is due now will be due the next time.
      schedule(INTERVAL_MS)
    }
  }
  schedule(0)
  return {
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}
