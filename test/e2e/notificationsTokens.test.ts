import { afterEach, describe, expect, it } from 'vitest'
import { deferred } from '../support/deferred.ts'
import { client, commit, cursorAt, event, server, start, startManual, stop, storage } from '../support/hubScene.ts'
import { tokenOf } from '../support/hubServer.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { waitUntil } from '../support/waitFor.ts'

afterEach(stop)

describe('authentication', () => {
  it('[NOTE-2] a token by query or by frame is answered by welcome, each time', async () => {
    await start()
    const byQuery = await client()
    expect(byQuery.socket.protocol).toBe('conflict-notifications.v1')
    expect(byQuery.frames).toEqual([{ type: 'welcome' }])
    const byFrame = await server.connect()
    for (let n = 0; n < 3; n++) {
      byFrame.send({ type: 'authenticate', token: tokenOf('bob') })
      await byFrame.next('welcome')
    }
    expect(byFrame.frames).toHaveLength(3)
  })

  it('[NOTE-2] a bad or expired token closes with 4401 after an error that says so', async () => {
    await start()
    const bad = await server.connect()
    bad.send({ type: 'authenticate', token: 'nonsense' })
    const atOnce = await server.connect('?token=nonsense')
    const expired = await server.connect()
    expired.send({ type: 'authenticate', token: tokenOf('alice', '*', 1_000) })
    const replaced = await client()
    replaced.send({ type: 'authenticate', token: 'nonsense' })
    for (const one of [bad, atOnce, expired, replaced]) {
      expect(await one.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
      expect(one.frames.at(-1)).toMatchObject({
        type: 'error',
        problem: {
          type: 'https://parley.test/problems/unauthenticated',
          title: 'Authentication is required',
          status: 401,
          detail: expect.any(String),
          instance: '/conflict-notifications',
          code: 'unauthenticated',
          retryable: false,
        },
      })
    }
    await waitUntil(() => server.hub.size === 0)
  })

  it('[NOTE-2] no token within 10 s closes with 4401; a token in time does not', async () => {
    const environment = await startManual()
    const silent = await server.connect()
    const late = await server.connect()
    await environment.advance(9_000)
    expect(silent.closed).toBeNull()
    late.send({ type: 'authenticate', token: tokenOf('bob') })
    await late.next('welcome')
    await environment.advance(1_000)
    expect(await silent.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    await late.roundTrip()
    expect(late.closed).toBeNull()
  })

  it('[NOTE-2] before a token, a subscription is refused and nothing is told, but the socket stays', async () => {
    await start()
    const waiting = await server.connect('?documents=*')
    waiting.send({ type: 'subscribe', id: 'x', documents: ['*'] })
    expect(await waiting.next('error')).toMatchObject({ id: 'x', problem: { code: 'unauthenticated', status: 401 } })
    commit('a')
    await waiting.roundTrip()
    expect(waiting.frames.map((frame) => frame.type)).toEqual(['error', 'pong'])
    waiting.send({ type: 'authenticate', token: tokenOf('bob') })
    await waiting.next('subscribed')
    commit('a')
    await waiting.next('event')
    expect(waiting.numbers).toEqual([2])
  })

  it('[NOTE-2] an error names the frame that it answers, whatever id that has', async () => {
    await start()
    const one = await server.connect()
    one.send({ type: 'authenticate', token: tokenOf('bob') })
    await one.next('welcome')
    for (const id of ['a', 'a', 7, null, '', 'x'.repeat(65), { id: 'a' }]) one.send({ type: 'subscribe', id })
    one.send({ type: 'subscribe' })
    one.send({ type: 'subscribe', id: 'b', documents: ['no pattern!'] })
    await one.roundTrip()
    const errors = one.frames.filter(({ type }) => type === 'error')
    expect(errors.map(({ frame, id }) => [frame, id])).toEqual([
      [3, 'a'],
      [4, undefined],
      [5, undefined],
      [6, undefined],
      [7, undefined],
      [8, undefined],
      [9, undefined],
      [10, 'b'],
    ])
  })

  it('[NOTE-2] frames that follow a token wait until it is verified', async () => {
    await start()
    const eager = await server.connect()
    let release = (): void => undefined
    server.holdTokens(new Promise((resolve) => (release = resolve)))
    eager.send({ type: 'authenticate', token: tokenOf('bob') })
    eager.send({ type: 'subscribe', id: '1' })
    eager.send({ type: 'ping' })
    const other = await server.connect()
    await other.roundTrip()
    expect(eager.frames).toEqual([])
    release()
    await eager.next('pong')
    expect(eager.frames.map((frame) => frame.type)).toEqual(['welcome', 'subscribed', 'pong'])
  })

  it('[NOTE-2] a token that expires closes with 4401, to the second, and nothing is told after it', async () => {
    const environment = new ManualEnvironment()
    const until = environment.now() / 1_000 + 60
    // So that the hub looks at deadlines half a second after the token expires.
    environment.jump(500)
    await start(environment)
    const short = await server.connect(`?token=${encodeURIComponent(tokenOf('alice', '*', until))}`)
    const long = await client()
    await short.subscribe('1')
    await environment.advance(59_000)
    commit('a')
    await environment.advance(0)
    await short.roundTrip()
    expect(short.numbers).toEqual([1])
    // The clock passes the expiry before any timer runs.
    environment.jump(500)
    storage.commit([event('a')])
    await environment.advance(0)
    expect(await short.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(short.numbers).toEqual([1])
    await long.roundTrip()
    expect(long.closed).toBeNull()
  })

  it('[NOTE-2] an idle session whose token expires is closed too; a newer token keeps it open', async () => {
    const environment = await startManual()
    const until = environment.now() / 1_000 + 5
    const idle = await server.connect(`?token=${encodeURIComponent(tokenOf('alice', '*', until))}`)
    const renewed = await server.connect(`?token=${encodeURIComponent(tokenOf('bob', '*', until))}`)
    await renewed.next('welcome')
    renewed.send({ type: 'authenticate', token: tokenOf('bob', '*', until + 3_600) })
    await renewed.next('welcome')
    await environment.advance(6_000)
    expect(await idle.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    await renewed.roundTrip()
    expect(renewed.closed).toBeNull()
  })

  it('[NOTE-7] a revoked principal is closed with 4401, others stay', async () => {
    await start()
    const alice = await client()
    const bob = await server.connect(`?token=${encodeURIComponent(tokenOf('bob'))}`)
    await bob.next('welcome')
    const waiting = await server.connect()
    server.revoke('alice')
    expect(await alice.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(alice.frames.at(-1).problem.detail).toContain('revoked')
    await waiting.roundTrip()
    await bob.roundTrip()
    expect(bob.closed).toBeNull()
  })

  it('[NOTE-7] a token revoked while it was verified opens nothing', async () => {
    await start()
    const { promise, resolve } = deferred()
    server.holdTokens(promise)
    const alice = await server.connect(`?token=${encodeURIComponent(tokenOf('alice'))}&documents=a`)
    server.revoke('alice')
    resolve()
    expect(await alice.ended()).toEqual({ code: 4401, reason: 'unauthenticated' })
    expect(alice.frames.map((frame) => frame.type)).toEqual(['error'])
  })
})

describe('rights', () => {
  it('[NOTE-2] a pattern over unreadable documents is accepted and silent', async () => {
    await start()
    const one = await client('team:*')
    await one.subscribe('unreadable', { documents: ['secret', 'other:*'] })
    await one.subscribe('mixed', { documents: ['*'] })
    commit('secret', 'other:x', 'team:a')
    await one.next('event')
    await one.roundTrip()
    expect(one.events.map((frame) => frame.subscriptions)).toEqual([['mixed']])
    expect(one.numbers).toEqual([3])
    const before = await client('team:*', `&since=${encodeURIComponent(cursorAt(0))}`)
    await before.next('event')
    await before.roundTrip()
    expect(before.numbers).toEqual([3])
  })

  it('[NOTE-7] a newer token replaces the rights at once, both ways, for standing subscriptions', async () => {
    await start()
    const one = await client('a')
    await one.subscribe('1', { documents: ['*'] })
    commit('a', 'b')
    await one.next('event')
    one.send({ type: 'authenticate', token: tokenOf('alice', 'b') })
    await one.next('welcome')
    commit('a', 'b')
    await one.until(() => one.events.length === 2)
    await one.roundTrip()
    expect(one.numbers).toEqual([1, 4])
  })
})
