import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import {
  can,
  canEverywhere,
  patternsWith,
  type Authenticate,
  type Permission,
  type Principal,
  type TokenWatch,
} from '../access/access.ts'
import { tokenFromRequest, tokenMissing, tokenRefused, type SentToken } from '../access/bearer.ts'
import { invariant } from '../foundation/assert.ts'
import { parseDocumentId, type DocumentId } from '../foundation/ids.ts'
import { ParleyError, documentNotFound } from '../foundation/problems.ts'
import { parseIfMatch } from './preconditions.ts'
import { chargeOfMethod, type RequestRates } from './rates.ts'

/**
 * Who may use a route. Every route declares it as `config.access`, or the server does not start.
 * - `public`: anyone; no token is looked at.
 * - `authenticated`: a valid token; what it may do is for the handler to judge, by `requirePermission`.
 * - `{ document, needs }`: a valid token with `needs` on the document that the path parameter `document` names;
 *   and with `unconditional` besides, if that is set and the request says `If-Match: *`.
 * - `{ everywhere }`: a valid token with that permission on `*`; `{ anywhere }`: on some pattern at least.
 */
export type RouteAccess =
  | 'public'
  | 'authenticated'
  | { readonly document: string; readonly needs: Permission; readonly unconditional?: Permission }
  | { readonly everywhere: Permission }
  | { readonly anywhere: Permission }

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess
    /** `?token=` counts too; its name must stand in the query schema (SPEC AUTH-1: WebSocket and SSE only). */
    queryToken?: boolean
  }
  interface FastifyRequest {
    /** What the access check found; null on public routes. Read `principal` and `documentId` instead. */
    identity: RequestIdentity | null
    /** What became of tokens since. */
    readonly tokens: TokenWatch
    /** Who acts. Asking for it on a public route is a bug. */
    readonly principal: Principal
    /** The document in the path. Asking for it where `access` names none is a bug. */
    readonly documentId: DocumentId
  }
}

interface RequestIdentity {
  readonly principal: Principal
  readonly documentId: DocumentId | null
}

/** Declares `request.principal` and `request.documentId`, which `guard` fills. */
export function decorateWithIdentity(app: FastifyInstance, tokens: TokenWatch): void {
  app.decorateRequest('identity', null)
  app.decorateRequest('bodyArrived', null)
  app.decorateRequest('tokens', { getter: () => tokens })
  app.decorateRequest('principal', {
    getter() {
      invariant(this.identity !== null, 'a public route asked who acts')
      return this.identity.principal
    },
  })
  app.decorateRequest('documentId', {
    getter() {
      const id = this.identity?.documentId
      invariant(id !== null && id !== undefined, 'a route without a document in its path asked for it')
      return id
    },
  })
}

/**
 * The check that runs before anything of the request's body is read, in the order of SPEC API-4:
 * 401, 429, bad id in the path 400, 404 for what one may not read, 403. It waits for nothing where the token is known and
 * the buckets of the rate limits are at hand.
 */
export function guard(
  route: Pick<RouteOptions, 'method' | 'url' | 'config'>,
  authenticate: Authenticate,
  rates: RequestRates,
): (request: FastifyRequest, reply: FastifyReply) => void | Promise<void> {
  const { access, rate = chargeOfMethod(String(route.method)), queryToken = false } = route.config ?? {}
  invariant(access !== undefined, `${String(route.method)} ${route.url} declares no access`)
  if (rate === 'none') {
    invariant(access === 'public', `${String(route.method)} ${route.url} asks for a token, so it has a rate`)
    return () => undefined
  }
  const chargeOf = typeof rate === 'function' ? rate : () => rate
  if (access === 'public') return (request, reply) => rates.show(reply, request.raw, chargeOf(request.raw))
  return (request, reply) => {
    const charge = chargeOf(request.raw)
    const identify = (principal: Principal): void => {
      request.identity = { principal, documentId: judge(principal, access, request) }
    }
    const admit = (principal: Principal): void | Promise<void> => {
      const paying = rates.charge(reply, principal, charge)
      return paying ? paying.then(() => identify(principal)) : identify(principal)
    }
    const refuse = (error: unknown): Promise<never> => rates.fail(reply, request.raw, charge, error)
    let principal: Principal | Promise<Principal>
    try {
      const stranger = rates.stranger(request.raw, charge)
      principal = authenticateRequest(request, (token) => authenticate(token, stranger), queryToken)
    } catch (error) {
      return refuse(error)
    }
    return principal instanceof Promise ? principal.then(admit, refuse) : admit(principal)
  }
}

/** Throws unless the principal may use the route; answers the document in the path, if the route has one. */
function judge(
  principal: Principal,
  access: Exclude<RouteAccess, 'public'>,
  request: FastifyRequest,
): DocumentId | null {
  if (access === 'authenticated') return null
  if ('document' in access) {
    const documentId = documentInPath(request, access.document)
    requirePermission(principal, access.needs, documentId)
    const ifMatch = request.headers['if-match']
    const isUnconditional = ifMatch !== undefined && parseIfMatch(ifMatch).kind === 'any'
    if (access.unconditional && isUnconditional) requirePermission(principal, access.unconditional, documentId)
    return documentId
  }
  const [permission, held, place] =
    'everywhere' in access
      ? [access.everywhere, canEverywhere(principal, access.everywhere), 'on `*`']
      : [access.anywhere, patternsWith(principal, access.anywhere).length > 0, 'on some documents']
  if (!held) throw new ParleyError('forbidden', `This needs the permission \`${permission}\` ${place}.`)
  return null
}

/** Throws `unauthenticated` with the challenge that RFC 6750 §3 asks for. */
export function authenticateRequest(
  request: FastifyRequest,
  authenticate: Authenticate,
  query = false,
): Principal | Promise<Principal> {
  const sent = sentBy(request.raw, query)
  switch (sent.kind) {
    case 'token':
      return authenticate(sent.token)
    case 'none':
      throw tokenMissing()
    case 'malformed':
      throw tokenRefused('The token is malformed')
  }
}

/**
 * What each connection sent last. Nearly all send the same token with every request: to compare it costs a tenth of what it
 * costs to take it out of its header and look it up, and the same string is found at once by whoever keeps it.
 */
const sentBefore = new WeakMap<Socket, { readonly header: string; readonly sent: SentToken }>()

function sentBy(request: IncomingMessage, query: boolean): SentToken {
  const header = request.headers.authorization
  if (header === undefined) return tokenFromRequest(request, { query })
  const before = sentBefore.get(request.socket)
  if (before?.header === header) return before.sent
  const sent = tokenFromRequest(request, { query })
  sentBefore.set(request.socket, { header, sent })
  return sent
}

/** Throws where the token of the request counts no more: it has waited for something since it was let in (SPEC SYNC-8). */
export function assertStillAllowed(request: FastifyRequest): void {
  const problem = request.tokens.problemOf(request.principal)
  if (problem) throw problem
}

/** SPEC API-4, AUTH-2: 404 for a document one may not read, existing or not; 403 for one may read but not do this to. */
export function requirePermission(principal: Principal, permission: Permission, document: DocumentId): void {
  if (!can(principal, 'read', document)) throw documentNotFound(document)
  if (can(principal, permission, document)) return
  throw new ParleyError('forbidden', `This needs the permission \`${permission}\` on ${document}.`)
}

function documentInPath(request: FastifyRequest, parameter: string): DocumentId {
  const parameters: unknown = request.params
  const isRecord = typeof parameters === 'object' && parameters !== null
  const text: unknown = isRecord ? Reflect.get(parameters, parameter) : undefined
  const id = typeof text === 'string' ? parseDocumentId(text) : null
  if (!id) throw new ParleyError('invalid-id', 'The path does not hold a valid document id.')
  return id
}
