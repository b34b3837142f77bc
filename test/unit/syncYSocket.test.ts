import { describe, expect, it, vi } from 'vitest'
import type { Principal } from '../../server/access/access.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { deferred } from '../support/deferred.ts'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { DAY_MS, principal, setUp } from '../support/ySockets.ts'

describe('a connection', () => {
  it('[SYNC-1] is not read before it is authenticated; what came already is heard then, in order', async () => {
    const { authenticate, connect } = setUp()
    const who = deferred<Principal>()
    authenticate.mockReturnValueOnce(who.promise)
    const socket = connect()
    expect(socket.isPaused).toBe(true)
    socket.receive(frames.syncStep1())
    socket.receive(frames.queryAwareness())
    await settled()
    expect(socket.sent).toEqual([])
    who.resolve(principal(Date.UTC(2030, 1)))
    await settled()
    expect(socket.isPaused).toBe(false)
    expect(socket.types).toEqual(['sync-step-1', 'awareness', 'sync-step-2'])
  })

  it('[SYNC-6] holds little of what comes before that', async () => {
    const { authenticate, connect } = setUp()
    authenticate.mockReturnValueOnce(deferred<Principal>().promise)
    const socket = connect()
    for (let i = 0; i < 3; i++) socket.receive(frames.update(new Uint8Array(100 * 1024)))
    expect(socket.closed?.code).toBe(1013)
  })

  it('[SYNC-10] that is gone before it is authenticated takes no seat', async () => {
    const { authenticate, connect, rooms, release } = setUp()
    const who = deferred<Principal>()
    authenticate.mockReturnValueOnce(who.promise)
    connect().emit('close')
    who.resolve(principal(Date.UTC(2030, 1)))
    await settled()
    expect([rooms.size, rooms.sessions]).toEqual([0, 0])
    expect(release).toHaveBeenCalledOnce()
  })

  it('[SYNC-10] leaves its seat when it is gone, and nothing behind', async () => {
    const { connect, rooms, environment, release } = setUp()
    const sockets = [connect(), connect()]
    await settled()
    expect([rooms.size, rooms.sessions]).toEqual([1, 2])
    for (const socket of sockets) socket.emit('close')
    await settled()
    expect([rooms.size, rooms.sessions]).toEqual([0, 0])
    expect(environment.pending).toBe(0)
    expect(release).toHaveBeenCalledTimes(2)
  })

  it('[SYNC-8] ends when its token does, also in two months', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    environment.jump(60 * DAY_MS - 1)
    await environment.advance(0)
    expect(socket.closed).toBeNull()
    await environment.advance(1)
    expect(socket.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })

  it('[SYNC-8] ends at once when its token is revoked, also while it is being opened; others stay', async () => {
    const { connect, endpoint, isValid, rooms, authenticate } = setUp()
    const [open, other] = [connect(), connect()]
    await settled()
    const who = deferred<Principal>()
    authenticate.mockReturnValueOnce(who.promise)
    const opening = connect()
    isValid.mockReturnValueOnce(false)
    endpoint.revalidate()
    expect([open.closed, other.closed]).toEqual([{ code: 4401, reason: 'the token was revoked' }, null])
    isValid.mockReturnValueOnce(false)
    who.resolve(principal(Date.UTC(2030, 1)))
    await settled()
    expect(opening.closed?.code).toBe(4401)
    expect(rooms.sessions).toBe(1)
  })

  it('is cut when its peer shows no sign of life', async () => {
    const { connect, environment } = setUp()
    const [deaf, alive] = [connect(), connect()]
    await settled()
    deaf.isDeaf = true
    await environment.advance(89_999)
    expect([deaf.isTerminated, alive.isTerminated]).toEqual([false, false])
    await environment.advance(1)
    expect([deaf.isTerminated, alive.isTerminated]).toEqual([true, false])
    expect(alive.pings).toBe(3)
  })

  it('[SYNC-9] is not cut while a message of its peer is on its way, however long that takes', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    for (let second = 0; second < 600; second += 20) {
      socket.stream.bytesRead += 20 * 1024
      await environment.advance(20_000)
    }
    expect(socket.isTerminated).toBe(false)
    await environment.advance(120_000)
    expect(socket.isTerminated).toBe(true)
  })

  it('[SYNC-9] is given the time that a line of 32 KiB/s needs for what was sent before a ping', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    socket.stream.bytesWritten += 4 * 1024 * 1024
    await environment.advance(6 * 30_000)
    expect(socket.isTerminated).toBe(false)
    await environment.advance(30_000)
    expect(socket.isTerminated).toBe(true)
  })

  it('is not cut while it is not read', async () => {
    const { connect, environment } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    socket.pause()
    await environment.advance(300_000)
    expect(socket.isTerminated).toBe(false)
  })

  it('[OPS-4] is cut when its peer does not answer a close', async () => {
    const { connect, environment, endpoint } = setUp()
    const socket = connect()
    await settled()
    socket.isDeaf = true
    const closed = vi.fn()
    void endpoint.close().then(closed)
    expect(socket.closed).toEqual({ code: 1012, reason: 'the server is stopping' })
    await environment.advance(2_999)
    expect(closed).not.toHaveBeenCalled()
    await environment.advance(1)
    expect(socket.isTerminated).toBe(true)
    expect(closed).toHaveBeenCalledOnce()
  })

  it('[OPS-2] that comes while the server stops is turned away', async () => {
    const { connect, endpoint, authenticate } = setUp()
    await endpoint.close()
    const socket = connect()
    expect(socket.closed?.code).toBe(1012)
    expect(authenticate).not.toHaveBeenCalled()
  })

  it('is closed with what fits of a long reason', async () => {
    const { connect, replica } = setUp()
    const socket = connect()
    await settled()
    replica.end(new ParleyError('document-deleted', 'é'.repeat(100)))
    expect(socket.closed).toEqual({ code: 4404, reason: 'é'.repeat(61) })
  })

  it('copies what it is lent', async () => {
    const { connect, replica } = setUp()
    const socket = connect()
    await settled()
    const lent = Buffer.from(frames.update(Uint8Array.of(1, 1, 1, 0, 4, 1, 7, ...Buffer.from('content'), 1, 0x61, 0)))
    const applied: Uint8Array[] = []
    vi.spyOn(replica, 'applyLive').mockImplementation((update) => {
      applied.push(update)
      return Promise.resolve(null)
    })
    socket.receive(frames.syncStep1())
    socket.emit('message', lent, true)
    const before = Uint8Array.from(applied[0] ?? [])
    lent.fill(0)
    expect(before.length).toBeGreaterThan(0)
    expect(applied[0]).toEqual(before)
  })
})

describe('a refused connection', () => {
  it('[SYNC-4] is told why, not heard, and closed after 5 s', async () => {
    const { connect, environment } = setUp()
    const socket = connect('doc', null)
    await settled()
    expect(socket.types).toEqual(['denied'])
    socket.receive(Uint8Array.of(99))
    await environment.advance(4_999)
    expect(socket.closed).toBeNull()
    await environment.advance(1)
    expect(socket.closed?.code).toBe(4401)
    expect(socket.types).toEqual(['denied'])
    expect(environment.pending).toBe(0)
  })

  it('[SYNC-4] is not told that it is denied for what may pass', async () => {
    const { connect, environment } = setUp({
      replicas: { lease: () => Promise.reject(new ParleyError('storage-unavailable', 'out of reach')) },
    })
    const socket = connect()
    await settled()
    expect(socket.sent).toEqual([])
    await environment.advance(5_000)
    expect(socket.closed?.code).toBe(1013)
  })

  it('[SYNC-4] is closed at once when there are many', async () => {
    const { connect } = setUp({ refused: 2 })
    const sockets = [connect('doc', null), connect('doc', null), connect('doc', null)]
    await settled()
    expect(sockets.map((socket) => socket.closed?.code ?? null)).toEqual([null, null, 4401])
  })

  it('[OPS-6] for a damaged document gets 1011, for a bug too, which is told', async () => {
    const bug = new TypeError('a bug')
    const failures = [new ParleyError('document-damaged', 'damaged'), bug]
    const { connect, environment, onUnexpected } = setUp({
      replicas: { lease: () => Promise.reject(failures.shift()) },
    })
    const sockets = [connect(), connect()]
    await environment.advance(5_000)
    expect(sockets.map((socket) => socket.closed?.code)).toEqual([1011, 1011])
    expect(onUnexpected.mock.calls).toEqual([[bug]])
  })
})
