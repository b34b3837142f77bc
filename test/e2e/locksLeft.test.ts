import Database from 'better-sqlite3'
import { describe, expect, it, type TestContext } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import type { Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { Victim } from '../support/victim.ts'
import { eventually } from '../support/waitFor.ts'

type Finish = TestContext['onTestFinished']

/** A document that olga has locked, and an editor of bob's with edits that wait for her. */
async function setUp(onTestFinished: Finish, content: string, ttlSeconds = 300) {
  // Every return is judged exactly: no edit counts as made at the same time.
  const server = new Victim({ PARLEY_CONCURRENT_EDIT_WINDOW_MS: '0' })
  onTestFinished(() => server.dispose())
  await server.start()
  const olga = await server.as('olga')
  expectStatus(await olga.post('/documents', { id: 'doc', kind: 'text', content }), 201)
  const bob = await edit(onTestFinished, server, 'bob')
  const { token } = expectStatus(await olga.post('/documents/doc/lock', { ttlSeconds }), 201).body
  return { server, olga, bob, held: { 'lock-token': String(token) } }
}

async function edit(onTestFinished: Finish, server: Victim, sub: string): Promise<StockClient> {
  const url = `${server.url.replace(/^http/, 'ws')}/sync`
  const client = new StockClient(url, 'doc', { token: await server.token(sub) })
  onTestFinished(() => client.destroy())
  return client.synced()
}

async function put(olga: Caller, content: string, held: Record<string, string>): Promise<void> {
  const { version } = await read(olga, 'doc')
  expectStatus(await olga.put('/documents/doc', { content, baseVersion: version }, held), 200)
}

/** Waits until what a session left is on the disk. */
async function areKept(server: Victim): Promise<void> {
  const database = new Database(server.file, { readonly: true })
  try {
    const count = database.prepare('SELECT count(*) FROM waiting_edits').pluck()
    await eventually(() => expect(count.get()).toBe(1))
  } finally {
    database.close()
  }
}

/** Long enough for what must not happen to happen, and for frames of a stock client to arrive. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300))

const conflictsOf = async (olga: Caller): Promise<readonly { id: string }[]> =>
  expectStatus(await olga.get('/conflicts?document=doc&status=open'), 200).body.items

const versionsOf = async (olga: Caller): Promise<readonly { authors: string[] }[]> =>
  expectStatus(await olga.get('/documents/doc/versions'), 200).body.items

// Side by side, because each waits for what must not happen.
describe.concurrent('[LOCK-4] what a closed tab left waiting outlives the server', () => {
  it.for(['kill -9', 'SIGTERM'])(
    '[LOCK-4] [CONF-6] %s: it is taken in when the lock is released, once, with the conflict it causes',
    async (how, { onTestFinished }) => {
      const { server, olga, bob, held } = await setUp(onTestFinished, 'one\ntwo\n')
      bob.text.delete(0, 3)
      bob.text.insert(0, 'uno')
      await bob.arrived()
      bob.destroy()
      await areKept(server)
      await put(olga, 'eins\ntwo\n', held)
      if (how === 'SIGTERM') expect(await server.terminate()).toBe(0)
      else await server.kill()
      await server.start()
      await aWhile()
      expect((await read(olga, 'doc')).content).toBe('eins\ntwo\n')
      expectStatus(await olga.delete('/documents/doc/lock', held), 204)
      await eventually(async () => expect(await conflictsOf(olga)).toHaveLength(1))
      const [found] = await conflictsOf(olga)
      expect(expectStatus(await olga.get(`/conflicts/${found?.id}`), 200).body).toMatchObject({
        kind: 'concurrent-edit',
        base: { version: 1, content: 'one\ntwo\n' },
        current: { version: 2, content: 'eins\ntwo\n' },
        incoming: { content: 'uno\ntwo\n', authors: ['bob'] },
      })
      const after = await read(olga, 'doc')
      expect(after.version).toBe(3)
      expect((await versionsOf(olga))[0]).toMatchObject({ authors: ['bob'] })
      // Neither the next lock nor the next start takes it in again.
      const { token } = expectStatus(await olga.post('/documents/doc/lock', { ttlSeconds: 60 }), 201).body
      expectStatus(await olga.delete('/documents/doc/lock', { 'lock-token': token }), 204)
      await server.kill()
      await server.start()
      await aWhile()
      expect(await read(olga, 'doc')).toEqual(after)
      expect(await conflictsOf(olga)).toHaveLength(1)
    },
  )

  it('[LOCK-4] a lock that expires while the server is down bars nothing at the next start', async ({
    onTestFinished,
  }) => {
    const { server, olga, bob } = await setUp(onTestFinished, 'a', 2)
    bob.text.insert(1, ' by bob')
    await bob.arrived()
    bob.destroy()
    await areKept(server)
    await server.kill()
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    await server.start()
    await eventually(async () => expect((await read(olga, 'doc')).content).toBe('a by bob'))
    expect(await conflictsOf(olga)).toEqual([])
  })

  it('[LOCK-4] an editor that is still open when the server stops comes back with its edits: nothing is doubled', async ({
    onTestFinished,
  }) => {
    const { server, olga, bob, held } = await setUp(onTestFinished, 'one\ntwo\n')
    bob.text.delete(0, 3)
    bob.text.insert(0, 'uno')
    await bob.arrived()
    await put(olga, 'eins\ntwo\n', held)
    expect(await server.terminate()).toBe(0)
    await eventually(() => expect(bob.closeCodes[0]).toBe(1012))
    await server.start()
    await eventually(() => expect(bob.provider.synced).toBe(true))
    await aWhile()
    expectStatus(await olga.delete('/documents/doc/lock', held), 204)
    await eventually(async () => expect(await conflictsOf(olga)).not.toEqual([]))
    await aWhile()
    expect(await conflictsOf(olga)).toHaveLength(1)
    const { content, version } = await read(olga, 'doc')
    expect([version, [...String(content).matchAll(/uno/g)].length]).toEqual([3, 1])
    await bob.shows(String(content))
  })

  it('[LOCK-4] an editor that was offline when its edits were taken in brings them again: nothing is doubled', async ({
    onTestFinished,
  }) => {
    const { olga, bob, held } = await setUp(onTestFinished, 'one\ntwo\n')
    bob.text.delete(0, 3)
    bob.text.insert(0, 'uno')
    await bob.arrived()
    bob.provider.disconnect()
    await put(olga, 'eins\ntwo\n', held)
    expectStatus(await olga.delete('/documents/doc/lock', held), 204)
    await eventually(async () => expect(await conflictsOf(olga)).toHaveLength(1))
    bob.provider.connect()
    await eventually(() => expect(bob.provider.synced).toBe(true))
    await aWhile()
    expect(await conflictsOf(olga)).toHaveLength(1)
    const { content, version } = await read(olga, 'doc')
    expect(version).toBe(3)
    await bob.shows(String(content))
  })
})
