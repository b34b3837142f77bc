import { invariant } from '../foundation/assert.ts'
import { isObject, setMember, type JsonObject, type JsonValue, type Path } from './content.ts'
import { child } from './pointer.ts'

/** How many elements are copied or moved in the time one member of an object is. */
const ELEMENTS_PER_MEMBER = 1_000
/** An engine takes only so many arguments. */
const MAX_SPLICED = 10_000

/**
 * A JSON value under change: what is opened for writing is copied once, the rest stays shared with the
 * value it was made from, which is never touched.
 */
export class Draft {
  root: JsonValue
  /** What the changes have cost so far, in copied members; elements of arrays move a thousand times faster. */
  cost = 0
  #own = new Set<JsonValue>()

  constructor(root: JsonValue) {
    this.root = root
  }

  /** The object or array at a path, as a copy that may be changed in place. It must exist. */
  open(path: Path): JsonObject | JsonValue[] {
    let node = this.#copy(this.root)
    this.root = node
    for (const step of path) {
      const next = this.#copy(child(node, step))
      put(node, step, next)
      node = next
    }
    return node
  }

  /** Puts a value at a path: a member is added or replaced, an element replaced. What leads there must exist. */
  set(path: Path, value: JsonValue): void {
    const step = path.at(-1)
    if (step === undefined) this.root = value
    else put(this.open(path.slice(0, -1)), step, value)
  }

  /** Removes a member. */
  remove(path: Path): void {
    const parent = this.open(path.slice(0, -1))
    const key = path.at(-1)
    invariant(isObject(parent) && typeof key === 'string', 'only members are removed by path')
    delete parent[key]
  }

  /** Replaces `remove` elements of the array at a path from `index` on. */
  splice(path: Path, index: number, remove: number, insert: readonly JsonValue[]): void {
    const array = this.open(path)
    invariant(Array.isArray(array) && index + remove <= array.length, 'a splice stays within its array')
    // What takes the place of another moves nothing.
    const replaced = Math.min(remove, insert.length)
    for (let done = 0; done < replaced; done += 1) array[index + done] = insert[done] ?? null
    if (remove === insert.length) return
    if (remove > replaced) array.splice(index + replaced, remove - replaced)
    for (let done = replaced; done < insert.length; done += MAX_SPLICED) {
      array.splice(index + done, 0, ...insert.slice(done, done + MAX_SPLICED))
    }
    this.cost += (array.length - index) / ELEMENTS_PER_MEMBER
  }

  /** From here on nothing is taken as one's own copy: needed once a value stands at two places. */
  share(): void {
    this.#own = new Set()
  }

  #copy(value: JsonValue | undefined): JsonObject | JsonValue[] {
    invariant(Array.isArray(value) || isObject(value), 'a path leads through objects and arrays')
    if (this.#own.has(value)) return value
    const copy = Array.isArray(value) ? value.slice() : { ...value }
    this.cost += Array.isArray(copy) ? copy.length / ELEMENTS_PER_MEMBER : Object.keys(copy).length
    this.#own.add(copy)
    return copy
  }
}

function put(node: JsonObject | JsonValue[], step: string | number, value: JsonValue): void {
  if (!Array.isArray(node)) return setMember(node, String(step), value)
  const index = Number(step)
  invariant(index < node.length, 'an element is replaced within its array')
  node[index] = value
}
