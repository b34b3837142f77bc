import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'
import { withoutVersion } from '../foundation/links.ts'
import type { LogLevel } from './logLevel.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What it was refused with, for the log. */
    refusedWith: LoggedProblem | null
  }
}

interface LoggedProblem {
  readonly problem: ProblemCode
  readonly conflict: string | undefined
}

/** A path may be 16 KiB of whatever a client thought of. */
const MAX_PATH_CHARACTERS = 512
/** What `listen` of fastify is to say: `parley serve` has a line of its own, with more in it (SPEC OPS-5). */
export const UNSAID = ''

/**
 * SPEC OPS-10: one line for each request, when it was answered. It never shows headers, bodies or a query, for contents,
 * tokens and lock tokens travel there.
 */
export class RequestLog extends LogController {
  /** The least status that is logged. */
  readonly #from: number

  /** Lines of requests that were not refused cost more than they tell, so they are for those who look for something. */
  constructor(level: LogLevel) {
    super()
    this.#from = level === 'debug' || level === 'trace' ? 0 : level === 'info' ? 400 : Infinity
  }

  override incomingRequest(): void {}

  override routeNotFound(): void {}

  /** A reader that goes away is no news. */
  override streamError(error: Error, request: FastifyRequest, reply: FastifyReply): void {
    if (Reflect.get(error, 'code') !== 'ERR_STREAM_PREMATURE_CLOSE') super.streamError(error, request, reply)
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const status = reply.statusCode
    if (status < this.#from) return
    const line = factsOf(request, status, Math.round(reply.elapsedTime * 10) / 10)
    const shown = error ? { ...line, err: error } : line
    if (status < 400) request.log.debug(shown, 'request')
    else request.log.info(shown, 'request')
  }
}

function factsOf(request: FastifyRequest, status: number, ms: number): object {
  const { identity, refusedWith, routeOptions } = request
  const route = routeOptions.url === undefined ? undefined : withoutVersion(routeOptions.url)
  return {
    reqId: request.id,
    method: request.method,
    route,
    path: loggedPath(request.raw.url ?? ''),
    status,
    problem: refusedWith?.problem,
    document: identity?.documentId ?? undefined,
    conflict: textMember(request.params, 'conflict') ?? refusedWith?.conflict,
    principal: identity?.principal.sub,
    ms,
  }
}

/** Without the query, also where its question mark was encoded by mistake. */
export const loggedPath = (url: string): string => (url.split(/\?|%3f/i, 1)[0] ?? '').slice(0, MAX_PATH_CHARACTERS)

/** What a problem leaves in the line of its request. */
export const loggedProblem = ({ code, extras }: ParleyError): LoggedProblem => ({
  problem: code,
  conflict: textMember(extras['conflict'], 'id'),
})

function textMember(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === 'string' ? found : undefined
}
