import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { expectStatus, read, stage } from '../support/conflicts.ts'
import type { Answer, Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')

/** Until something holds that nothing announces. */
const waitFor = (assertion: () => Promise<void>): Promise<void> =>
  vi.waitFor(assertion, { timeout: 30_000, interval: 20 })

const lockOf = (id: string): string => `/documents/${id}/lock`

interface Lock {
  readonly token: string
  readonly fence: number
  readonly expiresAt: string
}

async function acquire(by: Caller, id: string, ttlSeconds = 60): Promise<Lock> {
  return expectStatus(await by.post(lockOf(id), { ttlSeconds }), 201).body
}
const showing = ({ token }: { token: string }): Record<string, string> => ({ 'lock-token': token })

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

describe('[LOCK-2] writing a locked document', () => {
  /** Every way to write a document, each good on the current version. */
  const WRITES: Record<string, (by: Caller, id: string, headers: Record<string, string>) => Promise<Answer>> = {
    'PUT document': (by, id, headers) => by.put(`/documents/${id}`, { content: 'b', baseVersion: 1 }, headers),
    'PUT content': (by, id, headers) =>
      by.call('PUT', `/documents/${id}/content?baseVersion=1`, 'b', { 'content-type': 'text/plain', ...headers }),
    'PATCH content': (by, id, headers) =>
      by.call('PATCH', `/documents/${id}/content?baseVersion=1`, '[{"insert":"b"}]', {
        'content-type': 'application/vnd.parley.delta+json',
        ...headers,
      }),
    'PATCH settings': (by, id, headers) =>
      by.patch(`/documents/${id}`, { conflictPolicy: 'merge', baseVersion: 1 }, headers),
    'DELETE document': (by, id, headers) => by.delete(`/documents/${id}?baseVersion=1`, headers),
  }
  for (const [name, write] of Object.entries(WRITES)) {
    it(`${name} needs the token of the lock`, async () => {
      const id = await server.create('a')
      const old = await acquire(alice, id)
      await alice.delete(lockOf(id), showing(old))
      const lock = await acquire(alice, id)
      for (const by of [alice, bob]) {
        const refused = await write(by, id, {})
        expect(verdict(refused)).toBe('423 locked')
        expect(refused.body).toMatchObject({ owner: 'alice', expiresAt: lock.expiresAt, queuePosition: 1 })
      }
      const passed = await write(alice, id, showing(old))
      expect(verdict(passed)).toBe('423 lock-lost')
      expect(passed.body).toMatchObject({ owner: 'alice', expiresAt: lock.expiresAt })
      expect(await read(bob, id)).toEqual({ content: 'a', version: 1 })
      const stands = await write(alice, id, showing(lock))
      expect([200, 204]).toContain(stands.status)
    })

    it(`${name} with a token is refused when nobody holds the lock`, async () => {
      const id = await server.create('a')
      expect(verdict(await write(alice, id, { 'lock-token': 'lck_1_never' }))).toBe('423 lock-lost')
      const lock = await acquire(alice, id)
      await alice.delete(lockOf(id), showing(lock))
      const lost = await write(alice, id, showing(lock))
      expect(verdict(lost)).toBe('423 lock-lost')
      expect(lost.body).not.toHaveProperty('owner')
      expect(await read(bob, id)).toEqual({ content: 'a', version: 1 })
    })
  }

  it('a lock does not replace the base version', async () => {
    const id = await server.create('a')
    await bob.put(`/documents/${id}`, { content: 'b', baseVersion: 1 })
    const lock = await acquire(alice, id)
    const path = `/documents/${id}`
    expect(verdict(await alice.put(path, { content: 'c' }, showing(lock)))).toBe('428 precondition-required')
    expect(verdict(await alice.put(path, { content: 'c', baseVersion: 1 }, showing(lock)))).toBe('409 version-conflict')
    expectStatus(await alice.put(path, { content: 'c', baseVersion: 2 }, showing(lock)), 200)
  })

  it('a resolution needs the token; proposing, rejecting and dismissing do not', async () => {
    const { id, alice: author, rita, will, conflict } = await stage(server, { base: 'a', current: 'b', incoming: 'c' })
    const lock = await acquire(author, id)
    const resolve = { conflictId: conflict.id, baseVersion: 2, use: 'incoming' }
    const post = (by: Caller, body: unknown, headers?: Record<string, string>): Promise<Answer> =>
      by.post('/resolve-conflict', body, headers)
    expect(verdict(await post(rita, resolve))).toBe('423 locked')
    expect(verdict(await post(rita, resolve, { 'lock-token': 'lck_1_guessed' }))).toBe('423 lock-lost')
    const { proposal } = expectStatus(await post(will, resolve), 202).body
    expect(verdict(await post(rita, { conflictId: conflict.id, accept: proposal.id }))).toBe('423 locked')
    expectStatus(await post(rita, { conflictId: conflict.id, reject: proposal.id }), 200)
    expect(await read(rita, id)).toEqual({ content: 'b', version: 2 })
    expectStatus(await post(rita, resolve, showing(lock)), 200)
    expect(await read(rita, id)).toEqual({ content: 'c', version: 3 })
    // 423 comes before 409.
    expect(verdict(await post(rita, resolve))).toBe('423 locked')
    expect(verdict(await post(rita, resolve, showing(lock)))).toBe('409 conflict-closed')
  })

  it('reading needs no token', async () => {
    const id = await server.create('a')
    await acquire(alice, id)
    expect(await read(bob, id)).toEqual({ content: 'a', version: 1 })
  })
})

describe('waiting', () => {
  it('[LOCK-1] those who wait get the lock one after the other, in the order in which they came', async () => {
    const id = await server.create('a')
    const first = await acquire(alice, id)
    const order: string[] = []
    const waiting: Promise<unknown>[] = []
    for (const name of ['w1', 'w2', 'w3', 'w4', 'w5']) {
      const waiter = await server.as(name)
      const done = waiter.post(lockOf(id), { ttlSeconds: 60, waitSeconds: 30 }).then(async (answer) => {
        const lock = expectStatus(answer, 201).body
        order.push(`${lock.owner} ${lock.fence}`)
        await waiter.delete(lockOf(id), showing(lock))
      })
      waiting.push(done)
      await waitFor(async () => {
        const { body } = await bob.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
        expect(body.queuePosition).toBe(waiting.length + 1)
      })
    }
    await alice.delete(lockOf(id), showing(first))
    await Promise.all(waiting)
    expect(order).toEqual(['w1 2', 'w2 3', 'w3 4', 'w4 5', 'w5 6'])
  })

  it('[LOCK-1] who waits too long hears who holds it, their place, and when to come again', async () => {
    const id = await server.create('a')
    await acquire(alice, id)
    const patient = bob.post(lockOf(id), { ttlSeconds: 1, waitSeconds: 2 })
    await waitFor(async () => {
      const { body } = await bob.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
      expect(body.queuePosition).toBe(2)
    })
    const startedMs = Date.now()
    const refused = await bob.post(lockOf(id), { ttlSeconds: 1, waitSeconds: 1 })
    const waitedMs = Date.now() - startedMs
    expect(verdict(refused)).toBe('423 locked')
    expect(refused.body).toMatchObject({ owner: 'alice', queuePosition: 2 })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
    expect(waitedMs).toBeGreaterThan(950)
    expect(waitedMs).toBeLessThan(3_000)
    expect((await patient).body).toMatchObject({ code: 'locked', queuePosition: 1 })
  })

  it('[LOCK-3] a lock that expires passes to who waits within a second, and its end is told', async () => {
    const id = await server.create('a')
    const lock = await acquire(alice, id, 1)
    const won = expectStatus(await bob.post(lockOf(id), { ttlSeconds: 60, waitSeconds: 10 }), 201).body
    const lateMs = Date.now() - Date.parse(lock.expiresAt)
    expect(lateMs).toBeGreaterThanOrEqual(0)
    expect(lateMs).toBeLessThan(1_000)
    expect(won.fence).toBe(2)
    const paused = await alice.put(`/documents/${id}`, { content: 'late', baseVersion: 1 }, showing(lock))
    expect(verdict(paused)).toBe('423 lock-lost')
    expect(paused.body).toMatchObject({ owner: 'bob' })
    const events = (await server.eventsOf(id)).slice(1).map(([type, data]) => [type, data['fence'], data['reason']])
    expect(events).toEqual([
      ['document.locked', 1, undefined],
      ['document.unlocked', 1, 'expired'],
      ['document.locked', 2, undefined],
    ])
  })

  it('[LOCK-3] the end of an expired lock is told even if nobody wants it', async () => {
    const id = await server.create('a')
    const lock = await acquire(alice, id, 1)
    await waitFor(async () => {
      const events = await server.eventsOf(id)
      expect(events.at(-1)).toMatchObject(['document.unlocked', { reason: 'expired', owner: 'alice', by: null }])
    })
    expect(Date.now() - Date.parse(lock.expiresAt)).toBeLessThan(1_500)
    expect((await bob.get(lockOf(id))).body).toEqual({ lock: null })
    expectStatus(await bob.put(`/documents/${id}`, { content: 'b', baseVersion: 1 }), 200)
  })

  it('[LOCK-3] a waiter whose connection ended does not get the lock, the next one does', async () => {
    const id = await server.create('a')
    const lock = await acquire(alice, id)
    const hangUp = new AbortController()
    onTestFinished(() => hangUp.abort())
    const goner = fetch(server.url + lockOf(id), {
      method: 'POST',
      signal: hangUp.signal,
      headers: { authorization: `Bearer ${bob.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ttlSeconds: 3600, waitSeconds: 60 }),
    }).catch(() => 'gone')
    const lineIs = (places: number): Promise<void> =>
      waitFor(async () => {
        const { body } = await bob.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
        expect(body.queuePosition).toBe(places + 1)
      })
    await lineIs(1)
    const carol = await server.as('carol')
    const next = carol.post(lockOf(id), { ttlSeconds: 60, waitSeconds: 30 })
    await lineIs(2)
    hangUp.abort()
    expect(await goner).toBe('gone')
    await lineIs(1)
    await alice.delete(lockOf(id), showing(lock))
    expect(expectStatus(await next, 201).body).toMatchObject({ owner: 'carol', fence: 2 })
  })

  it('[LOCK-1] who waits for the lock of a document that is deleted hears so', async () => {
    const id = await server.create('a')
    const lock = await acquire(alice, id)
    const waiting = bob.post(lockOf(id), { ttlSeconds: 60, waitSeconds: 30 })
    await waitFor(async () => {
      const { body } = await bob.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
      expect(body.queuePosition).toBe(2)
    })
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`, showing(lock)), 204)
    expect(verdict(await waiting)).toBe('410 document-deleted')
  })
})

describe('durability', () => {
  it('[LOCK-2] the token is nowhere in the database, its lock and fence survive a restart', async () => {
    const own = await startDocumentServer()
    onTestFinished(() => own.stop())
    const by = await own.as('alice')
    const id = await own.create('a')
    const lock = await acquire(by, id)
    for (const file of [own.file, `${own.file}-wal`]) {
      expect(readFileSync(file).includes(lock.token)).toBe(false)
      expect(readFileSync(file).includes(lock.token.slice(6))).toBe(false)
    }
    await own.restart()
    expect((await by.get(lockOf(id))).body).toEqual({
      lock: { owner: 'alice', fence: 1, expiresAt: expect.any(String) },
    })
    const path = `/documents/${id}`
    expect(verdict(await by.put(path, { content: 'b', baseVersion: 1 }))).toBe('423 locked')
    expectStatus(await by.put(path, { content: 'b', baseVersion: 1 }, showing(lock)), 200)
    expectStatus(await by.delete(lockOf(id), showing(lock)), 204)
    await own.restart()
    expect((await acquire(by, id)).fence).toBe(2)
  })

  it('[LOCK-3] a lock that expired while the server was down is over, and its end is told', async () => {
    const own = await startDocumentServer()
    onTestFinished(() => own.stop())
    const by = await own.as('alice')
    const id = await own.create('a')
    const lock = await acquire(by, id, 1)
    await own.restart()
    await waitFor(async () => {
      expect((await own.eventsOf(id)).at(-1)).toMatchObject(['document.unlocked', { reason: 'expired' }])
    })
    const late = await by.put(`/documents/${id}`, { content: 'b', baseVersion: 1 }, showing(lock))
    expect(verdict(late)).toBe('423 lock-lost')
  })

  it('[OPS-2] who waits for a lock is told when the server stops', async () => {
    const own = await startDocumentServer()
    const by = await own.as('alice')
    const id = await own.create('a')
    await acquire(by, id)
    const waiting = by.post(lockOf(id), { ttlSeconds: 60, waitSeconds: 60 })
    await waitFor(async () => {
      const { body } = await by.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
      expect(body.queuePosition).toBe(2)
    })
    const startedMs = Date.now()
    await own.stop()
    expect(verdict(await waiting)).toBe('503 shutting-down')
    expect(Date.now() - startedMs).toBeLessThan(4_000)
  })
})
