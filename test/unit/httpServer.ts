import type { FastifyInstance } from 'fastify'
import type { Principal, TokenWatch } from '../../server/access/access.ts'
import { parseAccess } from '../../server/access/access.ts'
import { tokenRefused } from '../../server/access/bearer.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { Origins } from '../../server/http/origins.ts'
import { problemPages } from '../../server/api/problemPages.ts'
import { mount, type Routes } from '../../server/http/mount.ts'
import { RequestRates } from '../../server/http/rates.ts'
import { createHttpServer, type HttpServerOptions } from '../../server/http/server.ts'
import { Connections } from '../../server/limits/connections.ts'
import { LocalBuckets } from '../../server/limits/localBuckets.ts'
import { RateLimits } from '../../server/limits/rates.ts'

export const PUBLIC_URL = 'https://parley.example'

const ACCESS: Readonly<Record<string, unknown>> = {
  reader: { 'doc:*': ['read'] },
  writer: { 'doc:*': ['read', 'write'] },
  blindWriter: { 'doc:*': ['write'] },
  admin: { '*': ['admin'] },
  teamAdmin: { 'team:*': ['admin'] },
}

/** A principal whose token is their name. */
export async function principalNamed(token: string): Promise<Principal> {
  const grants = parseAccess(ACCESS[token])
  if (!grants) throw tokenRefused('The token is not one of this test')
  return { sub: toPrincipalId(token), name: null, grants, issuedAt: 0, expiresAt: 1, tokenId: null }
}

export const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

const OFF = { read: 0, write: 0, resolve: 0, connect: 0, token: 0 }
export const NO_RATES = new RequestRates(
  new RateLimits(OFF, new LocalBuckets(systemEnvironment)),
  [],
  new Connections(0),
)

export const ORIGINS = new Origins(['https://app.example'], PUBLIC_URL)

const NEVER_ENDING: TokenWatch = { problemOf: () => null, whileWaiting: () => () => undefined }

/** The HTTP foundation with these routes mounted, quiet unless `options` say otherwise. */
export function serverWith(routes: Routes, options: Partial<HttpServerOptions> = {}): FastifyInstance {
  const app = createHttpServer({
    authenticate: principalNamed,
    tokens: NEVER_ENDING,
    rates: NO_RATES,
    maxContentBytes: 10 * 1024 * 1024,
    maxContentNodes: 100_000,
    publicUrl: () => PUBLIC_URL,
    origins: ORIGINS,
    randomBytes: (length) => new Uint8Array(length),
    logLevel: 'silent',
    ...options,
  })
  mount(
    app,
    problemPages(() => PUBLIC_URL),
  )
  mount(app, routes)
  return app
}
