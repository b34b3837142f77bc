/** How long the beginning and the end are that two texts have in common; they do not reach into each other. */
export interface Ends {
  readonly start: number
  readonly tail: number
}

/** Lengths of the common prefix and, in what remains, of the common suffix; neither ends within a surrogate pair. */
export function commonEnds(a: string, b: string): Ends {
  const shorter = Math.min(a.length, b.length)
  let start = commonPrefix(a, b, shorter)
  if (start > 0 && isHigh(a, start - 1) && (isLow(a, start) || isLow(b, start))) start -= 1
  let tail = commonSuffix(a, b, shorter - start)
  const [aEnd, bEnd] = [a.length - tail, b.length - tail]
  if (tail > 0 && isLow(a, aEnd) && (isHigh(a, aEnd - 1) || isHigh(b, bEnd - 1))) tail -= 1
  return { start, tail }
}

/** Whole pieces are compared first, large ones before small ones: the engine does that many times faster than unit by unit. */
const PIECES_UNITS = [1_024, 64] as const

/** At most `most` long; the first `known` units are known to be the same. */
export function commonPrefix(a: string, b: string, most: number, known = 0): number {
  let length = known
  for (const units of PIECES_UNITS) {
    while (length + units <= most && goOnAlike(a, b, length, units)) length += units
  }
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length += 1
  return length
}

function commonSuffix(a: string, b: string, most: number): number {
  let length = 0
  for (const units of PIECES_UNITS) {
    while (length + units <= most && endsAlike(a, b, length, units)) length += units
  }
  while (length < most && a.charCodeAt(a.length - 1 - length) === b.charCodeAt(b.length - 1 - length)) length += 1
  return length
}

/** Whether the `units` from there on are the same in both texts. */
const goOnAlike = (a: string, b: string, at: number, units: number): boolean =>
  a.slice(at, at + units) === b.slice(at, at + units)

/** Whether the `units` before the last `tail` of both texts are the same. */
const endsAlike = (a: string, b: string, tail: number, units: number): boolean =>
  a.slice(a.length - tail - units, a.length - tail) === b.slice(b.length - tail - units, b.length - tail)

/** Whether a position lies between the two halves of a surrogate pair. */
export const isWithinPair = (text: string, at: number): boolean => isHigh(text, at - 1) && isLow(text, at)

const isHigh = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800
const isLow = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00
