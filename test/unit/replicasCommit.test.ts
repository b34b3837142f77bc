import type Database from 'better-sqlite3'
import { afterEach, describe, expect, it } from 'vitest'
import { SNAPSHOT_INTERVAL } from '../../server/documents/startingPoints.ts'
import { toPrincipalId, type PrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { ALICE, BOB, codeOf, Editor, id, inDatabase, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

let core: DocumentCore
afterEach(() => core.stop())

const contentOf = async (document: string): Promise<unknown> => (await core.reader.read(id(document))).content

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

describe('[WRITE-3] Replicas: writers of one tick', () => {
  it.each(['writers the replica knows', 'writers it has not seen'])('[WRITE-3] exactly one wins: %s', async (who) => {
    core = await startCore()
    await core.create('doc', 'zero')
    const writers = Array.from({ length: 64 }, (_, n) => toPrincipalId(`writer${n}`))
    let base = 1
    if (who === 'writers the replica knows') {
      for (const by of writers) await core.write('doc', `hello from ${by}`, { version: base++ }, by)
    }
    const results = await Promise.all(writers.map((by) => core.write('doc', `${by} wins`, { version: base }, by)))
    const won = results.flatMap((result) => (result.status === 'done' ? [result.content] : []))
    expect(won).toHaveLength(1)
    expect(await core.reader.read(id('doc'))).toMatchObject({ content: won[0], head: { version: base + 1 } })
    const refused = results.flatMap((result) => (result.status === 'refused' ? [result.refusal] : []))
    expect(new Set(refused.map((refusal) => refusal.record.id)).size).toBe(63)
    expect(refused.every((refusal) => refusal.stored && refusal.sides.current === won[0])).toBe(true)
  })

  it('[WRITE-3] every increment of those who try again is there', async () => {
    core = await startCore()
    await core.create('doc', { n: 0 })
    const increment = async (by: PrincipalId): Promise<void> => {
      for (;;) {
        const { head, content } = await core.reader.read(id('doc'))
        const n = typeof content === 'string' ? NaN : Number(content['n'])
        const result = await core.write('doc', { n: n + 1 }, { version: head.version }, by)
        if (result.status === 'done' && result.outcome === 'written') return
      }
    }
    const writers = Array.from({ length: 8 }, (_, n) => toPrincipalId(`writer${n}`))
    await Promise.all(writers.map(increment))
    expect(await contentOf('doc')).toEqual({ n: 8 })
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

  it('a snapshot is passed over: the log says everything, and the next snapshot replaces it', async () => {
    core = await startCore()
    await core.create('doc', '')
    await core.writeUpTo('doc', SNAPSHOT_INTERVAL)
    const damage = 'UPDATE snapshots SET state = zeroblob(length(state))'
    inDatabase(core, (database) => expect(database.prepare(damage).run().changes).toBe(1))
    core = await core.restart()
    const { replica } = await core.lease('doc')
    expect(replica.content()).toBe(`text ${SNAPSHOT_INTERVAL}`)
    await expect(core.storage.snapshot(id('doc'))).rejects.toMatchObject({ code: 'document-damaged' })
    await core.writeUpTo('doc', SNAPSHOT_INTERVAL + 1)
    expect(await core.storage.snapshot(id('doc'))).toMatchObject({ version: SNAPSHOT_INTERVAL + 1 })
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
