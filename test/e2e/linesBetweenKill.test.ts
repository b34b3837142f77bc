import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  expectJudgedToo,
  expectOneConflict,
  MOMENTS,
  returningServer,
  type End,
  type Moment,
} from '../support/returning.ts'

const server = returningServer()
beforeAll(() => server.start())
afterAll(() => server.dispose())

const kill: End = async (all) => {
  await server.kill()
  for (const { relay } of all) relay.cut()
  await server.start()
}

describe('a returning editor', () => {
  it.each(Object.keys(MOMENTS) as Moment[])('[CONF-6] has one conflict where the server is killed %s', (moment) =>
    expectOneConflict(server, moment.replaceAll(/\W+/g, '-'), moment, kill),
  )

  it('[CONF-6] has what it wrote before it had our answer judged too, where the server is killed then', () =>
    expectJudgedToo(server, 'judged-too', kill))
})
