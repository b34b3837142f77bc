import * as Y from 'yjs'
import { afterEach, describe, expect, it } from 'vitest'
import type { Replica } from '../../server/documents/replica.ts'
import { SNAPSHOT_INTERVAL } from '../../server/documents/startingPoints.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { ALICE, BOB, codeOf, id, inDatabase, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

let core: DocumentCore
afterEach(() => core.stop())

const contentOf = async (document: string): Promise<unknown> => (await core.reader.read(id(document))).content

describe('[SYNC-10] Replicas: loading and leaving', () => {
  it('loads a document once for all who ask', async () => {
    core = await startCore()
    await core.create('doc', 'x')
    core = await core.restart()
    const leases = await Promise.all(Array.from({ length: 20 }, () => core.lease('doc')))
    expect(new Set(leases.map((lease) => lease.replica)).size).toBe(1)
    expect(core.storage.calls('entries')).toBe(1)
    expect(core.replicas.size).toBe(1)
  })

  it('tells what never was from what is deleted', async () => {
    core = await startCore()
    await core.create('gone', 'x')
    await core.remove('gone')
    expect(await core.replicas.lease(id('never'))).toEqual({ absent: 'never' })
    expect(await core.replicas.lease(id('gone'))).toEqual({ absent: 'deleted', lastVersion: 2 })
    expect(core.replicas.leaseLoaded(id('never'))).toBeNull()
    expect(core.replicas.size).toBe(0)
  })

  it('a document leaves memory when it was idle for its time, not while it is held, and comes back the same', async () => {
    core = await startCore({ idleMs: 30_000 })
    await core.create('doc', 'one\n')
    const lease = await core.lease('doc')
    await core.environment.advance(120_000)
    expect(core.replicas.size).toBe(1)
    lease.release()
    lease.release()
    await core.environment.advance(24_000)
    expect(core.replicas.size).toBe(1)
    await core.environment.advance(11_000)
    expect(core.replicas.size).toBe(0)
    expect(lease.replica.ended?.code).toBe('overloaded')
    expect(core.replicas.leaseLoaded(id('doc'))).toBeNull()
    expect((await core.lease('doc')).replica.content()).toBe('one\n')
  })

  it('being used puts the leaving off, and two holds are two', async () => {
    core = await startCore({ idleMs: 10_000 })
    await core.create('doc', 'x')
    const [one, two] = [await core.lease('doc'), await core.lease('doc')]
    one.release()
    one.release()
    await core.environment.advance(60_000)
    expect(core.replicas.size).toBe(1)
    two.release()
    await core.environment.advance(8_000)
    core.replicas.leaseLoaded(id('doc'))?.release()
    await core.environment.advance(8_000)
    expect(core.replicas.size).toBe(1)
    await core.environment.advance(16_000)
    expect(core.replicas.size).toBe(0)
  })

  it('what is on its way to the disk stays until it is there', async () => {
    core = await startCore({ idleMs: 1_000 })
    await core.create('doc', 'x')
    const release = core.storage.hold()
    const written = core.write('doc', 'y', { version: 1 })
    await core.environment.advance(10_000)
    expect(core.replicas.size).toBe(1)
    release()
    expect(await written).toMatchObject({ outcome: 'written', head: { version: 2 } })
    await core.environment.advance(10_000)
    expect(core.replicas.size).toBe(0)
    expect(await contentOf('doc')).toBe('y')
  })

  it('past the byte budget the least recently used go first, and none that is held', async () => {
    core = await startCore({ idleMs: 3_600_000, budgetBytes: 450_000 })
    const text = 'x'.repeat(50_000)
    await core.create('held', text)
    const held = await core.lease('held')
    for (const name of ['a', 'b', 'c']) {
      await core.environment.advance(1_000)
      await core.create(name, text)
    }
    core.replicas.leaseLoaded(id('a'))?.release()
    await core.environment.advance(1_000)
    await core.create('d', text)
    await core.environment.advance(0)
    const inMemory = ['held', 'a', 'b', 'c', 'd'].filter((name) => core.replicas.leaseLoaded(id(name)) !== null)
    expect(inMemory).toContain('held')
    expect(inMemory).toContain('d')
    expect(inMemory).not.toContain('b')
    expect(inMemory.length).toBeLessThan(5)
    expect(inMemory.includes('c') && !inMemory.includes('a')).toBe(false)
    expect(held.replica.ended).toBeNull()
    expect(await contentOf('b')).toBe(text)
  })

  it('a document larger than the whole budget can be used all the same', async () => {
    core = await startCore({ budgetBytes: 1 })
    await core.create('doc', 'x')
    await core.environment.advance(60_000)
    expect(core.replicas.size).toBe(0)
    expect(await core.write('doc', 'y', { version: 1 })).toMatchObject({ outcome: 'written' })
    expect((await core.lease('doc')).replica.content()).toBe('y')
  })

  it('an idle time of nothing does not make the timers spin', async () => {
    core = await startCore({ idleMs: 0 })
    await core.create('doc', 'x')
    const timers = countTimers(core)
    await core.environment.advance(1_000)
    expect(core.replicas.size).toBe(0)
    expect(timers()).toBeLessThanOrEqual(20)
  })

  it('[SYNC-10] 1,000 rounds of opening and closing leave nothing behind', async () => {
    core = await startCore({ idleMs: 1 })
    await core.create('doc', 'x')
    const pending = core.environment.pending
    for (let round = 0; round < 1_000; round++) {
      ;(await core.lease('doc')).release()
      if (round % 10 === 0) await core.environment.advance(200)
    }
    await core.environment.advance(1_000)
    expect(core.replicas.size).toBe(0)
    expect(core.environment.pending).toBe(pending)
  })

  it('closing ends every replica, and nothing is loaded any more', async () => {
    core = await startCore()
    await core.create('doc', 'x')
    const { replica } = await core.lease('doc')
    core.replicas.close(new ParleyError('shutting-down', 'The server is stopping.'))
    expect(replica.ended?.code).toBe('shutting-down')
    expect(core.replicas.size).toBe(0)
    expect(await codeOf(core.replicas.lease(id('doc')))).toBe('shutting-down')
  })
})

function countTimers({ environment }: DocumentCore): () => number {
  let count = 0
  const after = environment.after.bind(environment)
  environment.after = (delayMs, task) => {
    count += 1
    return after(delayMs, task)
  }
  return () => count
}

describe('Replicas: snapshot and replay', () => {
  const LAST = SNAPSHOT_INTERVAL + 10

  it('a load starts at the snapshot and reads only what came after it', async () => {
    core = await startCore()
    await core.create('doc', '0')
    await core.writeUpTo('doc', LAST)
    // What a replay from the start would stumble over.
    inDatabase(core, (database) => database.exec('UPDATE entries SET update_bytes = zeroblob(9) WHERE version = 2'))
    core = await core.restart()
    const { replica } = await core.lease('doc')
    expect(replica.content()).toBe(`text ${LAST}`)
    expect(replica.appliedVersion).toBe(LAST)
    expect(await core.write('doc', 'next', { version: LAST })).toMatchObject({ outcome: 'written' })
  })

  it('without the snapshot the log gives the same', async () => {
    core = await startCore()
    await core.create('doc', '0')
    await core.writeUpTo('doc', LAST)
    inDatabase(core, (database) => database.exec('DELETE FROM snapshots'))
    core = await core.restart()
    expect((await core.lease('doc')).replica.content()).toBe(`text ${LAST}`)
  })

  it('[SYNC-6] who wrote first under a Yjs client id is known also where that was before the snapshot', async () => {
    core = await startCore()
    await core.create('doc', '0')
    const { replica } = await core.lease('doc')
    for (const [client, author] of [
      [7, BOB],
      [4_294_967_295, ALICE],
    ] as const) {
      const doc = new Y.Doc()
      doc.clientID = client
      doc.getText('content').insert(0, 'x')
      await replica.applyLive(Y.encodeStateAsUpdate(doc), author)
    }
    await core.writeUpTo('doc', LAST)
    core = await core.restart()
    const loaded = (await core.lease('doc')).replica
    expect([7, 4_294_967_295, 8].map((client) => loaded.ownerOf(client))).toEqual([BOB, ALICE, null])
  })

  it('a snapshot of what never reached the disk is not kept', async () => {
    core = await startCore()
    await core.create('doc', '0')
    await core.writeUpTo('doc', SNAPSHOT_INTERVAL - 1)
    core.storage.failNext(1)
    expect(await codeOf(core.write('doc', 'lost', { version: SNAPSHOT_INTERVAL - 1 }))).toBe('storage-unavailable')
    await settled()
    expect(await core.storage.snapshot(id('doc'))).toBeNull()
    await core.write('doc', 'kept', { version: SNAPSHOT_INTERVAL - 1 })
    core = await core.restart()
    expect((await core.lease('doc')).replica.content()).toBe('kept')
  })
})

describe('Replicas: the client id of the server', () => {
  const clientsOf = (replica: Replica): number[] => [...Y.decodeStateVector(Y.encodeStateVector(replica.doc)).keys()]

  it('is one for a document and process start, however often the document leaves memory', async () => {
    core = await startCore({ idleMs: 1_000 })
    await core.create('doc', '0')
    const clientId = (await core.lease('doc')).replica.doc.clientID
    for (let n = 1; n <= 5; n++) {
      await core.write('doc', `text ${n}`, { version: n })
      await core.environment.advance(10_000)
      core.replicas.leaseLoaded(id('doc'))?.replica.end(new ParleyError('overloaded', 'The test wants it out.'))
      const { replica } = await core.lease('doc')
      expect(replica.doc.clientID).toBe(clientId)
      expect(clientsOf(replica)).toEqual([clientId])
    }
  })

  it('is the same after a commit that failed, and then uses its clocks anew', async () => {
    core = await startCore()
    await core.create('doc', '0')
    const before = (await core.lease('doc')).replica
    core.storage.failNext(1)
    expect(await codeOf(core.write('doc', 'lost words', { version: 1 }))).toBe('storage-unavailable')
    await core.write('doc', 'kept', { version: 1 })
    const after = (await core.lease('doc')).replica
    expect(after).not.toBe(before)
    expect(clientsOf(after)).toEqual([before.doc.clientID])
    core = await core.restart()
    expect((await core.lease('doc')).replica.content()).toBe('kept')
  })

  it('is another one for another process start, another document and another incarnation', async () => {
    core = await startCore()
    await core.create('doc', '0')
    await core.create('other', '0')
    const ids = [(await core.lease('doc')).replica.doc.clientID, (await core.lease('other')).replica.doc.clientID]
    await core.remove('doc')
    await core.create('doc', '0')
    ids.push((await core.lease('doc')).replica.doc.clientID)
    core = await core.restart()
    ids.push((await core.lease('doc')).replica.doc.clientID)
    expect(new Set(ids).size).toBe(4)
  })
})

describe('Replicas: creation', () => {
  it('[DOC-1] of many who create one id at once exactly one does, and its content stands', async () => {
    core = await startCore()
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => core.create('doc', `by ${n}`)))
    const won = results.flatMap((result, n) => (result.status === 'fulfilled' ? [n] : []))
    expect(won).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'already-exists' })
    }
    expect(await contentOf('doc')).toBe(`by ${won[0]}`)
    core = await core.restart()
    expect(await contentOf('doc')).toBe(`by ${won[0]}`)
  })

  it('[SYNC-3] a live client and a REST client may race for it too', async () => {
    core = await startCore()
    const [live, rest] = await Promise.allSettled([
      core.writer.createEmpty({ id: id('doc'), kind: 'text' }, BOB),
      core.create('doc', 'from REST'),
    ])
    expect([live.status, rest.status].toSorted()).toEqual(['fulfilled', 'rejected'])
    const adopted = core.replicas.leaseLoaded(id('doc'))
    const lease = await core.lease('doc')
    expect(adopted?.replica).toBe(lease.replica)
    expect(lease.replica.content()).toBe(live.status === 'fulfilled' ? '' : 'from REST')
  })

  it('nobody finds a document whose creation is not on disk', async () => {
    core = await startCore()
    const release = core.storage.hold()
    core.storage.failNext(1)
    const created = core.create('doc', 'x')
    created.catch(() => undefined)
    await settled()
    expect(await codeOf(core.reader.read(id('doc')))).toBe('not-found')
    const leased = core.replicas.lease(id('doc'))
    await settled()
    release()
    expect(await codeOf(created)).toBe('storage-unavailable')
    expect(await leased).toEqual({ absent: 'never' })
  })

  it('[OPS-6] a creation the disk refuses leaves nothing, and the next one works', async () => {
    core = await startCore()
    core.storage.failNext(1)
    expect(await codeOf(core.create('doc', 'lost'))).toBe('storage-unavailable')
    expect(await codeOf(core.reader.read(id('doc')))).toBe('not-found')
    expect(await core.create('doc', 'kept')).toMatchObject({ outcome: 'created', head: { version: 1 } })
    expect(await contentOf('doc')).toBe('kept')
  })
})
