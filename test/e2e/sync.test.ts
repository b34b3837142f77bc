import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { trustedDocumentId, NO_VERSION, toVersion } from '../../server/foundation/ids.ts'
import { faultyStorage, type FaultyStorage } from '../support/faultyStorage.ts'
import { frames, RawClient } from '../support/rawClient.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

let storage: FaultyStorage
let server: TestServer
const opened: { destroy(): void }[] = []
let documents = 0

beforeAll(async () => {
  server = await startTestServer({ internals: { wrapStorage: (real) => (storage = faultyStorage(real)) } })
})
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy()
})
afterAll(() => server.stop())

/** Stock clients forget by themselves, after 30 s, whose awareness nobody renews. */
const BEFORE_IT_IS_FORGOTTEN_MS = 10_000
const newId = (): string => `live-${++documents}`
const syncUrl = (): string => `${server.url.replace(/^http/, 'ws')}/sync`

async function stock(id: string, name: string, access?: Record<string, string[]>, doc?: Y.Doc, params = {}) {
  const client = new StockClient(syncUrl(), id, { token: await server.token(name, access), ...params }, doc)
  opened.push(client)
  return client
}

async function raw(id: string, name: string, access?: Record<string, string[]>) {
  const client = new RawClient(`${syncUrl()}/${id}?token=${await server.token(name, access)}`)
  opened.push({ destroy: () => client.close() })
  await client.opened
  return client
}

const rows = (id: string) => storage.entries(trustedDocumentId(id), NO_VERSION, toVersion(1_000), 1_000)

describe('stock clients', () => {
  it('[SYNC-1] edit one text together, and REST reads it', async () => {
    const id = newId()
    const [alice, bob] = [await stock(id, 'alice'), await stock(id, 'bob')]
    await Promise.all([alice.synced(), bob.synced()])
    alice.text.insert(0, 'Hello')
    await bob.shows('Hello')
    bob.text.insert(5, ' world 😀')
    bob.text.format(0, 5, { bold: true })
    alice.text.insert(0, '> ')
    const together = '> Hello world 😀'
    await Promise.all([alice.shows(together), bob.shows(together)])
    await eventually(() => expect(alice.text.toDelta()).toEqual(bob.text.toDelta()))
    const rest = await server.as('carol')
    await eventually(async () => expect((await rest.get(`/documents/${id}/content`)).body).toBe(together))
    expect((await rest.get(`/documents/${id}`)).body).toMatchObject({ kind: 'text', createdBy: expect.any(String) })
  })

  it('[SYNC-1] edit one json document together', async () => {
    const id = newId()
    const alice = await stock(id, 'alice', undefined, undefined, { kind: 'json' })
    await alice.synced()
    const bob = await stock(id, 'bob')
    await bob.synced()
    alice.map.set('title', 'A plan')
    alice.map.set('steps', Y.Array.from(['think', { done: false }]))
    await eventually(() => expect(bob.map.toJSON()).toEqual({ title: 'A plan', steps: ['think', { done: false }] }))
    const steps = bob.map.get('steps')
    if (steps instanceof Y.Array) steps.push(['write'])
    const rest = await server.as('carol')
    await eventually(async () => {
      const { body } = await rest.get(`/documents/${id}`)
      expect(body).toMatchObject({
        kind: 'json',
        content: { title: 'A plan', steps: ['think', { done: false }, 'write'] },
      })
    })
  })

  it('[DOC-8] see what REST writes', async () => {
    const id = newId()
    const rest = await server.as('rest')
    await rest.post('/documents', { id, kind: 'text', content: 'one\ntwo\n' })
    const alice = await stock(id, 'alice')
    await alice.synced()
    expect(alice.text.toString()).toBe('one\ntwo\n')
    await rest.put(`/documents/${id}`, { content: 'one\n2\n', baseVersion: 1 })
    await alice.shows('one\n2\n')
  })

  it('[SYNC-5] see each other come, move and go', async () => {
    const id = newId()
    const [alice, bob] = [await stock(id, 'alice'), await stock(id, 'bob')]
    await Promise.all([alice.synced(), bob.synced()])
    const seenByBob = () => bob.provider.awareness.getStates().get(alice.doc.clientID)
    alice.provider.awareness.setLocalState({ name: 'Alice' })
    await eventually(() => expect(seenByBob()).toEqual({ name: 'Alice' }))
    alice.provider.awareness.setLocalStateField('cursor', 3)
    await eventually(() => expect(seenByBob()).toEqual({ name: 'Alice', cursor: 3 }))
    const carol = await stock(id, 'carol')
    await eventually(() => expect(carol.provider.awareness.getStates().get(alice.doc.clientID)).toBeDefined())
    alice.destroy()
    await eventually(() => expect(seenByBob()).toBeUndefined(), BEFORE_IT_IS_FORGOTTEN_MS)
  })

  it('[SYNC-5] of one that vanished without a word are told of it', async () => {
    const id = newId()
    const bob = await stock(id, 'bob')
    await bob.synced()
    const alice = await raw(id, 'alice')
    alice.send(frames.states([{ client: 77, clock: 1, state: { name: 'Alice' } }]))
    await eventually(() => expect(bob.provider.awareness.getStates().get(77)).toEqual({ name: 'Alice' }))
    alice.close()
    await eventually(() => expect(bob.provider.awareness.getStates().has(77)).toBe(false), BEFORE_IT_IS_FORGOTTEN_MS)
  })

  it('[SYNC-4] that may only read are shown everything and change nothing', async () => {
    const id = newId()
    const alice = await stock(id, 'alice')
    await alice.synced()
    alice.text.insert(0, 'Hello')
    const reader = await stock(id, 'reader', { '*': ['read'] })
    await reader.synced()
    await reader.shows('Hello')
    reader.text.insert(0, 'graffiti ')
    alice.text.insert(5, ' all')
    await reader.shows('graffiti Hello all')
    expect(alice.text.toString()).toBe('Hello all')
    expect((await rows(id)).map((row) => row.author)).not.toContain('reader')
    expect(reader.closeCodes).toEqual([])
  })

  it('[SYNC-1] bring home what they wrote offline', async () => {
    const id = newId()
    const [alice, bob] = [await stock(id, 'alice'), await stock(id, 'bob')]
    await Promise.all([alice.synced(), bob.synced()])
    alice.text.insert(0, 'shared ')
    await bob.shows('shared ')
    alice.provider.disconnect()
    alice.text.insert(7, 'offline')
    bob.text.insert(0, 'still ')
    alice.provider.connect()
    await Promise.all([alice.shows('still shared offline'), bob.shows('still shared offline')])
  })

  it('[SYNC-1] open a document with what they have written before', async () => {
    const id = newId()
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'written before')
    const alice = await stock(id, 'alice', undefined, doc)
    await alice.synced()
    const bob = await stock(id, 'bob')
    await bob.shows('written before')
  })

  it('[SYNC-9] load a large document in slices', async () => {
    const id = newId()
    const rest = await server.as('rest')
    const content = 'a line of the large document\n'.repeat(100_000)
    expect((await rest.post('/documents', { id, kind: 'text', content })).status).toBe(201)
    const alice = await stock(id, 'alice')
    await alice.synced()
    expect(alice.text.toString()).toBe(content)
    const watcher = await (await raw(id, 'bob')).sync()
    expect(watcher.of('update').length).toBeGreaterThan(10)
    const sizes = watcher.of('update').map((one) => one.update.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024)
  })
})

describe('what somebody else writes that is large', () => {
  it('[SYNC-9] closes no editor, whether it comes by REST or as a paste', async () => {
    const id = newId()
    const rest = await server.as('rest')
    expect((await rest.post('/documents', { id, kind: 'text', content: '' })).status).toBe(201)
    const [alice, bob] = [await stock(id, 'alice'), await stock(id, 'bob')]
    await Promise.all([alice.synced(), bob.synced()])
    const lines = 'a line of a large act\n'.repeat(250_000)
    expect((await rest.put(`/documents/${id}`, { content: lines, baseVersion: 1 })).status).toBe(200)
    await eventually(() => expect([alice.text.length, bob.text.length]).toEqual([lines.length, lines.length]))
    bob.text.delete(0, lines.length)
    bob.text.insert(0, `pasted ${lines}`)
    await eventually(() => expect(alice.text.length).toBe(lines.length + 7))
    expect([alice.closeCodes, bob.closeCodes]).toEqual([[], []])
  })
})

describe('a document that does not exist', () => {
  it('[SYNC-3] is created by whoever may write it', async () => {
    const id = newId()
    const alice = await stock(id, 'alice')
    await alice.synced()
    const [created, ...more] = await rows(id)
    expect(more).toEqual([])
    expect(created).toMatchObject({ version: 1, author: 'alice', origin: 'create' })
  })

  it('[SYNC-3] is created once by many who come at the same time', async () => {
    const id = newId()
    const names = ['a', 'b', 'c', 'd', 'e']
    const clients = await Promise.all(names.map((name) => stock(id, name)))
    await Promise.all(clients.map((client) => client.synced()))
    clients.forEach((client, i) => client.text.insert(0, names[i] ?? ''))
    await eventually(() => {
      const texts = new Set(clients.map((client) => client.text.toString()))
      expect(texts.size).toBe(1)
      expect([...texts][0]).toHaveLength(5)
    })
    expect((await rows(id)).filter((row) => row.origin === 'create')).toHaveLength(1)
  })

  it('[SYNC-3] is not created by a client that may only read', async () => {
    const id = newId()
    const reader = await raw(id, 'reader', { '*': ['read'] })
    await reader.frame('denied')
    expect(await storage.head(trustedDocumentId(id))).toBeNull()
  })
})

describe('what is not on disk', () => {
  it('[SYNC-2] is shown to nobody; once it is, to everybody', async () => {
    const id = newId()
    const [alice, bob] = [await (await raw(id, 'alice')).sync(), await (await raw(id, 'bob')).sync()]
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'held back')
    const release = storage.hold()
    alice.send(frames.update(Y.encodeStateAsUpdate(doc)))
    const late = await raw(id, 'late')
    late.send(frames.syncStep1())
    const seesHeld = await late.frame('sync-step-1')
    expect(seesHeld.stateVector.has(doc.clientID), 'the server has it').toBe(true)
    // Its answer to this follows whatever the server would show before.
    for (const client of [alice, bob, late]) client.send(frames.queryAwareness())
    for (const client of [alice, bob, late]) await client.frame('awareness')
    expect([alice, bob, late].flatMap((client) => client.of('update'))).toEqual([])
    expect(late.of('sync-step-2')).toEqual([])
    expect(await rows(id)).toHaveLength(1)
    release()
    await Promise.all([alice.frame('update'), bob.frame('update'), late.frame('sync-step-2')])
    expect([alice, bob, late].map((client) => client.text)).toEqual(Array(3).fill('held back'))
    expect(await rows(id)).toHaveLength(2)
  })

  it('[SYNC-2] is brought again by its author when the disk failed', async () => {
    const id = newId()
    const [alice, bob] = [await stock(id, 'alice'), await stock(id, 'bob')]
    await Promise.all([alice.synced(), bob.synced()])
    storage.failNext(1)
    alice.text.insert(0, 'not lost')
    await bob.shows('not lost')
    expect(alice.closeCodes).toContain(1013)
    expect([...alice.terminal, ...bob.terminal]).toEqual([])
    expect((await rows(id)).map((row) => row.origin)).toEqual(['create', 'live'])
  })
})

describe('the end of a session', () => {
  it('[DOC-6] comes for good with the deletion of the document, which no client revives', async () => {
    const id = newId()
    const alice = await stock(id, 'alice')
    await alice.synced()
    const rest = await server.as('rest')
    expect((await rest.delete(`/documents/${id}?baseVersion=1`)).status).toBe(204)
    await eventually(() => expect(alice.terminal).toEqual([4404]))
    const again = await raw(id, 'alice')
    await again.frame('denied')
    expect((await again.closed).code).toBe(4404)
  })

  it('[SYNC-10] lets the document go; the next session finds it as it was', async () => {
    const id = newId()
    for (let round = 1; round <= 20; round++) {
      const client = await (await raw(id, 'alice')).sync()
      expect(client.text).toBe('x'.repeat(round - 1))
      const doc = client.doc()
      const before = Y.encodeStateVector(doc)
      doc.getText('content').insert(0, 'x')
      client.send(frames.update(Y.encodeStateAsUpdate(doc, before)))
      await eventually(() => expect(client.text).toBe('x'.repeat(round)))
      client.socket.close()
      await client.closed
    }
  })
})
