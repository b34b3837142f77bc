import { describe, expect, it } from 'vitest'
import { mergeWith, type Choice } from '../../server/content/merge.ts'

describe('mergeWith for json', () => {
  const base = { a: 1, l: [1], gone: 1 }
  const current = { a: 2, l: [1, 'x', 'y'], only: 'current' }
  const incoming = { a: 3, l: [1, 'z'], gone: 2 }
  const choose = (choices: Record<string, Choice>) =>
    mergeWith(base, current, incoming, new Map(Object.entries(choices)))

  it('[RES-1] each overlap takes what is chosen, the rest is merged', () => {
    expect(choose({ 'P/a': 'incoming', 'P/l/1': 'incoming', 'P/gone': 'current' })).toEqual({
      content: { a: 3, l: [1, 'z'], only: 'current' },
      errors: [],
    })
    expect(choose({ 'P/a': { value: null }, 'P/l/1': { value: [] }, 'P/gone': 'base' })).toEqual({
      content: { a: null, l: [1], gone: 1, only: 'current' },
      errors: [],
    })
    expect(
      choose({ 'P/a': 'base', 'P/l/1': { value: ['y', 'z', ['w']] }, 'P/gone': { value: { x: 1 } } }).content,
    ).toEqual({
      a: 1,
      l: [1, 'y', 'z', ['w']],
      gone: { x: 1 },
      only: 'current',
    })
  })

  it('[RES-1] a single element may be given any value, also a list', () => {
    const chosen = mergeWith({ l: [1] }, { l: [2] }, { l: [3] }, new Map([['P/l/0', { value: [4, 5] }]]))
    expect(chosen).toEqual({ content: { l: [[4, 5]] }, errors: [] })
    const appended = mergeWith({ l: [] }, { l: [2] }, { l: [3] }, new Map([['P/l/0', { value: [4, 5] }]]))
    expect(appended).toEqual({ content: { l: [[4, 5]] }, errors: [] })
    const none = mergeWith({ l: [] }, { l: [2] }, { l: [3] }, new Map([['P/l/0', 'base']]))
    expect(none).toEqual({ content: { l: [] }, errors: [] })
  })

  it('[RES-5] missing, unknown and unfit choices are each named', () => {
    const { errors } = choose({ 'P/a': { text: 'x' }, 'P/l/1': { value: 'no list' }, P: 'base', L1: 'current' })
    expect(errors.map((error) => error.overlap).sort()).toEqual(['L1', 'P', 'P/a', 'P/gone', 'P/l/1'])
  })
})
