import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rawUpdate } from '../support/rawUpdate.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

let server: TestServer
let alice: Caller
beforeAll(async () => {
  server = await startTestServer()
  alice = await server.as('alice')
})
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy()
})
afterAll(() => server.stop())

const opened: StockClient[] = []
const syncUrl = (): string => `${server.url.replace(/^http/, 'ws')}/sync`

async function editor(
  id: string,
  name: string,
  kind: 'text' | 'json' = 'text',
  doc = new Y.Doc(),
): Promise<StockClient> {
  const client = new StockClient(syncUrl(), id, { token: await server.token(name), kind }, doc)
  opened.push(client)
  return client.synced()
}

const nested = (open: string, depth: number, close: string, inner = '1'): string =>
  open.repeat(depth) + inner + close.repeat(depth)

describe('what nests thousands of levels deep', () => {
  const content = nested('{"a":', 20_000, '}')
  const schema = nested('{"not":', 20_000, '}', '{}')
  const json = { 'content-type': 'application/json' }

  it('[DOC-7] is no usable schema, wherever one can stand', async () => {
    await alice.post('/documents', { id: 'flat', kind: 'json' })
    const answers = [
      await alice.call('POST', '/documents', `{"kind":"json","id":"deep","schema":${schema}}`, json),
      await alice.call('PATCH', '/documents/flat', `{"baseVersion":1,"schema":${schema}}`, json),
      await alice.call(
        'POST',
        '/transactions',
        `{"operations":[{"action":"create","document":"deep","kind":"json","schema":${schema}}]}`,
        json,
      ),
    ]
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(answers.map(() => [400, 'invalid-schema']))
  })

  it('[DOC-10] is a content that is too complex, also when it was staged in a transaction first', async () => {
    const written = await alice.call('PUT', '/documents/deep/content?baseVersion=0', content, json)
    expect([written.status, written.body.code]).toEqual([422, 'content-too-complex'])
    const staged = await alice.call(
      'POST',
      '/transactions',
      `{"operations":[{"action":"create","document":"deep","kind":"json","content":${content}}]}`,
      json,
    )
    expect(staged.status).toBe(201)
    const shown = await alice.get(`/transactions/${staged.body.id}`)
    expect(shown.body.operations[0].problem.code).toBe('content-too-complex')
    const committed = await alice.post(`/transactions/${staged.body.id}/commit`, {})
    expect([committed.status, committed.body.code]).toEqual([422, 'content-too-complex'])
  })
})

describe('two keys on one way', () => {
  const key = (letter: string): string => letter.repeat(3_000)

  it('[DOC-10] are refused live when their pointer is too long, and nobody else is', async () => {
    const [bob, carol] = [await editor('long-keys', 'bob', 'json'), await editor('long-keys', 'carol', 'json')]
    bob.map.set(key('a'), new Y.Map([[key('b'), 1]]))
    await eventually(() => expect(bob.terminal).toEqual([4413]))
    carol.map.set('fine', true)
    await eventually(async () => expect((await alice.get('/documents/long-keys')).body.content).toEqual({ fine: true }))
    expect(carol.closeCodes).toEqual([])
    const { version } = (await alice.get('/documents/long-keys')).body
    const written = await alice.put('/documents/long-keys', { content: { fine: false }, baseVersion: version })
    expect(written.status).toBe(200)
  })
})

describe('a limit', () => {
  it('[DOC-10] refuses what makes a breach worse, and neither what leaves nor what lessens it', async () => {
    const variables = { PARLEY_MAX_CONTENT_BYTES: '4000' }
    const strict = await startTestServer({ variables })
    try {
      const by = await strict.as('alice')
      await by.post('/documents', { id: 'full', kind: 'text', content: 'x'.repeat(4_000) })
      const put = async (content: string) => {
        const { version } = (await by.get('/documents/full')).body
        return (await by.put('/documents/full', { content, baseVersion: version })).status
      }
      const token = await strict.token('bob')
      const client = new StockClient(`${strict.url.replace(/^http/, 'ws')}/sync`, 'full', { token })
      opened.push(client)
      await client.synced()
      client.text.delete(0, 10)
      client.text.insert(0, 'é'.repeat(5))
      await eventually(async () => expect((await by.get('/documents/full')).body.content).toContain('é'))
      expect(await put('y'.repeat(4_001))).toBe(413)
      expect(await put('short')).toBe(200)
      expect(client.closeCodes).toEqual([])
    } finally {
      await strict.stop()
    }
  })
})

describe('a root that is not the content', () => {
  it('[SYNC-11] takes whatever Yjs takes, and its editor goes on', async () => {
    const id = 'other-roots'
    const [bob, carol] = [await editor(id, 'bob'), await editor(id, 'carol')]
    const files = bob.doc.getMap<unknown>('files')
    files.set('bytes', new Uint8Array([1, 2]))
    files.set('nothing', undefined)
    files.set('big', 12n)
    files.set('inner', new Y.Doc({ guid: 'inside' }))
    files.set('nan', Number.NaN)
    new Y.PermanentUserData(bob.doc).setUserMapping(bob.doc, bob.doc.clientID, 'bob')
    bob.text.insert(0, 'typed on')
    await carol.shows('typed on')
    const seen = carol.doc.getMap<unknown>('files')
    await eventually(() => expect(seen.get('bytes')).toEqual(new Uint8Array([1, 2])))
    expect([seen.has('nothing'), seen.get('nothing'), seen.get('big'), seen.get('nan')]).toEqual([
      true,
      undefined,
      12n,
      Number.NaN,
    ])
    expect(seen.get('inner')).toBeInstanceOf(Y.Doc)
    await server.restart()
    const late = await editor(id, 'late')
    expect(late.text.toString()).toBe('typed on')
    expect(late.doc.getMap('files').get('bytes')).toEqual(new Uint8Array([1, 2]))
    expect([...bob.closeCodes, ...carol.closeCodes].filter((code) => code >= 4400)).toEqual([])
  })
})

describe('a stored history with a hole', () => {
  it('[SYNC-6] does not keep its editor from writing', async () => {
    const id = 'hollow'
    const stored = new Y.Doc()
    const before = rawUpdate([{ client: 5, structs: [{ text: 'abc' }, { skip: 2 }, { text: 'lost', origin: [5, 4] }] }])
    Y.applyUpdate(stored, before)
    expect(stored.store.pendingStructs).not.toBeNull()
    const bob = await editor(id, 'bob', 'text', stored)
    bob.text.insert(3, ' and on')
    const carol = await editor(id, 'carol')
    await carol.shows('abc and on')
    expect(bob.closeCodes).toEqual([])
  })
})

describe('a page on which somebody signs in', () => {
  it('[SYNC-6] goes on under the same Yjs client id, also while the line of the guest is dead', async () => {
    const id = 'signs-in'
    const doc = new Y.Doc()
    const guest = await editor(id, 'guest', 'text', doc)
    guest.text.insert(0, 'as a guest')
    await eventually(async () => expect((await alice.get(`/documents/${id}`)).body.content).toBe('as a guest'))
    // Its line carries nothing any more, either way, and the server has not noticed yet.
    const { ws } = guest.provider
    if (ws === null) throw new Error('the guest is connected')
    Object.assign(ws, { send: () => undefined, onmessage: null })
    const anna = await editor(id, 'anna', 'text', doc)
    anna.text.insert(10, ', then anna')
    await eventually(async () =>
      expect((await alice.get(`/documents/${id}`)).body.content).toBe('as a guest, then anna'),
    )
    expect(anna.closeCodes).toEqual([])
  })
})

describe('two documents that write under one Yjs client id', () => {
  it.each([
    ['differ', 'AAAA', 'BBBBBB'],
    // As templates do that applications fill in under a fixed id.
    ['end alike', `2025${' of one template'.repeat(60)}`, `2026${' of one template'.repeat(60)}`],
  ])('[SYNC-7] and %s are told apart: the second is refused and keeps what it typed', async (how, one, other) => {
    const id = `one-id-${how.replace(' ', '-')}`
    const [first, second] = [new Y.Doc(), new Y.Doc()]
    first.clientID = 7
    second.clientID = 7
    const alice1 = await editor(id, 'alice', 'text', first)
    alice1.text.insert(0, one)
    await eventually(async () => expect((await alice.get(`/documents/${id}`)).body.content).toBe(one))
    alice1.destroy()
    second.getText('content').insert(0, other)
    const token = await server.token('alice')
    const late = new StockClient(syncUrl(), id, { token }, second)
    opened.push(late)
    await eventually(() => expect(late.terminal).toEqual([4409]))
    expect((await alice.get(`/documents/${id}`)).body.content).toBe(one)
    expect(second.getText('content').toString()).toBe(other)
  })
})
