import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Principal } from './access/access.ts'
import { guestRoutes } from './api/guest.ts'
import { Revocations } from './access/revocations.ts'
import { authRoutes } from './api/tokens.ts'
import { TokenIssuer } from './access/tokens.ts'
import { secretKeys, TokenVerifier } from './access/verifier.ts'
import type { Config } from './config.ts'
import { OpenBound } from './conflicts/openBound.ts'
import { ConflictResolver } from './conflicts/resolve.ts'
import { ReturnJudge } from './conflicts/returns.ts'
import { conflictRoutes } from './api/conflicts.ts'
import { ValidityWatch } from './conflicts/validityWatch.ts'
import { Committer } from './documents/commit.ts'
import { contentRoutes } from './api/content.ts'
import { LeftBehind } from './documents/leftBehind.ts'
import { DocumentLifecycle } from './documents/lifecycle.ts'
import { DocumentPurger } from './documents/purge.ts'
import { DocumentReader } from './documents/read.ts'
import { Replicas } from './documents/replicas.ts'
import { documentRoutes } from './api/documents.ts'
import { DocumentWriter } from './documents/write.ts'
import type { Environment } from './foundation/environment.ts'
import type { DocumentId } from './foundation/ids.ts'
import { ParleyError } from './foundation/problems.ts'
import { Turns } from './foundation/turns.ts'
import { LogCompactor } from './history/compactor.ts'
import { HistoryReader } from './history/reader.ts'
import { Restorer } from './history/restore.ts'
import { historyRoutes } from './api/history.ts'
import { demoPages } from './api/demo.ts'
import { Idempotency, type AnswerStore } from './http/idempotency.ts'
import { mount } from './http/mount.ts'
import { problemDocument } from './http/problem.ts'
import { createHttpServer } from './http/server.ts'
import { parseStrictJson } from './http/strictJson.ts'
import { Upgrades } from './http/upgrade.ts'
import { LockKeeper } from './locks/keeper.ts'
import { DocumentLocks } from './locks/locks.ts'
import { lockRoutes } from './api/locks.ts'
import { LockLines } from './locks/waiting.ts'
import { Feed } from './notifications/feed.ts'
import { NotificationHub } from './notifications/hub.ts'
import { hubEndpoint } from './api/notificationSocket.ts'
import { Polls } from './api/notificationPoll.ts'
import { startPruning } from './notifications/pruning.ts'
import { notificationRoutes } from './api/notifications.ts'
import { EventStreams } from './api/notificationStream.ts'
import { webhookRoutes } from './api/webhooks.ts'
import { Webhooks } from './notifications/webhooks.ts'
import { httpSender } from './notifications/webhooksSender.ts'
import { DEFAULT_SYNC_LIMITS } from './sync/limits.ts'
import { Rooms } from './sync/rooms.ts'
import { syncEndpoint, YWebsocketEndpoint } from './api/yWebsocket.ts'
import { drain, type DrainStep } from './operations/drain.ts'
import type { OperationBody } from './api/transactionBody.ts'
import { transactionRoutes } from './api/transactions.ts'
import { StagedTransactions } from './transactions/staged.ts'
import { Transactor } from './transactions/transactor.ts'
import { openSqlite } from './storage/sqlite.ts'
import type { Storage } from './storage/storage.ts'

const DAY_MS = 24 * 3600 * 1000
/** 48 random bytes: more than HS256 can use. */
const DRAWN_SECRET_BYTES = 48

export interface RunningApp {
  readonly url: string
  /** OPS-2: stops accepting, ends live sessions with 1012, waits for what was handed in, closes storage. */
  stop(): Promise<void>
}

/** What tests choose; a server that is started has none of it. */
export interface AppInternals {
  readonly writer?: 'adaptive' | 'inline'
  readonly logStream?: { write(line: string): void }
  readonly wrapStorage?: (storage: Storage) => Storage
}

/** Builds every part, wires them and listens. Rejects where storage cannot be opened or the address is taken. */
export async function startApp(
  config: Config,
  environment: Environment,
  internals: AppInternals = {},
): Promise<RunningApp> {
  const opened = await openSqlite({ file: config.database, writer: internals.writer ?? 'adaptive', environment })
  const storage = internals.wrapStorage?.(opened) ?? opened
  let url = ''
  const publicUrl = (): string => config.publicUrl ?? url
  const access = await createAccess(config, environment, storage)
  const core = createCore(config, environment, storage)
  const app = createHttpServer({
    authenticate: access.authenticate,
    maxContentBytes: config.maxContentBytes,
    publicUrl,
    randomBytes: (length) => environment.randomBytes(length),
    logLevel: config.logLevel,
    ...(internals.logStream ? { logStream: internals.logStream } : {}),
  })
  let feed: Feed | null = null
  const readers = createReaders({ config, environment, storage, access, app }, () => {
    if (feed === null) throw new ParleyError('overloaded', 'The server is starting.')
    return feed
  })
  const idempotency = new Idempotency({ store: answerStore(storage, core.committer), environment, publicUrl })
  mountRoutes({ config, environment, storage, core, access, app, idempotency, publicUrl })
  mount(app, notificationRoutes({ epoch: storage.epoch, ...readers }))
  mount(app, webhookRoutes(readers.webhooks, idempotency))
  await app.listen({ host: config.host, port: config.port, listenTextResolver: (address) => `bound to ${address}` })
  url = addressOf(app)
  // Sockets come last, for their events name this server by the address it got.
  const live = await createLive({ config, environment, storage, core, access, app, publicUrl })
  feed = live.feed
  await readers.webhooks.start()
  void core.purger.resume().catch((error: unknown) => app.log.error({ err: error }, 'a purge was not finished'))
  return { url, stop: () => stop({ app, access, live, readers, core, storage }, environment) }
}

type Core = ReturnType<typeof createCore>
type Access = Awaited<ReturnType<typeof createAccess>>
type Live = Awaited<ReturnType<typeof createLive>>
type Readers = ReturnType<typeof createReaders>

async function createAccess(config: Config, environment: Environment, storage: Storage) {
  const secret = config.secret === null ? environment.randomBytes(DRAWN_SECRET_BYTES) : Buffer.from(config.secret)
  const { audience } = config
  const revocations = await Revocations.load(storage)
  const following = storage.shared ? revocations.follow(environment) : null
  const verifier = new TokenVerifier({ keys: secretKeys(secret), audience, environment, revocations })
  return {
    revocations,
    stop: () => following?.stop(),
    issuer: new TokenIssuer({ secret, audience, environment }),
    authenticate: (token: string) => verifier.verify(token),
    isValid: (principal: Principal) =>
      environment.now() < principal.expiresAt * 1_000 && !revocations.isRevoked(principal),
  }
}

function createCore(config: Config, environment: Environment, storage: Storage) {
  const limits = {
    maxBytes: config.maxContentBytes,
    maxDepth: config.maxContentDepth,
    maxNodes: config.maxContentNodes,
  }
  const committer = new Committer(storage)
  const replicas = new Replicas({
    storage,
    committer,
    environment,
    limits,
    idleMs: config.replicaIdleMs,
    budgetBytes: config.replicaBudgetBytes,
  })
  const reader = new DocumentReader(storage, replicas)
  const locks = new DocumentLocks({ storage, committer, replicas, reader, environment })
  const lines = new LockLines(locks, environment)
  const lineLength = (document: DocumentId): number => lines.length(document)
  const parts = { storage, replicas, committer, environment, limits, lineLength }
  const turns = new Turns<DocumentId>()
  const writer = new DocumentWriter(parts, turns)
  const lifecycle = new DocumentLifecycle(parts, turns)
  const history = new HistoryReader(storage)
  return {
    limits,
    committer,
    replicas,
    turns,
    reader,
    locks,
    lines,
    writer,
    lifecycle,
    purger: new DocumentPurger(parts, lifecycle),
    resolver: new ConflictResolver(parts, turns),
    history,
    restorer: new Restorer(storage, writer, history),
    judge: new ReturnJudge(storage, environment),
    transactor: new Transactor(parts, turns),
    transactions: new StagedTransactions<OperationBody>({ environment, idleMs: config.transactionIdleMs }),
  }
}

/** The feed over HTTP. The feed itself opens later; until then whoever asks is told to come again. */
function createReaders(parts: Omit<RouteParts, 'core' | 'idempotency' | 'publicUrl'>, feed: () => Feed) {
  const { config, environment, storage, access, app } = parts
  const { isValid, revocations } = access
  const onUnexpected = (error: unknown): void => app.log.error({ err: error }, 'a notification failed unexpectedly')
  const allowPrivate = config.webhookPrivate
  const webhooks = new Webhooks({
    storage,
    environment,
    feed,
    send: httpSender({ environment, allowPrivate }),
    allowPrivate,
    isRevoked: (principal) => revocations.isRevoked(principal),
    onUnexpected,
  })
  const streams = new EventStreams({ feed, environment, isValid, onUnexpected })
  const polls = new Polls({ feed, environment, isValid })
  for (const readers of [webhooks, streams, polls]) revocations.onRevoked(() => readers.revalidate())
  return { webhooks, streams, polls }
}

interface LiveParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly core: Core
  readonly access: Access
  readonly app: FastifyInstance
  readonly publicUrl: () => string
}

/** The sockets: live editing and notifications. */
async function createLive({ config, environment, storage, core, access, app, publicUrl }: LiveParts) {
  const { authenticate, isValid, revocations } = access
  const onUnexpected = (error: unknown): void => app.log.error({ err: error }, 'a session failed unexpectedly')
  const feed = await Feed.open({ storage, environment, source: publicUrl() })
  const hub = new NotificationHub({
    feed,
    authenticate,
    isValid,
    environment,
    parseJson: parseStrictJson,
    problemOf: (problem) => problemDocument(problem, publicUrl()),
    onUnexpected,
  })
  const { replicas, committer, judge, limits } = core
  const syncLimits = { ...DEFAULT_SYNC_LIMITS, windowMs: config.concurrentEditWindowMs }
  const leftBehind = new LeftBehind({
    storage,
    committer,
    replicas,
    environment,
    prepare: (replica, left) => judge.prepare(replica, left),
    refusal: (replica, left) => rooms.refusal(replica, left),
    onRefused: (facts, err) => app.log.warn({ err, ...facts }, 'edits that waited for a lock cannot be taken in'),
    onUnexpected,
  })
  const rooms = new Rooms({
    replicas,
    judge,
    keeper: leftBehind,
    environment,
    maxDepth: limits.maxDepth,
    limits: syncLimits,
    onUnexpected,
  })
  const sync = new YWebsocketEndpoint({ rooms, authenticate, isValid, environment, limits: syncLimits, onUnexpected })
  for (const sessions of [hub, sync]) revocations.onRevoked(() => sessions.revalidate())
  const upgrades = new Upgrades(app.server, { publicUrl, allowsOrigin: isSameOrigin })
  upgrades.add(syncEndpoint(sync, core.limits))
  upgrades.add(hubEndpoint(hub, { authenticate, epoch: storage.epoch }))
  const keeper = new LockKeeper({ storage, ...core, environment, onUnexpected })
  const validity = new ValidityWatch({ storage, ...core, environment, onUnexpected })
  const openBound = new OpenBound({ storage, ...core, environment, onUnexpected })
  const compactor = startCompactor(config, environment, storage, app)
  const prunings = startPrunings(config, environment, storage)
  await leftBehind.start()
  return { feed, hub, rooms, sync, upgrades, keeper, leftBehind, validity, openBound, compactor, prunings }
}

/** SPEC WRITE-8: an answer that no act goes with is an act of its own. */
const answerStore = (storage: Storage, committer: Committer): AnswerStore => ({
  answer: (principal, key) => storage.answer(principal, key),
  keep: async (answer) => {
    await committer.commit([], { at: answer.at, conflicts: [], contents: new Map(), events: [], answer })
  },
})

/** SPEC NOTE-1, CONF-9, WRITE-8. */
function startPrunings(config: Config, environment: Environment, storage: Storage) {
  const events = { prune: (before: number) => storage.pruneEvents(before), days: config.eventRetentionDays }
  const conflicts = { prune: (before: number) => storage.pruneConflicts(before), days: config.conflictRetentionDays }
  // Each carries its own end.
  const answers = { prune: (now: number) => storage.pruneAnswers(now), days: 0 }
  return [events, conflicts, answers].map(({ prune, days }) =>
    startPruning({ prune, environment, retentionMs: days * DAY_MS }),
  )
}

/** SPEC HIST-4. */
function startCompactor(config: Config, environment: Environment, storage: Storage, app: FastifyInstance) {
  const ageMs = config.compactionAgeSeconds * 1_000
  const intervalMs = config.compactionIntervalSeconds * 1_000
  const onUnexpected = (error: unknown): void => app.log.error({ err: error }, 'a log was not compacted')
  return new LogCompactor({ storage, environment, ageMs, intervalMs, onUnexpected })
}

/** SPEC AUTH-4: pages of this server only. */
function isSameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}

interface RouteParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly core: Core
  readonly access: Access
  readonly app: FastifyInstance
  readonly idempotency: Idempotency
  readonly publicUrl: () => string
}

function mountRoutes({ config, environment, storage, core, access, app, idempotency, publicUrl }: RouteParts): void {
  const { issuer, revocations } = access
  mount(app, documentRoutes({ storage, environment, idempotency, ...core }))
  mount(app, contentRoutes({ storage, idempotency, ...core }))
  mount(app, conflictRoutes({ storage, idempotency, ...core }))
  mount(app, historyRoutes({ storage, idempotency, ...core }))
  mount(app, lockRoutes({ idempotency, ...core }))
  mount(app, transactionRoutes({ storage, idempotency, publicUrl, ...core }))
  mount(app, authRoutes({ issuer, revocations, idempotency, environment }))
  if (config.development) mount(app, guestRoutes({ issuer, environment }))
  const demoFolder = fileURLToPath(new URL('../demo', import.meta.url))
  if (existsSync(demoFolder)) void app.register(demoPages(demoFolder))
}

/** SPEC OPS-2. Sessions end before the HTTP server can, for it waits for their connections. */
async function stop(
  parts: { app: FastifyInstance; access: Access; live: Live; readers: Readers; core: Core; storage: Storage },
  environment: Environment,
): Promise<void> {
  const { app, access, live, readers, core, storage } = parts
  access.stop()
  live.upgrades.close()
  const closed = app.close()
  const steps: DrainStep[] = [
    {
      name: 'live sessions',
      deadlineMs: 4_000,
      run: async () => {
        readers.webhooks.stop()
        readers.polls.close()
        live.keeper.close()
        core.transactions.close()
        await Promise.all([live.hub.close(), live.sync.close(), readers.streams.close()])
        await live.rooms.settled()
        await live.leftBehind.close()
        await Promise.all([live.validity.close(), live.openBound.close()])
      },
    },
    { name: 'requests', deadlineMs: 3_000, run: () => closed.then(() => undefined) },
    { name: 'compaction', deadlineMs: 1_000, run: () => live.compactor.stop() },
    { name: 'storage', deadlineMs: 2_000, run: () => storage.close() },
  ]
  live.feed.close()
  for (const pruning of live.prunings) pruning.stop()
  for (const { name, outcome, cause } of await drain(steps, environment)) {
    if (outcome !== 'done') app.log.warn({ err: cause, outcome }, `stopping: ${name}`)
  }
  core.replicas.close(new ParleyError('shutting-down', 'The server is stopping.'))
}

function addressOf(app: FastifyInstance): string {
  const address: AddressInfo | string | null = app.server.address()
  if (address === null || typeof address === 'string') return 'http://localhost'
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
