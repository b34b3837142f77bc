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
import type { About } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { PAGE_QUERY, pageAsked, pageOf } from '../http/pagination.ts'
import { integerParameter, queryInteger, textParameter } from '../http/validation.ts'
import type { VersionFacts } from '../storage/history.ts'
import type { StorageView } from '../storage/view.ts'
import { CHANGE_HEADERS, readIntent, WRITE_ACCESS, WRITE_REFUSALS } from './conditions.ts'
import { performWrite, WRITE_ANSWER } from './content.ts'
import { answerQuestion, type HistoryQuestions } from './historyQuestions.ts'
import { BaseVersionSchema } from './representDocument.ts'
import { WriteShape } from './shapes/documents.ts'
import {
  BlameShape,
  DiffShape,
  ListedVersionShape,
  PeoplePageShape,
  VersionPageShape,
  WholeVersionShape,
} from './shapes/history.ts'

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
const PeopleQuery = Type.Object(
  { ...PAGE_QUERY, sub: Type.Optional(textParameter('This person alone.', { maxLength: 256 })) },
  { additionalProperties: false },
)
/** A position in a list of people: the last \`sub\` shown. */
const PeopleCursor = Type.Tuple([Type.String({ minLength: 1, maxLength: 256 })])
const versionParameter = (description: string) =>
  integerParameter(description, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const DiffQuery = Type.Object(
  {
    from: versionParameter('The version to compare from; 0 is the empty content it began with.'),
    to: versionParameter('The version to compare with.'),
  },
  { additionalProperties: false },
)
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
const STORED = { access: READ_ACCESS, rate: { class: 'read', tokens: 5 } } as const
/** What follows the whole log. */
const FOLLOWED = { access: READ_ACCESS, rate: { class: 'read', tokens: 20 } } as const
/** What all that reads a history has in common. */
const READ_ABOUT = { tag: 'history', refusals: ['document-deleted'] } as const

/** The history of documents: versions, differences, who wrote what, and writes that bring back what was (SPEC HIST). */
export function historyRoutes(parts: HistoryRouteParts): Routes {
  return async (app) => {
    addVersions(app, parts)
    addLabel(app, parts)
    addDiff(app, parts)
    addBlame(app, parts)
    addPeople(app, parts)
    addRestore(app, parts)
    addRevert(app, parts)
  }
}

function addVersions(app: TypedApp, { history }: HistoryRouteParts): void {
  const listed = {
    ...READ_ABOUT,
    id: 'listVersions',
    summary: 'List the versions of a document',
    text: 'Newest first. With `admin` also those of earlier lives of the document.',
    answers: { 200: { text: 'A page of versions.', body: VersionPageShape } },
    refusals: [...READ_ABOUT.refusals, 'invalid-cursor'],
  } as const
  const list = { config: { ...STORED, about: listed }, schema: { querystring: ListQuery } } as const
  app.get('/documents/:id/versions', list, async (request) => {
    const { limit, after } = pageAsked(request.query, ListCursor)
    const before = after && toVersion(after[0])
    const found = await history.list(request.documentId, isAdmin(request), { before, limit: limit + 1 })
    return pageOf(found, limit, showFacts, (facts) => [facts.version])
  })
  const one: About = {
    ...READ_ABOUT,
    id: 'readVersion',
    summary: 'Read a document as it was at a version',
    answers: { 200: { text: 'The version with its content.', body: WholeVersionShape } },
    refusals: [...READ_ABOUT.refusals, 'version-compacted'],
  }
  app.get('/documents/:id/versions/:version', { config: { ...STORED, about: one } }, async (request) => {
    const found = await history.version(request.documentId, isAdmin(request), versionInPath(request.params))
    const { bytes: _, ...shown } = showFacts(found.facts)
    return { ...shown, etag: found.etag, content: found.content }
  })
}

function addLabel(app: TypedApp, { labels, idempotency }: HistoryRouteParts): void {
  const about = {
    id: 'labelVersion',
    tag: 'history',
    summary: 'Name a version, or take its name away',
    text: 'A version with a label is kept for good.',
    answers: { 200: { text: 'The version.', body: ListedVersionShape } },
    refusals: ['document-deleted', 'version-compacted'],
  } as const
  const options = {
    config: { access: { document: 'id', needs: 'write' }, about },
    schema: { body: LabelBody },
  } as const
  app.put('/documents/:id/versions/:version/label', options, async (request, reply) => {
    const { documentId, body } = request
    const version = versionInPath(request.params)
    return idempotency.answer(request, reply, {
      documents: [documentId],
      perform: (terms) => labels.label(documentId, version, body.label, terms),
      answer: (facts: VersionFacts) => ({ status: 200, body: showFacts(facts) }),
    })
  })
}

function addDiff(app: TypedApp, { questions }: HistoryRouteParts): void {
  const about = {
    ...READ_ABOUT,
    id: 'compareVersions',
    summary: 'Compare two versions',
    text: 'With who is behind each difference. Backwards too.',
    answers: { 200: { text: 'What differs.', body: DiffShape } },
    refusals: [...READ_ABOUT.refusals, 'version-compacted'],
  } as const
  const options = { config: { ...FOLLOWED, about }, schema: { querystring: DiffQuery } } as const
  app.get('/documents/:id/diff', options, async (request, reply) => {
    const [from, to] = [versionAsked(request.query.from, 'from'), versionAsked(request.query.to, 'to')]
    const question = { ask: 'diff', document: request.documentId, isAdmin: isAdmin(request), from, to } as const
    return answerQuestion(request, reply, (asking) => questions.ask(question, asking))
  })
}

function addBlame(app: TypedApp, { questions }: HistoryRouteParts): void {
  const about: About = {
    ...READ_ABOUT,
    id: 'readBlame',
    summary: 'Who wrote what',
    text: 'Every line or pointer of the content with its author, version and time.',
    answers: { 200: { text: 'The blame of the newest version.', body: BlameShape } },
  }
  app.get('/documents/:id/blame', { config: { ...FOLLOWED, about } }, async (request, reply) => {
    const question = { ask: 'blame', document: request.documentId, isAdmin: isAdmin(request) } as const
    return answerQuestion(request, reply, (asking) => questions.ask(question, asking))
  })
}

/** What writes of earlier contents have in common. */
const WRITING_ABOUT = { tag: 'history', headers: [...CHANGE_HEADERS, 'Prefer'] } as const

function addPeople(app: TypedApp, { history }: HistoryRouteParts): void {
  const about = {
    ...READ_ABOUT,
    id: 'listPeople',
    summary: 'List what people are called who acted on a document',
    text: 'Everything else names them by `sub` alone, which stays the same. In the order of `sub`.',
    answers: { 200: { text: 'A page of people.', body: PeoplePageShape } },
    refusals: [...READ_ABOUT.refusals, 'invalid-cursor'],
  } as const
  const options = { config: { ...STORED, about }, schema: { querystring: PeopleQuery } } as const
  app.get('/documents/:id/people', options, async (request) => {
    const { limit, after } = pageAsked(request.query, PeopleCursor)
    const { sub } = request.query
    const query = {
      sub: sub === undefined ? null : toPrincipalId(sub),
      after: after && toPrincipalId(after[0]),
      limit: limit + 1,
    }
    const found = await history.people(request.documentId, query)
    return pageOf(
      found,
      limit,
      (person) => person,
      (person) => [person.sub],
    )
  })
}

function addRestore(app: TypedApp, parts: HistoryRouteParts): void {
  const about = {
    ...WRITING_ABOUT,
    id: 'restoreVersion',
    summary: 'Write the content of an earlier version again',
    text: 'Of a deleted document: revives it, which needs `admin`, or to have deleted it.',
    answers: {
      200: WRITE_ANSWER,
      201: { text: 'The document is there again.', body: WriteShape, headers: ['ETag', 'Location'] },
    },
    refusals: [...WRITE_REFUSALS, 'version-compacted'],
  } as const
  const config = { access: WRITE_ACCESS, rate: { class: 'write', tokens: 5 }, about } as const
  const options = { config, schema: { body: RestoreBody } } as const
  app.post('/documents/:id/restore', options, async (request, reply) => {
    const { version, baseVersion } = request.body
    const asked = { ...requestOf(request, baseVersion), version }
    // What was deleted is for `admin` to revive, and for whoever deleted it.
    const needs = (result: WriteResult) =>
      result.status === 'done' && result.outcome === 'created' && asked.isAdmin ? 'admin' : 'write'
    return performWrite(parts, request, reply, (terms) => parts.restorer.restore({ ...asked, terms }), needs)
  })
}

function addRevert(app: TypedApp, parts: HistoryRouteParts): void {
  const about = {
    ...WRITING_ABOUT,
    id: 'revertAuthor',
    summary: "Take back one author's changes",
    text: 'Where others built on them, it is refused as any stale write is.',
    answers: { 200: WRITE_ANSWER },
    refusals: WRITE_REFUSALS,
  } as const
  const config = { access: WRITE_ACCESS, rate: { class: 'write', tokens: 20 }, about } as const
  const options = { config, schema: { body: RevertBody } } as const
  app.post('/documents/:id/revert', options, async (request, reply) => {
    const { author, since, baseVersion } = request.body
    const asked = { ...requestOf(request, baseVersion), of: toPrincipalId(author), since }
    return performWrite(parts, request, reply, (terms) => parts.restorer.revert({ ...asked, terms }))
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
