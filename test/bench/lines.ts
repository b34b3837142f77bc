/**
 * `npm run soak -- lines [seconds…]`: every way in which a line fails, as test/e2e/lines.test.ts has them, for lengths that
 * are too long for a test: 8, 45 and 110 s.
 */
import { cells } from '../support/lineCells.ts'
import { isWrong, runCells, runRestarts, runSuspended, type Result } from '../support/lineMatrix.ts'
import { startTestServer } from '../support/server.ts'

const LENGTHS_S = [8, 45, 110]
/** Most of the time they only wait. */
const AT_A_TIME = 120

/** Answers whether nothing was missed and nothing was raised in vain. */
export async function soakLines(lengthsS: readonly number[]): Promise<boolean> {
  const server = await startTestServer()
  const lengths = lengthsS.length > 0 ? lengthsS : LENGTHS_S
  const all = cells(lengths.map((seconds) => seconds * 1_000))
  let wrong = 0
  const tell = (what: string, results: readonly Result[]): void => {
    const bad = results.filter(isWrong)
    wrong += bad.length
    for (const { name, expected, found } of bad) console.log(`  ${name}: expected ${expected}, found ${String(found)}`)
    const unclear = results.filter((one) => one.expected === 'unclear').length
    console.log(`  ${what}: ${results.length} cells, ${unclear} of them unclear, ${bad.length} wrong`)
  }
  // One after the other: each has as much to do at one moment as two cores can.
  tell('lines', await runCells(server, all, AT_A_TIME))
  tell('suspended processes', await runSuspended(server, all))
  tell('restarts', await runRestarts(all))
  await server.stop()
  return wrong === 0
}
