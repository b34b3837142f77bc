import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { nothing, onOne, type Found, type Step } from '../../server/documents/acts/plan.ts'
import { closed } from '../../server/model/conflict.ts'
import { invariant } from '../../server/foundation/assert.ts'
import { toVersion } from '../../server/foundation/ids.ts'
import type { SyncLimits } from '../../server/sync/limits.ts'
import { SeenVersions } from '../../server/sync/seenVersions.ts'
import { BOB, id } from '../support/documentCore.ts'
import { LiveScene } from '../support/liveScene.ts'
import { settled } from '../support/manualEnvironment.ts'
import { SimulatedClient } from '../support/simulatedClient.ts'

const WINDOW_MS = 2_000

/** Of the only open conflict. */
async function dismissal(found: Found): Promise<Step<null>> {
  invariant(!('absent' in found), 'the document lives')
  const [open] = await found.conflicts({ statuses: ['open'], before: null, limit: 1 })
  invariant(open !== undefined, 'a conflict is open')
  const end = { status: 'dismissed', closedAt: 1, closedBy: BOB, comment: null } as const
  return { outcome: null, plan: { ...nothing(found), conflicts: [{ op: 'update', record: closed(open, end) }] } }
}

describe('what a page has seen', () => {
  const first = SeenVersions.upTo(toVersion(1))

  it('[CONF-6] is what was sent before the newest question that it answered', () => {
    const asked = first.sent(toVersion(2), false, 100)
    const seen = asked.asked().sent(toVersion(3), false, 200)
    expect(seen.unseenSinceMs).toBe(100)
    const answered = seen.answered(asked.nextQuestion)
    expect(answered.knowledge()).toEqual({ by: 'versions', seen: 2, own: [] })
    expect(answered.unseenSinceMs).toBe(200)
    const again = answered.asked().answered(answered.nextQuestion)
    expect(again.unseenSinceMs).toBeNull()
    expect(again.knowledge()).toEqual({ by: 'versions', seen: 3, own: [] })
  })

  it('[CONF-6] what it wrote itself it has, whatever it has seen of the rest', () => {
    const seen = first.sent(toVersion(2), false, 100).sent(toVersion(3), true, 150)
    expect(seen.knowledge()).toEqual({ by: 'versions', seen: 1, own: [3] })
    expect(seen.unseenSinceMs).toBe(100)
  })

  it('needs no question about what it wrote itself; an answer to an unknown question tells nothing', () => {
    const seen = first.sent(toVersion(2), true, 100)
    expect(seen.hasUnasked).toBe(false)
    expect(seen.answered(77).knowledge()).toEqual({ by: 'versions', seen: 1, own: [2] })
  })

  it('keeps the age of the oldest unseen entry however many questions are never answered', () => {
    let seen = first
    for (let n = 2; n < 500; n += 1) seen = seen.sent(toVersion(n), false, n).asked()
    expect(seen.unseenSinceMs).toBe(2)
  })
})

describe('an edit of a connected client', () => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  async function setUp(limits: Partial<SyncLimits> = {}) {
    scene = await LiveScene.start('one\ntwo\nthree', limits)
    const [alice, bob] = [await scene.join('alice', 3), await scene.join('bob', 5)]
    await scene.pass(WINDOW_MS)
    return { alice, bob }
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

  it('[CONF-7] made without what is younger than the window raises nothing, on the same line too', async () => {
    const { alice, bob } = await setUp()
    bob.doc.getText('content').insert(4, 'bob ')
    bob.deliverUp()
    await scene.settle([bob])
    await scene.core.environment.advance(WINDOW_MS - 1)
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle()
    expect(await scene.conflicts()).toEqual([])
    expect(scene.content).toContain('alice ')
  })

  it('[CONF-6] on a line that was dead without closing is judged as exactly as a return', async () => {
    const { alice, bob } = await setUp()
    bob.doc.getText('content').insert(4, 'bob ')
    bob.deliverUp()
    await scene.settle([bob])
    await scene.core.environment.advance(20_000)
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle()
    const [conflict, ...more] = await scene.conflicts()
    expect(more).toEqual([])
    expect(conflict).toMatchObject({
      kind: 'concurrent-edit',
      base: { version: 1, content: 'one\ntwo\nthree' },
      current: { content: 'one\nbob two\nthree', authors: ['bob'] },
      incoming: { content: 'one\nalice two\nthree', authors: ['alice'] },
      overlaps: [{ id: 'L2' }],
    })
  })

  it.each(['ended first', 'is still there'])(
    '[CONF-6] on a line that was dead without closing, and comes back by itself, is judged by what its page had proved; its session %s',
    async (how) => {
      const { alice, bob } = await setUp()
      bob.doc.getText('content').insert(4, 'bob ')
      bob.deliverUp()
      await scene.settle([bob])
      await scene.core.environment.advance(5_000)
      alice.doc.getText('content').insert(4, 'alice ')
      if (how === 'ended first') alice.disconnect()
      else alice.lose()
      alice.connect(scene.room)
      await scene.settle()
      expect(await scene.conflicts()).toMatchObject([
        {
          base: { content: 'one\ntwo\nthree' },
          current: { content: 'one\nbob two\nthree', authors: ['bob'] },
          incoming: { content: 'one\nalice two\nthree', authors: ['alice'] },
        },
      ])
    },
  )

  it('[CONF-7] after a line was cut that was idle for long, and came back at once, raises nothing', async () => {
    const { alice, bob } = await setUp()
    await scene.pass(60_000)
    alice.disconnect()
    bob.doc.getText('content').insert(4, 'bob ')
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle([bob])
    await scene.core.environment.advance(200)
    alice.connect(scene.room)
    await scene.settle()
    expect(await scene.conflicts()).toEqual([])
  })

  it('[CONF-6] is judged by what its page has proved, whatever the page tells unasked', async () => {
    const { alice, bob } = await setUp()
    bob.doc.getText('content').insert(4, 'bob ')
    bob.deliverUp()
    await scene.settle([bob])
    for (let n = 0; n < 5; n++) {
      await scene.core.environment.advance(1_000)
      alice.announce()
      alice.deliverUp()
      await scene.settle([bob])
    }
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle()
    expect(await scene.conflicts()).toHaveLength(1)
  })

  it('[CONF-6] is asked for proof once a second at most, and only of what is not proved', async () => {
    const { alice, bob } = await setUp()
    const before = alice.asked.length
    for (let n = 0; n < 50; n++) {
      bob.doc.getText('content').insert(4, 'b')
      await scene.pass(100)
    }
    expect(alice.asked.length - before).toBeLessThanOrEqual(6)
    expect(alice.asked.length - before).toBeGreaterThanOrEqual(5)
    await scene.pass(2_000)
    const quiet = alice.asked.length
    alice.doc.getText('content').insert(4, 'a')
    await scene.pass(20_000)
    expect(alice.asked).toHaveLength(quiet)
  })

  it('[CONF-6] is asked for proof first where it writes or moves a cursor, in a room of many who look on', async () => {
    const { alice: mover, bob } = await setUp()
    const crowd: SimulatedClient[] = []
    for (let n = 0; n < 120; n++) crowd.push(await scene.join(`looker-${n}`, 100 + n))
    const [writer, renewer, idle] = crowd as [SimulatedClient, SimulatedClient, SimulatedClient]
    await scene.pass(20_000)
    const all = [mover, writer, renewer, idle]
    const before = all.map(({ asked }) => asked.length)
    for (let second = 0; second < 10; second++) {
      bob.doc.getText('content').insert(4, 'b')
      mover.moveCursor()
      renewer.announce()
      writer.doc.getText('content').insert(0, 'w')
      await scene.pass(1_000)
    }
    const asked = all.map((one, n) => one.asked.length - (before[n] ?? 0))
    expect(Math.min(...asked.slice(0, 2))).toBeGreaterThanOrEqual(8)
    expect(Math.max(...asked.slice(2))).toBeLessThanOrEqual(6)
  })

  it('[CONF-6] is asked by the question with the shorter answer: for deletes or for who is there', async () => {
    const { alice, bob } = await setUp()
    const kinds = async (): Promise<string[]> => {
      alice.asked.length = 0
      bob.doc.getText('content').insert(0, 'b')
      await scene.settle()
      await scene.pass(1_000)
      return [...alice.asked]
    }
    expect(await kinds()).toEqual(['sync-step-1'])
    for (let n = 0; n < 100; n++) {
      bob.doc.getText('content').insert(n, 'xy')
      bob.doc.getText('content').delete(n, 1)
    }
    await scene.settle()
    // The answer tells how long it is.
    await kinds()
    await kinds()
    expect(await kinds()).toEqual(['query-awareness'])
  })

  it('[CONF-7] after the line was dead, what it has seen by then raises nothing', async () => {
    const { alice, bob } = await setUp()
    bob.doc.getText('content').insert(4, 'bob ')
    bob.deliverUp()
    await scene.settle([bob])
    await scene.core.environment.advance(20_000)
    await scene.settle()
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle()
    expect(await scene.conflicts()).toEqual([])
  })

  it('[CONF-7] after a break shorter than the window raises nothing', async () => {
    const { alice, bob } = await setUp()
    alice.disconnect()
    await scene.core.environment.advance(WINDOW_MS - 100)
    bob.doc.getText('content').insert(4, 'bob ')
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle([bob])
    alice.connect(scene.room)
    await scene.settle()
    expect(await scene.conflicts()).toEqual([])
    expect(scene.content).toContain('alice ')
  })

  it.each(['text', 'json'] as const)(
    '[CONF-7] that left right after it was sent a deletion, and goes on from there, raises nothing: %s',
    async (kind) => {
      scene = await LiveScene.start(kind === 'text' ? 'one\ntwo\nthree' : { two: 'two', three: 3 })
      const [alice, bob] = [await scene.join('alice', 3), await scene.join('bob', 5)]
      await scene.pass(WINDOW_MS)
      if (kind === 'text') bob.doc.getText('content').delete(4, 3)
      else bob.doc.getMap('content').delete('two')
      await scene.settle()
      alice.disconnect()
      if (kind === 'text') alice.doc.getText('content').insert(4, 'by alice')
      else alice.doc.getMap('content').set('two', 'by alice')
      await scene.core.environment.advance(60_000)
      alice.connect(scene.room)
      await scene.settle()
      expect(scene.content).toEqual(kind === 'text' ? 'one\nby alice\nthree' : { three: 3, two: 'by alice' })
      expect(await scene.conflicts()).toEqual([])
    },
  )

  it.each([
    ['broke off', 1],
    ['was closed', 0],
  ] as const)('[CONF-6] whose line %s right after it was sent a deletion: %i conflict', async (how, count) => {
    scene = await LiveScene.start({ two: 'two' })
    const [alice, bob] = [await scene.join('alice', 3), await scene.join('bob', 5)]
    await scene.pass(WINDOW_MS)
    bob.doc.getMap('content').delete('two')
    bob.deliverUp()
    await scene.settle([bob])
    if (how === 'broke off') alice.breakOff()
    else {
      alice.deliverDown()
      alice.disconnect()
    }
    alice.doc.getMap('content').set('two', 'by alice')
    await scene.core.environment.advance(60_000)
    alice.connect(scene.room)
    await scene.settle()
    expect(scene.content).toEqual({ two: 'by alice' })
    expect(await scene.conflicts()).toHaveLength(count)
  })

  it('[CONF-6] whose line was dead for a window when it ended has not seen what was sent to it, a deletion as little', async () => {
    scene = await LiveScene.start({ two: 'two' })
    const [alice, bob] = [await scene.join('alice', 3), await scene.join('bob', 5)]
    await scene.pass(WINDOW_MS)
    bob.doc.getMap('content').delete('two')
    bob.deliverUp()
    await scene.settle([bob])
    await scene.core.environment.advance(WINDOW_MS)
    alice.disconnect()
    alice.doc.getMap('content').set('two', 'by alice')
    alice.connect(scene.room)
    await scene.settle()
    expect(await scene.conflicts()).toMatchObject([{ overlaps: [{ pointer: '/two' }] }])
  })

  it('[CONF-6] after a longer one is judged, however young what it did not see is', async () => {
    const { alice, bob } = await setUp()
    alice.disconnect()
    await scene.core.environment.advance(WINDOW_MS)
    bob.doc.getText('content').insert(4, 'bob ')
    alice.doc.getText('content').insert(4, 'alice ')
    await scene.settle([bob])
    alice.connect(scene.room)
    await scene.settle()
    expect(await scene.conflicts()).toHaveLength(1)
  })

  it.each([
    ['[CONF-6] that left a window before it came are found', WINDOW_MS, 1],
    ['[CONF-7] that left less before it came raise nothing', WINDOW_MS - 100, 0],
  ])('brings stored edits of a page %s', async (_, awayMs, found) => {
    const { alice, bob } = await setUp()
    alice.disconnect()
    await scene.core.environment.advance(awayMs)
    bob.doc.getText('content').insert(4, 'bob ')
    alice.doc.getText('content').insert(7, ' alice')
    await scene.settle([bob])
    const page = await scene.join('alice', 9)
    await scene.pass(WINDOW_MS)
    Y.applyUpdate(page.doc, Y.encodeStateAsUpdate(alice.doc), 'stored')
    await scene.settle()
    expect(scene.content).toContain('alice')
    expect(await scene.conflicts()).toHaveLength(found)
  })

  it.each([
    ['lower', 3],
    ['higher', 7],
  ])(
    '[CONF-6] brings stored edits of a page with the %s id that set a key others set too: found',
    async (_, aliceId) => {
      scene = await LiveScene.start({ two: 'two' })
      const [alice, bob] = [await scene.join('alice', aliceId), await scene.join('bob', 5)]
      await scene.pass(WINDOW_MS)
      alice.disconnect()
      await scene.core.environment.advance(WINDOW_MS)
      for (const { doc, name } of [alice, bob]) doc.getMap('content').set('two', `by ${name}`)
      await scene.settle([bob])
      const page = await scene.join('alice', 9)
      await scene.pass(WINDOW_MS)
      Y.applyUpdate(page.doc, Y.encodeStateAsUpdate(alice.doc), 'stored')
      await scene.settle()
      expect(scene.content).toEqual(page.doc.getMap('content').toJSON())
      expect(await scene.conflicts()).toMatchObject([{ overlaps: [{ pointer: '/two' }] }])
    },
  )

  it('[CONF-6] brings stored edits of a page that replaced what others worked in: found', async () => {
    scene = await LiveScene.start({ in: { deep: 1 } })
    const [alice, bob] = [await scene.join('alice', 3), await scene.join('bob', 5)]
    await scene.pass(WINDOW_MS)
    alice.disconnect()
    await scene.core.environment.advance(WINDOW_MS)
    alice.doc.getMap('content').set('in', 'replaced')
    const inner: unknown = bob.doc.getMap('content').get('in')
    if (!(inner instanceof Y.Map)) throw new Error('a nested map is shared')
    inner.set('deep', 2)
    await scene.settle([bob])
    const page = await scene.join('alice', 9)
    await scene.pass(WINDOW_MS)
    Y.applyUpdate(page.doc, Y.encodeStateAsUpdate(alice.doc), 'stored')
    await scene.settle()
    expect(scene.content).toEqual({ in: 'replaced' })
    expect(await scene.conflicts()).toMatchObject([{ overlaps: [{ pointer: '/in' }] }])
  })

  it('[CONF-7] a return without edits raises nothing and makes no version', async () => {
    const { alice, bob } = await setUp()
    alice.disconnect()
    await scene.core.environment.advance(60_000)
    bob.doc.getText('content').delete(0, 6)
    await scene.settle([bob])
    const version = scene.replica.appliedVersion
    alice.connect(scene.room)
    await scene.settle()
    expect(scene.replica.appliedVersion).toBe(version)
    expect(await scene.conflicts()).toEqual([])
  })

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

  it('[CONF-6] that answers none of our questions is shown what there is after 60 s all the same', async () => {
    const { alice, bob } = await setUp()
    alice.disconnect()
    bob.doc.getText('content').insert(0, 'bob ')
    await scene.settle([bob])
    alice.isMute = true
    alice.connect(scene.room)
    await scene.settle()
    expect(alice.doc.getText('content').toJSON()).toBe('one\ntwo\nthree')
    await scene.core.environment.advance(60_000)
    await scene.settle()
    expect(alice.doc.getText('content').toJSON()).toBe('bob one\ntwo\nthree')
  })

  it('[CONF-6] that has nothing is shown what there is at once, and its edits go in after 60 s, answers or not', async () => {
    const { bob } = await setUp()
    const mute = new SimulatedClient('mute', 11)
    scene.clients.push(mute)
    mute.isMute = true
    mute.connect(scene.room)
    await scene.settle()
    expect(mute.doc.getText('content').toJSON()).toBe('one\ntwo\nthree')
    mute.doc.getText('content').insert(0, 'mute ')
    bob.doc.getText('content').insert(13, ' bob')
    await scene.settle()
    expect(mute.doc.getText('content').toJSON()).toBe('mute one\ntwo\nthree bob')
    expect(scene.content).toBe('one\ntwo\nthree bob')
    await scene.core.environment.advance(60_000)
    await scene.settle()
    expect(scene.content).toBe('mute one\ntwo\nthree bob')
  })

  it('[CONF-7] that does not ask for the document is merged as it comes, after a moment', async () => {
    const { alice } = await setUp()
    const { doc } = alice
    const update = new Promise<Uint8Array>((resolve) => doc.once('update', resolve))
    alice.disconnect()
    doc.getText('content').insert(0, 'alice ')
    alice.sendOnly(scene.room, await update)
    await scene.settle()
    expect(scene.content).not.toContain('alice')
    await scene.pass(WINDOW_MS)
    expect(scene.content).toContain('alice')
    expect(await scene.conflicts()).toEqual([])
  })
})

describe('a page that has more than the server', () => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  it('[SYNC-6] of another tab, and goes on writing on that, is asked for it and stays', async () => {
    scene = await LiveScene.start('one\n')
    const [tab, sibling] = [await scene.join('alice', 3), await scene.join('alice', 7)]
    await scene.pass(WINDOW_MS)
    // The line of the other tab is cut; over its browser it still tells this one, which hands nothing on.
    sibling.disconnect()
    for (let n = 0; n < 5; n++) {
      sibling.doc.getText('content').insert(sibling.doc.getText('content').length, `sibling ${n}, `)
      Y.applyUpdate(tab.doc, Y.encodeStateAsUpdate(sibling.doc), tab)
      tab.doc.getText('content').insert(tab.doc.getText('content').length, `tab ${n}\n`)
      Y.applyUpdate(sibling.doc, Y.encodeStateAsUpdate(tab.doc), sibling)
      await scene.settle([tab])
    }
    expect(tab.closed).toBeNull()
    expect(scene.content).toBe(tab.doc.getText('content').toJSON())
    expect(scene.content).toContain('sibling 4, tab 4')
    expect(await scene.conflicts()).toEqual([])
  })

  it.each(['before it comes', 'once it is in sync'])(
    '[SYNC-6] whose stored history has a hole, which it reads %s, comes once, is not cut, and what it writes is kept',
    async (when) => {
      scene = await LiveScene.start('one\n')
      const before = await scene.join('alice', 3)
      await scene.pass(WINDOW_MS)
      before.disconnect()
      const rows: Uint8Array[] = []
      before.doc.on('update', (update: Uint8Array) => rows.push(update))
      for (const word of ['first ', 'lost ', 'third ']) before.doc.getText('content').insert(0, word)
      before.doc.getText('content').delete(0, 3)
      const [first, , third, deletion] = rows
      const stored = [first, third, deletion].flatMap((row) => row ?? [])
      const page = new SimulatedClient('alice', 9)
      scene.clients.push(page)
      const read = (): void => stored.forEach((row) => Y.applyUpdate(page.doc, row, 'stored'))
      if (when === 'before it comes') read()
      page.connect(scene.room)
      await scene.settle()
      if (when === 'once it is in sync') read()
      for (let n = 0; n < 5; n++) {
        page.doc.getText('content').insert(page.doc.getText('content').length, `${n}`)
        await scene.settle()
        await scene.pass(1_000)
      }
      expect(page.closed).toBeNull()
      expect(scene.content).toBe(page.doc.getText('content').toJSON())
      expect(scene.content).toContain('first ')
      expect(scene.content).toContain('01234')
    },
  )
})
