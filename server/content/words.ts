import { shortestEdits, type Matching, type Work } from './shortestEdits.ts'

/**
 * The words that two texts have in common by a shortest edit script of words and signs, in UTF-16 units. Of signs only those
 * beside such a word are in it, and of blanks only those after it where something was replaced before it.
 */
export function commonWords(from: string, to: string, maxEdits: number, work: Work): Matching {
  const [base, side] = [wordsOf(from), wordsOf(to)]
  if (Math.abs(base.numbers.length - side.numbers.length) > maxEdits) return { blocks: [], complete: false }
  const { blocks, complete } = shortestEdits(base.numbers, side.numbers, maxEdits, work)
  const common: WordBlock[] = []
  let [fromAt, toAt] = [0, 0]
  for (const block of blocks) {
    const end = startOf(base, block.base + block.length)
    let [start, instead] = [startOf(base, block.base), startOf(side, block.side)]
    if (start > fromAt && instead > toAt)
      while (start < end && isBlank(from, start)) [start, instead] = [start + 1, instead + 1]
    const kept = from.slice(start, end)
    // Two words may have one number.
    if (!hasWord(base, block) || kept !== to.slice(instead, instead + kept.length)) continue
    common.push({ base: start, side: instead, length: kept.length })
    fromAt = end
    toAt = instead + kept.length
  }
  return { blocks: common, complete }
}

type WordBlock = Matching['blocks'][number]

/** The words of a text and the signs between them. */
interface Words {
  /** A number for each, as in `eachWord`. */
  readonly numbers: Int32Array
  /** Where each begins, and after the last where the text ends. */
  readonly starts: Int32Array
  /** 1 for a word, 0 for a sign. */
  readonly isWord: Uint8Array
}

function wordsOf(text: string): Words {
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
  return { numbers: numbers.subarray(0, count), starts, isWord }
}

const startOf = ({ starts }: Words, token: number): number => starts[token] ?? 0

const hasWord = ({ isWord }: Words, { base, length }: WordBlock): boolean =>
  isWord.subarray(base, base + length).includes(1)

const isBlank = (text: string, at: number): boolean => text[at]?.trim() === ''

/**
 * The whole words within these units of a text, each with a number, which is the same where the words are the same and hardly
 * ever where not, and its length. A word is a run of letters, digits and marks; of Chinese and Japanese, which put no spaces
 * between words, every character is one.
 */
export function eachWord(
  text: string,
  start: number,
  end: number,
  take: (number: number, units: number) => void,
): void {
  let at = isWithinWord(text, start) ? wordEnd(text, start) : start
  while (at < end) {
    if (kindAt(text, at) === SIGN) {
      at += unitsAt(text, at)
      continue
    }
    const next = tokenEnd(text, at)
    if (next <= end) take(hashOf(text, at, next), next - at)
    at = next
  }
}

/** Whether a word goes on from the unit before `at` to the one at it. */
export const isWithinWord = (text: string, at: number): boolean =>
  at > 0 && at < text.length && kindBefore(text, at) === LETTER && kindAt(text, at) === LETTER

/** Whether a text that is not empty is one word or one sign. */
export const isOneToken = (text: string): boolean => tokenEnd(text, 0) === text.length

function tokenEnd(text: string, at: number): number {
  return kindAt(text, at) === LETTER ? wordEnd(text, at) : at + unitsAt(text, at)
}

function wordEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && kindAt(text, end) === LETTER) end += unitsAt(text, end)
  return end
}

/** The first half of a surrogate pair stands for all of it. */
const unitsAt = (text: string, at: number): number =>
  (text.charCodeAt(at) & 0xfc00) === 0xd800 && at + 1 < text.length ? 2 : 1

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
  const unit = text.charCodeAt(at)
  if ((unit & 0xfc00) === 0xd800) return foundKind(text.codePointAt(at) ?? unit)
  const known = kinds[unit]
  if (known === SIGN || known === LETTER || known === WORD) return known
  const found = foundKind(unit)
  kinds[unit] = found
  return found
}

const kindBefore = (text: string, at: number): KindOfPoint =>
  kindAt(text, at > 1 && (text.charCodeAt(at - 1) & 0xfc00) === 0xdc00 ? at - 2 : at - 1)

const IDEOGRAPH = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/u
const OF_A_WORD = /[\p{L}\p{N}\p{M}_]/u

function foundKind(point: number): KindOfPoint {
  const character = String.fromCodePoint(point)
  if (!OF_A_WORD.test(character)) return SIGN
  return IDEOGRAPH.test(character) ? WORD : LETTER
}
