import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import type { Answer, Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(() =>
  startDocumentServer({ PARLEY_PUBLIC_URL: 'https://parley.test', PARLEY_LOG_LEVEL: 'silent' }),
)
const alice = server.caller('alice')
const bob = server.caller('bob')

const put = (document: string, content: unknown, baseVersion: number) => ({
  action: 'put',
  document,
  content,
  baseVersion,
})

/** Begins a transaction; answers its path. */
async function begin(by: Caller, operations?: readonly object[]): Promise<string> {
  const answer = expectStatus(await by.post('/transactions', operations === undefined ? {} : { operations }), 201)
  expect(answer.headers.get('location')).toBe(`/transactions/${answer.body.id}`)
  return `/transactions/${answer.body.id}`
}

const add = (by: Caller, path: string, operations: readonly object[]): Promise<Answer> =>
  by.post(`${path}/operations`, { operations })

describe('[TX-2] a staged transaction', () => {
  it('[TX-2] gathers operations, shows what it would write, and commits all of it', async () => {
    const [one, two, created] = [await server.create('one\n'), await server.create({ a: 1 }), server.newId()]
    const path = await begin(alice, [put(one, 'ONE\n', 1)])
    const added = expectStatus(
      await add(alice, path, [
        {
          action: 'patch',
          document: two,
          patch: { b: 2 },
          contentType: 'application/merge-patch+json',
          baseVersion: 1,
        },
        { action: 'create', document: created, kind: 'text', content: 'new' },
      ]),
      200,
    )
    expect(added.body).toMatchObject({ status: 'open', expiresAt: expect.any(String) })
    expect(Date.parse(added.body.expiresAt)).toBeGreaterThan(Date.now() + 50_000)
    const acts = server.storage.acts.length
    const shown = expectStatus(await alice.get(path), 200).body
    expect(shown.operations).toMatchObject([
      { action: 'put', document: one, outcome: 'written', version: 2, content: 'ONE\n' },
      { action: 'patch', document: two, outcome: 'written', version: 2, content: { a: 1, b: 2 } },
      { action: 'create', document: created, outcome: 'created', version: 1, content: 'new' },
    ])
    expect(server.storage.acts.length).toBe(acts)
    expect((await alice.get(`/documents/${one}`)).body.version).toBe(1)
    expect((await alice.get(`/documents/${created}`)).status).toBe(404)
    const { body } = expectStatus(await alice.post(`${path}/commit`, undefined), 200)
    expect(body.operations.map((done: { id: string; outcome: string }) => [done.id, done.outcome])).toEqual([
      [one, 'written'],
      [two, 'written'],
      [created, 'created'],
    ])
    expect(server.storage.acts.length).toBe(acts + 1)
    expect((await alice.get(`/documents/${two}`)).body.content).toEqual({ a: 1, b: 2 })
    expect((await alice.get(path)).body).toMatchObject({ status: 'committed', operations: [] })
    const late = [
      await alice.post(`${path}/commit`, undefined),
      await add(alice, path, [put('x', 'y', 1)]),
      await alice.delete(path),
    ]
    for (const answer of late) {
      expect([verdict(answer), answer.body.transactionStatus]).toEqual(['409 transaction-closed', 'committed'])
    }
  })

  it('[TX-2] shows what is written meanwhile, and what would fail, without opening a conflict', async () => {
    const [merged, stale, gone] = [
      await server.create('a\nb\nc\n', { conflictPolicy: 'merge' }),
      await server.create('one\n'),
      await server.create('x'),
    ]
    const path = await begin(alice, [put(merged, 'A\nb\nc\n', 1), put(stale, 'eins\n', 1), put(gone, 'y', 1)])
    expectStatus(await bob.put(`/documents/${merged}`, { content: 'a\nb\nC\n', baseVersion: 1 }), 200)
    expectStatus(await bob.put(`/documents/${stale}`, { content: 'zwei\n', baseVersion: 1 }), 200)
    expectStatus(await bob.delete(`/documents/${gone}?baseVersion=1`), 204)
    const { operations } = expectStatus(await alice.get(path), 200).body
    expect(operations).toMatchObject([
      { document: merged, outcome: 'merged', content: 'A\nb\nC\n', version: 3 },
      { document: stale, problem: { code: 'version-conflict', current: { version: 2 } } },
      { document: gone, problem: { code: 'document-deleted' } },
    ])
    const { detail } = operations[1].problem
    expect(detail).toContain('based on version 1, and the document is at version 2')
    expect(detail).toContain(`/documents/${stale}/diff?from=1&to=2`)
    expect(detail).toContain('POST /resolve-conflict with baseVersion 2')
    expect((await alice.get(`/conflicts?document=${stale}`)).body.items).toEqual([])
    // What fails with 410 hides the conflict behind it, as in one request.
    expect(verdict(await alice.post(`${path}/commit`, undefined))).toBe('410 document-deleted')
    expect((await alice.get(path)).body.status).toBe('refused')
  })

  it('[TX-3] a refused commit opens the conflicts and is the end of it', async () => {
    const id = await server.create('one\n')
    const path = await begin(alice, [put(id, 'eins\n', 1)])
    expectStatus(await bob.put(`/documents/${id}`, { content: 'zwei\n', baseVersion: 1 }), 200)
    const refused = await alice.post(`${path}/commit`, undefined)
    expect([verdict(refused), refused.body.operations[0].conflict.incoming.content]).toEqual([
      '409 transaction-conflict',
      'eins\n',
    ])
    expect(verdict(await alice.post(`${path}/commit`, undefined))).toBe('409 transaction-closed')
    expect((await alice.get(`/conflicts?document=${id}`)).body.items.length).toBe(1)
  })

  it('[TX-2] a lock or a full disk leaves it open for another try', async () => {
    const id = await server.create('x')
    const path = await begin(alice, [put(id, 'y', 1)])
    const { token } = expectStatus(await bob.post(`/documents/${id}/lock`, { ttlSeconds: 60 }), 201).body
    expect(verdict(await alice.post(`${path}/commit`, undefined))).toBe('423 locked')
    expectStatus(await bob.delete(`/documents/${id}/lock`, { 'lock-token': token }), 204)
    server.storage.failNext(1)
    expect(verdict(await alice.post(`${path}/commit`, undefined))).toBe('503 storage-unavailable')
    expect((await alice.get(path)).body.status).toBe('open')
    expectStatus(await alice.post(`${path}/commit`, undefined), 200)
  })

  it('[TX-2] is rolled back by DELETE, twice if need be', async () => {
    const id = await server.create('x')
    const path = await begin(alice, [put(id, 'y', 1)])
    expectStatus(await alice.delete(path), 204)
    expectStatus(await alice.delete(path), 204)
    expect(verdict(await alice.post(`${path}/commit`, undefined))).toBe('409 transaction-closed')
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(1)
  })

  it("[TX-2] someone else's is 404, like one that never was", async () => {
    const path = await begin(alice, [put(await server.create('x'), 'y', 1)])
    for (const one of [path, '/transactions/txn_00000000000000000000000000']) {
      const answers = [
        await bob.get(one),
        await add(bob, one, [put('a', 'b', 1)]),
        await bob.post(`${one}/commit`, undefined),
        await bob.delete(one),
      ]
      for (const answer of answers) expect(verdict(answer)).toBe('404 not-found')
    }
    expect(verdict(await bob.get('/transactions/nonsense'))).toBe('400 invalid-request')
    expect((await alice.get(path)).body.status).toBe('open')
  })

  it('[TX-2] rights count when it is staged and again when it is committed', async () => {
    const [mine, other] = [await server.create('x'), await server.create('y')]
    const few = await server.as('carol', { [mine]: ['read', 'write'], [other]: ['read'] })
    const refused = await few.post('/transactions', { operations: [put(mine, 'X', 1), put(other, 'Y', 1)] })
    expect([verdict(refused), refused.body.operations[0]]).toEqual(['403 forbidden', null])
    const path = await begin(await server.as('carol'), [put(mine, 'X', 1), put(other, 'Y', 1)])
    expect((await few.get(path)).body.operations).toMatchObject([
      { outcome: 'written' },
      { problem: { code: 'forbidden' } },
    ])
    expect(verdict(await few.post(`${path}/commit`, undefined))).toBe('403 forbidden')
    expectStatus(await (await server.as('carol')).post(`${path}/commit`, undefined), 200)
  })

  it('[TX-2] one without operations commits nothing; a restart forgets it', async () => {
    const path = await begin(alice)
    expect(expectStatus(await alice.post(`${path}/commit`, undefined), 200).body).toEqual({ operations: [] })
    const other = await begin(alice, [put('a', 'b', 0)])
    await server.restart()
    expect(verdict(await alice.get(other))).toBe('404 not-found')
  })

  it('[WRITE-8] each of its requests can be repeated, the commit also when it is forgotten', async () => {
    const id = await server.create('x')
    const key = (name: string) => ({ 'idempotency-key': `staged ${name}` })
    const first = expectStatus(await alice.post('/transactions', {}, key('begin')), 201)
    expect((await alice.post('/transactions', {}, key('begin'))).body).toEqual(first.body)
    const path = `/transactions/${first.body.id}`
    const body = { operations: [put(id, 'y', 1)] }
    const added = expectStatus(await alice.post(`${path}/operations`, body, key('add')), 200)
    expect((await alice.post(`${path}/operations`, body, key('add'))).body).toEqual(added.body)
    const done = expectStatus(await alice.post(`${path}/commit`, undefined, key('commit')), 200)
    await server.restart()
    const again = await alice.post(`${path}/commit`, undefined, key('commit'))
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([200, done.body, 'true'])
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(2)
  })

  it('[TX-2] expires when it is idle', async () => {
    const other = await startDocumentServer({ PARLEY_TRANSACTION_IDLE_MS: '200' })
    try {
      const by = await other.as('alice')
      const path = await begin(by, [put('a', 'b', 0)])
      await new Promise((resolve) => setTimeout(resolve, 400))
      expect(verdict(await by.post(`${path}/commit`, undefined))).toBe('404 not-found')
      expect((await by.get('/documents/a')).status).toBe(404)
    } finally {
      await other.stop()
    }
  })
})
