import type { IncomingMessage } from 'node:http'
import { ParleyError } from '../foundation/problems.ts'

/** `Bearer` in any case, then a b64token (RFC 6750 §2.1, RFC 9110 §11.1). */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i

/**
 * What a request says about who sends it. `malformed` is a token that was sent, but not as one can be read.
 * `?token=` counts where `query` says so only (SPEC AUTH-1: WebSocket and Server-Sent Events); the header wins.
 */
export type SentToken =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }

export function tokenFromRequest(
  request: Pick<IncomingMessage, 'headers' | 'url'>,
  options: { readonly query: boolean },
): SentToken {
  const header = request.headers.authorization
  if (header !== undefined) {
    const token = BEARER.exec(header)?.[1]
    if (token !== undefined) return { kind: 'token', token }
    return /^bearer\b/i.test(header) ? { kind: 'malformed' } : { kind: 'none' }
  }
  if (!options.query) return { kind: 'none' }
  const [token, ...more] = queryTokens(request.url ?? '')
  if (token === undefined) return { kind: 'none' }
  return token !== '' && more.length === 0 ? { kind: 'token', token } : { kind: 'malformed' }
}

function queryTokens(url: string): string[] {
  const start = url.indexOf('?')
  return start === -1 ? [] : new URLSearchParams(url.slice(start + 1)).getAll('token')
}

/** 401 for a request without a token: RFC 6750 §3.1 wants no error code then. */
export function tokenMissing(detail = 'Send `Authorization: Bearer <token>`.'): ParleyError {
  return new ParleyError('unauthenticated', detail, { headers: { 'WWW-Authenticate': 'Bearer realm="parley"' } })
}

/** 401 for a token that was sent and does not count. `why` is plain ASCII without quotes: it goes into a header. */
export function tokenRefused(why: string): ParleyError {
  return new ParleyError('unauthenticated', `${why}.`, {
    headers: { 'WWW-Authenticate': `Bearer realm="parley", error="invalid_token", error_description="${why}"` },
  })
}
