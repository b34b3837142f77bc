import { Type, type Static } from 'typebox'
import type { Principal } from '../access/access.ts'
import { kindOf, type Content, type JsonValue } from '../content/content.ts'
import type { ContentLimits } from '../content/limits.ts'
import { intentOf, type Intent } from '../documents/base.ts'
import { readPatch } from './contentPatch.ts'
import { DEFAULT_ROOT } from '../model/document.ts'
import { assertKind, assertSize, type WriteRequest } from '../documents/planWrite.ts'
import {
  BaseVersionSchema,
  ConflictPolicySchema,
  ContentSchema,
  SETTINGS_MEMBERS,
  KindSchema,
  RootSchema,
} from './representDocument.ts'
import { requireCreator } from './documents.ts'
import type { SchemaJudge } from '../documents/schemaJudge.ts'
import { assertNever, invariant } from '../foundation/assert.ts'
import { DOCUMENT_ID_PATTERN, parseDocumentId, type DocumentId } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import { requirePermission } from '../http/access.ts'
import { JSON_PATCH, MERGE_PATCH, TEXT_DELTA } from '../http/bodies.ts'
import type { Operation } from '../transactions/operation.ts'
import { MAX_OPERATIONS } from '../transactions/staged.ts'

const CLOSED = { additionalProperties: false }
const document = Type.String({ pattern: DOCUMENT_ID_PATTERN })
const baseVersion = Type.Optional(BaseVersionSchema)
const onConflict = Type.Optional(ConflictPolicySchema)
const lockToken = Type.Optional(Type.String())
const AnyJson = Type.Unsafe<JsonValue>({})

const OperationBody = Type.Union([
  Type.Object(
    {
      action: Type.Literal('create'),
      document,
      kind: KindSchema,
      content: Type.Optional(ContentSchema),
      ...SETTINGS_MEMBERS,
      root: Type.Optional(RootSchema),
    },
    CLOSED,
  ),
  Type.Object(
    {
      action: Type.Literal('put'),
      document,
      content: ContentSchema,
      baseVersion,
      onConflict,
      kind: Type.Optional(KindSchema),
      lockToken,
    },
    CLOSED,
  ),
  Type.Object(
    {
      action: Type.Literal('patch'),
      document,
      patch: AnyJson,
      contentType: Type.Unsafe<string>({ type: 'string', enum: [MERGE_PATCH, JSON_PATCH, TEXT_DELTA] }),
      baseVersion,
      onConflict,
      lockToken,
    },
    CLOSED,
  ),
  Type.Object({ action: Type.Literal('delete'), document, baseVersion, lockToken }, CLOSED),
])
export type OperationBody = Static<typeof OperationBody>

/** SPEC TX-3. */
export const OperationsSchema = Type.Array(OperationBody, { minItems: 1, maxItems: MAX_OPERATIONS })

export interface OperationParts {
  readonly limits: ContentLimits
  readonly schemas: SchemaJudge
}

/**
 * The operation that a body asks for, if its principal may (SPEC AUTH-1). Throws `not-found`, `forbidden`,
 * `content-too-large`, `kind-mismatch`, `invalid-request` or `invalid-schema`.
 */
export async function readOperation(
  body: OperationBody,
  principal: Principal,
  { limits, schemas }: OperationParts,
): Promise<Operation> {
  const id = parseDocumentId(body.document)
  invariant(id !== null, 'the schema checked the id')
  if (body.action === 'create') return readCreate(body, id, principal, { limits, schemas })
  requirePermission(principal, 'write', id)
  const intent = intentOf({ ifMatch: null, ifNoneMatch: false, baseVersion: body.baseVersion ?? null })
  const change = { document: id, author: principal.sub, intent, lockToken: body.lockToken ?? null }
  if (body.action === 'delete') return { do: 'delete', document: id, change }
  return { do: 'write', document: id, request: readWrite(body, change, limits) }
}

async function readCreate(
  body: Extract<OperationBody, { action: 'create' }>,
  id: DocumentId,
  principal: Principal,
  { limits, schemas }: OperationParts,
): Promise<Operation> {
  requireCreator(principal, id)
  const { action: _action, document: _document, kind, content: sent, root = DEFAULT_ROOT, ...settings } = body
  const { schema = null } = settings
  const content: Content = sent ?? (kind === 'text' ? '' : {})
  assertSize(content, limits)
  if (schema !== null) {
    if (kind === 'text') throw new ParleyError('invalid-request', 'A text document has no schema.')
    await schemas.assertUsable(schema, principal.sub)
  }
  return { do: 'create', document: id, wanted: { id, kind, root, settings }, content }
}

function readWrite(
  body: Extract<OperationBody, { action: 'put' | 'patch' }>,
  change: Pick<WriteRequest, 'document' | 'author' | 'lockToken'> & { readonly intent: Intent },
  limits: ContentLimits,
): WriteRequest {
  const common = { ...change, onConflict: body.onConflict ?? null, origin: 'transaction' } as const
  switch (body.action) {
    case 'put': {
      const { content, kind } = body
      assertSize(content, limits)
      const incoming = (base: Content): Content => {
        if (kind !== undefined) assertKind(base, kind)
        return content
      }
      return { ...common, incoming, createsKind: kind ?? kindOf(content) }
    }
    case 'patch':
      return { ...common, incoming: readPatch(body.contentType, body.patch), createsKind: null }
    default:
      return assertNever(body)
  }
}
