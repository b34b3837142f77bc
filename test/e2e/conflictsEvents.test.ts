import { describe, expect, it } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { Act } from '../../server/storage/act.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { expectStatus, read, type Scene, stage, startConflictServer } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

// A test makes storage refuse, which is worth a warning elsewhere.
const server = suiteServer(() => startConflictServer({ PARLEY_LOG_LEVEL: 'error' }))

const JSON_SIDES = { base: { a: 1, b: 1 }, current: { a: 2, b: 2 }, incoming: { a: 3, b: 3 } }
const ask = (by: Scene['rita'], scene: Scene, body: object) =>
  by.post('/resolve-conflict', { conflictId: scene.conflict.id, ...body })

/** The acts that reach storage while `during` runs. */
async function actsDuring(storage: Storage, during: () => Promise<unknown>): Promise<Act[]> {
  const acts: Act[] = []
  const commit = storage.commit.bind(storage)
  storage.commit = (act) => {
    acts.push(act)
    return commit(act)
  }
  try {
    await during()
  } finally {
    Reflect.deleteProperty(storage, 'commit')
  }
  return acts
}

/** What an act is made of. */
const partsOf = (act: Act) => ({
  entries: act.appends.map(({ entry }) => entry.origin),
  conflicts: act.conflicts.map(({ op, record }) => `${op} ${record.state.status}`),
  events: act.events.map((event) => event.type.slice('parley.conflict.'.length)),
})

describe('what is told of conflicts', () => {
  it('[RES-7] every step and outcome is an event that names conflict, document and actors, and holds no content', async () => {
    const scene = await stage(server, JSON_SIDES)
    const { id, conflict, rita, will } = scene
    const use = { baseVersion: 2, use: 'incoming' }
    const first = expectStatus(await ask(will, scene, use), 202).body.proposal.id
    expectStatus(await ask(rita, scene, { reject: first }), 200)
    const second = expectStatus(await ask(will, scene, use), 202).body.proposal.id
    expectStatus(await ask(rita, scene, { accept: second }), 200)
    const common = { conflict: conflict.id, document: id, href: `/conflicts/${conflict.id}` }
    const events = await server.eventsOf(id)
    expect(events.slice(1)).toEqual([
      [
        'conflict.detected',
        {
          ...common,
          kind: 'stale-write',
          baseVersion: 1,
          currentVersion: 2,
          author: 'alice',
          overlaps: ['/a', '/b'],
          overlapCount: 2,
        },
      ],
      ['conflict.proposed', { ...common, proposal: first, use: 'incoming', baseVersion: 2, by: 'will' }],
      ['conflict.proposal-rejected', { ...common, proposal: first, proposedBy: 'will', by: 'rita' }],
      ['conflict.proposed', { ...common, proposal: second, use: 'incoming', baseVersion: 2, by: 'will' }],
      [
        'conflict.resolved',
        { ...common, kind: 'stale-write', use: 'incoming', version: 3, proposal: second, by: 'rita' },
      ],
    ])
  })

  it('[RES-7] dismissal, supersession and policies are told too', async () => {
    const dismissed = await stage(server, JSON_SIDES)
    expectStatus(await ask(dismissed.alice, dismissed, { dismiss: true }), 200)
    expect((await server.eventsOf(dismissed.id)).at(-1)).toMatchObject(['conflict.dismissed', { by: 'alice' }])
    const superseded = await stage(server, JSON_SIDES)
    const again = { content: { a: 9, b: 2 }, baseVersion: 2 }
    expectStatus(await superseded.alice.put(`/documents/${superseded.id}`, again), 200)
    expect((await server.eventsOf(superseded.id)).at(-1)).toMatchObject(['conflict.superseded', { by: 'alice' }])
    for (const [onConflict, use, version] of [
      ['incoming-wins', 'incoming', 3],
      ['current-wins', 'current', 2],
    ] as const) {
      const scene = await stage(server, JSON_SIDES)
      const write = { content: { a: 4, b: 4 }, baseVersion: 1, onConflict }
      await scene.bob.put(`/documents/${scene.id}`, write)
      expect((await server.eventsOf(scene.id)).slice(2)).toMatchObject([
        ['conflict.detected', { author: 'bob' }],
        ['conflict.resolved', { use, version, by: 'bob', proposal: null }],
      ])
    }
  })

  it('[NOTE-1] each is stored in one act with what it tells', async () => {
    const scene = await stage(server, JSON_SIDES)
    const { id, alice, bob, rita, will } = scene
    const during = async (act: () => Promise<unknown>) => (await actsDuring(server.storage, act)).map(partsOf)
    const use = { baseVersion: 2, use: 'incoming' }
    let proposal = ''
    expect(await during(() => bob.put(`/documents/${id}`, { content: { a: 5, b: 1 }, baseVersion: 1 }))).toEqual([
      { entries: [], conflicts: ['insert open'], events: ['detected'] },
    ])
    expect(
      await during(async () => (proposal = expectStatus(await ask(will, scene, use), 202).body.proposal.id)),
    ).toEqual([{ entries: [], conflicts: ['update open'], events: ['proposed'] }])
    expect(await during(() => ask(rita, scene, { reject: proposal }))).toEqual([
      { entries: [], conflicts: ['update open'], events: ['proposal-rejected'] },
    ])
    expect(await during(() => ask(rita, scene, use))).toEqual([
      { entries: ['resolution'], conflicts: ['update resolved'], events: ['resolved'] },
    ])
    const overwrite = { content: { a: 6, b: 6 }, baseVersion: 1, onConflict: 'incoming-wins' }
    expect(await during(() => bob.put(`/documents/${id}`, overwrite))).toEqual([
      {
        entries: ['write'],
        conflicts: ['insert resolved', 'update superseded'],
        events: ['detected', 'resolved', 'superseded'],
      },
    ])
    const stale = await alice.put(`/documents/${id}`, { content: { a: 7 }, baseVersion: 1 })
    const { version } = await read(alice, id)
    const own = { conflictId: expectStatus(stale, 409).body.conflict.id, use: 'current', baseVersion: version }
    expect(await during(() => rita.post('/resolve-conflict', own))).toEqual([
      { entries: [], conflicts: ['update resolved'], events: ['resolved'] },
    ])
  })

  it('[NOTE-1] [RES-2] where storage refuses, neither version nor conflict nor event is there, and it can be tried again', async () => {
    const scene = await stage(server, JSON_SIDES)
    const { id, conflict, rita } = scene
    const { storage } = server
    const commit = storage.commit.bind(storage)
    let refusals = 0
    storage.commit = (act) => {
      if (act.conflicts.length === 0) return commit(act)
      refusals += 1
      return Promise.reject(new ParleyError('storage-unavailable', 'The disk is full.'))
    }
    const events = await server.eventsOf(id)
    const asks = [{ use: 'incoming', baseVersion: 2 }, { use: 'current', baseVersion: 2 }, { dismiss: true }]
    for (const body of asks) expect((await ask(rita, scene, body)).status).toBe(503)
    const write = { content: { a: 9 }, baseVersion: 1 }
    expect((await scene.bob.put(`/documents/${id}`, write)).status).toBe(503)
    expect(refusals).toBe(4)
    Reflect.deleteProperty(storage, 'commit')
    expect(await read(rita, id)).toEqual({ content: JSON_SIDES.current, version: 2 })
    expect((await rita.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
    expect(await server.eventsOf(id)).toEqual(events)
    expectStatus(await ask(rita, scene, { use: 'incoming', baseVersion: 2 }), 200)
    expect(await read(rita, id)).toEqual({ content: JSON_SIDES.incoming, version: 3 })
  })

  it('[RES-6] where another process was faster, the whole act is taken back and judged anew', async () => {
    const scene = await stage(server, JSON_SIDES)
    const { storage } = server
    const commit = storage.commit.bind(storage)
    let isFirst = true
    storage.commit = async (act) => {
      const [write] = act.conflicts
      if (isFirst && write?.op === 'update') {
        isFirst = false
        // As another node would: it dismisses the very conflict right before this act.
        const state = {
          status: 'dismissed',
          closedAt: act.at,
          closedBy: write.record.author,
          comment: 'elsewhere',
        } as const
        const record = { ...write.record, state, proposals: [] }
        await commit({
          at: act.at,
          appends: [],
          conflicts: [{ op: 'update', record }],
          contents: new Map(),
          events: [],
        })
      }
      return commit(act)
    }
    const refused = await ask(scene.rita, scene, { use: 'incoming', baseVersion: 2 })
    Reflect.deleteProperty(storage, 'commit')
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict-closed'])
    expect(refused.body.conflict).toMatchObject({ status: 'dismissed', closedComment: 'elsewhere' })
    expect(await read(scene.rita, scene.id)).toEqual({ content: JSON_SIDES.current, version: 2 })
  })
})
