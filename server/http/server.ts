import type { IncomingMessage } from 'node:http'
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  type onRequestHookHandler,
} from 'fastify'
import type { Authenticate, TokenWatch } from '../access/access.ts'
import { linkBase, prefixOf, withoutPrefix } from '../foundation/links.ts'
import { ParleyError } from '../foundation/problems.ts'
import { assertStillAllowed, decorateWithIdentity, guard } from './access.ts'
import { addBodyParsers, checkMediaType, hasBody, JSON_BODY, jsonBodyLimit, type MediaType } from './bodies.ts'
import { addAwaitedBodies } from './awaitedBodies.ts'
import { addAnswerCompression, addBodyInflation } from './compression.ts'
import { addCors } from './cors.ts'
import { answerClientError, sendError } from './errors.ts'
import { idempotencyKey } from './idempotencyKey.ts'
import { loggedError } from './loggedError.ts'
import type { LogLevel } from './logLevel.ts'
import type { Origins } from './origins.ts'
import { chargeOfMethod, type RequestRates } from './rates.ts'
import { loggedPath, RequestLog, UNSAID } from './requestLog.ts'
import { securityHeaders } from './securityHeaders.ts'
import { answerUnknownRoute } from './unknownRoute.ts'
import { addVersionHeader } from './versionHeader.ts'
import { watchBody } from './waiting.ts'
import { checkQueryEncoding, completeSchema, validateStrictly } from './validation.ts'

export interface HttpServerOptions {
  readonly authenticate: Authenticate
  readonly tokens: TokenWatch
  readonly rates: RequestRates
  /** UTF-8 bytes of one content (SPEC DOC-10); the limits of bodies follow from it. */
  readonly maxContentBytes: number
  /** Nodes of one json content (SPEC DOC-10); how many values a body may hold follows from it. */
  readonly maxContentNodes: number
  /** Before every link, without a final slash. A function, for a port may be drawn at the start. */
  readonly publicUrl: () => string
  readonly origins: Origins
  readonly randomBytes: (length: number) => Uint8Array
  readonly logLevel: LogLevel
  /** Where log lines go; standard output if absent. */
  readonly logStream?: { write(line: string): void }
  /** For a whole request to arrive. */
  readonly requestTimeoutMs?: number
  /** For its headers to arrive. */
  readonly headersTimeoutMs?: number
  /** For anything to move on a connection, longer than any answer is waited for. */
  readonly idleTimeoutMs?: number
  /** How often it is looked for those that are late. */
  readonly checkTimeoutsMs?: number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types this route takes; `application/json` where it has a body schema. */
    consumes?: readonly MediaType[]
  }
  interface FastifyRequest {
    /** Stands before each path that the answer links to (SPEC API-7). */
    readonly linkBase: string
  }
}

/** Ids and keys may be percent-encoded; longer paths than this never get past Node's header limit of 16 KiB. */
const MAX_PATH_PARAMETER_LENGTH = 16_384
/** SPEC OPS-9, where nothing else is set. A content of 10 MiB, escaped to 60, still arrives on 2 Mbit/s. */
const REQUEST_TIMEOUT_MS = 300_000
const HEADERS_TIMEOUT_MS = 20_000
/** A long poll and the line of a lock are silent for 60 s. A reader that takes nothing of its answer for so long is gone. */
const IDLE_TIMEOUT_MS = 120_000
/** Clients and proxies use a connection again for about a minute. */
const KEEP_ALIVE_MS = 72_000
const CHECK_TIMEOUTS_MS = 5_000

/**
 * The HTTP foundation: strict bodies and queries, access checks, and every error as a problem document
 * (SPEC API-2, API-4). Routes come by `mount`; one without `config.access` does not register.
 */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  // A path that cannot be decoded names no route; whoever has no token learns nothing more (SPEC API-4).
  const config = { access: 'authenticated', rate: ({ method }: IncomingMessage) => chargeOfMethod(method) } as const
  const checkAnybody = guard(
    { method: 'GET', url: 'a path that cannot be decoded', config },
    options.authenticate,
    options.rates,
  )
  const app: FastifyInstance = fastify({
    logger: loggerOptions(options),
    logController: new RequestLog(options.logLevel),
    genReqId: requestIds(options.randomBytes),
    // One for all: few requests log anything, and those lines name their request.
    childLoggerFactory: (logger) => logger,
    routerOptions: { maxParamLength: MAX_PATH_PARAMETER_LENGTH },
    bodyLimit: jsonBodyLimit(options.maxContentBytes),
    // Node would refuse a request without Host by itself, and not with a problem document.
    http: {
      headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: options.checkTimeoutsMs ?? CHECK_TIMEOUTS_MS,
      requireHostHeader: false,
    },
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    connectionTimeout: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    keepAliveTimeout: Math.min(options.idleTimeoutMs ?? IDLE_TIMEOUT_MS, KEEP_ALIVE_MS),
    return503OnClosing: false,
    rewriteUrl: ({ url = '/' }) => withoutPrefix(url, prefixOf(options.publicUrl())),
    clientErrorHandler: (error, socket) => answerClientError(error, socket, options),
    frameworkErrors: (error, request, reply) => {
      // No hook has run.
      const { origin, host = '' } = request.headers
      void reply.headers({ ...securityHeaders(options.publicUrl()), ...options.origins.headersFor(origin, host) })
      const refuse = (reason: unknown): void => sendError(reason, request, reply, options)
      Promise.resolve()
        .then(() => checkAnybody(request, reply))
        .then(() => refuse(error), refuse)
    },
  })
  addCors(app, options.origins)
  validateStrictly(app)
  addBodyParsers(app, options)
  decorateWithIdentity(app, options.tokens)
  app.decorateRequest('refusedWith', null)
  app.decorateRequest('linkBase', {
    getter() {
      return linkBase(this.raw.url ?? '/', options.publicUrl())
    },
  })
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, options))
  addRequestHooks(app, options)
  addVersionHeader(app)
  addAnswerCompression(app)
  addAwaitedBodies(app, options.maxContentBytes)
  addBodyInflation(app)
  addRouteRules(app, options)
  return app
}

function addRequestHooks(app: FastifyInstance, { rates, publicUrl }: HttpServerOptions): void {
  let closing = false
  let security: Readonly<Record<string, string>> | null = null
  app.addHook('preClose', (done) => {
    closing = true
    done()
  })
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers((security ??= securityHeaders(publicUrl())))
    if (closing) done(new ParleyError('shutting-down', 'The server is stopping.'))
    else if (lacksHost(request)) done(new ParleyError('invalid-request', 'The Host header is missing.'))
    else if (request.is404) {
      const shown = rates.show(reply, request.raw, chargeOfMethod(request.method))
      const answer = (): void => answerUnknownRoute(app, request, reply, done)
      if (shown) shown.then(answer, done)
      else answer()
    } else done()
  })
}

/** RFC 9112 §3.2: HTTP/1.1 asks for it, older versions do not. */
const lacksHost = ({ raw }: FastifyRequest): boolean => raw.headers.host === undefined && raw.httpVersion === '1.1'

/**
 * Completes every route as it registers. Before the body: access, then its media type. After it: validation, so
 * that the order of refusal is that of SPEC API-4.
 */
function addRouteRules(
  app: FastifyInstance,
  { authenticate, rates }: Pick<HttpServerOptions, 'authenticate' | 'rates'>,
): void {
  app.addHook('onRoute', (route) => {
    const { consumes, openQuery } = route.config ?? {}
    const takesBody = consumes !== undefined || route.schema?.body !== undefined
    const hasBodies = route.method !== 'GET' && route.method !== 'HEAD'
    const checkAccess = guard(route, authenticate, rates)
    const accepted = consumes ?? [JSON_BODY]
    const beforeBody = step((request, reply) => {
      const checked = checkAccess(request, reply)
      const checkBody = (): void => {
        if (!hasBodies) return
        checkMediaType(request, accepted, consumes === undefined)
        if (request.identity !== null && hasBody(request)) watchBody(request, reply)
      }
      return checked ? checked.then(checkBody) : checkBody()
    })
    const afterBody = step((request) => {
      stillAllowed(request)
      checkQueryEncoding(request.raw.url ?? '')
      if (hasBodies) idempotencyKey(request)
    })
    route.onRequest = [beforeBody, ...[route.onRequest ?? []].flat()]
    // What a route looks at before all else that is 400 is how large a content is.
    if (openQuery !== true) route.preValidation = [...[route.preValidation ?? []].flat(), afterBody]
    route.schema = completeSchema(route, takesBody)
  })
}

/** A body takes its time, and the right to send it may have ended meanwhile (SPEC SYNC-8). */
function stillAllowed(request: FastifyRequest): void {
  if (request.bodyArrived === null) return
  request.bodyArrived()
  request.bodyArrived = null
  assertStillAllowed(request)
}

/** A hook of fastify that waits only where there is something to wait for. */
function step(run: (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>): onRequestHookHandler {
  return (request, reply, done) => {
    let running: void | Promise<void>
    try {
      running = run(request, reply)
    } catch (error) {
      done(error instanceof Error ? error : new Error('A hook threw something else', { cause: error }))
      return
    }
    if (running) running.then(() => done(), done)
    else done()
  }
}

/** Ids that no other process draws: a random start for each, then a count. */
function requestIds(randomBytes: (length: number) => Uint8Array): () => string {
  const start = Buffer.from(randomBytes(6)).toString('base64url')
  let count = 0
  return () => `${start}-${(count += 1).toString(36)}`
}

type LoggerOptions = Exclude<FastifyServerOptions['logger'], boolean | undefined>

function loggerOptions({ logLevel, logStream }: HttpServerOptions): LoggerOptions {
  return {
    level: logLevel,
    ...(logStream ? { stream: logStream } : {}),
    serializers: {
      req: (request: FastifyRequest) => ({ method: request.method, path: loggedPath(request.raw.url ?? '') }),
      err: (error: unknown) => loggedError(error),
    },
    hooks: {
      logMethod(line, write): void {
        if (line[0] !== UNSAID) write.apply(this, line)
      },
    },
  }
}
