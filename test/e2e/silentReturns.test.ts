import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { newConflictId } from '../../server/documents/conflictIds.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { OfflineScene } from '../support/offline.ts'
import type { Answer } from '../support/server.ts'
import type { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

let scene: OfflineScene
beforeAll(async () => {
  scene = await OfflineScene.start()
})
afterAll(() => scene.stop())

const ORDERS = [
  ['lower', 1, 2],
  ['higher', 2, 1],
] as const

function replace(text: Y.Text, from: string, to: string): void {
  const at = text.toString().indexOf(from)
  if (at === -1) throw new Error(`${from} is not in ${text.toString()}`)
  text.doc?.transact(() => {
    text.delete(at, from.length)
    text.insert(at, to)
  })
}

const ids = (conflicts: Awaited<ReturnType<OfflineScene['conflicts']>>): string[] =>
  conflicts.flatMap((conflict) => conflict.overlaps.map((overlap: { id: string }) => overlap.id))

describe.each(ORDERS)('a client with the %s id returns', (_, alices, bobs) => {
  /** Alice is away; bob is not. */
  async function apart(content: unknown): Promise<{ id: string; alice: StockClient; bob: StockClient }> {
    const { id } = await scene.create(content)
    const [alice, bob] = [await scene.join(id, 'alice', alices), await scene.join(id, 'bob', bobs)]
    await scene.leave(alice)
    return { id, alice, bob }
  }

  describe('to a text inside a json', () => {
    const noteOf = (client: StockClient): Y.Text => {
      const note = client.map.get('note')
      if (!(note instanceof Y.Text)) throw new Error('the note is no text')
      return note
    }
    async function withNote(): Promise<{ id: string; alice: StockClient; bob: StockClient }> {
      const { id } = await scene.create({ title: 'a' })
      const bob = await scene.join(id, 'bob', bobs)
      bob.map.set('note', new Y.Text('one\ntwo\nthree'))
      await scene.agree(bob)
      const alice = await scene.join(id, 'alice', alices)
      await scene.leave(alice)
      return { id, alice, bob }
    }

    it('[CONF-6] one line written by both is found at the pointer of the text', async () => {
      const { id, alice, bob } = await withNote()
      replace(noteOf(bob), 'two', 'TWO')
      replace(noteOf(alice), 'two', 'zwei')
      replace(noteOf(alice), 'three', 'drei')
      await scene.agree(bob)
      await scene.comeBack(alice)
      const [conflict, ...more] = await scene.conflicts(id)
      expect(more).toEqual([])
      const now = (await scene.content(id)) as { note: string }
      expect(conflict.overlaps).toMatchObject([
        {
          id: 'P/note',
          pointer: '/note',
          base: { present: true, value: 'one\ntwo\nthree' },
          current: { present: true, value: 'one\nTWO\nthree' },
          incoming: { present: true, value: 'one\nzwei\ndrei' },
          merged: { present: true, value: now.note },
        },
      ])
      const rest = await scene.server.as('rest')
      const { version } = (await rest.get(`/documents/${id}`)).body
      const way = { conflictId: conflict.id, baseVersion: version, use: 'incoming' }
      expect((await rest.post('/resolve-conflict', way)).status).toBe(200)
      expect(await scene.content(id)).toEqual({ title: 'a', note: 'one\nzwei\ndrei' })
    })

    it('[CONF-7] different lines of it raise nothing', async () => {
      const { id, alice, bob } = await withNote()
      replace(noteOf(bob), 'one', 'ONE')
      replace(noteOf(alice), 'three', 'drei')
      await scene.agree(bob)
      await scene.comeBack(alice)
      expect(await scene.conflicts(id)).toEqual([])
      expect(await scene.content(id)).toEqual({ title: 'a', note: 'ONE\ntwo\ndrei' })
    })
  })

  describe('with deletes only', () => {
    it('[CONF-6] of a line another rewrote: found', async () => {
      const { id, alice, bob } = await apart('one\ntwo\nthree')
      replace(bob.text, 'two', 'TWO')
      replace(alice.text, 'two\n', '')
      await scene.agree(bob)
      await scene.comeBack(alice)
      const [conflict, ...more] = await scene.conflicts(id)
      expect(more).toEqual([])
      expect(conflict).toMatchObject({
        base: { content: 'one\ntwo\nthree' },
        current: { content: 'one\nTWO\nthree', authors: ['bob'] },
        incoming: { content: 'one\nthree', authors: ['alice'] },
      })
    })

    it('[CONF-7] of another line: nothing is raised', async () => {
      const { id, alice, bob } = await apart('one\ntwo\nthree')
      replace(bob.text, 'one', 'ONE')
      replace(alice.text, '\nthree', '')
      await scene.agree(bob)
      await scene.comeBack(alice)
      expect(await scene.conflicts(id)).toEqual([])
      expect(await scene.content(id)).toBe('ONE\ntwo')
    })
  })

  it('[CONF-6] a key set again and again by both, also back to what it was, is one overlap of what each left', async () => {
    const { id, alice, bob } = await apart({ key: 'base' })
    for (const value of ['b1', 'base', 'b2']) bob.map.set('key', value)
    for (const value of ['a1', 'a2']) alice.map.set('key', value)
    await scene.agree(bob)
    await scene.comeBack(alice)
    const found = await scene.conflicts(id)
    expect(found).toHaveLength(1)
    expect(found[0].overlaps).toMatchObject([
      { id: 'P/key', base: { value: 'base' }, current: { value: 'b2' }, incoming: { value: 'a2' } },
    ])
  })

  it('[CONF-6] an edit inside an element that was deleted is found', async () => {
    const { id, alice, bob } = await apart({ list: [{ name: 'x' }, { name: 'y' }] })
    const listOf = (client: StockClient): Y.Array<Y.Map<unknown>> => client.map.get('list') as Y.Array<Y.Map<unknown>>
    listOf(bob).delete(0)
    listOf(alice).get(0).set('name', 'X')
    await scene.agree(bob)
    await scene.comeBack(alice)
    expect(ids(await scene.conflicts(id))).toEqual(['P/list/0'])
    expect(await scene.content(id)).toEqual({ list: [{ name: 'y' }] })
  })

  describe('and another tab of its browser', () => {
    /** All one tab has reaches the other, as over a BroadcastChannel. */
    const tell = (from: StockClient, to: StockClient): void =>
      Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc), 'broadcast')

    it('[CONF-6] that was away too brings its edits first: one conflict, and none when it comes itself', async () => {
      const { id } = await scene.create('one\ntwo\nthree')
      const bob = await scene.join(id, 'bob', bobs)
      const [tab, sibling] = [await scene.join(id, 'alice', alices), await scene.join(id, 'alice', 7)]
      await scene.leave(tab, sibling)
      replace(bob.text, 'two', 'TWO')
      replace(tab.text, 'two', 'zwei')
      tell(tab, sibling)
      await scene.agree(bob)
      await scene.comeBack(sibling)
      await scene.comeBack(tab)
      const found = await scene.conflicts(id)
      expect(ids(found)).toEqual(['L2'])
      expect(found[0]).toMatchObject({
        current: { content: 'one\nTWO\nthree', authors: ['bob'] },
        incoming: { content: 'one\nzwei\nthree', authors: ['alice'] },
      })
    })

    it('[CONF-6] that opens later, and reads what was stored only once it is in sync, brings them: found', async () => {
      const { id } = await scene.create('one\ntwo\nthree')
      const bob = await scene.join(id, 'bob', bobs)
      const tab = await scene.join(id, 'alice', alices)
      await scene.leave(tab)
      bob.text.insert(7, ' by bob')
      tab.text.insert(4, 'by alice ')
      await scene.agree(bob)
      const later = await scene.join(id, 'alice', 7)
      await later.shows('one\ntwo by bob\nthree')
      await scene.leave()
      tell(tab, later)
      await scene.agree(later)
      const found = await scene.conflicts(id)
      expect(ids(found)).toEqual(['L2'])
      expect(found[0]).toMatchObject({
        base: { version: 1, content: 'one\ntwo\nthree' },
        current: { content: 'one\ntwo by bob\nthree', authors: ['bob'] },
        incoming: { content: 'one\nby alice two\nthree', authors: ['alice'] },
      })
    })

    it('[CONF-7] that opens later and brings stored edits of another place raises nothing', async () => {
      const { id } = await scene.create('one\ntwo\nthree')
      const bob = await scene.join(id, 'bob', bobs)
      const tab = await scene.join(id, 'alice', alices)
      replace(tab.text, 'three', 'drei')
      await scene.leave(tab)
      replace(bob.text, 'one', 'ONE')
      replace(tab.text, 'drei', 'trois')
      await scene.agree(bob)
      const later = await scene.join(id, 'alice', 7)
      tell(tab, later)
      await scene.agree(later)
      expect(await scene.conflicts(id)).toEqual([])
      expect(await scene.content(id)).toBe('ONE\ntwo\ntrois')
    })

    it('[CONF-7] tabs that tell each other everything raise nothing', async () => {
      const { id } = await scene.create('one\ntwo\nthree')
      const bob = await scene.join(id, 'bob', bobs)
      const [tab, sibling] = [await scene.join(id, 'alice', alices), await scene.join(id, 'alice', 7)]
      await scene.leave(tab)
      replace(bob.text, 'two', 'TWO')
      await scene.agree(bob)
      await sibling.shows('one\nTWO\nthree')
      await scene.leave()
      tell(sibling, tab)
      replace(tab.text, 'TWO', 'TWO by both')
      tell(tab, sibling)
      await scene.agree(sibling)
      await scene.comeBack(tab)
      expect(await scene.conflicts(id)).toEqual([])
      expect(await scene.content(id)).toBe('one\nTWO by both\nthree')
    })
  })

  it('[CONF-6] after more entries than lie between two snapshots: exact, however far back its base is', async () => {
    const { id, alice, bob } = await apart('one\ntwo\nthree\n')
    replace(bob.text, 'two', 'TWO')
    for (let n = 0; n < 600; n += 1) bob.text.insert(bob.text.length, `${n}\n`)
    replace(alice.text, 'two', 'zwei')
    await scene.agree(bob)
    const current = await scene.content(id)
    await scene.comeBack(alice)
    const [conflict, ...more] = await scene.conflicts(id)
    expect(more).toEqual([])
    expect(conflict.current.version).toBeGreaterThan(512)
    expect(conflict).toMatchObject({
      base: { version: 1, content: 'one\ntwo\nthree\n' },
      current: { content: current, authors: ['bob'] },
      incoming: { content: 'one\nzwei\nthree\n' },
      overlaps: [{ id: 'L2', base: 'two', current: 'TWO', incoming: 'zwei' }],
    })
  })
})

it('[CONF-9] past 100 open conflicts a loss is kept all the same: the oldest gives way, and everyone is told', async () => {
  const { id, rest } = await scene.create('line')
  const [alice, bob] = [await scene.join(id, 'alice'), await scene.join(id, 'bob')]
  const comeBack = async (edit: string): Promise<void> => {
    await scene.leave(alice)
    bob.text.insert(0, 'bob ')
    alice.text.insert(alice.text.length, edit)
    await scene.agree(bob)
    await scene.comeBack(alice)
  }
  await comeBack(' of alice')
  const [oldest] = await scene.conflicts(id)
  const { storage } = scene.server
  const record = await storage.conflict(oldest.id)
  if (!record) throw new Error('the return raised nothing')
  const conflicts = Array.from({ length: 99 }, () => {
    return { op: 'insert', record: { ...record, id: newConflictId(systemEnvironment) } } as const
  })
  const hash = record.incoming.hash ?? expect.fail('what was lost is kept')
  const contents = new Map([[hash, (await storage.content(record.id, hash)) ?? expect.fail('it is there')]])
  await storage.commit({ at: 0, appends: [], conflicts, contents, events: [] })
  await comeBack(', again')
  const items = async (status: string): Promise<Answer['body'][]> =>
    (await rest.get(`/conflicts?document=${id}&status=${status}&limit=500`)).body.items
  await eventually(async () => expect(await items('superseded')).toHaveLength(1))
  const closed = (await rest.get(`/conflicts/${oldest.id}`)).body
  expect(closed).toMatchObject({ status: 'superseded', closedBy: 'alice', incoming: { content: 'line of alice' } })
  expect(closed.closedComment).toContain('100 newer')
  const open = await items('open')
  expect(open).toHaveLength(100)
  const newest = (await rest.get(`/conflicts/${open[0].id}`)).body
  expect(newest.incoming.content).toBe('bob line of alice, again')
  expect((await scene.server.eventsOf(id)).slice(-2)).toEqual([
    ['conflict.detected', expect.objectContaining({ conflict: newest.id })],
    ['conflict.superseded', expect.objectContaining({ conflict: oldest.id, kind: 'concurrent-edit', by: 'alice' })],
  ])
})
