import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import { toTimestamp } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import { requirePermission } from '../http/access.ts'
import { lockTokenOf } from '../http/lockToken.ts'
import type { Routes } from '../http/mount.ts'
import { queryBoolean } from '../http/validation.ts'
import type { DocumentLocks, OwnedLock } from './locks.ts'
import { lockedProblem } from './refusal.ts'
import { lockOf } from './represent.ts'
import type { LockLines } from './waiting.ts'

export interface LockRouteParts {
  readonly locks: DocumentLocks
  readonly lines: LockLines
}

const CLOSED = { additionalProperties: false }
const TtlSeconds = Type.Integer({ minimum: 1, maximum: 3600 })
const LockBody = Type.Object(
  { ttlSeconds: TtlSeconds, waitSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 60 })) },
  CLOSED,
)
const RenewBody = Type.Union([Type.Object({ ttlSeconds: Type.Optional(TtlSeconds) }, CLOSED), Type.Null()])
const ReleaseQuery = Type.Object({ break: Type.Optional(Type.String()) }, CLOSED)

const PATH = '/documents/:id/lock'
const READ = { document: 'id', needs: 'read' } as const
const WRITE = { document: 'id', needs: 'write' } as const

type TypedApp = Parameters<Routes>[0]

/** `/documents/{id}/lock` (SPEC LOCK-1 to LOCK-3, DOC-7). */
export function lockRoutes(parts: LockRouteParts): Routes {
  return async (app) => {
    app.get(PATH, { config: { access: READ } }, async (request) => ({
      lock: lockOf(await parts.locks.state(request.documentId)),
    }))
    addAcquire(app, parts)
    addRenew(app, parts)
    addRelease(app, parts)
  }
}

function addAcquire(app: TypedApp, { lines }: LockRouteParts): void {
  app.post(PATH, { config: { access: WRITE }, schema: { body: LockBody } }, async (request, reply) => {
    const { ttlSeconds, waitSeconds = 0 } = request.body
    const asked = { document: request.documentId, owner: request.principal.sub, ttlMs: ttlSeconds * 1_000 }
    const gone = goneSignal(reply)
    const lock = await lines.acquire(asked, { waitMs: waitSeconds * 1_000, gone })
    // Whoever can ask again for this very answer still hears of it.
    if (request.headers['idempotency-key'] === undefined) {
      gone.addEventListener('abort', () => void lines.giveBack(asked, lock), { once: true })
    }
    return reply.code(201).header('Cache-Control', 'no-store').send(ownedLockOf(lock))
  })
}

/** Aborted when the connection ends before the answer is on its way. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort()
  })
  return gone.signal
}

function addRenew(app: TypedApp, { locks, lines }: LockRouteParts): void {
  app.put(PATH, { config: { access: WRITE }, schema: { body: RenewBody } }, async (request, reply) => {
    const { ttlSeconds } = bodyOf(request.body)
    const token = await requireToken(request, { locks, lines })
    const lock = await locks.renew(request.documentId, token, ttlSeconds === undefined ? null : ttlSeconds * 1_000)
    return reply.header('Cache-Control', 'no-store').send(ownedLockOf(lock))
  })
}

const bodyOf = (body: Static<typeof RenewBody>): { readonly ttlSeconds?: number } => body ?? {}

function addRelease(app: TypedApp, { locks, lines }: LockRouteParts): void {
  app.delete(PATH, { config: { access: WRITE }, schema: { querystring: ReleaseQuery } }, async (request, reply) => {
    const { documentId, principal } = request
    if (queryBoolean(request.query.break, 'break')) {
      requirePermission(principal, 'admin', documentId)
      await locks.break(documentId, principal.sub)
    } else {
      await locks.release(documentId, await requireToken(request, { locks, lines }), principal.sub)
    }
    return reply.code(204).send()
  })
}

/** Without a token whoever meets a held lock hears who holds it. */
async function requireToken(request: FastifyRequest, { locks, lines }: LockRouteParts): Promise<string> {
  const token = lockTokenOf(request.headers)
  if (token !== null) return token
  const state = await locks.state(request.documentId)
  if (state.name === 'held') throw lockedProblem(request.documentId, state, lines.length(request.documentId) + 1)
  throw new ParleyError('invalid-request', 'Send the token of the lock as `Lock-Token`.')
}

const ownedLockOf = ({ token, fence, owner, expiresAt }: OwnedLock) => ({
  token,
  fence,
  owner,
  expiresAt: toTimestamp(expiresAt),
})
