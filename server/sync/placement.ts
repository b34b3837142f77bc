import * as Y from 'yjs'
import type { Kind } from '../content/content.ts'
import type { Integration } from './integration.ts'
import { allowedKey, assertPlain, refuse, type Section, type Struct } from './updateReader.ts'

/** SYNC-11: root types of a document, its own included. */
const MAX_ROOTS = 64
/** SYNC-11. UTF-16 units. */
const MAX_ROOT_NAME = 128

type Type = Y.ContentType['type']

/** What a type may hold. `any`: roots that are not the document's own have no kind; Yjs gives them one when used. */
type Shape = 'text' | 'map' | 'array' | 'any'

/** A type of the document or of the update. */
interface Parent {
  readonly shape: Shape
  /** Whether it is the document's own root or somewhere below it. */
  readonly own: boolean
  /** Objects and arrays around and including this one, the root being 1. */
  readonly depth: number
}

/** Where an item goes: a list of `parent`, or its key `key`. Null: its parent is gone, and so is the item. */
type Place = { readonly type: Type | string; readonly key: string | null } | null

export interface PlacementContext {
  readonly doc: Y.Doc
  readonly kind: Kind
  readonly root: string
  readonly maxDepth: number
}

/**
 * Finds where each new item goes, as applying would, and refuses what has no place there: text and formats
 * belong into texts, keys into maps, values into arrays, nothing below the depth limit. That holds for the
 * document's own root and below; other roots (SYNC-11) hold what they like within the depth limit.
 */
export class Placement {
  readonly #context: PlacementContext
  readonly #integration: Integration
  /** Places of the update's own items, filled as they are placed. */
  readonly #places = new Map<Y.Item, Place>()
  readonly #parents = new Map<Type | string, Parent>()

  constructor(context: PlacementContext, integration: Integration) {
    this.#context = context
    this.#integration = integration
  }

  /** Applying an update makes every root it names, even for structs that are known; so all names are counted. */
  checkRoots(sections: ReadonlyMap<number, Section>): void {
    const names = new Set([this.#context.root, ...this.#context.doc.share.keys()])
    for (const { structs } of sections.values()) {
      for (const struct of structs) {
        if (!(struct instanceof Y.Item)) continue
        const name = rootName(struct)
        if (name !== null && !names.has(name)) names.add(allowedRoot(name))
        if (struct.parentSub !== null) allowedKey(struct.parentSub)
        if (names.size > MAX_ROOTS) refuse('invalid-request', `more than ${MAX_ROOTS} root types`)
      }
    }
  }

  /** Called for each struct that is new at least in part, after those it builds on. */
  place(struct: Y.Item | Y.GC): void {
    if (!(struct instanceof Y.Item)) return
    const place = this.#placeOf(struct)
    this.#places.set(struct, place)
    if (place === null) return
    this.#assertContinues(struct, place)
    this.#assertFits(struct, place)
  }

  #placeOf(item: Y.Item): Place {
    const left = item.origin && this.#integration.find(item.origin)
    const right = item.rightOrigin && this.#integration.find(item.rightOrigin)
    if ((left && this.#isGone(left)) || (right && this.#isGone(right))) return null
    const placeLeft = left instanceof Y.Item ? this.#placeKnown(left) : null
    const placeRight = right instanceof Y.Item ? this.#placeKnown(right) : null
    if (placeLeft && placeRight && !isSame(placeLeft, placeRight)) {
      return refuse('invalid-request', 'an item between two places')
    }
    if (placeLeft ?? placeRight) return placeLeft ?? placeRight
    const parent: unknown = item.parent
    if (typeof parent === 'string') return { type: this.#context.doc.share.get(parent) ?? parent, key: item.parentSub }
    if (!(parent instanceof Y.ID)) return refuse('invalid-request', 'a struct without a parent')
    const holder = this.#integration.find(parent)
    if (this.#isGone(holder) || !(holder instanceof Y.Item) || !(holder.content instanceof Y.ContentType)) return null
    return { type: holder.content.type, key: item.parentSub }
  }

  /** Whether the struct is, or will be, nothing but a range of clocks. */
  #isGone(struct: Struct): boolean {
    return !(struct instanceof Y.Item) || this.#placeKnown(struct) === null
  }

  #placeKnown(item: Y.Item): Place {
    const placed = this.#places.get(item)
    if (placed !== undefined) return placed
    const parent: unknown = item.parent
    return parent instanceof Y.AbstractType ? { type: parent, key: item.parentSub } : null
  }

  /**
   * Of an item that is known in part Yjs puts the rest right after the known part, whatever the item says.
   * If it says something else, the document would end up inconsistent.
   */
  #assertContinues(item: Y.Item, place: NonNullable<Place>): void {
    const { client, clock } = item.id
    const known = this.#integration.knownOf(client)
    if (clock >= known) return
    const before = this.#integration.find(Y.createID(client, known - 1))
    if (!(before instanceof Y.Item) || !isSame(this.#placeKnown(before), place)) {
      refuse('invalid-request', 'an item that contradicts what is known of it')
    }
  }

  #assertFits(item: Y.Item, place: NonNullable<Place>): void {
    const parent = this.#parentOf(place.type)
    const { content } = item
    if (parent.own && !fits(content, parent.shape, place.key)) {
      refuse('invalid-request', `a ${parent.shape} cannot hold this`)
    }
    if (content instanceof Y.ContentType) this.#nest(content.type, parent)
    else if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
      if (content instanceof Y.ContentJSON) for (const value of content.arr) assertPlain(value, 1)
      for (const value of content.arr) this.#assertDepth(parent.depth + depthOf(value))
    }
  }

  #nest(type: Type, around: Parent): void {
    const parent = parentWithin(around, type)
    this.#assertDepth(parent.depth)
    this.#parents.set(type, parent)
  }

  #assertDepth(depth: number): void {
    const { maxDepth } = this.#context
    if (depth > maxDepth) refuse('content-too-complex', `nests deeper than ${maxDepth}`)
  }

  #parentOf(type: Type | string): Parent {
    const known = this.#parents.get(type)
    if (known) return known
    const parent = this.#traceParent(type)
    this.#parents.set(type, parent)
    return parent
  }

  /** The chain of a type of the document is at most as long as the depth limit let it become. */
  #traceParent(type: Type | string): Parent {
    const { doc, root, kind } = this.#context
    const holder = typeof type === 'string' ? null : type._item
    if (holder === null) {
      const own = type === root || type === doc.share.get(root)
      return { own, depth: 1, shape: own ? (kind === 'text' ? 'text' : 'map') : 'any' }
    }
    const place = this.#placeKnown(holder)
    if (place === null || typeof type === 'string') return { own: false, depth: 1, shape: 'any' }
    return parentWithin(this.#parentOf(place.type), type)
  }
}

const isSame = (one: Place, other: Place): boolean => one?.type === other?.type && one?.key === other?.key

/** The root a decoded struct names as its parent. */
function rootName(item: Y.Item): string | null {
  const parent: unknown = item.parent
  return typeof parent === 'string' ? parent : null
}

function allowedRoot(name: string): string {
  if (name.length > MAX_ROOT_NAME) refuse('invalid-request', `a root name longer than ${MAX_ROOT_NAME} characters`)
  return allowedKey(name)
}

/** A text is a leaf like a string, unless it is embedded in a text. */
function parentWithin(around: Parent, type: Type): Parent {
  const shape = shapeOf(type)
  const isLeaf = shape === 'text' && around.shape !== 'text'
  return { shape, own: around.own, depth: isLeaf ? around.depth : around.depth + 1 }
}

function shapeOf(type: Type): Shape {
  if (type instanceof Y.Text) return 'text'
  if (type instanceof Y.Array) return 'array'
  return type instanceof Y.Map ? 'map' : 'any'
}

function fits(content: Y.Item['content'], shape: Shape, key: string | null): boolean {
  if (content instanceof Y.ContentDeleted) return true
  switch (shape) {
    case 'text':
      return key === null && isInText(content)
    case 'map':
      return key !== null && isValue(content)
    case 'array':
      return key === null && isValue(content)
    case 'any':
      return true
  }
}

function isInText(content: Y.Item['content']): boolean {
  return (
    content instanceof Y.ContentString ||
    content instanceof Y.ContentFormat ||
    content instanceof Y.ContentEmbed ||
    content instanceof Y.ContentType
  )
}

/** A scalar, an array or object by value, or a type that has a form in JSON: an XML element has none. */
function isValue(content: Y.Item['content']): boolean {
  if (content instanceof Y.ContentType) return jsonTypes.has(content.type.constructor)
  return content instanceof Y.ContentAny || content instanceof Y.ContentJSON
}
const jsonTypes: ReadonlySet<unknown> = new Set([Y.Map, Y.Array, Y.Text])

/** Objects and arrays on the way to the deepest value; 0 for a scalar. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let deepest = 0
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member))
  return deepest + 1
}
