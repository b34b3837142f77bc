import { describe, expect, it } from 'vitest'
import { expectStatus, read, stage } from '../support/conflicts.ts'
import { startDocumentServer, verdict } from '../support/documents.ts'
import { acquire, lockOf, showing } from '../support/locks.ts'
import type { Answer, Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const server = suiteServer(startDocumentServer)
const alice = server.caller('alice')
const bob = server.caller('bob')

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
