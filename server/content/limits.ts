import { isObject, type Content, type JsonValue } from './content.ts'
import { stepUnits } from './pointer.ts'

/** SPEC DOC-10. `maxDepth` counts nested objects and arrays, `maxNodes` every value; the root is 1 of each. */
export interface ContentLimits {
  readonly maxBytes: number
  readonly maxDepth: number
  readonly maxNodes: number
}

/**
 * Changes, overlaps and blame name places by pointers; keys as long as contents would make a few KB of document
 * into hundreds of MB of pointers.
 */
export const MAX_POINTER_UNITS = 4_096

export interface LimitBreach {
  readonly code: 'content-too-large' | 'content-too-complex'
  readonly detail: string
}

/** How large a content is, in what the limits count. `pointerUnits`: of its longest pointer. */
export interface ContentSize {
  readonly bytes: number
  readonly depth: number
  readonly nodes: number
  readonly pointerUnits: number
}

/** What every content is larger than. */
export const NO_SIZE: ContentSize = { bytes: 0, depth: 0, nodes: 0, pointerUnits: 0 }

/**
 * The limit that a content breaks which is to take the place of one of size `before`, or null (SPEC DOC-10; bytes are
 * those of the text, or of its JSON without white space). Any depth: it keeps its own stack. The walk ends as soon as
 * the content is known to be too large.
 */
export function checkContent(
  content: Content,
  limits: ContentLimits,
  before: ContentSize = NO_SIZE,
): LimitBreach | null {
  return checkSize(measureContent(content, Math.max(limits.maxBytes, before.bytes)), limits, before)
}

/** The limit that a size is past, and further than `before` was: what leaves or lessens a breach is no breach. */
export function checkSize(size: ContentSize, limits: ContentLimits, before: ContentSize = NO_SIZE): LimitBreach | null {
  const isPast = (part: keyof ContentSize, most: number): boolean => size[part] > most && size[part] > before[part]
  if (isPast('bytes', limits.maxBytes)) {
    return { code: 'content-too-large', detail: `Content is at most ${limits.maxBytes} bytes of UTF-8.` }
  }
  if (isPast('depth', limits.maxDepth)) return tooComplex(`Content nests at most ${limits.maxDepth} levels deep.`)
  if (isPast('pointerUnits', MAX_POINTER_UNITS)) {
    return tooComplex(`The pointer to a value has at most ${MAX_POINTER_UNITS} characters.`)
  }
  return isPast('nodes', limits.maxNodes) ? tooComplex(`Content holds at most ${limits.maxNodes} values.`) : null
}

const tooComplex = (detail: string): LimitBreach => ({ code: 'content-too-complex', detail })

/** How large a content is; no further than to where it has more than `enoughBytes`. */
export const measureContent = (content: Content, enoughBytes = Number.POSITIVE_INFINITY): ContentSize =>
  typeof content === 'string' ? textSize(Buffer.byteLength(content)) : measureJson(content, enoughBytes)

export const textSize = (bytes: number): ContentSize => ({ bytes, depth: 1, nodes: 1, pointerUnits: 0 })

/** A value with the length of the pointer that leads to it. */
interface NestedPlace {
  readonly value: JsonValue
  readonly pointerUnits: number
}

/** The same of any JSON value. Walks level by level; stops once `bytes` is past `enoughBytes`. */
export function measureJson(root: JsonValue, enoughBytes = Number.POSITIVE_INFINITY): ContentSize {
  const size = { bytes: 0, depth: 0, nodes: 0, pointerUnits: 0 }
  let level: NestedPlace[] = [{ value: root, pointerUnits: 0 }]
  while (level.length > 0) {
    const next: NestedPlace[] = []
    let nested = false
    for (const place of level) {
      size.nodes += 1
      size.pointerUnits = Math.max(size.pointerUnits, place.pointerUnits)
      nested ||= typeof place.value === 'object' && place.value !== null
      size.bytes += ownBytes(place, next)
      if (size.bytes > enoughBytes) return size
    }
    if (nested) size.depth += 1
    level = next
  }
  return size
}

/** Bytes of a value without those of its children, which go to `children`. */
function ownBytes({ value, pointerUnits }: NestedPlace, children: NestedPlace[]): number {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      children.push({ value: item, pointerUnits: pointerUnits + stepUnits(index) })
    }
    return bracketBytes(value.length)
  }
  if (!isObject(value)) return scalarBytes(value)
  let bytes = 0
  let count = 0
  for (const [key, item] of Object.entries(value)) {
    bytes += memberBytes(key)
    count += 1
    children.push({ value: item, pointerUnits: pointerUnits + stepUnits(key) })
  }
  return bytes + bracketBytes(count)
}

/** Bytes of a key and its colon. */
export const memberBytes = (key: string): number => scalarBytes(key) + 1

/** Bytes of two brackets and the commas between `count` items. */
export const bracketBytes = (count: number): number => 2 + Math.max(0, count - 1)

/** Bytes of the JSON of a scalar. */
export function scalarBytes(value: string | number | boolean | null): number {
  return typeof value === 'string' ? Buffer.byteLength(JSON.stringify(value)) : JSON.stringify(value).length
}
