import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { etagOf, verdict } from '../support/documents.ts'
import { idempotencyServer, isReplayed, newKey, withKey } from '../support/idempotency.ts'
import type { Answer, Caller } from '../support/server.ts'
import { waitUntil } from '../support/waitFor.ts'

const { server, alice, bob, root, inConflict } = idempotencyServer()

describe('[WRITE-8] the same key', () => {
  it('[WRITE-8] with anything else in the request is 422, and what it stands for stays', async () => {
    const id = await server.create('x')
    const etag = await etagOf(alice, id)
    const key = newKey()
    const path = `/documents/${id}/content?baseVersion=1`
    const headers = withKey(key, { 'content-type': 'text/plain' })
    expectStatus(await alice.put(path, 'y', headers), 200)
    const others: readonly (() => Promise<Answer>)[] = [
      () => alice.put(path, 'z', headers),
      () => alice.put(`${path}&onConflict=merge`, 'y', headers),
      () => alice.put(`/documents/${id}/content`, 'y', { ...headers, 'if-match': etag }),
      () => alice.put(path, 'y', { ...headers, prefer: 'return=minimal' }),
      () => alice.put(path, 'y', { ...headers, 'lock-token': 'x' }),
      () => alice.delete(`/documents/${id}?baseVersion=1`, withKey(key)),
      () => alice.post('/documents', { id: server.newId(), kind: 'text' }, withKey(key)),
    ]
    for (const other of others) expect(verdict(await other())).toBe('422 idempotency-key-reused')
    expect(isReplayed(await alice.put(path, 'y', headers))).toBe(true)
  })

  it('[WRITE-8] of another principal is another key', async () => {
    const id = await server.create('x')
    const key = newKey()
    const body = { content: 'y', baseVersion: 1 }
    expectStatus(await alice.put(`/documents/${id}`, body, withKey(key)), 200)
    const other = await bob.put(`/documents/${id}`, body, withKey(key))
    expect([verdict(other), isReplayed(other)]).toEqual(['200 unchanged', false])
  })

  it('[WRITE-8] while the first is running is 409, and that is not stored', async () => {
    const id = await server.create('x')
    const key = newKey()
    const send = () => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, withKey(key))
    const release = server.storage.hold()
    const acts = server.storage.acts.length
    const first = send()
    await waitUntil(() => server.storage.acts.length > acts)
    const second = await send()
    expect([verdict(second), second.headers.get('retry-after'), second.body.retryable]).toEqual([
      '409 request-in-progress',
      '1',
      true,
    ])
    const other = await alice.put(`/documents/${id}`, { content: 'z', baseVersion: 1 }, withKey(key))
    expect(verdict(other)).toBe('422 idempotency-key-reused')
    release()
    expect(verdict(await first)).toBe('200 written')
    const third = await send()
    expect([verdict(third), isReplayed(third), third.body.version]).toEqual(['200 written', true, 2])
  })

  it('[WRITE-8] sent many times at once makes one version', async () => {
    const id = await server.create('x')
    const key = newKey()
    const send = () => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, withKey(key))
    const answers = await Promise.all(Array.from({ length: 20 }, send))
    const fresh = answers.filter((answer) => answer.status === 200 && !isReplayed(answer))
    expect(fresh.length).toBe(1)
    for (const answer of answers) expect(['200 written', '409 request-in-progress']).toContain(verdict(answer))
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(2)
  })
})

describe('[WRITE-8] a key is not used up', () => {
  it('[WRITE-8] by other answers than 2xx and 409', async () => {
    const id = await server.create({ a: 1 }, { schema: { required: ['a'] } })
    const key = newKey()
    const put = (body: object) => alice.put(`/documents/${id}`, body, withKey(key))
    expect(verdict(await put({ content: { a: 2 } }))).toBe('428 precondition-required')
    expect(verdict(await put({ content: {}, baseVersion: 1 }))).toBe('422 schema-violation')
    expect(verdict(await put({ content: { a: 2 }, baseVersion: 1, x: 1 }))).toBe('400 invalid-request')
    expect(verdict(await alice.put('/documents/none', { content: 'x', baseVersion: 1 }, withKey(key)))).toBe(
      '404 not-found',
    )
    server.storage.failNext(1)
    expect(verdict(await put({ content: { a: 2 }, baseVersion: 1 }))).toBe('503 storage-unavailable')
    const done = await put({ content: { a: 2 }, baseVersion: 1 })
    expect([verdict(done), isReplayed(done)]).toEqual(['200 written', false])
  })
})

describe('[API-4] a replay comes', () => {
  it('[API-4] after 400 to 404 for what one may not, and before 404 and 410 for what is not there', async () => {
    const id = await server.create('x')
    const key = newKey()
    const send = (by: Caller) => by.delete(`/documents/${id}?baseVersion=1`, withKey(key))
    expectStatus(await send(alice), 204)
    const late = await send(alice)
    expect([late.status, isReplayed(late)]).toEqual([204, true])
    expect(verdict(await send(await server.as('alice', { '*': ['read'] })))).toBe('403 forbidden')
    expect(verdict(await send(await server.as('alice', { other: ['read', 'write'] })))).toBe('404 not-found')
    const created = server.newId()
    const create = (by: Caller) =>
      by.post('/documents', { id: created, kind: 'text', content: 'secret' }, withKey(key + 2))
    expectStatus(await create(alice), 201)
    expect(verdict(await create(await server.as('alice', { '*': ['read'] })))).toBe('403 forbidden')
    expect(verdict(await create(await server.as('alice', { '*': ['write'] })))).toBe('404 not-found')
    const { conflictId } = await inConflict()
    const dismiss = (by: Caller) => by.post('/resolve-conflict', { conflictId, dismiss: true }, withKey(key + 3))
    expectStatus(await dismiss(bob), 200)
    expect(verdict(await dismiss(await server.as('bob', { other: ['read'] })))).toBe('404 not-found')
    expect(verdict(await dismiss(await server.as('bob', { '*': ['read'] })))).toBe('403 forbidden')
  })
})

describe('[WRITE-8] the header', () => {
  it('[WRITE-8] holds 1 to 255 characters, else 400', async () => {
    const id = await server.create('x')
    const put = (key: string) => alice.put(`/documents/${id}`, { content: 'y', baseVersion: 1 }, withKey(key))
    for (const key of ['', '""', 'x'.repeat(256), `"${'x'.repeat(256)}"`]) {
      expect([key.length, verdict(await put(key))]).toEqual([key.length, '400 invalid-request'])
    }
    expect((await alice.get(`/documents/${id}`)).body.version).toBe(1)
    expect(verdict(await put('"a \\" b"'))).toBe('200 written')
    expect(isReplayed(await put('"a \\" b"'))).toBe(true)
    expectStatus(await put(`"${'x'.repeat(255)}"`), 200)
  })

  it('[WRITE-8] is refused where tokens are made', async () => {
    const body = { sub: 'x', access: { a: ['read'] }, ttlSeconds: 60 }
    expect(verdict(await root.post('/tokens', body, withKey(newKey())))).toBe('400 invalid-request')
  })

  it('[WRITE-8] changes nothing about a read', async () => {
    const id = await server.create('x')
    const acts = server.storage.acts.length
    expectStatus(await alice.get(`/documents/${id}`, withKey(newKey())), 200)
    expect(server.storage.acts.length).toBe(acts)
  })
})
