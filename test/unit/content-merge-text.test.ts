import { describe, expect, it } from 'vitest'
import { effectBetween } from '../../server/content/effect.ts'
import { changesOf, merge, mergeWith, touches, type Choice, type TextOverlap } from '../../server/content/merge.ts'

interface Case {
  title: string
  base: string
  current: string
  incoming: string
  merged: string
  /** Ids; none means clean. */
  overlaps?: string[]
}

const cases: Case[] = [
  { title: 'nobody changed anything', base: 'a\nb', current: 'a\nb', incoming: 'a\nb', merged: 'a\nb' },
  { title: 'only current changed', base: 'a\nb', current: 'x\nb', incoming: 'a\nb', merged: 'x\nb' },
  { title: 'only incoming changed', base: 'a\nb', current: 'a\nb', incoming: 'a\ny', merged: 'a\ny' },
  { title: 'both made the same change', base: 'a\nb', current: 'x\nb', incoming: 'x\nb', merged: 'x\nb' },
  { title: 'changes apart', base: 'a\nb\nc', current: 'x\nb\nc', incoming: 'a\nb\nz', merged: 'x\nb\nz' },
  {
    title: 'one line changed by both',
    base: 'a\nb\nc',
    current: 'a\nx\nc',
    incoming: 'a\ny\nc',
    merged: 'a\nx\nc',
    overlaps: ['L2'],
  },
  {
    title: 'runs that touch do not overlap',
    base: 'a\nb\nc\nd',
    current: 'a\nx\nc\nd',
    incoming: 'a\nb\ny\nd',
    merged: 'a\nx\ny\nd',
  },
  { title: 'removed lines that touch', base: 'a\nb', current: 'b', incoming: 'a', merged: '' },
  {
    title: 'both insert at one place',
    base: 'a\nb',
    current: 'a\nx\nb',
    incoming: 'a\ny\nb',
    merged: 'a\nx\nb',
    overlaps: ['L1+'],
  },
  {
    title: 'both insert the same at one place',
    base: 'a\nb',
    current: 'a\nx\nb',
    incoming: 'a\nx\nb',
    merged: 'a\nx\nb',
  },
  { title: 'both insert, at two places', base: 'a\nb', current: 'x\na\nb', incoming: 'a\nb\ny', merged: 'x\na\nb\ny' },
  {
    title: 'inserted just before a changed line',
    base: 'a\nb\nc',
    current: 'a\nx\nb\nc',
    incoming: 'a\nB\nc',
    merged: 'a\nx\nB\nc',
  },
  {
    title: 'inserted just after a changed line',
    base: 'a\nb\nc',
    current: 'a\nb\nx\nc',
    incoming: 'a\nB\nc',
    merged: 'a\nB\nx\nc',
  },
  {
    title: 'inserted strictly inside changed lines',
    base: 'a\nb\nc\nd',
    current: 'a\nb\nx\nc\nd',
    incoming: 'a\nB\nC\nd',
    merged: 'a\nb\nx\nc\nd',
    overlaps: ['L2-3'],
  },
  {
    title: 'inserted strictly inside removed lines',
    base: 'a\nb\nc\nd',
    current: 'a\nd',
    incoming: 'a\nb\ny\nc\nd',
    merged: 'a\nd',
    overlaps: ['L2-3'],
  },
  {
    title: 'one removes what the other changes',
    base: 'a\nb\nc',
    current: 'a\nc',
    incoming: 'a\nB\nc',
    merged: 'a\nc',
    overlaps: ['L2'],
  },
  {
    title: 'overlapping removals',
    base: 'a\nb\nc\nd\ne',
    current: 'a\nd\ne',
    incoming: 'a\nb\ne',
    merged: 'a\nd\ne',
    overlaps: ['L2-4'],
  },
  {
    title: 'a chain of overlaps is one',
    base: '1\n2\n3\n4\n5\n6\n7\n8',
    current: '1\nA\nB\n4\nC\nD\n7\n8',
    incoming: '1\n2\nX\nY\nZ\n6\n7\n8',
    merged: '1\nA\nB\n4\nC\nD\n7\n8',
    overlaps: ['L2-6'],
  },
  {
    title: 'a clean change beside an overlap is taken',
    base: 'a\nb\nc\nd\ne',
    current: 'A\nb\nc\nd\ne',
    incoming: 'X\nb\nc\nd\nE',
    merged: 'A\nb\nc\nd\nE',
    overlaps: ['L1'],
  },
  { title: 'the empty text is one empty line', base: '', current: 'x', incoming: 'y', merged: 'x', overlaps: ['L1'] },
  { title: 'both begin the empty text alike', base: '', current: 'x', incoming: 'x', merged: 'x' },
  { title: 'emptied against a change', base: 'a\nb', current: '', incoming: 'a\nB', merged: '', overlaps: ['L1-2'] },
  {
    title: 'a final newline added against a change above',
    base: 'a\nb',
    current: 'a\nb\n',
    incoming: 'A\nb',
    merged: 'A\nb\n',
  },
  {
    title: 'a final newline added just below a change',
    base: 'a\nb',
    current: 'a\nb\n',
    incoming: 'a\nB',
    merged: 'a\nB\n',
  },
  {
    title: 'the last line without newline extended by both',
    base: 'a\nb',
    current: 'a\nb\nc',
    incoming: 'a\nb\nd',
    merged: 'a\nb\nc',
    overlaps: ['L2+'],
  },
  {
    title: 'a carriage return belongs to its line',
    base: 'a\r\nb\r\nc',
    current: 'a\nb\r\nc',
    incoming: 'a\r\nb\r\nC',
    merged: 'a\nb\r\nC',
  },
  {
    title: 'newline styles of one line differ',
    base: 'a\r\nb',
    current: 'a\nb',
    incoming: 'A\r\nb',
    merged: 'a\nb',
    overlaps: ['L1'],
  },
  {
    title: 'a lone carriage return ends no line',
    base: 'a\rb\nc',
    current: 'x\rb\nc',
    incoming: 'a\ry\nc',
    merged: 'x\rb\nc',
    overlaps: ['L1'],
  },
  {
    title: 'removed by both, and more by one',
    base: 'a\nb\nc\nd',
    current: 'a\nd',
    incoming: 'a\nc\nd',
    merged: 'a\nd',
    overlaps: ['L2-3'],
  },
]

const swapped = (overlap: TextOverlap): TextOverlap => ({
  id: overlap.id,
  lines: { base: overlap.lines.base, current: overlap.lines.incoming, incoming: overlap.lines.current },
  base: overlap.base,
  current: overlap.incoming,
  incoming: overlap.current,
})

describe('merge of text', () => {
  it.each(cases)('[CONF-2] $title', ({ base, current, incoming, merged, overlaps = [] }) => {
    const result = merge(base, current, incoming)
    expect(result.content).toBe(merged)
    expect(result.clean).toBe(overlaps.length === 0)
    expect(result.overlaps.map((overlap) => overlap.id)).toEqual(overlaps)
    const mirrored = merge(base, incoming, current)
    expect(mirrored.overlaps).toEqual(result.overlaps.map((overlap) => swapped(overlap as TextOverlap)))
    if (result.clean) expect(mirrored.content).toBe(merged)
  })

  it('[CONF-2] an overlap shows the lines of each side, joined, with their ranges', () => {
    const { overlaps } = merge('top\none\ntwo\nend', 'new\ntop\nONE\nextra\ntwo\nend', 'top\n1\n2\nend')
    expect(overlaps).toEqual([
      {
        id: 'L2-3',
        lines: { base: { start: 2, end: 4 }, current: { start: 3, end: 6 }, incoming: { start: 2, end: 4 } },
        base: 'one\ntwo',
        current: 'ONE\nextra\ntwo',
        incoming: '1\n2',
      },
    ])
  })

  it('[CONF-2] a side without lines at the overlap has an empty range at its place', () => {
    const { overlaps } = merge('a\nb\nc', 'x\na\nc', 'a\nB\nc')
    expect(overlaps).toMatchObject([{ lines: { current: { start: 3, end: 3 } }, current: '' }])
  })

  it('[CONF-2] the id stays while current moves elsewhere', () => {
    const base = 'a\nb\nc\nd\ne'
    const [before] = merge(base, 'a\nb\nX\nd\ne', 'a\nb\nY\nd\ne').overlaps
    const [after] = merge(base, 'new\na\nb\nX\nd\nE\nF', 'a\nb\nY\nd\ne').overlaps
    expect(after?.id).toBe(before?.id)
  })
})

describe('mergeWith for text', () => {
  const base = 'a\nb\nc\nd\ne'
  const current = 'a\nB1\nc\nd\nE1'
  const incoming = 'A2\nB2\nc\nd\nE2'
  const choose = (choices: Record<string, Choice>) =>
    mergeWith(base, current, incoming, new Map(Object.entries(choices)))

  it('[RES-1] each overlap takes the side that is chosen, the rest is merged', () => {
    expect(choose({ 'L1-2': 'incoming', L5: 'current' })).toEqual({ content: 'A2\nB2\nc\nd\nE1', errors: [] })
    expect(choose({ 'L1-2': 'base', L5: 'incoming' })).toEqual({ content: 'a\nb\nc\nd\nE2', errors: [] })
    expect(choose({ 'L1-2': { text: 'one\ntwo' }, L5: { text: 'end' } }).content).toBe('one\ntwo\nc\nd\nend')
  })

  it('[RES-5] missing, unknown and unfit choices are each named', () => {
    const { errors } = choose({ L5: { value: 1 }, 'L8+': 'base', 'P/a': 'base' })
    expect(errors.map((error) => error.overlap).sort()).toEqual(['L1-2', 'L5', 'L8+', 'P/a'])
    expect(errors.every((error) => error.message.length > 0)).toBe(true)
  })

  it('[RES-1] a chosen side without lines leaves none behind', () => {
    expect(mergeWith('a\nb\nc', 'a\nc', 'a\nB\nc', new Map([['L2', 'current']])).content).toBe('a\nc')
    expect(mergeWith('a\nc', 'a\nx\nc', 'a\ny\nc', new Map([['L1+', 'base']])).content).toBe('a\nc')
  })

  it.each<[string, string, string, string, string]>([
    ['no side shows it: no lines', 'a\nb\nc', 'a\nx\nc', 'a\ny\nc', 'a\nc'],
    ['a side without lines shows it: no lines', 'a\nb\nc', 'a\nc', 'a\ny\nc', 'a\nc'],
    ['a side with one empty line shows it: that line', 'a\nb\nc', 'a\n\nc', 'a\ny\nc', 'a\n\nc'],
    ['sides differ in what they mean by it: no lines', 'a\nb\nc', 'a\n\nc', 'a\nc', 'a\nc'],
  ])('[RES-1] the text "" where %s', (_, from, one, other, merged) => {
    const [overlap] = merge(from, one, other).overlaps
    const result = mergeWith(from, one, other, new Map([[overlap?.id ?? '', { text: '' }]]))
    expect(result).toEqual({ content: merged, errors: [] })
  })
})

describe('changesOf text', () => {
  it('[CONF-2] lists runs of lines', () => {
    expect(changesOf('a\nb\nc', 'a\nx\ny\nc\nd')).toEqual([
      { lines: { base: { start: 2, end: 3 }, side: { start: 2, end: 4 } }, base: 'b', side: 'x\ny' },
      { lines: { base: { start: 4, end: 4 }, side: { start: 5, end: 6 } }, base: '', side: 'd' },
    ])
    expect(changesOf('a', 'a')).toEqual([])
  })
})

describe('touches for text', () => {
  const current = 'a\nX\nc\nd'
  const { overlaps } = merge('a\nb\nc\nd', current, 'a\nY\nc\nd')
  it.each<[string, string, boolean]>([
    ['changes the overlapping line', 'a\nXX\nc\nd', true],
    ['removes it', 'a\nc\nd', true],
    ['changes a run that holds it', 'A\nXX\nC\nd', true],
    ['changes another line', 'a\nX\nc\nD', false],
    ['changes the lines beside it', 'A\nX\nC\nd', false],
    ['inserts a line before it', 'a\nnew\nX\nc\nd', false],
    ['inserts a line after it', 'a\nX\nnew\nc\nd', false],
    ['changes nothing', current, false],
  ])('[WRITE-7] a write that %s', (_, after, expected) => {
    expect(touches(effectBetween(current, after), current, overlaps)).toBe(expected)
  })

  it('[WRITE-7] a place without lines is touched by what is inserted there', () => {
    const removed = merge('a\nb\nc', 'a\nc', 'a\nB\nc').overlaps
    expect(touches(effectBetween('a\nc', 'a\nnew\nc'), 'a\nc', removed)).toBe(true)
    expect(touches(effectBetween('a\nc', 'A\nC'), 'a\nc', removed)).toBe(true)
    expect(touches(effectBetween('a\nc', 'a\nC'), 'a\nc', removed)).toBe(false)
    expect(touches(null, 'a\nc', removed)).toBe(false)
  })
})
