import type { IncomingHttpHeaders } from 'node:http'
import { ParleyError } from '../foundation/problems.ts'
import { parseIfMatch, parseIfNoneMatch, type HeaderPrecondition as HeaderCondition } from '../http/preconditions.ts'
import { integerParameter, queryInteger } from '../http/validation.ts'
import { intentOf, type IfMatch, type Intent } from '../documents/base.ts'

/** Who may write the document in the path; `If-Match: *` takes `overwrite` besides (SPEC WRITE-1). */
export const WRITE_ACCESS = { document: 'id', needs: 'write', unconditional: 'overwrite' } as const

/** What every change of a document looks at. */
export const CHANGE_HEADERS = ['If-Match', 'If-None-Match', 'Lock-Token'] as const
/** What every change of a document may be refused with. */
export const CHANGE_REFUSALS = [
  'document-deleted',
  'precondition-required',
  'precondition-failed',
  'version-conflict',
  'weak-etag',
  'unknown-base',
  'locked',
  'lock-lost',
] as const
/** What every write of content may be refused with. */
export const WRITE_REFUSALS = [...CHANGE_REFUSALS, 'base-compacted', 'content-too-complex', 'schema-violation'] as const

/** `baseVersion` in a query. */
export const BASE_VERSION_PARAMETER = integerParameter('The version this is based on.', {
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
})

/**
 * What a writing request names as its base, from its headers and `baseVersion` (SPEC WRITE-1, DOC-4).
 * Throws `invalid-request`. Its route has `WRITE_ACCESS`.
 */
export function readIntent(headers: IncomingHttpHeaders, baseVersion: number | undefined): Intent {
  return intentOf({
    ifMatch: ifMatchOf(headers['if-match']),
    ifNoneMatch: isCreateOnly(headers['if-none-match']),
    baseVersion: baseVersion ?? null,
  })
}

function ifMatchOf(header: string | undefined): IfMatch | null {
  if (header === undefined) return null
  return wellFormed(parseIfMatch(header))
}

/** On a write only `If-None-Match: *` has a meaning: create, never overwrite. */
function isCreateOnly(header: string | undefined): boolean {
  if (header === undefined) return false
  if (wellFormed(parseIfNoneMatch(header)).kind === 'any') return true
  throw new ParleyError('invalid-request', 'On a write If-None-Match can only be *.')
}

function wellFormed(condition: HeaderCondition): IfMatch {
  if (condition.kind === 'malformed') throw new ParleyError('invalid-request', condition.detail)
  return condition
}

/** `baseVersion` of a query string. */
export function baseVersionOf(text: string | undefined): number | undefined {
  const bounds = { name: 'baseVersion', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
  return queryInteger(text, bounds) ?? undefined
}
