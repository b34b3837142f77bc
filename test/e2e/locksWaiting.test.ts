import { describe, expect, it, onTestFinished } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { acquire, lockOf, showing } from '../support/locks.ts'
import { suiteServer } from '../support/suite.ts'
import { eventually } from '../support/waitFor.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')

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
      await eventually(async () => {
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
    await eventually(async () => {
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
    await eventually(async () => {
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
      eventually(async () => {
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
    await eventually(async () => {
      const { body } = await bob.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
      expect(body.queuePosition).toBe(2)
    })
    expectStatus(await alice.delete(`/documents/${id}?baseVersion=1`, showing(lock)), 204)
    expect(verdict(await waiting)).toBe('410 document-deleted')
  })
})
