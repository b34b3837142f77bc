import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { randomTag, toTag, type Environment } from '../foundation/environment.ts'
import { toLockHash, type DocumentId, type LockHash, type PrincipalId } from '../foundation/ids.ts'
import type { LockPass } from './lock.ts'

/** Random characters of a token: 130 bits, so that nobody finds one by trying. */
const TOKEN_CHARACTERS = 26

/** A new token. It holds its fence, so that comparing tokens compares fences too. */
export const newLockToken = (environment: Environment, fence: number): string =>
  `lck_${fence}_${randomTag(environment, TOKEN_CHARACTERS)}`

/** What a lock was asked for with, so that its token can be told again without being kept. */
export interface LockAsking {
  readonly document: DocumentId
  readonly owner: PrincipalId
  readonly idempotencyKey: string
}

/**
 * Makes the tokens of locks that were asked for with an `Idempotency-Key`: the same again for a repeat of the request,
 * from the server's secret. So the stored answer need not hold the token.
 */
export class RepeatableLockTokens {
  readonly #secret: Uint8Array

  constructor(secret: Uint8Array) {
    this.#secret = new Uint8Array(hkdfSync('sha256', secret, '', 'tokens of locks', 32))
  }

  tokenOf({ document, owner, idempotencyKey }: LockAsking, fence: number): string {
    const hmac = createHmac('sha256', this.#secret).update(JSON.stringify([document, owner, idempotencyKey, fence]))
    return `lck_${fence}_${toTag(hmac.digest().subarray(0, TOKEN_CHARACTERS))}`
  }
}

/** What is kept of a token, and compared with: whoever reads the database cannot use it. */
export const hashLockToken = (token: string): LockHash =>
  toLockHash(createHash('sha256').update(token).digest('base64url'))

/** The hash of a token that may be missing. */
export const hashGiven = (token: string | null | undefined): LockHash | null =>
  token === null || token === undefined ? null : hashLockToken(token)

/** What a request shows by its `Lock-Token`, if it has one. */
export const passOf = (token: string | null | undefined): LockPass => ({ by: 'request', tokenHash: hashGiven(token) })
