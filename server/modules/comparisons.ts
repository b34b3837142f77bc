import { comparingTexts, type TextAnswer, type TextQuestion } from '../documents/textComparer.ts'
import { deskHere, type Desk } from '../threads/desk.ts'
import { ThreadPool } from '../threads/pool.ts'

/** Lies beside this file in the built output only, as questionThread.js. */
const THREAD = new URL('./comparisonThread.js', import.meta.url)
/** A comparison cannot be cut: somebody's longest leaves the other thread to everybody else. */
const THREADS = 2
const AT_ONCE = 1

/** Where long texts are compared; `threads` as in `questionDesk`. */
export function comparisonDesk(
  threads: { readonly onUnexpected: (error: unknown) => void } | null,
): Desk<TextQuestion, TextAnswer> {
  if (threads === null) return deskHere(comparingTexts)
  return new ThreadPool({ name: 'parley-comparisons', url: THREAD, threads: THREADS, atOnce: AT_ONCE, ...threads })
}
