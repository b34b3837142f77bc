import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startConflictServer, type ConflictServer } from '../support/conflicts.ts'
import { cells, runCells } from '../support/lineMatrix.ts'

const AT_A_TIME = 40

let server: ConflictServer
beforeAll(async () => {
  server = await startConflictServer()
})
afterAll(() => server.stop())

describe('every way in which a line fails × how long × who writes meanwhile × kind × place', () => {
  it(
    '[CONF-6] [CONF-7] nothing that two have written in one place is missed, and nothing else is raised',
    { timeout: 240_000 },
    async () => {
      const results = await runCells(server, cells([200, 1_500, 3_000]), AT_A_TIME)
      const isWrong = results.filter(({ expected, found }) => expected !== 'unclear' && expected !== found)
      expect(isWrong).toEqual([])
      expect(results.filter(({ found }) => found === 'more than one')).toEqual([])
      expect(results.filter(({ expected }) => expected === 'conflict').length).toBeGreaterThan(50)
    },
  )
})
