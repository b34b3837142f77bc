import * as Y from 'yjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { trustedDocumentId } from '../../server/foundation/ids.ts'
import { expectStatus, read } from '../support/conflicts.ts'
import { startDocumentServer, type DocumentServer } from '../support/documents.ts'
import { frames, RawClient } from '../support/rawClient.ts'
import type { Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

let server: DocumentServer
/** Holds the lock in these tests. */
let olga: Caller
const cleanUps: (() => unknown)[] = []

beforeEach(async () => {
  // Every return is judged exactly: no edit counts as made at the same time.
  server = await startDocumentServer({ PARLEY_CONCURRENT_EDIT_WINDOW_MS: '0', PARLEY_LOG_LEVEL: 'silent' })
  olga = await server.as('olga')
})
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
  await server.stop()
})

const syncUrl = (): string => `${server.url.replace(/^http/, 'ws')}/sync`

async function edit(
  id: string,
  sub: string,
  {
    lockToken,
    access = ['read', 'write'],
    isTab = false,
  }: { lockToken?: string; access?: string[]; isTab?: boolean } = {},
): Promise<StockClient> {
  const token = await server.token(sub, { '*': access })
  const client = new StockClient(
    syncUrl(),
    id,
    { token, ...(lockToken === undefined ? {} : { lockToken }) },
    new Y.Doc(),
    isTab,
  )
  cleanUps.push(() => client.destroy())
  return client.synced()
}

interface Held {
  readonly 'lock-token': string
}
async function lock(id: string, by = olga, ttlSeconds = 300): Promise<Held> {
  const { token } = expectStatus(await by.post(`/documents/${id}/lock`, { ttlSeconds }), 201).body
  return { 'lock-token': token }
}
async function unlock(id: string, held: Held, by = olga): Promise<void> {
  expectStatus(await by.delete(`/documents/${id}/lock`, { ...held }), 204)
}

/** Writes the content on whatever version is current. */
async function put(id: string, content: string, held?: Held): Promise<void> {
  const { version } = await read(olga, id)
  expectStatus(await olga.put(`/documents/${id}`, { content, baseVersion: version }, { ...held }), 200)
}

/** Long enough for what must not happen to happen; a round trip of a stock client takes a tenth of it. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300))

/** Waits until something that a session left is stored. */
const areKept = (id: string): Promise<void> =>
  eventually(async () => {
    const query = { document: trustedDocumentId(id), after: 0, limit: 1 }
    expect(await server.storage.waiting(query)).toHaveLength(1)
  })

async function conflictsOf(id: string): Promise<readonly { id: string; kind: string }[]> {
  return expectStatus(await olga.get(`/conflicts?document=${id}&status=open`), 200).body.items
}

describe('[LOCK-4] an editor other than the owner', () => {
  it('[LOCK-4] sees what the owner writes until it edits itself; then nothing until the lock is over', async () => {
    const id = await server.create('one\ntwo\nthree\nfour\n')
    const [bob, carol] = [await edit(id, 'bob'), await edit(id, 'carol')]
    const held = await lock(id)
    await put(id, 'ONE\ntwo\nthree\nfour\n', held)
    await Promise.all([bob.shows('ONE\ntwo\nthree\nfour\n'), carol.shows('ONE\ntwo\nthree\nfour\n')])
    bob.text.insert(bob.text.length, 'by bob\n')
    await put(id, 'ONE\nTWO\nthree\nfour\n', held)
    await carol.shows('ONE\nTWO\nthree\nfour\n')
    await aWhile()
    // Nobody is shown bob's edit, and bob is shown no more of the owner's.
    expect(bob.text.toString()).toBe('ONE\ntwo\nthree\nfour\nby bob\n')
    expect(await read(olga, id)).toEqual({ content: 'ONE\nTWO\nthree\nfour\n', version: 3 })
    bob.text.insert(bob.text.length, 'and more\n')
    await unlock(id, held)
    const together = 'ONE\nTWO\nthree\nfour\nby bob\nand more\n'
    await Promise.all([bob.shows(together), carol.shows(together)])
    await eventually(async () => expect((await read(olga, id)).content).toBe(together))
    expect([bob.closeCodes, carol.closeCodes]).toEqual([[], []])
    expect(await conflictsOf(id)).toEqual([])
    // From then on it edits live again.
    bob.text.insert(0, 'live ')
    await carol.shows(`live ${together}`)
  })

  it('[LOCK-4] [CONF-6] who changed the same line as the owner meanwhile gets a conflict that holds both', async () => {
    const id = await server.create('one\ntwo\n')
    const bob = await edit(id, 'bob')
    const held = await lock(id)
    bob.text.delete(0, 3)
    bob.text.insert(0, 'uno')
    await put(id, 'eins\ntwo\n', held)
    await aWhile()
    expect(await conflictsOf(id)).toEqual([])
    await unlock(id, held)
    await eventually(async () => expect(await conflictsOf(id)).toHaveLength(1))
    const [found] = await conflictsOf(id)
    const { body } = expectStatus(await olga.get(`/conflicts/${found?.id}`), 200)
    expect(body).toMatchObject({
      kind: 'concurrent-edit',
      waited: true,
      base: { version: 1, content: 'one\ntwo\n' },
      current: { version: 2, content: 'eins\ntwo\n' },
      incoming: { content: 'uno\ntwo\n', authors: ['bob'] },
    })
    await bob.shows(String((await read(olga, id)).content))
  })

  it('[LOCK-4] loses nothing by closing its tab while its edits wait', async () => {
    const id = await server.create('a')
    const bob = await edit(id, 'bob')
    const held = await lock(id)
    bob.text.insert(1, ' by bob')
    await bob.arrived()
    bob.destroy()
    await areKept(id)
    await put(id, 'A', held)
    expect((await read(olga, id)).content).toBe('A')
    await unlock(id, held)
    await eventually(async () => expect((await read(olga, id)).content).toContain(' by bob'))
    const { items } = (await olga.get(`/documents/${id}/versions`)).body
    expect(items[0]).toMatchObject({ authors: ['bob'], origin: 'live' })
  })

  it('[LOCK-4] loses nothing where it went on in a second tab and closed that one first', async () => {
    const id = await server.create('a')
    const [first, second] = [await edit(id, 'bob', { isTab: true }), await edit(id, 'bob', { isTab: true })]
    const held = await lock(id)
    first.text.insert(1, ' one')
    await second.shows('a one')
    second.text.insert(5, ' two')
    await first.shows('a one two')
    for (const client of [first, second]) await client.arrived()
    second.destroy()
    await areKept(id)
    first.destroy()
    await aWhile()
    expect((await read(olga, id)).content).toBe('a')
    await unlock(id, held)
    await eventually(async () => expect((await read(olga, id)).content).toBe('a one two'))
  })

  it('[LOCK-4] who comes with edits made offline waits with them, whether it stays or goes', async () => {
    const id = await server.create('a\n')
    const [stays, goes] = [await edit(id, 'bob'), await edit(id, 'carol')]
    for (const [client, text] of [
      [stays, 'b1\n'],
      [goes, 'c1\n'],
    ] as const) {
      client.provider.disconnect()
      client.text.insert(client.text.length, text)
    }
    const held = await lock(id)
    await put(id, 'A\n', held)
    for (const client of [stays, goes]) client.provider.connect()
    await Promise.all([stays.synced(), goes.synced()])
    await goes.arrived()
    goes.destroy()
    await areKept(id)
    expect((await read(olga, id)).content).toBe('A\n')
    await unlock(id, held)
    await eventually(async () => {
      const { content } = await read(olga, id)
      expect(content).toMatch(/^A\n/)
      expect(content).toContain('b1\n')
      expect(content).toContain('c1\n')
    })
    await stays.shows(String((await read(olga, id)).content))
  })

  it('[LOCK-4] who changes nothing is left alone: coming while it is locked is not an edit', async () => {
    const id = await server.create('abc')
    const held = await lock(id)
    await put(id, 'ac', held)
    const bob = await edit(id, 'bob')
    await bob.shows('ac')
    bob.provider.disconnect()
    await put(id, 'c', held)
    bob.provider.connect()
    await bob.shows('c')
    await put(id, 'cd', held)
    await bob.shows('cd')
    expect(bob.closeCodes.filter((code) => code !== 1005)).toEqual([])
  })

  it('[LOCK-4] a session that may only read sees everything all the time', async () => {
    const id = await server.create('a')
    const reader = await edit(id, 'rita', { access: ['read'] })
    const held = await lock(id)
    reader.text.insert(0, 'never ')
    await put(id, 'b', held)
    await eventually(() => expect(reader.text.toString()).toContain('b'))
    await unlock(id, held)
    await put(id, 'c')
    await eventually(() => expect(reader.text.toString()).toContain('c'))
    expect((await read(olga, id)).content).toBe('c')
  })
})

describe('[LOCK-4] the owner', () => {
  it.each(['as the principal who took it', 'as anyone who shows its token'])('[LOCK-4] edits live, %s', async (how) => {
    const id = await server.create('a')
    const watcher = await edit(id, 'carol')
    const held = await lock(id)
    const isOwner = how.includes('principal')
    const owner = isOwner ? await edit(id, 'olga') : await edit(id, 'worker', { lockToken: held['lock-token'] })
    owner.text.insert(1, 'b')
    await watcher.shows('ab')
    await eventually(async () => expect((await read(olga, id)).content).toBe('ab'))
    await put(id, 'abc', held)
    await owner.shows('abc')
    await unlock(id, held)
    owner.text.insert(3, 'd')
    await watcher.shows('abcd')
  })

  it('[LOCK-4] of the last lock is one among others for the next: only the new one edits', async () => {
    const id = await server.create('a')
    const first = await lock(id)
    const before = await edit(id, 'worker', { lockToken: first['lock-token'] })
    before.text.insert(1, 'b')
    await eventually(async () => expect((await read(olga, id)).content).toBe('ab'))
    const bob = await server.as('bob')
    const taking = bob.post(`/documents/${id}/lock`, { ttlSeconds: 300, waitSeconds: 30 })
    const waiting = await edit(id, 'bob')
    waiting.text.insert(0, 'x')
    await aWhile()
    expect((await read(olga, id)).content).toBe('ab')
    await unlock(id, first)
    const second: Held = { 'lock-token': expectStatus(await taking, 201).body.token }
    // What bob typed while he waited for the lock goes in as soon as it is his.
    await eventually(async () => expect((await read(olga, id)).content).toBe('xab'))
    before.text.insert(0, 'late ')
    await aWhile()
    expect((await read(olga, id)).content).toBe('xab')
    await unlock(id, second, bob)
    await eventually(async () => expect((await read(olga, id)).content).toContain('late '))
  })
})

describe('[LOCK-4] however the lock ends', () => {
  it.each(['expires', 'is broken'] as const)('[LOCK-4] what waited is taken in when it %s', async (how) => {
    const id = await server.create('a')
    const [bob, carol] = [await edit(id, 'bob'), await edit(id, 'carol')]
    await lock(id, olga, how === 'expires' ? 1 : 300)
    bob.text.insert(1, 'b')
    await aWhile()
    expect(carol.text.toString()).toBe('a')
    const root = await server.as('root', { '*': ['admin'] })
    if (how === 'is broken') expectStatus(await root.delete(`/documents/${id}/lock?break=true`), 204)
    await carol.shows('ab')
    expect(bob.closeCodes).toEqual([])
  })

  it('[LOCK-4] with the document, what waited is gone as the document is', async () => {
    const id = await server.create('a')
    const bob = await edit(id, 'bob')
    const held = await lock(id)
    bob.text.insert(1, 'b')
    await aWhile()
    expectStatus(await olga.delete(`/documents/${id}?baseVersion=1`, { ...held }), 204)
    await eventually(() => expect(bob.terminal).toEqual([4404]))
  })

  it('[LOCK-4] what a closed tab left waits on when the replica is thrown away meanwhile', async () => {
    const id = await server.create('a')
    const bob = await edit(id, 'bob')
    const held = await lock(id)
    bob.text.insert(1, ' by bob')
    await bob.arrived()
    bob.destroy()
    await areKept(id)
    server.storage.failNext(1)
    const failed = await olga.put(`/documents/${id}`, { content: 'lost', baseVersion: 1 }, { ...held })
    expect(failed.status).toBe(503)
    await put(id, 'A', held)
    await unlock(id, held)
    await eventually(async () => expect((await read(olga, id)).content).toContain(' by bob'))
  })
})

describe('[LOCK-4] a hostile editor', () => {
  it('[SYNC-6] is refused for what is malformed, lock or not, and what waited before that is kept', async () => {
    const id = await server.create('a')
    const held = await lock(id)
    const client = new RawClient(`${syncUrl()}/${id}?token=${await server.token('mallory')}`)
    cleanUps.push(() => client.close())
    await client.sync()
    client.send(frames.update(Uint8Array.of(1, 2, 3)))
    expect((await client.closed).code).toBe(4400)
    await put(id, 'b', held)
    await unlock(id, held)
    expect((await read(olga, id)).content).toBe('b')
  })
})
