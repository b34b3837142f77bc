import { createHash } from 'node:crypto'
import { randomTag, type Environment } from '../foundation/environment.ts'
import { toLockHash, type LockHash } from '../foundation/ids.ts'
import type { LockPass } from './lock.ts'

/** Random characters of a token: 130 bits, so that nobody finds one by trying. */
const TOKEN_CHARACTERS = 26

/** A new token. It holds its fence, so that comparing tokens compares fences too. */
export const newLockToken = (environment: Environment, fence: number): string =>
  `lck_${fence}_${randomTag(environment, TOKEN_CHARACTERS)}`

/** What is kept of a token, and compared with: whoever reads the database cannot use it. */
export const hashLockToken = (token: string): LockHash =>
  toLockHash(createHash('sha256').update(token).digest('base64url'))

/** The hash of a token that may be missing. */
export const hashGiven = (token: string | null | undefined): LockHash | null =>
  token === null || token === undefined ? null : hashLockToken(token)

/** What a request shows by its `Lock-Token`, if it has one. */
export const passOf = (token: string | null | undefined): LockPass => ({ by: 'request', tokenHash: hashGiven(token) })
