import { afterEach, describe, expect, it } from 'vitest'
import { DEFAULT_HUB_LIMITS } from '../../server/notifications/hub.ts'
import { client, commit, cursorAt, server, start, startManual, stop, storage } from '../support/hubScene.ts'
import { waitUntil } from '../support/waitFor.ts'

afterEach(stop)

describe('liveness', () => {
  it('a client that answers no pings is cut off, one that does stays', async () => {
    const environment = await startManual()
    const alive = await client()
    const dead = await client()
    let pings = 0
    alive.socket.on('ping', () => pings++)
    dead.socket.pause()
    for (let seconds = 0; seconds < 46; seconds++) {
      await environment.advance(1_000)
      await alive.roundTrip()
    }
    await waitUntil(() => server.hub.size === 1)
    dead.socket.resume()
    expect((await dead.ended()).code).toBe(1006)
    expect(pings).toBe(3)
    expect(alive.closed).toBeNull()
  })

  it('[NOTE-2] bookmarks move the cursor of an idle subscriber on, and only when it moves', async () => {
    const environment = await startManual()
    const one = await client()
    await one.subscribe('1', { documents: ['mine'] })
    const bare = await client()
    for (let n = 0; n < 20; n++) commit('others')
    await environment.advance(15_000)
    const bookmark = await one.next('bookmark')
    await environment.advance(60_000)
    await one.roundTrip()
    await bare.roundTrip()
    expect(one.frames.filter((frame) => frame.type === 'bookmark')).toHaveLength(1)
    expect(bare.frames.filter((frame) => frame.type === 'bookmark')).toEqual([])
    // What it stands for is forgotten later, and it still resumes.
    storage.prune(20)
    commit('mine')
    const resumed = await client()
    await resumed.subscribe('1', { since: bookmark.cursor })
    await environment.advance(0)
    await resumed.next('event')
    expect(resumed.numbers).toEqual([21])
    expect(resumed.frames.some((frame) => frame.type === 'resync')).toBe(false)
  })

  it('no bookmark is sent while a subscription still catches up', async () => {
    const environment = await startManual({ bufferBytes: 64 * 1024 })
    for (let n = 0; n < 5; n++) commit('a')
    await environment.advance(0)
    let open = (): void => undefined
    storage.gate = new Promise((resolve) => (open = resolve))
    const one = await client()
    await one.subscribe('live')
    await one.subscribe('behind', { since: cursorAt(0) })
    await environment.advance(20_000)
    await one.roundTrip()
    expect(one.frames.filter((frame) => frame.type === 'bookmark')).toEqual([])
    open()
    await one.until(() => one.events.length === 5)
  })
})

describe('the end', () => {
  it('[OPS-2] closing ends every socket with 1012, also one that never answers, and refuses new ones', async () => {
    const environment = await startManual()
    const one = await client('*', '&documents=*')
    const mute = await client()
    mute.socket.pause()
    let gone = false
    const closing = server.hub.close().then(() => (gone = true))
    expect(await one.ended()).toEqual({ code: 1012, reason: 'shutting-down' })
    expect(gone).toBe(false)
    await environment.advance(DEFAULT_HUB_LIMITS.closeGraceMs)
    await closing
    expect(server.hub.size).toBe(0)
    const late = await server.connect()
    expect(await late.ended()).toEqual({ code: 1012, reason: 'shutting-down' })
  })

  it('a client that leaves, politely or not, leaves nothing behind', async () => {
    const environment = await startManual()
    const polite = await client('*', '&documents=*')
    const rude = await client('*', '&documents=*')
    const failed = await client('*', '&documents=*')
    await Promise.all([polite, rude, failed].map((one) => one.next('subscribed')))
    expect(server.feed.size).toBe(3)
    polite.socket.close()
    rude.socket.terminate()
    failed.send({ type: 'authenticate', token: 'nonsense' })
    await waitUntil(() => server.hub.size === 0)
    expect(server.feed.size).toBe(0)
    // The hub's own tick, and none that waits to cut a socket off.
    expect(environment.pending).toBe(1)
    commit('a')
    await environment.advance(5_000)
    expect(environment.pending).toBe(1)
  })

  it('an error nobody expected is reported, and ends only the session it happened in', async () => {
    await start()
    commit('a')
    await waitUntil(() => server.feed.settled().place.sequence === 1)
    const other = await client()
    const one = await client()
    storage.failure = new RangeError('a bug')
    one.send({ type: 'subscribe', id: '1', since: cursorAt(0) })
    expect(await one.ended()).toEqual({ code: 1011, reason: 'internal' })
    expect(JSON.stringify(one.frames)).not.toContain('a bug')
    expect(server.unexpected.splice(0)).toEqual([storage.failure])
    await other.roundTrip()
  })
})
