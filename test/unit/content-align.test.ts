import { describe, expect, it } from 'vitest'
import { align, alignElements, spansOverlap, type Run, type Span } from '../../server/content/align.ts'

const runs = (base: string, side: string): string[] =>
  align([...base], [...side]).map((run) => `${run.base.join('-')}:${run.side.join('-')}`)

describe('align', () => {
  it.each<[string, string, string[]]>([
    ['', '', []],
    ['abc', 'abc', []],
    ['', 'a', ['0-0:0-1']],
    ['a', '', ['0-1:0-0']],
    ['abc', 'abXc', ['2-2:2-3']],
    ['abc', 'ac', ['1-2:1-1']],
    ['abcde', 'aXcYe', ['1-2:1-2', '3-4:3-4']],
    ['abcd', 'aXYd', ['1-3:1-3']],
    ['aa', 'aaa', ['2-2:2-3']],
    ['abab', 'ab', ['2-4:2-2']],
    ['abcdef', 'defabc', ['0-3:0-0', '6-6:3-6']],
  ])('[CONF-2] %j to %j', (base, side, expected) => {
    expect(runs(base, side)).toEqual(expected)
  })

  it('[CONF-2] past the limit of edits the rest is one change, and what is before it stands', () => {
    const shuffled = Array.from({ length: 5_000 }, (_, i) => (i * 2_741) % 5_000)
    const base = ['same', 'old', 'kept', ...shuffled.map(String), 'end']
    const side = ['same', 'new', 'kept', ...shuffled.map(String).toReversed(), 'end']
    const result = align(base, side)
    expect(result[0]).toEqual<Run>({ base: [1, 2], side: [1, 2] })
    const last = result.at(-1)
    expect(last && last.base[1] - last.base[0]).toBeGreaterThan(1_000)
    expect(last?.base[1]).toBe(base.length - 1)
    expect(align(base, side)).toEqual(result)
  })

  it('[CONF-2] elements that only one side has do not count towards the limit', () => {
    const base = Array.from({ length: 20_000 }, (_, i) => (i % 100 === 0 ? `kept ${i}` : `old ${i}`))
    const side = base.map((line) => line.replace('old', 'new'))
    expect(align(base, side)).toHaveLength(200)
  })

  it('[CONF-2] elements of arrays are compared as JSON', () => {
    const base = [{ a: 1, b: 2 }, '1', 1, null, [1], '[1]', true, 'true']
    expect(alignElements(base, [{ b: 2, a: 1 }, '1', 1, null, [1], '[1]', true, 'true'])).toEqual([])
    expect(alignElements(['x', 1, '[1]', 'y'], ['x', '1', [1], 'y'])).toEqual<Run[]>([{ base: [1, 3], side: [1, 3] }])
    expect(alignElements([1, [2], 3], [0, 1, [2], 3, 4])).toEqual<Run[]>([
      { base: [0, 0], side: [0, 1] },
      { base: [3, 3], side: [4, 5] },
    ])
  })
})

describe('spansOverlap', () => {
  it.each<[Span, Span, boolean]>([
    [[1, 3], [2, 4], true],
    [[1, 3], [3, 4], false],
    [[1, 5], [2, 3], true],
    [[2, 2], [2, 2], true],
    [[2, 2], [3, 3], false],
    [[2, 2], [1, 3], true],
    [[2, 2], [2, 3], false],
    [[2, 2], [1, 2], false],
    [[1, 2], [1, 2], true],
    [[0, 0], [0, 0], true],
  ])('[CONF-2] %j and %j: %s', (a, b, expected) => {
    expect(spansOverlap(a, b)).toBe(expected)
    expect(spansOverlap(b, a)).toBe(expected)
  })
})
