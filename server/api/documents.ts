import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { can, canEverywhere, patternsWithin, type Principal } from '../access/access.ts'
import type { Content } from '../content/content.ts'
import type { ContentLimits } from '../content/limits.ts'
import { invariant } from '../foundation/assert.ts'
import { termsOf, type Terms } from '../foundation/answer.ts'
import { newUlid, type Environment } from '../foundation/environment.ts'
import {
  DOCUMENT_ID_PATTERN,
  type DocumentId,
  parseDocumentId,
  parsePattern,
  PATTERN_PATTERN,
} from '../foundation/ids.ts'
import { documentNotFound, ParleyError } from '../foundation/problems.ts'
import type { Idempotency } from '../http/idempotency.ts'
import { lockTokenOf } from '../http/lockToken.ts'
import { requirePermission } from '../http/access.ts'
import type { About } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { PAGE_QUERY, pageAsked, pageOf } from '../http/pagination.ts'
import type { ConflictReads } from '../storage/conflicts.ts'
import type { DocumentReads } from '../storage/documents.ts'
import type { LockReads } from '../storage/locks.ts'
import type { PeopleReads } from '../storage/people.ts'
import type { StorageEpoch } from '../storage/view.ts'
import { lockOf } from './representLock.ts'
import { namesTag, parseIfNoneMatch, quote } from '../http/preconditions.ts'
import { booleanParameter, queryBoolean } from '../http/validation.ts'
import {
  BASE_VERSION_PARAMETER,
  baseVersionOf,
  CHANGE_HEADERS,
  CHANGE_REFUSALS,
  readIntent,
  WRITE_ACCESS,
} from './conditions.ts'
import { DEFAULT_ROOT, type Head } from '../model/document.ts'
import { formatEtag } from '../documents/etag.ts'
import type { DocumentLifecycle } from '../documents/lifecycle.ts'
import type { DocumentPurger } from '../documents/purge.ts'
import type { DocumentReader } from '../documents/read.ts'
import {
  BaseVersionSchema,
  ContentSchema,
  documentOf,
  SETTINGS_MEMBERS,
  KindSchema,
  RootSchema,
  shownAt,
  summaryOf,
} from './representDocument.ts'
import type { SchemaJudge } from '../documents/schemaJudge.ts'
import type { WriteResult } from '../documents/planWrite.ts'
import type { DocumentWriter } from '../documents/write.ts'
import { DocumentPageShape, DocumentShape, SummaryShape } from './shapes/documents.ts'
import { JsonContentShape, TextContentShape } from './shapes/values.ts'
import { contentMember, sizeFirst } from './contentSize.ts'

export interface DocumentRouteParts {
  readonly storage: StorageEpoch & DocumentReads & LockReads & ConflictReads & PeopleReads
  readonly reader: DocumentReader
  readonly writer: DocumentWriter
  readonly lifecycle: DocumentLifecycle
  readonly purger: DocumentPurger
  readonly idempotency: Idempotency
  readonly environment: Environment
  readonly limits: ContentLimits
  readonly schemas: SchemaJudge
}

const CreateBody = Type.Object(
  {
    id: Type.Optional(Type.String({ pattern: DOCUMENT_ID_PATTERN })),
    kind: KindSchema,
    content: Type.Optional(ContentSchema),
    ...SETTINGS_MEMBERS,
    root: Type.Optional(RootSchema),
  },
  { additionalProperties: false, title: 'NewDocument' },
)
const SettingsBody = Type.Object(
  {
    ...SETTINGS_MEMBERS,
    baseVersion: Type.Optional(BaseVersionSchema),
  },
  { additionalProperties: false, title: 'SettingsChange' },
)
const ListQuery = Type.Object(
  {
    ...PAGE_QUERY,
    pattern: Type.Optional(
      Type.String({ pattern: PATTERN_PATTERN, description: 'Only these: an id, or a prefix followed by `*`.' }),
    ),
  },
  { additionalProperties: false },
)
const DeleteQuery = Type.Object(
  {
    baseVersion: Type.Optional(BASE_VERSION_PARAMETER),
    purge: Type.Optional(booleanParameter('Erases all of it for good, which needs `admin`.')),
  },
  { additionalProperties: false },
)

/** A position in a list of documents: the last id shown. */
const ListCursor = Type.Tuple([Type.String({ pattern: DOCUMENT_ID_PATTERN })])

/** Documents as resources: create, list, read, settings, delete. Writing of content is in `contentRoutes`. */
export function documentRoutes(parts: DocumentRouteParts): Routes {
  return async (app) => {
    addCreate(app, parts)
    addList(app, parts)
    addRead(app, parts)
    addSettings(app, parts)
    addDelete(app, parts)
  }
}

function addCreate(app: TypedApp, parts: DocumentRouteParts): void {
  const { storage, writer, idempotency, environment, limits, schemas } = parts
  const options = {
    config: {
      access: 'authenticated',
      about: {
        id: 'createDocument',
        tag: 'documents',
        summary: 'Create a document',
        text: 'Needs `write` on the id; without `id` the server draws one, which needs `write` on `*`.',
        answers: {
          201: { text: 'The document as it was created.', body: DocumentShape, headers: ['Location', 'ETag'] },
        },
        refusals: [
          'forbidden',
          'not-found',
          'already-exists',
          'kind-mismatch',
          'content-too-complex',
          'schema-violation',
          'invalid-schema',
        ],
      },
    },
    schema: { body: CreateBody },
    preValidation: sizeFirst(limits, contentMember),
  } as const
  app.post('/documents', options, async (request, reply) => {
    const { principal } = request
    const { id: wantedId, kind, content: sent, root = DEFAULT_ROOT, ...settings } = request.body
    const { schema = null } = settings
    const id = wantedId === undefined ? drawId(principal, environment) : checkedId(wantedId, principal)
    if (kind === 'text' && schema !== null) {
      throw new ParleyError('invalid-request', 'A text document has no schema.')
    }
    if (schema !== null) await schemas.assertUsable(schema, principal.sub)
    const wanted = { id, kind, root, settings }
    const content: Content = sent ?? (kind === 'text' ? '' : {})
    return idempotency.answer(request, reply, {
      documents: [id],
      perform: (terms) => writer.create(wanted, content, { author: principal.sub, origin: 'create' }, terms),
      answer: (created: WriteResult) => {
        invariant(created.status === 'done', 'a creation is never refused as a conflict')
        return {
          status: 201,
          headers: { location: `${request.linkBase}/documents/${id}`, etag: etagOf(created.head, storage) },
          body: documentOf(created, storage.epoch),
          contents: [shownAt(created.head, 'content')],
        }
      },
    })
  })
}

/** SPEC DOC-1: an id made by the server needs `write` on every id it could be. */
function drawId(principal: Principal, environment: Environment): DocumentId {
  if (!canEverywhere(principal, 'write')) {
    throw new ParleyError('forbidden', 'Creating a document without naming its id needs `write` on `*`.')
  }
  const id = parseDocumentId(newUlid(environment).toLowerCase())
  invariant(id !== null, 'a ulid is a document id')
  return id
}

function checkedId(text: string, principal: Principal): DocumentId {
  const id = parseDocumentId(text)
  invariant(id !== null, 'the schema checked the id')
  requireCreator(principal, id)
  return id
}

/** SPEC AUTH-1: creating needs `write` on the id, taken or not (`forbidden`); nothing works without `read`. */
export function requireCreator(principal: Principal, id: DocumentId): void {
  if (!can(principal, 'write', id)) throw new ParleyError('forbidden', `This needs the permission \`write\` on ${id}.`)
  if (!can(principal, 'read', id)) throw documentNotFound(id)
}

function addList(app: TypedApp, { storage }: DocumentRouteParts): void {
  const options = {
    config: {
      access: 'authenticated',
      rate: { class: 'read', tokens: 5 },
      about: {
        id: 'listDocuments',
        tag: 'documents',
        summary: 'List documents',
        text: 'Those that the token may read, by id, without content. Deleted ones are not among them.',
        answers: { 200: { text: 'A page of documents.', body: DocumentPageShape } },
        refusals: ['invalid-cursor'],
      },
    },
    schema: { querystring: ListQuery },
  } as const
  app.get('/documents', options, async (request) => {
    const { query, principal } = request
    const { limit, after } = pageAsked(query, ListCursor)
    const wanted = parsePattern(query.pattern ?? '*')
    invariant(wanted !== null, 'the schema checked the pattern')
    const patterns = patternsWithin(principal, 'read', wanted)
    const from = after && parseDocumentId(after[0])
    const found = patterns.length === 0 ? [] : await storage.heads({ patterns, after: from, limit: limit + 1 })
    const ids = found.map((head) => head.id)
    const [locks, counts, names] = await Promise.all([
      storage.locks(ids),
      storage.openConflictCounts(ids),
      storage.updaterNames(ids),
    ])
    return pageOf(
      found,
      limit,
      (head) => ({
        ...summaryOf(head, storage.epoch),
        lock: lockOf(locks.get(head.id)),
        openConflicts: counts.get(head.id) ?? 0,
        updatedByName: names.get(head.id) ?? null,
      }),
      (head) => [head.id],
    )
  })
}

function addRead(app: TypedApp, parts: DocumentRouteParts): void {
  const { storage, reader } = parts
  const access = { document: 'id', needs: 'read' } as const
  const common = { tag: 'documents', headers: ['If-None-Match'], refusals: ['document-deleted'] } as const
  const notModified = { text: 'It is the version that the client has.', headers: ['ETag'] } as const
  const whole: About = {
    ...common,
    id: 'readDocument',
    summary: 'Read a document',
    answers: { 200: { text: 'The document.', body: DocumentShape, headers: ['ETag'] }, 304: notModified },
  }
  app.get('/documents/:id', { config: { access, about: whole } }, async (request, reply) => {
    if (await isNotModified(parts, request, reply)) return reply.code(304).send()
    const state = await reader.read(request.documentId)
    void reply.header('etag', etagOf(state.head, storage))
    return documentOf(state, storage.epoch)
  })
  const bare: About = {
    ...common,
    id: 'readContent',
    summary: 'Read the bare content',
    answers: { 200: { text: 'The content alone.', body: BARE_CONTENT, headers: ['ETag'] }, 304: notModified },
  }
  app.get('/documents/:id/content', { config: { access, about: bare } }, async (request, reply) => {
    if (await isNotModified(parts, request, reply)) return reply.code(304).send()
    const state = await reader.read(request.documentId)
    void reply.header('etag', etagOf(state.head, storage))
    const isText = typeof state.content === 'string'
    void reply.type(isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8')
    return reply.send(isText ? state.content : JSON.stringify(state.content))
  })
}

/** A content that stands alone. */
export const BARE_CONTENT = { byType: { 'text/plain': TextContentShape, 'application/json': JsonContentShape } }

/** The current tag as headers carry it. */
const etagOf = (head: Head, storage: StorageEpoch): string => quote(formatEtag(head, storage.epoch))

/** Whether the client has the current version already (RFC 9110 section 13.1.2); found out without its content. */
async function isNotModified(
  { storage, reader }: DocumentRouteParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const header = request.headers['if-none-match']
  if (header === undefined) return false
  const condition = parseIfNoneMatch(header)
  if (condition.kind === 'malformed') throw new ParleyError('invalid-request', condition.detail)
  const head = await reader.head(request.documentId)
  if (!namesTag(condition, formatEtag(head, storage.epoch))) return false
  void reply.header('etag', etagOf(head, storage))
  return true
}

function addSettings(app: TypedApp, { storage, lifecycle, idempotency, schemas }: DocumentRouteParts): void {
  const options = {
    config: {
      access: WRITE_ACCESS,
      about: {
        id: 'changeSettings',
        tag: 'documents',
        summary: 'Change the settings',
        text: 'Policy and schema, on the version they were read in; it makes a version. Settings cannot be merged: a stale change is refused without a conflict.',
        headers: CHANGE_HEADERS,
        answers: { 200: { text: 'The document without its content.', body: SummaryShape, headers: ['ETag'] } },
        refusals: [...CHANGE_REFUSALS, 'schema-violation', 'invalid-schema'],
      },
    },
    schema: { body: SettingsBody },
  } as const
  app.patch('/documents/:id', options, async (request, reply) => {
    const { baseVersion, ...settings } = request.body
    const intent = readIntent(request.headers, baseVersion)
    const change = { ...changeOf(request), intent }
    if (settings.schema !== undefined && settings.schema !== null) {
      await schemas.assertUsable(settings.schema, change.author)
    }
    return idempotency.answer(request, reply, {
      documents: [change.document],
      perform: (terms) => lifecycle.changeSettings(change, settings, terms),
      answer: (head: Head) => ({
        status: 200,
        headers: { etag: etagOf(head, storage) },
        body: summaryOf(head, storage.epoch),
      }),
    })
  })
}

function addDelete(app: TypedApp, { lifecycle, purger, idempotency }: DocumentRouteParts): void {
  const options = {
    config: {
      access: WRITE_ACCESS,
      about: {
        id: 'deleteDocument',
        tag: 'documents',
        summary: 'Delete a document',
        text: 'Who has `admin` can restore it, unless it is purged.',
        headers: CHANGE_HEADERS,
        answers: { 204: { text: 'It is deleted; of a purge: no file of the database holds any of it.' } },
        refusals: CHANGE_REFUSALS,
      },
    },
    schema: { querystring: DeleteQuery },
  } as const
  app.delete('/documents/:id', options, async (request, reply) => {
    const isPurge = queryBoolean(request.query.purge, 'purge')
    if (isPurge) requirePermission(request.principal, 'admin', request.documentId)
    const intent = readIntent(request.headers, baseVersionOf(request.query.baseVersion))
    const change = { ...changeOf(request), intent }
    return idempotency.answer(request, reply, {
      // That it was purged outlives the purge.
      documents: isPurge ? [] : [change.document],
      perform: async (terms: Terms<void>) => {
        if (isPurge) await purger.purge(change, terms)
        else
          await lifecycle.remove(
            change,
            termsOf(terms, () => undefined),
          )
      },
      answer: () => ({ status: 204 }),
      ended: () => (isPurge ? purger.ended(change.document) : Promise.resolve()),
    })
  })
}

/** What a change is of, and by whom. */
const changeOf = ({ documentId, principal, headers }: FastifyRequest) => ({
  document: documentId,
  author: principal.sub,
  lockToken: lockTokenOf(headers),
})
