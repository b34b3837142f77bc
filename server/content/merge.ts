import { assertNever, invariant } from '../foundation/assert.ts'
import type { Span } from './align.ts'
import { Choices } from './choices.ts'
import type { Content, JsonValue, Value } from './content.ts'
import { applyEffect, type Effect } from './effect.ts'
import { type BeyondOverlaps, mergeJson, valueChanges, type JsonChoice } from './mergeJson.ts'
import { changesLines, lineChanges, mergeText, type TextChoice } from './mergeText.ts'
import {
  type Change,
  type Choice,
  type ChoiceError,
  differInBlanksOnly,
  isSameButBlanks,
  type JsonOverlap,
  type Merge,
  type Overlap,
  type TextOverlap,
} from './overlap.ts'
import { PlaceIndex, type ReachedPlace } from './placeIndex.ts'
import { child, parsePointer } from './pointer.ts'
import { placeOfEdit, type Reach, ReachedPlaces } from './reach.ts'

export type {
  Change,
  Choice,
  ChoiceError,
  JsonOverlap,
  LineChange,
  Merge,
  Overlap,
  TextOverlap,
  ValueChange,
} from './overlap.ts'

/** Three contents of one kind: what two sides started from, and those. */
export interface Sides {
  readonly base: Content
  readonly current: Content
  readonly incoming: Content
}

/**
 * The three-way merge of CONF-2 and CONF-3, of three contents of one kind: line by line for text, pointer by
 * pointer for json. Every change of both sides that does not overlap is in the result; overlaps stand as in
 * current and are listed in order.
 */
export function merge(base: Content, current: Content, incoming: Content): Merge {
  const overlaps: Overlap[] = []
  const keepCurrent = (overlap: Overlap): 'current' => {
    overlaps.push(overlap)
    return 'current'
  }
  const content = threeWay(base, current, incoming, keepCurrent, keepCurrent)
  return { clean: overlaps.length === 0, content, overlaps }
}

/** Overlaps that `mergeReaching` names; a record keeps fewer. */
const MAX_NAMED = 1_001

/** A merge with where incoming would change current, or is refused to. Of very many overlaps it has the first ones. */
export interface ReachingMerge extends Merge {
  readonly reach: Reach
  /** See `differInBlanksOnly`; of all overlaps. */
  readonly blanksOnly: boolean
}

/** The same with its reach. */
export function mergeReaching(base: Content, current: Content, incoming: Content): ReachingMerge {
  const overlaps: Overlap[] = []
  const places = new ReachedPlaces()
  let reach: Reach | null = null
  let areBlanks = true
  const isEnough = (): boolean => overlaps.length >= MAX_NAMED
  const beyond = {
    isEnough,
    more: (here: Value, there: Value) => {
      areBlanks &&= isSameButBlanks(here, there)
    },
  }
  const keepCurrent = (overlap: Overlap): 'current' => {
    if (isEnough()) areBlanks &&= differInBlanksOnly([overlap])
    else overlaps.push(overlap)
    return 'current'
  }
  const content = threeWay(base, current, incoming, keepCurrent, keepCurrent, {
    onReach: (lines) => (reach = lines),
    onReached: (place) => places.add(place),
    beyond,
  })
  const blanksOnly = areBlanks && differInBlanksOnly(overlaps)
  return { clean: overlaps.length === 0, content, overlaps, blanksOnly, reach: reach ?? places.reach() }
}

/**
 * The same merge with each overlap settled by the choice for its id. A missing, unknown or unfit choice is an
 * error; with any error the content is not to be used. A text chosen for lines holds no final newline; the
 * text `''` means no lines, unless some side shows one empty line at the overlap and none shows no lines.
 */
export function mergeWith(
  base: Content,
  current: Content,
  incoming: Content,
  choices: ReadonlyMap<string, Choice>,
): { content: Content; errors: ChoiceError[] } {
  const chosen = new Choices(choices)
  const content = threeWay(base, current, incoming, chosen.settleText, chosen.settleJson)
  return { content, errors: chosen.errors() }
}

/** What one side changed of a base, in order: runs of lines, or places of a json content. */
export function changesOf(base: Content, side: Content): Change[] {
  if (typeof base === 'string' && typeof side === 'string') return lineChanges(base, side)
  invariant(typeof base !== 'string' && typeof side !== 'string', KINDS_DIFFER)
  return valueChanges(base, side)
}

/**
 * Whether an effect on `before`, the current side of the overlaps, changes any of the overlapping places
 * (WRITE-7): lines that overlap theirs by CONF-2; or a place that is the same, above or below.
 */
export function touches(effect: Effect, before: Content, overlaps: readonly Overlap[]): boolean {
  if (effect === null || overlaps.length === 0) return false
  switch (effect.kind) {
    case 'text': {
      const after = applyEffect(before, effect)
      invariant(typeof before === 'string' && typeof after === 'string', KINDS_DIFFER)
      return changesLines(
        before,
        after,
        overlaps.flatMap((overlap) => ('lines' in overlap ? [overlap.lines.current] : [])),
      )
    }
    case 'json': {
      const places = overlaps.flatMap((overlap) => ('pointer' in overlap ? [placeOfOverlap(overlap, before)] : []))
      const index = new PlaceIndex(places)
      return effect.edits.some((edit) => index.meets(placeOfEdit(edit)))
    }
    default:
      return assertNever(effect)
  }
}

const KINDS_DIFFER = 'contents of one document are of one kind'

/** Of a text, and of a json content. */
interface ReachListener {
  readonly onReach?: (reach: Reach) => void
  readonly onReached?: (place: () => ReachedPlace) => void
  readonly beyond?: BeyondOverlaps
}

function threeWay(
  base: Content,
  current: Content,
  incoming: Content,
  settleText: (overlap: TextOverlap) => TextChoice,
  settleJson: (overlap: JsonOverlap) => JsonChoice,
  { onReach, ...json }: ReachListener = {},
): Content {
  if (typeof base === 'string' && typeof current === 'string' && typeof incoming === 'string') {
    return mergeText(base, current, incoming, settleText, onReach)
  }
  invariant(typeof base !== 'string' && typeof current !== 'string' && typeof incoming !== 'string', KINDS_DIFFER)
  return mergeJson(base, current, incoming, settleJson, undefined, json)
}

function placeOfOverlap(overlap: JsonOverlap, current: Content): ReachedPlace {
  const tokens = parsePointer(overlap.pointers.current) ?? []
  let node: JsonValue | undefined = current
  return tokens.map((token, i): string | Span => {
    const index = Array.isArray(node) ? Number(token) : null
    node = child(node, token)
    if (index === null) return token
    return [index, index + (i === tokens.length - 1 ? elementCount(overlap) : 1)]
  })
}

function elementCount({ current, elements }: JsonOverlap): number {
  if (!current.present) return 0
  return elements && Array.isArray(current.value) ? current.value.length : 1
}
