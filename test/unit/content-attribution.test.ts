import { describe, expect, it } from 'vitest'
import { Attribution, soughtSince, type AttributedEffect, type Sought } from '../../server/content/attribution.ts'
import type { Content, JsonObject, Range } from '../../server/content/content.ts'
import { applyEffect, effectBetween } from '../../server/content/effect.ts'
import { authorsOf, newestOf } from '../../server/content/hands.ts'
import type { JsonOverlap, TextOverlap } from '../../server/content/merge.ts'
import { valueAt } from '../../server/content/pointer.ts'
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

function attributionOf(base: Content, effects: readonly AttributedEffect[]): Attribution {
  const attribution = new Attribution(base)
  for (const one of effects) attribution.apply(one.effect, one)
  return attribution
}

/** Who is behind lines of the text after all effects, wherever these were at base. */
function attributeLines(base: string, effects: readonly AttributedEffect[], ranges: readonly Range[]): string[][] {
  const current = effects.reduce<Content>((content, { effect }) => applyEffect(content, effect), base)
  const attribution = attributionOf(base, effects)
  const sought = soughtSince(base, current)
  return ranges.map((range) => authorsOf(attribution.handsOf(sought(overlapAt(range)))))
}

function overlapAt(current: Range): TextOverlap {
  const lines = { base: { start: 1, end: 1 }, current, incoming: { start: 1, end: 1 } }
  return { id: '', lines, base: '', current: '', incoming: '' }
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
    const attribution = attributionOf('one\ntwo\nthree', historyOf('one\ntwo\nthree', steps))
    const ranges = [line(1), line(2), line(3), { start: 1, end: 4 }]
    expect(ranges.map((range) => authorsOf(attribution.handsOf({ base: range, now: range })))).toEqual([
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
    expect(authors('a\nb\nc', steps, line(1), line(2), line(3), line(4))).toEqual([['bob'], [], ['ann'], []])
  })

  it('who deleted lines is told at their place', () => {
    const steps: [string, string][] = [['ann', 'a\nd\ne']]
    expect(authors('a\nb\nc\nd\ne', steps, place(2), line(1), line(2), line(3), place(1), place(3))).toEqual([
      ['ann'],
      [],
      [],
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
    expect(authors('a\nb', [['ann', 'a']], place(2), line(1))).toEqual([['ann'], []])
    expect(authors('a\nb', [['ann', 'a\nb\nc']], line(2), line(3))).toEqual([[], ['ann']])
    expect(authors('a\nb', [['ann', 'a\nb\n']], line(2), line(3))).toEqual([[], ['ann']])
    expect(authors('', [['ann', 'a']], line(1))).toEqual([['ann']])
  })

  it('[HIST-2] [CONF-2] lines that came behind others, in place of what went there, are no change of those', () => {
    const hands = (base: string, steps: [string, string][], was: Range, is: Range): string[] =>
      authorsOf(attributionOf(base, historyOf(base, steps)).handsOf({ base: was, now: is }))
    const behind: [string, string][] = [
      ['ann', 'k1x\nl'],
      ['ann', 'k1x'],
      ['dan', 'k1x\nq'],
    ]
    expect(hands('k1\nl', behind, line(1), line(1))).toEqual(['ann'])
    expect(hands('k1\nl', behind, line(2), line(2))).toEqual(['ann', 'dan'])
    const cut: [string, string][] = [
      ['ann', 'l2\nl1'],
      ['ann', 'l2'],
      ['dan', 'l2\nl6'],
    ]
    expect(hands('l3\nl2\nl1', cut, { start: 1, end: 3 }, line(1))).toEqual(['ann'])
    // Of an empty line the newline is all there is.
    const empty: [string, string][] = [
      ['ann', 'a\nb'],
      ['dan', 'a\nX\nb'],
    ]
    expect(hands('a\n\nb', empty, line(2), line(2))).toEqual(['ann', 'dan'])
  })

  it('[HIST-2] a line that is cut in two belongs on both halves to who touched it and who cut it, while it is cut', () => {
    const steps: [string, string][] = [
      ['ann', 'hello, world'],
      ['bob', 'hello,\n world'],
      ['cat', 'hello, world'],
    ]
    expect(authors('hello world', steps.slice(0, 2), line(1), line(2))).toEqual([
      ['ann', 'bob'],
      ['ann', 'bob'],
    ])
    expect(authors('hello world', steps, line(1))).toEqual([['ann', 'cat']])
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

describe('who is behind a place of a json content', () => {
  const blame = (base: JsonObject, steps: [string, JsonObject][], ...sought: Sought[]): (string | null)[] => {
    const attribution = attributionOf(base, historyOf(base, steps))
    return sought.map((place) => newestOf(attribution.handsOf(place))?.author ?? null)
  }
  const tokens = (pointer: string): string[] => pointer.split('/').slice(1)
  /** A place with one element at base and now, or as many as are named. */
  const at = (base: string, now = base, counts = { base: 1, now: 1 }): Sought => ({
    base: tokens(base),
    now: tokens(now),
    counts,
  })

  it('[CONF-2] is the last who touched the place, or something above or below it', () => {
    const steps: [string, JsonObject][] = [
      ['ann', { a: { b: 1, c: 0 }, d: 0 }],
      ['bob', { a: { b: 2, c: 0 }, d: 0 }],
      ['cat', { a: { b: 2, c: 0 }, d: 1 }],
      ['dan', { d: 1 }],
      ['eve', { d: 1, ab: 1 }],
    ]
    const base = { a: { b: 0, c: 0 }, d: 0 }
    expect(blame(base, steps.slice(0, 3), at('/a/b'), at('/a'), at('/a/c'), at('/d'), at('/a/b/deep'), at(''))).toEqual(
      ['bob', 'bob', null, 'cat', 'bob', 'cat'],
    )
    expect(blame(base, steps, at('/a/b'), at('/a/c'), at('/a'), at('/d'))).toEqual(['dan', 'dan', 'dan', 'cat'])
  })

  it('follows an element that moves', () => {
    const steps: [string, JsonObject][] = [
      ['ann', { l: [{ x: 0 }, { x: 1 }, { x: 2 }] }],
      ['bob', { l: [{ x: 0 }, { x: 1 }, { x: 9 }] }],
      ['cat', { l: [{ x: 1 }, { x: 9 }] }],
      ['dan', { l: [{ x: 8 }, { x: 9 }] }],
    ]
    expect(blame({ l: [{ x: 1 }, { x: 2 }] }, steps, at('/l/0/x'), at('/l/1/x'), at('/l/1'), at('/l'))).toEqual([
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
    const gone = at('/l/1', '/l/1', { base: 1, now: 0 })
    expect(blame({ l: [1, 2, 3] }, steps, gone, at('/l/2', '/l/1'), at('/l/0'))).toEqual(['ann', 'bob', null])
  })

  it('who inserted is told at the insertion index', () => {
    const inserted = { base: 0, now: 1 }
    expect(blame({ l: [1] }, [['ann', { l: [1, 2] }]], at('/l/1', '/l/1', inserted), at('/l/0'))).toEqual(['ann', null])
    const steps: [string, JsonObject][] = [
      ['ann', { l: [5] }],
      ['bob', { l: [0, 5] }],
    ]
    expect(blame({ l: [1] }, steps, at('/l/0', '/l/1'), at('/l/0', '/l/0', inserted))).toEqual(['ann', 'bob'])
  })

  it('a key that looks like an index is a key', () => {
    const steps: [string, JsonObject][] = [['ann', { o: { 0: 1, 1: 2 } }]]
    expect(blame({ o: { 0: 1, 1: 1 } }, steps, at('/o/1'), at('/o/0'))).toEqual(['ann', null])
  })

  it('[CONF-1] is found from a content within the history too, through elements that moved and members that went', () => {
    const before = { l: [{ x: 0 }, { x: 1 }, { x: 2 }], gone: 1 }
    const current = { l: [{ y: 7 }, { x: 0 }, { x: 9 }] }
    const attribution = attributionOf(
      before,
      historyOf(before, [
        ['ann', { l: [{ y: 7 }, { x: 0 }, { x: 1 }, { x: 2 }], gone: 1 }],
        ['bob', { l: [{ y: 7 }, { x: 0 }, { x: 1 }, { x: 2 }] }],
        ['cat', { l: [{ y: 7 }, { x: 0 }, { x: 2 }] }],
        ['dan', current],
      ]),
    )
    const sought = soughtSince(before, current)
    const authors = (pointer: string): string[] =>
      authorsOf(attribution.handsOf(sought(jsonOverlapAt(pointer, current))))
    expect(authors('/l/0')).toEqual(['ann'])
    expect(authors('/l/1')).toEqual([])
    expect(authors('/l/2')).toEqual(['cat', 'dan'])
    expect(authors('/gone')).toEqual(['bob'])
  })
})

function jsonOverlapAt(pointer: string, content: JsonObject): JsonOverlap {
  const absent = { present: false } as const
  const current = valueAt(content, pointer)
  return { id: '', pointer, pointers: { current: pointer, incoming: '' }, base: absent, current, incoming: absent }
}
