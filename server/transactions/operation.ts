import type { Content } from '../content/content.ts'
import type { LifecycleChange } from '../documents/lifecycle.ts'
import type { WriteRequest, WriteResult } from '../documents/planWrite.ts'
import type { NewDocument } from '../documents/replicas.ts'
import type { Head } from '../model/document.ts'
import type { DocumentId } from '../foundation/ids.ts'
import type { ParleyError } from '../foundation/problems.ts'

/** One part of a transaction, on one document; no two are on the same (SPEC TX-1). */
export type Operation =
  | { readonly do: 'create'; readonly document: DocumentId; readonly wanted: NewDocument; readonly content: Content }
  /** A put or a patch. */
  | { readonly do: 'write'; readonly document: DocumentId; readonly request: WriteRequest }
  | { readonly do: 'delete'; readonly document: DocumentId; readonly change: LifecycleChange }

/** What became of an operation, or would become of it. */
export type Done =
  | Extract<WriteResult, { status: 'done' }>
  | { readonly status: 'done'; readonly outcome: 'deleted'; readonly head: Head }

/** Why an operation fails: a stale write that is refused with what it met, or a problem. */
export type OperationFailure =
  | Exclude<WriteResult, { status: 'done' }>
  | { readonly status: 'failed'; readonly problem: ParleyError }

/** What becomes of each operation, in the order of the request. */
export type Verdict = Done | OperationFailure

/** What became of a transaction. */
export type OperationOutcome =
  | { readonly status: 'committed'; readonly results: readonly Done[] }
  /** Nothing was written but the conflicts of those that were refused as stale. */
  | { readonly status: 'refused'; readonly failures: readonly (OperationFailure | null)[] }
