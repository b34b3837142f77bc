import { MAX_TTL_SECONDS } from '../access/tokens.ts'
import type { Config } from '../config.ts'
import { OpenBound } from '../conflicts/openBound.ts'
import { ConflictSettler } from '../conflicts/settling.ts'
import { ValidityWatch } from '../conflicts/validityWatch.ts'
import type { Environment } from '../foundation/environment.ts'
import { Jobs } from '../foundation/jobs.ts'
import { LogCompactor } from '../history/compactor.ts'
import { LockKeeper } from '../locks/keeper.ts'
import { startPruning } from '../notifications/pruning.ts'
import type { Storage } from '../storage/storage.ts'
import type { Core } from './core.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

const DAY_MS = 24 * 3600 * 1000

export interface UpkeepParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly core: Core
  readonly http: Http
}

/** What follows every act: whether content is valid, how many conflicts are open, when a lock is over. */
export function watchModule({ storage, environment, core, http }: UpkeepParts): Module {
  const parts = { storage, ...core, environment, onUnexpected: http.report('a document could not be looked after') }
  const keeper = new LockKeeper(parts)
  const watches = [new ValidityWatch(parts), new OpenBound(parts), new ConflictSettler(parts)]
  return {
    name: 'watches',
    stop: {
      deadlineMs: 1_000,
      run: async () => {
        keeper.close()
        await Promise.all(watches.map((watch) => watch.close()))
      },
    },
  }
}

/** What goes on by itself, slowly: compaction, pruning, purges that were interrupted. */
export function upkeepModule({ config, storage, environment, core, http }: UpkeepParts): Module {
  const compactor = new LogCompactor({
    storage,
    environment,
    ageMs: config.compactionAgeSeconds * 1_000,
    intervalMs: config.compactionIntervalSeconds * 1_000,
    onUnexpected: http.report('a log was not compacted'),
  })
  const jobs = new Jobs(environment, (job, error) => http.report(`the job ${job} failed and is tried again`)(error))
  const prunings = startPrunings(config, environment, storage)
  return {
    name: 'upkeep',
    start: async () => core.purger.start(jobs),
    stop: {
      deadlineMs: 1_000,
      run: async () => {
        for (const pruning of prunings) pruning.stop()
        await Promise.all([compactor.stop(), jobs.stop()])
      },
    },
  }
}

/** SPEC NOTE-1, CONF-9, WRITE-8, AUTH-3. */
function startPrunings(config: Config, environment: Environment, storage: Storage) {
  const events = { prune: (before: number) => storage.pruneEvents(before), days: config.eventRetentionDays }
  const conflicts = { prune: (before: number) => storage.pruneConflicts(before), days: config.conflictRetentionDays }
  // Each carries its own end.
  const answers = { prune: (now: number) => storage.pruneAnswers(now), days: 0 }
  // Nothing issued before them can still be valid.
  const revocations = {
    prune: (before: number) => storage.pruneRevocations(before / 1_000),
    days: (MAX_TTL_SECONDS * 1_000) / DAY_MS,
  }
  return [events, conflicts, answers, revocations].map(({ prune, days }) =>
    startPruning({ prune, environment, retentionMs: days * DAY_MS }),
  )
}
