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

const cut: End = async (all) => all.forEach(({ relay }) => relay.cut())

// Side by side, because each waits for its line.
describe.concurrent('a returning editor', () => {
  it.each(Object.keys(MOMENTS) as Moment[])('[CONF-6] has one conflict where the line is cut %s', (moment) =>
    expectOneConflict(server, moment.replaceAll(/\W+/g, '-'), moment, cut),
  )

  it('[CONF-6] has what it wrote before it had our answer judged too, where the line is cut then', () =>
    expectJudgedToo(server, 'judged-too', cut))
})
