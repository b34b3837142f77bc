/**
 * `npm run soak -- lines [seconds…]`: every way in which a line fails, as test/e2e/lines.test.ts has them, for lengths that
 * are too long for a test: 8, 45 and 110 s.
 */
import { startConflictServer } from '../support/conflicts.ts'
import { cells, runCells } from '../support/lineMatrix.ts'

const LENGTHS_S = [8, 45, 110]
/** Most of the time they only wait. */
const AT_A_TIME = 120

/** Answers whether nothing was missed and nothing was raised in vain. */
export async function soakLines(lengthsS: readonly number[]): Promise<boolean> {
  const server = await startConflictServer()
  const lengths = lengthsS.length > 0 ? lengthsS : LENGTHS_S
  const results = await runCells(server, cells(lengths.map((seconds) => seconds * 1_000)), AT_A_TIME)
  await server.stop()
  const wrong = results.filter(({ expected, found }) => expected !== 'unclear' && expected !== found)
  for (const { name, expected, found } of wrong) console.log(`  ${name}: expected ${expected}, found ${found}`)
  console.log(`  ${results.length} cells, ${wrong.length} wrong`)
  return wrong.length === 0
}
