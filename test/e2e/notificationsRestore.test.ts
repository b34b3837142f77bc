import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { invariant } from '../../server/foundation/assert.ts'
import { HubClient } from '../support/hubServer.ts'
import { copyDatabase } from '../support/putBack.ts'
import { EventStreamReader } from '../support/eventStream.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { tamper, temporaryFolder, type TemporaryFolder } from '../support/storageSqlite.ts'
import { Receiver } from '../support/webhookReceiver.ts'

const PATH = '/conflict-notifications'

let folder: TemporaryFolder
beforeEach(() => (folder = temporaryFolder()))
afterEach(() => folder.dispose())

const create = async (by: Caller, ...ids: string[]): Promise<void> => {
  for (const id of ids) expect((await by.post('/documents', { id, kind: 'text', content: 'a' })).status).toBe(201)
}

/** A stream that resumes from this id; `until` reads on until it has told of so many events. */
async function openStream(server: TestServer, by: Caller, id: string) {
  const { body } = await fetch(server.url + PATH, {
    headers: { authorization: `Bearer ${by.token}`, accept: 'text/event-stream', 'last-event-id': id },
  })
  invariant(body !== null, 'a stream has a body')
  const bytes = body.getReader()
  onTestFinished(() => bytes.cancel())
  const reader = new EventStreamReader()
  return async (count: number) => {
    while (reader.events.length < count) reader.push(new TextDecoder().decode((await bytes.read()).value))
    return reader.events
  }
}

it('[OPS-7] [NOTE-2] [NOTE-3] [NOTE-4] [NOTE-5] after a restore, cursors of the lost future get a resync, never silence', async () => {
  const receiver = new Receiver()
  await receiver.listen()
  onTestFinished(() => receiver.close())
  const variables = { PARLEY_WEBHOOK_PRIVATE: 'true' }
  const lost = await startTestServer({ variables })
  const before = await lost.as('alice')
  expect((await before.post(PATH, { url: receiver.url, documents: ['*'] })).status).toBe(201)
  await create(before, 'kept')
  await receiver.until(1)
  const backup = join(folder.path, 'backup.db')
  tamper(lost.file, 'VACUUM INTO ?', backup)
  tamper(backup, 'UPDATE meta SET is_copy = 1')
  await create(before, 'lost-1', 'lost-2')
  await receiver.until(3)
  const { events, cursor } = (await before.get(`${PATH}?since=${(await startOf(before)).cursor}`)).body
  expect(events).toEqual([])

  await lost.stop()

  const restored = await startTestServer({ variables: { ...variables, PARLEY_DATABASE: backup } })
  onTestFinished(() => restored.stop())
  const alice = await restored.as('alice')
  // The new history runs past the places of the old one, so that only the epoch tells them apart.
  await create(alice, 'new-1', 'new-2', 'new-3', 'new-4')
  const client = new HubClient(
    `${restored.url.replace(/^http/, 'ws')}${PATH}?token=${alice.token}&since=${encodeURIComponent(cursor)}`,
  )
  onTestFinished(() => client.socket.terminate())
  const resync = await client.next('resync')
  const expired = await alice.get(`${PATH}?since=${encodeURIComponent(cursor)}`)
  expect([expired.status, expired.body.code]).toEqual([410, 'cursor-expired'])
  const streamed = await openStream(restored, alice, cursor)
  await streamed(1)
  const polled = alice.get(`${PATH}?since=${encodeURIComponent(expired.body.cursor)}&waitSeconds=60`)
  await create(alice, 'last')

  const { event } = await client.next('event')
  expect(event.subject).toBe('documents/last')
  const since = new HubClient(
    `${restored.url.replace(/^http/, 'ws')}${PATH}?token=${alice.token}&since=${encodeURIComponent(resync.cursor)}`,
  )
  onTestFinished(() => since.socket.terminate())
  expect((await since.next('event')).event.id).toBe(event.id)
  expect((await streamed(2)).map((one) => one.type)).toEqual(['resync', 'parley.document.created'])
  expect((await polled).body.events.map((one: { id: string }) => one.id)).toEqual([event.id])
  await receiver.until(3 + 1 + 5)
  const told = receiver.received.slice(3).map(({ body }) => JSON.parse(body))
  expect(told.filter((one) => one.type === 'resync')).toHaveLength(1)
  expect(told.flatMap((one) => one.subject ?? [])).toEqual(
    expect.arrayContaining(['new-1', 'new-2', 'new-3', 'new-4', 'last'].map((id) => `documents/${id}`)),
  )
})

/** The cursor of this moment. */
const startOf = async (by: Caller): Promise<{ readonly cursor: string }> => (await by.get(PATH)).body

it('[OPS-7] [NOTE-2] [NOTE-3] [NOTE-4] after the files were put back, cursors of what is gone get a resync, and those from before go on', async () => {
  const server = await startTestServer({})
  onTestFinished(() => server.stop())
  const alice = await server.as('alice')
  await create(alice, 'kept')
  const known = (await startOf(alice)).cursor
  let copy: { back(): void } | null = null
  await server.restart((file) => (copy = copyDatabase(file, folder.path)))
  await create(alice, 'lost')
  const changed = new HubClient(
    `${server.url.replace('http', 'ws')}${PATH}?documents=kept&events=parley.document.changed&token=${alice.token}`,
  )
  onTestFinished(() => changed.socket.terminate())
  await changed.next('subscribed')
  expect((await alice.put('/documents/kept', { content: 'lost', baseVersion: 1 })).status).toBe(200)
  const { id: change } = (await changed.next('event')).event
  const { cursor: gone } = await startOf(alice)
  await server.restart(() => copy?.back())

  await create(alice, 'other')
  expect((await alice.put('/documents/kept', { content: 'other', baseVersion: 1 })).status).toBe(200)
  for (const cursor of [gone, change]) {
    const poll = await alice.get(`${PATH}?since=${encodeURIComponent(cursor)}`)
    expect([cursor, poll.status, poll.body.code]).toEqual([cursor, 410, 'cursor-expired'])
    const streamed = (await (await openStream(server, alice, cursor))(1))[0]
    expect(streamed?.type).toBe('resync')
    const client = new HubClient(`${server.url.replace('http', 'ws')}${PATH}?since=${cursor}&token=${alice.token}`)
    onTestFinished(() => client.socket.terminate())
    await client.next('resync')
  }
  const { events } = (await alice.get(`${PATH}?since=${encodeURIComponent(known)}`)).body
  expect(events.map((event: { subject: string }) => event.subject)).toEqual(['documents/other'])
})
