import { connect, type Socket } from 'node:net'
import { EventSource } from 'eventsource'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Storage } from '../../server/storage/storage.ts'
import { EventStreamReader } from '../support/eventStream.ts'
import { anEvent } from '../support/fakeFeed.ts'
import { newAct } from '../support/storageSamples.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { WaitLimit, waitUntil } from '../support/waitFor.ts'

let server: TestServer
let alice: Caller
let storage: Storage | null = null
beforeAll(async () => {
  const wrapStorage = (opened: Storage): Storage => (storage = opened)
  server = await startTestServer({ internals: { wrapStorage } })
  alice = await server.as('alice')
})
afterAll(() => server.stop())

let count = 0
async function createDocument(prefix = 'doc'): Promise<string> {
  const id = `${prefix}-${++count}`
  expect((await alice.post('/documents', { id, kind: 'text', content: 'a' })).status).toBe(201)
  return id
}

interface Message {
  readonly type: string
  readonly lastEventId: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into events freely
  readonly data: any
}

/** A stock EventSource, and everything it was told. */
function subscribe(query: string, path = '/conflict-notifications') {
  const source = new EventSource(`${server.url}${path}?${query}`)
  onTestFinished(() => source.close())
  const messages: Message[] = []
  for (const type of ['parley.document.created', 'parley.document.deleted', 'parley.document.changed', 'resync']) {
    source.addEventListener(type, ({ lastEventId, data }) =>
      messages.push({ type, lastEventId, data: JSON.parse(data) }),
    )
  }
  const opened = async (): Promise<void> => {
    const limit = new WaitLimit(() => 'the stream to open')
    if (source.readyState !== EventSource.OPEN) {
      await limit.race(new Promise((resolve) => source.addEventListener('open', resolve, { once: true })))
    }
    limit.end()
  }
  return { source, messages, opened }
}

/** A client that writes its request by hand and may stop reading. */
class RawStream {
  readonly socket: Socket
  readonly reader = new EventStreamReader()
  head = ''
  /** The answer came to its proper end. */
  ended = false
  closed = false

  constructor(target: string, headers: Record<string, string>, method = 'GET') {
    const { hostname, port, host } = new URL(server.url)
    this.socket = connect(Number(port), hostname)
    onTestFinished(() => void this.socket.destroy())
    const lines = Object.entries({ Host: host, Accept: 'text/event-stream', ...headers }).map(([k, v]) => `${k}: ${v}`)
    this.socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    let text = ''
    this.socket.on('data', (bytes) => {
      text += String(bytes)
      if (this.head === '') {
        const end = text.indexOf('\r\n\r\n')
        if (end === -1) return
        this.head = text.slice(0, end)
        text = text.slice(end + 4)
      }
      text = this.#takeChunks(text)
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => (this.closed = true))
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.head)?.[1])
  }

  /** RFC 9112 §7.1; everything here is ASCII, so characters are bytes. */
  #takeChunks(received: string): string {
    let text = received
    for (;;) {
      const [line, size = ''] = /^([0-9a-f]+)\r\n/i.exec(text) ?? []
      const length = parseInt(size, 16)
      if (line === undefined || text.length < line.length + length + 2) return text
      if (length === 0) this.ended = true
      this.reader.push(text.slice(line.length, line.length + length))
      text = text.slice(line.length + length + 2)
    }
  }
}

const bearer = (caller: Caller): Record<string, string> => ({ Authorization: `Bearer ${caller.token}` })

describe('a stock EventSource', () => {
  it.each(['/conflict-notifications', '/v1/conflict-notifications'])(
    '[NOTE-3] [AUTH-1] gets what happens at %s, with a token in its query',
    async (path) => {
      const { messages, opened } = subscribe(`token=${alice.token}`, path)
      await opened()
      const id = await createDocument()
      await waitUntil(() => messages.length > 0)
      expect(messages).toHaveLength(1)
      expect(messages[0]).toMatchObject({ type: 'parley.document.created', data: { subject: `documents/${id}` } })
      expect(messages[0]?.lastEventId).toBe(messages[0]?.data.id)
    },
  )

  it('[NOTE-3] resumes by itself over a restart, without a gap or a repetition', async () => {
    // A port of its own that was free just now, for an EventSource resumes where it was.
    const probe = await startTestServer()
    await probe.stop()
    const other = await startTestServer({ variables: { PARLEY_PORT: new URL(probe.url).port } })
    onTestFinished(() => other.stop())
    const writer = await other.as('alice')
    const source = new EventSource(`${other.url}/conflict-notifications?token=${writer.token}`)
    onTestFinished(() => source.close())
    const subjects: string[] = []
    source.addEventListener('parley.document.created', ({ data }) => subjects.push(JSON.parse(data).subject))
    let openings = 0
    source.addEventListener('open', () => (openings += 1))
    await waitUntil(() => openings === 1)
    const create = (id: string): Promise<unknown> => writer.post('/documents', { id, kind: 'text' })
    await create('one')
    await waitUntil(() => subjects.length === 1)
    await other.restart()
    // Connections that the client kept from before the restart are found dead by using them.
    while ((await writer.get('/documents').catch(() => null)) === null);
    await create('two')
    await waitUntil(() => subjects.length === 2)
    await create('three')
    await waitUntil(() => subjects.length === 3)
    expect(subjects).toEqual(['documents/one', 'documents/two', 'documents/three'])
  })

  it('[NOTE-3] gets only the documents and types it asks for, changes too', async () => {
    const id = await createDocument()
    const query = `token=${alice.token}&documents=${id},none*&events=parley.document.changed,parley.document.deleted`
    const { messages, opened } = subscribe(query)
    await opened()
    await createDocument()
    expect((await alice.put(`/documents/${id}`, { content: 'b', baseVersion: 1 })).status).toBe(200)
    await waitUntil(() => messages.length === 1)
    expect((await alice.call('DELETE', `/documents/${id}?baseVersion=2`)).status).toBe(204)
    await waitUntil(() => messages.length === 2)
    expect(messages.map(({ type, data }) => [type, data.data.version])).toEqual([
      ['parley.document.changed', 2],
      ['parley.document.deleted', 3],
    ])
  })

  it('[NOTE-3] gets one resync for a cursor of another database, and stays connected', async () => {
    const { source, messages, opened } = subscribe(`token=${alice.token}&since=another.00000000001`)
    await opened()
    await waitUntil(() => messages.length === 1)
    const id = await createDocument()
    await waitUntil(() => messages.length === 2)
    expect(messages.map(({ type }) => type)).toEqual(['resync', 'parley.document.created'])
    expect(messages[1]?.data.subject).toBe(`documents/${id}`)
    expect(source.readyState).toBe(EventSource.OPEN)
  })
})

describe('a client that speaks HTTP itself', () => {
  afterEach(() => expect.hasAssertions())

  it('[NOTE-3] is answered at once, with headers that keep proxies from holding events back', async () => {
    const stream = new RawStream('/conflict-notifications', bearer(alice))
    await waitUntil(() => stream.reader.comments.length > 0)
    expect(stream.status).toBe(200)
    expect(stream.head).toMatch(/^content-type: text\/event-stream/im)
    expect(stream.head).toMatch(/^cache-control: no-cache/im)
    expect(stream.head).toMatch(/^x-accel-buffering: no/im)
    expect(stream.head).toMatch(/^vary: Accept/im)
    expect(stream.head).toMatch(/^x-content-type-options: nosniff/im)
    expect(stream.head).toMatch(/^connection: keep-alive/im)
  })

  it('[NOTE-3] Last-Event-ID wins over since, which is that of the first request', async () => {
    const first = new RawStream('/conflict-notifications', bearer(alice))
    await waitUntil(() => first.reader.comments.length > 0)
    const start = first.reader.lastEventId
    const ids = [await createDocument(), await createDocument(), await createDocument()]
    await waitUntil(() => first.reader.events.length === 3)
    const target = `/conflict-notifications?since=${encodeURIComponent(start)}`
    const bySince = new RawStream(target, bearer(alice))
    const byHeader = new RawStream(target, { ...bearer(alice), 'Last-Event-ID': first.reader.events[1]?.id ?? '' })
    const byEmpty = new RawStream(target, { ...bearer(alice), 'Last-Event-ID': '' })
    const subjects = (stream: RawStream): string[] => stream.reader.events.map((event) => event.data.data.document)
    await waitUntil(() => bySince.reader.events.length === 3 && byEmpty.reader.events.length === 3)
    await waitUntil(() => byHeader.reader.events.length === 1)
    expect(subjects(bySince)).toEqual(ids)
    expect(subjects(byEmpty)).toEqual(ids)
    expect(subjects(byHeader)).toEqual(ids.slice(2))
  })

  it('[NOTE-3] a Last-Event-ID that is no cursor of this server is a resync, not an end', async () => {
    for (const id of ['42', 'x'.repeat(2_000)]) {
      const stream = new RawStream('/conflict-notifications', { ...bearer(alice), 'Last-Event-ID': id })
      await waitUntil(() => stream.reader.events.length === 1)
      expect([stream.status, stream.reader.events[0]?.type]).toEqual([200, 'resync'])
    }
  })

  it('[NOTE-3] what is wrong with the request is refused before the stream', async () => {
    const statusOf = async (target: string, headers: Record<string, string> = bearer(alice), method = 'GET') => {
      const stream = new RawStream(target, headers, method)
      await waitUntil(() => stream.head !== '')
      return stream.status
    }
    const path = '/conflict-notifications'
    expect(await statusOf(path, {})).toBe(401)
    expect(await statusOf(`${path}?token=nonsense`, {})).toBe(401)
    expect(await statusOf(`${path}?token=${alice.token}&token=${alice.token}`, {})).toBe(401)
    expect(await statusOf(`${path}?since=nonsense`)).toBe(400)
    expect(await statusOf(`${path}?documents=`)).toBe(400)
    expect(await statusOf(`${path}?documents=a&documents=b`)).toBe(400)
    expect(await statusOf(`${path}?events=changed`)).toBe(400)
    expect(await statusOf(`${path}?waitSeconds=1`)).toBe(400)
    expect(await statusOf(`${path}?unknown=1`)).toBe(400)
    expect(await statusOf(path, bearer(alice), 'HEAD')).toBe(405)
  })

  it('[NOTE-6] one that stops reading is cut off, slows nobody, and loses nothing when it resumes', async () => {
    const slow = new RawStream('/conflict-notifications?documents=large', bearer(alice))
    const quick = new RawStream('/conflict-notifications?documents=large', bearer(alice))
    await waitUntil(() => slow.reader.comments.length > 0 && quick.reader.comments.length > 0)
    slow.socket.pause()
    // Several times what the buffers of the system hold besides the server's own.
    const all = Array.from({ length: 2_000 }, (_, n) => `${n} ${'x'.repeat(10_000)}`)
    for (let n = 0; n < all.length; n += 50) {
      const events = all.slice(n, n + 50).map((note) => anEvent('large', note))
      await storage?.commit(newAct({ at: Date.now(), events }))
      await waitUntil(() => quick.reader.events.length === n + events.length)
    }
    slow.socket.resume()
    await waitUntil(() => slow.closed)
    expect(slow.ended).toBe(false)
    expect(slow.reader.events.length).toBeLessThan(all.length)
    const headers = { ...bearer(alice), 'Last-Event-ID': slow.reader.lastEventId }
    const resumed = new RawStream('/conflict-notifications?documents=large', headers)
    const seen = (): number => slow.reader.events.length + resumed.reader.events.length
    await waitUntil(() => seen() === all.length, 'the rest')
    const notes = [...slow.reader.events, ...resumed.reader.events].map((event) => event.data.data.note)
    expect(notes).toEqual(all)
  })

  it('[NOTE-7] tells nothing of documents that it may not read', async () => {
    const limited = await server.as('carol', { 'open-*': ['read'] })
    const stream = new RawStream('/conflict-notifications?documents=*', bearer(limited))
    await waitUntil(() => stream.reader.comments.length > 0)
    await createDocument('closed')
    const id = await createDocument('open')
    await waitUntil(() => stream.reader.events.length === 1)
    expect(stream.reader.events[0]?.data.subject).toBe(`documents/${id}`)
  })

  it('[NOTE-7] ends when its sub is revoked', async () => {
    const victim = await server.as('victim')
    const admin = await server.as('root', { '*': ['admin'] })
    const stream = new RawStream('/conflict-notifications', bearer(victim))
    await waitUntil(() => stream.reader.comments.length > 0)
    expect((await admin.post('/revocations', { sub: 'victim' })).status).toBe(201)
    await createDocument()
    await waitUntil(() => stream.ended)
    expect(stream.reader.events).toEqual([])
  })

  it('[OPS-2] ends when the server stops, whole, and the stop does not wait for it', async () => {
    const other = await startTestServer()
    onTestFinished(() => other.stop())
    const main = server
    server = other
    try {
      const reader = await other.as('alice')
      const stream = new RawStream('/conflict-notifications', bearer(reader))
      await waitUntil(() => stream.reader.comments.length > 0)
      const limit = new WaitLimit(() => 'the stop', 5_000)
      await limit.race(other.stop())
      limit.end()
      await waitUntil(() => stream.closed)
      expect(stream.ended).toBe(true)
      expect(stream.reader.isWhole).toBe(true)
    } finally {
      server = main
    }
  })
})
