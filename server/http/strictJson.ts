import { isUtf8 } from 'node:buffer'
import type { JsonObject, JsonValue } from '../content/content.ts'
import { ParleyError } from '../foundation/problems.ts'

/**
 * Parses JSON (RFC 8259) as strictly as SPEC "Terms" asks: refuses invalid UTF-8, a byte order mark, duplicate
 * keys at any depth (also those equal only after unescaping), lone surrogates, numbers that a double does not
 * stand for, and `__proto__` as a key. `constructor` and `prototype` are ordinary keys. Any depth is survived; limits on
 * depth and nodes are judged later, by those who know the document.
 *
 * Linear in the size of the body. Throws `ParleyError('invalid-json')`.
 */
export function parseStrictJson(bytes: Uint8Array): JsonValue {
  if (!isUtf8(bytes)) throw refused('is not valid UTF-8')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) throw refused('begins with a byte order mark')
  const value = parseNative(text)
  const members = countMembersStrictly(value, mayHoldLoneSurrogates(text))
  // A repeated key is written twice and kept once, so the text then names more keys than the result has members.
  if (members !== countKeys(text)) throw refused('holds a key twice in the same object')
  checkNumbers(text)
  return value
}

const BYTE_ORDER_MARK = 0xfeff

function refused(why: string): ParleyError {
  return new ParleyError('invalid-json', `The JSON ${why}.`)
}

/** JSON.parse judges the grammar and makes the values; it answers plain data, whose type `JsonValue` describes. */
function parseNative(text: string): JsonValue {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON.parse makes is JSON by definition
    return JSON.parse(text) as JsonValue
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'unknown'
    throw refused(`is malformed: ${reason}`)
  }
}

/** Valid UTF-8 holds no surrogates, so a lone one can only have come through an escape of one. */
const mayHoldLoneSurrogates = (text: string): boolean => /\\u[dD][89a-fA-F]/.test(text)

const LONE_SURROGATE = /\p{Surrogate}/u

/** Visits every value without recursion and answers how many object members there are. */
function countMembersStrictly(root: JsonValue, checkSurrogates: boolean): number {
  let members = 0
  // The root stands in a list, so that scalars are met in one place; only containers wait.
  const pending: (JsonObject | JsonValue[])[] = [[root]]
  for (let container = pending.pop(); container !== undefined; container = pending.pop()) {
    if (!Array.isArray(container)) members += checkKeys(container, checkSurrogates)
    for (const value of Array.isArray(container) ? container : Object.values(container)) {
      if (typeof value === 'object' && value !== null) pending.push(value)
      else checkScalar(value, checkSurrogates)
    }
  }
  return members
}

/** Answers how many keys there are. */
function checkKeys(object: JsonObject, checkSurrogates: boolean): number {
  const keys = Object.keys(object)
  for (const key of keys) {
    if (key === '__proto__') throw refused('holds `__proto__` as a key')
    if (checkSurrogates && LONE_SURROGATE.test(key)) throw refused('holds a lone surrogate in a key')
  }
  return keys.length
}

function checkScalar(value: JsonValue, checkSurrogates: boolean): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refused('holds a number beyond IEEE double range')
  } else if (checkSurrogates && typeof value === 'string' && LONE_SURROGATE.test(value)) {
    throw refused('holds a lone surrogate')
  }
}

const BACKSLASH = 0x5c
const COLON = 0x3a
const SPACE = 0x20

/** Counts the keys in a text that is known to be JSON: the strings that a colon follows. */
function countKeys(text: string): number {
  let keys = 0
  for (let open = text.indexOf('"'); open !== -1;) {
    let next = endOfString(text, open) + 1
    while (text.charCodeAt(next) <= SPACE) next += 1
    if (text.charCodeAt(next) === COLON) keys += 1
    open = text.indexOf('"', next)
  }
  return keys
}

/** Index of the quote that closes the string opened at `open`: the first with an even number of backslashes before it. */
function endOfString(text: string, open: number): number {
  for (let quote = text.indexOf('"', open + 1); ; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return quote
  }
}

/** Only such a number can be an integer that no double is, or become zero: the smallest double is 5e-324. */
const MAY_BE_INEXACT = /(?<![.\d])\d{16,}(?![.\deE])|0{200}|[eE]-\d{3}/
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Judges the numbers as they are written, because their values no longer tell what was lost. The text is known to be JSON. */
function checkNumbers(text: string): void {
  if (!MAY_BE_INEXACT.test(text)) return
  for (let start = 0; start < text.length;) {
    const quote = text.indexOf('"', start)
    const end = quote === -1 ? text.length : quote
    checkNumbersBetween(text, start, end)
    start = quote === -1 ? end : endOfString(text, quote) + 1
  }
}

/** The same for a stretch of the text without strings. */
function checkNumbersBetween(text: string, start: number, end: number): void {
  const stretch = text.slice(start, end)
  if (!MAY_BE_INEXACT.test(stretch)) return
  for (const { 0: written, index } of stretch.matchAll(NUMBER)) {
    const loss = lossOf(written)
    if (loss === null) continue
    const pointer = shown(pointerAt(text, start + index))
    throw new ParleyError('invalid-json', `The number ${shown(written)} at "${pointer}" ${loss}.`, {
      extras: { pointer },
    })
  }
}

/**
 * What a number loses as a double, or null. Fractions are rounded, which everybody expects of them. An integer must be
 * a double, or the shortest form of one: so `JSON.stringify` writes it, and what was read can be sent back.
 */
function lossOf(written: string): string | null {
  const value = Number(written)
  if (value === 0) return /^[^eE]*[1-9]/.test(written) ? 'is so small that it would become zero' : null
  if (!/^-?\d{16,}$/.test(written) || String(value) === written || BigInt(value) === BigInt(written)) return null
  return 'is an integer that no IEEE double is'
}

/** A longer number or pointer is cut where it is shown. */
const MAX_SHOWN_CHARACTERS = 200

const shown = (text: string): string =>
  text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text

/** The JSON Pointer of the value that begins at `index`. The text is known to be JSON. */
function pointerAt(text: string, index: number): string {
  const path: (string | number)[] = []
  for (let at = 0; at < index; at += 1) {
    const character = text[at]
    const step = path.at(-1)
    if (character === '"') {
      const end = endOfString(text, at)
      // Of the strings of an object the last before a value is its key.
      if (typeof step === 'string') path[path.length - 1] = String(JSON.parse(text.slice(at, end + 1)))
      at = end
    } else if (character === '[') path.push(0)
    else if (character === '{') path.push('')
    else if (character === ']' || character === '}') path.pop()
    else if (character === ',' && typeof step === 'number') path[path.length - 1] = step + 1
  }
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
