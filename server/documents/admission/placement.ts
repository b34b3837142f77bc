import * as Y from 'yjs'
import type { Kind } from '../../content/content.ts'
import type { ContentLimits } from '../../content/limits.ts'
import { stepUnits } from '../../content/pointer.ts'
import type { Integration } from './integration.ts'
import { Growth } from './growth.ts'
import { isAbsent, plainOf } from './plain.ts'
import { allowedKey, assertKeys, MAX_SUBDOCUMENTS, refuse, type Section, type Struct } from './updateReader.ts'

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
  /** Whether what it holds is part of the content: not in other roots, nor in what is embedded in a text. */
  readonly isContent: boolean
  /** Objects and arrays around and including this one, the root being 1. */
  readonly depth: number
  /** Of the pointer to it: at most, for an index may become longer. */
  readonly pointerUnits: number
}

/** Where an item goes: a list of `parent`, or its key `key`. Null: its parent is gone, and so is the item. */
type ItemPlace = { readonly type: Type | string; readonly key: string | null } | null

export interface PlacementContext {
  readonly doc: Y.Doc
  readonly kind: Kind
  readonly root: string
  readonly limits: ContentLimits
}

/**
 * Finds where each new item goes, as applying would, and refuses what has no place there: text and formats
 * belong into texts, keys into maps, values that JSON has a form for into arrays, nothing below the depth limit. That
 * holds for the document's own root and below; other roots (SYNC-11) hold what Yjs takes within the depth limit.
 */
export class Placement {
  /** By how much what is placed makes larger what the document must keep, at most. */
  readonly growth = new Growth()
  readonly #context: PlacementContext
  readonly #integration: Integration
  /** Places of the update's own items, filled as they are placed. */
  readonly #places = new Map<Y.Item, ItemPlace>()
  readonly #parents = new Map<Type | string, Parent>()
  #subdocuments = 0

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

  #placeOf(item: Y.Item): ItemPlace {
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

  #placeKnown(item: Y.Item): ItemPlace {
    const placed = this.#places.get(item)
    if (placed !== undefined) return placed
    const parent: unknown = item.parent
    return parent instanceof Y.AbstractType ? { type: parent, key: item.parentSub } : null
  }

  /**
   * Of an item that is known in part Yjs puts the rest right after the known part, whatever the item says.
   * If it says something else, the document would end up inconsistent.
   */
  #assertContinues(item: Y.Item, place: NonNullable<ItemPlace>): void {
    const { client, clock } = item.id
    const known = this.#integration.knownOf(client)
    if (clock >= known) return
    const before = this.#integration.find(Y.createID(client, known - 1))
    if (!(before instanceof Y.Item) || !isSame(this.#placeKnown(before), place)) {
      refuse('invalid-request', 'an item that contradicts what is known of it')
    }
  }

  #assertFits(item: Y.Item, place: NonNullable<ItemPlace>): void {
    const parent = this.#parentOf(place.type)
    const { content } = item
    if (parent.own && !fits(content, parent.shape, place.key)) {
      refuse('invalid-request', `a ${parent.shape} cannot hold this`)
    }
    if (!parent.isContent || (parent.shape === 'text' && !(content instanceof Y.ContentString))) {
      this.growth.addAside(item)
    }
    const pointerUnits = parent.pointerUnits + this.#stepUnits(parent, place.key)
    if (content instanceof Y.ContentType) this.#nest(content.type, parent, pointerUnits)
    else if (content instanceof Y.ContentDoc) this.#countSubdocument()
    else if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
      const { arr }: { arr: readonly unknown[] } = content
      if (content instanceof Y.ContentJSON) for (const value of arr) assertKeys(value, 1)
      if (parent.own) this.#addValues(arr, parent, place.key, pointerUnits)
      else for (const value of arr) this.#assertDepth(parent.depth + depthOf(value))
    } else if (content instanceof Y.ContentString && parent.isContent) {
      this.growth.addText(content.str, this.#context.kind)
    }
    if (parent.isContent && place.key !== null) this.growth.addKey(place.key)
    if (parent.isContent && parent.shape === 'array') this.growth.shiftsElements = true
  }

  #addValues(values: readonly unknown[], parent: Parent, key: string | null, pointerUnits: number): void {
    for (const value of values) {
      if (key === null && isAbsent(value)) refuse('invalid-request', 'an element that JSON has no form for')
      const plain = isAbsent(value) ? null : plainOf(value)
      this.#assertDepth(parent.depth + depthOf(plain))
      if (parent.isContent) this.growth.addValue(plain, parent.depth, pointerUnits)
    }
  }

  #countSubdocument(): void {
    this.#subdocuments += 1
    if (this.#context.doc.subdocs.size + this.#subdocuments > MAX_SUBDOCUMENTS) {
      refuse('content-too-complex', `more than ${MAX_SUBDOCUMENTS} documents inside the document`)
    }
  }

  #stepUnits(parent: Parent, key: string | null): number {
    if (!parent.isContent || parent.shape === 'text') return 0
    return stepUnits(key ?? this.#context.limits.maxNodes)
  }

  #nest(type: Type, around: Parent, pointerUnits: number): void {
    const parent = parentWithin(around, type, pointerUnits)
    this.#assertDepth(parent.depth)
    this.#parents.set(type, parent)
    if (around.isContent && parent.isContent) this.growth.addType(parent.shape, around.depth, pointerUnits)
  }

  #assertDepth(depth: number): void {
    const { maxDepth } = this.#context.limits
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
      const shape = own ? (kind === 'text' ? 'text' : 'map') : 'any'
      return { own, isContent: own, depth: 1, pointerUnits: 0, shape }
    }
    const place = this.#placeKnown(holder)
    if (place === null || typeof type === 'string') {
      return { own: false, isContent: false, depth: 1, pointerUnits: 0, shape: 'any' }
    }
    const around = this.#parentOf(place.type)
    return parentWithin(around, type, around.pointerUnits + this.#stepUnits(around, place.key))
  }
}

const isSame = (one: ItemPlace, other: ItemPlace): boolean => one?.type === other?.type && one?.key === other?.key

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
function parentWithin(around: Parent, type: Type, pointerUnits: number): Parent {
  const shape = shapeOf(type)
  const isLeaf = shape === 'text' && around.shape !== 'text'
  return {
    shape,
    own: around.own,
    isContent: around.isContent && around.shape !== 'text',
    depth: isLeaf ? around.depth : around.depth + 1,
    pointerUnits,
  }
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
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 0
  let deepest = 0
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member))
  return deepest + 1
}
