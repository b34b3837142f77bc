import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { Type } from 'typebox'
import { Check } from 'typebox/value'
import { cacheOf } from '../foundation/cache.ts'
import type { Environment } from '../foundation/environment.ts'
import { toPrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { parseAccess, type Principal } from './access.ts'
import { tokenRefused } from './bearer.ts'
import type { Revocations } from './revocations.ts'
import { HS256, MAX_TTL_SECONDS, SUBJECT_PATTERN } from './tokens.ts'

/** Whose signatures count, and made how: keys of one kind never verify what is signed by another. */
export interface TrustedKeys {
  readonly algorithms: string[]
  /** What `iss` of a token must be; null where it may be anything. */
  readonly issuer: string | null
  /** Throws jose's `JWKSNoMatchingKey` where there is none, or a `ParleyError`. */
  readonly keyOf: JWTVerifyGetKey
}

/** A secret of this server's own. */
export function secretKeys(secret: Uint8Array): TrustedKeys {
  return { algorithms: [HS256], issuer: null, keyOf: () => secret }
}

/** Clocks of issuer and server may differ a little; for `exp` SPEC AUTH-1 allows nothing. */
const NOT_BEFORE_LEEWAY_SECONDS = 5
/** The last second of the year 9999, the latest that RFC 3339 can write. */
const MAX_NUMERIC_DATE = 253_402_300_799

const Subject = Type.String({ pattern: SUBJECT_PATTERN })
const NumericDate = Type.Number({ minimum: 0, maximum: MAX_NUMERIC_DATE })
/** RFC 7519 §4.1, as far as SPEC AUTH-1 narrows it; `aud` is compared by jose, `access` read by `parseAccess`. */
const Claims = Type.Object({
  sub: Subject,
  exp: NumericDate,
  nbf: Type.Optional(NumericDate),
  iat: Type.Optional(NumericDate),
  jti: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  name: Type.Optional(Type.Union([Subject, Type.Null()])),
  access: Type.Unknown(),
})

interface Verified {
  readonly principal: Principal
  /** Seconds since the epoch. */
  readonly notBefore: number
}

/** Enough for every user of a busy server; a token is at most 16 KiB (Node's header limit), usually 300 bytes. */
const MAX_CACHED_TOKENS = 10_000
const MAX_CACHED_CHARACTERS = 16_000_000

/** Verifies tokens (SPEC AUTH-1). A signature is checked once; time and revocations on every use. */
export class TokenVerifier {
  readonly #keys: readonly TrustedKeys[]
  readonly #audience: string | null
  readonly #environment: Environment
  readonly #revocations: Pick<Revocations, 'isRevoked'>
  readonly #onRead: (principal: Principal) => void
  readonly #verified = cacheOf<string, Verified>(MAX_CACHED_TOKENS, {
    together: MAX_CACHED_CHARACTERS,
    of: (_verified, token) => token.length,
  })

  constructor(options: {
    /** The first that a token fits counts. */
    readonly keys: readonly TrustedKeys[]
    readonly audience: string | null
    readonly environment: Environment
    readonly revocations: Pick<Revocations, 'isRevoked'>
    /** Told of every token that is read for the first time and counts. */
    readonly onRead?: (principal: Principal) => void
  }) {
    this.#keys = options.keys
    this.#audience = options.audience
    this.#environment = options.environment
    this.#revocations = options.revocations
    this.#onRead = options.onRead ?? (() => {})
  }

  /** Throws or rejects with `ParleyError('unauthenticated')` for a token that does not count now. */
  verify(token: string, first?: () => void | Promise<void>): Principal | Promise<Principal> {
    const verified = this.#verified.get(token)
    return verified ? this.#countsNow(token, verified) : this.#verifyUnknown(token, first)
  }

  async #verifyUnknown(token: string, first: () => void | Promise<void> = () => undefined): Promise<Principal> {
    await first()
    return this.#countsNow(token, await this.#check(token))
  }

  #countsNow(token: string, verified: Verified): Principal {
    const nowSeconds = this.#environment.now() / 1000
    if (verified.principal.expiresAt <= nowSeconds) {
      this.#verified.delete(token)
      throw tokenRefused('The token has expired')
    }
    if (verified.notBefore > nowSeconds + NOT_BEFORE_LEEWAY_SECONDS) throw tokenRefused('The token is not valid yet')
    if (this.#revocations.isRevoked(verified.principal)) throw tokenRefused('The token was revoked')
    return verified.principal
  }

  /** Signature, audience and form of the claims: what holds for the life of the token. */
  async #check(token: string): Promise<Verified> {
    const payload = await this.#signedPayload(token)
    const grants = parseAccess(payload['access'])
    if (!Check(Claims, payload) || grants === null) throw tokenRefused('The claims of the token are malformed')
    const issuedAt = payload.iat ?? this.#environment.now() / 1000
    if (payload.exp - issuedAt > MAX_TTL_SECONDS + 1) throw tokenRefused('The token lives longer than a decade')
    const verified: Verified = {
      principal: {
        sub: toPrincipalId(payload.sub),
        name: payload.name ?? null,
        grants,
        // A token that does not say when it was issued counts as old: any revocation of its subject ends it.
        issuedAt: payload.iat ?? 0,
        expiresAt: payload.exp,
        tokenId: payload.jti ?? null,
      },
      notBefore: payload.nbf ?? 0,
    }
    this.#verified.set(token, verified)
    this.#onRead(verified.principal)
    return verified
  }

  async #signedPayload(token: string): Promise<JWTPayload> {
    let refusal: unknown = new errors.JOSEAlgNotAllowed('no keys are of this algorithm')
    for (const keys of this.#keys) {
      try {
        return await this.#payloadBy(keys, token)
      } catch (error) {
        if (!isOtherKey(error)) throw refusalOf(error)
        // What another key said of the algorithm tells less than a signature that does not fit.
        if (!(error instanceof errors.JOSEAlgNotAllowed)) refusal = error
      }
    }
    throw refusalOf(refusal)
  }

  async #payloadBy({ keyOf, algorithms, issuer }: TrustedKeys, token: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, keyOf, {
      algorithms,
      currentDate: new Date(this.#environment.now()),
      clockTolerance: NOT_BEFORE_LEEWAY_SECONDS,
      requiredClaims: ['sub', 'exp', 'access'],
      ...(this.#audience === null ? {} : { audience: this.#audience }),
      ...(issuer === null ? {} : { issuer }),
    })
    return payload
  }
}

/** Whether the token may have been signed by other keys that count. */
const isOtherKey = (error: unknown): boolean =>
  error instanceof errors.JOSEAlgNotAllowed ||
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JWKSNoMatchingKey

/** jose's reasons in words that tell a client what to do, and an attacker nothing about the key. */
function refusalOf(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error
  if (error instanceof errors.JWTExpired) return tokenRefused('The token has expired')
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return tokenRefused('The token is not valid yet')
    if (error.claim === 'aud') return tokenRefused('The token is for another audience')
    if (error.claim === 'iss') return tokenRefused('The token is by another issuer')
    return tokenRefused('The claims of the token are malformed')
  }
  if (error instanceof errors.JOSEError) return tokenRefused('The token is not signed as this server expects')
  return new ParleyError('internal', 'The token could not be checked.', { cause: error })
}
