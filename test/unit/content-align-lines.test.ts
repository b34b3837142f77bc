import { describe, expect, it } from 'vitest'
import { alignLines } from '../../server/content/alignLines.ts'
import { liveOverlaps, rewriteOverlaps } from '../../server/content/liveMerge.ts'
import { merge, mergeWith } from '../../server/content/merge.ts'

/** `2>2`: line 2 became line 2; `2-3>2`: lines 2 and 3 became line 2; `->3`: nothing became line 3, after line 2. */
const changes = (base: string, side: string): string[] => {
  const name = ([start, end]: readonly [number, number]): string => {
    if (start === end) return `${start}+`
    return end === start + 1 ? `${end}` : `${start + 1}-${end}`
  }
  return alignLines(base.split('\n'), side.split('\n')).map((run) => `${name(run.base)}>${name(run.side)}`)
}

describe('changes of a text', () => {
  it.each<[string, string, string, string[]]>([
    ['a word of each line', 'Call Ada on Monday\nBuy coffee', 'Call Ada on Friday\nBuy coffee and tea', ['1>1', '2>2']],
    ['nothing in common', 'Call Ada on Monday\nBuy coffee', 'Mow lawn\nPay rent', ['1-2>1-2']],
    ['a line put before', 'Call Ada on Monday', 'Mow lawn\nCall Ada on Friday', ['0+>1', '1>2']],
    ['a line put after', 'Call Ada on Monday', 'Call Ada on Friday\nMow lawn', ['1>1', '1+>2']],
    ['a line put between', 'Call Ada\nBuy coffee', 'Call Ada!\nMow lawn\nBuy coffee!', ['1>1', '1+>2', '2>3']],
    ['a line taken out between', 'Call Ada\nMow\nBuy coffee', 'Call Ada!\nBuy coffee!', ['1>1', '2>1+', '3>2']],
    ['others between', 'Call Ada\nMow\nPay\nBuy coffee', 'Call Ada!\nWash\nBuy coffee!', ['1>1', '2-3>2', '4>3']],
    [
      'the first of a list gone, the others changed',
      '- item one\n- item two\n- item three',
      '- item two!\n- item three!',
      ['1>0+', '2>1', '3>2'],
    ],
    ['exactly half alike', 'abcdxxxx\n1', 'abcdyyyy\n2', ['1>1', '2>2']],
    ['a little less than half alike', 'abcdxxxxx\n1', 'abcdyyyy\n2', ['1-2>1-2']],
    ['words in another order', 'on Monday call Ada\n1', 'call Ada on Monday\n2', ['1>1', '2>2']],
    ['indented', '}\n}', '    }\n    } else', ['1>1', '2>2']],
    ['an empty line with blanks', 'x\n\n1', 'x!\n   \n2', ['1>1', '2>2', '3>3']],
    ['line ends', 'a\r\nb\r\nc', 'a\nb\nc', ['1>1', '2>2']],
    ['other letters only', 'ab\ncd', 'xy\nzw', ['1-2>1-2']],
  ])('[CONF-2] %s', (_title, base, side, expected) => {
    expect(changes(base, side)).toEqual(expected)
  })

  const numbered = (count: number, text: string): string =>
    Array.from({ length: count }, (_, i) => `${text} ${i}`).join('\n')

  it('[CONF-2] 2,000 lines that each changed a little are as many changes', () => {
    expect(changes(numbered(2_000, 'say this'), numbered(2_000, 'say that'))).toHaveLength(2_000)
  })

  it('[CONF-2] of more lines than can be looked at in every way those at both ends correspond', () => {
    const [base, side] = [numbered(100, 'say this').split('\n'), numbered(100, 'say that').split('\n')]
    side.splice(50, 0, ...numbered(120, 'quite another').split('\n'))
    const found = changes(base.join('\n'), side.join('\n'))
    expect(found).toHaveLength(101)
    expect(found[50]).toBe('50+>51-170')
  })

  it.each([
    ['few long lines', 40, 20_000],
    ['many short lines', 60_000, 12],
  ])('[CONF-2] past every limit %s are still turned into each other, and always alike', (_title, count, width) => {
    const text = (word: string): string[] => Array.from({ length: count }, (_, i) => `${word} ${i} `.repeat(width / 12))
    const [base, side] = [text('this'), text('that')]
    const runs = alignLines(base, side)
    const made: string[][] = []
    let at = 0
    for (const run of runs) {
      made.push(base.slice(at, run.base[0]), side.slice(...run.side))
      at = run.base[1]
    }
    expect([...made.flat(), ...base.slice(at)].join('\n')).toBe(side.join('\n'))
    expect(alignLines(base, side)).toEqual(runs)
  })
})

describe('merge of texts whose lines correspond', () => {
  const notes = {
    base: 'Call Ada on Monday\nBuy coffee',
    current: 'Call Ada on Tuesday\nBuy coffee',
    incoming: 'Call Ada on Friday\nBuy coffee and tea',
  }

  it('[CONF-2] the line both changed is one overlap, and the line below is merged', () => {
    const { content, overlaps } = merge(notes.base, notes.current, notes.incoming)
    expect(overlaps.map(({ id }) => id)).toEqual(['L1'])
    expect(content).toBe('Call Ada on Tuesday\nBuy coffee and tea')
  })

  it('[CONF-3] choosing incoming for one line of five that current rewrote brings back that line alone', () => {
    const lines = (ending: string): string[] => Array.from({ length: 5 }, (_, i) => `Chapter ${i + 1} begins ${ending}`)
    const [base, current] = [lines('here'), lines('there')]
    const incoming = base.with(2, 'Chapter 3 begins nowhere')
    const sides = [base.join('\n'), current.join('\n'), incoming.join('\n')] as const
    expect(merge(...sides).overlaps.map(({ id }) => id)).toEqual(['L3'])
    const { content } = mergeWith(...sides, new Map([['L3', 'incoming']]))
    expect(content).toBe(current.with(2, 'Chapter 3 begins nowhere').join('\n'))
  })

  it('[CONF-2] a line put between two changed lines overlaps neither', () => {
    const result = merge('Call Ada\nBuy coffee', 'Call Ada!\nBuy coffee!', 'Call Ada\nMow lawn\nBuy coffee')
    expect(result).toEqual({ clean: true, content: 'Call Ada!\nMow lawn\nBuy coffee!', overlaps: [] })
  })

  it('[CONF-2] other line ends throughout meet one edited line in that line only', () => {
    const base = Array.from({ length: 3_000 }, (_, i) => `line ${i}\r`)
    const [current, incoming] = [base.with(1_234, 'line of mine\r'), base.map((line) => line.trimEnd())]
    const { overlaps } = merge(base.join('\n'), current.join('\n'), incoming.join('\n'))
    expect(overlaps.map(({ id }) => id)).toEqual(['L1235'])
  })
})

describe('a live merge of texts whose lines correspond', () => {
  const sides = {
    base: 'Call Ada on Monday\nBuy coffee at noon',
    current: 'Call Ada on Tuesday\nBuy coffee at once',
    incoming: 'Call Ada on Friday\nBuy coffee at nine',
    merged: 'Call Ada on TuesFriday\nBuy coffee at onceine',
    seen: 'Call Ada on TuesFriday\nBuy coffee at onceine',
  }

  it('[CONF-6] each line that both changed is an overlap of its own, with what the merge made of it', () => {
    expect(liveOverlaps(sides, () => 'parts')).toMatchObject([
      { id: 'L1', current: 'Call Ada on Tuesday', incoming: 'Call Ada on Friday', merged: 'Call Ada on TuesFriday' },
      { id: 'L2', current: 'Buy coffee at once', incoming: 'Buy coffee at nine', merged: 'Buy coffee at onceine' },
    ])
  })

  it('[CONF-6] lines that the merge mixed up are one overlap', () => {
    const merged = 'Call at once\nFriday coffee'
    const [overlap, ...others] = liveOverlaps({ ...sides, merged, seen: merged }, () => 'parts')
    expect(others).toEqual([])
    expect(overlap).toMatchObject({ id: 'L1-2', merged })
  })

  it('[RES-1] each is resolved by itself', () => {
    const choices = new Map([
      ['L1', 'current' as const],
      ['L2', 'incoming' as const],
    ])
    const { content, errors } = rewriteOverlaps(sides, () => 'parts', choices)
    expect(errors).toEqual([])
    expect(content).toBe('Call Ada on Tuesday\nBuy coffee at nine')
  })
})
