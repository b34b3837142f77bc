import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { childNews } from '../support/childNews.ts'
import { childUrl } from '../support/children.ts'
import type { FloodNews, FloodOrder } from '../support/floodChild.ts'
import { RATES_NEVER_MET } from '../support/rates.ts'
import { startProcess } from '../support/process.ts'
import { caller, TEST_SECRET } from '../support/server.ts'
import { temporaryFolder, type TemporaryFolder } from '../support/storageSqlite.ts'
import { subscribeMany } from '../support/subscribers.ts'
import { WaitLimit } from '../support/waitFor.ts'

const MEBIBYTE = 1024 * 1024
/** Long enough for a loaded machine; nothing here is judged by the clock. */
const LOAD_MS = 120_000

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

let folder: TemporaryFolder
let token: string
beforeEach(async () => {
  folder = temporaryFolder()
  const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
  token = (await issuer.issue({ sub: 'alice', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })).token
})
afterEach(() => folder.dispose())

/** A subscriber that keeps the numbers of its events, and not the events. */
class NumberReader {
  readonly socket: WebSocket
  readonly numbers: number[] = []
  lastId = ''
  subscribed = false
  closed = false
  #changed: () => void = () => undefined

  constructor(url: string, query: string) {
    this.socket = new WebSocket(`${url.replace(/^http/, 'ws')}/conflict-notifications?token=${token}&${query}`)
    onTestFinished(() => this.socket.terminate())
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.closed = true
      this.#changed()
    })
    this.socket.on('message', (data) => {
      const frame = JSON.parse(String(data))
      if (frame.type === 'subscribed') this.subscribed = true
      if (frame.type === 'event') {
        this.numbers.push(frame.event.data.n)
        this.lastId = frame.event.id
      }
      this.#changed()
    })
  }

  async until(condition: () => boolean): Promise<void> {
    const limit = new WaitLimit(() => `${String(condition)}, after ${this.numbers.length} events`, LOAD_MS)
    while (!condition()) await limit.race(new Promise<void>((resolve) => (this.#changed = resolve)))
    limit.end()
  }
}

describe('a subscriber that never reads', () => {
  const BYTES = 10_000
  const AN_ACT = 50
  const A_MEASURE = 500
  const WARM_UP = 2_000
  const COUNT = 12_500

  async function startFlood() {
    const parameters = [join(folder.path, 'parley.db'), TEST_SECRET]
    const child = fork(childUrl('floodChild'), parameters, { execArgv: ['--expose-gc'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const next = childNews<FloodNews>(child)
    const { url } = await next()
    /** Commits these events; answers the memory of the server, in bytes. */
    const flood = async (numbers: readonly number[]): Promise<number> => {
      const done = next()
      const order: FloodOrder = { numbers, bytes: BYTES, collect: (numbers.at(-1) ?? 0) % A_MEASURE === 0 }
      child.send(order)
      return (await done).rss
    }
    return { url, flood }
  }

  it('[NOTE-6] is closed at its bound, costs no memory while 100 MB pass, slows no one, and resumes without loss', async () => {
    const { url, flood } = await startFlood()
    const quick = new NumberReader(url, 'documents=flood')
    await quick.until(() => quick.subscribed)
    const pass = async (from: number, to: number): Promise<number> => {
      let most = 0
      for (let n = from; n <= to; n += AN_ACT) {
        most = Math.max(most, await flood(range(n, n + AN_ACT - 1)))
        await quick.until(() => quick.numbers.length >= n + AN_ACT - 1)
      }
      return most
    }
    const before = await pass(1, WARM_UP)
    const slow = new NumberReader(url, 'documents=flood')
    await slow.until(() => slow.subscribed)
    slow.socket.pause()
    const deafStream = connect(Number(new URL(url).port), '127.0.0.1')
    onTestFinished(() => void deafStream.destroy())
    deafStream.on('error', () => undefined)
    deafStream.write(
      `GET /conflict-notifications HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    await once(deafStream, 'readable')
    const during = await pass(WARM_UP + 1, COUNT)
    expect(quick.numbers).toEqual(range(1, COUNT))
    expect(during - before).toBeLessThan(20 * MEBIBYTE)
    slow.socket.resume()
    await slow.until(() => slow.closed)
    expect(slow.numbers.length).toBeLessThan(COUNT - WARM_UP)
    deafStream.resume()
    if (!deafStream.closed) await once(deafStream, 'close')
    const resumed = new NumberReader(url, `documents=flood&since=${encodeURIComponent(slow.lastId)}`)
    await resumed.until(() => resumed.numbers.at(-1) === COUNT)
    expect([...slow.numbers, ...resumed.numbers]).toEqual(range(WARM_UP + 1, COUNT))
  })
})

/** How many files a process of ours may have open; Node raises its own limit to this. */
const openFiles = (): number => Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Infinity

describe('many subscribers of one document', () => {
  const COUNT = 5_000
  const EVENTS = 3

  it('[NOTE-6] 5,000 are all told of every refused write', async ({ skip }) => {
    skip(openFiles() < COUNT + 200, `a process may open only ${openFiles()} files here (ulimit -Hn)`)
    const running = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(folder.path, 'parley.db'),
      PARLEY_SECRET: TEST_SECRET,
      PARLEY_LOG_LEVEL: 'warn',
      ...RATES_NEVER_MET,
    })
    onTestFinished(() => void running.process.kill('SIGKILL'))
    const alice = caller(() => running.url, token)
    expect((await alice.post('/documents', { id: 'hot', kind: 'text', content: 'one\n' })).status).toBe(201)
    expect((await alice.put('/documents/hot', { content: 'two\n', baseVersion: 1 })).status).toBe(200)
    const many = await subscribeMany(`${running.url}/conflict-notifications?documents=hot&token=${token}`, {
      count: COUNT,
      marker: '"type":"parley.conflict.detected"',
      welcome: '"type":"subscribed"',
    })
    onTestFinished(() => void many.process.kill('SIGKILL'))
    for (let n = 0; n < EVENTS; n++) {
      const told = many.told()
      const refused = await alice.put('/documents/hot', { content: `refused ${n}\n`, baseVersion: 1 })
      expect(refused.status).toBe(409)
      expect(await told).toBeGreaterThan(0n)
    }
    // All of them leave at once, and the server stays.
    many.process.kill('SIGKILL')
    expect((await alice.get('/documents/hot')).status).toBe(200)
    expect(await running.stop()).toBe(0)
  })
})
