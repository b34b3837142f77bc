import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { joinUpdates } from '../../server/documents/joinUpdates.ts'
import { toLockHash, toPrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import type { LockState } from '../../server/model/lock.ts'
import { LiveScene } from '../support/liveScene.ts'
import { settled } from '../support/manualEnvironment.ts'
import type { SimulatedClient } from '../support/simulatedClient.ts'

const HELD: LockState = {
  name: 'held',
  fence: 1,
  owner: toPrincipalId('carol'),
  tokenHash: toLockHash('0'.repeat(64)),
  ttlMs: 60_000,
  expiresAt: 60_000,
  remainingMs: 60_000,
}

let scene: LiveScene
afterEach(() => scene.stop())

async function setUp(): Promise<{ alice: SimulatedClient; bob: SimulatedClient }> {
  scene = await LiveScene.start('one\ntwo\nthree')
  return { alice: await scene.join('alice', 3), bob: await scene.join('bob', 5) }
}

/** Alice returns with edits that have to be judged, which reach the server right before her page is gone. */
async function returnsAndLeaves({ alice, bob }: { alice: SimulatedClient; bob: SimulatedClient }): Promise<void> {
  alice.disconnect()
  await scene.pass(10_000)
  bob.doc.getText('content').insert(4, 'bob ')
  await scene.settle([bob])
  alice.doc.getText('content').insert(0, 'alice ')
  alice.connect(scene.room)
  alice.deliverUp()
  alice.deliverDown()
  alice.deliverUp()
  alice.disconnect()
}

async function isOver(): Promise<void> {
  await scene.room.settled()
  await settled()
}

const keptText = (): string => Buffer.from(joinUpdates(scene.kept.flatMap(({ updates }) => updates))).toString('latin1')

describe('what a session brought that has ended', () => {
  it('[CONF-6] waits on disk where the disk is full as it goes in', async () => {
    const both = await setUp()
    await returnsAndLeaves(both)
    scene.core.storage.failNext(1)
    await isOver()
    expect(scene.replica.ended?.code).toBe('storage-unavailable')
    expect(scene.kept).toMatchObject([{ author: 'alice', knowledge: { by: 'clocks' } }])
    expect(keptText()).toContain('alice ')
  })

  it('[CONF-6] waits on disk where storage has no room for its act', async () => {
    const both = await setUp()
    await returnsAndLeaves(both)
    scene.core.storage.fill()
    await isOver()
    expect(keptText()).toContain('alice ')
  })

  it('[CONF-6] waits on disk where its last keystrokes do not get there', async () => {
    const { alice } = await setUp()
    scene.core.storage.failNext(1)
    alice.doc.getText('content').insert(0, 'alice ')
    alice.deliverUp()
    alice.disconnect()
    await isOver()
    expect(scene.kept).toMatchObject([{ author: 'alice', knowledge: { by: 'versions' } }])
    expect(keptText()).toContain('alice ')
  })

  it('is not kept where its client was told: its editor has it', async () => {
    const { alice } = await setUp()
    scene.core.storage.failNext(1)
    alice.doc.getText('content').insert(0, 'alice ')
    alice.deliverUp()
    await isOver()
    expect(alice.closed).toBe('storage-unavailable')
    expect(scene.kept).toEqual([])
  })

  /** Alice comes back with what Bob wrote and could not send yet, which her page has by another way. */
  async function handsOn(writes: string): Promise<SimulatedClient> {
    const { alice, bob } = await setUp()
    alice.disconnect()
    await scene.pass(10_000)
    const before = Y.encodeStateVector(bob.doc)
    bob.doc.getText('content').insert(0, 'bob ')
    Y.applyUpdate(alice.doc, Y.encodeStateAsUpdate(bob.doc, before))
    if (writes !== '') alice.doc.getText('content').insert(4, writes)
    alice.connect(scene.room)
    for (let n = 0; n < 4; n++) {
      alice.deliverUp()
      alice.deliverDown()
      await isOver()
    }
    expect([scene.kept, scene.givenUp]).toEqual([[], []])
    return alice
  }

  it('[SYNC-6] waits for whoever has to bring what it builds on, on disk where its session ends first', async () => {
    const alice = await handsOn('alice ')
    alice.disconnect()
    await isOver()
    expect(scene.kept).toMatchObject([{ author: 'alice', handedOn: [] }])
    expect(keptText()).toContain('alice ')
    expect(keptText()).not.toContain('bob ')
    expect(scene.givenUp).toEqual([])
  })

  it('[SYNC-6] is left to its owner, and named in the log where whoever only handed it on leaves first', async () => {
    const alice = await handsOn('')
    alice.disconnect()
    await isOver()
    expect([scene.kept, scene.givenUp]).toMatchObject([[], [{ code: 'missing-dependencies' }]])
  })

  it('[SYNC-6] [LOCK-4] does not wait behind a lock under the id of somebody else', async () => {
    const { alice, bob } = await setUp()
    bob.doc.getText('content').insert(0, 'bob ')
    await scene.settle()
    bob.disconnect()
    scene.replica.lock.see(HELD)
    const forged = new Y.Doc()
    Y.applyUpdate(forged, Y.encodeStateAsUpdate(alice.doc))
    const before = Y.encodeStateVector(forged)
    forged.clientID = 5
    forged.getText('content').insert(0, 'forged ')
    alice.doc.getText('content').insert(0, 'alice ')
    Y.applyUpdate(alice.doc, Y.encodeStateAsUpdate(forged, before))
    alice.deliverUp()
    alice.disconnect()
    await isOver()
    expect(keptText()).toContain('alice ')
    expect(keptText()).not.toContain('forged')
  })

  it('is named in the log where it can never go in', async () => {
    const { alice } = await setUp()
    const go = scene.core.storage.hold()
    const removed = scene.core.remove('doc')
    await settled()
    alice.doc.getText('content').insert(0, 'alice ')
    alice.deliverUp()
    alice.disconnect()
    go()
    await removed
    await isOver()
    expect(scene.givenUp).toMatchObject([{ code: 'document-deleted' }])
  })
})

describe('a session with edits on their way to the disk', () => {
  it('[SYNC-2] ends when they are there, where the document in memory was thrown away meanwhile', async () => {
    const { alice, bob } = await setUp()
    const go = scene.core.storage.hold()
    alice.doc.getText('content').insert(0, 'alice ')
    alice.deliverUp()
    scene.replica.end(new ParleyError('overloaded', 'It is loaded anew.'))
    expect([alice.closed, bob.closed]).toEqual([null, 'overloaded'])
    go()
    await isOver()
    expect(alice.closed).toBe('overloaded')
  })

  it('[SYNC-4] ends for good with the deletion that shares their commit', async () => {
    const { alice } = await setUp()
    const go = scene.core.storage.hold()
    alice.doc.getText('content').insert(0, 'alice ')
    alice.deliverUp()
    const removed = scene.core.remove('doc')
    await settled()
    go()
    await removed
    await isOver()
    expect(alice.closed).toBe('document-deleted')
  })
})
