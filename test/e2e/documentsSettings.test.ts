import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const root = server.caller('root', { '*': ['admin'] })

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
    expect((await server.eventsOf(id)).map(([type, data]) => [type, data['version']])).toEqual([
      ['document.created', 1],
      ['document.deleted', 3],
      ['document.created', 4],
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
