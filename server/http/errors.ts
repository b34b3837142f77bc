import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer } from '../foundation/answer.ts'
import { ParleyError } from '../foundation/problems.ts'
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'
import { toJson } from '../foundation/renderedJson.ts'
import { isHeldBack } from './awaitedBodies.ts'
import { bodyLimitOf } from './bodies.ts'
import { senderOf } from './cors.ts'
import type { Origins } from './origins.ts'
import { PROBLEM_MEDIA_TYPE, problemDocument } from './problem.ts'
import { loggedProblem } from './requestLog.ts'
import { securityHeaders } from './securityHeaders.ts'

/** What fastify itself refuses, in our words. Whatever is missing here is judged by its status. */
const FASTIFY_ERRORS: Readonly<Record<string, { readonly code: ProblemCode; readonly detail: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'unsupported-media-type', detail: 'The Content-Type is not taken here.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'invalid-request',
    detail: 'The body is not as long as Content-Length says.',
  },
  FST_ERR_BAD_URL: { code: 'invalid-request', detail: 'The path is not valid percent-encoding.' },
  Z_DATA_ERROR: { code: 'invalid-request', detail: 'The body is not what gzip makes.' },
  Z_BUF_ERROR: { code: 'invalid-request', detail: 'The compressed body ends too early.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'invalid-request', detail: 'The path is too long.' },
}

/** The codes that stand for an HTTP status, for errors of libraries that know only that. */
const CODE_OF_STATUS: Readonly<Record<number, ProblemCode>> = {
  403: 'not-found',
  404: 'not-found',
  408: 'request-timeout',
  413: 'content-too-large',
  415: 'unsupported-media-type',
  431: 'headers-too-large',
}

/** Any thrown thing as the problem a client may see. What was not expected becomes `internal` and tells nothing. */
function toProblem(error: unknown, request: FastifyRequest, maxContentBytes: number): ParleyError {
  if (error instanceof ParleyError) return error
  const code = stringMember(error, 'code')
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = bodyLimitOf(request, maxContentBytes)
    return new ParleyError('content-too-large', `The body is longer than the ${limit} bytes that are taken here.`)
  }
  const known = code === null ? undefined : FASTIFY_ERRORS[code]
  if (known) return new ParleyError(known.code, known.detail)
  const status = numberMember(error, 'statusCode')
  if (status !== null && status >= 400 && status < 500) {
    return new ParleyError(CODE_OF_STATUS[status] ?? 'invalid-request', 'The request could not be taken.')
  }
  return new ParleyError('internal', `If it happens again, report it with the request id ${request.id}.`)
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function stringMember(value: unknown, name: string): string | null {
  const found = member(value, name)
  return typeof found === 'string' ? found : null
}

function numberMember(value: unknown, name: string): number | null {
  const found = member(value, name)
  return typeof found === 'number' ? found : null
}

/** Answers a request with whatever went wrong with it, and logs what an operator should look at. */
export function sendError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  options: { readonly publicUrl: () => string; readonly maxContentBytes: number },
): void {
  request.bodyArrived?.()
  const problem = toProblem(error, request, options.maxContentBytes)
  const { status } = problemKind(problem.code)
  request.refusedWith = loggedProblem(problem)
  if (problem.code === 'internal') request.log.error({ reqId: request.id, err: error }, 'request failed unexpectedly')
  else if (status >= 500) {
    request.log.warn({ reqId: request.id, code: problem.code, err: problem.cause ?? problem }, problem.detail)
  }
  // After an early refusal Node reads away the rest of the body. Closing at once instead would reset the connection,
  // and the client might never see this answer.
  reply.removeHeader('connection')
  // But where the body was never asked for: nothing is on its way, and nobody knows what comes next on the connection.
  if (isHeldBack(request.raw)) void reply.header('Connection', 'close')
  const answer = problemAnswer(problem, options.publicUrl(), pathOf(request.raw.url ?? '/'))
  void reply.code(answer.status).headers(answer.headers).send(answer.body)
}

/** The answer that tells of a problem; `instance` is the path of the request. */
export function problemAnswer(problem: ParleyError, publicUrl: string, instance: string): Answer & { body: string } {
  const { status } = problemKind(problem.code)
  return {
    status,
    headers: { ...defaultHeaders(problem.code, status), ...problem.headers, 'content-type': PROBLEM_MEDIA_TYPE },
    body: toJson(problemDocument(problem, publicUrl, instance)),
  }
}

/** Headers that a status calls for even where the thrower did not think of them. */
function defaultHeaders(code: ProblemCode, status: number): Record<string, string> {
  if (code === 'shutting-down') return { 'Retry-After': RETRY_AFTER_SECONDS, Connection: 'close' }
  if (CACHED_UNASKED.has(status)) return { 'Cache-Control': 'no-store' }
  return status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}
}

/** RFC 9110 §15.1: whoever is not told otherwise may keep them. Chromium keeps a 410 for good, and what was deleted can come back. */
const CACHED_UNASKED: ReadonlySet<number> = new Set([404, 405, 410])

/** A restart or a full queue passes in about a second; whoever knows better sets the header. */
const RETRY_AFTER_SECONDS = '1'

export const pathOf = (url: string): string => url.split('?', 1)[0] ?? url

/** Node's parser refused what came on the socket, so there is no request to answer; this writes the answer by hand. */
export function answerClientError(
  error: Error,
  socket: Socket,
  options: { readonly publicUrl: () => string; readonly origins: Origins },
): void {
  if (!socket.writable || stringMember(error, 'code') === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem = clientProblem(stringMember(error, 'code'))
  const { status } = problemKind(problem.code)
  const publicUrl = options.publicUrl()
  const rawPacket = member(error, 'rawPacket')
  const body = JSON.stringify(problemDocument(problem, publicUrl))
  const headers = {
    'Content-Type': `${PROBLEM_MEDIA_TYPE}; charset=utf-8`,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    ...securityHeaders(publicUrl),
    ...options.origins.headersFor(...senderOf(socket, rawPacket)),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines]
  endWith(socket, `${head.join('\r\n')}\r\n\r\n${body}`)
}

/** The last answer on a connection that HTTP has let go of: its client has some time to read it, and then it is closed. */
export function endWith(socket: Duplex, answer: string): void {
  socket.end(answer)
  // Closing with unread bytes would reset the connection and take the answer with it.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** Time for a client to read why it was refused, before its socket is destroyed. */
export const LINGER_MS = 2_000

function clientProblem(code: string | null): ParleyError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new ParleyError('request-timeout', 'The request did not arrive whole.')
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new ParleyError('headers-too-large', 'The request line and headers hold more than 16 KiB.')
  }
  return new ParleyError('invalid-request', 'This is not a well-formed HTTP/1.1 request.')
}
