import { describe, expect, it } from 'vitest'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { setUp, typed } from '../support/roomScene.ts'

describe('awareness', () => {
  const state = (client: number, clock = 1) => ({ client, clock, state: { name: `user ${client}` } })

  it('[SYNC-5] goes to everyone but its sender, and to whoever comes later', async () => {
    const { live, open } = setUp()
    const [alice, bob] = [await live('alice'), open('bob')]
    alice.send(frames.states([state(1)]))
    await settled()
    const carol = open('carol')
    expect(alice.told).toEqual([])
    expect(bob.told).toEqual([state(1)])
    expect(carol.types).toEqual(['sync-step-1', 'awareness'])
    expect(carol.told).toEqual([state(1)])
  })

  it('[SYNC-5] is removed when its session ends, however it ends', async () => {
    const { live } = setUp()
    const [alice, bob, carol] = [await live('alice'), await live('bob'), await live('carol')]
    alice.send(frames.states([state(1)]))
    bob.send(frames.states([state(2)]))
    await settled()
    alice.leave()
    bob.send(frames.update(Uint8Array.of(1)))
    await settled()
    expect(carol.told).toEqual([
      state(1),
      state(2),
      { client: 1, clock: 1, state: null },
      { client: 2, clock: 1, state: null },
    ])
  })

  it('[SYNC-5] is as old as when it was told: of whom nothing was heard for 30 s nobody is told', async () => {
    const { live, open, environment } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frames.states([state(1)]))
    bob.send(frames.states([state(2)]))
    await environment.advance(25_000)
    bob.send(frames.states([state(2, 2)]))
    const before = open('carol')
    expect(before.told).toEqual([state(1), state(2, 2)])
    await environment.advance(10_000)
    expect(before.told.at(-1)).toEqual({ client: 1, clock: 1, state: null })
    expect(open('dora').told).toEqual([state(2, 2)])
    alice.send(frames.states([state(1, 2)]))
    await settled()
    expect(before.told.at(-1)).toEqual(state(1, 2))
    expect(open('emma').told).toEqual([state(1, 2), state(2, 2)])
  })

  it('[SYNC-5] of others is not touched by an echo or a spoof', async () => {
    const { live } = setUp()
    const [alice, bob, carol] = [await live('alice'), await live('bob'), await live('carol')]
    alice.send(frames.states([state(1)]))
    bob.send(
      frames.states([
        state(1),
        { client: 1, clock: 9, state: { name: 'spoof' } },
        { client: 1, clock: 9, state: null },
      ]),
    )
    await settled()
    expect(bob.closed).toBeNull()
    expect(carol.told).toEqual([state(1)])
  })

  it('[SYNC-5] of one turn is one message to each, of each the newest, and to nobody their own', async () => {
    const { live } = setUp()
    const [alice, bob, carol] = [await live('alice'), await live('bob'), await live('carol')]
    const before = carol.received.length
    alice.send(frames.states([state(1)]))
    bob.send(frames.states([state(2)]))
    alice.send(frames.states([state(1, 2)]))
    alice.send(frames.states([{ client: 1, clock: 3, state: { cursor: 5 } }]))
    await settled()
    const newest = { client: 1, clock: 3, state: { cursor: 5 } }
    expect(carol.received.slice(before)).toEqual([{ type: 'awareness', entries: [newest, state(2)] }])
    expect(alice.told).toEqual([state(2)])
    expect(bob.told).toEqual([newest])
  })

  it('[SYNC-5] [OPS-8] of a crowd with large states is told in turns, each one message that all but its tellers share', async () => {
    const { live, environment } = setUp()
    const people = []
    for (let n = 0; n < 12; n++) people.push(await live(`person ${n}`))
    const looker = await live('looker')
    const large = (client: number, clock: number) => ({
      client,
      clock,
      state: { text: `${client}`.padEnd(10_000, 'x') },
    })
    const before = looker.frames.length
    for (const [n, person] of people.entries()) person.send(frames.states([large(n + 1, 1)]))
    await settled()
    await environment.advance(1_000)
    expect(looker.told).toEqual(people.map((_, n) => large(n + 1, 1)))
    const told = looker.frames.slice(before)
    expect(told).toHaveLength(2)
    expect(Math.max(...told.map(({ length }) => length))).toBeLessThan(65 * 1024)
    for (const [n, person] of people.entries()) {
      expect(person.told).toEqual(people.flatMap((_, other) => (other === n ? [] : [large(other + 1, 1)])))
      // The very same bytes, where it told nothing of them.
      expect(told.filter((frame) => person.frames.includes(frame))).toHaveLength(1)
    }
  })

  it('[SYNC-5] comes behind the entries that are told together with it', async () => {
    const { live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    const before = bob.received.length
    alice.send(frames.states([state(1)]))
    alice.send(frames.update(typed(1, 'x')))
    await settled()
    expect(bob.types.slice(before)).toEqual(['update', 'awareness'])
  })

  it('[SYNC-1] is listed for whoever asks, even if nobody is there', async () => {
    const { live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    bob.send(frames.queryAwareness())
    expect(bob.received.at(-1)).toEqual({ type: 'awareness', entries: [] })
    alice.send(frames.states([state(1)]))
    await settled()
    bob.send(frames.queryAwareness())
    expect(bob.told).toEqual([state(1), state(1)])
  })
})

describe('the heartbeat', () => {
  it('[SYNC-1] is an empty awareness to a session that was sent nothing for 15 s', async () => {
    const { environment, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    await environment.advance(14_999)
    expect(alice.types).toEqual(['sync-step-1', 'sync-step-2'])
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    await environment.advance(1)
    expect(alice.frames.at(-1)).toEqual(Uint8Array.of(1, 1, 0))
    expect(bob.told, 'bob was sent something just now').toHaveLength(1)
    await environment.advance(14_998)
    expect(bob.told).toHaveLength(1)
    await environment.advance(1)
    expect(bob.frames.at(-1)).toEqual(Uint8Array.of(1, 1, 0))
    await environment.advance(30_000)
    expect(alice.types.filter((type) => type === 'awareness')).toHaveLength(3)
  })

  it('[SYNC-1] comes also while an answer waits for the disk, and once a beat on a line that is stuck', async () => {
    const { environment, replica, open } = setUp()
    const alice = open('alice')
    replica.isHeld = true
    replica.write((doc) => doc.getText('content').insert(0, 'x'))
    alice.send(frames.syncStep1())
    await environment.advance(30_000)
    expect(alice.types).toEqual(['sync-step-1', 'awareness', 'awareness'])
    const stuck = open('stuck')
    stuck.isStalled = true
    const before = environment.pending
    await environment.advance(120_000)
    expect(environment.pending).toBe(before)
  })

  it('[SYNC-1] ends with the session', async () => {
    const { environment, live } = setUp()
    const alice = await live('alice')
    alice.leave()
    await environment.advance(60_000)
    expect(alice.types).toEqual(['sync-step-1', 'sync-step-2'])
    expect(environment.pending).toBe(0)
  })
})
