import { afterEach, describe, expect, it } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { client, commit, cursorAt, event, range, start, stop, storage } from '../support/hubScene.ts'

afterEach(stop)

describe('readers that do not keep up', () => {
  const BIG = 'x'.repeat(8_000)

  it('[NOTE-6] a slow reader is closed with 1013, resumes without loss, and slows no one', async () => {
    await start(systemEnvironment, { bufferBytes: 256 * 1024, closeGraceMs: 60_000 })
    const fast = await client('*', '&documents=a')
    const slow = await client('*', '&documents=a')
    await fast.next('subscribed')
    await slow.next('subscribed')
    slow.socket.pause()
    // Nearly 20 MB: more than the network takes on loopback.
    const COUNT = 300
    for (let n = 1; n <= COUNT; n++) {
      storage.commit([event('a', BIG.repeat(8))])
      // The fast one reads each batch before the next is written: only one who does not read falls behind.
      if (n % 3 === 0) await fast.until(() => fast.events.length === n)
    }
    expect(fast.numbers).toEqual(range(1, COUNT))
    slow.socket.resume()
    expect(await slow.ended()).toEqual({ code: 1013, reason: 'too-slow' })
    expect(slow.events.length).toBeLessThan(COUNT)
    const numbers = slow.numbers
    const last = slow.events.at(-1).event.id
    const resumed = await client('*', `&documents=a&since=${encodeURIComponent(last)}`)
    await resumed.until(() => resumed.events.length === COUNT - numbers.length)
    expect([...numbers, ...resumed.numbers]).toEqual(range(1, COUNT))
  })

  it('[NOTE-6] a reader that catches up slowly is waited for, however much it missed', async () => {
    await start(systemEnvironment, { bufferBytes: 64 * 1024 })
    for (let n = 0; n < 2_000; n++) storage.commit([event('a', BIG)])
    const one = await client()
    const reads = storage.reads
    one.send({ type: 'subscribe', id: '1', since: cursorAt(0) })
    await one.next('subscribed')
    one.socket.pause()
    const other = await client()
    await other.subscribe('1', { since: cursorAt(1_900) })
    await other.until(() => other.events.length === 100)
    expect(storage.reads - reads).toBeLessThan(20)
    one.socket.resume()
    await one.until(() => one.events.length === 2_000)
    expect(one.numbers).toEqual(range(1, 2_000))
  })

  it('[NOTE-6] 500 sockets on one document all get every event in order', async () => {
    await start()
    const clients = await Promise.all(range(1, 500).map((n) => client('*', `&documents=${n % 2 ? 'shared' : 'sh*'}`)))
    await Promise.all(clients.map((one) => one.next('subscribed')))
    for (let n = 0; n < 10; n++) commit('shared', 'other')
    await Promise.all(clients.map((one) => one.until(() => one.events.length === 10)))
    const wanted = range(0, 9).map((n) => 2 * n + 1)
    for (const one of clients) expect(one.numbers).toEqual(wanted)
  })
})
