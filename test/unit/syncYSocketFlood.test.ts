import { describe, expect, it } from 'vitest'
import { settled } from '../support/manualEnvironment.ts'
import { frames } from '../support/rawClient.ts'
import { setUp, type FakeSocket } from '../support/ySockets.ts'

describe('[RATE-1] a connection that sends more than it may', () => {
  const send = (socket: FakeSocket, count: number): void => {
    for (let n = 0; n < count; n++) socket.receive(frames.queryAwareness())
  }

  it('[RATE-1] is not read for a while; nothing of it is lost, and it is read again', async () => {
    const { connect, environment, onFlood } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    const before = socket.sent.length
    send(socket, 65)
    await settled()
    expect(socket.isPaused).toBe(true)
    expect(socket.sent.length - before).toBe(65)
    await environment.advance(4_000)
    expect(socket.isPaused).toBe(true)
    await environment.advance(1_000)
    expect(socket.isPaused).toBe(false)
    expect([socket.closed, onFlood.mock.calls.length]).toEqual([null, 0])
  })

  it('[RATE-1] stays unread for as long as what one read brought adds up to', async () => {
    const { connect, environment } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    send(socket, 61)
    await environment.advance(500)
    send(socket, 10)
    await environment.advance(5_000)
    expect(socket.isPaused).toBe(true)
    await environment.advance(6_000)
    expect(socket.isPaused).toBe(false)
  })

  it('[RATE-1] is closed with 4529 where it never stops, and that is told', async () => {
    const { connect, environment, onFlood } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    send(socket, 61)
    for (let n = 0; n < 200 && socket.closed === null; n++) {
      await environment.advance(1_000)
      if (!socket.isPaused) send(socket, 1)
    }
    expect(socket.closed?.code).toBe(4529)
    expect(onFlood).toHaveBeenCalledTimes(1)
    expect(socket.isPaused).toBe(false)
  })

  it('[RATE-1] pays for pings and pongs as well', async () => {
    const { connect } = setUp({ messagesPerMinute: 60 })
    const [pinging, ponging] = [connect(), connect()]
    await settled()
    for (let n = 0; n < 61; n++) {
      pinging.emit('ping', Buffer.alloc(0))
      ponging.emit('pong', Buffer.alloc(0))
    }
    expect([pinging.isPaused, ponging.isPaused]).toEqual([true, true])
  })

  it('[RATE-1] [SYNC-8] ends when its token does, also while it is held back', async () => {
    const { connect, environment, endpoint, isValid } = setUp({ messagesPerMinute: 60 })
    const socket = connect()
    await settled()
    send(socket, 100)
    isValid.mockReturnValue(false)
    endpoint.revalidate()
    expect(socket.closed?.code).toBe(4401)
    expect(socket.isPaused).toBe(false)
    await environment.advance(120_000)
    expect(socket.isTerminated).toBe(false)
  })
})
