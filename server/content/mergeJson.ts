import { alignElements, spanLength, type Run } from './align.ts'
import {
  isObject,
  member,
  setMember,
  toValue,
  type JsonObject,
  type JsonValue,
  type Path,
  type Value,
} from './content.ts'
import { contentEquals } from './equal.ts'
import { jsonChanges } from './jsonEdits.ts'
import type { Choice, JsonOverlap, ValueChange } from './overlap.ts'
import { membersInOrder } from './order.ts'
import { toPointer } from './pointer.ts'
import { mergeText } from './mergeText.ts'
import type { ReachedPlace } from './placeIndex.ts'
import { placeAt } from './reach.ts'
import { reachedSpans, weave, type Stretch } from './weave.ts'

/** Decides what stands at an overlap. Where it has `elements`, a chosen value is a list. */
type Settle = (overlap: JsonOverlap) => JsonChoice
export type JsonChoice = Extract<Choice, string> | { readonly value: JsonValue }

/**
 * How a live merge treats what stands at a path of the current side (CONF-6): `lines` for a shared text, `whole`
 * where the two sides hold different things there, however alike; `parts` for all else.
 */
export type GranularityAt = (current: Path, incoming: Path) => 'parts' | 'lines' | 'whole'
const ALL_IN_PARTS: GranularityAt = () => 'parts'

/** Where very many overlaps are not all wanted: to name a place costs more than to find it. */
export interface BeyondOverlaps {
  isEnough(): boolean
  more(current: Value, incoming: Value): void
}

interface SettleJson {
  readonly settle: Settle
  readonly granularityAt: GranularityAt
  /** Of further overlaps only what stands there is told: they stay as in current. */
  readonly beyond?: BeyondOverlaps | undefined
  /** Told of each place of the current side at which incoming differs from base; of elements with all changed beside them. */
  readonly onReached?: ((place: () => ReachedPlace) => void) | undefined
}

/** The three-way merge of CONF-2 by pointers. Overlaps are handed to `settle` in order. */
export function mergeJson(
  base: JsonObject,
  current: JsonObject,
  incoming: JsonObject,
  settle: Settle,
  granularityAt: GranularityAt = ALL_IN_PARTS,
  { onReached, beyond }: Pick<SettleJson, 'onReached' | 'beyond'> = {},
): JsonObject {
  const by = { settle, granularityAt, onReached, beyond }
  return mergeObjects({ base, current, incoming }, null, by)
}

/** The places in which a side differs from the base. */
export function valueChanges(base: JsonObject, side: JsonObject): ValueChange[] {
  return jsonChanges(base, side).flatMap((change): ValueChange[] => {
    if (!('span' in change)) {
      return [{ pointer: toPointer(change.at), base: toValue(change.from), side: toValue(change.to) }]
    }
    const { at, span, from, to } = change
    if (to.length === 0) {
      return from.map((element, i) => ({
        pointer: toPointer([...at, span[0] + i]),
        base: toValue(element),
        side: { present: false },
      }))
    }
    const several = from.length > 1 || to.length > 1
    const place = {
      pointer: toPointer([...at, span[0]]),
      base: elementsValue(from, several),
      side: elementsValue(to, several),
    }
    return [several ? { ...place, elements: true } : place]
  })
}

type MemberSides<T> = Readonly<Record<'base' | 'current' | 'incoming', T>>
type SideName = keyof MemberSides<unknown>

/** The same place in the three contents, by its last step and the place above: most places are never named. */
interface MemberPlace extends MemberSides<string | number> {
  readonly above: MemberPlace | null
}

/** Of the root, null, the empty path. */
function pathOf(place: MemberPlace | null, side: SideName): Path {
  const path: (string | number)[] = []
  for (let at = place; at !== null; at = at.above) path.push(at[side])
  return path.reverse()
}

function mergeValue(sides: MemberSides<JsonValue | undefined>, at: MemberPlace, by: SettleJson): JsonValue | undefined {
  const { base, current, incoming } = sides
  if (incoming === base) return current
  if (incoming === current || current === base) {
    by.onReached?.(() => placeAt(pathOf(at, 'current')))
    return incoming
  }
  const granularity =
    by.granularityAt === ALL_IN_PARTS ? 'parts' : by.granularityAt(pathOf(at, 'current'), pathOf(at, 'incoming'))
  if (granularity === 'parts' && isObject(base) && isObject(current) && isObject(incoming)) {
    return mergeObjects({ base, current, incoming }, at, by)
  }
  if (granularity === 'parts' && Array.isArray(base) && Array.isArray(current) && Array.isArray(incoming)) {
    return mergeArrays({ base, current, incoming }, at, by)
  }
  if (same(incoming, base)) return current
  by.onReached?.(() => placeAt(pathOf(at, 'current')))
  if (same(incoming, current)) return current
  if (same(current, base)) return incoming
  if (typeof base === 'string' && typeof current === 'string' && typeof incoming === 'string') {
    const merged = granularity === 'lines' ? mergedLines(base, current, incoming) : null
    if (merged !== null) return merged
  }
  if (by.beyond?.isEnough()) {
    by.beyond.more(toValue(current), toValue(incoming))
    return current
  }
  const choice = by.settle(overlapAt(at, toValue(base), toValue(current), toValue(incoming)))
  return typeof choice === 'string' ? sides[choice] : choice.value
}

/** Null where lines overlap: the overlap is the whole field (CONF-6). */
function mergedLines(base: string, current: string, incoming: string): string | null {
  let clean = true
  const merged = mergeText(base, current, incoming, () => {
    clean = false
    return 'current'
  })
  return clean ? merged : null
}

const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && contentEquals(a, b))

function mergeObjects(sides: MemberSides<JsonObject>, at: MemberPlace | null, by: SettleJson): JsonObject {
  const { base, current, incoming } = sides
  const keys = Object.keys(incoming).filter((key) => incoming[key] !== member(base, key))
  for (const key of Object.keys(base)) if (!Object.hasOwn(incoming, key)) keys.push(key)
  let merged = current
  for (const key of keys.sort()) {
    const members = { base: member(base, key), current: member(current, key), incoming: member(incoming, key) }
    const value = mergeValue(members, { above: at, base: key, current: key, incoming: key }, by)
    if (value === members.current) continue
    if (merged === current) merged = { ...current }
    if (value === undefined) delete merged[key]
    else setMember(merged, key, value)
  }
  return membersInOrder(merged)
}

function mergeArrays(sides: MemberSides<JsonValue[]>, at: MemberPlace, by: SettleJson): JsonValue[] {
  const currentRuns = alignElements(sides.base, sides.current)
  const incomingRuns = alignElements(sides.base, sides.incoming)
  if (incomingRuns.length === 0) return sides.current
  const merged: JsonValue[] = []
  let kept = 0
  const stretches = weave(singly(currentRuns, incomingRuns), singly(incomingRuns, currentRuns))
  const { onReached } = by
  if (onReached) for (const span of reachedSpans(stretches)) onReached(() => [...placeAt(pathOf(at, 'current')), span])
  // What incoming differs in within the elements lies in these places.
  const inElements = { ...by, onReached: undefined }
  for (const stretch of stretches) {
    append(merged, sides.base.slice(kept, stretch.base[0]))
    append(merged, settledElements(sides, stretch, at, inElements))
    kept = stretch.base[1]
  }
  append(merged, sides.base.slice(kept))
  return merged
}

function append(merged: JsonValue[], elements: readonly JsonValue[]): void {
  for (const element of elements) merged.push(element)
}

/**
 * CONF-2: runs of equal length pair by index, and each removed element is a change of its own. A run stays
 * whole where the other side inserts between two of its elements: these overlap.
 */
function singly(runs: readonly Run[], otherRuns: readonly Run[]): Run[] {
  const insertions = new Set(otherRuns.filter((run) => spanLength(run.base) === 0).map((run) => run.base[0]))
  return runs.flatMap(({ base, side }) => {
    const paired = spanLength(base) === spanLength(side)
    if (!paired && spanLength(side) > 0) return [{ base, side }]
    const sideAt = (index: number): number => (paired ? side[0] + index - base[0] : side[0])
    const pieces: Run[] = []
    let start = base[0]
    for (let end = start + 1; end <= base[1]; end += 1) {
      if (end < base[1] && insertions.has(end)) continue
      pieces.push({ base: [start, end], side: [sideAt(start), sideAt(end)] })
      start = end
    }
    return pieces
  })
}

function settledElements(
  sides: MemberSides<JsonValue[]>,
  stretch: Stretch,
  at: MemberPlace,
  by: SettleJson,
): JsonValue[] {
  if (stretch.changedBy !== 'both') return sides[stretch.changedBy].slice(...stretch[stretch.changedBy])
  const [inBase, inCurrent, inIncoming] = [stretch.base[0], stretch.current[0], stretch.incoming[0]]
  const place = { above: at, base: inBase, current: inCurrent, incoming: inIncoming }
  const elements = {
    base: sides.base.slice(...stretch.base),
    current: sides.current.slice(...stretch.current),
    incoming: sides.incoming.slice(...stretch.incoming),
  }
  const { base, current, incoming } = elements
  if (base.length === 1 && current.length === 1 && incoming.length === 1) {
    const value = mergeValue({ base: base[0], current: current[0], incoming: incoming[0] }, place, by)
    return value === undefined ? [] : [value]
  }
  if (contentEquals(current, incoming)) return current
  const several = base.length > 1 || current.length > 1 || incoming.length > 1
  if (by.beyond?.isEnough()) {
    by.beyond.more(elementsValue(current, several), elementsValue(incoming, several))
    return current
  }
  const overlap = overlapAt(
    place,
    elementsValue(base, several),
    elementsValue(current, several),
    elementsValue(incoming, several),
  )
  const choice = by.settle(several ? { ...overlap, elements: true } : overlap)
  if (typeof choice === 'string') return elements[choice]
  return several && Array.isArray(choice.value) ? choice.value : [choice.value]
}

/** What is shown of the elements at a place of an array: the one there is, or where sides have several the list. */
function elementsValue(elements: readonly JsonValue[], several: boolean): Value {
  if (elements.length === 0) return { present: false }
  return toValue(several ? [...elements] : elements[0])
}

function overlapAt(at: MemberPlace, base: Value, current: Value, incoming: Value): JsonOverlap {
  const pointer = toPointer(pathOf(at, 'base'))
  const pointers = { current: toPointer(pathOf(at, 'current')), incoming: toPointer(pathOf(at, 'incoming')) }
  return { id: `P${pointer}`, pointer, pointers, base, current, incoming }
}
