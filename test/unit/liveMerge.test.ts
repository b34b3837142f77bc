import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../server/content/content.ts'
import { liveOverlaps } from '../../server/content/liveMerge.ts'

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
