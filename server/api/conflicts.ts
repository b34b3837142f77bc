import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { can, patternsWithin, type Principal } from '../access/access.ts'
import type { Content } from '../content/content.ts'
import type { ContentLimits } from '../content/limits.ts'
import type { StorageView } from '../storage/view.ts'
import { ConflictIdSchema, readRequest, ResolveBody, withRights } from './resolveBody.ts'
import { ConflictPageShape, ConflictShape, OverlapPageShape, ProposedShape, ResolvedShape } from './shapes/conflicts.ts'
import { CONFLICT_ID_PATTERN, PROPOSAL_ID_PATTERN } from './shapes/values.ts'
import { BARE_CONTENT } from './documents.ts'
import { contentMember, sizeFirst } from './contentSize.ts'
import { answerQuestion } from './historyQuestions.ts'
import { formatEtag } from '../documents/etag.ts'
import { type ConflictId, DOCUMENT_ID_PATTERN, parsePattern, toConflictId } from '../foundation/ids.ts'
import { invariant } from '../foundation/assert.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { Idempotency, Reply } from '../http/idempotency.ts'
import { lockTokenOf } from '../http/lockToken.ts'
import type { About } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { PAGE_QUERY, pageAsked, pageOf } from '../http/pagination.ts'
import { preferredReturn } from '../http/prefer.ts'
import {
  CONFLICT_KINDS,
  CONFLICT_STATUSES,
  type ConflictKind,
  type ConflictRecord,
  type ConflictStatus,
} from '../model/conflict.ts'
import type { ConflictResolver, Outcome } from '../conflicts/resolve.ts'
import { seenVersion } from '../conflicts/overlapPage.ts'
import {
  conflictNotFound,
  outlineOf,
  showNewProposal,
  type ShowOptions,
  sideContent,
  storedContent,
} from '../conflicts/show.ts'
import { shownInConflict } from '../conflicts/shownContents.ts'
import type { ConflictShower } from '../conflicts/shower.ts'

export interface ConflictRouteParts {
  readonly storage: StorageView
  readonly resolver: ConflictResolver
  readonly shower: ConflictShower
  readonly idempotency: Idempotency
  readonly limits: ContentLimits
}

const ListQuery = Type.Object(
  {
    ...PAGE_QUERY,
    document: Type.Optional(Type.String({ pattern: DOCUMENT_ID_PATTERN })),
    status: Type.Optional(Type.Unsafe<ConflictStatus>({ type: 'string', enum: [...CONFLICT_STATUSES] })),
    kind: Type.Optional(Type.Unsafe<ConflictKind>({ type: 'string', enum: [...CONFLICT_KINDS] })),
  },
  { additionalProperties: false },
)
const OverlapsQuery = Type.Object(PAGE_QUERY, { additionalProperties: false })
/** How many overlaps were shown, and the version in which they were looked for. */
const OverlapsCursor = Type.Tuple([Type.Integer({ minimum: 0 }), Type.Integer({ minimum: 0 })])

/** A position in a list of conflicts: the last id shown. */
const ListCursor = Type.Tuple([ConflictIdSchema])

/** Conflicts and what they hold are read from storage, and compared where they are shown. */
const STORED = { access: 'authenticated', rate: { class: 'read', tokens: 5 } } as const
/** What all that reads one conflict has in common. */
const READ_ABOUT = { tag: 'conflicts', refusals: ['not-found', 'conflict-expired', 'document-damaged'] } as const
const RESOLVE_ABOUT: About = {
  id: 'resolveConflict',
  tag: 'conflicts',
  summary: 'Resolve a conflict, propose, accept, reject or dismiss',
  text: 'Needs `resolve` on the document; with `write` alone a resolution is kept as a proposal, and the author of the incoming change may dismiss.',
  headers: ['Prefer', 'Lock-Token'],
  answers: {
    200: { text: 'How the conflict ended, and the document.', body: ResolvedShape },
    202: { text: 'It is kept as a proposal.', body: ProposedShape },
  },
  refusals: [
    'not-found',
    'forbidden',
    'document-damaged',
    'conflict-expired',
    'conflict-closed',
    'proposal-closed',
    'version-conflict',
    'unknown-base',
    'base-compacted',
    'locked',
    'lock-lost',
    'invalid-resolution',
    'too-many-proposals',
    'kind-mismatch',
    'content-too-complex',
    'schema-violation',
  ],
}

/** Conflicts as resources, and their resolution (SPEC CONF-4, CONF-5, RES-1 to RES-7). */
export function conflictRoutes(parts: ConflictRouteParts): Routes {
  return async (app) => {
    addList(app, parts)
    addRead(app, parts)
    addOverlaps(app, parts)
    addSides(app, parts)
    addProposal(app, parts)
    addResolve(app, parts)
  }
}

function addList(app: TypedApp, { storage }: ConflictRouteParts): void {
  const options = {
    config: {
      ...STORED,
      about: {
        id: 'listConflicts',
        tag: 'conflicts',
        summary: 'List conflicts',
        text: 'Those of documents that the token may read, newest first, without contents.',
        answers: { 200: { text: 'A page of conflicts.', body: ConflictPageShape } },
        refusals: ['invalid-cursor', 'not-found'],
      },
    },
    schema: { querystring: ListQuery },
  } as const
  app.get('/conflicts', options, async (request) => {
    const { query, principal } = request
    const { limit, after } = pageAsked(query, ListCursor)
    const wanted = parsePattern(query.document ?? '*')
    invariant(wanted !== null, 'the schema checked the id')
    const patterns = patternsWithin(principal, 'read', wanted)
    if (query.document !== undefined && patterns.length === 0) throw conflictNotFound()
    const found =
      patterns.length === 0
        ? []
        : // Of one moment, though it is answered in steps: what is purged between two of them is not shown any more.
          await storage.read((view) =>
            view.conflicts({
              patterns,
              ...(query.status === undefined ? {} : { statuses: [query.status] }),
              ...(query.kind === undefined ? {} : { kinds: [query.kind] }),
              before: after && toConflictId(after[0]),
              limit: limit + 1,
            }),
          )
    const page = pageOf(
      found,
      limit,
      (record) => record,
      (record) => [record.id],
    )
    const visible = await Promise.all(page.items.map((record) => isVisible(storage, record, principal)))
    const items = page.items.filter((_, i) => visible[i])
    return { ...page, items: await Promise.all(items.map((record) => outlineOf(storage, record, request))) }
  })
}

function addRead(app: TypedApp, { storage, shower }: ConflictRouteParts): void {
  const about = {
    ...READ_ABOUT,
    id: 'readConflict',
    summary: 'Look at a conflict',
    headers: ['Prefer'],
    answers: { 200: { text: 'The conflict with its contents.', body: ConflictShape } },
  } as const
  app.get('/conflicts/:conflict', { config: { ...STORED, about } }, async (request, reply) => {
    const id = conflictInPath(request.params)
    const contents = preferredReturn(request.headers['prefer']) !== 'minimal'
    const record = await findReadable(storage, id, request.principal)
    return answerQuestion(request, reply, (asking) =>
      shower.read(record, { contents, linkBase: request.linkBase }, asking),
    )
  })
}

/** All overlaps of a conflict, page by page, where it shows itself without them or with the first only. */
function addOverlaps(app: TypedApp, { storage, shower }: ConflictRouteParts): void {
  const options = {
    config: {
      access: 'authenticated',
      rate: { class: 'read', tokens: 20 },
      about: {
        ...READ_ABOUT,
        id: 'listOverlaps',
        summary: 'List all overlaps of a conflict',
        text: 'With their values, however many there are.',
        answers: { 200: { text: 'A page of overlaps.', body: OverlapPageShape } },
        refusals: [...READ_ABOUT.refusals, 'invalid-cursor'],
      },
    },
    schema: { querystring: OverlapsQuery },
  } as const
  app.get('/conflicts/:conflict/overlaps', options, async (request, reply) => {
    const record = await findReadable(storage, conflictInPath(request.params), request.principal)
    const { limit, after } = pageAsked(request.query, OverlapsCursor)
    const [start, seen] = after ?? [0, seenVersion(record)]
    if (seen !== seenVersion(record)) {
      throw new ParleyError('invalid-cursor', 'The overlaps were looked for anew since: begin again without a cursor.')
    }
    return answerQuestion(request, reply, (asking) => shower.overlaps(record, { after: start, limit }, asking))
  })
}

const CAPITALIZED = { base: 'Base', current: 'Current', incoming: 'Incoming' } as const

function addSides(app: TypedApp, { storage }: ConflictRouteParts): void {
  for (const side of ['base', 'current', 'incoming'] as const) {
    const about = {
      ...READ_ABOUT,
      id: `readConflict${CAPITALIZED[side]}`,
      summary: `Read the ${side} content of a conflict`,
      answers: { 200: { text: 'The content alone.', body: BARE_CONTENT } },
    } as const
    app.get(`/conflicts/:conflict/${side}`, { config: { ...STORED, about } }, async (request, reply) => {
      const id = conflictInPath(request.params)
      const content = await storage.read(async (view) => {
        const record = await findReadable(view, id, request.principal)
        return sideContent(view, record, record[side])
      })
      return sendContent(reply, content)
    })
  }
}

/** What a proposal would make, however large it is. */
function addProposal(app: TypedApp, { storage }: ConflictRouteParts): void {
  const about = {
    ...READ_ABOUT,
    id: 'readProposal',
    summary: 'Read the content of a proposal',
    answers: { 200: { text: 'The content alone.', body: BARE_CONTENT } },
  } as const
  const options = { config: { ...STORED, about } } as const
  app.get('/conflicts/:conflict/proposals/:proposal', options, async (request, reply) => {
    const id = idInPath(request.params, 'proposal', PROPOSAL_ID_PATTERN)
    const conflict = conflictInPath(request.params)
    const content = await storage.read(async (view) => {
      const record = await findReadable(view, conflict, request.principal)
      const proposal = record.proposals.find((one) => one.id === id)
      if (!proposal) throw new ParleyError('not-found', `The conflict has no proposal ${id}.`)
      return storedContent(view, record, proposal.hash)
    })
    return sendContent(reply, content)
  })
}

function sendContent(reply: FastifyReply, content: Content): FastifyReply {
  if (typeof content === 'string') return reply.type('text/plain; charset=utf-8').send(content)
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(content))
}

function addResolve(app: TypedApp, parts: ConflictRouteParts): void {
  const { storage, resolver, idempotency, limits } = parts
  const options = {
    config: { access: 'authenticated', rate: { class: 'resolve', tokens: 1 }, about: RESOLVE_ABOUT },
    schema: { body: ResolveBody },
    preValidation: sizeFirst(limits, contentMember),
  } as const
  app.post('/resolve-conflict', options, async (request, reply) => {
    const { body, principal } = request
    const asked = readRequest(body)
    const record = await find(storage, toConflictId(body.conflictId), principal)
    const allowed = withRights(asked, record, principal)
    const contents = preferredReturn(request.headers['prefer']) !== 'minimal'
    const shown = { by: principal.sub, contents, linkBase: request.linkBase }
    const ask = { by: principal.sub, request: allowed, shown, lockToken: lockTokenOf(request.headers) }
    return idempotency.answer(request, reply, {
      documents: [record.document],
      perform: (terms) => resolver.perform(record.id, { ...ask, terms }),
      answer: (outcome: Outcome) => answerTo(parts, outcome, shown),
      // Who may only write proposes with the same request, and has not resolved.
      needs: () => (allowed.ask === 'resolve' ? 'resolve' : 'read'),
    })
  })
}

async function answerTo(
  { storage, shower }: ConflictRouteParts,
  { record, proposal, head }: Outcome,
  shown: Pick<ShowOptions, 'contents' | 'by' | 'linkBase'>,
): Promise<Reply> {
  const conflict = await shower.show(record, { ...shown, proposed: proposal })
  if (proposal) {
    const body = { conflict, proposal: showNewProposal(record, proposal, shown.contents) }
    return { status: 202, body, shownIn: shownInConflict(record, proposal) }
  }
  const etag = formatEtag(head, storage.epoch)
  const body = { conflict, document: { id: head.id, version: head.version, etag } }
  return { status: 200, body, shownIn: shownInConflict(record) }
}

const conflictInPath = (params: unknown): ConflictId => toConflictId(idInPath(params, 'conflict', CONFLICT_ID_PATTERN))

function idInPath(params: unknown, name: 'conflict' | 'proposal', pattern: string): string {
  const text: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined
  if (typeof text === 'string' && new RegExp(pattern).test(text)) return text
  throw new ParleyError('invalid-request', `The path does not hold a valid ${name} id.`)
}

/** A conflict of a document the principal may read; for all others there is none (SPEC CONF-5). */
async function find(storage: StorageView, id: ConflictId, principal: Principal): Promise<ConflictRecord> {
  const record = await storage.conflict(id)
  if (!record || !can(principal, 'read', record.document)) throw conflictNotFound()
  return record
}

async function findReadable(storage: StorageView, id: ConflictId, principal: Principal): Promise<ConflictRecord> {
  const record = await find(storage, id, principal)
  if (await isVisible(storage, record, principal)) return record
  throw new ParleyError('conflict-expired', `The document ${record.document} was deleted.`)
}

/** What belongs to a deleted document stays readable to `admin` only (SPEC DOC-6). */
async function isVisible(storage: StorageView, record: ConflictRecord, principal: Principal): Promise<boolean> {
  if (can(principal, 'admin', record.document)) return true
  const head = await storage.head(record.document)
  return head !== null && head.deletedAt === null && head.incarnation === record.incarnation
}
