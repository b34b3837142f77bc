import { invariant } from '../foundation/assert.ts'
import { Choices } from './choices.ts'
import type { Content } from './content.ts'
import { JsonExpectation, liveJsonOverlaps, rewriteJson } from './liveJson.ts'
import { liveTextOverlaps, rewriteText, TextExpectation } from './liveText.ts'
import type { GranularityAt } from './mergeJson.ts'
import type { Choice, ChoiceError, LiveOverlap } from './overlap.ts'

/** The contents of one kind around a live merge (CONF-6). */
export interface LiveSides {
  /** What both sides had. */
  readonly base: Content
  /** Just before the merge. */
  readonly current: Content
  /** Base with the returning edits. */
  readonly incoming: Content
  /** Right after the merge. */
  readonly merged: Content
  /** Where the places are looked for: `merged` itself, or a later content. */
  readonly seen: Content
}

/** All to one side, or each to the choice for its id. */
export type LiveChoices = 'current' | 'incoming' | ReadonlyMap<string, Choice>

/** What can be worked out before the merge. */
export type LiveExpectation = TextExpectation | JsonExpectation

export function expectLive(known: Omit<LiveSides, 'merged' | 'seen'>, granularityAt: GranularityAt): LiveExpectation {
  const sides = { ...known, merged: known.current, seen: known.current }
  const text = textSides(sides)
  return text ? new TextExpectation(text) : new JsonExpectation(jsonSides(sides), granularityAt)
}

/**
 * The overlaps of a live merge by CONF-6, in order: what both sides changed differently by CONF-2, and where the
 * merge made something that the three-way merge of the sides does not hold. Pure. `granularityAt`: see `GranularityAt`.
 * `expectation` of the same sides and granularities may have been made before the merge, to leave little to do after it.
 *
 * This is the seam for kinds of content: each brings how its overlaps are found and rewritten.
 */
export function liveOverlaps(
  sides: LiveSides,
  granularityAt: GranularityAt,
  expectation: LiveExpectation | null = null,
): LiveOverlap[] {
  const text = textSides(sides)
  return text
    ? liveTextOverlaps(text, expectation instanceof TextExpectation ? expectation : null)
    : liveJsonOverlaps(jsonSides(sides), granularityAt, expectation instanceof JsonExpectation ? expectation : null)
}

/**
 * `sides.seen` with only its overlapping places rewritten (RES-1): all to one side, or each to the choice for
 * its id. A missing, unknown or unfit choice is an error; with any error the content is not to be used.
 */
export function rewriteOverlaps(
  sides: LiveSides,
  granularityAt: GranularityAt,
  choices: LiveChoices,
): { content: Content; errors: ChoiceError[] } {
  if (typeof choices === 'string') {
    const take = (): typeof choices => choices
    return { content: rewritten(sides, granularityAt, take, take), errors: [] }
  }
  const chosen = new Choices(choices)
  const content = rewritten(sides, granularityAt, chosen.settleText, chosen.settleJson)
  return { content, errors: chosen.errors() }
}

function rewritten(
  sides: LiveSides,
  granularityAt: GranularityAt,
  settleText: Parameters<typeof rewriteText>[1],
  settleJson: Parameters<typeof rewriteJson>[2],
): Content {
  const text = textSides(sides)
  return text ? rewriteText(text, settleText) : rewriteJson(jsonSides(sides), granularityAt, settleJson)
}

function textSides({ base, current, incoming, merged, seen }: LiveSides): Parameters<typeof rewriteText>[0] | null {
  const isText =
    typeof base === 'string' &&
    typeof current === 'string' &&
    typeof incoming === 'string' &&
    typeof merged === 'string' &&
    typeof seen === 'string'
  return isText ? { base, current, incoming, merged, seen } : null
}

function jsonSides({ base, current, incoming, merged, seen }: LiveSides): Parameters<typeof liveJsonOverlaps>[0] {
  invariant(
    typeof base !== 'string' &&
      typeof current !== 'string' &&
      typeof incoming !== 'string' &&
      typeof merged !== 'string' &&
      typeof seen !== 'string',
    'contents of one document are of one kind',
  )
  return { base, current, incoming, merged, seen }
}
