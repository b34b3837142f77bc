import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { expectStatus } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import { startProcess, type Running } from '../support/process.ts'
import { caller, TEST_SECRET, type Caller } from '../support/server.ts'
import { waitUntil } from '../support/waitFor.ts'
import { suiteServer } from '../support/suite.ts'

// Named, for a restart draws another port; and silent, for what is logged here is meant to happen.
const server = suiteServer(() =>
  startDocumentServer({ PARLEY_PUBLIC_URL: 'https://parley.test', PARLEY_LOG_LEVEL: 'silent' }),
)
const alice = server.caller('alice')
const bob = server.caller('bob')

/** Everything of a document that a restart must not change. */
async function everythingOf(id: string): Promise<unknown> {
  const document = await alice.get(`/documents/${id}`)
  const { items } = (await alice.get(`/conflicts?document=${id}`)).body
  const conflicts = await Promise.all(
    items.map(async (item: { id: string }) => (await alice.get(`/conflicts/${item.id}`)).body),
  )
  return { status: document.status, body: document.body, etag: document.headers.get('etag'), conflicts }
}

describe('[WRITE-10] a restart', () => {
  it('[WRITE-10] changes nothing: contents, tags, settings, conflicts, deletions', async () => {
    const text = await server.create('one\ntwo\n')
    expectStatus(await alice.put(`/documents/${text}`, { content: 'one\n2\n', baseVersion: 1 }), 200)
    expectStatus(await bob.put(`/documents/${text}`, { content: 'one\nII\n', baseVersion: 1 }), 409)
    expectStatus(
      await bob.put(`/documents/${text}`, { content: 'ONE\ntwo\n', baseVersion: 1, onConflict: 'merge' }),
      200,
    )
    const json = await server.create({ a: [1, { b: null }] }, { schema: { required: ['a'] }, conflictPolicy: 'merge' })
    expectStatus(await bob.patch(`/documents/${json}`, { conflictPolicy: 'current-wins', baseVersion: 1 }), 200)
    expectStatus(await bob.put(`/documents/${json}`, { content: { a: 2 }, baseVersion: 1 }), 200)
    expectStatus(await alice.put(`/documents/${json}`, { content: { a: 3 }, baseVersion: 2 }), 409)
    const gone = await server.create('x')
    expectStatus(await alice.delete(`/documents/${gone}?baseVersion=1`), 204)
    const ids = [text, json, gone]
    const before = await Promise.all(ids.map(everythingOf))
    const events = await Promise.all(ids.map((id) => server.eventsOf(id)))
    for (let round = 0; round < 2; round++) {
      await server.restart()
      expect(await Promise.all(ids.map(everythingOf))).toEqual(before)
      expect(await Promise.all(ids.map((id) => server.eventsOf(id)))).toEqual(events)
    }
    expectStatus(await alice.put(`/documents/${text}`, { content: 'after\n', baseVersion: 3 }), 200)
    expect(verdict(await alice.put(`/documents/${json}`, { content: {}, baseVersion: 3 }))).toBe('422 schema-violation')
  })

  it('[WRITE-1] a tag from before it is as good as ever', async () => {
    const id = await server.create('one')
    const etag = await etagOf(alice, id)
    await server.restart()
    expect((await alice.get(`/documents/${id}`, { 'if-none-match': etag })).status).toBe(304)
    expectStatus(await alice.put(`/documents/${id}`, { content: 'two' }, { 'if-match': etag }), 200)
    const stale = await alice.put(`/documents/${id}`, { content: 'three' }, { 'if-match': etag })
    expect([verdict(stale), stale.body.conflict.base.content]).toEqual(['409 version-conflict', 'one'])
  })
})

describe('[OPS-6] a disk that refuses', () => {
  it('[OPS-6] every kind of write is 503 and leaves nothing behind; reads go on; then it recovers alone', async () => {
    const id = await server.create('one\n')
    const stale = await server.create('one\n')
    expectStatus(await bob.put(`/documents/${stale}`, { content: 'two\n', baseVersion: 1 }), 200)
    const created = server.newId()
    const attempts: [string, () => ReturnType<Caller['put']>, number][] = [
      ['a write', () => alice.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200],
      ['a change of settings', () => alice.patch(`/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 2 }), 200],
      ['a refusal', () => alice.put(`/documents/${stale}`, { content: 'three\n', baseVersion: 1 }), 409],
      [
        'an overwrite',
        () => alice.put(`/documents/${stale}`, { content: 'four\n', baseVersion: 1, onConflict: 'incoming-wins' }),
        200,
      ],
      ['a creation', () => alice.post('/documents', { id: created, kind: 'text' }), 201],
      ['a creation by PUT', () => alice.put(`/documents/${created}2`, { content: '' }, { 'if-none-match': '*' }), 201],
      ['a deletion', () => alice.delete(`/documents/${id}?baseVersion=3`), 204],
    ]
    for (const [name, attempt, status] of attempts) {
      const ids = [id, stale, created, `${created}2`]
      const before = await Promise.all(ids.map(everythingOf))
      const events = await Promise.all(ids.map((one) => server.eventsOf(one)))
      server.storage.failNext(1)
      const refused = await attempt()
      expect([name, verdict(refused), refused.body.retryable]).toEqual([name, '503 storage-unavailable', true])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await Promise.all(ids.map(everythingOf))).toEqual(before)
      expect(await Promise.all(ids.map((one) => server.eventsOf(one)))).toEqual(events)
      expect([name, (await attempt()).status]).toEqual([name, status])
    }
  })

  it('[WRITE-3] those who wrote at the same time are judged on what the disk has', async () => {
    const id = await server.create('base')
    const release = server.storage.hold()
    server.storage.failNext(1)
    const lost = alice.put(`/documents/${id}`, { content: 'lost', baseVersion: 1 })
    await waitUntil(() => server.storage.acts.at(-1)?.appends[0]?.head.version === 2)
    const others = Promise.all([
      bob.put(`/documents/${id}`, { content: 'kept', baseVersion: 1 }),
      bob.get(`/documents/${id}`),
      bob.put(`/documents/${id}`, { content: 'base', baseVersion: 1 }),
    ])
    release()
    expect(verdict(await lost)).toBe('503 storage-unavailable')
    const [written, found, same] = await others
    expect(written.status).toBe(200)
    expect(['base', 'kept']).toContain(found.body.content)
    expect([200, 409]).toContain(same.status)
    expect(await everythingOf(id)).toMatchObject({ body: { content: 'kept', version: 2, updatedBy: 'bob' } })
    const texts = JSON.stringify([found.body, same.body])
    expect(texts).not.toContain('lost')
  })
})

describe('[WRITE-10] kill -9', () => {
  const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })
  const cleanUps: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
  })

  async function start(database: string): Promise<Running> {
    const variables = {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: database,
      PARLEY_SECRET: TEST_SECRET,
      PARLEY_LOG_LEVEL: 'warn',
    }
    const running = await startProcess('dist/server/main.js', ['serve'], variables)
    cleanUps.push(() => running.process.kill('SIGKILL'))
    return running
  }

  it('[WRITE-10] at any moment loses nothing that was answered', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-kill-'))
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
    const database = join(folder, 'test.db')
    let running = await start(database)
    const by = caller(
      () => running.url,
      (await issuer.issue({ sub: 'writer', access: { '*': ['read', 'write'] }, ttlSeconds: 3600 })).token,
    )
    for (let round = 0; round < 3; round++) {
      const kept = await writeUntilKilled(running, by, round)
      running = await start(database)
      for (const [id, version] of kept.versions) {
        const { body } = expectStatus(await by.get(`/documents/${id}`), 200)
        expect(body.version).toBeGreaterThanOrEqual(version)
        // Each version says its own number, so that the content proves which one it is.
        expect(body.content).toEqual({ version: body.version, list: Array.from({ length: body.version }, (_, n) => n) })
      }
      for (const [conflict, incoming] of kept.conflicts) {
        const { body } = expectStatus(await by.get(`/conflicts/${conflict}`), 200)
        expect(body.incoming.content).toEqual(incoming)
      }
      expect(kept.versions.size).toBeGreaterThan(0)
      expect(kept.conflicts.size).toBeGreaterThan(0)
    }
  })
})

interface Kept {
  /** The highest version that was answered, by document. */
  readonly versions: Map<string, number>
  /** The incoming content of each conflict that was answered. */
  readonly conflicts: Map<string, unknown>
}

/** Several writers at once, each on a document of its own, until the process is gone. */
async function writeUntilKilled(running: Running, by: Caller, round: number): Promise<Kept> {
  const kept: Kept = { versions: new Map(), conflicts: new Map() }
  let answers = 0
  const write = async (id: string): Promise<void> => {
    for (let version = 1; ; version++) {
      const content = { version, list: Array.from({ length: version }, (_, n) => n) }
      const answer = await by.put(`/documents/${id}`, { content, baseVersion: version - 1 })
      expect([200, 201]).toContain(answer.status)
      kept.versions.set(id, version)
      answers += 1
      if (version < 3) continue
      const incoming = { stale: `${id} ${version}` }
      const refused = await by.put(`/documents/${id}`, { content: incoming, baseVersion: 1 })
      expect(refused.status).toBe(409)
      if (refused.body.conflict.id !== null) kept.conflicts.set(refused.body.conflict.id, incoming)
      answers += 1
    }
  }
  // Each ends with the error of a connection that broke.
  const writers = Array.from({ length: 4 }, (_, n) => write(`round${round}:${n}`).catch((error: unknown) => error))
  await waitUntil(() => answers > 100)
  running.process.kill('SIGKILL')
  for (const error of await Promise.all(writers)) expect(error).toBeInstanceOf(TypeError)
  return kept
}
