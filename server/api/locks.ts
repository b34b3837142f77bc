import type { FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import { toTimestamp } from '../foundation/environment.ts'
import { invariant } from '../foundation/assert.ts'
import { ParleyError } from '../foundation/problems.ts'
import { requirePermission } from '../http/access.ts'
import { goneSignal } from '../http/gone.ts'
import { lockTokenOf } from '../http/lockToken.ts'
import type { Idempotency, Reply } from '../http/idempotency.ts'
import { idempotencyKey } from '../http/idempotencyKey.ts'
import type { About } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { booleanParameter, queryBoolean } from '../http/validation.ts'
import type { DocumentLocks, OwnedLock } from '../locks/locks.ts'
import { hashLockToken } from '../model/lockToken.ts'
import { lockedProblem } from '../model/lockRefusal.ts'
import { lockOf } from './representLock.ts'
import { LockStateShape, OwnedLockShape } from './shapes/documents.ts'
import type { LockLines } from '../locks/waiting.ts'

export interface LockRouteParts {
  readonly locks: DocumentLocks
  readonly lines: LockLines
  readonly idempotency: Idempotency
}

const CLOSED = { additionalProperties: false }
const TtlSeconds = Type.Integer({ minimum: 1, maximum: 3600 })
const LockBody = Type.Object(
  { ttlSeconds: TtlSeconds, waitSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 60 })) },
  CLOSED,
)
const RenewBody = Type.Union([Type.Object({ ttlSeconds: Type.Optional(TtlSeconds) }, CLOSED), Type.Null()])
const ReleaseQuery = Type.Object(
  { break: Type.Optional(booleanParameter('Ends the lock of somebody else, which needs `admin`.')) },
  CLOSED,
)

const PATH = '/documents/:id/lock'
const READ = { document: 'id', needs: 'read' } as const
const WRITE = { document: 'id', needs: 'write' } as const

/** What all that changes a lock may be refused with. */
const REFUSALS = ['document-deleted', 'locked', 'lock-lost'] as const
const OWNED = { text: 'The lock and its token.', body: OwnedLockShape, headers: ['Cache-Control'] } as const
const LOOK_ABOUT: About = {
  id: 'readLock',
  tag: 'locks',
  summary: 'Who holds the lock',
  answers: { 200: { text: 'The lock, or null.', body: LockStateShape } },
  refusals: ['document-deleted'],
}
const ACQUIRE_ABOUT: About = {
  id: 'acquireLock',
  tag: 'locks',
  summary: 'Acquire the lock, or wait in line for it',
  answers: { 201: OWNED },
  refusals: REFUSALS,
}
const RENEW_ABOUT: About = {
  id: 'renewLock',
  tag: 'locks',
  summary: 'Hold the lock for longer',
  headers: ['Lock-Token'],
  answers: { 200: OWNED },
  refusals: REFUSALS,
}
const RELEASE_ABOUT: About = {
  id: 'releaseLock',
  tag: 'locks',
  summary: 'Release the lock, or break it',
  headers: ['Lock-Token'],
  answers: { 204: { text: 'Nobody holds it; the next in line has its turn.' } },
  refusals: REFUSALS,
}

/** `/documents/{id}/lock` (SPEC LOCK-1 to LOCK-3, DOC-7). */
export function lockRoutes(parts: LockRouteParts): Routes {
  return async (app) => {
    app.get(PATH, { config: { access: READ, about: LOOK_ABOUT } }, async (request) => ({
      lock: lockOf(await parts.locks.state(request.documentId)),
    }))
    addAcquire(app, parts)
    addRenew(app, parts)
    addRelease(app, parts)
  }
}

function addAcquire(app: TypedApp, { locks, lines, idempotency }: LockRouteParts): void {
  app.post(
    PATH,
    { config: { access: WRITE, secret: true, about: ACQUIRE_ABOUT }, schema: { body: LockBody } },
    async (request, reply) => {
      const { ttlSeconds, waitSeconds = 0 } = request.body
      const key = idempotencyKey(request)
      const asked = {
        document: request.documentId,
        owner: request.principal.sub,
        ttlMs: ttlSeconds * 1_000,
        idempotencyKey: key,
      }
      const gone = goneSignal(reply)
      return idempotency.answer(request, reply, {
        documents: [request.documentId],
        perform: async (terms) => {
          const refusal = () => request.tokens.problemOf(request.principal)
          const lock = await lines.acquire({ ...asked, terms }, { waitMs: waitSeconds * 1_000, gone, refusal })
          if (!terms.keep) gone.addEventListener('abort', () => void lines.giveBack(asked, lock), { once: true })
          return lock
        },
        answer: (lock: OwnedLock) => ({ status: 201, ...answerTo(lock) }),
        reveal: (kept) => {
          invariant(key !== null && Check(KeptLock, kept), 'only a keyed request is repeated')
          return { ...kept, token: locks.tokenAgain({ ...asked, idempotencyKey: key }, kept.fence, kept.token) }
        },
      })
    },
  )
}

function addRenew(app: TypedApp, { locks, lines, idempotency }: LockRouteParts): void {
  app.put(
    PATH,
    { config: { access: WRITE, secret: true, about: RENEW_ABOUT }, schema: { body: RenewBody } },
    async (request, reply) => {
      const { documentId } = request
      const { ttlSeconds } = bodyOf(request.body)
      const ttlMs = ttlSeconds === undefined ? null : ttlSeconds * 1_000
      return idempotency.answer(request, reply, {
        documents: [documentId],
        perform: async (terms) => locks.renew(documentId, await requireToken(request, { locks, lines }), ttlMs, terms),
        answer: (lock: OwnedLock) => ({ status: 200, ...answerTo(lock) }),
        // A repeat shows the same token.
        reveal: (kept) => ({ ...kept, token: lockTokenOf(request.headers) }),
      })
    },
  )
}

const bodyOf = (body: Static<typeof RenewBody>): { readonly ttlSeconds?: number } => body ?? {}

function addRelease(app: TypedApp, { locks, lines, idempotency }: LockRouteParts): void {
  const options = { config: { access: WRITE, about: RELEASE_ABOUT }, schema: { querystring: ReleaseQuery } } as const
  app.delete(PATH, options, async (request, reply) => {
    const { documentId, principal } = request
    const isBreak = queryBoolean(request.query.break, 'break')
    if (isBreak) requirePermission(principal, 'admin', documentId)
    return idempotency.answer(request, reply, {
      documents: [documentId],
      perform: async (terms) =>
        isBreak
          ? locks.break(documentId, principal.sub, terms)
          : locks.release(documentId, await requireToken(request, { locks, lines }), principal.sub, terms),
      answer: () => ({ status: 204 }),
    })
  })
}

/** Without a token whoever meets a held lock hears who holds it. */
async function requireToken(
  request: FastifyRequest,
  { locks, lines }: Pick<LockRouteParts, 'locks' | 'lines'>,
): Promise<string> {
  const token = lockTokenOf(request.headers)
  if (token !== null) return token
  const state = await locks.state(request.documentId)
  if (state.name === 'held') throw lockedProblem(request.documentId, state, lines.length(request.documentId) + 1)
  throw new ParleyError('invalid-request', 'Send the token of the lock as `Lock-Token`.')
}

/** Of the token only its hash is kept with the answer, as with the lock. */
function answerTo(lock: OwnedLock): Omit<Reply, 'status'> {
  const body = ownedLockOf(lock)
  return {
    headers: { 'cache-control': 'no-store' },
    body,
    keptBody: { ...body, token: hashLockToken(lock.token) },
  }
}

const KeptLock = Type.Object({ token: Type.String(), fence: Type.Integer() })

const ownedLockOf = ({ token, fence, owner, expiresAt }: OwnedLock) => ({
  token,
  fence,
  owner,
  expiresAt: toTimestamp(expiresAt),
})
