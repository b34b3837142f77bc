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
const isWithinWord = (text: string, at: number): boolean =>
  at > 0 && at < text.length && kindBefore(text, at) === LETTER && kindAt(text, at) === LETTER

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
