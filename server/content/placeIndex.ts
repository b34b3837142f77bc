import { spansOverlap, type Span } from './align.ts'

/** Keys, and the elements of arrays that are met on the way or at the end. */
export type ReachedPlace = readonly (string | Span)[]

interface IndexNode {
  /** A place ends here. */
  isPlace: boolean
  readonly keys: Map<string, IndexNode>
  readonly spans: { readonly span: Span; readonly node: IndexNode }[]
}

const newNode = (): IndexNode => ({ isPlace: false, keys: new Map(), spans: [] })

/** Places of a json content, to be asked for many others: by key each is found at once, elements are gone through. */
export class PlaceIndex {
  readonly #root = newNode()

  constructor(places: Iterable<ReachedPlace>) {
    for (const place of places) {
      let node = this.#root
      for (const step of place) node = typeof step === 'string' ? ofKey(node, step) : ofSpan(node, step)
      node.isPlace = true
    }
  }

  /** Whether one of them is this place, or lies above or below it. Spans meet as `spansOverlap` says. */
  meets(place: ReachedPlace, spansMeet = spansOverlap): boolean {
    const visit = (node: IndexNode, depth: number): boolean => {
      if (node.isPlace) return true
      const step = place[depth]
      if (step === undefined) return node.keys.size > 0 || node.spans.length > 0
      if (typeof step !== 'string') {
        return node.spans.some(({ span, node: below }) => spansMeet(step, span) && visit(below, depth + 1))
      }
      const below = node.keys.get(step)
      return below !== undefined && visit(below, depth + 1)
    }
    return visit(this.#root, 0)
  }
}

function ofKey({ keys }: IndexNode, key: string): IndexNode {
  const node = keys.get(key) ?? newNode()
  keys.set(key, node)
  return node
}

/** Neighbours of a list of places often go through the same element. */
function ofSpan({ spans }: IndexNode, span: Span): IndexNode {
  const last = spans.at(-1)
  if (last !== undefined && last.span[0] === span[0] && last.span[1] === span[1]) return last.node
  const node = newNode()
  spans.push({ span, node })
  return node
}
