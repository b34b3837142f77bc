import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { startProcess, type Running } from '../support/process.ts'
import { frames, RawClient } from '../support/rawClient.ts'
import { startTestServer, TEST_SECRET } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

const syncUrl = (url: string): string => `${url.replace(/^http/, 'ws')}/sync`

function stock(url: string, id: string, token: string): StockClient {
  const client = new StockClient(syncUrl(url), id, { token })
  cleanUps.push(() => client.destroy())
  return client
}

function raw(url: string, id: string, token: string): RawClient {
  const client = new RawClient(`${syncUrl(url)}/${id}?token=${token}`)
  cleanUps.push(() => client.close())
  return client
}

/** The client finds the server at its new address, as it would find one behind the same address. */
function moveTo(url: string, ...clients: StockClient[]): void {
  for (const client of clients) client.provider.serverUrl = syncUrl(url)
}

describe('a restart', () => {
  it('[OPS-2] closes live sessions with 1012; stock clients come back with what they wrote meanwhile', async () => {
    const server = await startTestServer()
    cleanUps.push(() => server.stop())
    const [alice, bob] = [
      stock(server.url, 'doc', await server.token('a')),
      stock(server.url, 'doc', await server.token('b')),
    ]
    await Promise.all([alice.synced(), bob.synced()])
    alice.text.insert(0, 'before ')
    await bob.shows('before ')
    const restarted = server.restart()
    await eventually(() => expect([...alice.closeCodes, ...bob.closeCodes]).toEqual([1012, 1012]))
    alice.text.insert(7, 'by alice ')
    bob.text.insert(0, 'by bob ')
    await restarted
    moveTo(server.url, alice, bob)
    const together = 'by bob before by alice '
    await Promise.all([alice.shows(together), bob.shows(together)])
    expect((await (await server.as('rest')).get('/documents/doc/content')).body).toBe(together)
  })

  it('[OPS-4] is not delayed by clients that were refused or never answer a close', async () => {
    const server = await startTestServer()
    const token = await server.token('alice')
    const refused = raw(server.url, 'doc', 'nonsense')
    const deaf = raw(server.url, 'doc', token)
    await Promise.all([refused.frame('denied'), deaf.sync()])
    deaf.socket.pause()
    await server.stop()
    expect((await refused.closed).code).toBe(1012)
  })
})

describe('kill -9', () => {
  const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })

  async function start(database: string): Promise<Running> {
    const running = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: database,
      PARLEY_SECRET: TEST_SECRET,
      PARLEY_LOG_LEVEL: 'warn',
    })
    cleanUps.push(() => running.process.kill('SIGKILL'))
    return running
  }

  it('[SYNC-2] takes nothing back that anyone has seen', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-kill-'))
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
    const database = join(folder, 'test.db')
    const { token } = await issuer.issue({ sub: 'alice', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })
    const first = await start(database)
    const alice = stock(first.url, 'doc', token)
    const watcher = raw(first.url, 'doc', token)
    await Promise.all([alice.synced(), watcher.sync()])
    for (let i = 0; watcher.of('update').length < 100; i++) {
      alice.text.insert(alice.text.length, `${i} `)
      await new Promise((resolve) => setImmediate(resolve))
    }
    first.process.kill('SIGKILL')
    await watcher.closed
    const seen = Y.decodeStateVector(Y.encodeStateVector(watcher.doc()))
    const second = await start(database)
    const late = await raw(second.url, 'doc', token).sync()
    const kept = Y.decodeStateVector(Y.encodeStateVector(late.doc()))
    expect(seen.get(alice.doc.clientID)).toBeGreaterThan(100)
    for (const [client, clock] of seen) expect(kept.get(client)).toBeGreaterThanOrEqual(clock)
    expect(late.text.startsWith(watcher.text)).toBe(true)
    moveTo(second.url, alice)
    await alice.synced()
    const all = alice.text.toString()
    await eventually(() => expect(late.text).toBe(all))
    late.send(frames.queryAwareness())
    await late.frame('awareness')
    expect(alice.terminal).toEqual([])
  })
})
