import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cells, withFewerOrders } from '../support/lineCells.ts'
import { isWrong, runCells, runRestarts, runSuspended, type Result } from '../support/lineMatrix.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const AT_A_TIME = 80
const ALL = withFewerOrders(cells([200, 1_500, 3_000]))

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

function expectRight(results: readonly Result[]): void {
  expect(results.filter(isWrong)).toEqual([])
  // Else nothing was tried.
  const isTold = ({ expected }: Result): boolean => expected === 'conflict'
  expect(results.filter(isTold).length).toBeGreaterThan(results.length / 8)
}

describe('every way in which a line fails × how long × who writes meanwhile × kind × place × order of the ids', () => {
  it(
    '[CONF-6] [CONF-7] nothing that two have written in one place is missed, and nothing else is raised',
    { timeout: 240_000 },
    async () => expectRight(await runCells(server, ALL, AT_A_TIME)),
  )

  it(
    '[CONF-6] [CONF-7] nor where the process of a page is suspended, and edits before it reads what came meanwhile',
    { timeout: 60_000 },
    async () => expectRight(await runSuspended(server, ALL)),
  )

  it('[CONF-6] [CONF-7] nor where the server stops or is killed, and starts again', { timeout: 120_000 }, async () =>
    expectRight(await runRestarts(ALL)),
  )
})
