import { afterAll, beforeAll, describe, it } from 'vitest'
import { runCells, untilClear } from '../support/lineMatrix.ts'
import { ALL_CELLS, expectRight } from '../support/lineSuite.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** They wait for their lines most of the time. */
const AT_A_TIME = 120
/** On a machine that others use as well so many may be too many: with each try so many times fewer. */
const FEWER = 4

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

describe('every way in which a line fails × how long × who writes meanwhile × kind × place × order of the ids', () => {
  it('[CONF-6] [CONF-7] nothing that two have written in one place is missed, and nothing else is raised', async () => {
    const atATime = (tries: number): number => Math.ceil(AT_A_TIME / FEWER ** tries)
    expectRight(await untilClear((cells, tries) => runCells(server, cells, atATime(tries)), ALL_CELLS))
  })
})
