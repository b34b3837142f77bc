import { afterAll, beforeAll, describe, it } from 'vitest'
import { runRestarts, runSuspended, untilClear } from '../support/lineMatrix.ts'
import { ALL_CELLS, expectRight } from '../support/lineSuite.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

// Side by side, because both wait.
describe.concurrent('every way in which the process of a page or the server stands still or ends', () => {
  it('[CONF-6] [CONF-7] nothing is missed where the process of a page is suspended, and edits before it reads what came', async () =>
    expectRight(await untilClear((cells) => runSuspended(server, cells), ALL_CELLS)))

  it('[CONF-6] [CONF-7] nor where the server stops or is killed, and starts again', async () =>
    expectRight(await untilClear(runRestarts, ALL_CELLS)))
})
