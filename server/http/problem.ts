import { prefixOf } from '../foundation/links.ts'
import { type ParleyError } from '../foundation/problems.ts'
import { problemKind, type ProblemCode } from '../foundation/problemTable.ts'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** RFC 9457 §3.1, with the members SPEC API-2 adds; those without a value are not sent. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance?: string | undefined
  readonly code: ProblemCode
  readonly retryable: boolean
  readonly [extra: string]: unknown
}

/**
 * The problem document of an error, for HTTP bodies, socket frames and the parts of a transaction alike.
 * `instance` is a path without a query: a query may hold a token.
 */
export function problemDocument(error: ParleyError, publicUrl: string, instance?: string): ProblemDocument {
  const { status, title, retryable } = problemKind(error.code)
  const document: { [member: string]: unknown } & ProblemDocument = {
    type: `${publicUrl}/problems/${error.code}`,
    title,
    status,
    detail: error.detail,
    instance: instance === undefined ? undefined : prefixOf(publicUrl) + instance,
    code: error.code,
    retryable,
  }
  // Extras come last for the reader's sake, but never in place of a member every problem has.
  for (const [name, extra] of Object.entries(error.extras)) if (!Object.hasOwn(document, name)) document[name] = extra
  return document
}
