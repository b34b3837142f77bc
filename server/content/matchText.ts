import { commonEnds, isWithinPair, type Ends } from './commonEnds.ts'
import { shortestEdits, type Matching, type Work } from './shortestEdits.ts'
import { commonWords, isOneToken, isWithinWord } from './words.ts'

/** A changed run of lines is compared character by character, or word by word, up to so many deletions and insertions. */
const MAX_EDITS = 1_000

/** What it costs besides, in comparisons, to begin a script, and to find the words of a text for each of its units. */
const SCRIPT_WORK = 2_500
const WORDS_WORK = 4

/** Longer words stay in part. */
const MAX_WORD_UNITS = 64

/** What stays in more pieces, and is less than half, stays by chance: every fourth letter of two unlike lines. */
const MAX_PATCHES = 4

/** What stays of a text, in UTF-16 units: common prefix and suffix first, then a shortest edit script of characters. */
export function matchCharacters(from: string, to: string, work: Work): Matching {
  return matchBetween(from, to, commonEnds(from, to), work, charactersInCommon)
}

/** The same by words: no part of a word stays, and of signs only what stands beside a word that does. */
export function matchWords(from: string, to: string, work: Work): Matching {
  return matchBetween(from, to, wholeWords(from, to, commonEnds(from, to)), work, wordsInCommon)
}

/** What lies between common ends, compared by `match` as long as there is work left. */
function matchBetween(
  from: string,
  to: string,
  { start, tail }: Ends,
  work: Work,
  match: (from: string, to: string, work: Work) => Matching,
): Matching {
  const prefix = { base: 0, side: 0, length: start }
  const suffix = { base: from.length - tail, side: to.length - tail, length: tail }
  const [fromMiddle, toMiddle] = [from.slice(start, suffix.base), to.slice(start, suffix.side)]
  if (fromMiddle === '' || toMiddle === '') return { blocks: [prefix, suffix], complete: true }
  if (work.left <= 0) return { blocks: [prefix, suffix], complete: false }
  const { blocks, complete } = match(fromMiddle, toMiddle, work)
  const inner = blocks.map(({ base, side, length }) => ({ base: start + base, side: start + side, length }))
  return { blocks: [prefix, ...inner, suffix], complete }
}

function wordsInCommon(fromMiddle: string, toMiddle: string, work: Work): Matching {
  if (!paysFor(WORDS_WORK * (fromMiddle.length + toMiddle.length), work)) return { blocks: [], complete: false }
  // One word for another, as most writes of programs are.
  if (isOneToken(fromMiddle) && isOneToken(toMiddle)) return { blocks: [], complete: true }
  const { blocks, complete } = commonWords(fromMiddle, toMiddle, MAX_EDITS, work)
  return { blocks: isPatchwork(blocks, Math.max(fromMiddle.length, toMiddle.length)) ? [] : blocks, complete }
}

/** Takes what it costs to begin a script; whether there is work left for it. */
function paysFor(reading: number, work: Work): boolean {
  work.left -= SCRIPT_WORK + reading
  return work.left > 0
}

function charactersInCommon(fromMiddle: string, toMiddle: string, work: Work): Matching {
  // So much longer or shorter it cannot be within the limit.
  if (Math.abs(fromMiddle.length - toMiddle.length) > 2 * MAX_EDITS) return { blocks: [], complete: false }
  if (!paysFor(fromMiddle.length + toMiddle.length, work)) return { blocks: [], complete: false }
  const base = characters(fromMiddle)
  const side = characters(toMiddle)
  const { blocks, complete } = shortestEdits(base.points, side.points, MAX_EDITS, work)
  if (isPatchwork(blocks, Math.max(base.points.length, side.points.length))) return { blocks: [], complete }
  const inUnits = blocks.map((block) => {
    const at = base.startOf(block.base)
    return { base: at, side: side.startOf(block.side), length: base.startOf(block.base + block.length) - at }
  })
  return { blocks: inUnits, complete }
}

/** Common ends without the parts of words at them. A word of more units than these is no word that somebody wrote. */
function wholeWords(from: string, to: string, { start, tail }: Ends): Ends {
  const isCut = (fromAt: number, toAt: number): boolean =>
    isWithinWord(from, fromAt) || isWithinWord(to, toAt) || isWithinPair(from, fromAt) || isWithinPair(to, toAt)
  let [before, after] = [start, tail]
  while (before > 0 && start - before < MAX_WORD_UNITS && isCut(before, before)) before -= 1
  while (after > 0 && tail - after < MAX_WORD_UNITS && isCut(from.length - after, to.length - after)) after -= 1
  return {
    start: start - before < MAX_WORD_UNITS ? before : start,
    tail: tail - after < MAX_WORD_UNITS ? after : tail,
  }
}

/** Whether what stays of a text of that length stays by chance. */
function isPatchwork(blocks: Matching['blocks'], length: number): boolean {
  return blocks.length > MAX_PATCHES && 2 * keptUnits({ blocks }) < length
}

export const keptUnits = ({ blocks }: Pick<Matching, 'blocks'>): number =>
  blocks.reduce((sum, block) => sum + block.length, 0)

interface Characters {
  readonly points: Int32Array
  /** Where a code point begins in the text, in UTF-16 units; for one past the last, the end of the text. */
  startOf(point: number): number
}

const SURROGATE = /[\ud800-\udfff]/

/** The code points of a text. Where there are no surrogates units are code points, and are taken as a block. */
function characters(text: string): Characters {
  if (!SURROGATE.test(text)) {
    const bytes = Buffer.from(text, 'utf16le')
    const units = new Uint16Array(bytes.buffer, bytes.byteOffset, text.length)
    return { points: new Int32Array(units), startOf: (point) => point }
  }
  const points = new Int32Array(text.length)
  const starts = new Int32Array(text.length + 1)
  let count = 0
  for (let at = 0; at < text.length; count += 1) {
    const point = text.codePointAt(at) ?? 0
    points[count] = point
    at += point > 0xffff ? 2 : 1
    starts[count + 1] = at
  }
  return { points: points.subarray(0, count), startOf: (point) => starts[point] ?? 0 }
}
