import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { contentHash } from '../../server/content/equal.ts'
import { expectStatus, read, stage, startConflictServer, type ConflictServer } from '../support/conflicts.ts'
import { suiteServer } from '../support/suite.ts'

const MEBIBYTE = 1024 * 1024
const LIMIT = 2 * MEBIBYTE

const server = suiteServer(() => startConflictServer({ PARLEY_MAX_CONTENT_BYTES: String(LIMIT) }))

const TEXT = { base: 'one\ntwo', current: 'one\nTWO', incoming: 'one\n2' }

describe('what is kept of conflicts', () => {
  it('[CONF-9] a principal has at most 100 open conflicts on a document; the next answer is full, its id null', async () => {
    const scene = await stage(server, TEXT)
    const { id, alice, bob } = scene
    const send = (content: string) => alice.put(`/documents/${id}`, { content, baseVersion: 1 })
    for (let n = 1; n < 100; n++) expectStatus(await send(`attempt ${n}`), 409)
    const before = await server.eventsOf(id)
    const refused = expectStatus(await send('one too many'), 409)
    const { conflict } = refused.body
    expect(conflict).toMatchObject({
      id: null,
      status: 'open',
      base: { content: TEXT.base, href: null },
      current: { content: TEXT.current, href: null, authors: ['bob'] },
      incoming: { content: 'one too many', href: null, authors: ['alice'] },
      merged: { clean: false },
      overlaps: [{ incoming: 'one too many', authors: ['bob'] }],
    })
    expect(refused.headers.get('link')).toBeNull()
    expect(refused.headers.get('etag')).not.toBeNull()
    expect(JSON.stringify(refused.body)).not.toContain('cfl_')
    // Nothing of it was kept, and nobody was told.
    expect(await server.eventsOf(id)).toEqual(before)
    expect((await alice.get(`/conflicts?document=${id}&limit=500`)).body.items).toHaveLength(100)
    expect(rows(server, 'SELECT count(*) AS n FROM conflicts WHERE contents LIKE ?', '%one too many%')).toEqual([
      { n: 0 },
    ])
    // A repeated one is still known, others have room of their own, and room that is made counts.
    expect(expectStatus(await send('attempt 7'), 409).body.conflict.id).toMatch(/^cfl_/)
    expect(
      expectStatus(await bob.put(`/documents/${id}`, { content: 'bob', baseVersion: 1 }), 409).body.conflict.id,
    ).toMatch(/^cfl_/)
    expectStatus(await alice.post('/resolve-conflict', { conflictId: scene.conflict.id, dismiss: true }), 200)
    expect(expectStatus(await send('one too many'), 409).body.conflict.id).toMatch(/^cfl_/)
  })

  it.each([
    ['ascii', (id: string) => `equal ${id}`.padEnd(1024, '.')],
    // As many bytes, and half as many characters.
    ['others', (id: string) => `${id}${'é'.repeat(Math.ceil((1024 - id.length) / 2))}`],
  ])('[CONF-9] equal contents of 1 KiB and more are stored once, whoever sent them: %s', async (_which, contentFor) => {
    const { id, alice, bob } = await stage(server, TEXT)
    const content = contentFor(id)
    expect(Buffer.byteLength(content)).toBeGreaterThanOrEqual(1024)
    expectStatus(await alice.put(`/documents/${id}`, { content, baseVersion: 1 }), 409)
    expectStatus(await bob.put(`/documents/${id}`, { content, baseVersion: 1 }), 409)
    const hash = contentHash(content)
    expect(rows(server, 'SELECT count(*) AS n FROM contents WHERE hash = ?', hash)).toEqual([{ n: 1 }])
    expect(rows(server, 'SELECT count(*) AS n FROM conflict_contents WHERE hash = ?', hash)).toEqual([{ n: 2 }])
  })

  it('[CONF-4] contents over 1 MiB are left out and `truncated` says so; each href still leads to all of it', async () => {
    const big = 'x'.repeat(MEBIBYTE)
    const { conflict, alice } = await stage(server, { base: 'one\ntwo', current: 'one\nTWO', incoming: `${big}\ntwo` })
    expect(conflict.truncated).toBe(true)
    expect(conflict.base.content).toBe('one\ntwo')
    expect(conflict.current.content).toBe('one\nTWO')
    expect(conflict.incoming).not.toHaveProperty('content')
    expect(conflict.merged).toEqual({ clean: true })
    const { body } = await alice.get(conflict.incoming.href)
    expect(body === `${big}\ntwo`).toBe(true)
  })

  it('[CONF-4] a content of exactly 1 MiB is not left out', async () => {
    const incoming = 'x'.repeat(MEBIBYTE)
    const { conflict } = await stage(server, { base: 'a\nb', current: 'a\nB', incoming })
    expect(conflict.incoming.content === incoming).toBe(true)
  })

  it('[CONF-4] overlaps whose values are over 1 MiB are shown as places, and count as truncated', async () => {
    const half = 0.6 * MEBIBYTE
    const [current, incoming] = ['c'.repeat(half), 'i'.repeat(half)]
    const scene = await stage(server, { base: { a: 1 }, current: { a: current }, incoming: { a: incoming } })
    const { conflict, alice } = scene
    expect(conflict.overlaps).toEqual([{ id: expect.any(String), pointer: '/a' }])
    expect(conflict.truncated).toBe(true)
    expect(conflict.incoming.content.a === incoming).toBe(true)
    const choices = { [conflict.overlaps[0].id]: 'incoming' }
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'choices', choices }
    expectStatus(await alice.post('/resolve-conflict', body), 200)
    expect(await read(alice, scene.id)).toEqual({ content: { a: incoming }, version: 3 })
  })

  it('[CONF-4] a proposal over 1 MiB is left out of the conflict, and readable by itself', async () => {
    const { conflict, will, rita, id } = await stage(server, TEXT)
    const content = 'p'.repeat(MEBIBYTE + 1)
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'content', content }
    const { proposal, conflict: shown } = expectStatus(await will.post('/resolve-conflict', body), 202).body
    expect(shown.truncated).toBe(true)
    expect(proposal).not.toHaveProperty('content')
    const bare = await rita.get(`/conflicts/${conflict.id}/proposals/${proposal.id}`)
    expect(bare.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(bare.body === content).toBe(true)
    expectStatus(await rita.post('/resolve-conflict', { conflictId: conflict.id, accept: proposal.id }), 200)
    expect((await read(rita, id)).content === content).toBe(true)
  })

  it('[RES-1] a conflict holds at most 20 pending proposals; deciding one makes room', async () => {
    const { conflict, will, rita } = await stage(server, TEXT)
    const propose = (content: string) =>
      will.post('/resolve-conflict', { conflictId: conflict.id, baseVersion: 2, use: 'content', content })
    let last = ''
    for (let n = 0; n < 20; n++) last = expectStatus(await propose(`proposal ${n}`), 202).body.proposal.id
    const refused = await propose('one more')
    expect([refused.status, refused.body.code]).toEqual([422, 'too-many-proposals'])
    expectStatus(await rita.post('/resolve-conflict', { conflictId: conflict.id, reject: last }), 200)
    expectStatus(await propose('one more'), 202)
  })
})

describe('limits of what a resolution makes', () => {
  it('[DOC-10] a content past the limit is refused, and nothing is written', async () => {
    const { conflict, alice, will, id } = await stage(server, TEXT)
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'content', content: 'x'.repeat(LIMIT + 1) }
    for (const caller of [alice, will]) {
      const refused = await caller.post('/resolve-conflict', body)
      expect([refused.status, refused.body.code]).toEqual([413, 'content-too-large'])
    }
    expect(await read(alice, id)).toEqual({ content: TEXT.current, version: 2 })
    expectStatus(await alice.post('/resolve-conflict', { ...body, content: 'x'.repeat(LIMIT) }), 200)
  })

  it('[DOC-10] what a resolution becomes together with what came since counts too', async () => {
    const half = 'x'.repeat(LIMIT / 2)
    const { conflict, alice, bob, will, id } = await stage(server, {
      base: 'a\nb\nc',
      current: 'A\nb\nc',
      incoming: '1\nb\nc',
    })
    expectStatus(await bob.put(`/documents/${id}`, { content: `A\nb\n${half}`, baseVersion: 2 }), 200)
    const body = { conflictId: conflict.id, baseVersion: 2, use: 'content', content: `${half}\nb\nc` }
    for (const caller of [alice, will]) {
      const refused = await caller.post('/resolve-conflict', body)
      expect([refused.status, refused.body.code]).toEqual([413, 'content-too-large'])
    }
    expect((await alice.get(`/conflicts/${conflict.id}`)).body.status).toBe('open')
    expect((await read(alice, id)).version).toBe(3)
  })

  it('[DOC-10] [WRITE-6] a merge that only both sides together make too large is a conflict', async () => {
    const id = server.newId()
    const half = 'x'.repeat(LIMIT / 2)
    const [alice, bob] = [await server.as('alice'), await server.as('bob')]
    expectStatus(await alice.post('/documents', { id, kind: 'text', content: 'a\nb\nc', conflictPolicy: 'merge' }), 201)
    expectStatus(await bob.put(`/documents/${id}`, { content: `a\nb\n${half}`, baseVersion: 1 }), 200)
    const refused = expectStatus(await alice.put(`/documents/${id}`, { content: `${half}\nb\nc`, baseVersion: 1 }), 409)
    expect(refused.body.conflict).toMatchObject({ status: 'open', merged: { clean: true }, overlaps: [] })
    expect((await read(alice, id)).version).toBe(2)
  })
})

function rows(of: ConflictServer, sql: string, ...parameters: unknown[]): unknown[] {
  const database = new Database(of.file, { readonly: true })
  try {
    return database.prepare(sql).all(...parameters)
  } finally {
    database.close()
  }
}
