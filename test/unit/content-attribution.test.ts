import { describe, expect, it } from 'vitest'
import { attributeLines, attributePointers, type AttributedEffect } from '../../server/content/attribution.ts'
import type { Content, JsonObject, Range } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { textDelta } from '../../server/content/compareText.ts'

/** The effects that lead from content to content, each by its author. */
function historyOf(base: Content, steps: [author: string, content: Content][]): AttributedEffect[] {
  let before = base
  return steps.map(([author, content], index) => {
    const effect = effectBetween(before, content)
    before = content
    return { version: index + 2, author, at: index, effect }
  })
}

const line = (number: number): Range => ({ start: number, end: number + 1 })
const place = (number: number): Range => ({ start: number, end: number })

describe('attributeLines', () => {
  const authors = (base: string, steps: [string, string][], ...ranges: Range[]): string[][] =>
    attributeLines(base, historyOf(base, steps), ranges)

  it('[CONF-2] a line belongs to all who changed it, first come first', () => {
    const steps: [string, string][] = [
      ['ann', 'one\ntwo!\nthree'],
      ['bob', 'one\ntwo!?\nthree'],
      ['cat', 'ONE\ntwo!?\nthree'],
      ['ann', 'ONE\ntwo!?.\nthree'],
    ]
    expect(authors('one\ntwo\nthree', steps, line(1), line(2), line(3), { start: 1, end: 4 })).toEqual([
      ['cat'],
      ['ann', 'bob'],
      [],
      ['ann', 'bob', 'cat'],
    ])
  })

  it('follows lines that move', () => {
    const steps: [string, string][] = [
      ['ann', 'a\nB\nc'],
      ['bob', 'new\nlines\na\nB\nc'],
      ['cat', 'new\na\nB\nc'],
    ]
    expect(authors('a\nb\nc', steps, line(1), line(2), line(3), line(4))).toEqual([
      ['bob', 'cat'],
      ['bob', 'cat'],
      ['ann'],
      [],
    ])
  })

  it('who deleted lines is told at their place and at the lines beside it', () => {
    const steps: [string, string][] = [['ann', 'a\nd\ne']]
    expect(authors('a\nb\nc\nd\ne', steps, place(2), line(1), line(2), line(3), place(1), place(3))).toEqual([
      ['ann'],
      ['ann'],
      ['ann'],
      [],
      [],
      [],
    ])
  })

  it('who changed a line that is gone by now is told at its place too', () => {
    const steps: [string, string][] = [
      ['ann', 'a\nB\nc'],
      ['bob', 'a\nc'],
    ]
    expect(authors('a\nb\nc', steps, place(2))).toEqual([['ann', 'bob']])
  })

  it('the last line may go, and lines may come after it', () => {
    expect(authors('a\nb', [['ann', 'a']], place(2), line(1))).toEqual([['ann'], ['ann']])
    expect(authors('a\nb', [['ann', 'a\nb\nc']], line(2), line(3))).toEqual([[], ['ann']])
    expect(authors('a\nb', [['ann', 'a\nb\n']], line(2), line(3))).toEqual([[], ['ann']])
    expect(authors('', [['ann', 'a']], line(1))).toEqual([['ann']])
  })

  it('a line that is cut in two belongs on both halves to who touched it and who cut it', () => {
    const steps: [string, string][] = [
      ['ann', 'hello, world'],
      ['bob', 'hello,\n world'],
      ['cat', 'hello, world'],
    ]
    expect(authors('hello world', steps.slice(0, 2), line(1), line(2))).toEqual([
      ['ann', 'bob'],
      ['ann', 'bob'],
    ])
    expect(authors('hello world', steps, line(1))).toEqual([['ann', 'bob', 'cat']])
  })

  it('settings and formatting touch nothing', () => {
    expect(attributeLines('a', [{ version: 2, author: 'ann', at: 0, effect: null }], [line(1)])).toEqual([[]])
  })

  it('agrees with going through every text, for many effects', () => {
    let text = Array.from({ length: 300 }, (_, i) => `line ${i}`).join('\n')
    const base = text
    const effects: AttributedEffect[] = []
    for (let i = 0; i < 2_000; i += 1) {
      const at = (i * 7_919) % text.length
      const next =
        i % 5 === 0
          ? text.slice(0, at) + text.slice(at + 3)
          : `${text.slice(0, at)}${i % 7 === 0 ? '\n' : 'x'}${text.slice(at)}`
      effects.push({ version: i, author: `u${i % 3}`, at: 0, effect: { kind: 'text', delta: textDelta(text, next) } })
      text = next
    }
    const count = text.split('\n').length
    const all = attributeLines(base, effects, [{ start: 1, end: count + 1 }])
    expect(all).toEqual([['u0', 'u1', 'u2']])
    const each = attributeLines(
      base,
      effects,
      Array.from({ length: count }, (_, i) => line(i + 1)),
    )
    const untouched = text.split('\n').filter((_, i) => each[i]?.length === 0)
    expect(untouched.every((content) => base.split('\n').includes(content))).toBe(true)
  })
})

describe('attributePointers', () => {
  const blame = (base: JsonObject, steps: [string, JsonObject][], ...pointers: string[]): (string | null)[] =>
    attributePointers(historyOf(base, steps), pointers).map((entry) => entry?.author ?? null)

  it('[CONF-2] is the last who touched the place, or something above or below it', () => {
    const steps: [string, JsonObject][] = [
      ['ann', { a: { b: 1, c: 0 }, d: 0 }],
      ['bob', { a: { b: 2, c: 0 }, d: 0 }],
      ['cat', { a: { b: 2, c: 0 }, d: 1 }],
      ['dan', { d: 1 }],
      ['eve', { d: 1, ab: 1 }],
    ]
    const base = { a: { b: 0, c: 0 }, d: 0 }
    expect(blame(base, steps.slice(0, 3), '/a/b', '/a', '/a/c', '/d', '/a/b/deep', '')).toEqual([
      'bob',
      'bob',
      null,
      'cat',
      'bob',
      'cat',
    ])
    expect(blame(base, steps, '/a/b', '/a/c', '/a', '/d')).toEqual(['dan', 'dan', 'dan', 'cat'])
  })

  it('follows an element that moves', () => {
    const steps: [string, JsonObject][] = [
      ['ann', { l: [{ x: 0 }, { x: 1 }, { x: 2 }] }],
      ['bob', { l: [{ x: 0 }, { x: 1 }, { x: 9 }] }],
      ['cat', { l: [{ x: 1 }, { x: 9 }] }],
      ['dan', { l: [{ x: 8 }, { x: 9 }] }],
    ]
    expect(blame({ l: [{ x: 1 }, { x: 2 }] }, steps, '/l/0/x', '/l/1/x', '/l/1', '/l')).toEqual([
      'dan',
      'bob',
      'bob',
      'dan',
    ])
  })

  it('who removed an element is told at its base index, whoever has that index later', () => {
    const steps: [string, JsonObject][] = [
      ['ann', { l: [1, 3] }],
      ['bob', { l: [1, 4] }],
    ]
    expect(blame({ l: [1, 2, 3] }, steps, '/l/1', '/l/2', '/l/0')).toEqual(['ann', 'bob', null])
  })

  it('who inserted is told at the insertion index, unless the element there was touched itself', () => {
    expect(blame({ l: [1] }, [['ann', { l: [1, 2] }]], '/l/1', '/l/0')).toEqual(['ann', null])
    const steps: [string, JsonObject][] = [
      ['ann', { l: [5] }],
      ['bob', { l: [0, 5] }],
    ]
    expect(blame({ l: [1] }, steps, '/l/0')).toEqual(['ann'])
  })

  it('a key that looks like an index is a key', () => {
    expect(blame({ o: { 0: 1, 1: 1 } }, [['ann', { o: { 0: 1, 1: 2 } }]], '/o/1', '/o/0')).toEqual(['ann', null])
  })
})
