import type { Jobs } from '../foundation/jobs.ts'
import type { Tidying } from '../storage/tidying.ts'

/** What storage has put off is done when there is enough of it, and what an earlier start left right away. */
export function startTidying(storage: Tidying, jobs: Jobs): void {
  const run = async (stopping: AbortSignal): Promise<null> => {
    while (!stopping.aborted && (await storage.tidy()));
    return null
  }
  const job = jobs.start({ name: 'tidying', run })
  storage.onUntidy(() => job.wake())
}
