import { shortestEdits, type Work } from './shortestEdits.ts'

/**
 * Texts as people read them: words, and each sign between them. A word is a run of letters, digits and marks; of Chinese and
 * Japanese, which put no spaces between words, every character is one.
 */
export interface Words {
  readonly count: number
  /** A number for each, the same where the words are the same, and hardly ever where not. */
  readonly numbers: Int32Array
  /** Where each begins in the text, in UTF-16 units, and after the last where the text ends. */
  readonly starts: Int32Array
  /** 1 for a word, 0 for a sign. */
  readonly isWord: Uint8Array
}

/** A stretch of words that two texts have in common, in UTF-16 units. */
export interface CommonWords {
  readonly base: number
  readonly side: number
  readonly length: number
  /** Units of it that belong to words rather than to signs. */
  readonly wordUnits: number
}

export function wordsOf(text: string): Words {
  const numbers = new Int32Array(text.length)
  const starts = new Int32Array(text.length + 1)
  const isWord = new Uint8Array(text.length)
  let count = 0
  for (let at = 0; at < text.length;) {
    const end = tokenEnd(text, at)
    isWord[count] = kindAt(text, at) === SIGN ? 0 : 1
    numbers[count] = hashOf(text, at, end)
    count += 1
    starts[count] = end
    at = end
  }
  return { count, numbers: numbers.subarray(0, count), starts, isWord }
}

/** The words that two texts have in common by a shortest edit script, in order; signs only beside such a word. */
export function commonWords(
  from: string,
  to: string,
  maxEdits: number,
  work: Work,
): { blocks: CommonWords[]; complete: boolean } {
  const [base, side] = [wordsOf(from), wordsOf(to)]
  const { blocks, complete } = shortestEdits(base.numbers, side.numbers, maxEdits, work)
  const common: CommonWords[] = []
  for (const block of blocks) {
    const [start, end] = [startOf(base, block.base), startOf(base, block.base + block.length)]
    const sideStart = startOf(side, block.side)
    let wordUnits = 0
    for (let token = block.base; token < block.base + block.length; token += 1) {
      if (base.isWord[token] === 1) wordUnits += startOf(base, token + 1) - startOf(base, token)
    }
    // Two words may have one number.
    if (wordUnits === 0 || from.slice(start, end) !== to.slice(sideStart, sideStart + end - start)) continue
    common.push({ base: start, side: sideStart, length: end - start, wordUnits })
  }
  return { blocks: common, complete }
}

/** Whether a word goes on from the unit before `at` to the one at it. */
export const isWithinWord = (text: string, at: number): boolean =>
  at > 0 && at < text.length && kindBefore(text, at) === LETTER && kindAt(text, at) === LETTER

const startOf = ({ starts }: Words, token: number): number => starts[token] ?? 0

function tokenEnd(text: string, at: number): number {
  const kind = kindAt(text, at)
  let end = at + unitsAt(text, at)
  if (kind === LETTER) while (end < text.length && kindAt(text, end) === LETTER) end += unitsAt(text, end)
  return end
}

const unitsAt = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)

function hashOf(text: string, start: number, end: number): number {
  let hash = end - start
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x9e37_79b1) + 1
  return hash ^ (hash >>> 15)
}

/** What a code point is: unknown yet, a sign, a part of a word, or a word by itself. */
const SIGN = 1
const LETTER = 2
const WORD = 3
type KindOfPoint = typeof SIGN | typeof LETTER | typeof WORD

/** By code unit, filled as they are met: to ask for the properties of a character takes 30 times as long. */
const kinds = new Uint8Array(0x1_0000)

function kindAt(text: string, at: number): KindOfPoint {
  return kindOf(text.codePointAt(at) ?? 0)
}

function kindBefore(text: string, at: number): KindOfPoint {
  const isPair = at > 1 && (text.codePointAt(at - 2) ?? 0) > 0xffff
  return kindAt(text, isPair ? at - 2 : at - 1)
}

function kindOf(point: number): KindOfPoint {
  if (point > 0xffff) return foundKind(point)
  const known = kinds[point]
  if (known === SIGN || known === LETTER || known === WORD) return known
  const found = foundKind(point)
  kinds[point] = found
  return found
}

const IDEOGRAPH = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/u
const OF_A_WORD = /[\p{L}\p{N}\p{M}_]/u

function foundKind(point: number): KindOfPoint {
  const character = String.fromCodePoint(point)
  if (!OF_A_WORD.test(character)) return SIGN
  return IDEOGRAPH.test(character) ? WORD : LETTER
}
