import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { expectStatus } from '../support/conflicts.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

/** The built server: how long what it does takes matters here. */
let server: Running
let folder: string
let rest: Caller
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parley-long-'))
  await start()
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  rmSync(folder, { recursive: true, force: true })
})

async function start(): Promise<void> {
  server = await startProcess('dist/server/main.js', ['serve'], {
    PARLEY_PORT: '0',
    PARLEY_DATABASE: join(folder, 'test.db'),
    PARLEY_SECRET: TEST_SECRET,
    PARLEY_LOG_LEVEL: 'info',
  })
  rest = caller(() => server.url, await tokenOf('rest'))
}

async function restart(): Promise<void> {
  expect(await server.stop()).toBe(0)
  await start()
  for (const client of clients) client.provider.serverUrl = syncUrl()
}

const clients = new Set<StockClient>()
afterEach(() => {
  for (const client of clients) client.destroy()
  clients.clear()
})

const syncUrl = (): string => `${server.url.replace('http', 'ws')}/sync`

async function tokenOf(sub: string): Promise<string> {
  const secret = Buffer.from(TEST_SECRET)
  const issuer = new TokenIssuer({ secret, audience: null, environment: systemEnvironment })
  const asked = { sub, access: { '*': ['read', 'write'] }, ttlSeconds: 3_600 } as Parameters<TokenIssuer['issue']>[0]
  return (await issuer.issue(asked)).token
}

async function stock(id: string, sub: string, doc = new Y.Doc()): Promise<StockClient> {
  const client = new StockClient(syncUrl(), id, { token: await tokenOf(sub), ...kindOf(id) }, doc)
  clients.add(client)
  return client.synced()
}

const kindOf = (id: string): Record<string, string> => (id.startsWith('json') ? { kind: 'json' } : {})

function close(client: StockClient): void {
  client.destroy()
  clients.delete(client)
}

describe('[DOC-8] a json document that programs write all day', () => {
  it('[DOC-8] does not grow with what is written in turns, and stock clients have all of it', async () => {
    const content = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`key ${n}`, 0]))
    expectStatus(await rest.post('/documents', { id: 'json-turns', kind: 'json', content }), 201)
    const early = await stock('json-turns', 'early')
    const headers = { 'content-type': 'application/merge-patch+json' }
    const write = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) {
        const path = `/documents/json-turns/content?baseVersion=${n}`
        expectStatus(await rest.patch(path, { [`key ${n % 10}`]: n }, headers), 200)
      }
    }
    const bytes = async (): Promise<number> => {
      const client = await stock('json-turns', 'late')
      const state = Y.encodeStateAsUpdate(client.doc)
      expect(client.map.toJSON()).toEqual((await rest.get('/documents/json-turns/content')).body)
      close(client)
      return state.length
    }
    await write(1, 200)
    const before = await bytes()
    await write(200, 500)
    // 9 bytes a write it was.
    expect((await bytes()) - before).toBeLessThan(100)
    await eventually(() => expect(early.map.get('key 9')).toBe(499))
    await restart()
    await early.synced()
    await write(500, 600)
    early.map.set('key 3', 'by hand')
    await eventually(async () => {
      expect((await rest.get('/documents/json-turns/content')).body).toMatchObject({ 'key 3': 'by hand' })
    })
    expect(early.map.toJSON()).toEqual((await rest.get('/documents/json-turns/content')).body)
  })
})
