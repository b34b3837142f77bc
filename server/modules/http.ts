import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Authenticate, TokenWatch } from '../access/access.ts'
import type { Config } from '../config.ts'
import type { Environment } from '../foundation/environment.ts'
import { withoutVersion } from '../foundation/links.ts'
import { Origins } from '../http/origins.ts'
import { formatFor, inFormat, standardOutput, type LogOutput } from '../http/logOutput.ts'
import { RequestRates } from '../http/rates.ts'
import { UNSAID } from '../http/requestLog.ts'
import { createHttpServer } from '../http/server.ts'
import { Upgrades } from '../http/upgrade.ts'
import { Connections } from '../limits/connections.ts'
import { LocalBuckets } from '../limits/localBuckets.ts'
import { RateLimits } from '../limits/rates.ts'
import type { Meter } from '../operations/meter.ts'
import type { Module } from './module.ts'

/** From a small read to a long poll. */
const REQUEST_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]

export interface Http {
  readonly app: FastifyInstance
  readonly upgrades: Upgrades
  /** How much anybody may ask for. */
  readonly rates: RequestRates
  readonly limits: RateLimits
  /** Under which others reach this server; known once it listens. */
  readonly publicUrl: () => string
  /** Where it listens; the port may have been drawn. */
  readonly localUrl: () => string
  /** Tells the operator's log of an error nobody expected. */
  readonly report: (what: string) => (error: unknown) => void
}

export interface HttpParts {
  readonly config: Config
  readonly environment: Environment
  readonly authenticate: Authenticate
  readonly tokens: TokenWatch
  /** Standard output where it is undefined. */
  readonly logStream: LogOutput | undefined
}

/** The HTTP server, with neither routes nor sockets yet; it does not listen. */
export function createHttp({ config, environment, authenticate, tokens, logStream }: HttpParts): Http {
  let address: string | null = null
  const localUrl = (): string => address ?? addressOf(app)
  const publicUrl = (): string => config.publicUrl ?? localUrl()
  const limits = new RateLimits(config.ratesPerMinute, new LocalBuckets(environment))
  const rates = new RequestRates(limits, config.trustedProxies ?? [], new Connections(config.maxConnections))
  const origins = new Origins(config.origins ?? [], config.publicUrl)
  const app: FastifyInstance = createHttpServer({
    authenticate,
    tokens,
    rates,
    origins,
    maxContentBytes: config.maxContentBytes,
    maxContentNodes: config.maxContentNodes,
    headersTimeoutMs: config.headersTimeoutMs,
    requestTimeoutMs: config.requestTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
    publicUrl,
    randomBytes: (length) => environment.randomBytes(length),
    logLevel: config.logLevel,
    logStream: inFormat(formatFor(config.logFormat), logStream ?? standardOutput),
  })
  // Looked up once: every answer names it.
  app.addHook('onListen', async () => {
    address = addressOf(app)
  })
  const onRefused = (request: object): void => app.log.info(request, 'request')
  const upgrades = new Upgrades(app.server, { publicUrl, rates, origins, onRefused })
  if (config.origins === '*')
    app.log.warn('PARLEY_ORIGINS is *: pages of any origin may call, with whatever token they have')
  const report = (what: string) => (error: unknown) => app.log.error({ err: error }, what)
  return { app, upgrades, rates, limits, publicUrl, localUrl, report }
}

/**
 * The door: what comes after it in the list may be called from outside at once. It closes early, before live sessions
 * end, while `requests` waits for those that are inside, which only end when their sessions have.
 */
export function httpModules(
  { host, port }: Config,
  { app, upgrades, limits }: Http,
): { door: Module; requests: Module } {
  let closed: Promise<void> | null = null
  const close = (): Promise<void> => (closed ??= app.close().then(() => undefined))
  return {
    requests: {
      name: 'requests',
      measure: (meter) => {
        measureRequests(meter, app)
        meter.total(
          {
            name: 'parley_rate_limited_total',
            help: 'What rate limits refused, by class and by whom it is counted: principal, address, connection.',
            labels: ['class', 'by'],
          },
          () => limits.refusals(),
        )
        meter.total(
          {
            name: 'parley_log_lost_lines_total',
            help: 'Lines of the log that nobody took, or that could not be written.',
          },
          () => [[standardOutput.lost]],
        )
      },
      stop: { deadlineMs: 3_000, run: close },
    },
    door: {
      name: 'door',
      start: async () => {
        await app.listen({ host, port, listenTextResolver: () => UNSAID })
      },
      stop: {
        deadlineMs: 100,
        run: async () => {
          upgrades.close()
          void close()
        },
      },
    },
  }
}

/** By route, not by path: the paths that clients think of have no bound. */
function measureRequests(meter: Meter, app: FastifyInstance): void {
  const requests = meter.counter({
    name: 'parley_http_requests_total',
    help: 'Answered requests.',
    labels: ['method', 'route', 'status'],
  })
  const seconds = meter.histogram(
    { name: 'parley_http_request_seconds', help: 'From the head of a request to the end of its answer.' },
    REQUEST_SECONDS,
  )
  app.addHook('onResponse', (request, reply, done) => {
    const { url = 'unknown' } = request.routeOptions
    requests.add(1, url === 'unknown' ? 'any' : request.method, withoutVersion(url), String(reply.statusCode))
    seconds(reply.elapsedTime / 1_000)
    done()
  })
}

function addressOf(app: FastifyInstance): string {
  const address: AddressInfo | string | null = app.server.address()
  if (address === null || typeof address === 'string') return 'http://localhost'
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
