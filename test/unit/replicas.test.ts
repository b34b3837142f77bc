import Database from 'better-sqlite3'
import * as Y from 'yjs'
import { afterEach, describe, expect, it } from 'vitest'
import { SNAPSHOT_INTERVAL, type Replica } from '../../server/documents/replica.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { ALICE, BOB, codeOf, Editor, id, startCore, type DocumentCore } from '../support/documentCore.ts'
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
      core.replicas.create({ id: id('doc'), kind: 'text', by: BOB }),
      core.create('doc', 'from REST'),
    ])
    expect([live.status, rest.status].toSorted()).toEqual(['fulfilled', 'rejected'])
    const lease = await core.lease('doc')
    if (live.status === 'fulfilled') expect(live.value.replica).toBe(lease.replica)
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

describe('[SYNC-2] Replicas: what has not reached the disk', () => {
  it('is in no answer: a read waits for it', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const release = core.storage.hold()
    const written = core.write('doc', 'new', { version: 1 })
    await settled()
    const read = core.reader.read(id('doc'))
    let answered = false
    void read.then(() => (answered = true))
    await settled()
    expect(answered).toBe(false)
    release()
    await written
    expect(await read).toMatchObject({ content: 'new', head: { version: 2 } })
  })

  it('is in no answer when it gets lost: the read sees what was there before', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const release = core.storage.hold()
    core.storage.failNext(1)
    const written = core.write('doc', 'lost', { version: 1 })
    written.catch(() => undefined)
    await settled()
    const read = core.reader.read(id('doc'))
    const equal = core.write('doc', 'old', { version: 1 })
    release()
    expect(await codeOf(written)).toBe('storage-unavailable')
    expect(await read).toMatchObject({ content: 'old', head: { version: 1 } })
    expect(await equal).toMatchObject({ outcome: 'unchanged', head: { version: 1 } })
  })

  it('[WRITE-3] a write that waits behind a lost one is judged anew, on what the log has', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const release = core.storage.hold()
    core.storage.failNext(1)
    const lost = core.write('doc', 'lost', { version: 1 }, ALICE)
    lost.catch(() => undefined)
    await settled()
    const other = core.write('doc', 'kept', { version: 1 }, BOB)
    release()
    expect(await codeOf(lost)).toBe('storage-unavailable')
    expect(await other).toMatchObject({ outcome: 'written', head: { version: 2, updatedBy: 'bob' } })
    expect(await contentOf('doc')).toBe('kept')
  })

  it('[WRITE-1] a refusal that speaks of it goes out only when it is certain', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const release = core.storage.hold()
    core.storage.failNext(1)
    const lost = core.write('doc', 'lost', { version: 1 })
    lost.catch(() => undefined)
    await settled()
    // Version 3 is unknown whether or not version 2 gets to the disk; but which version is current, is not certain.
    const refused = core.write('doc', 'mine', { version: 3 }).catch((error: unknown) => error)
    await settled()
    release()
    expect(await refused).toMatchObject({ code: 'unknown-base', extras: { current: 1 } })
  })

  it('[OPS-6] after a failed commit the next write succeeds', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    for (let n = 0; n < 3; n++) {
      core.storage.failNext(1)
      expect(await codeOf(core.write('doc', 'lost', { version: 1 }))).toBe('storage-unavailable')
    }
    expect(await core.write('doc', 'kept', { version: 1 })).toMatchObject({ outcome: 'written', head: { version: 2 } })
  })

  it('a document loaded anew waits for what its last replica left on its way', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const release = core.storage.hold()
    const written = core.write('doc', 'on its way', { version: 1 })
    await settled()
    core.replicas.leaseLoaded(id('doc'))?.replica.end(new ParleyError('overloaded', 'A bad update broke it.'))
    const loaded = core.lease('doc')
    await settled()
    release()
    expect(await written).toMatchObject({ outcome: 'written', head: { version: 2 } })
    expect((await loaded).replica.content()).toBe('on its way')
    expect(await contentOf('doc')).toBe('on its way')
    expect(await core.write('doc', 'next', { version: 2 })).toMatchObject({ outcome: 'written' })
  })
})

describe('[DOC-6] Replicas: a deletion on its way', () => {
  it('an unconditional write beside it is not lost in a document that is gone', async () => {
    core = await startCore()
    await core.create('doc', 'x')
    await core.lease('doc')
    const release = core.storage.hold()
    const removed = core.remove('doc')
    await settled()
    const written = core.write('doc', 'y', 'unconditional')
    written.catch(() => undefined)
    await settled()
    release()
    await removed
    expect(await codeOf(written)).toBe('document-deleted')
    expect(await core.storage.head(id('doc'))).toMatchObject({ version: 2, deletedAt: expect.any(Number) })
  })

  it('a read beside it finds the document gone', async () => {
    core = await startCore()
    await core.create('doc', 'x')
    const release = core.storage.hold()
    const removed = core.remove('doc')
    await settled()
    const read = core.reader.read(id('doc'))
    read.catch(() => undefined)
    await settled()
    release()
    await removed
    expect(await codeOf(read)).toBe('document-deleted')
  })

  it('when the disk refuses it, the document lives on', async () => {
    core = await startCore()
    await core.create('doc', 'x')
    const release = core.storage.hold()
    core.storage.failNext(1)
    const removed = core.remove('doc')
    removed.catch(() => undefined)
    await settled()
    const written = core.write('doc', 'y', 'unconditional')
    release()
    expect(await codeOf(removed)).toBe('storage-unavailable')
    expect(await written).toMatchObject({ outcome: 'written', head: { version: 2, deletedAt: null } })
  })

  it('versions go on counting in the next incarnation, and its log starts there', async () => {
    core = await startCore()
    await core.create('doc', 'first life')
    await core.remove('doc')
    expect(await core.create('doc', 'second life')).toMatchObject({ head: { version: 3, firstVersion: 3 } })
    core = await core.restart()
    const { replica } = await core.lease('doc')
    expect(replica.content()).toBe('second life')
    expect(replica.doc.store.clients.size).toBe(1)
  })
})

describe('[OPS-6] Replicas: damage', () => {
  async function damagedBy(change: (database: Database.Database) => void): Promise<void> {
    core = await startCore()
    for (const name of ['doc', 'other']) {
      await core.create(name, 'one')
      await core.write(name, 'two', { version: 1 })
      await core.write(name, 'three', { version: 2 })
    }
    inDatabase(core, change)
    core = await core.restart()
  }
  const OF_DOC = "document = (SELECT key FROM documents WHERE id = 'doc')"

  it.each<[string, string]>([
    [
      'a flipped byte in an update',
      `UPDATE entries SET update_bytes = zeroblob(length(update_bytes)) WHERE version = 2 AND ${OF_DOC}`,
    ],
    ['a changed effect', `UPDATE entries SET effect = '[1]' WHERE version = 2 AND ${OF_DOC}`],
    ['a missing entry', `DELETE FROM entries WHERE version = 2 AND ${OF_DOC}`],
    ['a changed head', "UPDATE documents SET kind = 'json' WHERE id = 'doc'"],
  ])('%s is refused for that document only', async (_name, sql) => {
    await damagedBy((database) => database.exec(sql))
    expect(await codeOf(core.replicas.lease(id('doc')))).toBe('document-damaged')
    expect(await codeOf(core.write('doc', 'four', { version: 3 }))).toBe('document-damaged')
    expect(core.replicas.size).toBe(0)
    expect(await core.write('other', 'four', { version: 3 })).toMatchObject({ outcome: 'written' })
    expect(await contentOf('other')).toBe('four')
  })

  it('an entry whose bytes are as they were written, but are no update, is damage too', async () => {
    await damagedBy(() => undefined)
    await core.create('doc2', 'x')
    const lease = await core.lease('doc2')
    const staged = lease.replica.stageContent('y', { author: ALICE, at: 0, origin: 'write' })
    if (!staged) throw new Error('nothing changed')
    const entry = { ...staged.append.entry, update: new Uint8Array([1, 1, 1, 0, 4, 1]) }
    await core.storage.commit({
      at: 0,
      appends: [{ ...staged.append, entry }],
      conflicts: [],
      contents: new Map(),
      events: [],
    })
    core = await core.restart()
    expect(await codeOf(core.replicas.lease(id('doc2')))).toBe('document-damaged')
  })

  it('an entry that builds on something the log lacks is damage', async () => {
    core = await startCore()
    await core.create('doc', 'x')
    const { replica } = await core.lease('doc')
    const staged = replica.stageContent('xy', { author: ALICE, at: 0, origin: 'write' })
    if (!staged) throw new Error('nothing changed')
    const editor = new Editor(replica)
    editor.insert(1, 'gap')
    const update = editor.insert(4, 'after the gap')
    const append = { ...staged.append, entry: { ...staged.append.entry, update } }
    await core.storage.commit({ at: 0, appends: [append], conflicts: [], contents: new Map(), events: [] })
    core = await core.restart()
    expect(await codeOf(core.replicas.lease(id('doc')))).toBe('document-damaged')
  })
})

/** Reaches into the file from beside the server, as a bad disk does. */
function inDatabase({ file }: DocumentCore, change: (database: Database.Database) => void): void {
  const database = new Database(file)
  try {
    change(database)
  } finally {
    database.close()
  }
}
