import { describe, expect, it } from 'vitest'
import { applyTextDelta, composeDeltas, textDelta, type TextDelta } from '../../server/content/textDelta.ts'

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
