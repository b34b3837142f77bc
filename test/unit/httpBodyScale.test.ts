import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assertModest } from '../../server/http/bodyScale.ts'

const PAD = ' '.repeat(25_001)
const scan = (json: string, maxValues: number): string => {
  try {
    assertModest(Buffer.from(json + PAD), maxValues)
    return 'taken'
  } catch (error) {
    return error instanceof Error ? error.message : 'thrown'
  }
}

/** Scalars, members and elements of a value, and one for each container: what the scan counts. */
function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const inside = Object.values(value)
  return 1 + Math.max(0, inside.length - 1) + inside.reduce((sum: number, one: unknown) => sum + valuesOf(one), 0)
}

describe('[OPS-8] the scale of a JSON body', () => {
  it('[OPS-8] is counted as a parser would find it, whatever strings and keys hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 2 }), (value, indent) => {
        const json = JSON.stringify(value, null, indent)
        const values = 1 + valuesOf(JSON.parse(json))
        expect(scan(json, values)).toBe('taken')
        expect(scan(json, values - 1)).toContain(`more than ${values - 1} values`)
      }),
    )
  })

  it.each([
    ['brackets', '['.repeat(30_000), 'deeper than 25000 levels'],
    ['braces', '{"a":'.repeat(30_000), 'deeper than 25000 levels'],
    ['siblings', `[${'0,'.repeat(50_000)}0]`, 'more than 40000 values'],
    ['brackets in a string', `"${'['.repeat(20_000)}"`, 'taken'],
    ['commas in a string with escaped quotes', `"${'\\",'.repeat(20_000)}"`, 'taken'],
    [
      'a backslash before the end of a string',
      `["${'\\\\'.repeat(9)}",${'0,'.repeat(50_000)}0]`,
      'more than 40000 values',
    ],
    ['a string without an end', `"${','.repeat(20_000)}`, 'taken'],
    ['what is no JSON', `]]]${'x'.repeat(20_000)}`, 'taken'],
  ])('[OPS-8] of %s is told', (_what, json, told) => {
    expect(scan(json, 40_000)).toContain(told)
  })
})
