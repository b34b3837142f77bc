import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Content, JsonObject } from '../../server/content/content.ts'
import { applyEffect, effectBetween, joinEffects, type Effect } from '../../server/content/effect.ts'
import { jsonEdits } from '../../server/content/jsonEdits.ts'
import { JsonTrace } from '../../server/content/jsonTrace.ts'
import { valueAt } from '../../server/content/pointer.ts'
import { authorsOf, type Mark } from '../../server/content/hands.ts'
import { changesOf, type LineChange } from '../../server/content/merge.ts'
import { TextTrace } from '../../server/content/textTrace.ts'
import { applyTextDelta, type TextDelta } from '../../server/content/textDelta.ts'

const mark = (version: number, author: string): Mark => ({ version, author, at: version * 1000 })

/** A change as fractions, so that it fits whatever text it meets. */
const changes = fc.array(
  fc.record({
    author: fc.constantFrom('ann', 'bob', 'cat'),
    at: fc.nat(1_000),
    removed: fc.nat(6),
    inserted: fc.stringMatching(/^[xy\n]{0,4}$/),
  }),
  { maxLength: 40 },
)
const stepsOf = (
  ...steps: [string, number, number, string][]
): { author: string; at: number; removed: number; inserted: string }[] =>
  steps.map(([author, at, removed, inserted]) => ({ author, at, removed, inserted }))
const lineChanges = (base: string, side: string): LineChange[] =>
  changesOf(base, side).filter((change): change is LineChange => 'lines' in change)
const texts = fc.stringMatching(/^[ab\n]{0,20}$/)

function deltaOf(text: string, change: { at: number; removed: number; inserted: string }): TextDelta {
  const at = Math.floor((change.at / 1_001) * (text.length + 1))
  const removed = Math.min(change.removed, text.length - at)
  return [...(at > 0 ? [at] : []), ...(removed > 0 ? [-removed] : []), ...(change.inserted ? [change.inserted] : [])]
}

describe('who put each character there', () => {
  it('[HIST-6] every line is blamed on the newest of its characters, or on whoever took some out of it', () => {
    fc.assert(
      fc.property(texts, changes, (base, steps) => {
        const trace = new TextTrace(base)
        let text = base
        // One mark a character, kept the naive way.
        let marks: (Mark | null)[] = Array.from(base, () => null)
        for (const [index, step] of steps.entries()) {
          const by = mark(index + 1, step.author)
          const delta = deltaOf(text, step)
          trace.apply(delta, by)
          text = applyTextDelta(text, delta)
          const at = typeof delta[0] === 'number' && delta[0] > 0 ? delta[0] : 0
          const removed = delta.find((item): item is number => typeof item === 'number' && item < 0) ?? 0
          marks = [...marks.slice(0, at), ...Array.from(step.inserted, () => by), ...marks.slice(at - removed)]
        }
        const blame = trace.blame()
        expect(blame.map(({ lines }) => lines.end - lines.start).reduce((a, b) => a + b)).toBe(text.split('\n').length)
        let start = 0
        for (const [index, line] of text.split('\n').entries()) {
          const mine = marks.slice(start, start + line.length)
          const newest = Math.max(0, ...mine.map((one) => one?.version ?? 0))
          const found = blame.find(({ lines }) => lines.start <= index + 1 && index + 1 < lines.end)
          expect(found?.by?.version ?? 0).toBeGreaterThanOrEqual(newest)
          start += line.length + 1
        }
        for (const { lines } of lineChanges(base, text)) {
          const authors = authorsOf(trace.handsOf(lines.base, lines.side))
          expect(authors).not.toEqual([])
          const starts = text.split('\n').reduce((at, line) => [...at, (at.at(-1) ?? 0) + line.length + 1], [0])
          const end = Math.max(0, (starts[lines.side.end - 1] ?? 0) - 1)
          for (const one of marks.slice(starts[lines.side.start - 1], end)) {
            if (one) expect(authors).toContain(one.author)
          }
        }
      }),
    )
  })

  it.each([
    [
      'a line that was typed',
      'one\nthree',
      [['ann', [4, 'two\n']]],
      [
        [1, 2, 0],
        [2, 3, 1],
        [3, 4, 0],
      ],
    ],
    [
      'a line that came after the last',
      'one',
      [['ann', [3, '\ntwo']]],
      [
        [1, 2, 0],
        [2, 3, 1],
      ],
    ],
    ['a line whose middle went', 'one two', [['ann', [3, -1]]], [[1, 2, 1]]],
    ['a line before which another went', 'one\ntwo', [['ann', [-4]]], [[1, 2, 0]]],
    ['two lines that became one', 'one\ntwo', [['ann', [3, -1]]], [[1, 2, 1]]],
    ['a line cut in two', 'onetwo', [['ann', [3, '\n']]], [[1, 3, 0]]],
    [
      'what its own author took back',
      'one',
      [
        ['ann', [3, 'x']],
        ['ann', [3, -1]],
      ],
      [[1, 2, 0]],
    ],
    [
      'what another took back',
      'one',
      [
        ['ann', [3, 'x']],
        ['bob', [3, -1]],
      ],
      [[1, 2, 2]],
    ],
    [
      'an empty line put between',
      'a\nb',
      [['ann', [1, '\n']]],
      [
        [1, 2, 0],
        [2, 3, 1],
        [3, 4, 0],
      ],
    ],
  ] satisfies [string, string, [string, TextDelta][], [number, number, number][]][])(
    '[HIST-6] blames %s as people would',
    (_name, base, steps, expected) => {
      const trace = new TextTrace(base)
      steps.forEach(([author, delta], index) => trace.apply(delta, mark(index + 1, author)))
      expect(trace.blame().map(({ lines, by }) => [lines.start, lines.end, by?.version ?? 0])).toEqual(expected)
    },
  )

  it('[HIST-4] what one author changed in a row leaves the same traces joined as one by one', () => {
    fc.assert(
      fc.property(texts, changes, (base, steps) => {
        const [single, joined] = [new TextTrace(base), new TextTrace(base)]
        // Runs of one author become one entry, whose version is that of the last.
        const runs: { by: Mark; effects: Effect[] }[] = []
        let text = base
        for (const [index, step] of steps.entries()) {
          const delta = deltaOf(text, step)
          text = applyTextDelta(text, delta)
          if (runs.at(-1)?.by.author !== step.author) runs.push({ by: mark(index + 1, step.author), effects: [] })
          const run = runs.at(-1)
          if (!run) throw new Error('there is one')
          run.effects.push({ kind: 'text', delta })
          runs[runs.length - 1] = { ...run, by: mark(index + 1, step.author) }
        }
        let after: Content = base
        for (const { by, effects } of runs) {
          for (const effect of effects) if (effect?.kind === 'text') single.apply(effect.delta, by)
          const one = joinEffects(effects)
          after = applyEffect(after, one)
          if (one?.kind === 'text') joined.apply(one.delta, by)
        }
        expect(after).toBe(text)
        expect(joined.blame()).toEqual(single.blame())
        for (const { lines } of lineChanges(base, text)) {
          const [one, other] = [joined, single].map((trace) => authorsOf(trace.handsOf(lines.base, lines.side)))
          expect(one).toEqual(other)
        }
      }),
      {
        numRuns: 300,
        examples: [
          // A newline that came and went in one run, beside what somebody else took out.
          ['', stepsOf(['ann', 0, 0, 'x'], ['bob', 0, 1, 'y'], ['ann', 0, 1, '\n'], ['ann', 0, 1, 'x'])],
          // What one author took out from behind forward.
          [
            '\n\nb\n',
            stepsOf(
              ['ann', 0, 2, 'y'],
              ['cat', 251, 1, ''],
              ['cat', 0, 2, ''],
              ['ann', 0, 0, '\ny\n'],
              ['ann', 0, 0, '\n\n'],
              ['ann', 334, 3, '\nxx'],
            ),
          ],
        ],
      },
    )
  })

  it('[HIST-6] who changed a place twice comes before who changed it in between, however the changes are joined', () => {
    const [single, joined] = [new TextTrace('ba'), new TextTrace('ba')]
    for (const trace of [single, joined]) {
      trace.apply([-1, 'y'], mark(1, 'ann'))
      trace.apply(['x'], mark(2, 'cat'))
    }
    single.apply([2, -1, 'y'], mark(4, 'ann'))
    single.apply([1, -1], mark(4, 'ann'))
    joined.apply([1, -2, 'y'], mark(4, 'ann'))
    const line = { start: 1, end: 2 }
    for (const trace of [single, joined]) expect(authorsOf(trace.handsOf(line, line))).toEqual(['ann', 'cat'])
  })

  it('a delta past the end is refused', () => {
    expect(() => new TextTrace('ab').apply([3, 'x'], mark(1, 'ann'))).toThrow(RangeError)
    expect(() => new TextTrace('ab').apply([1, -2], mark(1, 'ann'))).toThrow(RangeError)
  })
})

const leaf = fc.oneof(fc.nat(3), fc.constantFrom('', 'a', 'a text of more than thirty-two characters, changed'))
const contents = fc.dictionary(
  fc.constantFrom('a', 'b', 'c/d', '~'),
  fc.oneof(leaf, fc.array(leaf, { maxLength: 4 }), fc.dictionary(fc.constantFrom('x', 'y'), leaf)),
) as fc.Arbitrary<JsonObject>

describe('who set each value', () => {
  it('[HIST-6] every value is named once, and belongs to an entry after which it never changed', () => {
    fc.assert(
      fc.property(fc.array(contents, { minLength: 1, maxLength: 12 }), ([base = {}, ...later]) => {
        const trace = new JsonTrace(base)
        const versions = [base, ...later]
        later.forEach((content, index) =>
          trace.apply(jsonEdits(versions[index] ?? {}, content), mark(index + 1, `author ${index % 3}`)),
        )
        const last = versions.at(-1) ?? {}
        const { pointers, truncated } = trace.blame(1_000_000)
        expect(truncated).toBe(false)
        for (const { pointer, by } of pointers) {
          expect(valueAt(last, pointer).present).toBe(true)
          const above = pointers.filter((other) => other.pointer !== pointer && pointer.startsWith(`${other.pointer}/`))
          expect(above).toEqual([])
          // Members do not move: since that entry the value is the same, but for what was taken out of it.
          const value = valueAt(last, pointer)
          const isWhole =
            !value.present || typeof value.value !== 'object' || Object.keys(value.value ?? {}).length === 0
          if (/\/\d+$/.test(pointer) || !isWhole) continue
          for (const content of versions.slice(by?.version ?? 0)) {
            expect(valueAt(content, pointer)).toEqual(valueAt(last, pointer))
          }
        }
        const covered = (pointer: string): boolean =>
          pointers.some((one) => pointer === one.pointer || pointer.startsWith(`${one.pointer}/`))
        for (const key of Object.keys(last)) {
          const at = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
          expect(covered(at) || pointers.some((one) => one.pointer.startsWith(`${at}/`))).toBe(true)
        }
      }),
    )
  })

  it('[HIST-4] what one author changed in a row leaves the same traces joined as one by one', () => {
    fc.assert(
      fc.property(fc.array(contents, { minLength: 2, maxLength: 12 }), ([base = {}, ...later]) => {
        const versions = [base, ...later]
        const effects = later.map((content, index) => effectBetween(versions[index] ?? {}, content))
        const joined = joinEffects(effects)
        expect(applyEffect(base, joined)).toEqual(versions.at(-1))
        const by = mark(later.length, 'ann')
        const [single, one] = [new JsonTrace(base), new JsonTrace(base)]
        for (const effect of effects) if (effect?.kind === 'json') single.apply(effect.edits, by)
        if (joined?.kind === 'json') one.apply(joined.edits, by)
        expect(one.blame(1_000_000)).toEqual(single.blame(1_000_000))
      }),
    )
  })

  it('pointers that do not fit are left out, and that is told', () => {
    const trace = new JsonTrace({ a: 1, b: 2 })
    trace.apply([{ at: ['b'], value: 3 }], mark(1, 'ann'))
    expect(trace.blame(3)).toEqual({ pointers: [{ pointer: '/a', by: null }], truncated: true })
    expect(trace.blame(6).truncated).toBe(false)
  })
})
