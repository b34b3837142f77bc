import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { beforeEach, describe, expect, it } from 'vitest'
import { invariant } from '../../server/foundation/assert.ts'
import { CHANGED } from '../../server/model/event.ts'
import { formatCursor } from '../../server/notifications/envelope.ts'
import { Feed } from '../../server/notifications/feed.ts'
import { parseQuery, parseRequest } from '../../server/notifications/request.ts'
import { EventStreams, type StreamLimits } from '../../server/api/notificationStream.ts'
import { EventStreamReader } from '../support/eventStream.ts'
import { aHead, anEvent, FakeFeedStorage } from '../support/fakeFeed.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { readerOf } from '../support/readers.ts'

/** What of an answer a stream uses; the test says how much the network takes. */
class FakeResponse extends EventEmitter {
  readonly headers: Record<string, unknown> = {}
  readonly reader = new EventStreamReader()
  status = 0
  writableLength = 0
  ended = false
  destroyed = false
  readonly #callbacks: (() => void)[] = []

  setHeader(name: string, value: unknown): void {
    this.headers[name.toLowerCase()] = value
  }

  writeHead(status: number, headers: Record<string, unknown>): void {
    this.status = status
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value)
  }

  write(bytes: Buffer, callback?: () => void): void {
    invariant(!this.ended && !this.destroyed, 'nothing is written after the end')
    this.reader.push(String(bytes))
    this.writableLength += bytes.length
    if (callback) this.#callbacks.push(callback)
  }

  /** The network takes everything. */
  take(): void {
    this.writableLength = 0
    for (const callback of this.#callbacks.splice(0)) callback()
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

let environment: ManualEnvironment
let storage: FakeFeedStorage
let feed: Feed
let revoked: boolean
let unexpected: unknown[]
beforeEach(async () => {
  environment = new ManualEnvironment()
  storage = new FakeFeedStorage(() => environment.now())
  feed = await Feed.open({ storage, environment, source: () => 'https://parley.test' })
  revoked = false
  unexpected = []
})

function makeStreams(limits: Partial<StreamLimits> = {}): EventStreams {
  return new EventStreams({
    feed,
    environment,
    isValid: (principal) => !revoked && environment.now() < principal.expiresAt * 1_000,
    onUnexpected: (error) => unexpected.push(error),
    limits,
  })
}

function open(streams: EventStreams, query = '', principal = readerOf(), response = new FakeResponse()): FakeResponse {
  const request = parseQuery(new URLSearchParams(query), feed.epoch, []) ?? parseRequest({}, feed.epoch)
  streams.open(response as unknown as ServerResponse, { vary: 'Accept' }, principal, request)
  return response
}

const documentsOf = ({ reader }: FakeResponse): string[] => reader.events.map((event) => event.data.data.document)
const cursorAt = (sequence: number): string =>
  formatCursor('epocha', { ...storage.pointAt(sequence), told: null, change: null })

describe('a stream of Server-Sent Events', () => {
  it('[NOTE-3] has the cursor as its id, the type as its event and the whole CloudEvent as its data', async () => {
    const response = open(makeStreams())
    storage.commit([anEvent('a', 'two\nlines\r and more')])
    await environment.advance(0)
    expect(response.status).toBe(200)
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': expect.stringContaining('no-cache'),
      'x-accel-buffering': 'no',
      vary: 'Accept',
    })
    const [event] = response.reader.events
    expect(event).toEqual({
      id: cursorAt(1),
      type: 'parley.conflict.detected',
      data: expect.objectContaining({
        specversion: '1.0',
        id: cursorAt(1),
        source: 'https://parley.test',
        subject: 'documents/a',
        data: { document: 'a', note: 'two\nlines\r and more' },
      }),
    })
  })

  it('[NOTE-3] is not opened where the connection ended while the token was verified', async () => {
    const streams = makeStreams()
    const gone = new FakeResponse()
    gone.destroy()
    open(streams, '', readerOf(), gone)
    expect([streams.size, feed.size, gone.reader.comments]).toEqual([0, 0, []])
    await streams.close()
  })

  it('[NOTE-3] is never silent for 15 s, whatever the ticks of its clock', async () => {
    const response = open(makeStreams())
    const seen: number[] = []
    for (let second = 1; second <= 120; second++) {
      await environment.advance(1_000)
      response.take()
      const beats = response.reader.comments.filter((comment) => comment === 'heartbeat').length
      if (beats > seen.length) seen.push(second)
    }
    expect(seen.length).toBeGreaterThanOrEqual(8)
    for (const [n, second] of seen.entries()) expect(second - (seen[n - 1] ?? 0)).toBeLessThanOrEqual(15)
  })

  it('[NOTE-3] moves the last event id on past events that are not for it, so that it never becomes too old', async () => {
    const streams = makeStreams()
    const response = open(streams, 'documents=mine')
    storage.commit([anEvent('others'), anEvent('others')])
    await environment.advance(12_000)
    expect(response.reader.events).toEqual([])
    const id = response.reader.lastEventId
    storage.prune(2)
    storage.commit([anEvent('mine')])
    await environment.advance(0)
    const resumed = open(streams, `documents=mine&since=${encodeURIComponent(id)}`)
    await environment.advance(0)
    expect(resumed.reader.events.map((event) => event.type)).toEqual(['parley.conflict.detected'])
  })

  it('[NOTE-3] gives an id to resume from before the first event', async () => {
    const streams = makeStreams()
    const first = open(streams)
    const id = first.reader.lastEventId
    first.destroy()
    storage.commit([anEvent('a')])
    await environment.advance(0)
    const second = open(streams, `since=${encodeURIComponent(id)}`)
    await environment.advance(0)
    expect(documentsOf(first)).toEqual([])
    expect(documentsOf(second)).toEqual(['a'])
  })

  it('[NOTE-3] a cursor too old is one resync event in the stream, which then goes on', async () => {
    storage.commit([anEvent('a'), anEvent('b'), anEvent('c')])
    storage.prune(2)
    await environment.advance(0)
    const response = open(makeStreams(), `since=${cursorAt(1)}`)
    await environment.advance(0)
    storage.commit([anEvent('d')])
    await environment.advance(0)
    expect(response.reader.events.map((event) => event.type)).toEqual(['resync', 'parley.conflict.detected'])
    expect(response.reader.events[0]?.data).toEqual({ type: 'resync', cursor: response.reader.events[0]?.id })
    expect(documentsOf({ reader: { events: response.reader.events.slice(1) } } as FakeResponse)).toEqual(['d'])
  })

  it('[NOTE-6] a reader that takes nothing is cut off at the buffer, and gets the rest when it resumes', async () => {
    const streams = makeStreams({ bufferBytes: 4_000 })
    const slow = open(streams)
    const quick = open(streams)
    for (let n = 1; n <= 40; n++) {
      storage.commit([anEvent(`doc${n}`)])
      await environment.advance(0)
      quick.take()
    }
    const all = Array.from({ length: 40 }, (_, n) => `doc${n + 1}`)
    expect(documentsOf(quick)).toEqual(all)
    expect(slow.destroyed).toBe(true)
    expect(slow.writableLength).toBeLessThanOrEqual(4_000)
    const resumed = open(streams, `since=${slow.reader.lastEventId}`)
    for (let n = 0; n < 60; n++) {
      await environment.advance(0)
      resumed.take()
    }
    expect([...documentsOf(slow), ...documentsOf(resumed)]).toEqual(all)
    expect(streams.size).toBe(2)
  })

  it('[NOTE-7] shows only what the token may read, and ends when the token expires', async () => {
    const streams = makeStreams()
    const until = environment.now() / 1_000 + 5
    const response = open(streams, '', readerOf({ patterns: 'team:*', expiresAt: until }))
    storage.commit([anEvent('team:a'), anEvent('secret')])
    await environment.advance(4_000)
    expect(response.ended).toBe(false)
    environment.jump(1_000)
    storage.commit([anEvent('team:b')])
    await environment.advance(1_000)
    expect(documentsOf(response)).toEqual(['team:a'])
    expect(response.ended).toBe(true)
    expect(response.reader.isWhole).toBe(true)
    expect(feed.size).toBe(0)
  })

  it('[NOTE-7] ends when the rights are revoked, and shows nothing from that moment on', async () => {
    const response = open(makeStreams())
    revoked = true
    storage.commit([anEvent('a')])
    await environment.advance(1_000)
    expect(response.reader.events).toEqual([])
    expect(response.ended).toBe(true)
  })

  it('a reader that never takes the end is cut off after a while', async () => {
    const streams = makeStreams()
    const response = open(streams)
    const closed = streams.close()
    expect(response.ended).toBe(true)
    expect(streams.size).toBe(1)
    await environment.advance(2_000)
    await closed
    expect(response.destroyed).toBe(true)
    expect(() => open(streams)).toThrow(expect.objectContaining({ code: 'shutting-down' }))
  })

  it('there are only so many streams, and one that has left makes room', async () => {
    const streams = makeStreams({ streams: 1 })
    const first = open(streams)
    expect(() => open(streams)).toThrow(expect.objectContaining({ code: 'overloaded' }))
    first.destroy()
    await environment.advance(0)
    expect(open(streams).status).toBe(200)
    expect(feed.size).toBe(1)
  })

  it('storage that cannot be read while it catches up ends it, so that the client tries again', async () => {
    storage.commit([anEvent('a')])
    await environment.advance(0)
    storage.failure = new Error('a bug')
    const response = open(makeStreams(), `since=${cursorAt(0)}`)
    await environment.advance(0)
    expect(response.ended).toBe(true)
    expect(unexpected).toEqual([storage.failure])
  })

  it('tells of changes where it is asked to', async () => {
    const response = open(makeStreams(), `events=${CHANGED}`)
    storage.tell({ heads: [aHead('a', 2, environment.now())], events: [] })
    await environment.advance(0)
    expect(response.reader.events.map((event) => [event.type, event.data.data.version])).toEqual([[CHANGED, 2]])
  })
})
