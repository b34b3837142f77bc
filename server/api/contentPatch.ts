import { Type, type TSchema } from 'typebox'
import { Check } from 'typebox/value'
import { isObject, type Content, type JsonValue } from '../content/content.ts'
import {
  applyJsonPatch,
  applyMergePatch,
  applyTextPatch,
  JsonPatchSchema,
  TextPatchSchema,
  type PatchResult,
} from '../content/patch.ts'
import { ParleyError } from '../foundation/problems.ts'
import { JSON_PATCH, MERGE_PATCH, TEXT_DELTA } from '../http/bodies.ts'

/** What each media type of patches takes. */
export const PATCHES: Readonly<Record<string, TSchema>> = {
  [MERGE_PATCH]: Type.Unsafe({ description: 'A JSON Merge Patch (RFC 7396).' }),
  [JSON_PATCH]: JsonPatchSchema,
  [TEXT_DELTA]: TextPatchSchema,
}

/**
 * The content that a patch makes of its base (SPEC DOC-5); any other media type than those of json is a text delta.
 * Throws `invalid-request` where the patch is malformed; what it answers throws `patch-failed` or `kind-mismatch`.
 */
export function readPatch(mediaType: string | undefined, body: unknown): (base: Content) => Content {
  const patch = patchOf(mediaType, body)
  return (base) => applied(patch(base))
}

type Patch = (base: Content) => PatchResult

function patchOf(mediaType: string | undefined, body: unknown): Patch {
  switch (mediaType) {
    case MERGE_PATCH: {
      if (!isJson(body)) throw new ParleyError('invalid-request', 'A merge patch is a JSON value.')
      return (base) => ({ ok: true, content: applyMergePatch(jsonBase(base), body) })
    }
    case JSON_PATCH:
      if (!Check(JsonPatchSchema, body)) throw malformedPatch('a JSON Patch is an array of operations (RFC 6902)')
      return (base) => applyJsonPatch(jsonBase(base), body)
    default:
      if (!Check(TextPatchSchema, body)) throw malformedPatch('a delta is an array of {retain}, {insert} or {delete}')
      return (base) => applyTextPatch(textBase(base), body)
  }
}

/** The strict body parser made it: whatever is neither a string nor absent is JSON. */
export const isJson = (body: unknown): body is JsonValue => body !== undefined

const malformedPatch = (what: string): ParleyError =>
  new ParleyError('invalid-request', `The patch is malformed: ${what}.`)

function jsonBase(base: Content): Exclude<Content, string> {
  if (typeof base !== 'string') return base
  throw new ParleyError('kind-mismatch', 'This patch is for json documents; patch a text with a delta.')
}

function textBase(base: Content): string {
  if (typeof base === 'string') return base
  throw new ParleyError('kind-mismatch', 'A delta is for text documents; patch a json document with a JSON Patch.')
}

function applied(result: PatchResult): Content {
  if (!result.ok) throw new ParleyError('patch-failed', result.detail)
  if (typeof result.content === 'string' || isObject(result.content)) return result.content
  throw new ParleyError('kind-mismatch', 'The patch leaves something that is no object.')
}
