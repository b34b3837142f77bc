import type { Environment, Timer } from '../foundation/environment.ts'
import type { Storage } from '../storage/storage.ts'

/** Events outlive their retention by no more than this, give or take how long pruning takes. */
const INTERVAL_MS = 10 * 60_000
/** Between two steps, so that writes are not held up by a long row of them. */
const PAUSE_MS = 100

export interface PruningOptions {
  readonly storage: Pick<Storage, 'pruneEvents'>
  readonly environment: Environment
  /** How long events are kept (SPEC NOTE-1: 7 days). */
  readonly retentionMs: number
}

/** Forgets old events from now on, a bounded number at a time. Answers how to stop. */
export function startPruning(options: PruningOptions): { stop(): void } {
  const { storage, environment, retentionMs } = options
  let timer: Timer | null = null
  let stopped = false

  const schedule = (delayMs: number): void => {
    if (!stopped) timer = environment.after(delayMs, () => void step())
  }
  const step = async (): Promise<void> => {
    try {
      const pruned = await storage.pruneEvents(environment.now() - retentionMs)
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
