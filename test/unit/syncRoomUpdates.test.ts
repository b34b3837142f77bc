import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import { settled } from '../support/manualEnvironment.ts'
import { frames, readFrame } from '../support/rawClient.ts'
import { setUp, typed } from '../support/roomScene.ts'

describe('an update', () => {
  it('[SYNC-2] is shown to nobody, its sender included, before it is on disk', async () => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(replica.text).toBe('hello')
    expect([alice.text, bob.text]).toEqual(['', ''])
    replica.commit()
    await settled()
    expect([alice.text, bob.text]).toEqual(['hello', 'hello'])
    expect(replica.log).toEqual([{ author: 'alice', update: typed(1, 'hello') }])
  })

  it('[SYNC-2] is not in an answer before it is on disk either, and is shown once', async () => {
    const { replica, live, open } = setUp()
    const alice = await live('alice')
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'hello')))
    const bob = open('bob')
    bob.send(frames.syncStep1())
    alice.send(frames.update(typed(1, '!', 5)))
    await settled()
    expect(bob.types).toEqual(['sync-step-1'])
    replica.commit()
    await settled()
    expect(bob.types).toEqual(['sync-step-1', 'sync-step-2', 'update'])
    expect(bob.text).toBe('hello!')
  })

  it('[SYNC-2] that is committed before the client asks comes with the answer only', async () => {
    const { live, open } = setUp()
    const alice = await live('alice')
    const bob = open('bob')
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(bob.types).toEqual(['sync-step-1'])
    bob.send(frames.syncStep1())
    await settled()
    expect(bob.types).toEqual(['sync-step-1', 'sync-step-2'])
    expect(bob.text).toBe('hello')
  })

  it('[SYNC-1] is encoded once for all', async () => {
    const { live } = setUp()
    const clients = [await live('alice'), await live('bob'), await live('carol')]
    clients[0]?.send(frames.update(typed(1, 'hello')))
    await settled()
    const shown = clients.map((client) => client.frames.at(-1))
    expect(shown[0]).toEqual(frames.update(typed(1, 'hello')))
    expect(shown.every((frame) => frame === shown[0])).toBe(true)
  })

  it('[SYNC-9] comes with all that the same commit brings, as one message, encoded once', async () => {
    const { replica, live } = setUp()
    const clients = [await live('alice'), await live('bob'), await live('carol')]
    replica.isHeld = true
    for (const [index, client] of clients.entries()) client.send(frames.update(typed(index + 1, `word ${index} `)))
    await settled()
    const before = clients.map((client) => client.frames.length)
    replica.commit()
    await settled()
    expect(clients.map((client) => client.frames.length)).toEqual(before.map((count) => count + 1))
    expect(new Set(clients.map((client) => client.frames.at(-1))).size).toBe(1)
    for (const client of clients) expect(client.text).toBe(replica.text)
  })

  it('[SYNC-9] is a message of its own where it is large', async () => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'x'.repeat(20_000))))
    bob.send(frames.update(typed(2, 'y')))
    await settled()
    replica.commit()
    await settled()
    expect(alice.types.filter((type) => type === 'update')).toHaveLength(2)
    expect(bob.text).toBe(replica.text)
  })

  it('[SYNC-2] reaches others before its author, for whom it is only the confirmation', async () => {
    const { live } = setUp()
    const order: string[] = []
    const clients = [await live('alice'), await live('bob'), await live('carol')]
    for (const [index, client] of clients.entries()) {
      vi.spyOn(client, 'write').mockImplementation((_frame, taken) => {
        order.push(['alice', 'bob', 'carol'][index] ?? '')
        taken()
      })
    }
    clients[0]?.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(order).toEqual(['bob', 'carol', 'alice'])
  })

  it('[SYNC-2] by REST is shown like any other', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    replica.isHeld = true
    replica.write((doc) => doc.getText('content').insert(0, 'written'))
    await settled()
    expect(alice.text).toBe('')
    replica.commit()
    await settled()
    expect(alice.text).toBe('written')
  })

  it('[SYNC-4] of a session that may only read is dropped, malformed or not; it is shown everything', async () => {
    const { replica, live } = setUp()
    const [alice, reader] = [await live('alice'), await live('reader', 'read')]
    reader.send(frames.update(typed(9, 'graffiti')))
    reader.send(frames.syncStep2(Uint8Array.of(255)))
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(reader.closed).toBeNull()
    expect(reader.text).toBe('hello')
    expect(replica.log).toHaveLength(1)
  })

  it('[SYNC-1] that brings nothing leaves no entry', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    alice.send(frames.syncStep2(Uint8Array.of(0, 0)))
    alice.send(frames.update(typed(1, 'hello')))
    alice.send(frames.update(typed(1, 'hello')))
    await settled()
    expect(replica.log).toHaveLength(1)
    expect(alice.closed).toBeNull()
  })
})

describe('a bad message', () => {
  it.each([
    ['a malformed update', frames.update(Uint8Array.of(1, 2, 3)), 'invalid-request'],
    ['a malformed SyncStep2', frames.syncStep2(Uint8Array.of(9)), 'invalid-request'],
    ['a gap', frames.update(typed(1, 'x', 7)), 'missing-dependencies'],
    ['malformed awareness', frames.awareness(Uint8Array.of(5)), 'invalid-request'],
    ['an awareness state that is no object', frames.states([{ client: 1, clock: 1, state: 4 }]), 'invalid-request'],
  ])('[SYNC-6] (%s) ends its sender only', async (_name, frame, code) => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    alice.send(frame)
    bob.send(frames.update(typed(2, 'fine')))
    await settled()
    expect(alice.closed?.code).toBe(code)
    expect(bob.closed).toBeNull()
    expect(bob.text).toBe('fine')
    expect(replica.log).toHaveLength(1)
    expect(alice.text, 'a closed session is shown nothing').toBe('')
  })

  it('[SYNC-6] (content past a limit) ends its sender with the problem of the replica', async () => {
    const { replica, live } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.refuseNext = new ParleyError('content-too-large', 'too large')
    alice.send(frames.update(typed(1, 'x')))
    alice.send(frames.update(typed(1, 'builds on x', 1)))
    alice.send(frames.update(typed(6, 'does not')))
    await settled()
    expect(alice.closed?.code).toBe('content-too-large')
    expect(bob.closed).toBeNull()
    expect(replica.log).toEqual([])
  })

  it('[SYNC-6] is not heard any more from a session that was ended', async () => {
    const { replica, live } = setUp()
    const alice = await live('alice')
    await live('bob')
    alice.send(frames.update(Uint8Array.of(1)))
    alice.send(frames.update(typed(1, 'late')))
    alice.send(frames.syncStep1())
    alice.send(frames.states([{ client: 1, clock: 1, state: {} }]))
    await settled()
    expect(replica.log).toEqual([])
    expect(alice.types).toEqual(['sync-step-1', 'sync-step-2'])
  })

  it('a bug ends the session with it and is told', async () => {
    const { replica, live, onUnexpected } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    const bug = new TypeError('a bug')
    vi.spyOn(replica, 'applyLive').mockRejectedValueOnce(bug)
    alice.send(frames.update(typed(1, 'x')))
    await settled()
    expect(alice.closed?.code).toBe('internal')
    expect(onUnexpected).toHaveBeenCalledWith(bug)
    vi.spyOn(replica, 'whenCommitted').mockImplementationOnce(() => {
      throw bug
    })
    bob.send(frames.syncStep1())
    expect(bob.closed?.code).toBe('internal')
    expect(onUnexpected).toHaveBeenCalledTimes(2)
  })
})

describe('what a session wrote itself', () => {
  it('[CONF-6] is nothing that its page has to prove, however it reaches the disk', async () => {
    const { environment, replica, live } = setUp()
    const alice = await live('alice')
    const questions = (): number =>
      alice.frames.filter((frame) => ['sync-step-1', 'query-awareness'].includes(readFrame(frame).type)).length
    const before = questions()
    replica.isHeld = true
    for (const [clock, letter] of [...'abc'].entries()) alice.send(frames.update(typed(7, letter, clock)))
    for (const count of [1, 2]) {
      replica.commit(count)
      await environment.advance(5_000)
    }
    expect(alice.text).toBe('abc')
    expect(questions()).toBe(before)
    replica.isHeld = false
    replica.write((doc) => doc.getText('content').insert(0, 'x'))
    await environment.advance(5_000)
    expect(questions()).toBeGreaterThan(before)
  })
})
