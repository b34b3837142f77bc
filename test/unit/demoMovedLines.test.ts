import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { movedLines } from '../../client-demo/src/state/movedLines.ts'

const LINES = 'a\nb\nc\nd\ne'

describe('where lines stand in what became of a text', () => {
  it.each([
    ['above it lines came', 'x\ny\na\nb\nc\nd\ne', { start: 2, end: 3 }, { start: 4, end: 5 }],
    ['above it lines went', 'b\nc\nd\ne', { start: 2, end: 3 }, { start: 1, end: 2 }],
    ['right before it lines came', 'a\nx\nb\nc\nd\ne', { start: 2, end: 3 }, { start: 3, end: 4 }],
    ['right behind it lines came', 'a\nb\nx\nc\nd\ne', { start: 2, end: 3 }, { start: 2, end: 3 }],
    ['it became other lines', 'a\nx\ny\nd\ne', { start: 2, end: 4 }, { start: 2, end: 4 }],
    ['its end became another line', 'a\nb\nx\nd\ne', { start: 2, end: 4 }, { start: 2, end: 4 }],
    ['all of it went', 'a\nd\ne', { start: 2, end: 4 }, { start: 2, end: 2 }],
    [
      'it is a place between lines, and lines came above',
      'x\na\nb\nc\nd\ne',
      { start: 3, end: 3 },
      { start: 4, end: 4 },
    ],
  ])('[DEMO-14] %s', (_what, after, range, moved) => {
    expect(movedLines(LINES, after, range)).toEqual(moved)
  })

  it('[DEMO-14] lines that are still there are found, and no place lies outside of the text', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(lines, lines, fc.nat(11), fc.nat(11), (before, after, one, other) => {
        const start = Math.min(one, other, before.length - 1) + 1
        const end = Math.min(Math.max(one, other), before.length) + 1
        const moved = movedLines(before.join('\n'), after.join('\n'), { start, end: Math.max(start, end) })
        expect(moved.start).toBeGreaterThanOrEqual(1)
        expect(moved.end).toBeGreaterThanOrEqual(moved.start)
        expect(moved.end).toBeLessThanOrEqual(after.length + 1)
        const same = movedLines(before.join('\n'), ['x', ...before, 'y'].join('\n'), { start, end: start + 1 })
        expect(same).toEqual({ start: start + 1, end: start + 2 })
      }),
    )
  })
})
