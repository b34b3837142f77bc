import { afterEach, describe, expect, it } from 'vitest'
import { aliceAndBob, type LiveScene } from '../support/liveScene.ts'
import { SimulatedClient } from '../support/simulatedClient.ts'

describe('an edit of a connected client', () => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  async function setUp() {
    const both = await aliceAndBob()
    scene = both.scene
    return both
  }

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
})
