import * as Y from 'yjs'
import { commonPrefix, type Ends } from './commonEnds.ts'

/** One place of a text in which something was put in or taken out, in units of the text before. */
export interface TextSplice {
  readonly start: number
  readonly gone: number
  readonly come: string
}

/**
 * What a transaction that has just ended did to a shared text: one passage put in, or one taken out, as each key that somebody
 * hits does, away from halves of pairs. Null for all else; the text is to be read then. `before`: the text before it, in which no
 * pair was torn (`typesWithTornPairs`).
 */
export function spliceOf(transaction: Y.Transaction, type: Y.Text, before: string): TextSplice | null {
  const item = soleItem(transaction)
  if (item === null || item.parent !== type || !(item.content instanceof Y.ContentString)) return null
  const start = unitsBefore(item)
  const { str } = item.content
  const splice = item.deleted ? { start, gone: str.length, come: '' } : { start, gone: 0, come: str }
  const ends = [before[start - 1], before[start + splice.gone], str[0], str.at(-1)]
  return ends.some((unit) => unit !== undefined && isHalf(unit)) ? null : splice
}

export const spliced = (text: string, { start, gone, come }: TextSplice): string =>
  text.slice(0, start) + come + text.slice(start + gone)

/**
 * The ends that two texts have in common (`commonEnds`), which only a splice at `start` tells apart. Null near halves of pairs,
 * where they are to be looked for.
 */
export function endsAround(from: string, to: string, start: number): Ends | null {
  const shorter = Math.min(from.length, to.length)
  // Of equal letters the last one is taken for the one that came or went.
  const at = commonPrefix(from, to, shorter, start)
  const tail = shorter - at
  const around = [
    from[at - 1],
    from[at],
    to[at],
    from[from.length - tail - 1],
    to[to.length - tail - 1],
    from[from.length - tail],
  ]
  return around.some((unit) => unit !== undefined && isHalf(unit)) ? null : { start: at, tail }
}

/** The shared types in which a transaction tore a pair, and all that they stand in: Yjs does not count that as a change of them. */
export function typesWithTornPairs({ _mergeStructs: split }: Y.Transaction): ReadonlySet<object> {
  const types = new Set<object>()
  for (const struct of split) {
    const isTorn =
      struct instanceof Y.Item && struct.content instanceof Y.ContentString && struct.content.str.startsWith('\ufffd')
    for (let item: Y.Item | null = isTorn ? struct : null; item !== null;) {
      const type: unknown = item.parent
      if (!(type instanceof Y.AbstractType)) break
      types.add(type)
      item = type._item
    }
  }
  return types
}

const isHalf = (unit: string): boolean => unit >= '\ud800' && unit <= '\udfff'

/** The one item that came, or the one that was deleted, if nothing else was. */
function soleItem({ beforeState, afterState, deleteSet, doc }: Y.Transaction): Y.Item | null {
  const touched: { readonly id: Y.ID; readonly length: number }[] = []
  for (const [client, end] of afterState) {
    const clock = beforeState.get(client) ?? 0
    if (end > clock) touched.push({ id: Y.createID(client, clock), length: end - clock })
  }
  for (const [client, ranges] of deleteSet.clients) {
    if (touched.length + ranges.length > 1) return null
    for (const { clock, len } of ranges) touched.push({ id: Y.createID(client, clock), length: len })
  }
  const [only, another] = touched
  if (only === undefined || another !== undefined) return null
  const item: unknown = Y.getItem(doc.store, only.id)
  return item instanceof Y.Item && item.length === only.length ? item : null
}

/** Units of plain text before an item. */
function unitsBefore(item: Y.Item): number {
  let units = 0
  for (let at = item.left; at !== null; at = at.left) {
    if (!at.deleted && at.content instanceof Y.ContentString) units += at.length
  }
  return units
}
