import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')

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
      etag: expect.stringMatching(/^[a-z0-9]+-1$/),
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

  it('[DOC-2] a 304 costs no content, whether or not the document is in memory', async () => {
    const id = await server.create('x')
    const etag = await etagOf(alice, id)
    await server.restart()
    const reads = (): number => server.storage.calls('checkpoint') + server.storage.calls('entries')
    for (const path of [`/documents/${id}`, `/documents/${id}/content`]) {
      expect((await alice.get(path, { 'if-none-match': etag })).status).toBe(304)
    }
    expect(reads()).toBe(0)
    expect((await alice.get('/documents/never-was', { 'if-none-match': etag })).status).toBe(404)
    expect((await alice.get('/documents/never-was', { 'if-none-match': 'unquoted' })).status).toBe(400)
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
