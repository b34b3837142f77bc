import { type ProblemCode, problemKind } from './problemTable.ts'
import type { ShownIn } from './shownContent.ts'

/** Extra members of the problem document (`conflict`, `violations`, `lastVersion`, …). */
export type ProblemExtras = Readonly<Record<string, unknown>>

/**
 * The one error class of expected failures. `detail` is for a person and never holds what the
 * reader may not see; `extras` become members of the problem document; `headers` go on the answer.
 */
export class ParleyError extends Error {
  override readonly name = 'ParleyError'
  readonly code: ProblemCode
  readonly extras: ProblemExtras
  readonly headers: Readonly<Record<string, string>>
  /** What of the extras stands elsewhere as well, where they are stored. */
  readonly shownIn: ShownIn | null

  constructor(
    code: ProblemCode,
    detail: string,
    options: {
      extras?: ProblemExtras
      headers?: Record<string, string>
      cause?: unknown
      shownIn?: ShownIn | null
    } = {},
  ) {
    const { stackTraceLimit } = Error
    // Who is refused is told why, and nobody is shown where: to note that takes as long as to merge a small text.
    if (problemKind(code).status < 500) Error.stackTraceLimit = 0
    super(detail, 'cause' in options ? { cause: options.cause } : undefined)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.extras = options.extras ?? {}
    this.headers = options.headers ?? {}
    this.shownIn = options.shownIn ?? null
  }

  get detail(): string {
    return this.message
  }
}

/** What a repeat gets while the first request with its key has no answer yet, here or on another node. */
export const requestInProgress = (): ParleyError =>
  new ParleyError('request-in-progress', 'The first request with this Idempotency-Key has no answer yet.', {
    headers: { 'Retry-After': '1' },
  })

/** The one 404 for documents, so that nobody can tell one they may not read from one that never was. */
export const documentNotFound = (document: string): ParleyError =>
  new ParleyError('not-found', `There is no document ${document}.`)

/** What is answered of a document that was deleted, to whoever may know of it. */
export const documentDeleted = (
  document: string,
  lastVersion: number,
  /** When and by whom, where it is asked for itself. */
  deletion: { readonly deletedAt?: string; readonly deletedBy?: string; readonly purged?: boolean } = {},
): ParleyError =>
  new ParleyError('document-deleted', `${document} was deleted.`, { extras: { lastVersion, ...deletion } })
