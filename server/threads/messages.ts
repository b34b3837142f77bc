import { ParleyError } from '../foundation/problems.ts'
import type { ProblemCode } from '../foundation/problemTable.ts'

/** A problem on its way between threads. */
export interface SentProblem {
  readonly code: ProblemCode
  readonly detail: string
  readonly extras: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

export type ToThread<Question> =
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'drop'; readonly id: number }
  /** Lets go of all that it holds, and holds nothing until `resume`. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }

export type FromThread<Answer> =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'problem'; readonly id: number; readonly problem: SentProblem }
  /** A bug: `stack` is of the thread. */
  | { readonly kind: 'failure'; readonly id: number; readonly message: string; readonly stack: string }
  | { readonly kind: 'paused' }
  /** It can be asked: what ends it from now on may be a question. */
  | { readonly kind: 'ready' }

export const sentProblem = ({ code, detail, extras, headers }: ParleyError): SentProblem => ({
  code,
  detail,
  extras,
  headers,
})

export const receivedProblem = ({ code, detail, extras, headers }: SentProblem): ParleyError =>
  new ParleyError(code, detail, { extras, headers })
