import { judgingSchemas, type SchemaQuestion } from '../documents/schemaJudge.ts'
import type { Violation } from '../content/content.ts'
import { deskHere, type Desk } from '../threads/desk.ts'
import { ThreadPool } from '../threads/pool.ts'

/** Lies beside this file in the built output only, as questionThread.js. */
const THREAD = new URL('./schemaThread.js', import.meta.url)
/** Somebody's judgement that takes all it may leaves the other thread to everybody else. */
const THREADS = 2
/** A judgement cannot be cut: one at a time. */
const AT_ONCE = 1

/** Where contents are judged by schemas; `threads` as in `questionDesk`. */
export function schemaDesk(
  threads: { readonly onUnexpected: (error: unknown) => void } | null,
): Desk<SchemaQuestion, readonly Violation[]> {
  if (threads === null) return deskHere(judgingSchemas)
  return new ThreadPool({ name: 'parley-schemas', url: THREAD, threads: THREADS, atOnce: AT_ONCE, ...threads })
}
