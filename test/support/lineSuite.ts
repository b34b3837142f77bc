import { expect } from 'vitest'
import { cells, withFewerOrders } from './lineCells.ts'
import { isWrong, type Result } from './lineMatrix.ts'

/** Short of the window, short of it by little, and beyond. */
export const ALL_CELLS = withFewerOrders(cells([200, 1_500, 3_000]))

/** Nothing is missed, and nothing is raised in vain. */
export function expectRight(results: readonly Result[]): void {
  expect(results.filter(isWrong)).toEqual([])
  // Else nothing was tried.
  const isTold = ({ expected }: Result): boolean => expected === 'conflict'
  expect(results.filter(isTold).length).toBeGreaterThan(results.length / 8)
}
