import { Type } from 'typebox'
import { can, type Principal } from '../access/access.ts'
import type { JsonValue } from '../content/content.ts'
import type { Choice } from '../content/merge.ts'
import type { Way } from '../conflicts/resolvedContent.ts'
import type { Request } from '../conflicts/resolve.ts'
import { toProposalId, toVersion } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { type ConflictRecord, RESOLUTION_USES } from '../model/conflict.ts'
import { BaseVersionSchema, ContentSchema } from './representDocument.ts'
import { CONFLICT_ID_PATTERN, PROPOSAL_ID_PATTERN } from './shapes/values.ts'

/** In a body or a cursor. */
export const ConflictIdSchema = Type.String({ pattern: CONFLICT_ID_PATTERN })
const ProposalIdSchema = Type.String({ pattern: PROPOSAL_ID_PATTERN })
/** Long enough for an explanation, short enough to be shown. */
const CommentSchema = Type.String({ maxLength: 2_000 })

const AnyJson = Type.Unsafe<JsonValue>({})
const ChoiceSchema = Type.Union([
  Type.Unsafe<'base' | 'current' | 'incoming'>({ type: 'string', enum: ['base', 'current', 'incoming'] }),
  Type.Object({ value: AnyJson }, { additionalProperties: false }),
  Type.Object({ text: Type.String() }, { additionalProperties: false }),
])
/** What a decision about a conflict is asked for with. */
export const ResolveBody = Type.Object(
  {
    conflictId: ConflictIdSchema,
    baseVersion: Type.Optional(BaseVersionSchema),
    use: Type.Optional(Type.Unsafe<(typeof RESOLUTION_USES)[number]>({ type: 'string', enum: [...RESOLUTION_USES] })),
    content: Type.Optional(ContentSchema),
    choices: Type.Optional(Type.Record(Type.String(), ChoiceSchema)),
    accept: Type.Optional(ProposalIdSchema),
    reject: Type.Optional(ProposalIdSchema),
    dismiss: Type.Optional(Type.Literal(true)),
    comment: Type.Optional(CommentSchema),
  },
  {
    additionalProperties: false,
    title: 'ConflictDecision',
    description: 'Exactly one of `use`, `accept`, `reject` and `dismiss`, each with its own members only.',
  },
)
export type ResolveBody = Type.Static<typeof ResolveBody>

/** Exactly one of `use`, `accept`, `reject`, `dismiss`, each with only its own members (SPEC RES-1). */
export function readRequest(body: ResolveBody): Request {
  const { use, accept, reject, dismiss, comment = null } = body
  if ([use, accept, reject, dismiss].filter((one) => one !== undefined).length !== 1) {
    throw new ParleyError('invalid-request', 'Send exactly one of `use`, `accept`, `reject` and `dismiss`.')
  }
  if (use !== undefined) return { ask: 'resolve', baseVersion: baseVersionOf(body), way: readWay(body, use), comment }
  for (const member of ['baseVersion', 'content', 'choices'] as const)
    refuseMember(body, member, 'goes with `use` only')
  if (accept !== undefined) {
    refuseMember(body, 'comment', 'goes with `use`, `reject` and `dismiss` only')
    return { ask: 'accept', proposal: toProposalId(accept) }
  }
  if (reject !== undefined) return { ask: 'reject', proposal: toProposalId(reject), comment }
  return { ask: 'dismiss', comment }
}

function baseVersionOf(body: ResolveBody) {
  if (body.baseVersion !== undefined) return toVersion(body.baseVersion)
  throw new ParleyError('invalid-request', 'Name the version you looked at as `baseVersion`.')
}

function readWay(body: ResolveBody, use: NonNullable<ResolveBody['use']>): Way {
  if (use !== 'content') refuseMember(body, 'content', 'goes with `use: "content"` only')
  if (use !== 'choices') refuseMember(body, 'choices', 'goes with `use: "choices"` only')
  if (use === 'content') {
    if (body.content === undefined) throw new ParleyError('invalid-request', '`use: "content"` needs `content`.')
    return { use, content: body.content }
  }
  if (use === 'choices') {
    if (body.choices === undefined) throw new ParleyError('invalid-request', '`use: "choices"` needs `choices`.')
    return { use, choices: new Map<string, Choice>(Object.entries(body.choices)) }
  }
  return { use }
}

function refuseMember(body: ResolveBody, member: keyof ResolveBody, why: string): void {
  if (body[member] !== undefined) throw new ParleyError('invalid-request', `\`${member}\` ${why}.`)
}

/**
 * What the principal may make of the request (SPEC RES-1 to RES-3): a resolution by one who may only write is a
 * proposal; deciding needs `resolve`, but the author of the incoming change may dismiss the conflict.
 */
export function withRights(asked: Request, record: ConflictRecord, principal: Principal): Request {
  if (can(principal, 'resolve', record.document)) return asked
  if (asked.ask === 'resolve' && can(principal, 'write', record.document)) return { ...asked, ask: 'propose' }
  if (asked.ask === 'dismiss' && record.author === principal.sub) return asked
  const needs = asked.ask === 'resolve' ? '`resolve` or `write`' : '`resolve`'
  throw new ParleyError('forbidden', `This needs the permission ${needs} on ${record.document}.`)
}
