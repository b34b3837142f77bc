import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toSequence, toVersion } from '../../server/foundation/ids.ts'
import { parseCursor } from '../../server/notifications/envelope.ts'
import { CHANGED } from '../../server/model/event.ts'
import { Feed } from '../../server/notifications/feed.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { anEvent, interest, RecordingSink } from '../support/fakeFeed.ts'
import { HubClient } from '../support/hubServer.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { actOf, appendTo, newAct, newDocumentId, newHead } from '../support/storageSamples.ts'
import { open, temporaryFolder, type TemporaryFolder } from '../support/storageSqlite.ts'
import { waitUntil } from '../support/waitFor.ts'

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

describe.each(['inline', 'thread'] as const)('the feed over a SQLite file, writer %s', (writer) => {
  let folder: TemporaryFolder
  let storage: Storage
  let feed: Feed

  const openAll = async (): Promise<void> => {
    storage = await open(`${folder.path}/parley.db`, writer)
    feed = await Feed.open({ storage, environment: systemEnvironment, source: () => '/' })
  }
  const closeAll = async (): Promise<void> => {
    feed.close()
    await storage.close()
  }
  const commitEvents = (count: number): Promise<unknown> =>
    storage.commit(newAct({ at: systemEnvironment.now(), events: range(1, count).map((n) => anEvent(`doc${n}`)) }))
  const read = async (since: number): Promise<RecordingSink> => {
    const sink = new RecordingSink()
    const sequence = toSequence(since)
    const mark = await storage.eventMark(sequence)
    feed.subscribe(interest(), { sequence, mark, told: null, change: null }, sink)
    return sink
  }

  beforeEach(async () => {
    folder = temporaryFolder()
    await openAll()
  })
  afterEach(async () => {
    await closeAll()
    folder.dispose()
  })

  it('[NOTE-1] resuming at every position while others commit loses and doubles nothing', async () => {
    await commitEvents(50)
    await commitEvents(50)
    const readers: { since: number; sink: RecordingSink }[] = []
    const commits: Promise<unknown>[] = []
    for (let since = 0; since <= 100; since++) {
      readers.push({ since, sink: await read(since) })
      commits.push(commitEvents(1 + (since % 3)))
      if (since % 10 === 0) await Promise.all(commits)
    }
    await Promise.all(commits)
    const { last } = await storage.eventRange()
    await waitUntil(() => readers.every(({ sink }) => sink.sequences.at(-1) === last))
    for (const { since, sink } of readers) expect(sink.sequences, `since ${since}`).toEqual(range(since + 1, last))
  })

  it('[NOTE-6] a restart in between is no gap either', async () => {
    await commitEvents(10)
    await closeAll()
    await openAll()
    const sink = await read(7)
    await commitEvents(2)
    await waitUntil(() => sink.events.length === 5)
    expect(sink.sequences).toEqual(range(8, 12))
  })

  it('[NOTE-2] changes missed over a restart are told once, with the newest version', async () => {
    const asks = interest(['*'], { types: [CHANGED] })
    const before = new RecordingSink()
    const begin = feed.subscribe(asks, null, before).cursor
    const document = newDocumentId()
    const write = (version: number): Promise<unknown> =>
      storage.commit(
        actOf(appendTo(newHead(document, { version: toVersion(version), updatedAt: systemEnvironment.now() }))),
      )
    await write(1)
    await closeAll()
    await openAll()
    await write(2)
    await write(3)
    await closeAll()
    await openAll()
    const sink = new RecordingSink()
    const since = parseCursor(begin, storage.epoch)
    feed.subscribe(asks, since, sink)
    await waitUntil(() => sink.caughtUpCount === 1)
    expect(sink.changes).toEqual([`${document}@3`])
  })
})

describe('the whole server', () => {
  let server: TestServer
  let alice: Caller
  const clients: HubClient[] = []

  beforeEach(async () => {
    server = await startTestServer()
    alice = await server.as('alice')
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate()
    await server.stop()
  })

  const connect = async (query: string, token = alice.token): Promise<HubClient> => {
    const client = new HubClient(
      `${server.url.replace(/^http/, 'ws')}/conflict-notifications?token=${encodeURIComponent(token)}${query}`,
    )
    clients.push(client)
    await client.opened
    return client
  }

  const refusalOf = (query: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/v1/conflict-notifications${query}`)
      socket.once('unexpected-response', (_request, response) => {
        resolve(response.statusCode)
        socket.terminate()
      })
      socket.once('open', () => reject(new Error('The upgrade was accepted.')))
      socket.on('error', () => undefined)
    })

  it('[NOTE-2] a bad token or query is refused at the upgrade', async () => {
    const token = `?token=${encodeURIComponent(alice.token)}`
    expect(await refusalOf('?token=nonsense')).toBe(401)
    expect(await refusalOf(`${token}&since=nonsense`)).toBe(400)
    expect(await refusalOf(`${token}&events=nonsense`)).toBe(400)
    expect(await refusalOf(`${token}&documents=a b`)).toBe(400)
    expect(await refusalOf(`${token}&nonsense=1`)).toBe(400)
  })

  it('[NOTE-1] a conflict is told from its detection to its resolution, and again to one who resumes', async () => {
    const watching = await connect('&documents=notes')
    const start = (await watching.next('subscribed')).cursor
    await alice.post('/documents', { id: 'notes', kind: 'text', content: 'one\n' })
    await alice.put('/documents/notes', { content: 'two\n', baseVersion: 1 })
    const bob = await server.as('bob')
    const refused = await bob.put('/documents/notes', { content: 'three\n', baseVersion: 1 })
    expect(refused.status).toBe(409)
    const conflictId = refused.body.conflict.id
    await alice.post('/resolve-conflict', { conflictId, baseVersion: 2, use: 'incoming' })
    await watching.until(() => watching.events.length === 3)
    const told = watching.events.map((frame) => frame.event)
    expect(told).toMatchObject([
      { type: 'parley.document.created', subject: 'documents/notes', data: { version: 1, by: 'alice' } },
      {
        type: 'parley.conflict.detected',
        subject: 'documents/notes',
        data: {
          conflict: conflictId,
          author: 'bob',
          baseVersion: 1,
          currentVersion: 2,
          href: `/conflicts/${conflictId}`,
        },
      },
      { type: 'parley.conflict.resolved', data: { conflict: conflictId, use: 'incoming', by: 'alice', version: 3 } },
    ])
    expect(JSON.stringify(told)).not.toContain('three')
    await server.restart()
    const resumed = await connect(`&documents=notes&since=${encodeURIComponent(start)}`)
    await resumed.until(() => resumed.events.length === 3)
    expect(resumed.events.map((frame) => frame.event.id)).toEqual(told.map((event) => event.id))
  })

  it('[NOTE-7] one who may not read the document hears nothing of it', async () => {
    const stranger = await connect('&documents=notes,*', (await server.as('eve', { 'other*': ['read'] })).token)
    await stranger.next('subscribed')
    await alice.post('/documents', { id: 'notes', kind: 'text', content: 'one\n' })
    await alice.post('/documents', { id: 'other', kind: 'text', content: 'one\n' })
    await stranger.next('event')
    await stranger.roundTrip()
    expect(stranger.events.map((frame) => frame.event.subject)).toEqual(['documents/other'])
  })

  it('[NOTE-2] writes are told as changes to those who ask, the newest version last', async () => {
    await alice.post('/documents', { id: 'notes', kind: 'text', content: '' })
    const watching = await connect(`&documents=notes&events=${CHANGED}`)
    await watching.next('subscribed')
    for (let version = 1; version <= 20; version++) {
      await alice.put('/documents/notes', { content: `${version}`, baseVersion: version })
    }
    await watching.until(() => watching.events.at(-1)?.event.data.version === 21)
    const versions = watching.events.map((frame) => frame.event.data.version)
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    expect(versions.length).toBeLessThan(20)
  })
})
