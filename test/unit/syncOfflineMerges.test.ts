import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { aliceAndBob, LiveScene, WINDOW_MS } from '../support/liveScene.ts'

describe('an edit of a connected client', () => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  async function setUp() {
    const both = await aliceAndBob()
    scene = both.scene
    return both
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
