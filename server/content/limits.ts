import { isObject, type Content, type JsonValue } from './content.ts'

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

/**
 * The limit a content breaks, or null (SPEC DOC-10; bytes are those of the text, or of its JSON without white
 * space). Any depth: it keeps its own stack. The walk ends as soon as the content is known to be too large.
 */
export function checkContent(content: Content, limits: ContentLimits): LimitBreach | null {
  if (typeof content === 'string') return Buffer.byteLength(content) > limits.maxBytes ? tooLarge(limits) : null
  const size = measure(content, limits.maxBytes)
  if (size.bytes > limits.maxBytes) return tooLarge(limits)
  if (size.depth > limits.maxDepth) {
    return { code: 'content-too-complex', detail: `Content nests at most ${limits.maxDepth} levels deep.` }
  }
  if (size.pointerUnits > MAX_POINTER_UNITS) {
    const detail = `The keys on the way to a value are at most ${MAX_POINTER_UNITS} characters long together.`
    return { code: 'content-too-complex', detail }
  }
  if (size.nodes > limits.maxNodes) {
    return { code: 'content-too-complex', detail: `Content holds at most ${limits.maxNodes} values.` }
  }
  return null
}

/** How large a content is, in what the limits count. */
export function measureContent(content: Content): { bytes: number; depth: number; nodes: number } {
  if (typeof content === 'string') return { bytes: Buffer.byteLength(content), depth: 1, nodes: 1 }
  return measure(content, Number.POSITIVE_INFINITY)
}

const tooLarge = (limits: ContentLimits): LimitBreach => ({
  code: 'content-too-large',
  detail: `Content is at most ${limits.maxBytes} bytes of UTF-8.`,
})

interface Size {
  bytes: number
  depth: number
  nodes: number
  pointerUnits: number
}

/** A value with the length of the pointer that leads to it. */
interface Place {
  readonly value: JsonValue
  readonly pointerUnits: number
}

/** Walks level by level; stops once `bytes` is past `enoughBytes`. */
function measure(root: JsonValue, enoughBytes: number): Size {
  const size: Size = { bytes: 0, depth: 0, nodes: 0, pointerUnits: 0 }
  let level: Place[] = [{ value: root, pointerUnits: 0 }]
  while (level.length > 0) {
    const next: Place[] = []
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
function ownBytes({ value, pointerUnits }: Place, children: Place[]): number {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      children.push({ value: item, pointerUnits: pointerUnits + 1 + String(index).length })
    }
    return bracketBytes(value.length)
  }
  if (!isObject(value)) return scalarBytes(value)
  let bytes = 0
  let count = 0
  for (const [key, item] of Object.entries(value)) {
    bytes += scalarBytes(key) + 1
    count += 1
    children.push({ value: item, pointerUnits: pointerUnits + 1 + key.length })
  }
  return bytes + bracketBytes(count)
}

/** Bytes of two brackets and the commas between `count` items. */
export const bracketBytes = (count: number): number => 2 + Math.max(0, count - 1)

/** Bytes of the JSON of a scalar. */
export function scalarBytes(value: string | number | boolean | null): number {
  return typeof value === 'string' ? Buffer.byteLength(JSON.stringify(value)) : JSON.stringify(value).length
}
