import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Caller } from '../support/server.ts'
import { waitUntil } from '../support/waitFor.ts'

const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

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

interface Pair {
  readonly ids: readonly [string, string]
  /** The newest version that was answered, and the transaction that was on its way when the server died. */
  answered: number
  sent: number
}

const keyOf = (pair: Pair, n: number) => ({ 'idempotency-key': `${pair.ids[0]} ${n}` })

function transact(by: Caller, pair: Pair, n: number) {
  const operations = pair.ids.map((document) => ({ action: 'put', document, content: { n }, baseVersion: n - 1 }))
  return by.post('/transactions', { operations, commit: true }, keyOf(pair, n))
}

/** Transactions one after the other on a pair of documents, until the process is gone. */
async function transactUntilKilled(by: Caller, pair: Pair): Promise<never> {
  for (let n = pair.answered + 1; ; n++) {
    pair.sent = n
    const { status } = await transact(by, pair, n)
    expect(status).toBe(200)
    pair.answered = n
  }
}

it('[TX-4] kill -9 amid transactions leaves no half of one; what was answered is there, what was not is asked for again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-tx-'))
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
  const database = join(folder, 'test.db')
  let running = await start(database)
  const { token } = await issuer.issue({ sub: 'alice', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })
  const by = caller(() => running.url, token)
  const pairs = Array.from({ length: 4 }, (_, n): Pair => ({ ids: [`left${n}`, `right${n}`], answered: 0, sent: 0 }))
  for (let round = 0; round < 3; round++) {
    const before = pairs.map((pair) => pair.answered)
    const writers = pairs.map((pair) => transactUntilKilled(by, pair).catch((error: unknown) => error))
    await waitUntil(() => pairs.every((pair, n) => pair.answered >= (before[n] ?? 0) + 5))
    running.process.kill('SIGKILL')
    for (const error of await Promise.all(writers)) expect(error).toBeInstanceOf(TypeError)
    running = await start(database)
    for (const pair of pairs) {
      const [left, right] = await Promise.all(pair.ids.map(async (id) => (await by.get(`/documents/${id}`)).body))
      expect([left.version, left.content]).toEqual([right.version, right.content])
      expect(left.content).toEqual({ n: left.version })
      expect([pair.answered, pair.sent]).toContain(left.version)
      // The one that was on its way is asked for again: it is done once, whether the crash came before or after.
      const isDone = left.version === pair.sent
      const again = await transact(by, pair, pair.sent)
      const isReplayed = again.headers.get('idempotency-replayed') === 'true'
      expect([again.status, isReplayed]).toEqual([200, isDone])
      expect(again.body.operations.map((one: { version: number }) => one.version)).toEqual([pair.sent, pair.sent])
      pair.answered = pair.sent
    }
  }
})
