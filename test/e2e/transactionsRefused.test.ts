import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { verdict } from '../support/documents.ts'
import { codes, commit, transactionServer } from '../support/transactions.ts'

const { server, alice, bob, contentOf, versionOf, stateOf } = transactionServer()

describe('[TX-3] of operations that fail', () => {
  it('[TX-3] stale ones open conflicts as they do alone, in one act, and nothing else is written', async () => {
    const [stale, other, good] = [
      await server.create('one\n'),
      await server.create('one\n'),
      await server.create('one\n'),
    ]
    for (const id of [stale, other]) {
      expectStatus(await bob.put(`/documents/${id}`, { content: 'ONE\n', baseVersion: 1 }), 200)
    }
    const created = server.newId()
    const acts = server.storage.acts.length
    const refused = await commit(alice, [
      { action: 'put', document: good, content: 'two\n', baseVersion: 1 },
      { action: 'put', document: stale, content: 'eins\n', baseVersion: 1 },
      { action: 'create', document: created, kind: 'text' },
      { action: 'put', document: other, content: 'zwei\n', baseVersion: 1 },
    ])
    expect([verdict(refused), codes(refused)]).toEqual([
      '409 transaction-conflict',
      [null, 'version-conflict', null, 'version-conflict'],
    ])
    expect(server.storage.acts.length).toBe(acts + 1)
    expect(server.storage.acts.at(-1)?.appends).toEqual([])
    expect([await versionOf(good), await versionOf(stale), await versionOf(created)]).toEqual([1, 2, null])
    const conflict = refused.body.operations[1].conflict
    expect(conflict).toMatchObject({
      status: 'open',
      base: { content: 'one\n', version: 1 },
      current: { content: 'ONE\n', version: 2 },
      incoming: { content: 'eins\n' },
    })
    expect((await alice.get(`/conflicts/${conflict.id}`)).body).toEqual(conflict)
    expect(refused.headers.get('link')).toBe(
      [1, 3].map((n) => `</conflicts/${refused.body.operations[n].conflict.id}>; rel="conflict"`).join(', '),
    )
    expect((await server.eventsOf(stale)).at(-1)).toEqual(['conflict.detected', expect.anything()])
    // The same again is the same conflict (WRITE-7).
    const again = await commit(alice, [{ action: 'put', document: stale, content: 'eins\n', baseVersion: 1 }])
    expect(again.body.operations[0].conflict.id).toBe(conflict.id)
    // And resolving it works as for any other.
    const resolution = { conflictId: conflict.id, use: 'incoming', baseVersion: 2 }
    expectStatus(await bob.post('/resolve-conflict', resolution), 200)
    expect(await contentOf(stale)).toBe('eins\n')
  })

  it('[TX-3] the gravest decides the answer; each is told in the order of the request', async () => {
    const reader = await server.as('rita', { '*': ['read'], 'w*': ['read', 'write'], hidden: ['write'] })
    const [w1, w2, w3, w4] = ['w1', 'w2', 'w3', 'w4']
    for (const [id, content] of Object.entries({ w1: 'x', w2: 'x', w3: { a: 1 }, w4: 'x' })) {
      const kind = typeof content === 'string' ? 'text' : 'json'
      const schema = kind === 'json' ? { schema: { required: ['a'] } } : {}
      expectStatus(await alice.post('/documents', { id, kind, content, ...schema }), 201)
    }
    expectStatus(await alice.put(`/documents/${w2}`, { content: 'y', baseVersion: 1 }), 200)
    expectStatus(await alice.post(`/documents/${w4}/lock`, { ttlSeconds: 60 }), 201)
    const fine = { action: 'put', document: w1, content: 'new', baseVersion: 1 }
    const failing: Readonly<Record<string, readonly [object, string]>> = {
      hidden: [{ action: 'put', document: 'hidden', content: 'z', baseVersion: 1 }, 'forbidden'],
      forbidden: [{ action: 'put', document: 'other', content: 'z', baseVersion: 1 }, 'forbidden'],
      malformed: [
        {
          action: 'patch',
          document: 'w6',
          patch: { op: 1 },
          contentType: 'application/json-patch+json',
          baseVersion: 1,
        },
        'invalid-request',
      ],
      absent: [{ action: 'put', document: 'w5', content: 'z', baseVersion: 1 }, 'not-found'],
      unconditional: [{ action: 'put', document: 'w1b', content: 'z' }, 'precondition-required'],
      locked: [{ action: 'put', document: w4, content: 'z', baseVersion: 1 }, 'locked'],
      stale: [{ action: 'put', document: w2, content: 'z', baseVersion: 1 }, 'version-conflict'],
      invalid: [{ action: 'put', document: w3, content: {}, baseVersion: 1 }, 'schema-violation'],
    }
    delete (failing as Record<string, unknown>)['hidden']
    expectStatus(await alice.post('/documents', { id: 'w1b', kind: 'text' }), 201)
    const names = Object.keys(failing)
    const before = await stateOf(['w1', 'w2', 'w3', 'w4', 'w1b'])
    // From the least to the gravest: each new one takes over, but for those that are only told after those before pass.
    const expected: Readonly<Record<string, string>> = {
      invalid: '422 schema-violation',
      locked: '423 locked',
      unconditional: '428 precondition-required',
      absent: '404 not-found',
      malformed: '400 invalid-request',
      forbidden: '403 forbidden',
    }
    const told: string[] = []
    for (const name of names.toReversed()) {
      if (name === 'stale') continue
      told.unshift(name)
      const answer = await commit(reader, [fine, ...told.map((one) => failing[one]?.[0] ?? {})])
      expect([name, verdict(answer)]).toEqual([name, expected[name]])
      expect(answer.body.operations[0]).toBeNull()
      expect(answer.body.operations[1]).toMatchObject({ code: failing[name]?.[1], type: expect.any(String) })
    }
    const conflicting = await commit(reader, [failing['invalid']?.[0] ?? {}, fine, failing['stale']?.[0] ?? {}])
    expect([verdict(conflicting), codes(conflicting)]).toEqual([
      '409 transaction-conflict',
      ['schema-violation', null, 'version-conflict'],
    ])
    const after = (await stateOf(['w1', 'w2', 'w3', 'w4', 'w1b'])) as { events: unknown[][] }
    // All that came of it is the one conflict of the transaction that was answered as one.
    expect(after.events[1]?.pop()).toEqual(['conflict.detected', expect.anything()])
    expect(after).toEqual(before)
    expect((await alice.get(`/conflicts?document=${w2}`)).body.items.length).toBe(1)
  })

  it('[AUTH-2] a document one may not read is 404, existing or not', async () => {
    const id = await server.create('secret')
    const mine = await server.create('x')
    const by = await server.as('mallory', { [mine]: ['read', 'write'] })
    const put = { action: 'put', document: mine, content: 'y', baseVersion: 1 }
    for (const document of [id, 'never']) {
      for (const operation of [
        { action: 'put', document, content: 'y', baseVersion: 1 },
        { action: 'delete', document, baseVersion: 1 },
      ]) {
        const answer = await commit(by, [put, operation])
        expect([verdict(answer), codes(answer)]).toEqual(['404 not-found', [null, 'not-found']])
      }
      expect(verdict(await commit(by, [put, { action: 'create', document, kind: 'text' }]))).toBe('403 forbidden')
    }
    expect(await versionOf(mine)).toBe(1)
  })

  it('[TX-3] other 409s, a taken id, a failing patch or an unknown base, are transaction conflicts without a conflict', async () => {
    const [taken, json] = [await server.create('x'), await server.create({ a: 1 })]
    const free = server.newId()
    const refused = await commit(alice, [
      { action: 'create', document: free, kind: 'text' },
      { action: 'create', document: taken, kind: 'text' },
      {
        action: 'patch',
        document: json,
        contentType: 'application/json-patch+json',
        patch: [{ op: 'test', path: '/a', value: 2 }],
        baseVersion: 1,
      },
    ])
    expect([verdict(refused), codes(refused)]).toEqual([
      '409 transaction-conflict',
      [null, 'already-exists', 'patch-failed'],
    ])
    const unknown = await commit(alice, [{ action: 'delete', document: taken, baseVersion: 9 }])
    expect([verdict(unknown), codes(unknown)]).toEqual(['409 transaction-conflict', ['unknown-base']])
    expect([await versionOf(free), await versionOf(taken)]).toEqual([null, 1])
  })

  it('[TX-3] policies decide for a stale operation as for a write: merge and incoming-wins pass, current-wins fails', async () => {
    const stale = async (policy: string): Promise<string> => {
      const id = await server.create('one\ntwo\n', { conflictPolicy: policy })
      expectStatus(await bob.put(`/documents/${id}`, { content: 'ONE\ntwo\n', baseVersion: 1 }), 200)
      return id
    }
    const [merged, overwritten] = [await stale('merge'), await stale('manual')]
    const { body } = expectStatus(
      await commit(alice, [
        { action: 'put', document: merged, content: 'one\nTWO\n', baseVersion: 1 },
        {
          action: 'put',
          document: overwritten,
          content: 'eins\ntwo\n',
          baseVersion: 1,
          onConflict: 'incoming-wins',
        },
      ]),
      200,
    )
    expect(body.operations[0]).toMatchObject({ outcome: 'merged', content: 'ONE\nTWO\n', version: 3 })
    expect(body.operations[1]).toMatchObject({ outcome: 'overwrote', conflictId: expect.any(String) })
    expect(body.operations[1].content).toBeUndefined()
    expect((await alice.get(`/conflicts/${body.operations[1].conflictId}`)).body.resolution).toMatchObject({
      use: 'incoming',
      by: 'alice',
    })
    const [kept, wouldMerge, wouldWin] = [
      await stale('current-wins'),
      await stale('merge'),
      await stale('incoming-wins'),
    ]
    const refused = await commit(alice, [
      { action: 'put', document: wouldMerge, content: 'one\nTWO\n', baseVersion: 1 },
      { action: 'put', document: kept, content: 'eins\ntwo\n', baseVersion: 1 },
      { action: 'put', document: wouldWin, content: 'eins\ntwo\n', baseVersion: 1 },
    ])
    expect([verdict(refused), codes(refused)]).toEqual(['409 transaction-conflict', [null, 'version-conflict', null]])
    expect(refused.body.operations[1].conflict).toMatchObject({ status: 'resolved', resolution: { use: 'current' } })
    expect([await versionOf(wouldMerge), await versionOf(kept), await versionOf(wouldWin)]).toEqual([2, 2, 2])
    expect((await alice.get(`/conflicts?document=${wouldWin}`)).body.items).toEqual([])
  })

  it('[TX-3] a document of many conflicts is told in a bounded answer', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => server.create('a\n')))
    const large = (letter: string) => `${letter.repeat(79)}\n`.repeat(12_000)
    for (const id of ids) expectStatus(await bob.put(`/documents/${id}`, { content: large('b'), baseVersion: 1 }), 200)
    const operations = ids.map((document) => ({ action: 'put', document, content: large('c'), baseVersion: 1 }))
    const refused = await commit(alice, operations)
    expect(verdict(refused)).toBe('409 transaction-conflict')
    expect(JSON.stringify(refused.body).length).toBeLessThan(12 * 1024 * 1024)
    const [first, last] = [refused.body.operations[0].conflict, refused.body.operations.at(-1).conflict]
    expect(first.current.content).toBe(large('b'))
    expect([last.truncated, last.current.content]).toEqual([true, undefined])
    expect((await alice.get(last.current.href)).body).toBe(large('b'))
  })

  it('[OPS-6] a disk that refuses is 503 for all of it, and nothing is left behind', async () => {
    const [one, two] = [await server.create('x'), await server.create('y')]
    const created = server.newId()
    const operations = [
      { action: 'put', document: one, content: 'X', baseVersion: 1 },
      { action: 'delete', document: two, baseVersion: 1 },
      { action: 'create', document: created, kind: 'text' },
    ]
    const before = await stateOf([one, two, created])
    server.storage.failNext(1)
    expect(verdict(await commit(alice, operations))).toBe('503 storage-unavailable')
    expect(await stateOf([one, two, created])).toEqual(before)
    expectStatus(await commit(alice, operations), 200)
  })

  it('[WRITE-8] its answer is stored with it: success with the act, refusal with the conflicts', async () => {
    const [one, two] = [await server.create('x'), await server.create('y')]
    const created = server.newId()
    const operations = [
      { action: 'put', document: one, content: 'X', baseVersion: 1 },
      { action: 'create', document: created, kind: 'text', content: 'new' },
    ]
    const done = expectStatus(await commit(alice, operations, { 'idempotency-key': 'tx done' }), 200)
    expect(server.storage.acts.at(-1)?.answer).toMatchObject({ status: 200, documents: [one, created] })
    expectStatus(await bob.put(`/documents/${two}`, { content: 'Y', baseVersion: 1 }), 200)
    const stale = [{ action: 'put', document: two, content: 'z', baseVersion: 1 }]
    const refused = expectStatus(await commit(alice, stale, { 'idempotency-key': 'tx stale' }), 409)
    expect(server.storage.acts.at(-1)).toMatchObject({ appends: [], answer: { status: 409, documents: [two] } })
    await server.restart()
    for (const [sent, key, first] of [
      [operations, 'tx done', done],
      [stale, 'tx stale', refused],
    ] as const) {
      const again = await commit(alice, sent, { 'idempotency-key': key })
      expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([
        first.status,
        first.body,
        'true',
      ])
    }
    const foreign = await commit(await server.as('alice', { [one]: ['read', 'write'] }), operations, {
      'idempotency-key': 'tx done',
    })
    expect(foreign.status).toBe(403)
  })
})
