import type { Environment } from '../foundation/environment.ts'
import type { JobOptions } from '../foundation/jobs.ts'

/** Things outlive their retention by no more than this, give or take how long pruning takes. */
const INTERVAL_MS = 10 * 60_000
/** Between two steps, so that writes are not held up by a long row of them. */
const PAUSE_MS = 100

export interface PruningOptions {
  /** What is forgotten, for the name of the job. */
  readonly what: string
  /** Forgets a bounded number of what is older than `before` (milliseconds since the epoch); answers how many. */
  readonly prune: (before: number) => Promise<number>
  readonly environment: Environment
  /** How long things are kept. */
  readonly retentionMs: number
}

/** The job that forgets what is old, a bounded number at a time. */
export const pruningJob = ({ what, prune, environment, retentionMs }: PruningOptions): JobOptions => ({
  name: `pruning of ${what}`,
  run: async () => ((await prune(environment.now() - retentionMs)) > 0 ? PAUSE_MS : INTERVAL_MS),
})
