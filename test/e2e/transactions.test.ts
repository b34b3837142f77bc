import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { verdict } from '../support/documents.ts'
import { codes, commit, transactionServer } from '../support/transactions.ts'

const { server, alice, bob, contentOf, versionOf, stateOf } = transactionServer()

describe('[TX-1] a transaction', () => {
  it('[TX-1] creates, puts, patches and deletes, across documents, in one act', async () => {
    const [text, json, gone, created, put] = [
      await server.create('one\ntwo\n'),
      await server.create({ a: 1 }),
      await server.create('x'),
      server.newId(),
      server.newId(),
    ]
    const acts = server.storage.acts.length
    const { body } = expectStatus(
      await commit(alice, [
        { action: 'put', document: text, content: 'one\n2\n', baseVersion: 1 },
        {
          action: 'patch',
          document: json,
          patch: { b: 2 },
          contentType: 'application/merge-patch+json',
          baseVersion: 1,
        },
        { action: 'delete', document: gone, baseVersion: 1 },
        { action: 'create', document: created, kind: 'json', content: { c: 3 }, conflictPolicy: 'merge' },
        { action: 'put', document: put, content: 'new', baseVersion: 0 },
      ]),
      200,
    )
    expect(server.storage.acts.length).toBe(acts + 1)
    expect(server.storage.acts.at(-1)?.appends.length).toBe(5)
    expect(body.operations.map(({ id, version, outcome }: Record<string, unknown>) => [id, version, outcome])).toEqual([
      [text, 2, 'written'],
      [json, 2, 'written'],
      [gone, 2, 'deleted'],
      [created, 1, 'created'],
      [put, 1, 'created'],
    ])
    expect([await contentOf(text), await contentOf(json), await contentOf(created), await contentOf(put)]).toEqual([
      'one\n2\n',
      { a: 1, b: 2 },
      { c: 3 },
      'new',
    ])
    expect((await alice.get(`/documents/${gone}`)).status).toBe(410)
    expect((await alice.get(`/documents/${text}`)).body.etag).toBe(body.operations[0].etag)
    expect((await alice.get(`/documents/${created}`)).body.conflictPolicy).toBe('merge')
    const origins = await Promise.all(
      [text, json, created, put].map(async (id) => (await alice.get(`/documents/${id}/versions`)).body.items[0].origin),
    )
    expect(origins).toEqual(['transaction', 'transaction', 'transaction', 'transaction'])
  })

  it('[TX-1] text deltas and JSON patches count as they do alone', async () => {
    const [text, json] = [await server.create('hello'), await server.create({ list: [1] })]
    const delta = { action: 'patch', contentType: 'application/vnd.parley.delta+json', document: text, baseVersion: 1 }
    const patch = { action: 'patch', contentType: 'application/json-patch+json', document: json, baseVersion: 1 }
    expectStatus(
      await commit(alice, [
        { ...delta, patch: [{ retain: 5 }, { insert: ' world' }] },
        { ...patch, patch: [{ op: 'add', path: '/list/-', value: 2 }] },
      ]),
      200,
    )
    expect([await contentOf(text), await contentOf(json)]).toEqual(['hello world', { list: [1, 2] }])
  })

  it('[TX-1] a document appears once, else 400', async () => {
    const id = await server.create('x')
    const operation = { action: 'put', document: id, content: 'y', baseVersion: 1 }
    expect(verdict(await commit(alice, [operation, { ...operation, content: 'z' }]))).toBe('400 invalid-request')
    expect(await versionOf(id)).toBe(1)
  })

  it('[TX-1] is malformed without operations, with unknown members, or with members of another action', async () => {
    const id = await server.create('x')
    const bad: readonly object[] = [
      { commit: true },
      { operations: [], commit: true },
      { operations: [{ action: 'put', document: id, content: 'y', baseVersion: 1, x: 1 }], commit: true },
      { operations: [{ action: 'delete', document: id, baseVersion: 1, content: 'y' }], commit: true },
      { operations: [{ action: 'move', document: id, baseVersion: 1 }], commit: true },
      { operations: [{ action: 'put', document: '-bad', content: 'y', baseVersion: 1 }], commit: true },
      {
        operations: [{ action: 'patch', document: id, patch: [], contentType: 'text/plain', baseVersion: 1 }],
        commit: true,
      },
    ]
    for (const body of bad)
      expect([body, verdict(await alice.post('/transactions', body))]).toEqual([body, '400 invalid-request'])
    expect(await versionOf(id)).toBe(1)
  })

  it('[TX-3] has at most 100 operations', async () => {
    const operations = Array.from({ length: 101 }, () => ({
      action: 'create',
      document: server.newId(),
      kind: 'text',
    }))
    expect(verdict(await commit(alice, operations))).toBe('400 invalid-request')
    expectStatus(await commit(alice, operations.slice(0, 100)), 200)
    expect(await contentOf(operations[99]?.document ?? '')).toBe('')
  })

  it('[TX-1] what changes nothing is answered as unchanged, and nothing is stored for it', async () => {
    const [one, two] = [await server.create('x'), await server.create('y')]
    const operations = [
      { action: 'put', document: one, content: 'x', baseVersion: 1 },
      { action: 'put', document: two, content: 'y', baseVersion: 1 },
    ]
    const acts = server.storage.acts.length
    const { body } = expectStatus(await commit(alice, operations), 200)
    expect(body.operations.map((one: { outcome: string }) => one.outcome)).toEqual(['unchanged', 'unchanged'])
    expect(server.storage.acts.length).toBe(acts)
  })

  it('[TX-1] [LOCK-2] a lock token stands in its operation', async () => {
    const [locked, free] = [await server.create('x'), await server.create('y')]
    const { token } = expectStatus(await alice.post(`/documents/${locked}/lock`, { ttlSeconds: 60 }), 201).body
    const put = { action: 'put', document: free, content: 'new', baseVersion: 1 }
    const write = { action: 'put', document: locked, content: 'new', baseVersion: 1 }
    const before = await stateOf([locked, free])
    const refused = await commit(bob, [put, write])
    expect([verdict(refused), codes(refused), refused.body.owner]).toEqual(['423 locked', [null, 'locked'], 'alice'])
    const lost = await commit(bob, [put, { ...write, lockToken: 'other' }])
    expect([verdict(lost), codes(lost)]).toEqual(['423 lock-lost', [null, 'lock-lost']])
    expect(await stateOf([locked, free])).toEqual(before)
    expectStatus(await commit(bob, [put, { ...write, lockToken: token }]), 200)
    // A deletion ends the lock, in the same act; of several at once too.
    const other = await server.create('z')
    const second = expectStatus(await bob.post(`/documents/${other}/lock`, { ttlSeconds: 60 }), 201).body.token
    expectStatus(
      await commit(alice, [
        { action: 'delete', document: locked, baseVersion: 2, lockToken: token },
        { action: 'delete', document: other, baseVersion: 1, lockToken: second },
      ]),
      200,
    )
    expect((await server.eventsOf(other)).map(([type]) => type)).toEqual([
      'document.created',
      'document.locked',
      'document.unlocked',
      'document.deleted',
    ])
  })
})
