import { ParleyError } from '../foundation/problems.ts'

/** A document has some dozens of levels at the most; what is deeper than this is refused before it is looked at. */
const MAX_LEVELS = 25_000

/**
 * Throws `content-too-complex` where JSON, as it came, holds more values or is deeper than any that is taken (SPEC OPS-8):
 * 60 MiB hold thirty million, which take seconds to be made and looked at in one piece, and come in 60 KB of gzip. A pass
 * over the bytes that stops there. Whether it is JSON at all is for the parser to say.
 */
export function assertModest(json: Uint8Array, maxValues: number): void {
  // Each value and each level is a byte at least.
  if (json.length <= MAX_LEVELS) return
  let values = 1
  let levels = 0
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (byte === QUOTE) at = endOfString(json, at)
    else if (byte === COMMA) values += 1
    else if (byte === BRACKET || byte === BRACE) {
      values += 1
      levels += 1
      if (levels > MAX_LEVELS) throw tooComplex(`is deeper than ${MAX_LEVELS} levels`)
    } else if (byte === BRACKET_END || byte === BRACE_END) levels -= 1
    if (values > maxValues)
      throw tooComplex(`holds more than ${maxValues} values; a transaction may come in several requests`)
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const BRACKET = 0x5b
const BACKSLASH = 0x5c
const BRACKET_END = 0x5d
const BRACE = 0x7b
const BRACE_END = 0x7d

function endOfString(json: Uint8Array, start: number): number {
  let at = start + 1
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1
  return at
}

const tooComplex = (why: string): ParleyError => new ParleyError('content-too-complex', `The body ${why}.`)
