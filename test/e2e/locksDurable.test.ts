import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { acquire, lockOf, showing } from '../support/locks.ts'
import { eventually } from '../support/waitFor.ts'

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
    await eventually(async () => {
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
    await eventually(async () => {
      const { body } = await by.put(`/documents/${id}`, { content: 'x', baseVersion: 1 })
      expect(body.queuePosition).toBe(2)
    })
    const startedMs = Date.now()
    await own.stop()
    expect(verdict(await waiting)).toBe('503 shutting-down')
    expect(Date.now() - startedMs).toBeLessThan(4_000)
  })
})
