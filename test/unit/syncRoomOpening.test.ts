import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { rawUpdate } from '../support/rawUpdate.ts'
import { setUp, typed } from '../support/roomScene.ts'

describe('opening a session', () => {
  it('[SYNC-1] sends SyncStep1 first, before anything was asked, and nothing of the document', () => {
    const { replica, open } = setUp()
    replica.write((doc) => doc.getText('content').insert(0, 'secret'))
    const client = open('alice')
    expect(client.received).toEqual([{ type: 'sync-step-1', stateVector: new Map([[4_000_000_000, 6]]) }])
  })

  it.each([
    ['a client that only the earlier life had', new Map([[7, 3]]), true],
    ['a client it has more of than this one', new Map([[9, 5]]), true],
    ['a client it has as much of', new Map([[9, 4]]), false],
    ['a client nobody knows', new Map([[8, 3]]), false],
    ['nothing', new Map(), false],
  ])('[SYNC-7] a copy of an earlier life is refused: %s', async (_, clocks: Map<number, number>, isRefused) => {
    const formerClients = new Map([
      [7, 10],
      [9, 10],
    ])
    const { replica, open } = setUp({ formerClients })
    await replica.applyLive(typed(9, 'four'), toPrincipalId('x'))
    const client = open('alice')
    client.send(frames.syncStep1(Y.encodeStateVector(clocks)))
    client.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    expect(client.closed?.code ?? null).toBe(isRefused ? 'other-history' : null)
    expect(client.types.includes('sync-step-2')).toBe(!isRefused)
  })

  it.each(['update', 'syncStep2'] as const)(
    '[SYNC-7] what an earlier life had is refused also when it comes as %s',
    async (way) => {
      const { replica, live } = setUp({ formerClients: new Map([[7, 10]]) })
      const alice = await live('alice')
      alice.send(frames[way](typed(7, 'old')))
      await settled()
      expect([alice.closed?.code, replica.text]).toEqual(['other-history', ''])
    },
  )

  it('[SYNC-7] two documents that wrote under one client id are told apart, and the second is refused', async () => {
    const { replica, live, open } = setUp()
    const first = await live('alice')
    first.send(frames.update(typed(7, 'AAAA')))
    await settled()
    first.leave()
    const asked = open('bob').received[0]
    expect(asked, 'it is asked for the newest it has of each client').toEqual({
      type: 'sync-step-1',
      stateVector: new Map([[7, 0]]),
    })
    for (const text of ['BBBBBB', 'AAAB', 'BB', 'AAAXAA']) {
      const second = open('bob')
      second.send(frames.syncStep1(Y.encodeStateVector(new Map([[7, text.length]]))))
      second.send(frames.states([{ client: 7, clock: 1, state: {} }]))
      second.send(frames.syncStep2(typed(7, text)))
      await settled()
      expect([text, second.closed?.code, replica.text]).toEqual([text, 'other-history', 'AAAA'])
    }
    const same = open('alice')
    same.send(frames.syncStep1(Y.encodeStateVector(new Map([[7, 6]]))))
    same.send(frames.syncStep2(typed(7, 'AAAA!?')))
    await settled()
    expect([same.closed, replica.text]).toEqual([null, 'AAAA!?'])
  })

  it('[SYNC-6] takes of a stored history with a hole what can be placed, and goes on', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    const hollow = rawUpdate(
      [
        { client: 5, structs: [{ text: 'abc' }, { skip: 2 }, { text: 'lost', origin: [5, 4] }] },
        { client: 6, structs: [{ text: 'gone', origin: [9, 9] }] },
        { client: 7, structs: [{ text: 'd', origin: [5, 2] }] },
      ],
      [
        [5, 0, 1],
        [6, 0, 2],
      ],
    )
    alice.send(frames.syncStep2(hollow))
    await settled()
    alice.send(frames.update(typed(7, 'e', 1)))
    await settled()
    expect([alice.closed, replica.text]).toEqual([null, 'bcde'])
  })

  it('[SYNC-1] answers SyncStep1 with what the client lacks', async () => {
    const { replica, open } = setUp()
    await replica.applyLive(typed(1, 'hello'), toPrincipalId('x'))
    const client = open('alice')
    client.send(frames.syncStep1(Y.encodeStateVector(new Map([[1, 5]]))))
    await settled()
    expect(client.types, 'what it brings comes first').toEqual(['sync-step-1'])
    client.send(frames.syncStep2(Uint8Array.of(0, 0)))
    await settled()
    expect(client.received.at(-1)).toEqual({ type: 'sync-step-2', update: Uint8Array.of(0, 0) })
    client.send(frames.syncStep1())
    await settled()
    expect(client.types).toEqual(['sync-step-1', 'sync-step-2', 'sync-step-2'])
    expect(client.text).toBe('hello')
  })

  it('[SYNC-9] answers with a large state in slices and an empty SyncStep2', async () => {
    const { replica, live } = setUp()
    const text = 'line of text\n'.repeat(80_000)
    replica.write((doc) => doc.getText('content').insert(0, text))
    const client = await live('alice')
    const updates = client.types.filter((type) => type === 'update').length
    expect(updates).toBeGreaterThan(3)
    expect(client.types).toEqual(['sync-step-1', ...Array.from({ length: updates }, () => 'update'), 'sync-step-2'])
    expect(client.received.at(-1)).toEqual({ type: 'sync-step-2', update: Uint8Array.of(0, 0) })
    expect(Math.max(...client.frames.map((frame) => frame.length))).toBeLessThanOrEqual(256 * 1024 + 16)
    expect(client.text).toBe(text)
  })

  it('encodes the whole document once for all who open it at one version', async () => {
    const { replica, live } = setUp()
    replica.write((doc) => doc.getText('content').insert(0, 'hello'))
    const [first, second] = [await live('alice'), await live('bob')]
    expect(second.frames.at(-1)).toBe(first.frames.at(-1))
    replica.write((doc) => doc.getText('content').insert(0, 'well, '))
    await settled()
    const third = await live('carol')
    expect(third.text).toBe('well, hello')
  })
})
