import { describe, expect, it } from 'vitest'
import { liveOverlaps } from '../../server/content/liveMerge.ts'
import { merge } from '../../server/content/merge.ts'
import { differInBlanksOnly } from '../../server/content/overlap.ts'

describe('whether sides differ in blanks only', () => {
  it.each<[string, string, string, string, boolean]>([
    ['line ends', 'a\r\nb', 'A\nb', 'A\r\nb', true],
    ['spaces at the end', 'a\nb', 'A  \nb', 'A\nb', true],
    ['spaces at the beginning', 'a\nb', '  A\nb', 'A\nb', false],
    ['a word as well', 'a\r\nb', 'A\nb', 'B\r\nb', false],
    ['a word at another place', 'a\nb\nc', 'A \nb\nC', 'A\nb\nD', false],
    ['nothing at all', 'a\nb', 'A\nb', 'A\nb', false],
    ['an empty line more', 'a\nb', 'A\n\nb', 'A\nb', false],
  ])('[CONF-2] of a text: %s', (_title, base, current, incoming, expected) => {
    expect(differInBlanksOnly(merge(base, current, incoming).overlaps)).toBe(expected)
  })

  it.each([
    ['strings', 'A\r\nb', 'A\nb', true],
    ['other strings', 'A\r\nb', 'B\nb', false],
    ['numbers', 1, 2, false],
    ['absent and empty', undefined, '', false],
  ])('[CONF-2] of a json content: %s', (_title, current, incoming, expected) => {
    const side = (value: string | number | undefined) => (value === undefined ? {} : { note: value })
    expect(differInBlanksOnly(merge({ note: 'a' }, side(current), side(incoming)).overlaps)).toBe(expected)
  })

  it.each([
    ['the same words', 'A  \r', true],
    ['them twice', 'A A', false],
  ])('[CONF-6] a live merge that made %s of them', (_title, made, expected) => {
    const merged = `${made}\nb`
    const sides = { base: 'a\nb', current: 'A\r\nb', incoming: 'A  \nb', merged, seen: merged }
    expect(differInBlanksOnly(liveOverlaps(sides, () => 'parts'))).toBe(expected)
  })
})
