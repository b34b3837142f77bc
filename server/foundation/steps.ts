import { nobodyWaits } from './sharedWork.ts'
import { yieldTurn } from './turns.ts'

/** Of what is looked at in one go: a few milliseconds of edits, overlaps or the like. */
const STEP_SIZE = 2_000

/** Runs a task for each item, between which others have their turn; throws once nobody waits for it any more. */
export async function inSteps<T>(
  items: readonly T[],
  gone: AbortSignal | null,
  sizeOf: (item: T) => number,
  task: (item: T) => void,
): Promise<void> {
  let size = 0
  for (const item of items) {
    task(item)
    size += sizeOf(item)
    if (size < STEP_SIZE) continue
    size = 0
    await yieldTurn()
    if (gone?.aborted) throw nobodyWaits()
  }
}
