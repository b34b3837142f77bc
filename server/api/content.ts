import { Type } from 'typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { StorageView } from '../storage/view.ts'
import { refusalOf } from './representRefusal.ts'
import { type Content, isObject, type Kind, kindOf } from '../content/content.ts'
import type { ContentLimits } from '../content/limits.ts'
import type { Terms, NeededPermission } from '../foundation/answer.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { ParleyError } from '../foundation/problems.ts'
import { JSON_BODY, JSON_PATCH, MERGE_PATCH, TEXT_BODY, TEXT_DELTA } from '../http/bodies.ts'
import type { Idempotency, Reply } from '../http/idempotency.ts'
import { lockTokenOf } from '../http/lockToken.ts'
import type { AnswerAbout } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { quote } from '../http/preconditions.ts'
import { preferredReturn } from '../http/prefer.ts'
import {
  BASE_VERSION_PARAMETER,
  baseVersionOf,
  CHANGE_HEADERS,
  readIntent,
  WRITE_ACCESS,
  WRITE_REFUSALS,
} from './conditions.ts'
import { WriteShape } from './shapes/documents.ts'
import { JsonContentShape, TextContentShape } from './shapes/values.ts'
import { isJson, PATCHES, readPatch } from './contentPatch.ts'
import type { ConflictPolicy } from '../model/document.ts'
import { formatEtag } from '../documents/etag.ts'
import {
  BaseVersionSchema,
  ConflictPolicySchema,
  ContentSchema,
  documentOf,
  KindSchema,
  shownAt,
} from './representDocument.ts'
import type { WriteRequest, WriteResult } from '../documents/planWrite.ts'
import type { ConflictShower } from '../conflicts/shower.ts'
import type { DocumentWriter } from '../documents/write.ts'
import { contentMember, sizeFirst } from './contentSize.ts'

export interface ContentRouteParts {
  readonly storage: StorageView
  readonly writer: DocumentWriter
  readonly shower: ConflictShower
  readonly idempotency: Idempotency
  readonly limits: ContentLimits
}

const PutBody = Type.Object(
  {
    content: ContentSchema,
    baseVersion: Type.Optional(BaseVersionSchema),
    onConflict: Type.Optional(ConflictPolicySchema),
    kind: Type.Optional(KindSchema),
  },
  { additionalProperties: false, title: 'NewContent' },
)
const WriteQuery = Type.Object(
  { baseVersion: Type.Optional(BASE_VERSION_PARAMETER), onConflict: Type.Optional(ConflictPolicySchema) },
  { additionalProperties: false },
)

/** What a write answers, whatever it is sent as. */
export const WRITE_ANSWER: AnswerAbout = {
  text: 'It is on disk. Of a merge there is no `ETag`, because what is stored is not what was sent.',
  body: WriteShape,
  headers: ['ETag?'],
}
const WRITE_ABOUT = {
  tag: 'content',
  text: 'Based on the version that `If-Match` or `baseVersion` names. Where somebody else wrote since, the answer is a 409 that holds a conflict; under `baseVersion` the policy of the document, or `onConflict`, may have it merged.',
  headers: [...CHANGE_HEADERS, 'Prefer'],
} as const
const CREATED: AnswerAbout = { text: 'It was created.', body: WriteShape, headers: ['ETag', 'Location'] }

/** Writes of content: PUT of the document or the bare content, and the patches (SPEC DOC-4, DOC-5). */
export function contentRoutes(parts: ContentRouteParts): Routes {
  return async (app) => {
    addPut(app, parts)
    addPutContent(app, parts)
    addPatchContent(app, parts)
  }
}

function addPut(app: TypedApp, parts: ContentRouteParts): void {
  const options = {
    config: {
      access: WRITE_ACCESS,
      about: {
        ...WRITE_ABOUT,
        id: 'writeDocument',
        summary: 'Write the content',
        answers: { 200: WRITE_ANSWER, 201: CREATED },
        refusals: [...WRITE_REFUSALS, 'kind-mismatch'],
      },
    },
    schema: { body: PutBody },
    preValidation: sizeFirst(parts.limits, contentMember),
  } as const
  app.put('/documents/:id', options, async (request, reply) => {
    const { content, baseVersion, onConflict, kind } = request.body
    return perform(parts, request, reply, {
      baseVersion,
      onConflict: onConflict ?? null,
      createsKind: kind ?? kindOf(content),
      incoming: (_base, documentKind) => {
        if (kind !== undefined && kind !== documentKind) {
          throw new ParleyError('kind-mismatch', `The document is of kind ${documentKind}.`)
        }
        return content
      },
    })
  })
}

function addPutContent(app: TypedApp, parts: ContentRouteParts): void {
  const options = {
    config: {
      access: WRITE_ACCESS,
      consumes: [TEXT_BODY, JSON_BODY],
      about: {
        ...WRITE_ABOUT,
        id: 'writeContent',
        summary: 'Write the content as it is',
        takes: { [TEXT_BODY]: TextContentShape, [JSON_BODY]: JsonContentShape },
        answers: { 200: WRITE_ANSWER, 201: CREATED },
        refusals: [...WRITE_REFUSALS, 'kind-mismatch'],
      },
    },
    schema: { querystring: WriteQuery },
    preValidation: sizeFirst(parts.limits, ({ body }) => body),
  } as const
  app.put('/documents/:id/content', options, async (request, reply) => {
    const content = bareContent(request)
    return perform(parts, request, reply, {
      baseVersion: baseVersionOf(request.query.baseVersion),
      onConflict: request.query.onConflict ?? null,
      createsKind: kindOf(content),
      incoming: () => content,
    })
  })
}

function addPatchContent(app: TypedApp, parts: ContentRouteParts): void {
  const options = {
    config: {
      access: WRITE_ACCESS,
      consumes: [MERGE_PATCH, JSON_PATCH, TEXT_DELTA],
      about: {
        ...WRITE_ABOUT,
        id: 'patchContent',
        summary: 'Change the content by a patch',
        takes: PATCHES,
        answers: { 200: WRITE_ANSWER },
        refusals: [...WRITE_REFUSALS, 'kind-mismatch', 'patch-failed'],
      },
    },
    schema: { querystring: WriteQuery },
  } as const
  app.patch('/documents/:id/content', options, async (request, reply) => {
    const incoming = readPatch(request.mediaType, request.body)
    return perform(parts, request, reply, {
      baseVersion: baseVersionOf(request.query.baseVersion),
      onConflict: request.query.onConflict ?? null,
      createsKind: null,
      incoming,
    })
  })
}

/** The body of a bare PUT. An empty body is the empty text; JSON must be an object. */
function bareContent(request: FastifyRequest): Content {
  const body: unknown = request.body
  if (request.mediaType === TEXT_BODY) return typeof body === 'string' ? body : ''
  if (isJson(body) && isObject(body)) return body
  throw new ParleyError('invalid-request', 'The content of a json document is an object.')
}

interface WantedContent {
  readonly baseVersion: number | undefined
  readonly onConflict: ConflictPolicy | null
  readonly createsKind: Kind | null
  readonly incoming: (base: Content, kind: Kind) => Content
}

async function perform(
  parts: ContentRouteParts,
  request: FastifyRequest,
  reply: FastifyReply,
  wanted: WantedContent,
): Promise<FastifyReply> {
  const { documentId, principal } = request
  const intent = readIntent(request.headers, wanted.baseVersion)
  const write: WriteRequest = {
    document: documentId,
    author: principal.sub,
    intent,
    incoming: (base) => wanted.incoming(base, kindOf(base)),
    createsKind: wanted.createsKind,
    onConflict: wanted.onConflict,
    origin: 'write',
    lockToken: lockTokenOf(request.headers),
  }
  return performWrite(parts, request, reply, (terms) => parts.writer.write(write, terms))
}

/** Performs a write on the document in the path, and answers it. */
export function performWrite(
  parts: Pick<ContentRouteParts, 'storage' | 'shower' | 'idempotency'>,
  request: FastifyRequest,
  reply: FastifyReply,
  perform: (terms: Terms<WriteResult>) => Promise<WriteResult>,
  needs: (result: WriteResult) => NeededPermission = () => 'write',
): Promise<FastifyReply> {
  const prefer = preferredReturn(request.headers['prefer'])
  const { linkBase } = request
  return parts.idempotency.answer(request, reply, {
    documents: [request.documentId],
    perform,
    needs,
    answer: (result: WriteResult) => answerTo({ ...parts, linkBase }, result, prefer),
  })
}

/** The answer to a write (SPEC WRITE-2 to WRITE-6, CONF-1). */
function answerTo(
  parts: Pick<ContentRouteParts, 'storage' | 'shower'> & { readonly linkBase: string },
  result: WriteResult,
  prefer: ReturnType<typeof preferredReturn>,
): Reply | ParleyError | Promise<ParleyError> {
  const { head } = result
  const { epoch } = parts.storage
  const etag = formatEtag(head, epoch)
  if (result.status !== 'done') return refusalOf(parts, result, etag, prefer !== 'minimal', parts.linkBase)
  const headers: Record<string, string> = {}
  if (result.outcome === 'created') headers['location'] = `${parts.linkBase}/documents/${head.id}`
  const isMerged = result.outcome === 'merged'
  // What is stored after a merge is not what was sent, so no validator goes with it (RFC 9110 section 9.3.4).
  if (!isMerged) headers['etag'] = quote(etag)
  const isWhole = prefer === 'representation'
  // Members without a value are not sent.
  const body = {
    id: head.id,
    version: head.version,
    etag,
    outcome: result.outcome,
    updatedAt: toTimestamp(head.updatedAt),
    content: isMerged ? result.content : undefined,
    conflictId: result.outcome === 'overwrote' ? result.conflict : undefined,
    document: isWhole ? documentOf(result, epoch) : undefined,
  }
  const contents = [
    ...(isMerged ? [shownAt(head, 'content')] : []),
    ...(isWhole ? [shownAt(head, 'document', 'content')] : []),
  ]
  return { status: result.outcome === 'created' ? 201 : 200, headers, body, contents }
}
