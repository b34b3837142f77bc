import { afterEach, beforeEach, expect, it } from 'vitest'
import { HistoryReader } from '../../server/history/reader.ts'
import { Restorer } from '../../server/history/restore.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { ALICE, BOB, id, startCore, type DocumentCore } from '../support/documentCore.ts'

/** Past what counts as a short walk. */
const LONG = 2_100

let core: DocumentCore
beforeEach(async () => {
  core = await startCore()
  for (const name of ['a', 'b', 'short']) await core.create(name, 'text 1')
  for (const name of ['a', 'b']) await core.writeUpTo(name, LONG)
})
afterEach(() => core.stop())

it('[HIST-6] [HIST-7] long histories are gone through one after the other, a short one at once', async () => {
  const read: string[] = []
  const effects: Storage['effects'] = (document, ...range) => {
    read.push(document)
    return core.storage.effects(document, ...range)
  }
  const storage = new Proxy(core.storage, {
    get: (target, name): unknown => (name === 'effects' ? effects : Reflect.get(target, name)),
  })
  const history = new HistoryReader(storage)
  const restorer = new Restorer(storage, core.writer, history)
  const blame = (document: string) => history.blame(id(document), false)
  const revert = restorer.revert({
    document: id('b'),
    author: ALICE,
    isAdmin: false,
    intent: { type: 'unconditional' },
    lockToken: null,
    keep: null,
    of: BOB,
    since: 0,
  })
  const [reverted] = await Promise.all([revert, blame('a'), blame('b'), blame('short')])
  expect(reverted).toMatchObject({ status: 'done', outcome: 'unchanged' })
  const long = read.filter((document) => document !== 'short')
  const changes = long.filter((document, n) => n > 0 && document !== long[n - 1]).length
  expect(long.length).toBeGreaterThan(20)
  expect(changes).toBeLessThanOrEqual(2)
  expect(read.indexOf('short')).toBeLessThan(10)
})
