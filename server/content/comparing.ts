import type { Content } from './content.ts'
import { type Effect, effectBetween } from './effect.ts'
import { type Choice, merge, type Merge, mergeReaching, mergeWith, type ReachingMerge, type Sides } from './merge.ts'

export type Settled = ReturnType<typeof mergeWith>

/** How contents are compared while an act is planned. */
export interface Comparing {
  merge(sides: Sides): Promise<Merge> | Merge
  mergeReaching(sides: Sides): Promise<ReachingMerge> | ReachingMerge
  mergeWith(sides: Sides, choices: ReadonlyMap<string, Choice>): Promise<Settled> | Settled
  effectBetween(from: Content, to: Content): Promise<Effect> | Effect
  /** As `effectOfWrite`; null where it may be left to the write itself. */
  aheadOfWrite(from: Content, to: Content): Promise<Effect> | null
}

/** In the tick in which they are asked for. */
export const comparedHere: Comparing = {
  merge: ({ base, current, incoming }) => merge(base, current, incoming),
  mergeReaching: ({ base, current, incoming }) => mergeReaching(base, current, incoming),
  mergeWith: ({ base, current, incoming }, choices) => mergeWith(base, current, incoming, choices),
  effectBetween,
  aheadOfWrite: () => null,
}
