import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { childUrl } from '../support/children.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Answer, type Caller } from '../support/server.ts'

const CHILD = fileURLToPath(childUrl('crashChild'))
const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** A database, and servers on it one after the other. */
async function scene() {
  const folder = mkdtempSync(join(tmpdir(), 'parley-crash-'))
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
  const database = join(folder, 'test.db')
  const { token } = await issuer.issue({ sub: 'alice', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })
  let running: Running | null = null
  const by: Caller = caller(() => running?.url ?? '', token)
  const run = async (script: string, args: string[], variables: Record<string, string>) => {
    running = await startProcess(script, args, variables)
    const { process } = running
    cleanUps.push(() => process.kill('SIGKILL'))
    return { exited: new Promise<void>((resolve) => process.once('exit', () => resolve())) }
  }
  return {
    by,
    /** The real thing, as it is built. */
    start: () =>
      run('dist/server/main.js', ['serve'], {
        PARLEY_PORT: '0',
        PARLEY_DATABASE: database,
        PARLEY_SECRET: TEST_SECRET,
        PARLEY_LOG_LEVEL: 'warn',
      }),
    /** One that crashes at the first act that goes with an answer. */
    startToCrash: (moment: 'before' | 'after') => run(CHILD, [database, TEST_SECRET, moment], {}),
  }
}

const withKey = (key: string) => ({ 'idempotency-key': key })

interface Crash {
  readonly moment: 'before' | 'after'
  readonly status: number
  readonly send: (by: Caller) => Promise<Answer>
}

/** On a document with two versions that was written by the same writer. */
const CRASHES: Readonly<Record<string, Crash>> = {
  'a refusal with its conflict': {
    moment: 'after',
    status: 409,
    send: (by) => by.put('/documents/a', { content: 'one\nII\n', baseVersion: 1 }, withKey('refusal')),
  },
  'a write': {
    moment: 'after',
    status: 200,
    send: (by) => by.put('/documents/a', { content: 'one\n3\n', baseVersion: 2 }, withKey('write')),
  },
  'a creation whose id the server draws': {
    moment: 'after',
    status: 201,
    send: (by) => by.post('/documents', { kind: 'text', content: 'x' }, withKey('creation')),
  },
  'a deletion that was not committed': {
    moment: 'before',
    status: 204,
    send: (by) => by.delete('/documents/b?baseVersion=1', withKey('deletion')),
  },
}

describe('[WRITE-8] kill -9 between commit and answer', () => {
  it('[WRITE-8] then a retry yields the first answer and one version', async () => {
    const { by, start, startToCrash } = await scene()
    for (const [name, { moment, send }] of Object.entries(CRASHES)) {
      const { exited } = await startToCrash(moment)
      if (name === 'a refusal with its conflict') {
        expect((await by.put('/documents/a', { content: 'one\ntwo\n', baseVersion: 0 })).status).toBe(201)
        expect((await by.put('/documents/a', { content: 'one\n2\n', baseVersion: 1 })).status).toBe(200)
        expect((await by.put('/documents/b', { content: 'b', baseVersion: 0 })).status).toBe(201)
      }
      await expect(send(by)).rejects.toBeInstanceOf(TypeError)
      await exited
    }
    await start()
    const answers: Record<string, Answer> = {}
    for (const [name, { moment, status, send }] of Object.entries(CRASHES)) {
      if (moment === 'before') expect((await by.get('/documents/b')).body.version).toBe(1)
      const answer = (answers[name] = await send(by))
      const isReplayed = answer.headers.get('idempotency-replayed') === 'true'
      expect([name, answer.status, isReplayed]).toEqual([name, status, moment === 'after'])
      expect([name, (await send(by)).body]).toEqual([name, answer.body])
    }
    expect((await by.get('/documents/a')).body).toMatchObject({ version: 3, content: 'one\n3\n' })
    expect((await by.get('/documents/b')).body.lastVersion).toBe(2)
    const created = answers['a creation whose id the server draws']
    expect((await by.get('/documents')).body.items.map(({ id }: { id: string }) => id).toSorted()).toEqual(
      ['a', created?.body.id].toSorted(),
    )
    // Kept once, and settled by the write that followed it, which touched the same line.
    const { items } = (await by.get('/conflicts')).body
    const refused = answers['a refusal with its conflict']?.body.conflict
    expect(items.map(({ id, status }: { id: string; status: string }) => [id, status])).toEqual([
      [refused.id, 'superseded'],
    ])
    expect(refused.status).toBe('open')
  })
})
