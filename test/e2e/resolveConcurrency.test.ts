import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage, startConflictServer } from '../support/conflicts.ts'
import type { Answer } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startConflictServer)

const TEXT = { base: 'a\nb\nc\nd\ne', current: 'a\nB\nc\nd\ne', incoming: 'a\nbb\nc\nd\ne' }

const statuses = (answers: readonly Answer[]): string[] =>
  answers.map((answer) => (answer.status < 300 ? String(answer.status) : answer.body.code)).toSorted()

describe('at the same time', () => {
  it('[RES-6] of N resolutions exactly one is applied; the others are told how it ended', async () => {
    const scene = await stage(server, TEXT)
    const judges = await Promise.all(Array.from({ length: 12 }, (_, n) => server.as(`judge-${n}`)))
    const answers = await Promise.all(
      judges.map((judge, n) =>
        judge.post('/resolve-conflict', {
          conflictId: scene.conflict.id,
          baseVersion: 2,
          use: 'content',
          content: `a\njudge ${n}\nc\nd\ne`,
        }),
      ),
    )
    expect(statuses(answers)).toEqual(['200', ...Array.from({ length: 11 }, () => 'conflict-closed')])
    const winner = answers.findIndex((answer) => answer.status === 200)
    expect(await read(scene.rita, scene.id)).toEqual({ content: `a\njudge ${winner}\nc\nd\ne`, version: 3 })
    for (const answer of answers) {
      expect(answer.body.conflict).toMatchObject({
        status: 'resolved',
        resolution: { by: `judge-${winner}`, version: 3 },
      })
    }
    const events = (await server.eventsOf(scene.id)).map(([type]) => type)
    expect(events.filter((type) => type === 'conflict.resolved')).toHaveLength(1)
  })

  it('[RES-6] of resolving, accepting and dismissing exactly one closes the conflict', async () => {
    for (let round = 0; round < 5; round++) {
      const { id, conflict, rita, will, alice } = await stage(server, TEXT)
      const proposal = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
      const accept = expectStatus(await will.post('/resolve-conflict', proposal), 202).body.proposal.id
      const asks = [
        { use: 'current', baseVersion: 2 },
        { accept },
        { dismiss: true },
        { use: 'incoming', baseVersion: 2 },
      ]
      const answers = await Promise.all(
        asks.flatMap((ask) =>
          [rita, alice].map((by) => by.post('/resolve-conflict', { conflictId: conflict.id, ...ask })),
        ),
      )
      expect(statuses(answers)).toEqual(['200', ...Array.from({ length: 7 }, () => 'conflict-closed')])
      const shown = (await rita.get(`/conflicts/${conflict.id}`)).body
      for (const answer of answers) expect(answer.body.conflict).toEqual(shown)
      const closings = (await server.eventsOf(id)).filter(([type]) => /resolved|dismissed/.test(type))
      expect(closings).toHaveLength(1)
    }
  })

  it('[RES-6] a resolution and the deletion of the document do not both succeed unseen', async () => {
    for (let round = 0; round < 5; round++) {
      const { id, conflict, rita, bob } = await stage(server, TEXT)
      const [resolved, deleted] = await Promise.all([
        rita.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }),
        bob.delete(`/documents/${id}?baseVersion=2`),
      ])
      const types = (await server.eventsOf(id)).map(([type]) => type).slice(2)
      if (resolved.status === 200) {
        expect(deleted.body.code).toBe('version-conflict')
        expect(types).toEqual(['conflict.resolved'])
      } else {
        expect([resolved.body.code, deleted.status]).toEqual(['conflict-expired', 204])
        expect(types).toEqual(['conflict.expired', 'document.deleted'])
      }
    }
  })

  it('[RES-4] a resolution amid a stream of writes elsewhere is applied, and loses none of them', async () => {
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n}`)
    const scene = await stage(server, {
      base: ['a', ...lines].join('\n'),
      current: ['B', ...lines].join('\n'),
      incoming: ['bb', ...lines].join('\n'),
    })
    const writing = (async () => {
      for (let n = 10; n < 40; n++) {
        const { content, version } = await read(scene.bob, scene.id)
        const next = String(content).replace(`line ${n}`, `bob ${n}`)
        await scene.bob.put(`/documents/${scene.id}`, { content: next, baseVersion: version, onConflict: 'merge' })
      }
    })()
    const resolved = await scene.rita.post('/resolve-conflict', {
      conflictId: scene.conflict.id,
      baseVersion: 2,
      use: 'incoming',
    })
    await writing
    expectStatus(resolved, 200)
    const after = ['bb', ...lines.slice(0, 10), ...lines.slice(10).map((_, n) => `bob ${n + 10}`)]
    expect((await read(scene.rita, scene.id)).content).toBe(after.join('\n'))
  })

  it('[WRITE-7] of N equal stale writes of one principal one conflict is opened', async () => {
    const scene = await stage(server, TEXT)
    const write = { content: 'the same', baseVersion: 1 }
    const answers = await Promise.all(Array.from({ length: 8 }, () => scene.bob.put(`/documents/${scene.id}`, write)))
    const ids = answers.map((answer) => expectStatus(answer, 409).body.conflict.id)
    expect(new Set(ids).size).toBe(1)
    const detected = (await server.eventsOf(scene.id)).filter(
      ([type, data]) => type === 'conflict.detected' && data['conflict'] === ids[0],
    )
    expect(detected).toHaveLength(1)
  })

  it('[CONF-9] the cap of open conflicts holds for writes at the same time', async () => {
    const scene = await stage(server, TEXT)
    const answers = await Promise.all(
      Array.from({ length: 105 }, (_, n) =>
        scene.bob.put(`/documents/${scene.id}`, { content: `${n}`, baseVersion: 1 }),
      ),
    )
    const ids = answers.map((answer) => expectStatus(answer, 409).body.conflict.id)
    expect(ids.filter((id) => id === null)).toHaveLength(5)
    expect(new Set(ids.filter((id) => id !== null)).size).toBe(100)
  })
})
