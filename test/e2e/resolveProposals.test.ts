import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer, type Scene } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

const TEXT = { base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\ne', incoming: 'a\nbb\nc\nd\ne' }
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

const ask = (by: Scene['rita'], scene: Scene, body: object) =>
  by.post('/resolve-conflict', { conflictId: scene.conflict.id, ...body })
const propose = async (scene: Scene, body: object = { use: 'incoming' }): Promise<string> =>
  expectStatus(await ask(scene.will, scene, { baseVersion: 2, ...body }), 202).body.proposal.id

describe('a resolution by one who may only write', () => {
  it('[RES-3] is kept as a proposal, with all its members, and writes nothing', async () => {
    const scene = await stage(server, TEXT)
    const { id, conflict, will } = scene
    const answer = await ask(will, scene, {
      baseVersion: 2,
      use: 'content',
      content: 'a\nWILL\nc\nd\ne',
      comment: 'both',
    })
    expect(answer.status).toBe(202)
    const proposal = {
      id: expect.stringMatching(/^prp_[0-9A-HJKMNP-TV-Z]{26}$/),
      use: 'content',
      content: 'a\nWILL\nc\nd\ne',
      baseVersion: 2,
      by: 'will',
      at: expect.stringMatching(TIME),
      comment: 'both',
      status: 'pending',
      decidedBy: null,
      decidedAt: null,
      decisionComment: null,
    }
    expect(answer.body).toEqual({ proposal, conflict: { ...conflict, proposals: [proposal] } })
    expect((await will.get(`/conflicts/${conflict.id}`)).body).toEqual(answer.body.conflict)
    expect(await read(will, id)).toEqual({ content: TEXT.current, version: 2 })
    const bare = await will.get(`/conflicts/${conflict.id}/proposals/${answer.body.proposal.id}`)
    expect(bare.body).toBe('a\nWILL\nc\nd\ne')
    const { items } = (await will.get(`/conflicts?document=${id}`)).body
    expect(items[0].proposals).toMatchObject([{ id: answer.body.proposal.id, status: 'pending' }])
    expect(items[0].proposals[0]).not.toHaveProperty('content')
  })

  it('[RES-1] is validated when it is made', async () => {
    const scene = await stage(server, TEXT)
    for (const [body, status, code] of [
      [{ baseVersion: 2, use: 'merged' }, 422, 'invalid-resolution'],
      [{ baseVersion: 2, use: 'choices', choices: {} }, 422, 'invalid-resolution'],
      [{ baseVersion: 9, use: 'incoming' }, 409, 'unknown-base'],
    ] as const) {
      const refused = await ask(scene.will, scene, body)
      expect([refused.status, refused.body.code]).toEqual([status, code])
    }
    // Bob moves the same place: nobody could ever accept a proposal that was made for what stood there before.
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content: 'a\nlater\nc\nd\ne', baseVersion: 2 }), 200)
    const refused = await ask(scene.will, scene, { baseVersion: 2, use: 'incoming' })
    expect([refused.status, refused.body.code]).toEqual([409, 'version-conflict'])
    expect(refused.body.conflict).toMatchObject({
      id: scene.conflict.id,
      status: 'open',
      current: { version: 3 },
      proposals: [],
    })
  })
})

describe('deciding a proposal', () => {
  it('[RES-3] accepting applies it and closes the conflict; the other proposals are rejected with it', async () => {
    const scene = await stage(server, TEXT)
    const other = await propose(scene, { use: 'content', content: 'other' })
    const id = await propose(scene, { use: 'incoming', comment: 'take hers' })
    const { body } = expectStatus(await ask(scene.rita, scene, { accept: id }), 200)
    expect(body.document).toMatchObject({ id: scene.id, version: 3 })
    expect(body.conflict).toMatchObject({
      status: 'resolved',
      closedBy: 'rita',
      resolution: { use: 'incoming', by: 'rita', version: 3, comment: 'take hers' },
      proposals: [
        { id: other, status: 'rejected', decidedBy: 'rita', decidedAt: body.conflict.closedAt, decisionComment: null },
        { id, status: 'accepted', decidedBy: 'rita', decidedAt: body.conflict.closedAt, decisionComment: null },
      ],
    })
    expect(await read(scene.rita, scene.id)).toEqual({ content: TEXT.incoming, version: 3 })
  })

  it('[RES-1] accepting is judged from the version its author looked at: merged with what moved elsewhere', async () => {
    const scene = await stage(server, TEXT)
    const id = await propose(scene)
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content: 'a\nB\nc\nd\nlater', baseVersion: 2 }), 200)
    expectStatus(await ask(scene.rita, scene, { accept: id }), 200)
    expect(await read(scene.rita, scene.id)).toEqual({ content: 'a\nbb\nc\nd\nlater', version: 4 })
  })

  it('[RES-1] accepting what no longer fits is 409, and leaves conflict and proposal open', async () => {
    const scene = await stage(server, TEXT)
    const id = await propose(scene)
    expectStatus(await scene.bob.put(`/documents/${scene.id}`, { content: 'a\nlater\nc\nd\ne', baseVersion: 2 }), 200)
    const refused = await ask(scene.rita, scene, { accept: id })
    expect([refused.status, refused.body.code]).toEqual([409, 'version-conflict'])
    expect(refused.body.conflict).toMatchObject({
      status: 'open',
      proposals: [{ id, status: 'pending' }],
      current: { version: 3 },
    })
    expect(await read(scene.rita, scene.id)).toEqual({ content: 'a\nlater\nc\nd\ne', version: 3 })
    expectStatus(await ask(scene.rita, scene, { reject: id }), 200)
  })

  it('[RES-3] rejecting keeps the conflict open and says by whom and why', async () => {
    const scene = await stage(server, TEXT)
    const id = await propose(scene)
    const { body } = expectStatus(await ask(scene.rita, scene, { reject: id, comment: 'no' }), 200)
    expect(body.document).toMatchObject({ id: scene.id, version: 2 })
    const decided = {
      id,
      status: 'rejected',
      decidedBy: 'rita',
      decidedAt: expect.stringMatching(TIME),
      decisionComment: 'no',
    }
    expect(body.conflict).toMatchObject({ status: 'open', resolution: null, proposals: [decided] })
    const again = await propose(scene)
    expect(again).not.toBe(id)
    expectStatus(await ask(scene.rita, scene, { accept: again }), 200)
  })

  it('[RES-1] one that is not pending is 409 proposal-closed, an unknown one 422', async () => {
    const scene = await stage(server, TEXT)
    const elsewhere = await stage(server, TEXT)
    const foreign = await propose(elsewhere)
    const id = await propose(scene)
    expectStatus(await ask(scene.rita, scene, { reject: id }), 200)
    for (const verb of ['accept', 'reject']) {
      const closed = await ask(scene.rita, scene, { [verb]: id })
      expect([closed.status, closed.body.code]).toEqual([409, 'proposal-closed'])
      expect(closed.body.conflict.proposals).toMatchObject([{ id, status: 'rejected' }])
      for (const unknown of [foreign, 'prp_00000000000000000000000000']) {
        const refused = await ask(scene.rita, scene, { [verb]: unknown })
        expect([refused.status, refused.body.code]).toEqual([422, 'invalid-resolution'])
        expect(refused.body.errors).toEqual([{ overlap: unknown, message: expect.any(String) }])
      }
    }
    expect(await read(scene.rita, scene.id)).toEqual({ content: TEXT.current, version: 2 })
  })

  it('[RES-1] pending ones become rejected however the conflict closes', async () => {
    const endings: readonly [string, (scene: Scene) => Promise<unknown>][] = [
      ['rita', (scene) => ask(scene.rita, scene, { use: 'current', baseVersion: 2 })],
      ['alice', (scene) => ask(scene.alice, scene, { dismiss: true })],
      ['alice', (scene) => scene.alice.put(`/documents/${scene.id}`, { content: 'a\nagain\nc\nd\ne', baseVersion: 2 })],
      [
        'alice',
        (scene) =>
          scene.alice.put(`/documents/${scene.id}`, {
            content: TEXT.incoming,
            baseVersion: 1,
            onConflict: 'incoming-wins',
          }),
      ],
    ]
    for (const [by, end] of endings) {
      const scene = await stage(server, TEXT)
      const rejected = await propose(scene)
      expectStatus(await ask(scene.rita, scene, { reject: rejected, comment: 'no' }), 200)
      const pending = await propose(scene)
      await end(scene)
      const { body } = await scene.rita.get(`/conflicts/${scene.conflict.id}`)
      expect(body.closedBy).toBe(by)
      expect(body.proposals).toMatchObject([
        { id: rejected, status: 'rejected', decidedBy: 'rita', decisionComment: 'no' },
        { id: pending, status: 'rejected', decidedBy: by, decidedAt: body.closedAt },
      ])
    }
  })

  it('[RES-1] the settings that hold when it is accepted decide', async () => {
    const scene = await stage(server, { base: { a: 1 }, current: { a: 2 }, incoming: { a: 'x' } })
    const id = await propose(scene)
    const schema = { properties: { a: { type: 'integer' } } }
    expectStatus(await scene.bob.patch(`/documents/${scene.id}`, { schema, baseVersion: 2 }), 200)
    const refused = await ask(scene.rita, scene, { accept: id })
    expect([refused.status, refused.body.code]).toEqual([422, 'schema-violation'])
    expect((await scene.rita.get(`/conflicts/${scene.conflict.id}`)).body.status).toBe('open')
  })
})
