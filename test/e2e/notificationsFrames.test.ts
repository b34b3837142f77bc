import { afterEach, describe, expect, it } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { DEFAULT_HUB_LIMITS } from '../../server/notifications/hub.ts'
import { client, commit, server, start, stop } from '../support/hubScene.ts'
import { tokenOf } from '../support/hubServer.ts'

afterEach(stop)

describe('frames that are wrong', () => {
  it('[NOTE-2] each is answered by an error with a problem document, and harms nothing else', async () => {
    await start()
    const one = await client()
    await one.subscribe('taken')
    const wrong: [frame: unknown, code: string, id?: string][] = [
      ['', 'invalid-json'],
      ['{', 'invalid-json'],
      ['{"type":"ping","type":"ping"}', 'invalid-json'],
      ['{"type":"ping","__proto__":{}}', 'invalid-json'],
      [String.raw`{"type":"subscribe","id":"\ud800"}`, 'invalid-json'],
      ['[]', 'invalid-request'],
      ['null', 'invalid-request'],
      ['"ping"', 'invalid-request'],
      [{}, 'invalid-request'],
      [{ type: 'welcome' }, 'invalid-request'],
      [{ type: 'toString' }, 'invalid-request'],
      [{ type: 'ping', extra: true }, 'invalid-request'],
      [{ type: 'subscribe' }, 'invalid-request'],
      [{ type: 'subscribe', id: 'taken' }, 'invalid-request', 'taken'],
      [{ type: 'subscribe', id: 'x', documents: ['a b'] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', documents: 'a' }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', documents: [] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', events: ['parley.nonsense'] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', events: ['changed'] }, 'invalid-request', 'x'],
      [{ type: 'subscribe', id: 'x', since: 'nonsense' }, 'invalid-cursor', 'x'],
      [{ type: 'subscribe', id: 'x', filter: 1 }, 'invalid-request', 'x'],
      [{ type: 'unsubscribe', id: 'never' }, 'invalid-request', 'never'],
      [{ type: 'authenticate' }, 'invalid-request'],
    ]
    for (const [frame, code, subscription] of wrong) {
      one.send(frame)
      const answer = await one.next('error')
      const { status } = answer.problem
      expect({ code: answer.problem.code, id: answer.id, status }, JSON.stringify(frame)).toEqual({
        code,
        id: subscription,
        status: 400,
      })
    }
    commit('a')
    await one.next('event')
    expect(one.closed).toBeNull()
  })

  it('[NOTE-2] a socket holds so many subscriptions and no more', async () => {
    await start(systemEnvironment, { subscriptions: 3 })
    const one = await client('*', '&documents=a')
    await one.subscribe('1')
    await one.subscribe('2')
    one.send({ type: 'subscribe', id: '3' })
    expect(await one.next('error')).toMatchObject({ id: '3', problem: { code: 'invalid-request' } })
    one.send({ type: 'unsubscribe', id: 'query' })
    await one.subscribe('3')
  })

  it('binary, oversized and too many frames end the socket with an error, and no other one', async () => {
    await start(systemEnvironment, { framesAtOnce: 20, framesPerSecond: 0.001 })
    const bystander = await client()
    const binary = await client()
    binary.socket.send(Buffer.from('{"type":"ping"}'), { binary: true })
    expect(await binary.ended()).toEqual({ code: 4400, reason: 'invalid-request' })
    expect(binary.frames.at(-1)).toMatchObject({ type: 'error', problem: { code: 'invalid-request' } })

    const oversized = await client()
    oversized.send({ type: 'subscribe', id: 'x'.repeat(DEFAULT_HUB_LIMITS.frameBytes) })
    expect(await oversized.ended()).toEqual({ code: 1009, reason: 'message-too-large' })
    expect(oversized.frames.at(-1)).toMatchObject({ type: 'error', problem: { code: 'message-too-large' } })

    const huge = await client()
    huge.send('x'.repeat(1024 * 1024))
    expect((await huge.ended()).code).toBe(1009)

    const flood = await client()
    for (let n = 0; n < 100; n++) flood.send({ type: 'ping' })
    expect(await flood.ended()).toEqual({ code: 4529, reason: 'too-many-requests' })
    // The token took one turn of twenty.
    expect(flood.frames.filter((frame) => frame.type === 'pong').length).toBeLessThanOrEqual(19)
    expect(flood.frames.at(-1)).toMatchObject({ type: 'error', problem: { code: 'too-many-requests', status: 429 } })

    await bystander.roundTrip()
    expect(bystander.closed).toBeNull()
  })

  it('frames that pile up behind a token end the socket, before they take much memory', async () => {
    await start(systemEnvironment, { frameBytes: 1_000 })
    const one = await server.connect()
    server.holdTokens(new Promise(() => undefined))
    one.send({ type: 'authenticate', token: tokenOf('bob') })
    for (let n = 0; n < 10; n++) one.send({ type: 'authenticate', token: 'x'.repeat(900) })
    expect(await one.ended()).toEqual({ code: 4529, reason: 'too-many-requests' })
  })

  it('sockets without a token are bounded, those with one are not held up by them', async () => {
    await start(systemEnvironment, { waitingSessions: 2 })
    const waiting = [await server.connect(), await server.connect()]
    const refused = await server.connect()
    expect(await refused.ended()).toEqual({ code: 1013, reason: 'overloaded' })
    for (const one of waiting) {
      one.send({ type: 'authenticate', token: tokenOf('bob') })
      await one.next('welcome')
    }
    const next = await server.connect()
    await next.roundTrip()
    expect(next.closed).toBeNull()
  })
})
