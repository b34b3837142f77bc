import { invariant } from '../foundation/assert.ts'
import { alignElements, spanLength, spansOverlap, splitLines, type Run, type Span } from './align.ts'
import { alignLines } from './alignLines.ts'
import type { Content, JsonObject, JsonValue, Range, Value } from './content.ts'
import type { Effect } from './effect.ts'
import type { Hand, Mark } from './hands.ts'
import { JsonTrace, type PlaceSince } from './jsonTrace.ts'
import type { JsonOverlap, LineChange, TextOverlap, ValueChange } from './overlap.ts'
import { child, parseIndex, parsePointer } from './pointer.ts'
import { TextTrace } from './textTrace.ts'

/** An effect with who made it when. */
export interface AttributedEffect extends Mark {
  readonly effect: Effect
}

/** Lines at base and as they are now; or a place of a json content. */
export type Sought = { readonly base: Range; readonly now: Range } | PlaceSince

/** Who is behind what differs between a content at base and as it is now, once the effects between them have gone by. */
export class Attribution {
  readonly #text: TextTrace | null
  readonly #json: JsonTrace | null

  constructor(base: Content) {
    this.#text = typeof base === 'string' ? new TextTrace(base) : null
    this.#json = typeof base === 'string' ? null : new JsonTrace(base)
  }

  apply(effect: Effect, by: Mark): void {
    if (effect?.kind === 'text') this.#text?.apply(effect.delta, by)
    if (effect?.kind === 'json') this.#json?.apply(effect.edits, by)
  }

  /** Those behind a place that a comparison of both contents names (SPEC HIST-2). */
  handsOf(sought: Sought): readonly Hand[] {
    const hands = 'counts' in sought ? this.#json?.handsOf(sought) : this.#text?.handsOf(sought.base, sought.now)
    invariant(hands !== undefined, 'lines are looked for in texts, and pointers in objects')
    return hands
  }
}

/** The places of changes from a base, in order: in arrays it tells from those before where each is now. */
export function soughtChanges(base: Content, changes: readonly (LineChange | ValueChange)[]): Sought[] {
  const shifts = new Map<string, number>()
  return changes.map((change) =>
    'lines' in change ? { base: change.lines.base, now: change.lines.side } : soughtChange(base, change, shifts),
  )
}

function soughtChange(base: Content, change: ValueChange, shifts: Map<string, number>): PlaceSince {
  const tokens = parsePointer(change.pointer) ?? []
  const counts = { base: elementCount(change.base, change.elements), now: elementCount(change.side, change.elements) }
  let node: JsonValue | undefined = base
  let array = ''
  const now = tokens.map((token, depth) => {
    const at = `${array}/${token}`
    const isElement = Array.isArray(node)
    const shift = isElement ? (shifts.get(array) ?? 0) : 0
    if (isElement && depth === tokens.length - 1) shifts.set(array, shift + counts.now - counts.base)
    node = child(node, token)
    array = at
    return isElement ? String(Number(token) + shift) : token
  })
  return { base: tokens, now, counts }
}

/** The place of an overlap in its base and its current content. */
export function soughtOverlap(overlap: TextOverlap | JsonOverlap): Sought {
  if ('lines' in overlap) return { base: overlap.lines.base, now: overlap.lines.current }
  return {
    base: parsePointer(overlap.pointer) ?? [],
    now: parsePointer(overlap.pointers.current) ?? [],
    counts: countsOf(overlap),
  }
}

const countsOf = ({ base, current, elements }: JsonOverlap): PlaceSince['counts'] => ({
  base: elementCount(base, elements),
  now: elementCount(current, elements),
})

function elementCount(value: Value, elements: true | undefined): number {
  if (!value.present) return 0
  return elements && Array.isArray(value.value) ? value.value.length : 1
}

/**
 * The place of an overlap since another content than its base, which was compared with nothing yet: where that has what
 * stands there now. Answers a function, for one comparison serves all overlaps.
 */
export function soughtSince(before: Content, current: Content): (overlap: TextOverlap | JsonOverlap) => Sought {
  if (typeof before === 'string' && typeof current === 'string') {
    const runs = alignLines(splitLines(before), splitLines(current))
    return (overlap) => {
      invariant('lines' in overlap, 'a text overlaps in lines')
      const { start, end } = overlap.lines.current
      const base = spanAtBase(runs, [start - 1, end - 1])
      return { base: { start: base[0] + 1, end: base[1] + 1 }, now: overlap.lines.current }
    }
  }
  invariant(typeof before !== 'string' && typeof current !== 'string', 'contents of one document are of one kind')
  return placesSince(before, current)
}

function placesSince(before: JsonObject, current: JsonObject): (overlap: TextOverlap | JsonOverlap) => PlaceSince {
  const known = new Map<JsonValue[], readonly Run[]>()
  const runsOf = (from: JsonValue[], to: JsonValue[]): readonly Run[] => {
    const runs = known.get(to) ?? alignElements(from, to)
    known.set(to, runs)
    return runs
  }
  return (overlap) => {
    invariant('pointer' in overlap, 'a json content overlaps at pointers')
    const now = parsePointer(overlap.pointers.current) ?? []
    let counts = countsOf(overlap)
    let [was, is]: (JsonValue | undefined)[] = [before, current]
    const base = now.map((token, depth) => {
      const index = parseIndex(token)
      let step = token
      if (Array.isArray(was) && Array.isArray(is) && index !== null) {
        const count = depth === now.length - 1 ? counts.now : 1
        const span = spanAtBase(runsOf(was, is), [index, index + count])
        if (depth === now.length - 1) counts = { base: spanLength(span), now: count }
        step = String(span[0])
      }
      was = child(was, step)
      is = child(is, token)
      return step
    })
    return { base, now, counts }
  }
}

/** Where a span was before these runs changed: of a run that it meets, all that stood there. */
function spanAtBase(runs: readonly Run[], span: Span): Span {
  const met = runs.filter(({ side }) => spansOverlap(side, span))
  const [first, last] = [met[0], met.at(-1)]
  const before = runs.findLast((run) => run.side[1] <= span[0] && run !== last)
  const shift = before ? before.base[1] - before.side[1] : 0
  if (!first || !last) return [span[0] + shift, span[1] + shift]
  const start = span[0] < first.side[0] ? span[0] + shift : first.base[0]
  const end = span[1] > last.side[1] ? span[1] + last.base[1] - last.side[1] : last.base[1]
  return [start, end]
}
