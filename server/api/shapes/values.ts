/**
 * What the values in answers look like, for the API description (SPEC API-3). Every text has a bound, so that whoever
 * reads answers can have one too.
 */
import { Type, type TSchema } from 'typebox'
import { DOCUMENT_ID_PATTERN } from '../../foundation/ids.ts'

/** PARLEY_MAX_CONTENT_BYTES can be no larger. */
const MAX_CONTENT = 64 * 1024 * 1024
/** Lists of answers are bounded by what they are about; this is past all of them. */
const MAX_ITEMS = 1_000_000
const ULID = '[0-9A-HJKMNP-TV-Z]{26}'

export const CONFLICT_ID_PATTERN = `^cfl_${ULID}$`
export const PROPOSAL_ID_PATTERN = `^prp_${ULID}$`
export const WEBHOOK_ID_PATTERN = `^whk_${ULID}$`

const text = (maxLength: number, description?: string) =>
  Type.String({ maxLength, ...(description === undefined ? {} : { description }) })

export const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])
export const listOf = (items: TSchema, options: { description?: string; maxItems?: number } = {}): TSchema =>
  Type.Array(items, { maxItems: MAX_ITEMS, ...options })
export const oneOf = (values: readonly string[], description?: string): TSchema =>
  Type.Unsafe({ type: 'string', enum: [...values], ...(description === undefined ? {} : { description }) })

export const DocumentIdShape = Type.String({ pattern: DOCUMENT_ID_PATTERN, maxLength: 128 })
export const ConflictIdShape = Type.String({ pattern: CONFLICT_ID_PATTERN, maxLength: 30 })
export const ProposalIdShape = Type.String({ pattern: PROPOSAL_ID_PATTERN, maxLength: 30 })
export const WebhookIdShape = Type.String({ pattern: WEBHOOK_ID_PATTERN, maxLength: 30 })
export const VersionShape = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  format: 'int64',
  description: 'A position in the log of the document; the first is 1.',
})
export const CountShape = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, format: 'int64' })
export const EtagShape = Type.String({
  maxLength: 512,
  pattern: '^[!#-~]+-[0-9]+$',
  description: 'Opaque but for its end, which is the version. Headers carry it in quotes.',
})
export const TimeShape = Type.String({ format: 'date-time', maxLength: 30 })
export const PersonShape = text(256, '`sub` of the token of whoever acted.')
export const NameShape = text(256, '`name` of their token, as of their newest act.')
export const CommentShape = orNull(text(4_000))
export const PathShape = Type.String({
  maxLength: 512,
  pattern: '^/',
  description: 'A path of this server, without `/v1`.',
})
export const PointerShape = text(MAX_CONTENT, 'A JSON pointer (RFC 6901).')
export const LinesShape = text(MAX_CONTENT, 'Lines, joined by line feeds.')
export const CursorShape = text(1_024, 'Opaque: to be sent back as it is.')
export const TokenShape = Type.String({ minLength: 1, maxLength: 8_192 })
export const TextContentShape = Type.String({ maxLength: MAX_CONTENT })
export const JsonContentShape = Type.Unsafe({ type: 'object' })
export const ContentShape = Type.Unsafe({
  title: 'Content',
  anyOf: [TextContentShape, JsonContentShape],
  description: 'A string for text, an object for json.',
})
export const LineRangeShape = Type.Object(
  {
    start: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, format: 'int64' }),
    end: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, format: 'int64' }),
  },
  {
    title: 'LineRange',
    description: 'Lines, counted from 1, `end` exclusive; where both are equal it is a place between lines.',
  },
)
export const ValueShape = Type.Object(
  { present: Type.Boolean(), value: Type.Optional(Type.Unsafe({})) },
  { title: 'Value', description: 'What stands at a pointer; absent is not null.' },
)
export const ViolationShape = Type.Object(
  { pointer: PointerShape, message: text(65_536) },
  { title: 'Violation', description: 'A place that breaks the schema.' },
)

/** A page of a list (SPEC API-5). */
export const pageShape = (title: string, item: TSchema): TSchema =>
  Type.Object({ items: listOf(item, { maxItems: 500 }), nextCursor: Type.Optional(CursorShape) }, { title })
