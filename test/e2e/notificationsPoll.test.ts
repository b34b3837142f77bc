import { describe, expect, it, onTestFinished } from 'vitest'
import { cloudEventFaults } from '../support/cloudEvents.ts'
import { startTestServer, type Answer } from '../support/server.ts'
import { WaitLimit } from '../support/waitFor.ts'
import { suiteServer } from '../support/suite.ts'

const PATH = '/conflict-notifications'

const server = suiteServer(startTestServer)
const alice = server.caller('alice')

let count = 0
async function createDocument(prefix = 'doc'): Promise<string> {
  const id = `${prefix}-${++count}`
  expect((await alice.post('/documents', { id, kind: 'text', content: 'a' })).status).toBe(201)
  return id
}
const documentsOf = ({ body }: Answer): string[] =>
  body.events.map((event: { data: { document: string } }) => event.data.document)
const verdict = ({ status, body }: Answer): unknown[] => [status, body.code]
const since = (cursor: string, more = ''): string => `${PATH}?since=${encodeURIComponent(cursor)}${more}`

describe('a long poll over HTTP', () => {
  it('[NOTE-4] goes on from its cursor, and answers as soon as something happens', async () => {
    const start = await alice.get(PATH)
    expect(start.status).toBe(200)
    expect(start.body).toEqual({ events: [], cursor: expect.any(String) })
    expect(start.headers.get('content-type')).toMatch(/^application\/json/)
    expect(start.headers.get('cache-control')).toBe('no-store')
    expect(start.headers.get('vary')).toBe('Accept, Origin')
    const waiting = alice.get(since(start.body.cursor, '&waitSeconds=60'))
    const first = await createDocument()
    const told = await waiting
    expect(documentsOf(told)).toEqual([first])
    expect(told.body.events[0]).toMatchObject({ specversion: '1.0', type: 'parley.document.created' })
    expect(cloudEventFaults(told.body.events[0])).toEqual([])
    const second = await createDocument()
    const more = await alice.get(since(told.body.cursor))
    expect(documentsOf(more)).toEqual([second])
    expect(documentsOf(await alice.get(since(more.body.cursor)))).toEqual([])
    expect(documentsOf(await alice.get(since(told.body.events[0].id)))).toEqual([second])
  })

  it('[NOTE-4] a poll is what a client gets that names no type, or one that is not served', async () => {
    for (const accept of ['*/*', 'application/json', 'text/html', 'text/event-stream;q=0.5, application/json']) {
      expect((await alice.get(PATH, { accept })).headers.get('content-type'), accept).toMatch(/^application\/json/)
    }
  })

  it('[NOTE-4] gets only the documents and types it asks for', async () => {
    const { cursor } = (await alice.get(PATH)).body
    await createDocument('some')
    const id = await createDocument('other')
    expect((await alice.call('DELETE', `/documents/${id}?baseVersion=1`)).status).toBe(204)
    const answer = await alice.get(since(cursor, '&documents=other*,none&events=parley.document.deleted'))
    expect(answer.body.events.map((event: { type: string }) => event.type)).toEqual(['parley.document.deleted'])
    expect(documentsOf(answer)).toEqual([id])
  })

  it('[NOTE-4] a malformed cursor is 400, one too old 410 with a cursor to go on from', async () => {
    expect(verdict(await alice.get(since('nonsense')))).toEqual([400, 'invalid-cursor'])
    expect(verdict(await alice.get(since('')))).toEqual([400, 'invalid-cursor'])
    const expired = await alice.get(since('another.00000000001', '&waitSeconds=60'))
    expect(verdict(expired)).toEqual([410, 'cursor-expired'])
    const id = await createDocument()
    expect(documentsOf(await alice.get(since(expired.body.cursor)))).toEqual([id])
  })

  it('[NOTE-4] takes a wait of 0 to 60 seconds and no unknown parameters', async () => {
    for (const query of [
      'waitSeconds=61',
      'waitSeconds=-1',
      'waitSeconds=1.5',
      'waitSeconds=',
      'unknown=1',
      'events=x',
    ]) {
      expect(verdict(await alice.get(`${PATH}?${query}`)), query).toEqual([400, 'invalid-request'])
    }
    expect((await alice.get(`${PATH}?waitSeconds=0`)).status).toBe(200)
  })

  it('[AUTH-1] a token in the query counts for streams only', async () => {
    const answer = await fetch(`${server.url}${PATH}?token=${alice.token}`)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(verdict(await alice.get(`${PATH}?token=${alice.token}`))).toEqual([400, 'invalid-request'])
  })

  it('[NOTE-7] tells nothing of documents that it may not read', async () => {
    const carol = await server.as('carol', { 'open-*': ['read'] })
    const { cursor } = (await carol.get(PATH)).body
    await createDocument('closed')
    const id = await createDocument('open')
    expect(documentsOf(await carol.get(since(cursor, '&documents=*')))).toEqual([id])
  })

  it('[OPS-2] a server that stops answers a poll that waits, and does not wait for it', async () => {
    const other = await startTestServer()
    onTestFinished(() => other.stop())
    const reader = await other.as('alice')
    const { cursor } = (await reader.get(PATH)).body
    const waiting = reader.get(since(cursor, '&waitSeconds=60'))
    // Another request over a connection of its own is answered only when this one has been taken.
    await reader.get('/documents')
    const limit = new WaitLimit(() => 'the stop', 5_000)
    await limit.race(other.stop())
    limit.end()
    expect((await waiting).status).toBe(200)
  })
})
