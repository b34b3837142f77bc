import { describe, expect, it } from 'vitest'
import type { Conflict } from '../../client-demo/src/parley/types.ts'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import { carriedOn, carryOver, chosen, preview } from '../../client-demo/src/state/choices.ts'
import type { Content } from '../../server/content/content.ts'
import { liveOverlaps, rewriteOverlaps } from '../../server/content/liveMerge.ts'
import { conflictJson } from '../support/demoConflict.ts'

const conflictOf = (...args: Parameters<typeof conflictJson>): Conflict => shapes.conflict(conflictJson(...args), '')

describe('choices', () => {
  const text = conflictOf({ base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\nE', incoming: 'a\nbb\nc\nd\nee' })
  const [first, second] = text.overlaps.map(({ id }) => id)
  if (first === undefined || second === undefined) throw new Error('two overlaps were expected')

  it('are missing until every place has one', () => {
    expect(chosen(text.overlaps, {})).toEqual({ choices: {}, missing: 2, invalid: {} })
    const picks = { [first]: { from: 'base' }, [second]: { from: 'own', text: 'x\ny' } } as const
    expect(chosen(text.overlaps, picks)).toEqual({
      choices: { [first]: 'base', [second]: { text: 'x\ny' } },
      missing: 0,
      invalid: {},
    })
  })

  it('written by hand for json are values, or named as no JSON', () => {
    const { overlaps } = conflictOf({ base: { a: 1 }, current: { a: 2 }, incoming: { a: 3 } })
    const id = overlaps[0]?.id ?? ''
    expect(chosen(overlaps, { [id]: { from: 'own', text: '{"x": null}' } }).choices).toEqual({
      [id]: { value: { x: null } },
    })
    const broken = chosen(overlaps, { [id]: { from: 'own', text: 'nope' } })
    expect(broken.choices).toEqual({})
    expect(Object.keys(broken.invalid)).toEqual([id])
  })

  it('make the document that is shown before it is sent; what is not chosen stands as in current', () => {
    const seen = text.current.content
    const byHand = { [first]: 'incoming', [second]: { text: 'x\ny' } } as const
    expect(preview(text, byHand, seen)).toEqual({ content: 'a\nbb\nc\nd\nx\ny' })
    expect(preview(text, { [second]: 'base' }, seen)).toEqual({ content: 'a\nB\nc\nd\ne' })
  })

  it('cannot be shown where a side was too large to be sent', () => {
    const { content: _, ...base } = text.base
    expect(preview({ ...text, base }, {}, 'a')).toBeNull()
    expect(preview(text, {}, undefined)).toBeNull()
  })

  it('stay through a refresh where the place is the same, and are asked for again where it is not', () => {
    const moved = conflictOf({ base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\nE!', incoming: 'a\nbb\nc\nd\nee' })
    const picks = { [first]: { from: 'incoming' }, [second]: { from: 'incoming' } } as const
    expect(carryOver(text, moved, picks)).toEqual({ [first]: { from: 'incoming' } })
    expect(carryOver(text, text, picks)).toEqual(picks)
  })
})

describe('a result made by hand', () => {
  it.each([
    ['of a text', 'a\nb\nc', 'a!\nb\nc', 'a\nb\nby hand', 'a!\nb\nby hand'],
    ['where both wrote, as it was written', 'a\nb\nc\nd', 'a\nB\nc\nd!', 'a\nby hand\nc\nd', 'a\nby hand\nc\nd!'],
    ['of a json', { a: 1, b: 1 }, { a: 1, b: 2 }, '{"a": 5, "b": 1}', '{\n  "a": 5,\n  "b": 2\n}'],
    ['that is no JSON (yet), as it stands', { a: 1 }, { a: 2 }, '{"a": ', '{"a": '],
  ])('goes on with what others wrote since: %s', (_, from, to, own, result) => {
    expect(carriedOn(own, from, to)).toBe(result)
  })
})

describe('content that breaks its schema', () => {
  const sides = { base: { n: 1 }, current: { n: 1 }, incoming: { n: 'x' } }
  const broken = conflictOf(sides, { kind: 'invalid-merge', merged: { clean: false, content: sides.incoming } })

  it('shows what it becomes when that is taken back, with all that was written elsewhere since', () => {
    expect(preview(broken, {}, { n: 'x' })).toEqual({ content: { n: 1 } })
    expect(preview(broken, {}, { n: 'x', since: 1 })).toEqual({ content: { n: 1, since: 1 } })
    expect(preview(broken, {}, { n: 'xy' })).toEqual({ problem: 'Someone wrote in the same place since.' })
  })
})

describe('choices after a live merge', () => {
  interface Sides {
    readonly base: Content
    readonly current: Content
    readonly incoming: Content
    readonly merged: Content
  }
  const LIVE: readonly { readonly name: string; readonly sides: Sides }[] = [
    {
      name: 'lines both rewrote, and one the merge doubled',
      sides: {
        base: 'a\nb\nc\nteh\ne',
        current: 'a\nB\nc\nthe\ne',
        incoming: 'a\nbb\nc\nthe\ne',
        merged: 'a\nBbb\nc\nthethe\ne',
      },
    },
    {
      name: 'a paragraph deleted and a word in it',
      sides: { base: 'h\nthe p\nt', current: 'h\nt', incoming: 'h\nthe long p\nt', merged: 'h\nlong t' },
    },
    {
      name: 'a key both set, one of them deleted',
      sides: {
        base: { key: 1, gone: 1, own: 1 },
        current: { key: 2, own: 1 },
        incoming: { key: 3, gone: 2, own: 2 },
        merged: { key: 2, gone: 2, own: 2 },
      },
    },
    {
      name: 'an element both replaced',
      sides: {
        base: { list: ['a', 'b', 'c'] },
        current: { list: ['x', 'b', 'c'] },
        incoming: { list: ['y', 'b', 'C'] },
        merged: { list: ['x', 'y', 'b', 'C'] },
      },
    },
    {
      name: 'a parent deleted and an edit inside',
      sides: { base: { p: { a: 1 }, q: 1 }, current: { q: 1 }, incoming: { p: { a: 2 }, q: 1 }, merged: { q: 1 } },
    },
  ]
  const liveConflict = ({ base, current, incoming, merged }: Sides): Conflict => {
    const found = liveOverlaps({ base, current, incoming, merged, seen: merged }, () => 'parts')
    const overlaps = found.map((overlap) => ({ ...overlap, authors: ['bob'] }))
    const changes = { kind: 'concurrent-edit', merged: { clean: false, content: merged }, overlaps }
    return conflictOf({ base, current, incoming }, changes)
  }

  it.each(LIVE)('show what the server makes of them: $name', ({ sides }) => {
    const conflict = liveConflict(sides)
    expect(conflict.overlaps.length).toBeGreaterThan(0)
    for (const side of ['base', 'current', 'incoming'] as const) {
      const choices = Object.fromEntries(conflict.overlaps.map(({ id }) => [id, side] as const))
      const written = rewriteOverlaps({ ...sides, seen: sides.merged }, () => 'parts', new Map(Object.entries(choices)))
      expect(written.errors).toEqual([])
      expect(preview(conflict, choices, sides.merged)).toEqual({ content: written.content })
    }
  })

  it.each(LIVE)('leave what is not chosen as merged: $name', ({ sides }) => {
    expect(preview(liveConflict(sides), {}, sides.merged)).toEqual({ content: sides.merged })
  })

  it('are shown in the document as it is by now, not as the merge left it', () => {
    const live = liveConflict({ base: 'a\nb\nc', current: 'a\nB\nc', incoming: 'a\nbb\nc', merged: 'a\nBbb\nc' })
    const choices = { [live.overlaps[0]?.id ?? '']: 'incoming' } as const
    expect(preview(live, choices, 'a\nBbb\nc\nsince')).toEqual({ content: 'a\nbb\nc\nsince' })
    expect(preview(live, {}, 'a\nBbb\nc\nsince')).toEqual({ content: 'a\nBbb\nc\nsince' })
    expect(preview(live, choices, 'a\nsince\nc')).toHaveProperty('problem')
  })

  it('written by hand stand in place of what the merge made', () => {
    const text = liveConflict({ base: 'a\nb\nc', current: 'a\nB\nc', incoming: 'a\nbb\nc', merged: 'a\nBbb\nc' })
    const byHand = { [text.overlaps[0]?.id ?? '']: { text: 'x\ny' } }
    expect(preview(text, byHand, 'a\nBbb\nc')).toEqual({ content: 'a\nx\ny\nc' })
    const json = liveConflict({ base: { k: 1 }, current: { k: 2 }, incoming: { k: 3 }, merged: { k: 3 } })
    expect(preview(json, { 'P/k': { value: [4] } }, { k: 3 })).toEqual({ content: { k: [4] } })
  })
})
