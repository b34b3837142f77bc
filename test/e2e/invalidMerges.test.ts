import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type * as Y from 'yjs'
import { OfflineScene } from '../support/offline.ts'
import type { Caller } from '../support/server.ts'
import type { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

/** At most two tasks, and a number if there is one. */
const SCHEMA = {
  type: 'object',
  required: ['title'],
  properties: { tasks: { type: 'array', maxItems: 2 }, n: { type: 'number' } },
}

let scene: OfflineScene
beforeAll(async () => {
  scene = await OfflineScene.start()
})
afterAll(() => scene.stop())

interface Live {
  readonly id: string
  readonly rest: Caller
  readonly alice: StockClient
  readonly bob: StockClient
}

async function open(content: unknown): Promise<Live> {
  const { id, rest } = await scene.create(content, { schema: SCHEMA })
  return { id, rest, alice: await scene.join(id, 'alice', 1), bob: await scene.join(id, 'bob', 2) }
}

const tasks = ({ map }: StockClient): Y.Array<unknown> => map.get('tasks') as Y.Array<unknown>

/** Each adds a task, valid by itself; both together are one too many. */
async function stage() {
  const live = await open({ title: 't', tasks: ['one'] })
  const { id, rest, alice, bob } = live
  alice.provider.disconnect()
  tasks(bob).push(['of bob'])
  await scene.agree(bob)
  const before: number = (await rest.get(`/documents/${id}`)).body.version
  tasks(alice).push(['of alice'])
  await scene.comeBack(alice)
  const conflict = await opened(live)
  return { ...live, before, conflict }
}

/** The conflict once it is open, in full. */
async function opened({ rest, id }: Live) {
  return eventually(async () => {
    const { items } = (await rest.get(`/conflicts?document=${id}&kind=invalid-merge&status=open`)).body
    expect(items).toHaveLength(1)
    return (await rest.get(`/conflicts/${items[0].id}`)).body
  })
}

const until = ({ rest }: Live, conflict: { id: string }, status: string) =>
  eventually(async () => {
    const { body } = await rest.get(`/conflicts/${conflict.id}`)
    expect(body.status).toBe(status)
    return body
  })

const versionOf = async ({ rest, id }: Live): Promise<number> => (await rest.get(`/documents/${id}`)).body.version

const resolve = async (live: Live, conflict: { id: string }, way: object) =>
  live.rest.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: await versionOf(live), ...way })

describe.concurrent('live edits that together break the schema', () => {
  it('[CONF-8] stand, and are put up for review with what they break and who', async () => {
    const staged = await stage()
    const { id, before, conflict, rest } = staged
    const both = { title: 't', tasks: expect.arrayContaining(['one', 'of bob', 'of alice']) }
    expect(await scene.content(id)).toEqual(both)
    expect(conflict).toMatchObject({
      kind: 'invalid-merge',
      status: 'open',
      violations: [{ pointer: '/tasks', message: 'must NOT have more than 2 items' }],
      base: { version: before, authors: ['bob'], content: { title: 't', tasks: ['one', 'of bob'] } },
      current: { version: before, authors: ['bob'], content: { title: 't', tasks: ['one', 'of bob'] } },
      incoming: { version: before + 1, authors: ['alice'], content: both },
      merged: { clean: false, version: before + 1, content: both },
      overlaps: [],
      intervening: [],
    })
    expect((await rest.get(conflict.incoming.href)).body).toEqual(both)
    const [listed] = (await rest.get(`/conflicts?document=${id}&kind=invalid-merge`)).body.items
    expect(listed).not.toHaveProperty('violations')
    const told = (await scene.server.eventsOf(id)).filter(([, { kind }]) => kind === 'invalid-merge')
    expect(told).toEqual([
      [
        'conflict.detected',
        {
          conflict: conflict.id,
          document: id,
          kind: 'invalid-merge',
          baseVersion: before,
          currentVersion: before,
          author: 'alice',
          overlaps: [],
          overlapCount: 0,
          href: `/conflicts/${conflict.id}`,
        },
      ],
    ])
  })

  it('[CONF-8] where one takes away what another replaced, too', async () => {
    const live = await open({ title: 't' })
    live.alice.map.delete('title')
    const conflict = await opened(live)
    expect(conflict.violations).toEqual([{ pointer: '', message: "must have required property 'title'" }])
    live.bob.map.set('title', 'of bob')
    expect(await until(live, conflict, 'superseded')).toMatchObject({ closedBy: 'bob', closedComment: null })
    const told = (await scene.server.eventsOf(live.id)).map(([type]) => type)
    expect(told).toEqual(['document.created', 'conflict.detected', 'conflict.superseded'])
  })

  it('[RES-1] `current` takes back the entry that broke it, and leaves what others wrote since', async () => {
    const staged = await stage()
    staged.bob.map.set('title', 'since')
    await scene.agree(staged.bob)
    const done = await resolve(staged, staged.conflict, { use: 'current' })
    expect(done.status).toBe(200)
    expect(done.body.conflict).toMatchObject({ status: 'resolved', resolution: { use: 'current', by: 'rest' } })
    expect(await scene.content(staged.id)).toEqual({ title: 'since', tasks: ['one', 'of bob'] })
    await eventually(() => expect(staged.alice.map.toJSON()['title']).toBe('since'))
  })

  it('[RES-1] `current` takes all of it back where the place was typed on', async () => {
    const live = await open({ title: 't', n: 1 })
    for (const typed of ['a', 'ab', 'abc']) {
      live.alice.map.set('n', typed)
      await scene.agree(live.alice)
    }
    const conflict = await opened(live)
    live.alice.map.set('n', 'abcd')
    await eventually(async () => {
      const done = await resolve(live, conflict, { use: 'current' })
      expect(done.status).toBe(200)
    })
    expect(await scene.content(live.id)).toEqual({ title: 't', n: 1 })
  })

  it('[RES-5] what leaves it invalid is 422 with what it breaks, and writes nothing', async () => {
    const staged = await stage()
    const version = await versionOf(staged)
    const invalid = { title: 't', tasks: [1, 2, 3, 4] }
    for (const way of [{ use: 'incoming' }, { use: 'merged' }, { use: 'content', content: invalid }]) {
      const refused = await resolve(staged, staged.conflict, way)
      expect([refused.status, refused.body.code]).toEqual([422, 'schema-violation'])
      expect(refused.body.violations).toMatchObject([{ pointer: '/tasks' }])
    }
    const choices = await resolve(staged, staged.conflict, { use: 'choices', choices: { '/tasks': 'base' } })
    expect([choices.status, choices.body.code]).toEqual([422, 'invalid-resolution'])
    expect(choices.body.errors).toMatchObject([{ overlap: '/tasks' }])
    const stale = await resolve(staged, staged.conflict, { use: 'current', baseVersion: staged.before })
    expect([stale.status, stale.body.code]).toEqual([409, 'version-conflict'])
    expect(stale.body.conflict).toMatchObject({ id: staged.conflict.id, status: 'open' })
    expect(await versionOf(staged)).toBe(version)
  })

  it('[RES-1] `content` writes what is valid, by proposal too', async () => {
    const staged = await stage()
    const will = await scene.server.as('will', { '*': ['read', 'write'] })
    const ask = { conflictId: staged.conflict.id, baseVersion: await versionOf(staged) }
    const content = { title: 't', tasks: ['of bob', 'of alice'] }
    expect((await will.post('/resolve-conflict', { ...ask, use: 'merged' })).status).toBe(422)
    const proposed = await will.post('/resolve-conflict', { ...ask, use: 'content', content })
    expect(proposed.status).toBe(202)
    const accept = { conflictId: staged.conflict.id, accept: proposed.body.proposal.id }
    expect((await staged.rest.post('/resolve-conflict', accept)).status).toBe(200)
    expect(await scene.content(staged.id)).toEqual(content)
  })

  it('[CONF-8] once dismissed it is not raised again before the content was valid', async () => {
    const staged = await stage()
    expect(
      (await staged.rest.post('/resolve-conflict', { conflictId: staged.conflict.id, dismiss: true })).status,
    ).toBe(200)
    staged.bob.map.set('title', 'since')
    await pause(3_000)
    const listed = async () => (await staged.rest.get(`/conflicts?document=${staged.id}&kind=invalid-merge`)).body.items
    expect(await listed()).toMatchObject([{ status: 'dismissed' }])
    tasks(staged.bob).delete(0, 2)
    await pause(600)
    tasks(staged.bob).push([1, 2, 3])
    await opened(staged)
    expect(await listed()).toMatchObject([{ status: 'open' }, { status: 'dismissed' }])
  })

  it('[CONF-8] REST writes must end valid, and one that does supersedes it', async () => {
    const staged = await stage()
    const write = async (content: unknown) =>
      staged.rest.put(`/documents/${staged.id}`, { content, baseVersion: await versionOf(staged) })
    expect((await write({ title: 'new', tasks: [1, 2, 3] })).status).toBe(422)
    expect((await write({ title: 'new', tasks: [1, 2] })).status).toBe(200)
    expect(await until(staged, staged.conflict, 'superseded')).toMatchObject({ closedBy: 'rest' })
  })

  it('[CONF-8] settings may change to a schema that the content keeps, not to one it breaks', async () => {
    const staged = await stage()
    const change = async (schema: unknown) =>
      staged.rest.patch(`/documents/${staged.id}`, { schema, baseVersion: await versionOf(staged) })
    expect((await change({ ...SCHEMA, required: ['title', 'more'] })).status).toBe(422)
    expect((await staged.rest.get(`/conflicts/${staged.conflict.id}`)).body.status).toBe('open')
    expect((await change(null)).status).toBe(200)
    expect((await staged.rest.get(`/conflicts/${staged.conflict.id}`)).body).toMatchObject({
      status: 'superseded',
      closedBy: 'rest',
    })
  })
})
