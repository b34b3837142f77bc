import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type * as Y from 'yjs'
import { OfflineScene } from '../support/offline.ts'
import type { Caller } from '../support/server.ts'
import type { StockClient } from '../support/stockClient.ts'

let scene: OfflineScene
beforeAll(async () => {
  scene = await OfflineScene.start()
})
afterAll(() => scene.stop())

interface Staged {
  readonly id: string
  readonly rest: Caller
  readonly alice: StockClient
  readonly bob: StockClient
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  readonly conflict: any
  version(): Promise<number>
}

const replace = (text: Y.Text, from: string, to: string): void => {
  const at = text.toString().indexOf(from)
  text.delete(at, from.length)
  text.insert(at, to)
}

/** Alice and bob both rewrote line two; alice was offline, and also wrote line five. */
async function stageText(): Promise<Staged> {
  const { id, rest } = await scene.create('one\ntwo\nthree\nfour\nfive')
  const [alice, bob] = [await scene.join(id, 'alice', 1), await scene.join(id, 'bob', 2)]
  await scene.leave(alice)
  replace(bob.text, 'two', 'TWO')
  replace(alice.text, 'two', 'zwei')
  replace(alice.text, 'five', 'fünf')
  await scene.agree(bob)
  await scene.comeBack(alice)
  return finish(id, rest, alice, bob)
}

/** Both set `key`; alice was offline, and also set `own`. */
async function stageJson(): Promise<Staged> {
  const { id, rest } = await scene.create({ key: 'base', list: [1, 2, 3] })
  const [alice, bob] = [await scene.join(id, 'alice', 1), await scene.join(id, 'bob', 2)]
  await scene.leave(alice)
  bob.map.set('key', 'bob')
  alice.map.set('key', 'alice')
  alice.map.set('own', true)
  await scene.agree(bob)
  await scene.comeBack(alice)
  return finish(id, rest, alice, bob)
}

async function finish(id: string, rest: Caller, alice: StockClient, bob: StockClient): Promise<Staged> {
  const [conflict] = await scene.conflicts(id)
  if (!conflict) throw new Error('no conflict was opened')
  const version = async () => (await rest.get(`/documents/${id}`)).body.version
  return { id, rest, alice, bob, conflict, version }
}

const resolve = ({ rest, conflict }: Staged, baseVersion: number, way: Record<string, unknown>) =>
  rest.post('/resolve-conflict', { conflictId: conflict.id, baseVersion, ...way })

describe('resolving a concurrent edit', () => {
  it('[RES-1] shows what the merge made of each place', async () => {
    const { conflict, id } = await stageText()
    const now = (await scene.content(id)) as string
    expect(conflict.overlaps).toEqual([
      {
        id: 'L2',
        lines: {
          base: { start: 2, end: 3 },
          current: { start: 2, end: 3 },
          incoming: { start: 2, end: 3 },
          merged: { start: 2, end: 3 },
        },
        base: 'two',
        current: 'TWO',
        incoming: 'zwei',
        merged: now.split('\n')[1],
        authors: ['bob'],
      },
    ])
  })

  it.each([
    ['current', 'one\nTWO\nthree\nfour\nfünf'],
    ['incoming', 'one\nzwei\nthree\nfour\nfünf'],
  ])('[RES-1] `%s` rewrites the overlapping place only, as an ordinary write', async (use, content) => {
    const staged = await stageText()
    const version = await staged.version()
    const done = await resolve(staged, version, { use })
    expect(done.status).toBe(200)
    expect(done.body.document.version).toBe(version + 1)
    expect(await scene.content(staged.id)).toBe(content)
    await staged.alice.shows(content)
    await staged.bob.shows(content)
  })

  it('[RES-1] a choice takes a text for the place', async () => {
    const staged = await stageText()
    const way = { use: 'choices', choices: { L2: { text: 'two lines\nof both' } } }
    expect((await resolve(staged, await staged.version(), way)).status).toBe(200)
    expect(await scene.content(staged.id)).toBe('one\ntwo lines\nof both\nthree\nfour\nfünf')
  })

  it('[RES-1] a content made from `merged` goes in on its version, and what others wrote since stays', async () => {
    const staged = await stageText()
    const { id, bob, conflict } = staged
    const { content, version } = conflict.merged
    expect(version).toBe(await staged.version())
    bob.text.insert(bob.text.length, ' since')
    await scene.agree(bob)
    const byHand = content.replace(/\n.*\nthree/, '\nby hand\nthree')
    expect((await resolve(staged, version, { use: 'content', content: byHand })).status).toBe(200)
    expect(await scene.content(id)).toBe('one\nby hand\nthree\nfour\nfünf since')
  })

  it('[RES-5] `merged` keeps what stands and writes no version', async () => {
    const staged = await stageText()
    const [version, before] = [await staged.version(), await scene.content(staged.id)]
    const done = await resolve(staged, version, { use: 'merged' })
    expect(done.status).toBe(200)
    expect(done.body.conflict.resolution).toMatchObject({ use: 'merged', version })
    expect(done.body.document.version).toBe(version)
    expect(await scene.content(staged.id)).toBe(before)
  })

  it('[RES-5] names a missing and an unknown choice, and writes nothing', async () => {
    const staged = await stageText()
    const version = await staged.version()
    const done = await resolve(staged, version, { use: 'choices', choices: { L7: 'base' } })
    expect(done.status).toBe(422)
    expect(done.body.errors.map((error: { overlap: string }) => error.overlap).toSorted()).toEqual(['L2', 'L7'])
    expect(await staged.version()).toBe(version)
  })

  it.each([
    [{ use: 'current' }, 'zero\none\nTWO\nthree\nfour\nfünf'],
    [{ use: 'incoming' }, 'zero\none\nzwei\nthree\nfour\nfünf'],
    [{ use: 'choices', choices: { L2: 'base' } }, 'zero\none\ntwo\nthree\nfour\nfünf'],
    [{ use: 'content', content: 'one\nall new\nthree\nfour\nfünf' }, 'zero\none\nall new\nthree\nfour\nfünf'],
  ])('[RES-4] %j merges with what was written since the resolver looked', async (way, content) => {
    const staged = await stageText()
    const version = await staged.version()
    staged.bob.text.insert(0, 'zero\n')
    await scene.agree(staged.bob)
    expect((await resolve(staged, version, way)).status).toBe(200)
    expect(await scene.content(staged.id)).toBe(content)
  })

  it('[RES-4] `merged` keeps what was written since as well', async () => {
    const staged = await stageText()
    const version = await staged.version()
    staged.bob.text.insert(0, 'zero\n')
    await scene.agree(staged.bob)
    const before = await scene.content(staged.id)
    expect((await resolve(staged, version, { use: 'merged' })).status).toBe(200)
    expect(await scene.content(staged.id)).toBe(before)
  })

  it.each([{ use: 'current' }, { use: 'incoming' }, { use: 'choices', choices: { L2: 'incoming' } }])(
    '[RES-1] %j never undoes what others wrote at the place since: 409, refreshed, still open',
    async (way) => {
      const staged = await stageText()
      const version = await staged.version()
      const line = ((await scene.content(staged.id)) as string).split('\n')[1] ?? ''
      replace(staged.bob.text, line, 'bob again')
      await scene.agree(staged.bob)
      const before = await scene.content(staged.id)
      const refused = await resolve(staged, version, way)
      expect(refused.status).toBe(409)
      expect(refused.body.code).toBe('version-conflict')
      expect(refused.body.conflict).toMatchObject({ id: staged.conflict.id, status: 'open' })
      expect(refused.body.conflict.overlaps[0].merged).toBe('bob again')
      expect(await scene.content(staged.id)).toBe(before)
      // Who has seen what stands there now may decide about it.
      expect((await resolve(staged, await staged.version(), way)).status).toBe(200)
    },
  )

  it('[CONF-6] the value that lost is taken back with one call, and nothing else is touched', async () => {
    const staged = await stageJson()
    const [overlap] = staged.conflict.overlaps
    expect(overlap).toMatchObject({
      pointer: '/key',
      current: { value: 'bob', author: 'bob' },
      incoming: { value: 'alice' },
      merged: { value: 'bob' },
    })
    const done = await resolve(staged, await staged.version(), { use: 'incoming' })
    expect(done.status).toBe(200)
    expect(await scene.content(staged.id)).toEqual({ key: 'alice', own: true, list: [1, 2, 3] })
  })

  it('[RES-4] a json place is rewritten beside what others set since', async () => {
    const staged = await stageJson()
    const version = await staged.version()
    staged.bob.map.set('later', 1)
    await scene.agree(staged.bob)
    expect((await resolve(staged, version, { use: 'incoming' })).status).toBe(200)
    expect(await scene.content(staged.id)).toEqual({ key: 'alice', own: true, list: [1, 2, 3], later: 1 })
  })

  it('[RES-1] a json place that was set since is not overwritten', async () => {
    const staged = await stageJson()
    const version = await staged.version()
    staged.bob.map.set('key', 'bob again')
    await scene.agree(staged.bob)
    const refused = await resolve(staged, version, { use: 'incoming' })
    expect(refused.status).toBe(409)
    expect(refused.body.conflict.overlaps[0]).toMatchObject({ pointer: '/key', merged: { value: 'bob again' } })
    expect(await scene.content(staged.id)).toMatchObject({ key: 'bob again' })
    const done = await resolve(staged, await staged.version(), { use: 'incoming' })
    expect(done.status).toBe(200)
    expect(await scene.content(staged.id)).toMatchObject({ key: 'alice', own: true })
  })
})
