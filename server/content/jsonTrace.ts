import { invariant } from '../foundation/assert.ts'
import { isObject, type JsonObject, type JsonValue, type Path } from './content.ts'
import type { JsonEdit } from './jsonEdits.ts'
import { toPointer } from './pointer.ts'
import type { Mark } from './textTrace.ts'

interface Node {
  /** The newest entry that set it, or took the last thing out of it; null: before the first. */
  by: Mark | null
  children: Map<string, Node> | Node[] | null
}

/** All that lies at or below a pointer was last set by one entry; null: before the first. */
export interface PointerBlame {
  readonly pointer: string
  readonly by: Mark | null
}

/** Who set each value of a json content, while edits go by. */
export class JsonTrace {
  readonly #root: Node

  constructor(base: JsonObject) {
    this.#root = toNode(base, null)
  }

  /** Edits apply to the content as it is now. */
  apply(edits: readonly JsonEdit[], by: Mark): void {
    for (const edit of edits) this.#applyEdit(edit, by)
  }

  /**
   * The fewest pointers that together name every value of the content as it is now, each with its entry, in order.
   * Those that do not fit into `maxCharacters` are left out.
   */
  blame(maxCharacters: number): { pointers: PointerBlame[]; truncated: boolean } {
    const mixed = new Set<Node>()
    findMixed(this.#root, mixed)
    const pointers: PointerBlame[] = []
    let left = maxCharacters
    const collect = (node: Node, path: Path): void => {
      if (left < 0) return
      if (mixed.has(node)) {
        for (const [step, child] of childrenOf(node)) collect(child, [...path, step])
        return
      }
      const pointer = toPointer(path)
      left -= pointer.length + 1
      if (left >= 0) pointers.push({ pointer, by: node.by })
    }
    collect(this.#root, [])
    return { pointers, truncated: left < 0 }
  }

  #applyEdit(edit: JsonEdit, by: Mark): void {
    if ('index' in edit) {
      const node = this.#nodeAt(edit.at)
      invariant(Array.isArray(node.children), 'a splice is of an array')
      const [head, tail] = [node.children.slice(0, edit.index), node.children.slice(edit.index + edit.remove)]
      node.children = [...head, ...edit.insert.map((value) => toNode(value, by)), ...tail]
      if (node.children.length === 0) node.by = by
    } else if ('delta' in edit) this.#nodeAt(edit.at).by = by
    else if ('value' in edit) this.#set(edit.at, toNode(edit.value, by))
    else {
      const node = this.#nodeAt(edit.at.slice(0, -1))
      invariant(node.children instanceof Map, 'only a member is removed without its place')
      node.children.delete(String(edit.at.at(-1)))
      if (node.children.size === 0) node.by = by
    }
  }

  #set(at: Path, node: Node): void {
    const step = at.at(-1)
    if (step === undefined) {
      Object.assign(this.#root, node)
      return
    }
    const { children } = this.#nodeAt(at.slice(0, -1))
    if (children instanceof Map) children.set(String(step), node)
    else if (children) children[Number(step)] = node
  }

  #nodeAt(path: Path): Node {
    return path.reduce<Node>((node, step) => {
      const child = node.children instanceof Map ? node.children.get(String(step)) : node.children?.[Number(step)]
      invariant(child !== undefined, 'an edit is of something that is there')
      return child
    }, this.#root)
  }
}

function toNode(value: JsonValue, by: Mark | null): Node {
  if (Array.isArray(value)) return { by, children: value.map((element) => toNode(element, by)) }
  if (!isObject(value)) return { by, children: null }
  return { by, children: new Map(Object.entries(value).map(([key, child]) => [key, toNode(child, by)])) }
}

/** Members in code unit order, elements in theirs. */
function childrenOf({ children }: Node): [string | number, Node][] {
  if (children === null) return []
  if (Array.isArray(children)) return [...children.entries()]
  return [...children].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Collects what holds values of several entries. Answers whether `node` is such. */
function findMixed(node: Node, mixed: Set<Node>): boolean {
  let isMixed = false
  for (const [, child] of childrenOf(node)) {
    if (findMixed(child, mixed) || child.by !== node.by) isMixed = true
  }
  if (isMixed) mixed.add(node)
  return isMixed
}
