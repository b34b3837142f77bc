import * as Y from 'yjs'
import { isWithinPair } from './commonEnds.ts'
import type { TextDelta } from './textDelta.ts'

/** A longer insertion is written in pieces of so many UTF-16 units, so that a first sync can be cut (SPEC SYNC-9). */
const MAX_PIECE_UNITS = 128 * 1024

/** The plain text of a shared text: without formatting, embeds and whatever else may lie in it. */
export function readText(type: Y.Text): string {
  return type.toString()
}

/**
 * Applies a delta, whose units are those of `readText`. Embeds stay where they are, also within a deleted
 * passage. Inserted text takes the formatting of its place, as typing does.
 */
export function writeText(type: Y.Text, delta: TextDelta): void {
  const place = new TextPlace(type)
  for (const item of delta) {
    if (typeof item === 'string') {
      insertInPieces(type, place.index, item)
      place.index += item.length
    } else {
      for (let left = Math.abs(item); left > 0;) {
        const units = Math.min(left, place.unitsToEmbed())
        if (item < 0) type.delete(place.index, units)
        place.pass(units, item > 0)
        left -= units
      }
    }
  }
}

/** A place in a shared text, which counts embeds in its indices where the plain text does not. */
class TextPlace {
  /** Index in the shared text as it is by now. */
  index = 0
  /** The same in the plain text as it was at first. */
  #unit = 0
  readonly #embeds: readonly Embed[]
  #nextEmbed = 0

  constructor(type: Y.Text) {
    this.#embeds = embedsOf(type)
  }

  /** Plain text from here up to the next embed; embeds right here are stepped over first. */
  unitsToEmbed(): number {
    for (let embed = this.#embeds[this.#nextEmbed]; embed?.unit === this.#unit; embed = this.#embeds[this.#nextEmbed]) {
      this.index += embed.length
      this.#nextEmbed += 1
    }
    return (this.#embeds[this.#nextEmbed]?.unit ?? Number.POSITIVE_INFINITY) - this.#unit
  }

  pass(units: number, kept: boolean): void {
    this.#unit += units
    if (kept) this.index += units
  }
}

interface Embed {
  /** Units of plain text before it. */
  readonly unit: number
  /** How many indices of the shared text it takes. */
  readonly length: number
}

function embedsOf(type: Y.Text): Embed[] {
  const embeds: Embed[] = []
  let unit = 0
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    if (item.content instanceof Y.ContentString) unit += item.length
    else embeds.push({ unit, length: item.length })
  }
  return embeds
}

/** The last piece first: pieces written in reading order would be joined to one again by Yjs. */
function insertInPieces(type: Y.Text, index: number, text: string): void {
  let end = text.length
  while (end > MAX_PIECE_UNITS) {
    const start = end - MAX_PIECE_UNITS + (isWithinPair(text, end - MAX_PIECE_UNITS) ? 1 : 0)
    type.insert(index, text.slice(start, end))
    end = start
  }
  type.insert(index, text.slice(0, end))
}
