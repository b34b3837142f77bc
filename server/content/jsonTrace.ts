import { invariant } from '../foundation/assert.ts'
import { isObject, type JsonObject, type JsonValue, type Path } from './content.ts'
import { handOf, handsIn, joined, onTop, type Hand, type Mark, type Trail } from './hands.ts'
import type { JsonEdit } from './jsonEdits.ts'
import { Lineage, type Fate, type Part } from './lineage.ts'
import { toPointer } from './pointer.ts'

/** A value of the content as it is now, by who made it. */
interface Node {
  /** The newest entry that set it, or took the last thing out of it; null: before the first. */
  by: Mark | null
  readonly children: Members | Elements | null
  /** Who took out or changed what others had put here. */
  hands: readonly Trail[]
  /** Of an element: it is the one that stood there at base, whatever became of it. */
  readonly isKept: boolean
}

interface Members {
  readonly byKey: Map<string, Node>
  /** Who took members out that are not there now. */
  readonly gone: Map<string, readonly Trail[]>
}

interface Elements {
  readonly list: Node[]
  /** What was taken out before an element, or (null) behind the last, in order. */
  readonly gone: Map<Node | null, readonly Gone[]>
  /** How many stood here at base; 0 for an array that came later. */
  readonly atBase: number
}

/** An element that is no more. */
interface Gone {
  readonly isKept: boolean
  readonly hands: readonly Trail[]
}

/** All that lies at or below a pointer was last set by one entry; null: before the first. */
export interface PointerBlame {
  readonly pointer: string
  readonly by: Mark | null
}

/** A place that a comparison found, in the content at base and in that of now: a member, or these elements of an array. */
export interface PlaceSince {
  readonly base: readonly string[]
  readonly now: readonly string[]
  /** Where the last steps are indices: how many elements the place has on either side. */
  readonly counts: { readonly base: number; readonly now: number }
}

/** Who set each value of a json content, while edits go by. */
export class JsonTrace {
  #root: Node
  #lineages = new Map<Elements, Lineage<Node | Gone>>()

  constructor(base: JsonObject) {
    this.#root = toNode(base, null)
  }

  /** Edits apply to the content as it is now. */
  apply(edits: readonly JsonEdit[], by: Mark): void {
    this.#lineages = new Map()
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

  /**
   * Who is behind the difference at a place between the content at base and as it is now: those who set what stands
   * there, above or below, and those who took out what others had set.
   */
  handsOf({ base, now, counts }: PlaceSince): readonly Hand[] {
    const above: Trail[] = []
    const all = (hands: readonly Hand[]): readonly Hand[] =>
      above.length === 0 ? hands : joined([...handsIn(above), ...hands])
    let node = this.#root
    for (const [depth, step] of base.entries()) {
      const { children } = node
      above.push(...node.hands)
      if (children === null) break
      if ('byKey' in children) {
        const member = children.byKey.get(step)
        if (!member) return all(handsIn(children.gone.get(step) ?? []))
        node = member
        continue
      }
      const isLast = depth === base.length - 1
      const { parts, hands } = this.#elementsAt(children, Number(step), Number(now[depth]), isLast ? counts : ONE)
      const [only, ...others] = parts
      if (isLast || !only || others.length > 0 || !isNode(only.what)) return all(hands)
      node = only.what
    }
    return all(handsAt(node))
  }

  #elementsAt(elements: Elements, base: number, now: number, counts: PlaceSince['counts']): Fate<Node | Gone> {
    const lineage = this.#lineages.get(elements) ?? lineageOf(elements)
    this.#lineages.set(elements, lineage)
    return lineage.fateOf([base, base + counts.base], [now, now + counts.now])
  }

  #applyEdit(edit: JsonEdit, by: Mark): void {
    if ('index' in edit) splice(this.#nodeAt(edit.at), edit, by)
    else if ('delta' in edit) changeText(this.#nodeAt(edit.at), by)
    else if ('value' in edit) this.#set(edit.at, edit.value, by)
    else removeMember(this.#nodeAt(edit.at.slice(0, -1)), String(edit.at.at(-1)), by)
  }

  #set(at: Path, value: JsonValue, by: Mark): void {
    const step = at.at(-1)
    if (step === undefined) {
      this.#root = { ...toNode(value, by), hands: takenFrom(this.#root, by) }
      return
    }
    const { children } = this.#nodeAt(at.slice(0, -1))
    invariant(children !== null, 'only what has children has places')
    if ('byKey' in children) setMember(children, String(step), value, by)
    else setElement(children, Number(step), value, by)
  }

  #nodeAt(path: Path): Node {
    return path.reduce<Node>((node, step) => {
      const { children } = node
      const child = children && ('byKey' in children ? children.byKey.get(String(step)) : children.list[Number(step)])
      invariant(child !== null && child !== undefined, 'an edit is of something that is there')
      return child
    }, this.#root)
  }
}

const ONE = { base: 1, now: 1 }

type Splice = Extract<JsonEdit, { readonly index: number }>

/** Of a text only the newest hand is known to stand in it; those before it have a part in it too. */
function changeText(node: Node, by: Mark): void {
  const before = node.by ? [onTop(node.by, node.hands)] : node.hands
  node.hands = node.by?.author === by.author ? before : [onTop(by, before)]
  node.by = by
}

function setMember({ byKey, gone }: Members, key: string, value: JsonValue, by: Mark): void {
  const before = byKey.get(key)
  byKey.set(key, { ...toNode(value, by), hands: before ? takenFrom(before, by) : (gone.get(key) ?? []) })
  gone.delete(key)
}

function removeMember(node: Node, key: string, by: Mark): void {
  const { children } = node
  invariant(children !== null && 'byKey' in children, 'only a member is removed without its place')
  const member = children.byKey.get(key)
  invariant(member !== undefined, 'an edit is of something that is there')
  children.gone.set(key, takenFrom(member, by))
  children.byKey.delete(key)
  if (children.byKey.size === 0) node.by = by
}

function setElement({ list, gone }: Elements, index: number, value: JsonValue, by: Mark): void {
  const before = list[index]
  invariant(before !== undefined, 'an edit is of something that is there')
  const node = { ...toNode(value, by), hands: takenFrom(before, by), isKept: before.isKept }
  list[index] = node
  moveGone(gone, before, node)
}

/** What was taken out is remembered before the element that follows, behind what was taken out there earlier. */
function splice(node: Node, { index, remove, insert }: Splice, by: Mark): void {
  const { children } = node
  invariant(children !== null && 'list' in children, 'a splice is of an array')
  const { list, gone } = children
  const removed = list.splice(index, remove)
  const nodes = insert.map((value) => toNode(value, by))
  const behind = list[index] ?? null
  for (let done = 0; done < nodes.length; done += MAX_SPLICED) {
    list.splice(index + done, 0, ...nodes.slice(done, done + MAX_SPLICED))
  }
  moveGone(gone, behind, list[index] ?? null)
  const next = list[index] ?? null
  const remembered = removed.flatMap((one) => {
    const before = gone.get(one) ?? []
    gone.delete(one)
    const hands = takenFrom(one, by)
    return one.isKept || hands.length > 0 ? [...before, { isKept: one.isKept, hands }] : before
  })
  if (remembered.length > 0) gone.set(next, [...remembered, ...(gone.get(next) ?? [])])
  if (list.length === 0) node.by = by
}

function moveGone(gone: Elements['gone'], from: Node | null, to: Node | null): void {
  const moved = gone.get(from)
  if (!moved || from === to) return
  gone.delete(from)
  gone.set(to, moved)
}

/** An engine takes only so many arguments. */
const MAX_SPLICED = 10_000

function toNode(value: JsonValue, by: Mark | null): Node {
  return { by, children: childNodes(value, by), hands: NONE, isKept: by === null }
}

const NONE: readonly Trail[] = []

function childNodes(value: JsonValue, by: Mark | null): Node['children'] {
  if (Array.isArray(value)) {
    const list = value.map((element) => toNode(element, by))
    return { list, gone: new Map(), atBase: by === null ? list.length : 0 }
  }
  if (!isObject(value)) return null
  const byKey = new Map(Object.entries(value).map(([key, child]) => [key, toNode(child, by)]))
  return { byKey, gone: new Map() }
}

/** What is remembered of a value that `by` took out: who else had taken something out there, and `by` unless all was theirs. */
function takenFrom(node: Node, by: Mark): readonly Trail[] {
  const trails: Trail[] = []
  let isOwn = true
  const visit = (one: Node): void => {
    addTakers(one, trails)
    if (one.by?.author !== by.author) isOwn = false
    for (const child of nodesIn(one)) visit(child)
  }
  visit(node)
  return isOwn ? trails : [onTop(by, trails)]
}

/** Everyone who had a hand in a value or what lies below it, or took it out. */
function handsAt(what: Node | Gone): readonly Hand[] {
  if (!isNode(what)) return handsIn(what.hands)
  const trails: Trail[] = []
  const hands: Hand[] = []
  const visit = (node: Node): void => {
    addTakers(node, trails)
    if (node.by) hands.push(handOf(node.by))
    for (const child of nodesIn(node)) visit(child)
  }
  visit(what)
  return joined([...handsIn(trails), ...hands])
}

/** Those who took out or changed what others had put there, or right below it where nothing is now. */
function addTakers({ hands, children }: Node, trails: Trail[]): void {
  for (const trail of hands) trails.push(trail)
  if (children === null) return
  if ('byKey' in children) for (const gone of children.gone.values()) trails.push(...gone)
  else for (const gone of children.gone.values()) for (const one of gone) trails.push(...one.hands)
}

const isNode = (what: Node | Gone): what is Node => 'children' in what

function lineageOf({ list, gone, atBase }: Elements): Lineage<Node | Gone> {
  const parts: Part<Node | Gone>[] = []
  const add = (all: readonly Gone[] = []): void => {
    for (const what of all) parts.push({ base: what.isKept ? 1 : 0, now: 0, what, isBetween: true })
  }
  for (const what of list) {
    add(gone.get(what))
    parts.push({ base: what.isKept ? 1 : 0, now: 1, what })
  }
  add(gone.get(null))
  const starts = { base: upTo(atBase), now: upTo(list.length) }
  return new Lineage(parts, starts, 0, handsAt)
}

const upTo = (count: number): number[] => Array.from({ length: count + 1 }, (_, index) => index)

function nodesIn({ children }: Node): Iterable<Node> {
  if (children === null) return []
  return 'byKey' in children ? children.byKey.values() : children.list
}

/** Members in code unit order, elements in theirs. */
function childrenOf({ children }: Node): [string | number, Node][] {
  if (children === null) return []
  if ('list' in children) return [...children.list.entries()]
  return [...children.byKey].sort(([a], [b]) => (a < b ? -1 : 1))
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
