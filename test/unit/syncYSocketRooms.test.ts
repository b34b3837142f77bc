import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { LiveReplicas } from '../../server/sync/rooms.ts'
import { FakeReplica } from '../support/fakeReplica.ts'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { setUp } from '../support/ySockets.ts'

describe('rooms', () => {
  it('[SYNC-3] join what another was faster to create', async () => {
    const replica = new FakeReplica()
    const found = [{ absent: 'never' as const }, { replica, release: vi.fn() }]
    const createEmpty = vi.fn(() => Promise.reject(new ParleyError('already-exists', 'taken')))
    const replicas: LiveReplicas = { lease: () => Promise.resolve(found.shift() ?? { absent: 'never' }) }
    const { connect } = setUp({ replicas, createEmpty })
    const socket = connect()
    await settled()
    expect(socket.types).toEqual(['sync-step-1'])
    expect(createEmpty).toHaveBeenCalledOnce()
  })

  it('[SYNC-2] open anew when the replica has ended', async () => {
    const replicas = [new FakeReplica('text', 1_001), new FakeReplica('text', 1_002)]
    const release = vi.fn()
    const { connect, rooms } = setUp({
      replicas: {
        lease: () => {
          const replica = replicas.find((one) => !one.ended)
          return replica ? Promise.resolve({ replica, release }) : Promise.reject(new Error('none left'))
        },
      },
    })
    const first = connect()
    await settled()
    replicas[0]?.end(new ParleyError('overloaded', 'loaded anew'))
    expect(first.closed?.code).toBe(1013)
    expect(rooms.size).toBe(0)
    const second = connect()
    await settled()
    replicas[1]?.write((doc) => doc.getText('content').insert(0, 'x'))
    second.receive(frames.syncStep1())
    await settled()
    expect(second.types).toEqual(['sync-step-1', 'sync-step-2'])
  })

  it('[SYNC-2] refuse a replica that ended while it was handed over', async () => {
    const { connect, replica, release, environment } = setUp()
    replica.ended = new ParleyError('overloaded', 'loaded anew')
    const socket = connect()
    await environment.advance(5_000)
    expect(socket.closed?.code).toBe(1013)
    expect(release).toHaveBeenCalledOnce()
  })
})
