import type { Config } from './config.ts'
import type { Committer } from './documents/commit.ts'
import { ActorNames } from './documents/actorNames.ts'
import { TextComparer } from './documents/textComparer.ts'
import { SchemaJudge } from './documents/schemaJudge.ts'
import type { Environment } from './foundation/environment.ts'
import { Jobs } from './foundation/jobs.ts'
import { Idempotency, type AnswerStore } from './http/idempotency.ts'
import type { LogOutput } from './http/logOutput.ts'
import { mount } from './http/mount.ts'
import { accessModule, createAccess } from './modules/access.ts'
import { createCore } from './modules/core.ts'
import { descriptionModule } from './modules/description.ts'
import { healthModule } from './modules/health.ts'
import { createHttp, httpModules, type Http } from './modules/http.ts'
import { liveModule } from './modules/live.ts'
import { metricsModule } from './modules/metrics.ts'
import { startModules, stopModules, type Module } from './modules/module.ts'
import { notificationModules } from './modules/notifications.ts'
import { comparisonDesk } from './modules/comparisons.ts'
import { schemaDesk } from './modules/schemas.ts'
import { deskModule, questionDesk } from './modules/questions.ts'
import { demoModule, hasDemo, restModule } from './modules/rest.ts'
import { storageModule } from './modules/storage.ts'
import { upkeepModule, watchModule } from './modules/upkeep.ts'
import { openSqlite } from './storage/sqlite/open.ts'
import type { Storage } from './storage/storage.ts'

export interface RunningApp {
  readonly url: string
  /** OPS-2: stops accepting, ends live sessions with 1012, waits for what was handed in, closes storage. */
  stop(): Promise<void>
}

/** What tests choose; a server that is started has none of it. */
export interface AppInternals {
  readonly writer?: 'adaptive' | 'inline'
  readonly logStream?: LogOutput
  readonly wrapStorage?: (storage: Storage) => Storage
  /** Is shown the HTTP server before it has any route. */
  readonly watchHttp?: (app: Http['app']) => void
}

/** Builds every part, wires them and listens. Rejects where storage cannot be opened or the address is taken. */
export async function startApp(
  config: Config,
  environment: Environment,
  internals: AppInternals = {},
): Promise<RunningApp> {
  const opened = await openSqlite({ file: config.database, writer: internals.writer ?? 'adaptive', environment })
  const storage = internals.wrapStorage?.(opened) ?? opened
  const names = new ActorNames()
  const access = await createAccess(config, environment, { storage, names })
  const { authenticate, tokens } = access
  const http = createHttp({ config, environment, authenticate, tokens, logStream: internals.logStream })
  internals.watchHttp?.(http.app)
  const description = descriptionModule(http, hasDemo() ? '/demo/' : '/docs')
  const threads = internals.writer === 'inline' ? null : { onUnexpected: http.report('a thread has ended') }
  const desk = questionDesk({ storage, file: config.database, threads })
  const schemas = schemaDesk(threads)
  const judge = new SchemaJudge(schemas)
  const comparisons = comparisonDesk(threads)
  const comparer = new TextComparer(comparisons)
  const core = createCore({
    config,
    environment,
    storage,
    names,
    desk,
    schemas: judge,
    comparer,
    secret: access.secret,
  })
  const store = answerStore(storage, core.committer)
  const idempotency = new Idempotency({
    store,
    contentOf: ({ document, ...ref }) => core.reader.contentOf(document, ref),
    environment,
    publicUrl: http.publicUrl,
  })
  const jobs = new Jobs(environment, (job, err) => http.app.log.error({ err, job }, 'a job failed and is tried again'))
  const parts = { config, environment, storage, jobs, access, core, http, idempotency }
  const { door, requests } = httpModules(config, http)
  const { readers, webhooks } = await notificationModules(parts)
  const modules: readonly Module[] = [
    storageModule(storage, core, config.database),
    deskModule('questions', desk),
    deskModule('schemas', schemas),
    deskModule('comparisons', comparisons),
    accessModule(access, parts),
    upkeepModule(parts),
    requests,
    watchModule(parts),
    liveModule(parts),
    readers,
    restModule(parts),
    demoModule(http),
    description,
    door,
    webhooks,
  ]
  const all = [...modules, metricsModule(config, modules)]
  open(http, [...all, healthModule(environment, modules)])
  await startModules(all, environment)
  return { url: http.localUrl(), stop: () => stop(http, all, environment) }
}

/** Everything that can be asked is in place before anybody can ask. */
function open({ app, upgrades }: Http, modules: readonly Module[]): void {
  for (const { routes = [], sockets = [] } of modules) {
    for (const each of routes) mount(app, each)
    for (const endpoint of sockets) upgrades.add(endpoint)
  }
}

async function stop({ app }: Http, modules: readonly Module[], environment: Environment): Promise<void> {
  for (const { name, outcome, cause } of await stopModules(modules, environment)) {
    if (outcome !== 'done') app.log.warn({ err: cause, outcome }, `stopping: ${name}`)
  }
}

/** SPEC WRITE-8: an answer that no act goes with is an act of its own. */
const answerStore = (storage: Storage, committer: Committer): AnswerStore => ({
  answer: (principal, key) => storage.answer(principal, key),
  keep: async (answer) => {
    await committer.commit([], { at: answer.at, conflicts: [], contents: new Map(), events: [], answer })
  },
})
