import { startTidying } from '../operations/tidying.ts'
import { MAX_TTL_SECONDS } from '../access/tokens.ts'
import type { Config } from '../config.ts'
import { ConflictExpirer } from '../conflicts/expiring.ts'
import { OpenBound } from '../conflicts/openBound.ts'
import { ConflictSettler } from '../conflicts/settling.ts'
import { ValidityWatch } from '../conflicts/validityWatch.ts'
import type { Environment } from '../foundation/environment.ts'
import type { JobOptions, Jobs } from '../foundation/jobs.ts'
import { LogCompactor } from '../history/compactor.ts'
import { LockKeeper } from '../locks/keeper.ts'
import { jobPart } from '../operations/health.ts'
import { pruningJob, type PruningOptions } from '../operations/pruning.ts'
import type { AnswerPruning } from '../storage/answers.ts'
import type { ConflictPruning } from '../storage/conflicts.ts'
import type { FeedPruning } from '../storage/feed.ts'
import type { RevocationPruning } from '../storage/revocations.ts'
import type { Storage } from '../storage/storage.ts'
import type { Core } from './core.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

const DAY_MS = 24 * 3600 * 1000

export interface UpkeepParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly jobs: Jobs
  readonly core: Core
  readonly http: Http
}

/** What follows every act: whether content is valid, how many conflicts are open, when a lock is over. */
export function watchModule({ storage, environment, jobs, core, http }: UpkeepParts): Module {
  const parts = { storage, ...core, environment, onUnexpected: http.report('a document could not be looked after') }
  const keeper = new LockKeeper(parts)
  const settler = new ConflictSettler(parts)
  const expirer = new ConflictExpirer(parts)
  const watches = [new ValidityWatch(parts), new OpenBound(parts), settler, expirer]
  return {
    name: 'watches',
    start: async () => {
      keeper.start(jobs)
      settler.start(jobs)
      expirer.start(jobs)
    },
    stop: {
      deadlineMs: 1_000,
      run: async () => {
        core.lines.close()
        await Promise.all(watches.map((watch) => watch.close()))
      },
    },
  }
}

/** What goes on by itself, slowly: compaction, pruning, purges that were interrupted. All jobs end with it. */
export function upkeepModule({ config, storage, environment, jobs, core, http }: UpkeepParts): Module {
  const compactor = new LogCompactor({
    storage,
    environment,
    ageMs: config.compactionAgeSeconds * 1_000,
    intervalMs: config.compactionIntervalSeconds * 1_000,
    onJoined: (document) => core.replicas.forgetPast(document),
    onUnexpected: http.report('a log was not compacted'),
  })
  return {
    name: 'upkeep',
    start: async () => {
      core.purger.start(jobs)
      compactor.start(jobs)
      for (const job of prunings(config, environment, storage)) jobs.start(job)
      startTidying(storage, jobs)
    },
    measure: (meter) => {
      meter.gauge({ name: 'parley_job_failures', help: 'Runs of a job in a row that failed.', labels: ['job'] }, () =>
        jobs.states().map(({ name, failures }) => [failures, name]),
      )
      meter.gauge(
        { name: 'parley_job_last_run_timestamp_seconds', help: 'When a job last began.', labels: ['job'] },
        () => jobs.states().map(({ name, lastRunAt }) => [(lastRunAt ?? 0) / 1_000, name]),
      )
    },
    checkup: async () => jobs.states().map((job) => jobPart(job, environment.now())),
    stop: { deadlineMs: 1_000, run: () => jobs.stop() },
  }
}

type Prunable = FeedPruning & ConflictPruning & AnswerPruning & RevocationPruning

/** SPEC NOTE-1, CONF-9, WRITE-8, AUTH-3. */
function prunings(config: Config, environment: Environment, storage: Prunable): readonly JobOptions[] {
  const forget = (what: string, days: number, prune: PruningOptions['prune']): JobOptions =>
    pruningJob({ what, prune, environment, retentionMs: days * DAY_MS })
  return [
    forget('events', config.eventRetentionDays, (before) => storage.pruneEvents(before)),
    forget('conflicts', config.conflictRetentionDays, (before) => storage.pruneConflicts(before)),
    // Each carries its own end.
    forget('stored answers', 0, (now) => storage.pruneAnswers(now)),
    // Nothing issued before them can still be valid.
    forget('revocations', (MAX_TTL_SECONDS * 1_000) / DAY_MS, (before) => storage.pruneRevocations(before / 1_000)),
  ]
}
