import { Type, type Static } from 'typebox'
import type { Content } from '../content/content.ts'
import type { ShownContent } from '../foundation/shownContent.ts'
import { toTimestamp } from '../foundation/environment.ts'
import {
  CONFLICT_POLICIES,
  type ConflictPolicy,
  type DocumentState,
  type Head,
  type JsonSchema,
  settingsOf,
} from '../model/document.ts'
import { formatEtag } from '../documents/etag.ts'
import { DocumentIdShape, EtagShape, PersonShape, TimeShape, VersionShape } from './shapes/values.ts'

export const ContentSchema = Type.Unsafe<Content>({
  anyOf: [{ type: 'string' }, { type: 'object' }],
  description: 'A string for text, an object for json.',
})
export const ConflictPolicySchema = Type.Unsafe<ConflictPolicy>({ type: 'string', enum: [...CONFLICT_POLICIES] })
const JsonSchemaSchema = Type.Unsafe<JsonSchema | null>({
  anyOf: [{ type: 'object' }, { type: 'boolean' }, { type: 'null' }],
  description: 'A JSON Schema 2020-12 that the content of a json document must satisfy, or null.',
})
/** What may change about a document besides its content. */
const SETTINGS = { conflictPolicy: ConflictPolicySchema, schema: JsonSchemaSchema }
/** The same in a request, where each may be left out. */
export const SETTINGS_MEMBERS = Type.Partial(Type.Object(SETTINGS)).properties
export const KindSchema = Type.Unsafe<'text' | 'json'>({ type: 'string', enum: ['text', 'json'] })
export const RootSchema = Type.String({ minLength: 1, maxLength: 128, pattern: '^(?!__proto__$)' })
export const BaseVersionSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** A document without its content, as the API shows it. */
export const SummarySchema = Type.Object({
  id: DocumentIdShape,
  kind: KindSchema,
  version: VersionShape,
  etag: EtagShape,
  ...SETTINGS,
  root: RootSchema,
  createdAt: TimeShape,
  createdBy: PersonShape,
  updatedAt: TimeShape,
  updatedBy: PersonShape,
})
export type Summary = Static<typeof SummarySchema>

/** The members of SPEC `Document` but `content`. */
export function summaryOf(head: Head, epoch: string): Summary {
  return {
    id: head.id,
    kind: head.kind,
    version: head.version,
    etag: formatEtag(head, epoch),
    ...settingsOf(head),
    root: head.root,
    createdAt: toTimestamp(head.createdAt),
    createdBy: head.createdBy,
    updatedAt: toTimestamp(head.updatedAt),
    updatedBy: head.updatedBy,
  }
}

/** Where an answer shows the content of a document at its present version. */
export const shownAt = ({ id, version }: Head, ...path: ShownContent['path']): ShownContent => ({
  path,
  document: id,
  version,
})

/** SPEC `Document`. */
export const documentOf = (state: DocumentState, epoch: string): Summary & { content: Content } => ({
  ...summaryOf(state.head, epoch),
  content: state.content,
})
