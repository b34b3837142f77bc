import type { ReachingMerge } from '../content/merge.ts'
import { type MergeQuestion, mergingTexts } from '../documents/refusalMerger.ts'
import { deskHere, type Desk } from '../threads/desk.ts'
import { ThreadPool } from '../threads/pool.ts'

/** Lies beside this file in the built output only, as questionThread.js. */
const THREAD = new URL('./mergeThread.js', import.meta.url)
/** A merge cannot be cut: somebody's longest leaves the other thread to everybody else. */
const THREADS = 2
const AT_ONCE = 1

/** Where long texts are merged; `threads` as in `questionDesk`. */
export function mergeDesk(
  threads: { readonly onUnexpected: (error: unknown) => void } | null,
): Desk<MergeQuestion, ReachingMerge> {
  if (threads === null) return deskHere(mergingTexts)
  return new ThreadPool({ name: 'parley-merges', url: THREAD, threads: THREADS, atOnce: AT_ONCE, ...threads })
}
