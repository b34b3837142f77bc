import { commonEnds } from './commonEnds.ts'
import { isObject, type Content, type JsonValue } from './content.ts'
import { type Effect, effectBetween } from './effect.ts'
import { type Granularities, granularityOf } from './granularity.ts'
import { type LiveChoices, liveOverlaps, type LiveSides, rewriteOverlaps } from './liveMerge.ts'
import { type Choice, merge, mergeReaching, mergeWith, type ReachingMerge, type Sides } from './merge.ts'
import type { LiveOverlap } from './overlap.ts'
import { child } from './pointer.ts'
import { isSmallContent } from './smallContent.ts'

export type Settled = ReturnType<typeof mergeWith>

/** A merge without what stands at its overlaps. */
export interface MergeOutcome {
  readonly clean: boolean
  readonly content: Content
  /** Ids of its overlaps, in order. */
  readonly overlaps: readonly string[]
}

export function mergeOutcome({ base, current, incoming }: Sides): MergeOutcome {
  const { clean, content, overlaps } = merge(base, current, incoming)
  return { clean, content, overlaps: overlaps.map(({ id }) => id) }
}

/** As many as the record of a conflict keeps, and one more. */
const MAX_NAMED = 1_001

export const firstLiveOverlaps = (sides: LiveSides, by: Granularities): readonly LiveOverlap[] =>
  liveOverlaps(sides, granularityOf(by)).slice(0, MAX_NAMED)

/** How contents are compared while an act is planned. */
export interface Comparing {
  merge(sides: Sides): Promise<MergeOutcome> | MergeOutcome
  mergeReaching(sides: Sides): Promise<ReachingMerge> | ReachingMerge
  mergeWith(sides: Sides, choices: ReadonlyMap<string, Choice>): Promise<Settled> | Settled
  /** The overlaps of a live merge; of very many the first ones. */
  liveOverlaps(sides: LiveSides, by: Granularities): Promise<readonly LiveOverlap[]> | readonly LiveOverlap[]
  rewriteLive(sides: LiveSides, by: Granularities, choices: LiveChoices): Promise<Settled> | Settled
  effectBetween(from: Content, to: Content): Promise<Effect> | Effect
  /** As `effectOfWrite`; null where it may be left to the write itself. */
  aheadOfWrite(from: Content, to: Content): Promise<Effect> | null
}

/** In the tick in which they are asked for. */
export const comparedHere: Comparing = {
  merge: mergeOutcome,
  mergeReaching: ({ base, current, incoming }) => mergeReaching(base, current, incoming),
  mergeWith: ({ base, current, incoming }, choices) => mergeWith(base, current, incoming, choices),
  liveOverlaps: firstLiveOverlaps,
  rewriteLive: (sides, by, choices) => rewriteOverlaps(sides, granularityOf(by), choices),
  effectBetween,
  aheadOfWrite: () => null,
}

/**
 * UTF-16 units of texts that are compared with each other: of what is less, each a line of its own, they are compared in some
 * 20 ms.
 */
const LONG_UNITS = 128 * 1024
/** Of a json content with more values the handing over would take as long as to compare it. */
const HANDED = { units: Number.POSITIVE_INFINITY, values: 4_000 }

/** Whether to merge these takes long, and to hand them over does not. */
export const takesLongToMerge = ({ base, current, incoming }: Sides): boolean =>
  textUnits([base, current, incoming], unitsThatDiffer) > LONG_UNITS

/** Five contents of this size are looked through in some 20 ms; to hand over what is larger takes an eighth of that. */
const SMALL_LIVE = { units: 32 * 1024, values: 2_000 }

/** The same of a live merge. */
export const takesLongToFind = (sides: LiveSides): boolean =>
  ![sides.base, sides.current, sides.incoming, sides.merged, sides.seen].every((content) =>
    isSmallContent(content, SMALL_LIVE),
  )

/** The same of telling what makes one the other. */
export const takesLongToTell = (from: Content, to: Content): boolean =>
  textUnits([from, to], ([one = '', other = '']) => unitsRewritten(one, other)) > LONG_UNITS

/** What the texts that stand at one place of each content come to; 0 for contents of very many values. */
function textUnits(contents: readonly Content[], unitsOf: (texts: readonly string[]) => number): number {
  if (!contents.every((content) => isSmallContent(content, HANDED))) return 0
  let units = 0
  const visit = (values: readonly (JsonValue | undefined)[]): void => {
    const [first] = values
    if (values.every((value) => value === first)) return
    if (values.every((value) => typeof value === 'string')) units += unitsOf(values)
    else for (const step of stepsOf(first)) visit(values.map((value) => child(value, step)))
  }
  visit(contents)
  return units
}

const stepsOf = (value: JsonValue | undefined): readonly (string | number)[] =>
  Array.isArray(value) ? [...value.keys()] : isObject(value) ? Object.keys(value) : []

const unitsThatDiffer = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + length, 0)

/** From the first unit that differs to the last. Of what was only put in or taken out nothing is compared. */
function unitsRewritten(from: string, to: string): number {
  const { start, tail } = commonEnds(from, to)
  return Math.min(from.length, to.length) > start + tail ? from.length + to.length - 2 * (start + tail) : 0
}
