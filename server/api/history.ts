import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { can } from '../access/access.ts'
import type { ConflictShower } from '../conflicts/shower.ts'
import type { WriteResult } from '../documents/planWrite.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { NO_VERSION, toPrincipalId, toVersion } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { VersionLabels } from '../history/labels.ts'
import type { HistoryReader } from '../history/reader.ts'
import type { Restorer } from '../history/restore.ts'
import type { Idempotency } from '../http/idempotency.ts'
import { lockTokenOf } from '../http/lockToken.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { PAGE_QUERY, pageAsked, pageOf } from '../http/pagination.ts'
import { queryInteger } from '../http/validation.ts'
import type { VersionFacts } from '../storage/history.ts'
import type { StorageView } from '../storage/view.ts'
import { readIntent, WRITE_ACCESS } from './conditions.ts'
import { performWrite } from './content.ts'
import { askedBy, type HistoryQuestions, sendJson } from './historyQuestions.ts'
import { BaseVersionSchema } from './representDocument.ts'

export interface HistoryRouteParts {
  readonly storage: StorageView
  readonly history: HistoryReader
  readonly labels: VersionLabels
  readonly shower: ConflictShower
  readonly questions: HistoryQuestions
  readonly idempotency: Idempotency
  readonly restorer: Restorer
}

const ListQuery = Type.Object({ ...PAGE_QUERY }, { additionalProperties: false })
/** A position in a list of versions: the last one shown. */
const ListCursor = Type.Tuple([Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })])
const DiffQuery = Type.Object({ from: Type.String(), to: Type.String() }, { additionalProperties: false })
const LabelBody = Type.Object(
  { label: Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()]) },
  { additionalProperties: false },
)
const VersionSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const RestoreBody = Type.Object(
  { version: VersionSchema, baseVersion: Type.Optional(BaseVersionSchema) },
  { additionalProperties: false },
)
const RevertBody = Type.Object(
  {
    author: Type.String({ minLength: 1 }),
    since: VersionSchema,
    baseVersion: Type.Optional(BaseVersionSchema),
  },
  { additionalProperties: false },
)

const READ_ACCESS = { document: 'id', needs: 'read' } as const
/** One page or one content out of the log. */
const STORED = { config: { access: READ_ACCESS, rate: { class: 'read', tokens: 5 } } } as const
/** What follows the whole log. */
const FOLLOWED = { config: { access: READ_ACCESS, rate: { class: 'read', tokens: 20 } } } as const

/** The history of documents: versions, differences, who wrote what, and writes that bring back what was (SPEC HIST). */
export function historyRoutes(parts: HistoryRouteParts): Routes {
  return async (app) => {
    addVersions(app, parts)
    addLabel(app, parts)
    addDiff(app, parts)
    addBlame(app, parts)
    addRestore(app, parts)
    addRevert(app, parts)
  }
}

function addVersions(app: TypedApp, { history }: HistoryRouteParts): void {
  app.get('/documents/:id/versions', { ...STORED, schema: { querystring: ListQuery } }, async (request) => {
    const { limit, after } = pageAsked(request.query, ListCursor)
    const before = after && toVersion(after[0])
    const found = await history.list(request.documentId, isAdmin(request), { before, limit: limit + 1 })
    return pageOf(found, limit, showFacts, (facts) => [facts.version])
  })
  app.get('/documents/:id/versions/:version', STORED, async (request) => {
    const found = await history.version(request.documentId, isAdmin(request), versionInPath(request.params))
    const { bytes: _, ...shown } = showFacts(found.facts)
    return { ...shown, etag: found.etag, content: found.content }
  })
}

function addLabel(app: TypedApp, { labels, idempotency }: HistoryRouteParts): void {
  const options = { config: { access: { document: 'id', needs: 'write' } }, schema: { body: LabelBody } } as const
  app.put('/documents/:id/versions/:version/label', options, async (request, reply) => {
    const { documentId, body } = request
    const version = versionInPath(request.params)
    return idempotency.answer(request, reply, {
      documents: [documentId],
      perform: (keep) => labels.label(documentId, version, body.label, keep),
      answer: (facts: VersionFacts) => ({ status: 200, body: showFacts(facts) }),
    })
  })
}

function addDiff(app: TypedApp, { questions }: HistoryRouteParts): void {
  app.get('/documents/:id/diff', { ...FOLLOWED, schema: { querystring: DiffQuery } }, async (request, reply) => {
    const [from, to] = [versionAsked(request.query.from, 'from'), versionAsked(request.query.to, 'to')]
    const question = { ask: 'diff', document: request.documentId, isAdmin: isAdmin(request), from, to } as const
    return sendJson(reply, await questions.ask(question, askedBy(request, reply)))
  })
}

function addBlame(app: TypedApp, { questions }: HistoryRouteParts): void {
  app.get('/documents/:id/blame', FOLLOWED, async (request, reply) => {
    const question = { ask: 'blame', document: request.documentId, isAdmin: isAdmin(request) } as const
    return sendJson(reply, await questions.ask(question, askedBy(request, reply)))
  })
}

function addRestore(app: TypedApp, parts: HistoryRouteParts): void {
  const config = { access: WRITE_ACCESS, rate: { class: 'write', tokens: 5 } } as const
  const options = { config, schema: { body: RestoreBody } } as const
  app.post('/documents/:id/restore', options, async (request, reply) => {
    const { version, baseVersion } = request.body
    const asked = { ...requestOf(request, baseVersion), version }
    // What was deleted is for `admin` to revive.
    const needs = (result: WriteResult) =>
      result.status === 'done' && result.outcome === 'created' ? 'admin' : 'write'
    return performWrite(parts, request, reply, (keep) => parts.restorer.restore({ ...asked, keep }), needs)
  })
}

function addRevert(app: TypedApp, parts: HistoryRouteParts): void {
  const config = { access: WRITE_ACCESS, rate: { class: 'write', tokens: 20 } } as const
  const options = { config, schema: { body: RevertBody } } as const
  app.post('/documents/:id/revert', options, async (request, reply) => {
    const { author, since, baseVersion } = request.body
    const asked = { ...requestOf(request, baseVersion), of: toPrincipalId(author), since }
    return performWrite(parts, request, reply, (keep) => parts.restorer.revert({ ...asked, keep }))
  })
}

function requestOf(request: FastifyRequest, baseVersion: number | undefined) {
  return {
    document: request.documentId,
    author: request.principal.sub,
    isAdmin: isAdmin(request),
    intent: readIntent(request.headers, baseVersion),
    lockToken: lockTokenOf(request.headers),
  }
}

/** A version as the API shows it (SPEC HIST-1). */
function showFacts({ version, firstVersion, author, at, origin, label, bytes }: VersionFacts) {
  const range = firstVersion < version ? { firstVersion } : {}
  return { version, ...range, authors: [author], at: toTimestamp(at), origin, label, bytes }
}

/** What is left of deleted documents and former lives is for `admin` (SPEC DOC-6). */
const isAdmin = (request: FastifyRequest): boolean => can(request.principal, 'admin', request.documentId)

function versionInPath(params: unknown): number {
  const text: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'version') : undefined
  if (typeof text === 'string' && /^(0|[1-9][0-9]{0,14})$/.test(text)) return Number(text)
  throw new ParleyError('invalid-request', 'A version in the path is a positive integer.')
}

const versionAsked = (text: string, name: 'from' | 'to'): number =>
  queryInteger(text, { name, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) ?? NO_VERSION
