import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { setUp, typed } from '../support/roomScene.ts'

describe('the end of a replica', () => {
  it('[SYNC-3] that was deleted ends all sessions for good', async () => {
    const { replica, live, onClosed, release } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.end(new ParleyError('document-deleted', 'deleted'))
    expect([alice.closed?.code, bob.closed?.code]).toEqual(['document-deleted', 'document-deleted'])
    expect(onClosed).toHaveBeenCalledOnce()
    expect(release).toHaveBeenCalledOnce()
  })

  it('[SYNC-2] after a failed commit lets everyone come back, and shows nobody what was lost', async () => {
    const { replica, live, open } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    replica.isHeld = true
    alice.send(frames.update(typed(1, 'lost')))
    const carol = open('carol')
    carol.send(frames.syncStep1())
    replica.end(new ParleyError('storage-unavailable', 'disk full'))
    await settled()
    expect([alice, bob, carol].map((client) => client.closed?.code)).toEqual(Array(3).fill('storage-unavailable'))
    expect([alice, bob, carol].map((client) => client.text)).toEqual(['', '', ''])
    expect(carol.types).toEqual(['sync-step-1'])
  })

  it('[SYNC-6] that one session caused ends that session with its code and the others with one that passes', async () => {
    const { replica, live } = setUp()
    const [mallory, bob] = [await live('mallory'), await live('bob')]
    const cause = new ParleyError('invalid-request', 'cannot be applied')
    vi.spyOn(replica, 'applyLive').mockImplementationOnce(() => {
      replica.end(cause)
      return Promise.reject(cause)
    })
    mallory.send(frames.update(typed(1, 'x')))
    await settled()
    expect(mallory.closed?.code).toBe('invalid-request')
    expect(bob.closed?.code).toBe('overloaded')
  })
})

describe('the end of a room', () => {
  it('[SYNC-10] comes with the last session: the replica is let go and nothing listens', async () => {
    const { replica, live, release, onClosed, environment, room } = setUp()
    const [alice, bob] = [await live('alice'), await live('bob')]
    expect(room.size).toBe(2)
    alice.leave()
    alice.leave()
    expect(release).not.toHaveBeenCalled()
    bob.leave()
    expect(room.size).toBe(0)
    expect(release).toHaveBeenCalledOnce()
    expect(onClosed).toHaveBeenCalledOnce()
    expect(replica.listeners).toBe(0)
    expect(environment.pending).toBe(0)
  })
})
