import type { Content } from '../content/content.ts'
import { mergeReaching, type ReachingMerge } from '../content/merge.ts'
import type { Sides } from '../model/conflict.ts'
import type { Answering, Desk } from '../threads/desk.ts'

/** Two long texts and what they started from. */
export interface MergeQuestion {
  readonly base: string
  readonly current: string
  readonly incoming: string
}

/** UTF-16 units of the three together: what is less is merged in some 20 ms. */
const LONG_UNITS = 1024 * 1024

export const mergingTexts: Answering<MergeQuestion, ReachingMerge> = async ({ base, current, incoming }) =>
  mergeReaching(base, current, incoming)

/**
 * Merges what a refused write met: long texts beside the event loop, for texts are handed over in no time. Of json contents
 * the handing over would take as long as the merge.
 */
export class RefusalMerger {
  readonly #desk: Desk<MergeQuestion, ReachingMerge>

  constructor(desk: Desk<MergeQuestion, ReachingMerge>) {
    this.#desk = desk
  }

  merge({ base, current, incoming }: Sides, by: string): Promise<ReachingMerge> | ReachingMerge {
    if (!areLong(base, current, incoming)) return mergeReaching(base, current, incoming)
    return this.#desk.ask({ base: String(base), current: String(current), incoming: String(incoming) }, { by })
  }
}

/** Right here: an editor's keystroke meanwhile would have a write that stands planned anew. */
export const mergedHere: Pick<RefusalMerger, 'merge'> = {
  merge: ({ base, current, incoming }) => mergeReaching(base, current, incoming),
}

function areLong(...sides: readonly Content[]): boolean {
  let units = 0
  for (const side of sides) if (typeof side === 'string') units += side.length
  return units > LONG_UNITS
}
