import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { tagAt, conflictsOf, newsOf, etagOf, startDocumentServer, verdict } from '../support/documents.ts'
import type { Answer } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')
const root = server.caller('root', { '*': ['read', 'write', 'overwrite'] })

describe('[WRITE-1] naming the base', () => {
  it('[WRITE-1] none is 428 and says how', async () => {
    const id = await server.create('x')
    const refused = await alice.put(`/documents/${id}`, { content: 'y' })
    expect(verdict(refused)).toBe('428 precondition-required')
    expect(refused.body.detail).toMatch(/If-Match.*baseVersion/)
    expect(await read(alice, id)).toEqual({ content: 'x', version: 1 })
  })

  it('[WRITE-1] by header or by version, in the body or, where the body is the content, in the query', async () => {
    const id = await server.create('0')
    const text = { 'content-type': 'text/plain' }
    const delta = { 'content-type': 'application/vnd.parley.delta+json' }
    const answers = [
      await alice.put(`/documents/${id}`, { content: '1', baseVersion: 1 }),
      await alice.put(`/documents/${id}`, { content: '2' }, { 'if-match': await tagAt(alice, id, 2) }),
      await alice.put(`/documents/${id}/content?baseVersion=3`, '3', text),
      await alice.put(`/documents/${id}/content`, '4', { ...text, 'if-match': await tagAt(alice, id, 4) }),
      await alice.patch(`/documents/${id}/content?baseVersion=5`, [{ insert: '5' }, { delete: 1 }], delta),
      await alice.patch(`/documents/${id}/content`, [{ insert: '6' }, { delete: 1 }], {
        ...delta,
        'if-match': await tagAt(alice, id, 6),
      }),
      await alice.put(`/documents/${id}`, { content: '7', baseVersion: 7 }, { 'if-match': await tagAt(alice, id, 7) }),
    ]
    expect(answers.map(verdict)).toEqual(answers.map(() => '200 written'))
    expect(await read(alice, id)).toEqual({ content: '7', version: 8 })
  })

  it('[WRITE-1] query and body are each for their own route', async () => {
    const id = await server.create('x')
    expect(verdict(await alice.put(`/documents/${id}?baseVersion=1`, { content: 'y' }))).toBe('400 invalid-request')
    expect(
      verdict(
        await alice.put(`/documents/${id}/content?kind=text&baseVersion=1`, 'y', { 'content-type': 'text/plain' }),
      ),
    ).toBe('400 invalid-request')
  })

  it('[WRITE-1] every way to say it wrong', async () => {
    const id = await server.create('one')
    const etag = await etagOf(alice, id)
    expectStatus(await alice.put(`/documents/${id}`, { content: 'two', baseVersion: 1 }), 200)
    const now = await tagAt(alice, id, 2)
    const bare = now.replaceAll('"', '')
    const rows: [string, Record<string, string>, object, string][] = [
      ['both, disagreeing', { 'if-match': now }, { baseVersion: 1 }, '400 invalid-request'],
      ['both, disagreeing, the header stale', { 'if-match': etag }, { baseVersion: 2 }, '400 invalid-request'],
      ['both, disagreeing, version 0', { 'if-match': now }, { baseVersion: 0 }, '400 invalid-request'],
      ['unquoted', { 'if-match': bare }, {}, '400 invalid-request'],
      ['half quoted', { 'if-match': `"${bare}` }, {}, '400 invalid-request'],
      ['an empty header', { 'if-match': '' }, {}, '400 invalid-request'],
      ['a star in a list', { 'if-match': `${now}, *` }, {}, '400 invalid-request'],
      ['a quoted star', { 'if-match': '"*"' }, {}, '409 unknown-base'],
      ['weak', { 'if-match': `W/${now}` }, {}, '409 weak-etag'],
      ['weak, agreeing', { 'if-match': `W/${now}` }, { baseVersion: 2 }, '409 weak-etag'],
      ['weak and stale', { 'if-match': `W/${etag}` }, {}, '409 weak-etag'],
      ['weak beside strong and unknown', { 'if-match': `W/${now}, "x-1"` }, {}, '409 weak-etag'],
      ['another history', { 'if-match': '"nothing-2"' }, {}, '409 unknown-base'],
      ['the version alone', { 'if-match': '"2"' }, {}, '409 unknown-base'],
      ['a version to come', { 'if-match': etag.replace(/-1"$/, '-3"') }, {}, '409 unknown-base'],
      ['a version number to come', {}, { baseVersion: 3 }, '409 unknown-base'],
      ['a huge version', {}, { baseVersion: Number.MAX_SAFE_INTEGER }, '409 unknown-base'],
      ['a version past the safe integers', {}, { baseVersion: 2 ** 53 }, '400 invalid-request'],
      ['a negative version', {}, { baseVersion: -1 }, '400 invalid-request'],
      ['a fraction', {}, { baseVersion: 1.5 }, '400 invalid-request'],
      ['a text', {}, { baseVersion: '2' }, '400 invalid-request'],
      ['null', {}, { baseVersion: null }, '400 invalid-request'],
      ['a star without `overwrite`', { 'if-match': '*' }, {}, '403 forbidden'],
      ['a star and a version', { 'if-match': '*' }, { baseVersion: 2 }, '403 forbidden'],
      ['If-None-Match with a tag', { 'if-none-match': now }, {}, '400 invalid-request'],
      ['If-None-Match and a version', { 'if-none-match': '*' }, { baseVersion: 2 }, '400 invalid-request'],
      ['If-None-Match and If-Match', { 'if-none-match': '*', 'if-match': now }, {}, '400 invalid-request'],
      ['If-None-Match on what exists', { 'if-none-match': '*' }, {}, '412 precondition-failed'],
    ]
    for (const [name, headers, body, wanted] of rows) {
      const answer = await alice.put(`/documents/${id}`, { content: 'three', ...body }, headers)
      expect([name, verdict(answer)]).toEqual([name, wanted])
      expect([name, answer.body.conflict]).toEqual([name, undefined])
    }
    for (const query of [
      'baseVersion=',
      'baseVersion=-1',
      'baseVersion=1.0',
      'baseVersion=01',
      'baseVersion=1&baseVersion=1',
      'baseVersion=1e0',
    ]) {
      const answer = await alice.put(`/documents/${id}/content?${query}`, 'three', { 'content-type': 'text/plain' })
      expect([query, verdict(answer)]).toEqual([query, '400 invalid-request'])
    }
    expect(await read(alice, id)).toEqual({ content: 'two', version: 2 })
    expect(await conflictsOf(alice, id)).toEqual([])
  })

  it('[WRITE-1] refusals without a conflict tell the current tag', async () => {
    const id = await server.create('x')
    const etag = await etagOf(alice, id)
    for (const headers of [{ 'if-match': `W/${etag}` }, { 'if-match': '"a-1"' }, { 'if-none-match': '*' }]) {
      expect((await alice.put(`/documents/${id}`, { content: 'y' }, headers)).headers.get('etag')).toBe(etag)
    }
    const unknown = await alice.put(`/documents/${id}`, { content: 'y', baseVersion: 7 })
    expect(unknown.body.current).toBe(1)
  })

  it('[WRITE-1] of a list the tag that matches counts, else the first known is the base', async () => {
    const id = await server.create('a\nb\nc\n')
    const etag = await etagOf(alice, id)
    expectStatus(await bob.put(`/documents/${id}`, { content: 'A\nb\nc\n', baseVersion: 1 }), 200)
    expectStatus(await bob.put(`/documents/${id}`, { content: 'A\nB\nc\n', baseVersion: 2 }), 200)
    const stale = await alice.put(
      `/documents/${id}`,
      { content: 'x' },
      { 'if-match': `"x-9", ${await tagAt(alice, id, 2)}, ${etag}` },
    )
    expect([verdict(stale), stale.body.conflict.base.version]).toEqual(['409 version-conflict', 2])
    const agreeing = { 'if-match': `${await tagAt(alice, id, 2)}, ${etag}` }
    const other = await alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, agreeing)
    expect([verdict(other), other.body.conflict.base.version]).toEqual(['409 version-conflict', 1])
    const matching = `${etag}, W/"x-1" ,, ${await tagAt(alice, id, 3)}`
    // Of a list with the current version, a baseVersion that names another one leaves only that one.
    const narrowed = await alice.put(
      `/documents/${id}`,
      { content: 'z', baseVersion: 2 },
      { 'if-match': `${await tagAt(alice, id, 2)}, ${await tagAt(alice, id, 3)}` },
    )
    expect([verdict(narrowed), narrowed.body.conflict.base.version]).toEqual(['409 version-conflict', 2])
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'x' }, { 'if-match': matching }))).toBe('200 written')
  })

  it('[WRITE-1] `If-Match: *` overwrites, for those who may', async () => {
    const id = await server.create('one')
    for (const content of ['two', 'three']) {
      const answer = expectStatus(await root.put(`/documents/${id}`, { content }, { 'if-match': '*' }), 200)
      expect(answer.body.outcome).toBe('written')
    }
    expect(verdict(await root.put(`/documents/${id}`, { content: 'three' }, { 'if-match': '*' }))).toBe('200 unchanged')
    expect(verdict(await root.put('/documents/never-was', { content: 'x' }, { 'if-match': '*' }))).toBe('404 not-found')
    const only = await server.as('only', { '*': ['read', 'overwrite'] })
    expect(verdict(await only.put(`/documents/${id}`, { content: 'x' }, { 'if-match': '*' }))).toBe('403 forbidden')
    expect(await conflictsOf(alice, id)).toEqual([])
    expect(await newsOf(server, id)).toEqual([])
  })
})

describe('[DOC-4] creating by PUT', () => {
  const text = { 'content-type': 'text/plain' }
  it('[DOC-4] answers 201 with Location, ETag and the outcome', async () => {
    const rows: [(id: string) => Promise<Answer>, unknown][] = [
      [(id) => alice.put(`/documents/${id}`, { content: 'x' }, { 'if-none-match': '*' }), 'x'],
      [(id) => alice.put(`/documents/${id}`, { content: {}, baseVersion: 0 }), {}],
      [(id) => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 0 }, { 'if-none-match': '*' }), 'y'],
      [(id) => alice.put(`/documents/${id}`, { content: { a: 1 }, baseVersion: 0, kind: 'json' }), { a: 1 }],
      [(id) => alice.put(`/documents/${id}/content`, '', { ...text, 'if-none-match': '*' }), ''],
      [(id) => alice.put(`/documents/${id}/content?baseVersion=0`, 'z', text), 'z'],
      [(id) => alice.put(`/documents/${id}/content?baseVersion=0`, { b: 1 }), { b: 1 }],
    ]
    for (const [put, content] of rows) {
      const id = server.newId()
      const created = expectStatus(await put(id), 201)
      expect(created.headers.get('location')).toBe(`/documents/${id}`)
      const found = (await alice.get(`/documents/${id}`)).body
      expect(found).toMatchObject({
        content,
        version: 1,
        kind: typeof content === 'string' ? 'text' : 'json',
        conflictPolicy: 'manual',
      })
      expect(created.body).toEqual({ id, version: 1, etag: found.etag, outcome: 'created', updatedAt: found.updatedAt })
      expect(created.headers.get('etag')).toBe(`"${found.etag}"`)
      expect((await server.eventsOf(id)).map(([type]) => type)).toEqual(['document.created'])
    }
  })

  it('[DOC-4] without either a missing document is 404', async () => {
    const id = server.newId()
    const merge = { 'content-type': 'application/merge-patch+json' }
    for (const answer of [
      await alice.put(`/documents/${id}`, { content: 'x' }),
      await alice.put(`/documents/${id}`, { content: 'x', baseVersion: 1 }),
      await alice.put(`/documents/${id}`, { content: 'x' }, { 'if-match': '"x-1"' }),
      await alice.put(`/documents/${id}/content`, 'x', text),
      await alice.patch(`/documents/${id}/content?baseVersion=0`, { a: 1 }, merge),
      await alice.patch(`/documents/${id}/content`, { a: 1 }, { ...merge, 'if-none-match': '*' }),
      await alice.delete(`/documents/${id}?baseVersion=0`),
    ]) {
      expect(verdict(answer)).toBe('404 not-found')
    }
  })

  it('[DOC-4] what exists is 412 for the header and 409 for version 0', async () => {
    const id = await server.create('there')
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'x' }, { 'if-none-match': '*' }))).toBe(
      '412 precondition-failed',
    )
    // Not even where it is what stands there: the header asks whether there is anything.
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'there' }, { 'if-none-match': '*' }))).toBe(
      '412 precondition-failed',
    )
    expect(await conflictsOf(alice, id)).toEqual([])
    const refused = await alice.put(`/documents/${id}`, { content: 'x', baseVersion: 0 })
    expect(verdict(refused)).toBe('409 version-conflict')
    expect(refused.body.conflict).toMatchObject({
      base: { version: 0, etag: null, content: '' },
      current: { version: 1 },
    })
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'there', baseVersion: 0 }))).toBe('200 unchanged')
  })

  it('[DOC-4] version 0 of an empty document is its empty content', async () => {
    const id = await server.create('')
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'first words', baseVersion: 0 }))).toBe('200 written')
  })

  it('[DOC-4] the kind is what is asked for, and has to fit', async () => {
    const id = server.newId()
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'x', kind: 'json', baseVersion: 0 }))).toBe(
      '422 kind-mismatch',
    )
    expect(verdict(await alice.put(`/documents/${id}`, { content: {}, kind: 'text', baseVersion: 0 }))).toBe(
      '422 kind-mismatch',
    )
    expect((await alice.get(`/documents/${id}`)).status).toBe(404)
    const [there, json] = [await server.create('x'), await server.create({})]
    expect(verdict(await alice.put(`/documents/${there}`, { content: 'y', kind: 'json', baseVersion: 1 }))).toBe(
      '422 kind-mismatch',
    )
    expect(verdict(await alice.put(`/documents/${there}`, { content: {}, baseVersion: 1 }))).toBe('422 kind-mismatch')
    expect(verdict(await alice.put(`/documents/${there}/content?baseVersion=1`, { a: 1 }))).toBe('422 kind-mismatch')
    expect(verdict(await alice.put(`/documents/${json}/content?baseVersion=1`, 'y', text))).toBe('422 kind-mismatch')
    expectStatus(await alice.put(`/documents/${there}`, { content: 'y', kind: 'text', baseVersion: 1 }), 200)
  })

  it('[WRITE-3] of many who create one id at once exactly one does', async () => {
    for (const how of ['header', 'version'] as const) {
      const id = server.newId()
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, n) =>
          how === 'header'
            ? alice.put(`/documents/${id}`, { content: `by ${n}` }, { 'if-none-match': '*' })
            : alice.put(`/documents/${id}`, { content: `by ${n}`, baseVersion: 0 }),
        ),
      )
      const won = answers.flatMap((answer, n) => (answer.status === 201 ? [n] : []))
      expect(won).toHaveLength(1)
      const lost = how === 'header' ? '412 precondition-failed' : '409 version-conflict'
      for (const [n, answer] of answers.entries()) if (n !== won[0]) expect(verdict(answer)).toBe(lost)
      expect(await read(alice, id)).toEqual({ content: `by ${won[0]}`, version: 1 })
    }
  })

  it('[DOC-4] a deleted document is created anew, 410 without', async () => {
    const id = await server.create('x')
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`), 204)
    expect(verdict(await alice.put(`/documents/${id}`, { content: 'y', baseVersion: 2 }))).toBe('410 document-deleted')
    expect(
      expectStatus(await alice.put(`/documents/${id}`, { content: { a: 1 }, baseVersion: 0 }), 201).body.version,
    ).toBe(3)
  })
})

describe('[WRITE-2] on the current version', () => {
  it('[WRITE-2] another content is written', async () => {
    const id = await server.create('one')
    const answer = expectStatus(await bob.put(`/documents/${id}`, { content: 'two', baseVersion: 1 }), 200)
    const document = (await alice.get(`/documents/${id}`)).body
    expect(answer.body).toEqual({
      id,
      version: 2,
      etag: document.etag,
      outcome: 'written',
      updatedAt: document.updatedAt,
    })
    expect(answer.headers.get('etag')).toBe(`"${document.etag}"`)
    expect(document).toMatchObject({ content: 'two', updatedBy: 'bob', createdBy: 'olga' })
  })

  it('[WRITE-2] the same content is no version and no event', async () => {
    const id = await server.create({ a: 1, b: [{ c: null, d: 2 }] })
    const etag = await etagOf(alice, id)
    const same = { b: [{ d: 2, c: null }], a: 1 }
    for (const answer of [
      await bob.put(`/documents/${id}`, { content: same, baseVersion: 1 }),
      await bob.put(`/documents/${id}`, { content: same }, { 'if-match': etag }),
      await bob.put(`/documents/${id}/content?baseVersion=1`, same),
    ]) {
      expect([verdict(answer), answer.body.version, answer.headers.get('etag')]).toEqual(['200 unchanged', 1, etag])
    }
    expect((await alice.get(`/documents/${id}`)).body).toMatchObject({ version: 1, updatedBy: 'olga' })
    expect(await newsOf(server, id)).toEqual([])
  })

  it('[WRITE-2] `Prefer: return=representation` adds the document to every outcome', async () => {
    const prefer = { prefer: 'return=representation' }
    const id = server.newId()
    const created = expectStatus(
      await alice.put(`/documents/${id}`, { content: 'a\nb\n' }, { ...prefer, 'if-none-match': '*' }),
      201,
    )
    expect(created.body.document).toEqual((await alice.get(`/documents/${id}`)).body)
    const answers: Answer[] = []
    for (const body of [
      { content: 'A\nb\n', baseVersion: 1 },
      { content: 'A\nb\n', baseVersion: 2 },
      { content: 'a\nB\n', baseVersion: 1, onConflict: 'merge' },
      { content: 'over\n', baseVersion: 1, onConflict: 'incoming-wins' },
    ]) {
      const answer = expectStatus(await alice.put(`/documents/${id}`, body, prefer), 200)
      answers.push(answer)
      expect(answer.body.document).toEqual((await alice.get(`/documents/${id}`)).body)
    }
    expect(answers.map((answer) => answer.body.outcome)).toEqual(['written', 'unchanged', 'merged', 'overwrote'])
    const plain = await alice.put(`/documents/${id}`, { content: 'plain', baseVersion: 4 })
    expect(plain.body).not.toHaveProperty('document')
  })
})
