import { Type, type Static } from 'typebox'
import { toTimestamp, type Environment } from '../foundation/environment.ts'
import { toPrincipalId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Idempotency } from '../http/idempotency.ts'
import { refuseIdempotencyKey } from '../http/idempotencyKey.ts'
import type { Routes } from '../http/mount.ts'
import { canEverywhere, mayIssueFor, parseAccess, PERMISSIONS, type Principal } from '../access/access.ts'
import type { Revocations } from '../access/revocations.ts'
import { MAX_TTL_SECONDS, SUBJECT_PATTERN, type TokenIssuer } from '../access/tokens.ts'
import { RevocationShape, TokenAnswerShape } from './shapes/access.ts'

interface TokenRouteParts {
  readonly issuer: TokenIssuer
  readonly revocations: Revocations
  readonly idempotency: Idempotency
  readonly environment: Environment
}

const CLOSED = { additionalProperties: false }
/** Tokens and revocations are short; nobody needs to send more here. */
const BODY_LIMIT_BYTES = 64 * 1024

const Subject = Type.String({ pattern: SUBJECT_PATTERN })
const TokenBody = Type.Object(
  {
    sub: Subject,
    access: Type.Record(Type.String(), Type.Array(Type.Enum([...PERMISSIONS]))),
    ttlSeconds: Type.Integer({ minimum: 1, maximum: MAX_TTL_SECONDS }),
    name: Type.Optional(Subject),
  },
  { ...CLOSED, title: 'TokenRequest' },
)
const RevocationBody = Type.Union([
  Type.Object({ sub: Subject }, CLOSED),
  Type.Object({ jti: Type.String({ minLength: 1, maxLength: 256 }) }, CLOSED),
])

/** `POST /tokens` and `POST /revocations` (SPEC AUTH-3). */
export const authRoutes =
  ({ issuer, revocations, idempotency, environment }: TokenRouteParts): Routes =>
  async (app) => {
    const tokens = {
      config: {
        access: { anywhere: 'admin' },
        secret: true,
        rate: { class: 'token', tokens: 1 },
        about: {
          id: 'issueToken',
          tag: 'access',
          summary: 'Issue a token',
          text: 'Nobody issues more than they have; with `admin` on less than `*` one issues for oneself only, until the own token ends.',
          answers: { 201: { text: 'The token.', body: TokenAnswerShape, headers: ['Cache-Control'] } },
          isKeyed: false,
        },
      },
      schema: { body: TokenBody },
      bodyLimit: BODY_LIMIT_BYTES,
    } as const
    app.post('/tokens', tokens, async (request, reply) => {
      requireIssuer(request.principal, request.body, environment.now())
      refuseIdempotencyKey(request)
      const firstIssueMs = revocations.firstValidIssueMs(request.body.sub)
      const { token, expiresAt } = await issuer.issue(request.body, firstIssueMs)
      return reply
        .code(201)
        .header('Cache-Control', 'no-store')
        .send({ token, expiresAt: toTimestamp(expiresAt) })
    })

    const revoking = {
      config: {
        access: { everywhere: 'admin' },
        rate: { class: 'token', tokens: 1 },
        about: {
          id: 'revokeTokens',
          tag: 'access',
          summary: 'Revoke what was issued',
          text: 'All tokens of a `sub` that were issued until now, or the one with this `jti`. It ends live sessions too.',
          answers: { 201: { text: 'What is revoked, and until when it was issued.', body: RevocationShape } },
        },
      },
      schema: { body: RevocationBody },
      bodyLimit: BODY_LIMIT_BYTES,
    } as const
    app.post('/revocations', revoking, async (request, reply) => {
      const until = revocations.untilOf(environment.now())
      const { body } = request
      const subject = 'sub' in body ? { sub: toPrincipalId(body.sub) } : body
      const revocation = { subject, until }
      // Nothing is issued under one id twice.
      const settled = async (): Promise<void> => {
        if ('sub' in body) await revocations.issuersArePast(revocation, environment)
      }
      const answer = { status: 201, body: { ...body, revokedUntil: toTimestamp(until * 1000) } }
      return idempotency.answer(request, reply, {
        documents: [],
        perform: async (terms) => {
          await revocations.revoke(revocation, terms)
          await settled()
        },
        ended: settled,
        answer: () => answer,
      })
    })
  }

/**
 * The permissions asked for do not matter: `admin` on a pattern implies all of them. Whoever has it on less than `*` acts
 * for nobody else, and not beyond the end of what they have.
 */
function requireIssuer(issuer: Principal, wanted: Static<typeof TokenBody>, now: number): void {
  const grants = parseAccess(wanted.access)
  if (!grants) throw new ParleyError('invalid-request', '`access` maps patterns to lists of permissions.')
  if (!canEverywhere(issuer, 'admin')) {
    if (wanted.sub !== issuer.sub) throw new ParleyError('forbidden', 'Issuing for another `sub` needs `admin` on `*`.')
    if (now / 1_000 + wanted.ttlSeconds > issuer.expiresAt) {
      const end = toTimestamp(issuer.expiresAt * 1_000)
      throw new ParleyError('forbidden', `A token ends when yours does (${end}), unless you have \`admin\` on \`*\`.`)
    }
  }
  const beyond = grants.find(({ pattern }) => !mayIssueFor(issuer, pattern))
  if (!beyond) return
  const pattern = 'exact' in beyond.pattern ? beyond.pattern.exact : `${beyond.pattern.prefix}*`
  throw new ParleyError('forbidden', `Issuing for \`${pattern}\` needs \`admin\` on all of it.`)
}
