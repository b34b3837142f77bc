import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import type { JsonValue, Kind } from '../../content/content.ts'
import {
  bracketBytes,
  measureJson,
  memberBytes,
  scalarBytes,
  type ContentLimits,
  type ContentSize,
} from '../../content/limits.ts'

/** Inserting between the halves of a surrogate pair, or deleting one, turns 4 bytes into at most so many. */
const TORN_PAIR_BYTES = 12
const COMMA_BYTES = 1

/** By how much an update makes larger what a document must keep: at most, for what it deletes is not counted. */
export class Growth {
  #bytes = 0
  #nodes = 0
  #depth = 0
  #pointerUnits = 0
  #asideBytes = 0
  /** Whether indices of elements that are there may become longer. */
  shiftsElements = false

  /** Encoded bytes of what is no part of the content: other roots, and what is embedded in a text. */
  get asideBytes(): number {
    return this.#asideBytes
  }

  addText(text: string, kind: Kind): void {
    this.#bytes += (kind === 'text' ? Buffer.byteLength(text) : scalarBytes(text)) + TORN_PAIR_BYTES
  }

  addDelete(): void {
    this.#bytes += TORN_PAIR_BYTES
  }

  addKey(key: string): void {
    this.#bytes += memberBytes(key)
  }

  addType(shape: 'text' | 'map' | 'array' | 'any', depthAround: number, pointerUnits: number): void {
    this.#add(
      { bytes: bracketBytes(0), nodes: 1, depth: shape === 'text' ? 0 : 1, pointerUnits: 0 },
      depthAround,
      pointerUnits,
    )
  }

  addValue(value: JsonValue, depthAround: number, pointerUnits: number): void {
    this.#add(measureJson(value), depthAround, pointerUnits)
  }

  addAside(item: Y.Item): void {
    this.#asideBytes += encodedBytes(item)
  }

  #add(size: ContentSize, depthAround: number, pointerUnits: number): void {
    this.#bytes += size.bytes + COMMA_BYTES
    this.#nodes += size.nodes
    this.#depth = Math.max(this.#depth, depthAround + size.depth)
    this.#pointerUnits = Math.max(this.#pointerUnits, pointerUnits + size.pointerUnits)
  }

  /** What a content of this size grows to at most. */
  from(size: ContentSize, { maxDepth, maxNodes }: ContentLimits): ContentSize {
    const shifted = this.shiftsElements ? maxDepth * String(maxNodes).length : 0
    return {
      bytes: size.bytes + this.#bytes,
      nodes: size.nodes + this.#nodes,
      depth: Math.max(size.depth, this.#depth),
      pointerUnits: Math.max(size.pointerUnits + shifted, this.#pointerUnits),
    }
  }
}

export function encodedBytes(item: Y.Item): number {
  const encoder = new Y.UpdateEncoderV1()
  item.write(encoder, 0)
  return encoding.length(encoder.restEncoder)
}
