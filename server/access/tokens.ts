import { SignJWT, type JWTPayload } from 'jose'
import type { Environment } from '../foundation/environment.ts'
import type { Permission } from './access.ts'

/** RFC 7518 §3.2: a key for HS256 is at least as long as its hash. */
export const MIN_SECRET_BYTES = 32
/** For whoever sets one: what it has to be, and how to make it with what is there anyway. */
export const SECRET_EXPECTED = `at least ${MIN_SECRET_BYTES} bytes long; to make one: node -p "require('crypto').randomBytes(32).toString('base64')"`

/** What a token shall say. Durations in seconds, as in SPEC AUTH-3. */
export interface TokenRequest {
  readonly sub: string
  readonly access: Readonly<Record<string, readonly Permission[]>>
  readonly ttlSeconds: number
  readonly name?: string | undefined
}

export interface IssuedToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** RFC 7518 §3.1: HMAC with SHA-256, the one algorithm of the server's own secret. */
export const HS256 = 'HS256'
/** A token does not outlive a decade; whoever wants no end has not thought of the day it leaks. */
export const MAX_TTL_SECONDS = 10 * 366 * 24 * 3600
/** `sub` and `name` go into logs, headers and database columns. */
export const SUBJECT_PATTERN = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]{1,256}$'

/** Signs tokens with the server's own secret. */
export class TokenIssuer {
  readonly #secret: Uint8Array
  readonly #audience: string | null
  readonly #environment: Environment

  constructor(options: {
    readonly secret: Uint8Array
    readonly audience: string | null
    readonly environment: Environment
  }) {
    this.#secret = options.secret
    this.#audience = options.audience
    this.#environment = options.environment
  }

  /**
   * Times carry milliseconds (RFC 7519 §2 allows fractions), and `firstIssueMs` (since the epoch) lifts the time of
   * issue past a revocation: a token issued right after one is not taken for one issued before.
   */
  async issue(request: TokenRequest, firstIssueMs = 0): Promise<IssuedToken> {
    const now = this.#environment.now()
    const issuedAt = Math.max(now, firstIssueMs)
    const expiresAt = now + request.ttlSeconds * 1000
    const claims: JWTPayload = { access: request.access }
    if (request.name !== undefined) claims['name'] = request.name
    const jwt = new SignJWT(claims)
      .setProtectedHeader({ alg: HS256, typ: 'JWT' })
      .setSubject(request.sub)
      .setIssuedAt(issuedAt / 1000)
      .setExpirationTime(expiresAt / 1000)
      .setJti(Buffer.from(this.#environment.randomBytes(12)).toString('base64url'))
    if (this.#audience !== null) jwt.setAudience(this.#audience)
    return { token: await jwt.sign(this.#secret), expiresAt }
  }
}
