import { afterEach, describe, expect, it } from 'vitest'
import { nothing, onOne, type Found, type Step } from '../../server/documents/acts/plan.ts'
import { closed } from '../../server/model/conflict.ts'
import { invariant } from '../../server/foundation/assert.ts'
import type { SyncLimits } from '../../server/sync/limits.ts'
import { BOB, id } from '../support/documentCore.ts'
import { aliceAndBob, LiveScene, WINDOW_MS } from '../support/liveScene.ts'
import { settled } from '../support/manualEnvironment.ts'
import type { SimulatedClient } from '../support/simulatedClient.ts'

/** Of the only open conflict. */
async function dismissal(found: Found): Promise<Step<null>> {
  invariant(!('absent' in found), 'the document lives')
  const [open] = await found.conflicts({ statuses: ['open'], before: null, limit: 1 })
  invariant(open !== undefined, 'a conflict is open')
  const end = { status: 'dismissed', closedAt: 1, closedBy: BOB, comment: null } as const
  return { outcome: null, plan: { ...nothing(found), conflicts: [{ op: 'update', record: closed(open, end) }] } }
}

describe('an edit of a connected client', () => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  async function setUp(limits: Partial<SyncLimits> = {}) {
    const both = await aliceAndBob(limits)
    scene = both.scene
    return both
  }

  /** What it has is asked for, brought and judged; it has no answer. */
  async function bringUnanswered(client: SimulatedClient): Promise<void> {
    client.connect(scene.room)
    client.deliverUp()
    client.deliverDown()
    client.deliverUp()
    for (let n = 0; n < 5; n++) await settled()
    await scene.room.settled()
  }

  /** Alice, with this id, and bob have set one key of a new json document; hers came later, and she has no answer. */
  async function bringOneKey(aliceId: number): Promise<SimulatedClient> {
    scene = await LiveScene.start({ two: 'two', four: 'four' })
    const [alice, bob] = [await scene.join('alice', aliceId), await scene.join('bob', 5)]
    await scene.pass(WINDOW_MS)
    alice.disconnect()
    await scene.core.environment.advance(60_000)
    for (const { doc, name } of [alice, bob]) doc.getMap('content').set('two', `by ${name}`)
    await scene.settle([bob])
    await bringUnanswered(alice)
    return alice
  }

  it('[CONF-6] a session that ends before it answered again is taken in and judged all the same', async () => {
    const { alice, bob } = await setUp()
    alice.disconnect()
    await scene.core.environment.advance(60_000)
    bob.doc.getText('content').insert(4, 'bob ')
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle([bob])
    alice.connect(scene.room)
    alice.deliverUp()
    alice.deliverDown()
    alice.deliverUp()
    alice.disconnect()
    await scene.settle()
    expect(scene.content).toContain('alice ')
    expect(await scene.conflicts()).toHaveLength(1)
  })

  it('[CONF-6] that brings more than is held while its return goes in is closed, and loses nothing', async () => {
    const { alice, bob } = await setUp({ heldBytes: 3_000 })
    alice.disconnect()
    await scene.core.environment.advance(60_000)
    bob.doc.getText('content').insert(4, 'bob ')
    await scene.settle([bob])
    alice.doc.getText('content').insert(4, 'alice ')
    alice.connect(scene.room)
    for (let step = 0; step < 2; step++) {
      alice.deliverUp()
      await settled()
      alice.deliverDown()
    }
    // The return goes in once what it meets is on disk.
    const letGo = scene.core.storage.hold()
    bob.doc.getText('content').insert(0, 'late ')
    bob.deliverUp()
    alice.deliverUp()
    const closed: unknown[] = []
    for (let n = 0; n < 4; n++) {
      alice.doc.getText('content').insert(alice.doc.getText('content').length, 'x'.repeat(1_000))
      alice.deliverUp()
      closed.push(alice.closed)
    }
    letGo()
    expect(closed).toEqual([null, null, 'overloaded', 'overloaded'])
    await scene.settle([bob])
    expect(scene.content).toContain('alice ')
    expect(scene.content).not.toContain('x')
    alice.connect(scene.room)
    await scene.settle()
    expect(scene.content).toBe(alice.doc.getText('content').toJSON())
    expect(alice.doc.getText('content').toJSON()).toContain('x'.repeat(4_000))
    expect(await scene.conflicts()).toHaveLength(1)
  })

  describe.each([
    ['lower', 3],
    ['higher', 7],
  ])('with the %s id', (_, aliceId) => {
    /** Alice was away for long, and both have rewritten a line. */
    async function apart() {
      scene = await LiveScene.start('one\ntwo\nthree')
      const [alice, bob] = [await scene.join('alice', aliceId), await scene.join('bob', 5)]
      await scene.pass(WINDOW_MS)
      alice.disconnect()
      await scene.core.environment.advance(60_000)
      for (const { doc, name } of [alice, bob]) {
        doc.transact(() => {
          doc.getText('content').delete(4, 3)
          doc.getText('content').insert(4, `by ${name}`)
        })
      }
      await scene.settle([bob])
      return { alice, bob }
    }
    const isFound = async (): Promise<void> => {
      expect(await scene.conflicts()).toMatchObject([
        {
          base: { content: 'one\ntwo\nthree' },
          current: { content: 'one\nby bob\nthree', authors: ['bob'] },
          incoming: { content: 'one\nby alice\nthree', authors: ['alice'] },
        },
      ])
    }

    it('[CONF-6] is judged however often its line is cut before it has brought its edits', async () => {
      const { alice } = await apart()
      for (let n = 0; n < 3; n++) {
        alice.connect(scene.room)
        alice.deliverUp()
        await settled()
        alice.deliverDown()
        alice.disconnect()
        expect(alice.doc.getText('content').toJSON()).toBe('one\nby alice\nthree')
      }
      alice.connect(scene.room)
      await scene.settle()
      await isFound()
    })

    it('[CONF-6] is answered only once its edits are on disk, judged', async () => {
      const { alice } = await apart()
      alice.connect(scene.room)
      alice.deliverUp()
      alice.deliverDown()
      const letGo = scene.core.storage.hold()
      alice.deliverUp()
      for (let n = 0; n < 5; n++) await settled()
      alice.deliverDown()
      expect(alice.doc.getText('content').toJSON()).toBe('one\nby alice\nthree')
      letGo()
      for (let n = 0; n < 5; n++) await settled()
      await scene.room.settled()
      await scene.core.committer.settled(scene.replica.id)
      await settled()
      alice.deliverDown()
      expect(alice.doc.getText('content').toJSON()).toContain('by bob')
      await isFound()
      alice.disconnect()
    })

    it('[CONF-6] and goes on in the same place before it has our answer is one conflict, which holds all of it', async () => {
      const { alice } = await apart()
      await bringUnanswered(alice)
      const [first] = await scene.conflicts()
      alice.doc.getText('content').insert(12, '!')
      await scene.settle()
      const [conflict, ...more] = await scene.conflicts()
      expect(more).toEqual([])
      expect(conflict).toMatchObject({
        id: first?.id,
        status: 'open',
        base: { content: 'one\ntwo\nthree' },
        current: { content: 'one\nby bob\nthree', authors: ['bob'] },
        incoming: { content: 'one\nby alice!\nthree', authors: ['alice'] },
        merged: { content: scene.content },
        overlaps: [{ id: 'L2', incoming: 'by alice!' }],
      })
      expect(scene.unexpected).toEqual([])
    })

    it('[CONF-6] and goes on while somebody dismisses that conflict has another one, and nobody is cut off', async () => {
      const { alice } = await apart()
      await bringUnanswered(alice)
      alice.doc.getText('content').insert(12, '!')
      const letGo = scene.core.storage.hold()
      const dismissed = scene.core.acts.perform([id('doc')], onOne(dismissal))
      for (let n = 0; n < 6; n++) {
        alice.deliverUp()
        alice.deliverDown()
        await settled()
      }
      letGo()
      await dismissed
      await scene.settle()
      expect((await scene.conflicts()).map(({ status }) => status).toSorted()).toEqual(['dismissed', 'open'])
      expect(scene.replica.ended).toBeNull()
      expect(scene.content).toContain('by alice!')
    })

    it('[CONF-6] is judged with what it sends before it has asked for the document, though that leaves a gap', async () => {
      const { alice } = await apart()
      alice.connect(scene.room, 'write', () => alice.doc.getText('content').insert(0, '* '))
      await scene.settle()
      expect(alice.closed).toBeNull()
      expect(alice.doc.getText('content').toJSON()).toBe(scene.content)
      expect(await scene.conflicts()).toMatchObject([
        { base: { content: 'one\ntwo\nthree' }, incoming: { content: '* one\nby alice\nthree' } },
      ])
    })
  })

  it.each([
    ['lower', 3, 'four', { two: 'by alice', four: 'again' }],
    ['higher', 7, 'four', { two: 'by alice', four: 'again' }],
    ['lower', 3, 'two', { two: 'again', four: 'four' }],
    ['higher', 7, 'two', { two: 'again', four: 'four' }],
  ])(
    '[CONF-6] with the %s id (%i) that sets key %s before it has our answer has one conflict, also where its value lost',
    async (_, aliceId, key, content) => {
      const alice = await bringOneKey(aliceId)
      alice.doc.getMap('content').set(key, 'again')
      await scene.settle()
      const found = await scene.conflicts()
      const sides = { base: { content: { two: 'two', four: 'four' } }, incoming: { content } }
      expect(found).toMatchObject([{ ...sides, overlaps: [{ id: 'P/two' }] }])
    },
  )

  it.each([
    ['lower', 3],
    ['higher', 7],
  ])(
    '[CONF-6] with the %s id that is cut before it has our answer, and sets another key, keeps the value that lost, in one conflict',
    async (_, aliceId) => {
      const alice = await bringOneKey(aliceId)
      alice.disconnect()
      alice.doc.getMap('content').set('four', 'again')
      alice.connect(scene.room)
      await scene.settle()
      const found = await scene.conflicts()
      expect(found.map(({ base, incoming }) => [base.content, incoming.content])).toContainEqual([
        { two: 'two', four: 'four' },
        expect.objectContaining({ two: 'by alice' }),
      ])
      expect(found.map(({ incoming }) => incoming.content)).toEqual([{ two: 'by alice', four: 'again' }])
    },
  )
})
