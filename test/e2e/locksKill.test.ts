import { afterEach, describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { verdict } from '../support/documents.ts'
import { Victim } from '../support/victim.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

function newVictim(): Victim {
  const victim = new Victim()
  cleanUps.push(() => victim.dispose())
  return victim
}

const LOCK = '/documents/doc/lock'
const DOC = '/documents/doc'
/** Given and given back before a server is killed, so that there is something to lose on the slowest machine. */
const WHOLE_LOCKS = 3

describe('kill -9', () => {
  it('[LOCK-3] in the middle of a line: holder and fence are as they were, the line is gone, the next fence is greater', async () => {
    const server = newVictim()
    await server.start()
    const [alice, bob] = [await server.as('alice'), await server.as('bob')]
    expectStatus(await alice.post('/documents', { id: 'doc', kind: 'text', content: 'a' }), 201)
    const lock = expectStatus(await alice.post(LOCK, { ttlSeconds: 300 }), 201).body
    const waiting = bob.post(LOCK, { ttlSeconds: 300, waitSeconds: 60 }).catch(() => 'cut')
    const renewed = expectStatus(await alice.put(LOCK, { ttlSeconds: 600 }, { 'lock-token': lock.token }), 200).body
    await server.kill()
    expect(await waiting).toBe('cut')
    await server.start()
    const { owner, fence, expiresAt } = renewed
    expect((await bob.get(LOCK)).body).toEqual({ lock: { owner, fence, expiresAt } })
    const refused = await bob.put(DOC, { content: 'b', baseVersion: 1 })
    expect(verdict(refused)).toBe('423 locked')
    expect(refused.body.queuePosition).toBe(1)
    expectStatus(await alice.put(DOC, { content: 'b', baseVersion: 1 }, { 'lock-token': lock.token }), 200)
    expectStatus(await alice.delete(LOCK, { 'lock-token': lock.token }), 204)
    await server.kill()
    await server.start()
    expect(expectStatus(await bob.post(LOCK, { ttlSeconds: 60 }), 201).body.fence).toBe(2)
    expect(verdict(await alice.put(DOC, { content: 'c', baseVersion: 2 }, { 'lock-token': lock.token }))).toBe(
      '423 lock-lost',
    )
  })

  it('[LOCK-2] at any moment: what was answered holds, and no fence was ever given twice', async () => {
    const server = newVictim()
    await server.start()
    const by = await server.as('alice')
    expectStatus(await by.post('/documents', { id: 'doc', kind: 'text', content: '0' }), 201)
    const fences: number[] = []
    let written = 1
    for (let round = 0; round < 3; round++) {
      let isAlive = true
      const whole = fences.length + WHOLE_LOCKS
      while (isAlive) {
        if (fences.length === whole) setTimeout(() => void server.kill(), round * 7)
        try {
          const lock = expectStatus(await by.post(LOCK, { ttlSeconds: 3, waitSeconds: 10 }), 201).body
          fences.push(lock.fence)
          const held = { 'lock-token': lock.token }
          const put = await by.put(DOC, { content: String(lock.fence), baseVersion: written }, held)
          written = expectStatus(put, 200).body.version
          expectStatus(await by.delete(LOCK, held), 204)
        } catch (error) {
          // Only a connection that was cut; a wrong answer is one.
          if (error instanceof Error && error.message.startsWith('expected')) throw error
          isAlive = false
        }
      }
      await server.start()
      const { body } = expectStatus(await by.get(DOC), 200)
      expect(body.version).toBeGreaterThanOrEqual(written)
      expect(body.version).toBeLessThanOrEqual(written + 1)
      written = body.version
    }
    const last = expectStatus(await by.post(LOCK, { ttlSeconds: 3, waitSeconds: 10 }), 201).body
    fences.push(last.fence)
    expect(fences.length).toBeGreaterThan(3 * WHOLE_LOCKS)
    expect(fences).toEqual([...new Set(fences)].toSorted((a, b) => a - b))
  })
})
