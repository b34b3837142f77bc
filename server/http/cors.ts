import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
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
 * (SPEC AUTH-4). Called first and directly, not registered: its hook must stand before those that refuse, and its route
 * for all of OPTIONS before those that complete routes.
 */
export function addCors(app: FastifyInstance, origins: Origins): void {
  const delegator = (request: FastifyRequest, decide: (error: null, options: FastifyCorsOptions) => void): void => {
    const { origin, host = '' } = request.headers
    if (origin !== undefined) senders.set(request.raw.socket, [origin, host])
    if (origin === undefined || !origins.allows(origin, host)) decide(null, REFUSED)
    else decide(null, isPreflight(request) ? PREFLIGHT : ALLOWED)
  }
  cors(app, { delegator }, () => undefined)
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
