import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../server/content/content.ts'
import { liveOverlaps, rewriteOverlaps } from '../../server/content/liveMerge.ts'

/** One side put another map in the place of `/m`, the other wrote into the map that was there. */
function overlapsAt(m: Record<'base' | 'current' | 'incoming' | 'merged', JsonValue>): unknown[] {
  const side = (value: JsonValue): JsonObject => ({ m: value })
  const merged = side(m.merged)
  const sides = { base: side(m.base), current: side(m.current), incoming: side(m.incoming), merged, seen: merged }
  return liveOverlaps(sides, (path) => (path.length === 1 ? 'whole' : 'parts')).map(({ id }) => id)
}

describe('a value that one side replaced as a whole', () => {
  it('[CONF-7] raises nothing where the merge holds what both sides made of its members', () => {
    const base = { x: 1, y: 2 }
    expect(overlapsAt({ base, current: { x: 'a' }, incoming: { x: 'a', y: 2 }, merged: { x: 'a' } })).toEqual([])
    expect(overlapsAt({ base, current: { x: 'a', y: 2 }, incoming: { x: 1 }, merged: { x: 'a' } })).toEqual([])
  })

  it.each([
    ['a member that the merge lost', { x: 'a' }, { x: 1, y: 'b' }, { x: 'a' }],
    ['a member that both set', { x: 'a', y: 2 }, { x: 'b', y: 2 }, { x: 'a', y: 2 }],
    ['a member that came back', { x: 'a' }, { x: 'a', y: 2 }, { x: 'a', y: 2 }],
  ])('[CONF-6] is an overlap for %s', (_name, current, incoming, merged) => {
    expect(overlapsAt({ base: { x: 1, y: 2 }, current, incoming, merged })).toEqual(['P/m'])
  })
})

describe('a content that looks like what the comparison works with', () => {
  const lookalikes: [string, JsonValue][] = [
    ['a key that once was a mark', { '\u0000overlap': 0 }],
    ['an empty object', {}],
    ['an array of empty objects', [{}, {}]],
  ]
  const copy = (content: JsonObject): JsonObject => structuredClone(content)

  it.each(lookalikes)('[CONF-6] is found and resolved at its own places only: %s', (_name, value) => {
    const base: JsonObject = { a: 'base', list: [value, 1, value], other: value }
    const sides = {
      base,
      current: { ...copy(base), a: 'current' },
      incoming: { ...copy(base), a: 'incoming' },
      merged: { ...copy(base), a: 'incoming' },
      seen: { ...copy(base), a: 'incoming', new: value },
    }
    expect(liveOverlaps(sides, () => 'parts').map(({ id }) => id)).toEqual(['P/a'])
    const { content, errors } = rewriteOverlaps(sides, () => 'parts', new Map([['P/a', 'current']]))
    expect(errors).toEqual([])
    expect(content).toEqual({ ...base, a: 'current', new: value })
  })

  it.each(lookalikes)(
    '[CONF-6] an element that both sides changed is not taken for one beside it: %s',
    (_name, value) => {
      const list = (second: JsonValue): JsonObject => ({
        list: [structuredClone(value), second, structuredClone(value)],
      })
      const sides = {
        base: list('base'),
        current: list('current'),
        incoming: list('incoming'),
        merged: { list: [value, 'current', 'incoming', value] },
        seen: { list: ['new', value, 'current', 'incoming', value] },
      }
      const [overlap, ...others] = liveOverlaps(sides, () => 'parts')
      expect(others).toEqual([])
      expect(overlap).toMatchObject({
        id: 'P/list/1',
        pointers: { merged: '/list/2' },
        merged: { value: ['current', 'incoming'] },
      })
      const { content } = rewriteOverlaps(sides, () => 'parts', 'incoming')
      expect(content).toEqual({ list: ['new', value, 'incoming', value] })
    },
  )
})

describe('[CONF-7] [RES-1] overlaps of a text between which lines were only reordered', () => {
  const lines = (text: string): string => text.replaceAll(' ', '\n')
  const sides = {
    base: lines('head-of-all aaaa cccc tail-of-all k1 k2 k3 k4 k5 k6 end'),
    current: lines('head-of-one y1 y2 y3 cccc tail-of-one k1 k2 k3 k4 k5 k6 end'),
    incoming: lines('head-of-two aaaa z1 z2 z3 tail-of-two k1 k2 k3 k4 k5 k6 q1 q2 end'),
    merged: lines('AA BB CC y2 q1 q2 z2 DD EE FF k1 k2 k3 k4 k5 k6 y3 z1 end'),
  }

  it('[RES-1] share no line, and current is there whole', () => {
    const seen = { ...sides, seen: sides.merged }
    const { content, errors } = rewriteOverlaps(seen, () => 'parts', 'current')
    expect(errors).toEqual([])
    const written = String(content).split('\n')
    expect(sides.current.split('\n').filter((line) => !written.includes(line))).toEqual([])
    let end = 0
    for (const overlap of liveOverlaps(seen, () => 'parts')) {
      if (!('lines' in overlap)) throw new Error('an overlap of a text has lines')
      expect(overlap.lines.merged.start).toBeGreaterThan(end)
      end = overlap.lines.merged.end - 1
    }
  })
})

/** To look at all changes for each of them would take minutes. */
describe('a text of very many changed lines', () => {
  const LINES = 150_000
  const text = (line: (n: number) => string): string => Array.from({ length: LINES }, (_, n) => line(n)).join('\n')
  const odd = (by: string): string => text((n) => (n % 2 === 1 ? `${by}${n}` : `${n}`))
  const even = (by: string): string => text((n) => (n % 2 === 0 ? `${by}${n}` : `${n}`))
  const base = text(String)

  it('[OPS-8] half of which both sides changed is resolved in one walk, also where it went on', () => {
    const merged = odd('mineyours ')
    const sides = { base, current: odd('mine '), incoming: odd('yours '), merged, seen: `more\n${merged}!` }
    const { content, errors } = rewriteOverlaps(sides, () => 'parts', 'incoming')
    expect(errors).toEqual([])
    expect(content === `more\n${sides.incoming}`).toBe(true)
    const overlaps = liveOverlaps(sides, () => 'parts')
    expect(overlaps).toHaveLength(LINES / 2)
    expect(overlaps.at(-1)).toMatchObject({
      lines: { current: { start: LINES, end: LINES + 1 }, merged: { start: LINES + 1, end: LINES + 2 } },
      current: `mine ${LINES - 1}`,
      incoming: `yours ${LINES - 1}`,
      merged: `mineyours ${LINES - 1}!`,
    })
  })

  it.each([
    ['changed by one side alone', odd('mine '), base, `L${LINES}`],
    ['far from the one change', base, `${base}!`, `L2-${LINES}`],
    ['amid changes of all lines', odd('mine '), even('yours '), `L1-${LINES}`],
  ])('[OPS-8] half of which the merge made up is looked through in one walk: %s', (_title, current, incoming, id) => {
    const merged = odd('own ')
    const overlaps = liveOverlaps({ base, current, incoming, merged, seen: merged }, () => 'parts')
    expect(overlaps.at(-1)?.id).toBe(id)
  })
})
