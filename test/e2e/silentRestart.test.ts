import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

const WINDOW_MS = 150

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** The shipped server, in a process that is killed and started anew on the same file. */
class KilledServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'parley-return-'))
  readonly #issuer = new TokenIssuer({
    secret: Buffer.from(TEST_SECRET),
    audience: null,
    environment: systemEnvironment,
  })
  #running: Running | null = null

  get url(): string {
    return this.#running?.url ?? ''
  }

  async start(): Promise<void> {
    this.#running = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(this.#folder, 'test.db'),
      PARLEY_SECRET: TEST_SECRET,
      PARLEY_LOG_LEVEL: 'warn',
      PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(WINDOW_MS),
    })
  }

  async kill(): Promise<void> {
    const child = this.#running?.process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  async end(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async token(sub: string): Promise<string> {
    const access = { '*': ['read' as const, 'write' as const, 'resolve' as const] }
    return (await this.#issuer.issue({ sub, access, ttlSeconds: 3600 })).token
  }

  async as(sub: string): Promise<Caller> {
    return caller(() => this.url, await this.token(sub))
  }

  async join(id: string, sub: string, clientId: number): Promise<StockClient> {
    const doc = new Y.Doc()
    doc.clientID = clientId
    const client = new StockClient(this.#sync, id, { token: await this.token(sub) }, doc)
    cleanUps.push(() => client.destroy())
    return client.synced()
  }

  /** The client finds the server at its new address, as it would find one behind the same address. */
  async comeBack(client: StockClient): Promise<void> {
    client.provider.serverUrl = this.#sync
    client.provider.connect()
    await client.synced()
  }

  get #sync(): string {
    return `${this.url.replace(/^http/, 'ws')}/sync`
  }
}

describe.each([
  ['lower', 1, 2],
  ['higher', 2, 1],
])('a return of the client with the %s id to a server that was killed', (_, alices, bobs) => {
  it('[CONF-6] is judged exactly: what it had is told by itself and by the log', async () => {
    const server = new KilledServer()
    cleanUps.push(() => server.end())
    await server.start()
    const rest = await server.as('rest')
    const content = 'one\ntwo\nthree\nfour\n'
    expect((await rest.post('/documents', { id: 'doc', kind: 'text', content })).status).toBe(201)
    const [alice, bob] = [await server.join('doc', 'alice', alices), await server.join('doc', 'bob', bobs)]
    // Both have more than the first version.
    bob.text.insert(bob.text.length, 'five\n')
    await alice.shows(`${content}five\n`)
    alice.provider.disconnect()
    await pause(WINDOW_MS)

    replaceLine(bob, 'two', 'TWO')
    const contentOf = async (): Promise<unknown> => (await rest.get('/documents/doc/content')).body
    await eventually(async () => expect(await contentOf()).toContain('TWO'))
    bob.provider.disconnect()
    await server.kill()
    replaceLine(alice, 'two', 'zwei')
    replaceLine(alice, 'four', 'vier')
    await server.start()

    await server.comeBack(alice)
    await eventually(async () => expect(await contentOf()).toContain('vier'))
    const found = (await rest.get('/conflicts?document=doc')).body.items
    expect(found).toHaveLength(1)
    const conflict = (await rest.get(`/conflicts/${found[0].id}`)).body
    expect(conflict).toMatchObject({
      kind: 'concurrent-edit',
      base: { content: `${content}five\n` },
      current: { content: 'one\nTWO\nthree\nfour\nfive\n', authors: ['bob'] },
      incoming: { content: 'one\nzwei\nthree\nvier\nfive\n', authors: ['alice'] },
      overlaps: [{ id: 'L2', base: 'two', current: 'TWO', incoming: 'zwei' }],
      merged: { content: await contentOf() },
    })

    // Bob comes back as well, with nothing new: nothing more is raised.
    await server.comeBack(bob)
    await bob.shows(String(await contentOf()))
    expect((await rest.get('/conflicts?document=doc')).body.items).toHaveLength(1)

    // Nor is what was found forgotten by the next kill.
    await server.kill()
    await server.start()
    const version = (await rest.get('/documents/doc')).body.version
    const way = { conflictId: conflict.id, baseVersion: version, use: 'incoming' }
    expect((await rest.post('/resolve-conflict', way)).status).toBe(200)
    expect(await contentOf()).toBe('one\nzwei\nthree\nvier\nfive\n')
  })
})

function replaceLine({ doc, text }: StockClient, from: string, to: string): void {
  const at = text.toString().indexOf(from)
  doc.transact(() => {
    text.delete(at, from.length)
    text.insert(at, to)
  })
}
