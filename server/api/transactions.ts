import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Principal } from '../access/access.ts'
import type { ContentLimits } from '../content/limits.ts'
import type { Terms } from '../foundation/answer.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { trustedDocumentId, type DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { problemKind } from '../foundation/problemTable.ts'
import type { Idempotency } from '../http/idempotency.ts'
import type { SchemaJudge } from '../documents/schemaJudge.ts'
import type { About } from '../http/about.ts'
import type { Routes, TypedApp } from '../http/mount.ts'
import { preferredReturn } from '../http/prefer.ts'
import { sizesFirst } from './contentSize.ts'
import { CommittedShape, PreviewShape, StagedShape } from './shapes/transactions.ts'
import { OperationsSchema, readOperation, type OperationBody } from './transactionBody.ts'
import { gravest } from '../transactions/gravest.ts'
import type { Operation, OperationOutcome, Verdict } from '../transactions/operation.ts'
import { answerTo, refusalOrNull, AnswerRoom, showVerdict, type RepresentParts } from './representTransaction.ts'
import {
  assertDistinct,
  TRANSACTION_ID_PATTERN,
  type StagedTransaction,
  type StagedTransactions,
} from '../transactions/staged.ts'
import { codeOf, type Transactor } from '../transactions/transactor.ts'

export interface TransactionRouteParts extends Omit<RepresentParts, 'linkBase'> {
  readonly transactor: Transactor
  readonly transactions: StagedTransactions<OperationBody>
  readonly limits: ContentLimits
  readonly schemas: SchemaJudge
  readonly idempotency: Idempotency
  /** Whether the token that named this principal was revoked since. */
  readonly isRevoked: (principal: Principal) => boolean
}

const CLOSED = { additionalProperties: false }
const BeginBody = Type.Object(
  { operations: Type.Optional(OperationsSchema), commit: Type.Optional(Type.Boolean()) },
  { ...CLOSED, title: 'NewTransaction' },
)
const AddBody = Type.Object({ operations: OperationsSchema }, { ...CLOSED, title: 'MoreOperations' })
const PATH = '/transactions/:transaction'

/** Whatever is staged is read first, and may be refused for what it is. */
const READING_REFUSALS = ['not-found', 'forbidden'] as const
const COMMIT_REFUSALS = [
  ...READING_REFUSALS,
  'document-deleted',
  'document-damaged',
  'locked',
  'lock-lost',
  'precondition-required',
  'transaction-conflict',
  'kind-mismatch',
  'content-too-complex',
  'schema-violation',
] as const
const COMMITTED = { text: 'All of it is on disk.', body: CommittedShape } as const
const STAGED = { text: 'The operations wait; nothing is locked.', body: StagedShape } as const
const BEGIN_ABOUT: About = {
  id: 'beginTransaction',
  tag: 'transactions',
  summary: 'Write several documents as one, or stage that',
  text: 'With `commit: true` all or none is written at once; without it the operations wait for their commit.',
  headers: ['Prefer'],
  answers: { 200: COMMITTED, 201: { ...STAGED, headers: ['Location'] } },
  refusals: [...COMMIT_REFUSALS, 'invalid-schema', 'too-many-transactions'],
}
const ADD_ABOUT: About = {
  id: 'addOperations',
  tag: 'transactions',
  summary: 'Stage more operations',
  answers: { 200: STAGED },
  refusals: [...READING_REFUSALS, 'invalid-schema', 'transaction-closed'],
}
const SHOW_ABOUT: About = {
  id: 'previewTransaction',
  tag: 'transactions',
  summary: 'What each operation would come to now',
  answers: {
    200: { text: 'The operations with their outcomes; no conflict is opened by looking.', body: PreviewShape },
  },
  refusals: ['not-found'],
}
const COMMIT_ABOUT: About = {
  id: 'commitTransaction',
  tag: 'transactions',
  summary: 'Commit what was staged',
  headers: ['Prefer'],
  answers: { 200: COMMITTED },
  refusals: [...COMMIT_REFUSALS, 'transaction-closed'],
}
const ROLL_BACK_ABOUT: About = {
  id: 'rollBackTransaction',
  tag: 'transactions',
  summary: 'Drop what was staged',
  answers: { 204: { text: 'It is gone.' } },
  refusals: ['not-found', 'transaction-closed'],
}

/** Several documents written as one: at once, or staged first (SPEC TX-1 to TX-4). */
export function transactionRoutes(parts: TransactionRouteParts): Routes {
  return async (app) => {
    addBegin(app, parts)
    addAdd(app, parts)
    addShow(app, parts)
    addCommit(app, parts)
    addRollBack(app, parts)
  }
}

function addBegin(app: TypedApp, parts: TransactionRouteParts): void {
  const { transactor, transactions, idempotency } = parts
  const options = {
    config: { access: 'authenticated', rate: { class: 'write', tokens: 10 }, about: BEGIN_ABOUT },
    schema: { body: BeginBody },
    preValidation: sizesFirst(parts.limits, (problems) => refusalOrNull(parts, problems)),
  } as const
  app.post('/transactions', options, async (request, reply) => {
    const { principal, body } = request
    const { operations = [], commit = false } = body
    const read = await readAll(parts, operations, principal)
    const documents = documentsOf(operations)
    if (!commit) {
      return idempotency.answer(request, reply, {
        documents: [],
        perform: async () => transactions.begin(principal.sub, operations, () => parts.isRevoked(principal)),
        answer: (begun: StagedBody) => ({
          status: 201,
          headers: { location: `${request.linkBase}/transactions/${begun.id}` },
          body: outline(begun),
        }),
      })
    }
    if (read.length === 0) throw new ParleyError('invalid-request', 'A transaction to be committed has operations.')
    const contents = wantsContents(request)
    return idempotency.answer(request, reply, {
      documents,
      perform: (terms) => transactor.perform(read, principal.sub, terms),
      answer: (outcome: OperationOutcome) => answerTo({ ...parts, linkBase: request.linkBase }, outcome, contents),
    })
  })
}

function addAdd(app: TypedApp, parts: TransactionRouteParts): void {
  const options = {
    config: { access: 'authenticated', about: ADD_ABOUT },
    schema: { body: AddBody },
    preValidation: sizesFirst(parts.limits, (problems) => refusalOrNull(parts, problems)),
  } as const
  app.post(`${PATH}/operations`, options, async (request, reply) => {
    const { principal, body } = request
    const id = transactionInPath(request.params)
    await readAll(parts, body.operations, principal)
    return parts.idempotency.answer(request, reply, {
      documents: [],
      perform: async () => parts.transactions.add(id, principal.sub, body.operations, () => parts.isRevoked(principal)),
      answer: (transaction: StagedBody) => ({ status: 200, body: outline(transaction) }),
    })
  })
}

function addShow(app: TypedApp, parts: TransactionRouteParts): void {
  app.get(
    PATH,
    { config: { access: 'authenticated', rate: { class: 'read', tokens: 20 }, about: SHOW_ABOUT } },
    async (request) => {
      const { principal } = request
      const transaction = parts.transactions.look(transactionInPath(request.params), principal.sub)
      return {
        ...outline(transaction),
        operations: await preview({ ...parts, linkBase: request.linkBase }, transaction.operations, principal),
      }
    },
  )
}

function addCommit(app: TypedApp, parts: TransactionRouteParts): void {
  const { transactor, transactions, idempotency } = parts
  const config = { access: 'authenticated', rate: { class: 'write', tokens: 10 }, about: COMMIT_ABOUT } as const
  app.post(`${PATH}/commit`, { config }, async (request, reply) => {
    const { principal } = request
    const id = transactionInPath(request.params)
    const contents = wantsContents(request)
    return idempotency.answer(request, reply, {
      documents: documentsOf(transactions.peek(id, principal.sub)),
      perform: async (terms: Terms<OperationOutcome>) => {
        const { outcome } = await transactions.commit(id, principal.sub, async (operations) => {
          const performed = await transactor.perform(await readAll(parts, operations, principal), principal.sub, terms)
          return { outcome: performed, ends: endOf(performed) }
        })
        return outcome
      },
      answer: (outcome: OperationOutcome) => answerTo({ ...parts, linkBase: request.linkBase }, outcome, contents),
      needs: () => 'write',
    })
  })
}

function addRollBack(app: TypedApp, { transactions, idempotency }: TransactionRouteParts): void {
  app.delete(PATH, { config: { access: 'authenticated', about: ROLL_BACK_ABOUT } }, async (request, reply) => {
    const id = transactionInPath(request.params)
    return idempotency.answer(request, reply, {
      documents: [],
      perform: async () => transactions.rollBack(id, request.principal.sub),
      answer: () => ({ status: 204 }),
    })
  })
}

type StagedBody = StagedTransaction<OperationBody>

/** A lock may be released: the transaction can be committed later as it is. All else needs another one. */
function endOf(outcome: OperationOutcome): 'succeeds' | 'is-refused' | 'fails' {
  if (outcome.status === 'committed') return 'succeeds'
  const codes = outcome.failures.map((failure) => failure && codeOf(failure))
  const code = codes[gravest(codes) ?? -1] ?? null
  return code !== null && problemKind(code).status === 423 ? 'fails' : 'is-refused'
}

/** Reads all operations, or throws the one refusal of those that cannot be (SPEC TX-3). */
async function readAll(
  parts: TransactionRouteParts,
  bodies: readonly OperationBody[],
  principal: Principal,
): Promise<readonly Operation[]> {
  assertDistinct(bodies)
  const read = await Promise.all(bodies.map((body) => readOne(parts, body, principal)))
  const refusal = refusalOrNull(
    parts,
    read.map((one) => (one instanceof ParleyError ? one : null)),
  )
  if (refusal !== null) throw refusal
  return read.flatMap((one) => (one instanceof ParleyError ? [] : [one]))
}

async function readOne(
  parts: TransactionRouteParts,
  body: OperationBody,
  principal: Principal,
): Promise<Operation | ParleyError> {
  try {
    return await readOperation(body, principal, parts)
  } catch (problem) {
    if (problem instanceof ParleyError) return problem
    throw problem
  }
}

/** What each operation would come to now; its principal may have lost rights since it was added. */
async function preview(
  parts: TransactionRouteParts & { readonly linkBase: string },
  bodies: readonly OperationBody[],
  principal: Principal,
): Promise<readonly object[]> {
  const read = await Promise.all(bodies.map((body) => readOne(parts, body, principal)))
  const allowed = read.flatMap((one) => (one instanceof ParleyError ? [] : [one]))
  const verdicts = [...(await parts.transactor.preview(allowed, principal.sub))]
  const room = new AnswerRoom()
  return bodies.map((body, index) => {
    const one = read[index]
    const verdict: Verdict | undefined =
      one instanceof ParleyError ? { status: 'failed', problem: one } : verdicts.shift()
    return verdict === undefined ? body : showVerdict(parts, body, verdict, room)
  })
}

const outline = ({ id, state, expiresAt, operations }: StagedBody) => ({
  id,
  status: state,
  expiresAt: toTimestamp(expiresAt),
  operations: operations.map(({ action, document }) => ({ action, document })),
})

const wantsContents = ({ headers }: FastifyRequest): boolean => preferredReturn(headers['prefer']) !== 'minimal'

const documentsOf = (bodies: readonly OperationBody[]): readonly DocumentId[] =>
  bodies.map(({ document }) => trustedDocumentId(document))

function transactionInPath(params: unknown): string {
  const text: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'transaction') : undefined
  if (typeof text === 'string' && new RegExp(TRANSACTION_ID_PATTERN).test(text)) return text
  throw new ParleyError('invalid-request', 'The path does not hold a valid transaction id.')
}
