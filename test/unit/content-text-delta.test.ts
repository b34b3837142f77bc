import { describe, expect, it } from 'vitest'
import { textDelta } from '../../server/content/compareText.ts'
import { applyTextDelta, composeDeltas, type TextDelta } from '../../server/content/textDelta.ts'

const changed = (delta: TextDelta): number =>
  delta.reduce<number>((sum, item) => sum + (typeof item === 'string' ? item.length : Math.max(0, -item)), 0)

describe('textDelta', () => {
  it.each<[string, string, TextDelta]>([
    ['', '', []],
    ['same', 'same', []],
    ['', 'new', ['new']],
    ['old', '', [-3]],
    ['hello', 'hello world', [5, ' world']],
    ['hello world', 'world', [-6]],
    ['hello', 'help', [3, -2, 'p']],
    ['teh', 'the', [1, -1, 1, 'e']],
    ['one\ntwo\nthree', 'one\n2\nthree', [4, -3, '2']],
    ['a\nb\nc\n', 'a\nc\n', [2, -2]],
    ['a\nb\n', 'a\nx\nb\n', [2, 'x\n']],
    ['a\r\nb', 'a\nb', [1, -1]],
    ['no final newline', 'no final newline\n', [16, '\n']],
    ['x 1 y 2 z', 'x 3 y 4 z', [2, -1, '3', 3, -1, '4']],
  ])('[DOC-8] from %j to %j', (from, to, expected) => {
    expect(textDelta(from, to)).toEqual(expected)
    expect(applyTextDelta(from, expected)).toBe(to)
  })

  it.each([
    ['😀', '😁'],
    ['😀', '🨀'],
    ['a😀b', '🨀b'],
    ['a😀b', 'a😁b'],
    ['😀😀', '😀'],
    ['😀', '😀😀'],
    ['𝒳a', '𝒴a'],
    ['👨‍👩‍👧', '👨‍👩‍👦'],
    ['x😀y😁z', 'x😁y😀z'],
    ['😀\n😁', '😁\n😀'],
  ])('[DOC-9] from %j to %j splits no surrogate pair', (from, to) => {
    const delta = textDelta(from, to)
    expect(applyTextDelta(from, delta)).toBe(to)
    let at = 0
    for (const item of delta) {
      if (typeof item === 'string') expect(item.isWellFormed()).toBe(true)
      else {
        expect(from.slice(at, at + Math.abs(item)).isWellFormed()).toBe(true)
        at += Math.abs(item)
      }
    }
  })

  it('[DOC-8] many edits far apart are many small changes', () => {
    const base = Array.from({ length: 2_000 }, (_, i) => `line ${i} with some words`)
    const to = base.map((line, i) => (i % 20 === 7 ? line.replace('some', 'other') : line))
    const delta = textDelta(base.join('\n'), to.join('\n'))
    expect(changed(delta)).toBeLessThanOrEqual(100 * 9)
    expect(applyTextDelta(base.join('\n'), delta)).toBe(to.join('\n'))
  })

  it('[DOC-8] edits at both ends of one huge line leave its middle alone', () => {
    const middle = Array.from({ length: 100_000 }, (_, i) => String(i)).join(' ')
    const delta = textDelta(`first ${middle} last`, `1st ${middle} end`)
    expect(changed(delta)).toBeLessThan(20)
    expect(applyTextDelta(`first ${middle} last`, delta)).toBe(`1st ${middle} end`)
  })

  it('[DOC-8] indenting every line keeps what stands on the lines', () => {
    const base = Array.from({ length: 3_000 }, (_, i) => `statement ${i};`).join('\n')
    const indented = base.replaceAll(/^/gm, '  ')
    const delta = textDelta(base, indented)
    expect(changed(delta)).toBe(6_000)
    expect(applyTextDelta(base, delta)).toBe(indented)
  })

  const random = (lines: number, width: number, seed: number): string => {
    let state = seed
    const letter = (): string => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
      return String.fromCharCode(97 + ((state >>> 16) % 26))
    }
    return Array.from({ length: lines }, () => Array.from({ length: width }, letter).join('')).join('\n')
  }

  // Each of them was once changed by fragments, a letter here and there: hundreds of thousands of changes of a document.
  it.each([
    [20_000, 50],
    [50_000, 19],
    [140_000, 6],
    [1_000, 1_000],
    [10, 20_000],
    [1, 200_000],
  ])('[DOC-8] unlike texts of %i lines of %i characters are replaced in a few changes', (lines, width) => {
    const [from, to] = [random(lines, width, 1), random(lines, width, 2)]
    const delta = textDelta(from, to)
    expect(delta.length).toBeLessThan(1_500)
    expect(applyTextDelta(from, delta)).toBe(to)
  })

  it('[DOC-8] a few words of a single line of 1 MB are a few changes', () => {
    const line = random(1, 1_000_000, 7)
    const to = `first${line.slice(0, 400_000)}middle${line.slice(400_000, 999_000)}last`
    const delta = textDelta(line, to)
    expect(delta.length).toBeLessThan(12)
    expect(applyTextDelta(line, delta)).toBe(to)
  })

  it('[DOC-8] long texts that share lines keep them, be it one in twenty', () => {
    const base = random(20_000, 30, 5).split('\n')
    const other = random(20_000, 30, 6).split('\n')
    const to = base.map((line, i) => (i % 20 === 0 ? line : (other[i] ?? '')))
    const delta = textDelta(base.join('\n'), to.join('\n'))
    const kept = delta.reduce<number>((sum, item) => sum + (typeof item === 'number' && item > 0 ? item : 0), 0)
    expect(kept).toBeGreaterThan(900 * 30)
    expect(applyTextDelta(base.join('\n'), delta)).toBe(to.join('\n'))
    const few = base.map((line, i) => (i % 2_000 === 7 ? `${line}!` : line))
    expect(textDelta(base.join('\n'), few.join('\n'))).toHaveLength(20)
  })

  it('[DOC-8] a line of which less than half stays, in patches, is another line; one word of it is a change', () => {
    const [before, after] = ['one stays\n', '\nanother stays']
    const delta = textDelta(`${before}${random(1, 60, 3)}${after}`, `${before}${random(1, 60, 4)}${after}`)
    expect(delta).toHaveLength(3)
    expect(textDelta('a b c d e f g h', 'a b c X e f g h')).toEqual([6, -1, 'X'])
    expect(textDelta('ab1cd2ef3gh4ij5', 'ab9cd8ef7gh6ij0')).toHaveLength(15)
  })

  it.each([
    ['all of them indented', (line: string) => `  ${line}`],
    ['every second of them changed', (line: string, index: number) => (index % 2 === 0 ? line : `${line}!`)],
  ])('[DOC-8] 30,000 lines, %s: the first thousands are changes of their own, the rest is one', (_name, change) => {
    const base = Array.from({ length: 30_000 }, (_, i) => `line ${i}`)
    const [from, to] = [base.join('\n'), base.map(change).join('\n')]
    const delta = textDelta(from, to)
    expect(delta.length).toBeGreaterThan(2_000)
    expect(delta.length).toBeLessThan(20_000)
    expect(applyTextDelta(from, delta)).toBe(to)
  })

  it('[DOC-8] unlike texts past every limit are still turned into each other exactly, and always alike', () => {
    const unlike = (seed: number): string =>
      Array.from(
        { length: 60_000 },
        (_, i) => 'abcdefgh😀\n'.at(((i * 7919 + seed * 104_729) ^ (i >> 3)) % 10) ?? '',
      ).join('')
    const [from, to] = [unlike(1).toWellFormed(), unlike(2).toWellFormed()]
    const delta = textDelta(from, to)
    expect(applyTextDelta(from, delta)).toBe(to)
    expect(textDelta(from, to)).toEqual(delta)
  })
})

describe('applyTextDelta', () => {
  it('throws past the end', () => {
    expect(() => applyTextDelta('abc', [4])).toThrow(RangeError)
    expect(() => applyTextDelta('abc', [2, -2])).toThrow(RangeError)
    expect(applyTextDelta('abc', [3, 'd'])).toBe('abcd')
  })
})

describe('composeDeltas', () => {
  it.each<[TextDelta, TextDelta, TextDelta]>([
    [[], [], []],
    [['ab'], [-2], []],
    [['ab'], [1, 'x'], ['axb']],
    [
      [2, 'xy'],
      [1, -2],
      [1, -1, 'y'],
    ],
    [[-2], ['z'], [-2, 'z']],
    [
      [5, 'a'],
      [6, 'b'],
      [5, 'ab'],
    ],
    [
      [1, -1, 'b'],
      [1, -1, 'c'],
      [1, -1, 'c'],
    ],
    [
      [3, -1],
      [1, -1],
      [1, -1, 1, -1],
    ],
  ])('%j then %j is %j', (first, second, expected) => {
    expect(composeDeltas(first, second)).toEqual(expected)
  })
})
