import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import { invariant } from '../foundation/assert.ts'
import { EXPOSED_HEADERS, type Origins } from './origins.ts'

/** Chromium keeps a preflight no longer than this; what the real request is refused for, it is told then. */
const PREFLIGHT_SECONDS = 7_200

const REFUSED: FastifyCorsOptions = { origin: false }
const ALLOWED: FastifyCorsOptions = {
  origin: true,
  preflight: false,
  methods: 'GET, HEAD, POST, PUT, PATCH, DELETE',
  exposedHeaders: EXPOSED_HEADERS,
  maxAge: PREFLIGHT_SECONDS,
}
/** Any header may be sent: which are taken is said by the answer to the request itself. */
const PREFLIGHT: FastifyCorsOptions = { ...ALLOWED, preflight: true }

/**
 * Lets pages of the allowed origins read every answer, and answers their preflights before anyone is asked for a token
 * (SPEC AUTH-4). To be added before the hooks that refuse.
 */
export function addCors(app: FastifyInstance, origins: Origins): void {
  const answerPage = hookOfCors(app, (request, decide) => {
    const { origin = '', host = '' } = request.headers
    if (!origins.allows(origin, host)) decide(null, REFUSED)
    else decide(null, isPreflight(request) ? PREFLIGHT : ALLOWED)
  })
  app.addHook('onRequest', function (request, reply, done) {
    const { origin, host = '' } = request.headers
    if (origin === undefined) {
      void reply.header('Vary', 'Origin')
      done()
      return
    }
    senders.set(request.raw.socket, [origin, host])
    answerPage.call(this, request, reply, done)
  })
}

type Delegator = (request: FastifyRequest, decide: (error: null, options: FastifyCorsOptions) => void) => void

/**
 * What the plugin does to a request of a page. Registered, it would work out its options for every program too, which costs
 * a small write a fiftieth, and take `OPTIONS` of every path for a route of its own.
 */
function hookOfCors(app: FastifyInstance, delegator: Delegator): onRequestHookHandler {
  const hooks: onRequestHookHandler[] = []
  const recorded: Readonly<Record<string | symbol, unknown>> = {
    decorateRequest: () => undefined,
    addHook: (_name: string, hook: onRequestHookHandler) => hooks.push(hook),
    options: () => undefined,
  }
  cors(new Proxy(app, { get: (_app, name) => recorded[name] }), { delegator }, () => undefined)
  const [hook] = hooks
  invariant(hook !== undefined, '@fastify/cors adds a hook')
  return hook
}

type Sender = readonly [origin: string | undefined, host: string]

/** Who sent the last request on a connection, where it was a page of another origin. */
const senders = new WeakMap<Socket, Sender>()

/**
 * `Origin` and `Host` of what Node refused by itself. Its bytes are looked through, for a head may be known in part; where
 * there are none its body did not come, and the request is known. All that comes of a wrong guess is that a page of an
 * allowed origin reads the refusal.
 */
export function senderOf(socket: Socket, rawPacket: unknown): Sender {
  const head = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:[ \\t]*(\\S+)[ \\t]*\\r?$`, 'im').exec(head)?.[1]
  const origin = field('Origin')
  return origin === undefined ? (senders.get(socket) ?? [undefined, '']) : [origin, field('Host') ?? '']
}

const isPreflight = ({ method, headers }: FastifyRequest): boolean =>
  method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
