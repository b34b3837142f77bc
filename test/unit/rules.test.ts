import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareRules, rulesNamedIn, rulesOf, rulesTestedIn, type Debt } from '../support/rules.ts'

const project = resolve(import.meta.dirname, '../..')
const read = (file: string): Promise<string> => readFile(resolve(project, file), 'utf8')

describe('rules and tests', () => {
  it('name each other, but for what is owed', async () => {
    const specified = rulesOf(await read('server/SPEC.md'))
    const tested = await rulesTestedIn([resolve(project, 'test'), resolve(project, 'client-demo')])
    const owed = JSON.parse(await read('test/owed-rules.json')) as Record<string, Debt>
    expect(compareRules(specified, tested, owed)).toEqual({
      untested: [],
      unknown: [],
      paid: [],
      unproven: [],
      owedInVain: [],
    })
  })
})

/** Written apart, so that this file itself names no rule. */
const id = (name: string): string => `[${name}]`

describe('the comparison', () => {
  it('reads definitions, not mentions', () => {
    const text = `- **${id('AB-1')}** one, see AB-2 and ${id('AB-3')}\n- **${id('AB-12')}** two`
    expect(rulesOf(text)).toEqual(new Set(['AB-1', 'AB-12']))
  })

  it('finds the ids that titles begin with', () => {
    const source = [
      `it('${id('A-1')} ${id('B-2')} does', () => {})`,
      `it.each([\n  ['x'],\n])(\n  "${id('C-3')} %s", () => {})`,
      `describe(\`${id('D-4')} all of it\`, () => {})`,
      `it.concurrent('${id('E-5')} does', () => {})`,
    ].join('\n')
    expect(rulesNamedIn(source)).toEqual(new Set(['A-1', 'B-2', 'C-3', 'D-4', 'E-5']))
  })

  it('counts no skipped test, comment, or id in the middle of a text', () => {
    const source = [
      `it.skip('${id('A-1')} does', () => {})`,
      `it.todo('${id('B-2')} does')`,
      `// ${id('C-3')} is elsewhere`,
      `it('does what ${id('D-4')} says', () => {})`,
    ].join('\n')
    expect(rulesNamedIn(source)).toEqual(new Set())
  })

  it('tells in which way they disagree', () => {
    const specified = new Set(['A-1', 'A-2', 'A-3', 'A-4', 'A-5', 'A-6'])
    const tested = new Set(['A-1', 'A-4', 'A-5', 'Z-9'])
    const whole = { part: 'later' }
    const half = { part: 'later', built: 'half of it' }
    expect(
      compareRules(specified, tested, { 'A-3': whole, 'A-4': whole, 'A-5': half, 'A-6': half, 'Y-1': whole }),
    ).toEqual({
      untested: ['A-2'],
      unknown: ['Z-9'],
      paid: ['A-4'],
      unproven: ['A-6'],
      owedInVain: ['Y-1'],
    })
  })
})
