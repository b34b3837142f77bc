import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict, type DocumentServer } from '../support/documents.ts'
import type { Caller } from '../support/server.ts'

let server: DocumentServer
let alice: Caller
let root: Caller
beforeAll(async () => {
  server = await startDocumentServer()
  alice = await server.as('alice')
  root = await server.as('root', { '*': ['admin'] })
})
afterAll(() => server.stop())

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/
const ids = (answer: { body: { items: { id: string }[] } }): string[] => answer.body.items.map((item) => item.id)

describe('creating', () => {
  it('[DOC-1] answers 201 with Location, ETag and the whole document', async () => {
    const id = server.newId()
    const created = expectStatus(await alice.post('/documents', { id, kind: 'text', content: 'hello\n' }), 201)
    expect(created.headers.get('location')).toBe(`/documents/${id}`)
    expect(created.headers.get('content-type')).toMatch(/^application\/json/)
    expect(created.body).toEqual({
      id,
      kind: 'text',
      version: 1,
      etag: expect.stringMatching(/^[a-z2-7]+-1$/),
      content: 'hello\n',
      conflictPolicy: 'manual',
      schema: null,
      root: 'content',
      createdAt: expect.stringMatching(TIME),
      createdBy: 'alice',
      updatedAt: created.body.createdAt,
      updatedBy: 'alice',
    })
    expect(created.headers.get('etag')).toBe(`"${created.body.etag}"`)
    const found = expectStatus(await alice.get(created.headers.get('location') ?? ''), 200)
    expect(found.body).toEqual(created.body)
    expect(found.headers.get('etag')).toBe(created.headers.get('etag'))
  })

  it('[DOC-1] has defaults for everything but the kind', async () => {
    const text = expectStatus(await alice.post('/documents', { kind: 'text' }), 201).body
    const json = expectStatus(await alice.post('/documents', { kind: 'json' }), 201).body
    expect([text.content, json.content]).toEqual(['', {}])
    expect(json).toMatchObject({ conflictPolicy: 'manual', schema: null, root: 'content', version: 1 })
  })

  it('[DOC-1] keeps policy, schema and root as they were sent', async () => {
    const wanted = {
      conflictPolicy: 'merge',
      schema: { type: 'object', properties: { a: { type: 'number' } } },
      root: 'my root',
    }
    const id = await server.create({ a: 1 }, wanted)
    expect((await alice.get(`/documents/${id}`)).body).toMatchObject({ ...wanted, content: { a: 1 } })
  })

  it('[DOC-1] makes an id of its own, which needs `write` on `*`', async () => {
    const one = expectStatus(await alice.post('/documents', { kind: 'text' }), 201).body.id
    const two = expectStatus(await alice.post('/documents', { kind: 'text' }), 201).body.id
    expect(one).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$/)
    expect(two).not.toBe(one)
    const partial = await server.as('pat', { '*': ['read'], 'pat:*': ['read', 'write'] })
    expect(verdict(await partial.post('/documents', { kind: 'text' }))).toBe('403 forbidden')
  })

  it('[DOC-1] a taken id is 409, whatever is wanted of it', async () => {
    const id = await server.create('mine')
    for (const wanted of [{ kind: 'text' }, { kind: 'json', content: {} }, { kind: 'json', content: 'no object' }]) {
      expect(verdict(await alice.post('/documents', { id, ...wanted }))).toBe('409 already-exists')
    }
    expect(await read(alice, id)).toEqual({ content: 'mine', version: 1 })
  })

  it('[DOC-1] content of the other kind is 422, what is no content is 400', async () => {
    const id = server.newId()
    const outcomes = await Promise.all(
      [
        { kind: 'json', content: 'text' },
        { kind: 'text', content: {} },
        { kind: 'json', content: [] },
        { kind: 'text', content: ['a'] },
        { kind: 'json', content: null },
        { kind: 'json', content: 5 },
        { kind: 'json', content: true },
        { kind: 'text', schema: {} },
        { kind: 'text', schema: true },
        { kind: 'xml' },
        {},
        { kind: 'text', unknown: 1 },
        { kind: 'text', conflictPolicy: 'mine' },
        { kind: 'json', root: '' },
        { kind: 'json', root: '__proto__' },
        { kind: 'json', root: 'x'.repeat(129) },
        { kind: 'json', schema: { type: 'objekt' } },
        { kind: 'json', schema: { $ref: 'https://example.com/remote.json' } },
        { kind: 'json', schema: 'object' },
        { kind: 'json', schema: { type: 'object', required: ['a'] }, content: {} },
      ].map(async (body) => verdict(await alice.post('/documents', { id, ...body }))),
    )
    expect(outcomes).toEqual([
      '422 kind-mismatch',
      '422 kind-mismatch',
      ...Array.from({ length: 14 }, () => '400 invalid-request'),
      '400 invalid-schema',
      '400 invalid-schema',
      '400 invalid-request',
      '422 schema-violation',
    ])
    expect((await alice.get(`/documents/${id}`)).status).toBe(404)
  })

  it('[DOC-1] `schema: null` on a text is no schema', async () => {
    expectStatus(await alice.post('/documents', { id: server.newId(), kind: 'text', schema: null }), 201)
  })

  it('[NOTE-1] is told once', async () => {
    const id = await server.create('x')
    expect(await server.eventsOf(id)).toEqual([
      ['document.created', { document: id, kind: 'text', version: 1, by: 'olga', href: `/documents/${id}` }],
    ])
  })
})

describe('[API-6] ids and patterns', () => {
  it.each(['a', 'A9', '0', 'team:notes', 'a.b_c~d', 'x'.repeat(128), 'a-', 'con', 'constructor', '1e3'])(
    '[API-6] %s is an id',
    async (name) => {
      const id = name
      const created = await alice.post('/documents', { id, kind: 'text', content: name })
      expectStatus(created, 201)
      expect(created.headers.get('location')).toBe(`/documents/${id}`)
      expect((await alice.get(`/documents/${encodeURIComponent(id)}`)).body.content).toBe(name)
      expect((await alice.get(`/v1/documents/${id}/content`)).body).toBe(name)
    },
  )

  it.each([
    '',
    '-a',
    '.a',
    ':a',
    '~a',
    '_a',
    'a b',
    'a/b',
    'a*',
    'é',
    'x'.repeat(129),
    'a\n',
    'a\u0000',
    'a%20b',
    '..',
  ])('[API-6] %j is none', async (name) => {
    expect((await alice.post('/documents', { id: name, kind: 'text' })).status).toBe(400)
  })

  it.each(['-a', '_b', 'a%20b', 'a%2Fb', '%C3%A9', 'x'.repeat(129), 'a%0A', 'a*', '%00'])(
    '[API-6] %j in a path is 400, after 401',
    async (name) => {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/content'],
        ['PUT', ''],
        ['DELETE', ''],
      ] as const) {
        const answer = await alice.call(method, `/documents/${name}${path}`, method === 'PUT' ? {} : undefined)
        expect([method, path, verdict(answer)]).toEqual([method, path, '400 invalid-id'])
      }
      expect((await fetch(`${server.url}/documents/${name}`)).status).toBe(401)
    },
  )

  it.each(['_*', '**', '*a', 'a*b', '-*', ' *', ''])('[API-6] the pattern %j is 400', async (pattern) => {
    expect((await alice.get(`/documents?pattern=${encodeURIComponent(pattern)}`)).status).toBe(400)
  })
})

describe('[API-1] the prefix /v1', () => {
  it('[API-1] serves every route of documents as the unprefixed path does', async () => {
    const id = server.newId()
    expectStatus(await alice.post('/v1/documents', { id, kind: 'json', content: { a: 1 } }), 201)
    expectStatus(await alice.put(`/v1/documents/${id}`, { content: { a: 2 }, baseVersion: 1 }), 200)
    expectStatus(await alice.put(`/v1/documents/${id}/content?baseVersion=2`, { a: 3 }), 200)
    const merge = { 'content-type': 'application/merge-patch+json' }
    expectStatus(await alice.patch(`/v1/documents/${id}/content?baseVersion=3`, { a: 4 }, merge), 200)
    expectStatus(await alice.patch(`/v1/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 4 }), 200)
    for (const path of ['', '/content', '/lock']) {
      const plain = await alice.get(`/documents/${id}${path}`)
      const prefixed = await alice.get(`/v1/documents/${id}${path}`)
      expect([prefixed.status, prefixed.body]).toEqual([200, plain.body])
    }
    expect(ids(await alice.get(`/v1/documents?pattern=${id}`))).toEqual([id])
    expectStatus(await alice.delete(`/v1/documents/${id}?baseVersion=5`), 204)
  })
})

describe('reading', () => {
  it('[DOC-2] `If-None-Match` that matches is 304 without a body, else 200', async () => {
    const id = await server.create('x')
    const etag = await etagOf(alice, id)
    for (const path of [`/documents/${id}`, `/documents/${id}/content`]) {
      for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const answer = await alice.get(path, { 'if-none-match': header })
        expect([header, answer.status, answer.body, answer.headers.get('etag')]).toEqual([header, 304, '', etag])
      }
      for (const header of ['"other"', etag.replace(/-1"$/, '-2"'), '""']) {
        expect((await alice.get(path, { 'if-none-match': header })).status).toBe(200)
      }
      expect((await alice.get(path, { 'if-none-match': etag.replaceAll('"', '') })).status).toBe(400)
    }
  })

  it('[DOC-2] every change is another tag', async () => {
    const id = await server.create({ a: 1 })
    const tags = [await etagOf(alice, id)]
    expectStatus(await alice.put(`/documents/${id}`, { content: { a: 2 }, baseVersion: 1 }), 200)
    tags.push(await etagOf(alice, id))
    expectStatus(await alice.patch(`/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 2 }), 200)
    tags.push(await etagOf(alice, id))
    expectStatus(await alice.put(`/documents/${id}`, { content: { a: 1 }, baseVersion: 3 }), 200)
    tags.push(await etagOf(alice, id))
    expect(new Set(tags).size).toBe(4)
  })

  it('[DOC-2] unknown is 404, deleted is 410 with the last version', async () => {
    const gone = await server.create('x')
    expectStatus(await alice.delete(`/documents/${gone}?baseVersion=1`), 204)
    for (const path of ['', '/content', '/lock']) {
      const unknown = await alice.get(`/documents/never-was${path}`)
      expect(verdict(unknown)).toBe('404 not-found')
      const deleted = await alice.get(`/documents/${gone}${path}`)
      expect([verdict(deleted), deleted.body.lastVersion]).toEqual(['410 document-deleted', 2])
    }
  })

  it('[DOC-3] the bare content has its own media type', async () => {
    const text = await server.create('a\r\n\u{1F600}')
    const json = await server.create({ a: [1] })
    const answers = await Promise.all([text, json].map((id) => alice.get(`/documents/${id}/content`)))
    expect(answers.map((answer) => answer.body)).toEqual(['a\r\n\u{1F600}', { a: [1] }])
    expect(answers.map((answer) => answer.headers.get('content-type'))).toEqual([
      'text/plain; charset=utf-8',
      expect.stringMatching(/^application\/json/),
    ])
    expect(answers.map((answer) => answer.headers.get('etag'))).toEqual([
      await etagOf(alice, text),
      await etagOf(alice, json),
    ])
    expect(answers[0]?.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('[DOC-3] an empty content is empty, not absent', async () => {
    const [text, json] = [await server.create(''), await server.create({})]
    const bare = await alice.get(`/documents/${text}/content`)
    expect([bare.status, bare.body, bare.headers.get('content-length')]).toEqual([200, '', '0'])
    expect((await alice.get(`/documents/${json}/content`)).body).toEqual({})
  })

  it('[DOC-2] HEAD answers as GET does, without the body', async () => {
    const id = await server.create('eleven byte')
    for (const path of [`/documents/${id}`, `/documents/${id}/content`, `/documents`]) {
      const get = await alice.get(path)
      const head = await alice.call('HEAD', path)
      expect([head.status, head.body]).toEqual([200, ''])
      for (const name of ['etag', 'content-type', 'content-length']) {
        expect([path, name, head.headers.get(name)]).toEqual([path, name, get.headers.get(name)])
      }
    }
    const etag = await etagOf(alice, id)
    expect((await alice.call('HEAD', `/documents/${id}`, undefined, { 'if-none-match': etag })).status).toBe(304)
    expect((await alice.call('HEAD', '/documents/never-was')).status).toBe(404)
  })

  it('[DOC-7] the lock is a resource of its own', async () => {
    const id = await server.create('x')
    expect((await alice.get(`/documents/${id}/lock`)).body).toEqual({ lock: null })
    expect((await alice.get(`/documents/${id}`)).body).not.toHaveProperty('lock')
  })
})

describe('[DOC-7] listing', () => {
  it('[DOC-7] shows documents without content, with lock and open conflicts', async () => {
    const id = await server.create('one\n')
    expectStatus(await alice.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 }), 200)
    expectStatus(await alice.put(`/documents/${id}`, { content: 'three\n', baseVersion: 1 }), 409)
    const { content: _, ...summary } = (await alice.get(`/documents/${id}`)).body
    expect((await alice.get(`/documents?pattern=${id}`)).body).toEqual({
      items: [{ ...summary, lock: null, openConflicts: 1 }],
    })
  })

  it('[DOC-7] takes an id or a prefix, and lists no deleted document', async () => {
    const names = ['list:a', 'list:b', 'list:bb', 'list:b:c', 'listing', 'LIST:a']
    for (const name of names) expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    const listed = async (pattern: string): Promise<string[]> =>
      ids(await alice.get(`/documents?limit=500&pattern=${encodeURIComponent(pattern)}`))
    expect(await listed('list:*')).toEqual(['list:a', 'list:b', 'list:b:c', 'list:bb'])
    expect(await listed('list:b*')).toEqual(['list:b', 'list:b:c', 'list:bb'])
    expect(await listed('list:b')).toEqual(['list:b'])
    expect(await listed('list')).toEqual([])
    expect(await listed('nothing*')).toEqual([])
    expect(await listed('*')).toEqual(ids(await alice.get('/documents?limit=500')))
    expectStatus(await alice.delete('/documents/list:b?baseVersion=1'), 204)
    expect(await listed('list:b*')).toEqual(['list:b:c', 'list:bb'])
  })

  it('[AUTH-2] only what one may read, wherever the pattern points', async () => {
    for (const name of ['mine:1', 'mine:2', 'theirs:1', 'shared', 'shared2']) {
      expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    }
    const mia = await server.as('mia', {
      'mine:*': ['read'],
      'mine:2': ['write'],
      shared: ['read'],
      'theirs:*': ['write'],
    })
    const listed = async (query: string): Promise<string[]> =>
      ids(expectStatus(await mia.get(`/documents${query}`), 200))
    expect(await listed('')).toEqual(['mine:1', 'mine:2', 'shared'])
    expect(await listed('?pattern=*')).toEqual(['mine:1', 'mine:2', 'shared'])
    expect(await listed('?pattern=m*')).toEqual(['mine:1', 'mine:2'])
    expect(await listed('?pattern=mine:2')).toEqual(['mine:2'])
    expect(await listed('?pattern=theirs:*')).toEqual([])
    expect(await listed('?pattern=shared2')).toEqual([])
    expect(ids(await (await server.as('nobody', {})).get('/documents'))).toEqual([])
  })

  it('[API-5] pages hold each document once, also while others come and go', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `page:${String(n).padStart(2, '0')}`)
    for (const name of names) expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    const seen: string[] = []
    let path = '/documents?pattern=page:*&limit=5'
    for (let page = 0; page < 4; page++) {
      const { body } = expectStatus(await alice.get(path), 200)
      seen.push(...body.items.map((item: { id: string }) => item.id))
      if (page === 0) {
        expectStatus(await root.post('/documents', { id: 'page:00a', kind: 'text' }), 201)
        expectStatus(await root.post('/documents', { id: 'page:09a', kind: 'text' }), 201)
        // The very document the cursor stands on.
        expectStatus(await root.delete('/documents/page:04?baseVersion=1'), 204)
        expectStatus(await root.delete('/documents/page:07?baseVersion=1'), 204)
      }
      if (body.nextCursor === undefined) break
      path = `/documents?pattern=page:*&limit=5&cursor=${encodeURIComponent(body.nextCursor)}`
    }
    expect(seen).toEqual([...names.filter((name) => name !== 'page:07'), 'page:09a'].toSorted())
  })

  it('[API-5] a last page that is just full has no next cursor', async () => {
    for (const name of ['full:1', 'full:2', 'full:3'])
      expectStatus(await root.post('/documents', { id: name, kind: 'text' }), 201)
    expect((await alice.get('/documents?pattern=full:*&limit=3')).body).not.toHaveProperty('nextCursor')
    const { body } = await alice.get('/documents?pattern=full:*&limit=2')
    expect(body.items).toHaveLength(2)
    expect(ids(await alice.get(`/documents?pattern=full:*&limit=2&cursor=${body.nextCursor}`))).toEqual(['full:3'])
  })

  it('[API-5] the default is 50 items, the most 500', async () => {
    await Promise.all(
      Array.from({ length: 55 }, async (_, n) =>
        expectStatus(await root.post('/documents', { id: `many:${n}`, kind: 'text' }), 201),
      ),
    )
    expect(ids(await alice.get('/documents?pattern=many:*'))).toHaveLength(50)
    expect(ids(await alice.get('/documents?pattern=many:*&limit=500'))).toHaveLength(55)
    expect(ids(await alice.get('/documents?pattern=many:*&limit=1'))).toHaveLength(1)
  })

  it.each([
    'limit=0',
    'limit=501',
    'limit=-1',
    'limit=5.0',
    'limit=',
    'limit=x',
    'limit=1e2',
    'limit=5&limit=6',
    'cursor=',
    'cursor=x',
    'cursor=WyJhIiwiYiJd',
    'cursor=WyIgIl0',
    'cursor=W10',
    'cursor=bnVsbA',
    'sort=id',
    'Limit=5',
    'pattern=a&pattern=b',
  ])('[API-5] %s is 400', async (query) => {
    expect((await alice.get(`/documents?${query}`)).status).toBe(400)
  })
})

describe('[DOC-7] settings', () => {
  it('[DOC-7] a change is an entry and a new version, and leaves the content alone', async () => {
    const id = await server.create({ a: 1 })
    const schema = { type: 'object', required: ['a'] }
    const bob = await server.as('bob')
    const changed = expectStatus(
      await bob.patch(`/documents/${id}`, { conflictPolicy: 'merge', schema, baseVersion: 1 }),
      200,
    )
    expect(changed.body).toMatchObject({
      id,
      version: 2,
      conflictPolicy: 'merge',
      schema,
      updatedBy: 'bob',
      createdBy: 'olga',
    })
    expect(changed.headers.get('etag')).toBe(`"${changed.body.etag}"`)
    const { body } = await alice.get(`/documents/${id}`)
    expect(body).toEqual({ ...changed.body, content: { a: 1 } })
    expect(await etagOf(alice, id)).toBe(changed.headers.get('etag'))
  })

  it('[DOC-7] what changes nothing is no version', async () => {
    const id = await server.create({ a: 1 }, { schema: { type: 'object', title: 't' } })
    for (const body of [{}, { conflictPolicy: 'manual' }, { schema: { title: 't', type: 'object' } }]) {
      const answer = expectStatus(await alice.patch(`/documents/${id}`, { ...body, baseVersion: 1 }), 200)
      expect(answer.body.version).toBe(1)
    }
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(1)
  })

  it('[DOC-7] takes If-Match too, and a stale base is 409 with the current version and no conflict', async () => {
    const id = await server.create('x')
    const etag = await etagOf(alice, id)
    const change = { conflictPolicy: 'merge' }
    const first = expectStatus(await alice.patch(`/documents/${id}`, change, { 'if-match': etag }), 200)
    for (const [body, headers] of [
      [{ conflictPolicy: 'incoming-wins' }, { 'if-match': etag }],
      [{ conflictPolicy: 'incoming-wins', baseVersion: 1 }, {}],
      // Stale, though it is what stands there: what else changed was not looked at.
      [{ ...change, baseVersion: 1 }, {}],
    ] as const) {
      const stale = await alice.patch(`/documents/${id}`, body, headers)
      expect(verdict(stale)).toBe('409 version-conflict')
      expect(stale.body.current).toEqual({ version: 2 })
      expect(stale.body).not.toHaveProperty('conflict')
      expect(stale.headers.get('etag')).toBe(first.headers.get('etag'))
    }
    expect((await alice.get(`/conflicts?document=${id}`)).body.items).toEqual([])
    expect((await alice.get(`/documents/${id}`)).body).toMatchObject({ version: 2, conflictPolicy: 'merge' })
  })

  it('[DOC-7] a schema that the content breaks is 422 with all violations, and nothing changes', async () => {
    const id = await server.create({ a: 'x', b: 1 })
    const schema = { properties: { a: { type: 'number' }, b: { type: 'string' } }, required: ['c'] }
    const refused = await alice.patch(`/documents/${id}`, { schema, conflictPolicy: 'merge', baseVersion: 1 })
    expect(verdict(refused)).toBe('422 schema-violation')
    expect(refused.body.violations.map((violation: { pointer: string }) => violation.pointer).toSorted()).toEqual([
      '',
      '/a',
      '/b',
    ])
    expect((await alice.get(`/documents/${id}`)).body).toMatchObject({
      version: 1,
      schema: null,
      conflictPolicy: 'manual',
    })
  })

  it('[DOC-7] refuses what is no setting', async () => {
    const [text, json] = [await server.create('x'), await server.create({})]
    const outcomes: string[] = []
    for (const [id, body] of [
      [json, { schema: { type: 'nothing' }, baseVersion: 1 }],
      // Malformed comes before stale.
      [json, { schema: { type: 'nothing' }, baseVersion: 0 }],
      [json, { schema: { properties: { a: { pattern: '(?<!x)y' } } }, baseVersion: 1 }],
      [text, { schema: {}, baseVersion: 1 }],
      [text, { kind: 'json', baseVersion: 1 }],
      [text, { content: 'y', baseVersion: 1 }],
      [text, { conflictPolicy: 'nothing', baseVersion: 1 }],
      [text, { conflictPolicy: null, baseVersion: 1 }],
      [text, { conflictPolicy: 'merge' }],
      ['never-was', { conflictPolicy: 'merge', baseVersion: 1 }],
    ] as const) {
      outcomes.push(verdict(await alice.patch(`/documents/${id}`, body)))
    }
    expect(outcomes).toEqual([
      '400 invalid-schema',
      '400 invalid-schema',
      '400 invalid-schema',
      '400 invalid-request',
      '400 invalid-request',
      '400 invalid-request',
      '400 invalid-request',
      '400 invalid-request',
      '428 precondition-required',
      '404 not-found',
    ])
  })

  it('[DOC-7] a schema can be taken away again', async () => {
    const id = await server.create({ a: 1 }, { schema: { required: ['a'] } })
    expect(verdict(await alice.put(`/documents/${id}`, { content: {}, baseVersion: 1 }))).toBe('422 schema-violation')
    expectStatus(await alice.patch(`/documents/${id}`, { schema: null, baseVersion: 1 }), 200)
    expectStatus(await alice.put(`/documents/${id}`, { content: {}, baseVersion: 2 }), 200)
  })

  it('[DOC-7] holds through a restart', async () => {
    const id = await server.create({ a: 1 })
    expectStatus(
      await alice.patch(`/documents/${id}`, {
        schema: { required: ['a'] },
        conflictPolicy: 'current-wins',
        baseVersion: 1,
      }),
      200,
    )
    const before = (await alice.get(`/documents/${id}`)).body
    await server.restart()
    expect((await alice.get(`/documents/${id}`)).body).toEqual(before)
    expect(verdict(await alice.put(`/documents/${id}`, { content: {}, baseVersion: 2 }))).toBe('422 schema-violation')
  })
})

describe('[DOC-6] deleting', () => {
  it('[DOC-6] is 204 under the preconditions of a write', async () => {
    const etags: string[] = []
    for (const headers of [{}, { 'if-match': 'etag' }, { 'if-match': '*' }]) {
      const id = await server.create('x')
      const etag = await etagOf(root, id)
      etags.push(etag)
      const query = 'if-match' in headers ? '' : '?baseVersion=1'
      const sent = headers['if-match'] === 'etag' ? { 'if-match': etag } : headers
      const answer = await root.delete(`/documents/${id}${query}`, sent)
      expect([answer.status, answer.body]).toEqual([204, ''])
      expect((await alice.get(`/documents/${id}`)).status).toBe(410)
    }
    expect(new Set(etags).size).toBe(3)
  })

  it('[DOC-6] refuses without a base, on a stale one and on an unknown one, and the document lives', async () => {
    const id = await server.create('one')
    const etag = await etagOf(alice, id)
    expectStatus(await alice.put(`/documents/${id}`, { content: 'two', baseVersion: 1 }), 200)
    const outcomes: string[] = []
    for (const [query, headers] of [
      ['', {}],
      ['?baseVersion=1', {}],
      ['', { 'if-match': etag }],
      ['', { 'if-match': `W/${etag}` }],
      ['?baseVersion=9', {}],
      ['', { 'if-match': '"other-1"' }],
      ['?baseVersion=2', { 'if-match': etag }],
      ['?baseVersion=x', {}],
      ['?baseVersion=2&purge=maybe', {}],
      ['', { 'if-match': '*' }],
      ['', { 'if-none-match': '*' }],
    ] as const) {
      outcomes.push(verdict(await alice.delete(`/documents/${id}${query}`, headers)))
    }
    expect(outcomes).toEqual([
      '428 precondition-required',
      '409 version-conflict',
      '409 version-conflict',
      '409 weak-etag',
      '409 unknown-base',
      '409 unknown-base',
      '400 invalid-request',
      '400 invalid-request',
      '400 invalid-request',
      '403 forbidden',
      '412 precondition-failed',
    ])
    expect(await read(alice, id)).toEqual({ content: 'two', version: 2 })
    expect((await alice.get(`/conflicts?document=${id}`)).body.items).toEqual([])
  })

  it('[WRITE-6] where only settings came between, the content that was looked at is what is deleted', async () => {
    const id = await server.create('one')
    const etag = await etagOf(alice, id)
    expectStatus(await alice.patch(`/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 1 }), 200)
    expect(verdict(await alice.delete(`/documents/${id}`, { 'if-match': etag }))).toBe('409 version-conflict')
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`), 204)
  })

  it('[DOC-6] what is gone is 410 to every request, and 404 to those who may not read it', async () => {
    const id = await server.create('x')
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`), 204)
    const merge = { 'content-type': 'application/merge-patch+json' }
    for (const answer of [
      await alice.delete(`/documents/${id}?baseVersion=2`),
      await alice.delete(`/documents/${id}`),
      await alice.put(`/documents/${id}`, { content: 'y', baseVersion: 2 }),
      await alice.put(`/documents/${id}`, { content: 'y' }),
      await root.put(`/documents/${id}`, { content: 'y' }, { 'if-match': '*' }),
      await alice.patch(`/documents/${id}/content?baseVersion=2`, {}, merge),
      await alice.patch(`/documents/${id}/content?baseVersion=0`, {}, merge),
      await alice.patch(`/documents/${id}`, { baseVersion: 2 }),
    ]) {
      expect([verdict(answer), answer.body.lastVersion]).toEqual(['410 document-deleted', 2])
    }
    const stranger = await server.as('stranger', { 'else:*': ['read', 'write'] })
    expect(verdict(await stranger.delete(`/documents/${id}?baseVersion=1`))).toBe('404 not-found')
  })

  it('[DOC-6] an id that is created again goes on counting under another tag, and knows nothing of before', async () => {
    const id = await server.create('first')
    const etag = await etagOf(alice, id)
    expectStatus(await alice.put(`/documents/${id}`, { content: 'first!', baseVersion: 1 }), 200)
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=2`), 204)
    const created = expectStatus(await alice.post('/documents', { id, kind: 'json', content: { second: 1 } }), 201)
    expect(created.body).toMatchObject({ version: 4, kind: 'json', content: { second: 1 } })
    expect(created.body.etag.split('-')[0]).not.toBe(etag.slice(1).split('-')[0])
    for (const baseVersion of [1, 2, 3, 5]) {
      const answer = await alice.put(`/documents/${id}`, { content: { x: 1 }, baseVersion })
      expect([baseVersion, verdict(answer)]).toEqual([baseVersion, '409 unknown-base'])
    }
    expect(verdict(await alice.put(`/documents/${id}`, { content: { x: 1 } }, { 'if-match': etag }))).toBe(
      '409 unknown-base',
    )
    expectStatus(await alice.put(`/documents/${id}`, { content: { third: 1 }, baseVersion: 4 }), 200)
    await server.restart()
    expect(await read(alice, id)).toEqual({ content: { third: 1 }, version: 5 })
    expect((await server.eventsOf(id)).map(([type, data]) => `${type} ${data['version']}`)).toEqual([
      'document.created 1',
      'document.deleted 3',
      'document.created 4',
    ])
  })

  it('[DOC-6] of many who delete one document at once, one does', async () => {
    const id = await server.create('x')
    const answers = await Promise.all(Array.from({ length: 10 }, () => alice.delete(`/documents/${id}?baseVersion=1`)))
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([204, ...Array.from({ length: 9 }, () => 410)])
    expect((await server.eventsOf(id)).map(([type]) => type)).toEqual(['document.created', 'document.deleted'])
  })

  it('[DOC-6] a write and a deletion at once: the write stands before it, or is told that the document is gone', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await server.create('x')
      const [removed, written] = await Promise.all([
        root.delete(`/documents/${id}`, { 'if-match': '*' }),
        root.put(`/documents/${id}`, { content: 'y' }, { 'if-match': '*' }),
      ])
      expect(removed.status).toBe(204)
      const { body } = await alice.get(`/documents/${id}`)
      expect([written.status, body.lastVersion]).toEqual(written.status === 200 ? [200, 3] : [410, 2])
    }
  })
})
