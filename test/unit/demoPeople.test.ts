import { describe, expect, it } from 'vitest'
import { NameBook } from '../../client-demo/src/state/names.ts'
import { coloursOf, peopleIn } from '../../client-demo/src/state/people.ts'
import { personOf } from '../../client-demo/src/present/names.ts'

describe('people', () => {
  it('are read from presence as anyone may have written it', () => {
    const states = new Map<number, unknown>([
      [1, { user: { name: 'Zoe', sub: 'guest-z' } }],
      [2, { user: { name: '   ' } }],
      [3, null],
      [4, { user: 'x' }],
      [5, { user: { name: 'Ada', color: 'red;position:fixed' } }],
      [6, { user: { name: 'B'.repeat(500) } }],
    ])
    const people = peopleIn(states, 1)
    expect(people.map(({ name }) => name)).toEqual(['Zoe', 'Ada', 'B'.repeat(40)])
    expect(people.map(({ isSelf }) => isSelf)).toEqual([true, false, false])
    expect(people.every(({ colour }) => colour >= 0 && colour < 8)).toBe(true)
    expect(new Set(people.map(({ colour }) => colour)).size).toBe(3)
    expect(JSON.stringify(people)).not.toContain('position')
  })

  it('have different colours while there are enough, the same on every screen', () => {
    const entries = Array.from({ length: 9 }, (_, n): [number, unknown] => [n + 1, { user: { name: 'Same Name' } }])
    const colours = coloursOf(new Map(entries))
    expect(new Set([...colours.values()].slice(0, 8)).size).toBe(8)
    expect(coloursOf(new Map(entries.toReversed()))).toEqual(colours)
  })

  it('lend a name to guests only: any other id is shown as it is', () => {
    const book = new NameBook()
    book.introduce('guest-me')
    book.meet('guest-a', 'Merry Finch')
    book.meet('alice', 'The Administrator')
    const names = book.store.value
    expect(['guest-me', 'guest-a', 'guest-b', 'alice'].map((sub) => personOf(sub, names))).toEqual([
      'you',
      'Merry Finch',
      'guest-b',
      'alice',
    ])
  })
})
