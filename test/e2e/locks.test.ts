import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { acquire, lockOf, showing } from '../support/locks.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')

describe('taking and giving back', () => {
  it('[LOCK-1] a lock is answered with its token, and shown to others without it', async () => {
    const id = await server.create('text')
    const before = Date.now()
    const answer = expectStatus(await alice.post(lockOf(id), { ttlSeconds: 60 }), 201)
    expect(answer.body).toEqual({
      token: expect.stringMatching(/^lck_1_[a-z2-7]{26}$/),
      fence: 1,
      owner: 'alice',
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    const livesMs = Date.parse(answer.body.expiresAt) - before
    expect(Math.abs(livesMs - 60_000)).toBeLessThan(1_000)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const { owner, expiresAt, fence } = answer.body
    const shown = expectStatus(await bob.get(lockOf(id)), 200).body
    expect(shown).toEqual({ lock: { owner, expiresAt, fence } })
    expect(JSON.stringify(shown)).not.toContain(answer.body.token)
  })

  it('[DOC-7] a list shows each lock, the document itself does not, so its ETag is honest', async () => {
    const [locked, free] = [await server.create('text'), await server.create('text')]
    const before = await bob.get(`/documents/${locked}`)
    const { owner, expiresAt, fence } = expectStatus(await alice.post(lockOf(locked), { ttlSeconds: 60 }), 201).body
    for (const [id, lock] of [
      [locked, { owner, expiresAt, fence }],
      [free, null],
    ] as const) {
      const { items } = expectStatus(await bob.get(`/documents?pattern=${id}`), 200).body
      expect(items).toMatchObject([{ id, lock }])
    }
    const after = await bob.get(`/documents/${locked}`)
    expect(after.body).toEqual(before.body)
    expect(after.headers.get('etag')).toBe(before.headers.get('etag'))
  })

  it('[LOCK-1] a held lock is refused to others, and to its owner: it is not re-entrant', async () => {
    const id = await server.create('text')
    const { expiresAt } = await acquire(alice, id, 60)
    for (const other of [bob, alice]) {
      const refused = await other.post(lockOf(id), { ttlSeconds: 1 })
      expect(verdict(refused)).toBe('423 locked')
      expect(refused.body).toMatchObject({ owner: 'alice', expiresAt, queuePosition: 1, retryable: true })
      const retryAfter = Number(refused.headers.get('retry-after'))
      expect(retryAfter).toBeGreaterThan(55)
      expect(retryAfter).toBeLessThanOrEqual(60)
    }
  })

  it('[LOCK-3] DELETE with the token releases it, once; the next lock has the next fence', async () => {
    const id = await server.create('text')
    const lock = await acquire(alice, id)
    expect(verdict(await bob.delete(lockOf(id)))).toBe('423 locked')
    expect(verdict(await bob.delete(lockOf(id), { 'lock-token': 'lck_1_guessed' }))).toBe('423 lock-lost')
    expectStatus(await alice.delete(lockOf(id), showing(lock)), 204)
    expect((await bob.get(lockOf(id))).body).toEqual({ lock: null })
    expect(verdict(await alice.delete(lockOf(id), showing(lock)))).toBe('423 lock-lost')
    expect(verdict(await alice.delete(lockOf(id)))).toBe('400 invalid-request')
    expect((await acquire(bob, id)).fence).toBe(2)
  })

  it('[LOCK-3] PUT with the token renews it under its fence, by a new or its old time to live', async () => {
    const id = await server.create('text')
    const lock = await acquire(alice, id, 30)
    const longer = expectStatus(await alice.put(lockOf(id), { ttlSeconds: 3600 }, showing(lock)), 200).body
    expect(longer).toEqual({ ...lock, expiresAt: expect.any(String) })
    expect(Date.parse(longer.expiresAt) - Date.parse(lock.expiresAt)).toBeGreaterThan(3_500_000)
    const again = expectStatus(await alice.call('PUT', lockOf(id), undefined, showing(lock)), 200).body
    expect(Math.abs(Date.parse(again.expiresAt) - Date.parse(longer.expiresAt))).toBeLessThan(5_000)
    expect(verdict(await bob.put(lockOf(id), {}))).toBe('423 locked')
    expect(verdict(await bob.put(lockOf(id), {}, { 'lock-token': 'lck_1_guessed' }))).toBe('423 lock-lost')
    expectStatus(await alice.delete(lockOf(id), showing(lock)), 204)
    expect(verdict(await alice.put(lockOf(id), {}, showing(lock)))).toBe('423 lock-lost')
  })

  it('[LOCK-3] only `admin` breaks a lock; the token it had is lost', async () => {
    const id = await server.create('text')
    const admin = await server.as('root', { '*': ['admin'] })
    const lock = await acquire(alice, id)
    expect(verdict(await bob.delete(`${lockOf(id)}?break=true`))).toBe('403 forbidden')
    expect(verdict(await alice.delete(`${lockOf(id)}?break=true`, showing(lock)))).toBe('403 forbidden')
    expect(verdict(await admin.delete(`${lockOf(id)}?break=yes`))).toBe('400 invalid-request')
    expectStatus(await admin.delete(`${lockOf(id)}?break=true`), 204)
    expect((await bob.get(lockOf(id))).body).toEqual({ lock: null })
    const late = await alice.put(`/documents/${id}`, { content: 'late', baseVersion: 1 }, showing(lock))
    expect(verdict(late)).toBe('423 lock-lost')
    expectStatus(await admin.delete(`${lockOf(id)}?break=true`), 204)
    expect((await server.eventsOf(id)).filter(([type]) => type === 'document.unlocked')).toHaveLength(1)
  })

  it('[NOTE-1] each lock and each end of one is told, with fence and actors', async () => {
    const id = await server.create('text')
    const admin = await server.as('root', { '*': ['admin'] })
    const first = await acquire(alice, id)
    expectStatus(await alice.delete(lockOf(id), showing(first)), 204)
    await acquire(bob, id)
    expectStatus(await admin.delete(`${lockOf(id)}?break=true`), 204)
    const third = await acquire(alice, id)
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`, showing(third)), 204)
    const href = `/documents/${id}`
    expect((await server.eventsOf(id)).slice(1, -1)).toEqual([
      ['document.locked', { document: id, fence: 1, by: 'alice', href }],
      ['document.unlocked', { document: id, fence: 1, reason: 'released', owner: 'alice', by: 'alice', href }],
      ['document.locked', { document: id, fence: 2, by: 'bob', href }],
      ['document.unlocked', { document: id, fence: 2, reason: 'broken', owner: 'bob', by: 'root', href }],
      ['document.locked', { document: id, fence: 3, by: 'alice', href }],
      ['document.unlocked', { document: id, fence: 3, reason: 'deleted', owner: 'alice', by: 'alice', href }],
    ])
  })
})

describe('[API-4] what comes first', () => {
  it('what is asked for must be well formed', async () => {
    const id = await server.create('text')
    for (const body of [
      {},
      { ttlSeconds: 0 },
      { ttlSeconds: 3601 },
      { ttlSeconds: 1.5 },
      { ttlSeconds: '1' },
      { ttlSeconds: 1, waitSeconds: 61 },
      { ttlSeconds: 1, waitSeconds: -1 },
      { ttlSeconds: 1, unknown: 1 },
    ]) {
      expect(verdict(await alice.post(lockOf(id), body))).toBe('400 invalid-request')
    }
    expect((await bob.get(lockOf(id))).body).toEqual({ lock: null })
  })

  it('[AUTH-1] locks need `write`, and reading one needs `read`', async () => {
    const id = await server.create('text')
    const reader = await server.as('rea', { '*': ['read'] })
    const stranger = await server.as('str', { other: ['read', 'write'] })
    expect(verdict(await reader.post(lockOf(id), { ttlSeconds: 1 }))).toBe('403 forbidden')
    expect(verdict(await reader.put(lockOf(id), {}))).toBe('403 forbidden')
    expect(verdict(await reader.delete(lockOf(id)))).toBe('403 forbidden')
    expectStatus(await reader.get(lockOf(id)), 200)
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      const body = method === 'POST' ? { ttlSeconds: 1 } : undefined
      expect(verdict(await stranger.call(method, lockOf(id), body))).toBe('404 not-found')
    }
  })

  it('a document that is not there has no lock: 404, or 410 once it was deleted', async () => {
    const gone = await server.create('text')
    const lock = await acquire(alice, gone)
    expectStatus(await alice.delete(`/documents/${gone}?baseVersion=1`, showing(lock)), 204)
    for (const [id, expected] of [
      ['never-was', '404 not-found'],
      [gone, '410 document-deleted'],
    ] as const) {
      expect(verdict(await bob.get(lockOf(id)))).toBe(expected)
      expect(verdict(await bob.post(lockOf(id), { ttlSeconds: 1 }))).toBe(expected)
      expect(verdict(await bob.put(lockOf(id), {}, showing(lock)))).toBe(expected)
      expect(verdict(await bob.delete(lockOf(id), showing(lock)))).toBe(expected)
      const write = await bob.put(`/documents/${id}`, { content: 'x', baseVersion: 1 }, showing(lock))
      expect(verdict(write)).toBe(expected)
    }
  })

  it('[LOCK-2] an id created again is free, its fence goes on, and a token of the old one is lost', async () => {
    const id = await server.create('text')
    const lock = await acquire(alice, id)
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`, showing(lock)), 204)
    const revive = { content: 'new', baseVersion: 0 }
    expect(verdict(await alice.put(`/documents/${id}`, revive, showing(lock)))).toBe('423 lock-lost')
    expectStatus(await alice.put(`/documents/${id}`, revive), 201)
    expect((await bob.get(lockOf(id))).body).toEqual({ lock: null })
    expect((await acquire(bob, id)).fence).toBe(2)
  })

  it('423 comes before 428, 409 and 422, and after 400 and 413', async () => {
    const id = await server.create('text')
    await bob.put(`/documents/${id}`, { content: 'text 2', baseVersion: 1 })
    await acquire(alice, id)
    const path = `/documents/${id}`
    const put = async (body: unknown, headers?: Record<string, string>): Promise<string> =>
      verdict(await bob.put(path, body, headers))
    expect(await put({ content: 'x' })).toBe('423 locked')
    expect(await put({ content: 'x', baseVersion: 1 })).toBe('423 locked')
    expect(await put({ content: 'x', baseVersion: 99 })).toBe('423 locked')
    expect(await put({ content: 'x' }, { 'if-none-match': '*' })).toBe('423 locked')
    expect(await put({ content: { no: 'text' }, baseVersion: 2 })).toBe('423 locked')
    expect(await put({ content: 'x', baseVersion: 2, unknown: 1 })).toBe('400 invalid-request')
    expect(await put({ content: 'x', baseVersion: 2 }, { 'if-match': 'bare' })).toBe('400 invalid-request')
    expect(await put({ content: 'x'.repeat(11 * 1024 * 1024), baseVersion: 2 })).toBe('413 content-too-large')
    expect((await server.eventsOf(id)).filter(([type]) => type.startsWith('conflict'))).toEqual([])
  })
})
