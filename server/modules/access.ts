import type { Authenticate, Principal } from '../access/access.ts'
import { KeySet } from '../access/keySet.ts'
import { Revocations } from '../access/revocations.ts'
import { TokenIssuer } from '../access/tokens.ts'
import { WatchedTokens } from '../access/tokenWatch.ts'
import { secretKeys, TokenVerifier } from '../access/verifier.ts'
import { guestRoutes } from '../api/guest.ts'
import { authRoutes } from '../api/tokens.ts'
import type { Config } from '../config.ts'
import type { ActorNames } from '../documents/actorNames.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Jobs } from '../foundation/jobs.ts'
import type { Idempotency } from '../http/idempotency.ts'
import type { Storage } from '../storage/storage.ts'
import type { Module } from './module.ts'

/** 48 random bytes: more than HS256 can use. */
const DRAWN_SECRET_BYTES = 48

export type Access = Awaited<ReturnType<typeof createAccess>>

/** Who may. Rejects with `storage-unavailable` where the revocations cannot be read. */
export async function createAccess(
  config: Config,
  environment: Environment,
  { storage, names }: { readonly storage: Storage; readonly names: ActorNames },
) {
  const secret = config.secret === null ? environment.randomBytes(DRAWN_SECRET_BYTES) : Buffer.from(config.secret)
  const { audience } = config
  const revocations = await Revocations.load(storage)
  const previous = config.secretPrevious === null ? [] : [secretKeys(Buffer.from(config.secretPrevious))]
  const { jwksUrl: url, issuer } = config
  const keySet = url === null ? null : new KeySet({ url, issuer })
  const keys = [secretKeys(secret), ...previous, ...(keySet === null ? [] : [keySet.trusted()])]
  const tokens = new WatchedTokens(environment, revocations)
  const verifier = new TokenVerifier({
    keys,
    audience,
    environment,
    revocations,
    onRead: ({ sub, name }) => names.meet(sub, name),
  })
  return {
    /** Of this server: kept in the configuration, or drawn at this start. */
    secret,
    revocations,
    keySet,
    issuer: new TokenIssuer({ secret, audience, environment }),
    authenticate: ((token, first) => verifier.verify(token, first)) satisfies Authenticate,
    /** Whether a token that was verified once still counts: not expired, not revoked. */
    isValid: (principal: Principal) => tokens.problemOf(principal) === null,
    tokens,
  }
}

export interface AccessParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly jobs: Jobs
  readonly idempotency: Idempotency
}

/** Tokens, revocations, and guests of a development server. */
export function accessModule(
  { issuer, revocations, keySet }: Access,
  { config, environment, idempotency, storage, jobs }: AccessParts,
): Module {
  const guests = config.development ? [guestRoutes({ issuer, environment })] : []
  return {
    name: 'access',
    routes: [authRoutes({ issuer, revocations, idempotency, environment }), ...guests],
    start: async () => {
      if (storage.shared) jobs.start(revocations.following(environment))
      if (keySet !== null) jobs.start(keySet.following())
    },
  }
}
