import { afterEach, describe, expect, it } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { CHANGED } from '../../server/model/event.ts'
import { aHead } from '../support/fakeFeed.ts'
import { client, commit, cursorAt, range, server, start, stop, storage } from '../support/hubScene.ts'
import { tokenOf } from '../support/hubServer.ts'
import { waitUntil } from '../support/waitFor.ts'

afterEach(stop)

describe('subscribing', () => {
  it('[NOTE-2] subscribed tells the cursor, and event the subscriptions and a CloudEvent', async () => {
    await start()
    const one = await client()
    const { cursor } = await one.subscribe('mine', { documents: ['a'] })
    expect(cursor).toEqual(expect.any(String))
    commit('a')
    const frame = await one.next('event')
    expect(frame).toEqual({
      type: 'event',
      subscriptions: ['mine'],
      event: {
        specversion: '1.0',
        id: cursorAt(1),
        source: 'https://parley.test',
        type: 'parley.conflict.detected',
        subject: 'documents/a',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        datacontenttype: 'application/json',
        data: { n: 1, filler: '' },
      },
    })
  })

  it('[NOTE-2] several matching subscriptions of one socket share one frame that lists them', async () => {
    await start()
    const one = await client()
    await one.subscribe('exact "quoted"', { documents: ['a'] })
    await one.subscribe('prefix', { documents: ['a*'] })
    await one.subscribe('other', { documents: ['b'] })
    await one.subscribe('all', {})
    const two = await client()
    await two.subscribe('all', {})
    commit('a', 'b')
    await one.until(() => one.events.length === 2)
    await two.until(() => two.events.length === 2)
    expect(one.events.map((frame) => frame.subscriptions.toSorted())).toEqual([
      ['all', 'exact "quoted"', 'prefix'],
      ['all', 'other'],
    ])
    expect(two.events.map((frame) => frame.subscriptions)).toEqual([['all'], ['all']])
  })

  it('[NOTE-2] the query subscribes at once, without a frame', async () => {
    await start()
    commit('a', 'b', 'b1', 'c')
    await waitUntil(() => server.feed.settled().place.sequence === 4)
    const some = await client('*', '&documents=a,b*')
    const all = await client('*', `&since=${encodeURIComponent(cursorAt(2))}`)
    const typed = await client('*', '&events=parley.conflict.resolved')
    const bare = await client()
    await Promise.all([some, all, typed].map((one) => one.next('subscribed')))
    await bare.roundTrip()
    commit('a', 'c')
    await some.until(() => some.events.length === 1)
    await all.until(() => all.events.length === 4)
    await typed.roundTrip()
    await bare.roundTrip()
    expect(some.events.map((frame) => frame.subscriptions)).toEqual([['query']])
    expect(some.numbers).toEqual([5])
    expect(all.numbers).toEqual([3, 4, 5, 6])
    expect(typed.events).toEqual([])
    expect(bare.frames.map((frame) => frame.type)).toEqual(['welcome', 'pong', 'pong'])
  })

  it('[NOTE-2] a query that asks for nonsense is refused with an error and a close', async () => {
    await start()
    for (const [query, code] of [
      ['documents=a b', 'invalid-request'],
      ['documents=', 'invalid-request'],
      ['events=nonsense', 'invalid-request'],
      ['document=a', 'invalid-request'],
      ['since=nonsense', 'invalid-cursor'],
    ] as const) {
      const one = await server.connect(`?token=${encodeURIComponent(tokenOf('alice'))}&${query}`)
      expect(await one.ended(), query).toEqual({ code: 4400, reason: code })
      expect(one.frames).toMatchObject([{ type: 'error', problem: { code, status: 400 } }])
    }
  })

  it('[NOTE-2] unsubscribe ends it at once; its id is free again', async () => {
    await start()
    const one = await client()
    await one.subscribe('1')
    commit('a')
    await one.next('event')
    one.send({ type: 'unsubscribe', id: '1' })
    await one.roundTrip()
    commit('a')
    await one.subscribe('1')
    commit('a')
    await one.next('event')
    await one.roundTrip()
    expect(one.numbers).toEqual([1, 3])
    expect(one.frames.filter((frame) => frame.type === 'error')).toEqual([])
  })

  it('[NOTE-2] since brings what was missed, in order, before what happens', async () => {
    await start()
    for (let n = 0; n < 300; n++) commit(`doc${n % 7}`)
    const one = await client()
    await one.subscribe('1', { since: cursorAt(17) })
    for (let n = 0; n < 50; n++) commit(`doc${n % 7}`)
    await one.until(() => one.events.length === 333)
    expect(one.numbers).toEqual(range(18, 350))
  })

  it('[NOTE-2] a cursor of another epoch or too old is answered by resync, and the subscription goes on', async () => {
    await start()
    for (let n = 0; n < 10; n++) commit('a')
    storage.prune(5)
    const one = await client()
    await one.subscribe('old', { since: cursorAt(4) })
    await one.subscribe('foreign', { since: cursorAt(9, 'otherepoch') })
    await one.until(() => one.frames.filter((frame) => frame.type === 'resync').length === 2)
    const resyncs = one.frames.filter((frame) => frame.type === 'resync')
    expect(resyncs.map((frame) => frame.id).toSorted()).toEqual(['foreign', 'old'])
    commit('a')
    await one.next('event')
    expect(one.numbers).toEqual([11])
    const again = await client('*', `&since=${encodeURIComponent(resyncs[0].cursor)}`)
    await again.next('event')
    expect(again.numbers).toEqual([11])
    expect(again.frames.some((frame) => frame.type === 'resync')).toBe(false)
  })

  it('[NOTE-2] changes are told to those who ask for them, and their id is a cursor', async () => {
    await start()
    const asks = await client('*', `&events=${CHANGED}`)
    const others = await client('*', '&documents=*')
    await asks.next('subscribed')
    await others.next('subscribed')
    storage.commit([], [aHead('a', 2, systemEnvironment.now())])
    const frame = await asks.next('event')
    expect(frame.event).toMatchObject({ type: CHANGED, subject: 'documents/a', data: { document: 'a', version: 2 } })
    const resumed = await client('*', `&events=${CHANGED}&since=${encodeURIComponent(frame.event.id)}`)
    storage.commit([], [aHead('b', 5, systemEnvironment.now())])
    expect((await resumed.next('event')).event).toMatchObject({ subject: 'documents/b', data: { version: 5 } })
    await others.roundTrip()
    expect(others.events).toEqual([])
  })
})
