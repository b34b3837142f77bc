import { afterEach, beforeEach, expect, it } from 'vitest'
import { HistoryReader } from '../../server/history/reader.ts'
import { Restorer } from '../../server/history/restore.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { comparerHere } from '../support/schemas.ts'
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
    get: (target, name): unknown =>
      name === 'effects'
        ? effects
        : name === 'read'
          ? <T>(question: (view: Storage) => Promise<T>) => question(storage)
          : Reflect.get(target, name),
  })
  const history = new HistoryReader(storage)
  const restorer = new Restorer({ storage, writer: core.writer, history, comparer: comparerHere() })
  const blame = (document: string) => history.blame(id(document), false)
  const revert = restorer.revert({
    document: id('b'),
    author: ALICE,
    isAdmin: false,
    intent: { type: 'unconditional' },
    lockToken: null,
    terms: null,
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

it('[OPS-8] who asks for the same shares one walk, which ends when the last of them has gone', async () => {
  let pages = 0
  const effects: Storage['effects'] = (...range) => {
    pages += 1
    return core.storage.effects(...range)
  }
  const storage = new Proxy(core.storage, {
    get: (target, name): unknown =>
      name === 'effects'
        ? effects
        : name === 'read'
          ? <T>(question: (view: Storage) => Promise<T>) => question(storage)
          : Reflect.get(target, name),
  })
  const history = new HistoryReader(storage)
  await history.blame(id('a'), false)
  const alone = pages
  pages = 0
  await Promise.all(Array.from({ length: 30 }, () => history.blame(id('a'), false)))
  expect(pages).toBe(alone)
  pages = 0
  const leaving = Array.from({ length: 30 }, () => new AbortController())
  const asked = leaving.map(({ signal }) => history.blame(id('a'), false, signal).catch(() => 'given up'))
  for (const one of leaving) one.abort()
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['given up']))
  expect(pages).toBeLessThan(alone)
  expect((await history.blame(id('a'), false)).version).toBe(LONG)
})
