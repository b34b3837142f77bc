import { expect, it } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'

it('a refusal has no stack trace, a failure has one, and so has whatever else goes wrong after either', () => {
  const linesOf = ({ stack = '' }: Error): number => stack.split('\n').filter((line) => /^\s+at /.test(line)).length
  expect(linesOf(new ParleyError('version-conflict', 'It changed.'))).toBe(0)
  expect(linesOf(new Error('a bug'))).toBeGreaterThan(0)
  expect(linesOf(new ParleyError('internal', 'It broke.'))).toBeGreaterThan(0)
})
