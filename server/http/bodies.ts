import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ParleyError } from '../foundation/problems.ts'
import { isTakenCoding } from './compression.ts'
import { assertModest } from './bodyScale.ts'
import { bodyDigest } from './idempotencyKey.ts'
import { parseStrictJson } from './strictJson.ts'

export const JSON_BODY = 'application/json'
export const TEXT_BODY = 'text/plain'
export const MERGE_PATCH = 'application/merge-patch+json'
export const JSON_PATCH = 'application/json-patch+json'
export const TEXT_DELTA = 'application/vnd.parley.delta+json'

/** Every media type that some route takes. Text arrives as a string, the others as parsed, strict JSON. */
export type MediaType = typeof JSON_BODY | typeof TEXT_BODY | typeof MERGE_PATCH | typeof JSON_PATCH | typeof TEXT_DELTA

/** A control character is one byte of content and six of JSON (`\u0001`). */
const JSON_ESCAPE_FACTOR = 6
/** A document of the most nodes comes with room for what stands around it, or two of them at once. */
const VALUES_A_NODE = 2
/** Room for what stands around the content in a JSON body: other members, white space, patch operations. */
const JSON_ENVELOPE_BYTES = 1024 * 1024

/** Bytes that a JSON body may have, so that a content of the longest kind gets through however it is escaped. */
export const jsonBodyLimit = (maxContentBytes: number): number =>
  maxContentBytes * JSON_ESCAPE_FACTOR + JSON_ENVELOPE_BYTES

/** Bytes that the body of this request may have; a route may set less than its media type allows. */
export function bodyLimitOf(request: FastifyRequest, maxContentBytes: number): number {
  const { bodyLimit } = request.routeOptions
  return request.mediaType === TEXT_BODY ? Math.min(bodyLimit, maxContentBytes) : bodyLimit
}

/** Replaces fastify's body parsers by strict ones. `maxContentBytes` counts UTF-8; a bare text may be just that long. */
export function addBodyParsers(
  app: FastifyInstance,
  { maxContentBytes, maxContentNodes }: { readonly maxContentBytes: number; readonly maxContentNodes: number },
): void {
  app.decorateRequest('bodyDigest', null)
  app.removeAllContentTypeParsers()
  for (const type of [JSON_BODY, MERGE_PATCH, JSON_PATCH, TEXT_DELTA]) {
    app.addContentTypeParser(
      type,
      { parseAs: 'buffer', bodyLimit: jsonBodyLimit(maxContentBytes) },
      parser((bytes) => parseJsonBody(bytes, maxContentNodes * VALUES_A_NODE)),
    )
  }
  app.addContentTypeParser(TEXT_BODY, { parseAs: 'buffer', bodyLimit: maxContentBytes }, parser(parseTextBody))
}

type Parser = (
  request: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, value?: unknown) => void,
) => void

function parser(parse: (bytes: Uint8Array) => unknown): Parser {
  return (request, body, done) => {
    let value: unknown
    try {
      if (request.headers['idempotency-key'] !== undefined) request.bodyDigest = bodyDigest(body)
      value = parse(typeof body === 'string' ? Buffer.from(body) : body)
    } catch (error) {
      done(error instanceof Error ? error : new Error('A body parser threw something else', { cause: error }))
      return
    }
    // What comes next takes as long as parsing did (SPEC OPS-8). The first of two is of the turn in which sockets are read.
    if (body.length > BRIEF_BYTES) setImmediate(() => setImmediate(done, null, value))
    else done(null, value)
  }
}

/** Parsed, and looked at, in some 20 ms. */
const BRIEF_BYTES = 256 * 1024

/** Clients that always send a JSON content type send no body where none is needed; a schema then misses it where one is. */
function parseJsonBody(bytes: Uint8Array, maxValues: number): unknown {
  if (bytes.length === 0) return undefined
  assertModest(bytes, maxValues)
  return parseStrictJson(bytes)
}

/** Text is kept to the byte, a byte order mark and every `\r` included. */
function parseTextBody(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new ParleyError('invalid-request', 'The body is not valid UTF-8.')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/**
 * Refuses a body whose type the route does not take, before a byte of it is read (415, RFC 9110 §15.5.16).
 * A request without a body and without a type passes where `optional`; validation then says what is missing.
 */
export function checkMediaType(request: FastifyRequest, accepted: readonly MediaType[], optional: boolean): void {
  const { headers } = request
  const encoding = headers['content-encoding']
  if (!isTakenCoding(encoding)) {
    const refusal = unsupported(request, accepted, `Content-Encoding ${encoding} is not taken.`)
    throw new ParleyError(refusal.code, refusal.detail, { headers: { ...refusal.headers, 'Accept-Encoding': 'gzip' } })
  }
  if (headers['content-type'] === undefined && optional && !hasBody(request)) return
  const type = request.mediaType
  if (!accepted.some((one) => one === type)) throw unsupported(request, accepted, 'The body is of another type.')
  if (!isUtf8Charset(headers['content-type'] ?? '')) {
    throw unsupported(request, accepted, 'The only charset taken is utf-8.')
  }
}

export function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function isUtf8Charset(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)"?/i.exec(contentType)
  return charset === null || /^utf-?8$/i.test(charset[1] ?? '')
}

/** `Accept-Patch` (RFC 5789 §3.1) for PATCH, `Accept` for the others, as RFC 9110 §15.5.16 suggests. */
function unsupported(request: FastifyRequest, accepted: readonly MediaType[], why: string): ParleyError {
  const list = accepted.join(', ')
  const header = request.method === 'PATCH' ? 'Accept-Patch' : 'Accept'
  return new ParleyError('unsupported-media-type', `${why} This path takes ${list}.`, { headers: { [header]: list } })
}
