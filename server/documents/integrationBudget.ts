import * as Y from 'yjs'
import { ParleyError } from '../foundation/problems.ts'

/**
 * Steps that applying one update may take to find places among what others inserted there meanwhile: some 0.5 s at the
 * worst. Two people who each insert 1,400 times at one place while apart come to as many.
 */
export const MAX_INTEGRATION_STEPS = 2_000_000

type Right = Y.Item | null

/** Unlimited but for what runs within `withIntegrationBudget`. */
let stepsLeft = Number.POSITIVE_INFINITY

// oxlint-disable-next-line typescript/unbound-method -- called with its `this` below
const integrate = Y.Item.prototype.integrate

/**
 * Yjs looks for an item's place by walking over everything between its neighbours, so that a small update whose items
 * contradict each other's order takes time by the square of its size, in one call that nothing can interrupt (24 KB took
 * 11 s). Only within the walk is its length known, so this stands before it; where there is nothing to walk it costs a
 * comparison.
 */
Y.Item.prototype.integrate = function integrateWithin(this: Y.Item, transaction: Y.Transaction, offset: number): void {
  if (stepsLeft !== Number.POSITIVE_INFINITY) {
    stepsLeft -= stepsToPlace(this, transaction.doc.store, offset, stepsLeft)
    if (stepsLeft <= 0) throw new ParleyError('content-too-complex', 'The update takes too long to merge.')
  }
  integrate.call(this, transaction, offset)
}

/**
 * Runs a change of a document whose items may take only so many steps to be placed. Throws `content-too-complex` past
 * that; the document is then changed in part.
 */
export function withIntegrationBudget(steps: number, change: () => void): void {
  stepsLeft = steps
  try {
    change()
  } finally {
    stepsLeft = Number.POSITIVE_INFINITY
  }
}

/** Steps of the walk of `Y.Item.integrate` (yjs 13.6), as far as `limit`. */
function stepsToPlace(item: Y.Item, store: Y.Doc['store'], offset: number, limit: number): number {
  const { parent, right, origin, rightOrigin, id } = item
  if (!(parent instanceof Y.AbstractType)) return 0
  const left = offset > 0 ? Y.getItem(store, Y.createID(id.client, id.clock + offset - 1)) : item.left
  if (left instanceof Y.Item ? left.right === right : right !== null && right.left === null) return 0
  const first = left instanceof Y.Item ? { at: left.right, steps: 0 } : firstOf(parent, item.parentSub, limit)
  const passed = new Set<unknown>()
  let steps = first.steps
  for (let other: Right = first.at; other !== null && other !== right && steps < limit; other = other.right) {
    steps += 1
    passed.add(other)
    if (Y.compareIDs(origin, other.origin)) {
      if (other.id.client >= id.client && Y.compareIDs(rightOrigin, other.rightOrigin)) break
    } else if (other.origin === null || !passed.has(Y.getItem(store, other.origin))) break
  }
  return steps
}

/** The first item of a list, or of the values that a key has had, which Yjs finds by walking back from the newest. */
function firstOf(parent: Y.AbstractType<unknown>, key: string | null, limit: number): { at: Right; steps: number } {
  if (key === null) return { at: parent._start, steps: 0 }
  let at = parent._map.get(key) ?? null
  let steps = 0
  for (; at !== null && at.left !== null && steps < limit; at = at.left) steps += 1
  return { at, steps }
}

/**
 * Applies what a client sent, within the budget. It may still throw in Yjs after it was guarded, which is the client's
 * fault: `invalid-request`.
 */
export function applyWithinBudget(doc: Y.Doc, update: Uint8Array): void {
  try {
    withIntegrationBudget(MAX_INTEGRATION_STEPS, () => Y.applyUpdate(doc, update))
  } catch (cause) {
    if (cause instanceof ParleyError) throw cause
    throw new ParleyError('invalid-request', 'The update cannot be applied.', { cause })
  }
}
