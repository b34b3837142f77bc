/** Problem documents as the API shows them, a schema for each code of the one table (SPEC API-2, API-3). */
import { Type, type TSchema } from 'typebox'
import { PROBLEMS, problemKind, type ProblemCode } from '../../foundation/problemTable.ts'
import { ConflictShape, OutlinedConflictShape, ResolutionErrorShape } from './conflicts.ts'
import {
  CursorShape,
  listOf,
  oneOf,
  orNull,
  PersonShape,
  PointerShape,
  TimeShape,
  VersionShape,
  ViolationShape,
} from './values.ts'

const optional = Type.Optional
const holder = { owner: PersonShape, expiresAt: TimeShape }
const anyConflict = Type.Union([ConflictShape, OutlinedConflictShape])

/** What problems of a code tell besides what every problem does. */
const EXTRAS: Partial<Record<ProblemCode, Readonly<Record<string, TSchema>>>> = {
  'invalid-json': { pointer: optional(PointerShape) },
  'cursor-expired': { cursor: CursorShape },
  'document-deleted': {
    lastVersion: VersionShape,
    deletedAt: optional(TimeShape),
    deletedBy: optional(PersonShape),
    purged: optional(Type.Boolean({ description: 'Whether nothing else of it is kept.' })),
  },
  'unknown-base': { current: VersionShape },
  'base-compacted': { current: VersionShape, nearest: VersionShape },
  'version-compacted': { current: VersionShape, nearest: VersionShape },
  locked: { ...holder, queuePosition: Type.Integer({ minimum: 1, maximum: 1_000_000, format: 'int32' }) },
  'lock-lost': { owner: optional(PersonShape), expiresAt: optional(TimeShape) },
  'schema-violation': { violations: listOf(ViolationShape, { maxItems: 1_000 }) },
  'version-conflict': {
    conflict: optional(anyConflict),
    contentUnchanged: optional(Type.Literal(true)),
    current: optional(Type.Object({ version: VersionShape })),
  },
  'conflict-closed': { conflict: ConflictShape },
  'proposal-closed': { conflict: ConflictShape },
  'invalid-resolution': { errors: listOf(ResolutionErrorShape) },
  'transaction-closed': { transactionStatus: oneOf(['committing', 'committed', 'refused', 'rolled-back']) },
}

const CODES = Object.keys(PROBLEMS).filter((text): text is ProblemCode => Object.hasOwn(PROBLEMS, text))

const members = {
  type: Type.String({ format: 'uri', maxLength: 2_048 }),
  title: Type.String({ maxLength: 256 }),
  detail: Type.String({ maxLength: 65_536, description: 'What is wrong with this very request, for a person.' }),
  instance: optional(Type.String({ maxLength: 65_536, description: 'The path of the request.' })),
  retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
}

/** Any problem, whose extra members depend on its code. */
export const ProblemShape = Type.Unsafe({
  title: 'Problem',
  description: 'RFC 9457. `code` is the stable name; the page that `type` leads to says what to do.',
  type: 'object',
  properties: {
    ...members,
    status: Type.Integer({ minimum: 400, maximum: 599, format: 'int32' }),
    code: oneOf(CODES),
  },
  required: ['type', 'title', 'status', 'detail', 'code', 'retryable'],
  additionalProperties: true,
})

/** Of the operations of a transaction, in its order, where the request holds some. */
const operations = optional(listOf(orNull(ProblemShape), { maxItems: 100 }))

/** A problem of one code. */
export function problemShape(code: ProblemCode): TSchema {
  const { status, retryable, title, help } = problemKind(code)
  return Type.Object(
    {
      ...members,
      title: Type.Literal(title),
      status: Type.Literal(status),
      code: Type.Literal(code),
      retryable: Type.Literal(retryable),
      ...EXTRAS[code],
      operations,
    },
    { title: `${pascal(code)}Problem`, description: `${title}. ${help}` },
  )
}

const pascal = (code: string): string =>
  code
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
