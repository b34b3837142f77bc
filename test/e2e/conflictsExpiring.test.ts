import { expect, it } from 'vitest'
import { expectStatus, stage, startConflictServer } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

const TEXT = { base: 'one\ntwo', current: 'one\nTWO', incoming: 'one\n2' }

it('[CONF-4] [DOC-6] [OPS-8] however many are open: all expire at once, and each is told of', async () => {
  const scene = await stage(server, TEXT)
  const { id } = scene
  for (const author of [scene.alice, await server.as('ann')])
    for (let n = 0; n < 80; n++)
      expectStatus(await author.put(`/documents/${id}`, { content: `one\nnumber ${n}`, baseVersion: 1 }), 409)
  expectStatus(await scene.bob.delete(`/documents/${id}?baseVersion=2`), 204)
  const root = await server.as('root', { '*': ['admin'] })
  const find = async (status: string) =>
    (await root.get(`/conflicts?document=${id}&status=${status}&limit=500`)).body.items
  expect(await find('open')).toEqual([])
  const expired = await find('expired')
  expect(expired).toHaveLength(161)
  const [{ closedAt }] = expired
  for (const one of expired) expect(one).toMatchObject({ status: 'expired', closedBy: 'bob', closedAt })
  const oldest = await scene.alice.post('/resolve-conflict', { conflictId: scene.conflict.id, dismiss: true })
  expect([oldest.status, oldest.body.code]).toEqual([410, 'conflict-expired'])
  expectStatus(await scene.bob.post(`/documents/${id}/restore`, { version: 2, baseVersion: 3 }), 201)
  expect((await scene.bob.get(`/documents?pattern=${id}`)).body.items).toMatchObject([{ id, openConflicts: 0 }])
  expectStatus(await scene.alice.put(`/documents/${id}`, { content: 'new', baseVersion: 4 }), 200)
  const told = async () =>
    (await server.eventsOf(id)).filter(([type]) => type === 'conflict.expired').map(([, data]) => data['conflict'])
  await expect.poll(async () => (await told()).length).toBe(161)
  expect((await told()).toSorted()).toEqual(expired.map((one: { id: string }) => one.id).toSorted())
  expect(await find('expired')).toEqual(expired)
})
