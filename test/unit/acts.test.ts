import { afterEach, describe, expect, it } from 'vitest'
import { intentOf } from '../../server/documents/base.ts'
import type { LiveMerge } from '../../server/documents/replica.ts'
import type { PrincipalId } from '../../server/foundation/ids.ts'
import { ALICE, BOB, codeOf, Editor, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'
import type { Operation } from '../../server/transactions/operation.ts'

let core: DocumentCore
afterEach(() => core.stop())

const contentOf = async (document: string): Promise<unknown> => (await core.reader.read(id(document))).content

const openOf = (author: PrincipalId) =>
  core.storage.conflicts({ patterns: [{ exact: id('doc') }], statuses: ['open'], author, before: null, limit: 10 })

const putOn = (version: number, content: string, document = 'doc'): Operation => ({
  do: 'write',
  document: id(document),
  request: {
    document: id(document),
    author: ALICE,
    intent: intentOf({ ifMatch: null, ifNoneMatch: false, baseVersion: version }),
    incoming: () => content,
    createsKind: null,
    onConflict: null,
    origin: 'transaction',
  },
})

describe('Acts: a preview', () => {
  it('[WRITE-7] of a transaction whose owner writes meanwhile forgets no conflict of theirs', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    await core.write('doc', 'new', { version: 1 }, BOB)
    const release = core.storage.hold()
    const stale = core.write('doc', 'mine', { version: 1 })
    await settled()
    const shown = core.transactor.preview([putOn(2, 'other')], ALICE)
    await settled()
    release()
    expect([(await stale).status, (await shown).map(({ status }) => status)]).toEqual(['refused', ['done']])
    await core.write('doc', 'mine', { version: 1 })
    expect(await openOf(ALICE)).toHaveLength(1)
  })

  it('[TX-2] opens no conflict, and the write that would open it still does', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    await core.write('doc', 'new', { version: 1 }, BOB)
    expect(await core.transactor.preview([putOn(1, 'mine')], ALICE)).toMatchObject([{ status: 'refused' }])
    expect(await openOf(ALICE)).toEqual([])
    expect(await core.write('doc', 'mine', { version: 1 })).toMatchObject({ status: 'refused' })
    expect(await openOf(ALICE)).toHaveLength(1)
  })
})

describe('Acts: a full queue', () => {
  it('[WRITE-10] refuses the next act before it is applied, and what is on its way stays known', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const { replica, release: letGo } = await core.lease('doc')
    const release = core.storage.hold()
    const first = core.write('doc', 'first', { version: 1 })
    await settled()
    const makeRoom = core.storage.fill()
    const refused = codeOf(core.write('doc', 'second', { version: 2 }))
    expect(await codeOf(replica.applyLive(new Editor(replica).insert(0, 'x'), BOB))).toBe('overloaded')
    const read = contentOf('doc')
    release()
    expect(await refused).toBe('overloaded')
    expect(await first).toMatchObject({ outcome: 'written', head: { version: 2 } })
    expect(await read).toBe('first')
    expect(replica.ended).toBeNull()
    makeRoom()
    expect(await core.write('doc', 'third', { version: 2 })).toMatchObject({ outcome: 'written' })
    letGo()
  })

  it('[WRITE-10] a replica that is loaded anew then has every act before the one that was refused', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const release = core.storage.hold()
    const first = core.write('doc', 'first', { version: 1 })
    await settled()
    const makeRoom = core.storage.fill()
    const { replica, release: letGo } = await core.lease('doc')
    const staged = replica.stageContent('second', { author: BOB, at: 0, origin: 'write' })
    const parts = { at: 0, conflicts: [], contents: new Map(), events: [] }
    expect(await codeOf(core.committer.commit(staged ? [staged] : [], parts))).toBe('overloaded')
    letGo()
    const loaded = core.lease('doc')
    await settled()
    release()
    expect(await first).toMatchObject({ outcome: 'written', head: { version: 2 } })
    expect((await loaded).replica.content()).toBe('first')
    expect(await contentOf('doc')).toBe('first')
    makeRoom()
  })
})

describe('Acts: a throw between applying and handing over', () => {
  const broken = (): never => {
    throw new Error('A bug, says the test.')
  }

  it('[SYNC-2] ends the replica, of a live update', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const { replica, release } = await core.lease('doc')
    const merge: LiveMerge = { before: () => undefined, after: broken }
    const update = new Editor(replica).insert(0, 'x')
    await expect(replica.applyLive(update, ALICE, { merge })).rejects.toThrow('A bug')
    release()
    expect(replica.ended).not.toBeNull()
    expect(await contentOf('doc')).toBe('old')
    expect(await core.write('doc', 'next', { version: 1 })).toMatchObject({ outcome: 'written', head: { version: 2 } })
  })

  it('[TX-1] ends every replica of a transaction', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    await core.create('other', 'old')
    const leases = [await core.lease('doc'), await core.lease('other')]
    leases[1]?.replica.doc.on('afterTransaction', broken)
    const operations = [putOn(1, 'new'), putOn(1, 'new', 'other')]
    await expect(core.transactor.perform(operations, ALICE)).rejects.toThrow('A bug')
    expect(leases.map(({ replica }) => replica.ended !== null)).toEqual([true, true])
    expect([await contentOf('doc'), await contentOf('other')]).toEqual(['old', 'old'])
  })

  it('[SYNC-2] ends the replica, of storage that throws', async () => {
    core = await startCore()
    await core.create('doc', 'old')
    const { replica, release } = await core.lease('doc')
    core.storage.breakNext()
    expect(await codeOf(core.write('doc', 'lost', { version: 1 }))).toBe('internal')
    release()
    expect(replica.ended).not.toBeNull()
    expect(await contentOf('doc')).toBe('old')
  })
})
