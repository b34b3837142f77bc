import { describe, expect, it } from 'vitest'
import {
  either,
  list,
  nullable,
  number,
  object,
  oneOf,
  string,
  UnexpectedShape,
} from '../../client-demo/src/parley/readers.ts'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import { conflictJson } from '../support/demoConflict.ts'

const TEXT = { base: 'a\nb\nc', current: 'a\nB\nc', incoming: 'a\nbb\nc' }

describe('readers', () => {
  it('name the place that is not what it should be', () => {
    const reader = object({ items: list(object({ id: string })) })
    expect(() => reader({ items: [{ id: 'x' }, { id: 7 }] }, 'answer')).toThrow('answer/items/1/id: expected a string')
    expect(() => reader([], 'answer')).toThrow(UnexpectedShape)
    expect(() => reader(null, 'answer')).toThrow('answer: expected an object')
  })

  it('leave an optional member out when it is not there, and refuse it when it is wrong', () => {
    const reader = object({ a: number }, { b: string })
    expect(Object.keys(reader({ a: 1 }, ''))).toEqual(['a'])
    expect(reader({ a: 1, b: 'x', unknown: true }, '')).toEqual({ a: 1, b: 'x' })
    expect(() => reader({ a: 1, b: null }, '')).toThrow('/b: expected a string')
  })

  it('tell null from absent', () => {
    const reader = object({ a: nullable(string) })
    expect(reader({ a: null }, '')).toEqual({ a: null })
    expect(() => reader({}, '')).toThrow(UnexpectedShape)
  })

  it('do not take a name from the prototype for a known one', () => {
    expect(() => oneOf(['text', 'json'])('toString', 'kind')).toThrow('kind: expected one of text, json')
  })

  it('do not swallow a failure that is no mismatch', () => {
    const broken = (): never => {
      throw new TypeError('broken')
    }
    expect(() => either(broken, string)('x', '')).toThrow(TypeError)
  })
})

describe('the shape of a conflict', () => {
  it('is read whole', () => {
    const conflict = shapes.conflict(conflictJson(TEXT), 'conflict')
    expect(conflict.overlaps).toMatchObject([{ base: 'b', current: 'B', incoming: 'bb', authors: ['bob'] }])
    expect(conflict.base.content).toBe(TEXT.base)
    expect(conflict.truncated).toBe(false)
  })

  it('keeps absent apart from null in the values of an overlap', () => {
    const json = conflictJson({ base: { a: 1, b: 1 }, current: { a: null, b: 1 }, incoming: { b: 1 } })
    expect(shapes.conflict(json, '').overlaps).toMatchObject([
      { current: { present: true, value: null }, incoming: { present: false } },
    ])
  })

  it('is truncated, and not clean, where its overlaps come without what stands there', () => {
    const { overlaps } = shapes.conflict(conflictJson(TEXT), '')
    const places = overlaps.map((overlap) => ('lines' in overlap ? { id: overlap.id, lines: overlap.lines } : overlap))
    const conflict = shapes.conflict(conflictJson(TEXT, { overlaps: places }), '')
    expect(conflict).toMatchObject({ truncated: true, overlaps: [], merged: { clean: false } })
  })

  it('is refused when it is none', () => {
    expect(() => shapes.conflict({ ...conflictJson(TEXT), status: 'exploded' }, 'c')).toThrow('c/status')
  })

  it('is listed with places alone', () => {
    const { overlaps } = shapes.listedConflict(conflictJson(TEXT), '')
    expect(overlaps).toEqual([{ id: expect.any(String), lines: expect.any(Object) }])
  })
})

describe('the shape of a problem', () => {
  const problem = { code: 'version-conflict', status: 409, title: 'Changed', detail: 'It changed.', retryable: false }

  it('carries its conflict', () => {
    expect(shapes.problem({ ...problem, conflict: conflictJson(TEXT) }, '').conflict?.id).toBe('cfl_1')
  })

  it('does without a conflict that was not stored (its id is null)', () => {
    const read = shapes.problem({ ...problem, conflict: conflictJson(TEXT, { id: null }) }, '')
    expect(read).toEqual({ ...problem })
  })

  it('is none without a code', () => {
    expect(() => shapes.problem({ status: 502, title: 'Bad Gateway' }, '')).toThrow(UnexpectedShape)
  })
})

describe('the answer to a resolution', () => {
  it('is a proposal when it holds one', () => {
    const conflict = conflictJson(TEXT)
    const proposal = {
      id: 'prp_1',
      use: 'merged',
      baseVersion: 3,
      by: 'ada',
      at: '2026-11-01T10:00:00Z',
      comment: null,
      status: 'pending',
    }
    expect(shapes.resolutionAnswer({ conflict, proposal }, '').outcome).toBe('proposed')
    expect(
      shapes.resolutionAnswer({ conflict, document: { id: 'notes', version: 4, etag: 'abc-4' } }, '').outcome,
    ).toBe('closed')
  })
})
