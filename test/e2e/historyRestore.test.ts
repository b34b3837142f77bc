import { describe, expect, it } from 'vitest'
import { expectStatus, read } from '../support/conflicts.ts'
import { etagOf, startDocumentServer, verdict, written } from '../support/documents.ts'
import type { Answer, Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const ann = server.caller('ann')
const bob = server.caller('bob')
const olga = server.caller('olga', { '*': ['admin'] })

const history = (first: unknown, writes: [by: Caller, content: unknown][], more = {}): Promise<string> =>
  written(server, first, writes, more)
const restore = (by: Caller, id: string, body: object, headers = {}): Promise<Answer> =>
  by.post(`/documents/${id}/restore`, body, headers)
const revert = (by: Caller, id: string, body: object, headers = {}): Promise<Answer> =>
  by.post(`/documents/${id}/revert`, body, headers)

describe('restore', () => {
  it('[HIST-3] writes an old content as a new version, which live editors see at once', async () => {
    const id = await history('one\ntwo', [
      [ann, 'one\n2'],
      [bob, 'ONE\n2'],
    ])
    const socket = `${server.url.replace('http', 'ws')}/sync`
    const editor = await new StockClient(socket, id, { token: await server.token('eva') }).synced()
    const restored = expectStatus(await ann.post(`/documents/${id}/restore`, { version: 1, baseVersion: 3 }), 200)
    expect(restored.body).toMatchObject({ id, version: 4, outcome: 'written' })
    expect(restored.headers.get('etag')).toBe(await etagOf(ann, id))
    expect(await read(bob, id)).toEqual({ content: 'one\ntwo', version: 4 })
    await expect.poll(() => editor.text.toString()).toBe('one\ntwo')
    editor.destroy()
    const [newest] = (await ann.get(`/documents/${id}/versions?limit=1`)).body.items
    expect(newest).toMatchObject({ version: 4, authors: ['ann'], origin: 'restore' })
  })

  it('[HIST-3] names its base as any write does, and changes nothing where nothing differs', async () => {
    const id = await history('one', [[ann, 'two']])
    const reader = await server.as('rob', { '*': ['read'] })
    expect(verdict(await restore(reader, id, { version: 1, baseVersion: 2 }))).toBe('403 forbidden')
    expect(verdict(await restore(ann, id, { version: 1 }))).toBe('428 precondition-required')
    expect(verdict(await restore(ann, id, { version: 1, baseVersion: 9 }))).toBe('409 unknown-base')
    expect(verdict(await restore(ann, id, { version: 9, baseVersion: 2 }))).toBe('404 not-found')
    expect(verdict(await restore(ann, id, { version: 0, baseVersion: 2 }))).toBe('404 not-found')
    expect(verdict(await restore(ann, id, { baseVersion: 2 }))).toBe('400 invalid-request')
    expect(verdict(await restore(ann, id, { version: 2, baseVersion: 2 }))).toBe('200 unchanged')
    expect(verdict(await restore(ann, id, { version: 1 }, { 'if-match': await etagOf(ann, id) }))).toBe('200 written')
    expect(verdict(await restore(ann, id, { version: 2 }, { 'if-match': '*' }))).toBe('403 forbidden')
    expect(verdict(await restore(olga, id, { version: 2 }, { 'if-match': '*' }))).toBe('200 written')
  })

  it('[HIST-3] a stale one follows the policy: it opens a conflict, or is merged', async () => {
    const writes: [Caller, unknown][] = [
      [ann, 'A\nb\nc'],
      [bob, 'A\nb\nC'],
      [ann, 'X\nb\nC'],
    ]
    const manual = await history('a\nb\nc', writes)
    const refused = await restore(bob, manual, { version: 1, baseVersion: 2 })
    expect(verdict(refused)).toBe('409 version-conflict')
    expect(refused.body.conflict).toMatchObject({
      base: { version: 2 },
      current: { version: 4 },
      incoming: { content: 'a\nb\nc', authors: ['bob'] },
    })
    const merging = await history('a\nb\nc', writes, { conflictPolicy: 'merge' })
    const merged = await restore(bob, merging, { version: 2, baseVersion: 3 })
    expect([verdict(merged), merged.body.content]).toEqual(['200 merged', 'X\nb\nc'])
  })

  it('[HIST-3] an old content that breaks the schema of today is refused', async () => {
    const id = await history({ n: 'x' }, [[ann, { n: 1 }]])
    const schema = { properties: { n: { type: 'number' } } }
    expectStatus(await ann.patch(`/documents/${id}`, { schema, baseVersion: 2 }), 200)
    expect(verdict(await restore(ann, id, { version: 1, baseVersion: 3 }))).toBe('422 schema-violation')
  })
})

describe('a lock', () => {
  it('[LOCK-2] is asked for its token by restore and revert', async () => {
    const id = await history('one', [[ann, 'two']])
    const { token } = expectStatus(await bob.post(`/documents/${id}/lock`, { ttlSeconds: 60 }), 201).body
    const asked = { baseVersion: 2, version: 1 }
    expect(verdict(await restore(ann, id, asked))).toBe('423 locked')
    expect(verdict(await revert(ann, id, { author: 'ann', since: 1, baseVersion: 2 }))).toBe('423 locked')
    expect(verdict(await restore(ann, id, asked, { 'lock-token': token }))).toBe('200 written')
    const again = await revert(ann, id, { author: 'ann', since: 2, baseVersion: 3 }, { 'lock-token': token })
    expect([verdict(again), (await read(ann, id)).content]).toEqual(['200 written', 'two'])
  })
})

describe('undelete', () => {
  it('[DOC-6] admin brings a deleted document back in a new incarnation, with its settings', async () => {
    const schema = { properties: { n: { type: 'number' } } }
    const id = await history({ n: 1 }, [[ann, { n: 2 }]], { conflictPolicy: 'merge', schema })
    const before = await etagOf(ann, id)
    expectStatus(await ann.delete(`/documents/${id}?baseVersion=2`), 204)
    expect(verdict(await restore(bob, id, { version: 1, baseVersion: 3 }))).toBe('410 document-deleted')
    expect(verdict(await restore(olga, id, { version: 1 }))).toBe('428 precondition-required')
    const stale = await restore(olga, id, { version: 1, baseVersion: 2 })
    expect([verdict(stale), stale.body.current]).toEqual(['409 version-conflict', { version: 3 }])
    const revived = await restore(olga, id, { version: 1, baseVersion: 3 })
    expect([verdict(revived), revived.headers.get('location')]).toEqual(['201 created', `/documents/${id}`])
    const { body, headers } = expectStatus(await ann.get(`/documents/${id}`), 200)
    expect(body).toMatchObject({ version: 4, content: { n: 1 }, conflictPolicy: 'merge', schema, createdBy: 'olga' })
    expect(headers.get('etag')?.split('-')[0]).not.toBe(before.split('-')[0])
    expect((await ann.get(`/documents/${id}/versions`)).body.items).toMatchObject([{ version: 4, origin: 'restore' }])
    expect(verdict(await ann.put(`/documents/${id}`, { content: { n: 3 }, baseVersion: 2 }))).toBe('409 unknown-base')
    expect((await server.eventsOf(id)).map(([type]) => type)).toEqual([
      'document.created',
      'document.deleted',
      'document.created',
    ])
  })

  it('[DOC-6] [DOC-2] [API-2] whoever deleted it brings it back with write, from the life that they ended; nobody else does', async () => {
    const id = await history('first life', [[ann, 'first life!']])
    expectStatus(await olga.delete(`/documents/${id}?baseVersion=2`), 204)
    expectStatus(await olga.post('/documents', { id, kind: 'text', content: 'one' }), 201)
    expectStatus(await ann.put(`/documents/${id}`, { content: 'two', baseVersion: 4 }), 200)
    expectStatus(await ann.delete(`/documents/${id}?baseVersion=5`), 204)
    const gone = await bob.get(`/documents/${id}`)
    expect(verdict(gone)).toBe('410 document-deleted')
    expect(gone.body).toMatchObject({ lastVersion: 6, deletedBy: 'ann', purged: false })
    expect(Date.parse(gone.body.deletedAt)).toBeGreaterThan(0)
    expect(gone.headers.get('cache-control')).toBe('no-store')
    expect(verdict(await restore(bob, id, { version: 5, baseVersion: 6 }))).toBe('410 document-deleted')
    const reading = await server.as('ann', { '*': ['read'] })
    expect(verdict(await restore(reading, id, { version: 5, baseVersion: 6 }))).toBe('403 forbidden')
    expect(verdict(await restore(ann, id, { version: 2, baseVersion: 6 }))).toBe('404 not-found')
    expect(verdict(await restore(ann, id, { version: 5, baseVersion: 5 }))).toBe('409 version-conflict')
    const headers = { 'idempotency-key': `back ${id}` }
    expect(verdict(await restore(ann, id, { version: 6, baseVersion: 6 }, headers))).toBe('201 created')
    expect(await read(bob, id)).toEqual({ content: 'two', version: 7 })
    const again = await restore(ann, id, { version: 6, baseVersion: 6 }, headers)
    expect([verdict(again), again.headers.get('idempotency-replayed')]).toEqual(['201 created', 'true'])
  })

  it('[DOC-6] [HIST-5] what was purged comes back to nobody, and says so', async () => {
    const id = await history('one', [])
    expectStatus(await olga.delete(`/documents/${id}?purge=true&baseVersion=1`), 204)
    const gone = await olga.get(`/documents/${id}`)
    expect(gone.body).toMatchObject({ lastVersion: 2, deletedBy: 'olga', purged: true })
    expect(verdict(await restore(olga, id, { version: 1, baseVersion: 2 }))).toBe('410 document-deleted')
  })

  it('[DOC-6] of two at a time one stands', async () => {
    const id = await history('one', [])
    expectStatus(await ann.delete(`/documents/${id}?baseVersion=1`), 204)
    const answers = await Promise.all([1, 1, 1].map((version) => restore(olga, id, { version, baseVersion: 2 })))
    const statuses = answers.map((answer) => answer.status).sort()
    expect(statuses).toEqual([201, 409, 409])
    expect(await read(ann, id)).toEqual({ content: 'one', version: 3 })
  })
})

describe('revert', () => {
  it("[HIST-7] takes back one author's changes and keeps those of others between and around them", async () => {
    const id = await history('a\nb\nc\nd', [
      [ann, 'A\nb\nc\nd'],
      [bob, 'A\nb\nc\nD'],
      [ann, 'A\nb\nC\nD\nann'],
      [bob, 'bob\nA\nb\nC\nD\nann'],
    ])
    const answer = await revert(olga, id, { author: 'ann', since: 1, baseVersion: 5 })
    expect(verdict(answer)).toBe('200 written')
    expect(await read(ann, id)).toEqual({ content: 'bob\na\nb\nc\nD', version: 6 })
    const [newest] = (await ann.get(`/documents/${id}/versions?limit=1`)).body.items
    expect(newest).toMatchObject({ authors: ['olga'], origin: 'revert' })
  })

  it('[HIST-7] only what came after the version named, and only that author', async () => {
    const id = await history({ x: 1, y: 1 }, [
      [ann, { x: 2, y: 1 }],
      [bob, { x: 2, y: 2 }],
      [ann, { x: 2, y: 2, z: [1] }],
    ])
    const reverted = await revert(bob, id, { author: 'ann', since: 2, baseVersion: 4 })
    expect(verdict(reverted)).toBe('200 written')
    expect((await read(bob, id)).content).toEqual({ x: 2, y: 2 })
    expect(verdict(await revert(bob, id, { author: 'nobody', since: 0, baseVersion: 5 }))).toBe('200 unchanged')
    expect(verdict(await revert(bob, id, { author: 'ann', since: 5, baseVersion: 5 }))).toBe('200 unchanged')
    expect((await read(bob, id)).version).toBe(5)
  })

  it('[HIST-7] where others built on them it is refused with a conflict over those places', async () => {
    const id = await history('a\nb\nc', [
      [ann, 'a ann\nb\nc'],
      [bob, 'a ann and bob\nb\nc'],
    ])
    const refused = await revert(olga, id, { author: 'ann', since: 1, baseVersion: 3 })
    expect(verdict(refused)).toBe('409 version-conflict')
    expect(refused.body.conflict).toMatchObject({ base: { version: 2 }, current: { version: 3 }, status: 'open' })
    expect(refused.body.conflict.overlaps).toMatchObject([
      { base: 'a ann', current: 'a ann and bob', incoming: 'a', authors: ['bob'] },
    ])
    expect(await read(ann, id)).toEqual({ content: 'a ann and bob\nb\nc', version: 3 })
    const conflictId = refused.body.conflict.id
    const resolved = await olga.post('/resolve-conflict', { conflictId, baseVersion: 3, use: 'incoming' })
    expectStatus(resolved, 200)
    expect((await read(ann, id)).content).toBe('a\nb\nc')
  })

  it('[HIST-7] is based on a version as any write: a stale one follows the policy', async () => {
    const writes: [Caller, unknown][] = [
      [ann, 'a\nB\nc'],
      [bob, 'a\nB\nC'],
    ]
    const manual = await history('a\nb\nc', writes)
    expect(verdict(await revert(olga, manual, { author: 'ann', since: 1 }))).toBe('428 precondition-required')
    expect(verdict(await revert(olga, manual, { author: 'ann', since: 1, baseVersion: 0 }))).toBe('400 invalid-request')
    expect(verdict(await revert(olga, manual, { author: 'ann', since: 9, baseVersion: 3 }))).toBe('404 not-found')
    expect(verdict(await revert(olga, manual, { author: 'ann', since: 1, baseVersion: 2 }))).toBe(
      '409 version-conflict',
    )
    const merging = await history('a\nb\nc', writes, { conflictPolicy: 'merge' })
    const merged = await revert(olga, merging, { author: 'ann', since: 1, baseVersion: 2 })
    expect([verdict(merged), merged.body.content]).toEqual(['200 merged', 'a\nb\nC'])
    const any = await history('a\nb\nc', writes)
    expect(verdict(await revert(olga, any, { author: 'ann', since: 1 }, { 'if-match': '*' }))).toBe('200 written')
    expect((await read(ann, any)).content).toBe('a\nb\nC')
  })

  it('[HIST-7] from the beginning of a life, not of the one before', async () => {
    const id = await history('first life', [])
    expectStatus(await ann.delete(`/documents/${id}?baseVersion=1`), 204)
    expectStatus(await ann.put(`/documents/${id}`, { content: 'one\n', baseVersion: 0 }), 201)
    expectStatus(await bob.put(`/documents/${id}`, { content: 'one\ntwo', baseVersion: 3 }), 200)
    expect(verdict(await revert(olga, id, { author: 'ann', since: 1, baseVersion: 4 }))).toBe('404 not-found')
    expect(verdict(await revert(olga, id, { author: 'bob', since: 0, baseVersion: 4 }))).toBe('200 written')
    expect((await read(ann, id)).content).toBe('one\n')
    expect(verdict(await revert(olga, id, { author: 'ann', since: 0, baseVersion: 5 }))).toBe('200 written')
    expect((await read(ann, id)).content).toBe('')
  })
})
