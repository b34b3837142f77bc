import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { withoutVersion } from '../foundation/links.ts'
import { ParleyError } from '../foundation/problems.ts'

const MAX_KEY_CHARACTERS = 255

declare module 'fastify' {
  interface FastifyRequest {
    /** SHA-256 of the body as it came; only where the request has an `Idempotency-Key`. */
    bodyDigest: string | null
  }
}

/**
 * The key as sent, quoted (RFC 9651 §3.3.3) or bare; null where there is none. Throws `invalid-request` unless it has
 * 1 to 255 characters.
 */
export function idempotencyKey({ headers }: FastifyRequest): string | null {
  const header = headers['idempotency-key']
  if (header === undefined) return null
  const text = String(header)
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]
  const key = quoted === undefined ? text : quoted.replace(/\\(["\\])/g, '$1')
  if (key.length >= 1 && key.length <= MAX_KEY_CHARACTERS) return key
  throw new ParleyError('invalid-request', `An Idempotency-Key has 1 to ${MAX_KEY_CHARACTERS} characters.`)
}

/** For routes whose answer is never kept. Throws `invalid-request`. */
export function refuseIdempotencyKey({ headers }: FastifyRequest): void {
  if (headers['idempotency-key'] === undefined) return
  throw new ParleyError('invalid-request', 'This path takes no Idempotency-Key: a token is not kept to be sent again.')
}

export const bodyDigest = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('base64url')

const CONDITIONS = ['if-match', 'if-none-match', 'prefer', 'lock-token'] as const

/** What makes two requests the same (SPEC WRITE-8). The two prefixes of a path are one route (SPEC API-1). */
export function fingerprintOf(request: FastifyRequest): string {
  const target = withoutVersion(request.raw.url ?? '')
  const conditions = CONDITIONS.map((name) => request.headers[name] ?? null)
  return bodyDigest(JSON.stringify([request.method, target, request.mediaType ?? null, request.bodyDigest, conditions]))
}
