import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OpenBound } from '../../server/conflicts/openBound.ts'
import { toSequence } from '../../server/foundation/ids.ts'
import { id } from '../support/documentCore.ts'
import { LiveScene } from '../support/liveScene.ts'
import { settled } from '../support/manualEnvironment.ts'
import type { SimulatedClient } from '../support/simulatedClient.ts'

const BOUND = 100
const AWAY_MS = 3_000

let scene: LiveScene
let bound: OpenBound
let alice: SimulatedClient
let bob: SimulatedClient
let unexpected: unknown[]
beforeEach(async () => {
  scene = await LiveScene.start('start')
  unexpected = []
  bound = new OpenBound({ ...scene.core, onUnexpected: (error) => unexpected.push(error) })
  alice = await scene.join('alice', 3)
  bob = await scene.join('bob', 5)
})
afterEach(async () => {
  await bound.close()
  await scene.stop()
  expect(unexpected).toEqual([])
})

/** Alice comes back so often with edits in the line that bob edited meanwhile. */
async function comeBack(times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    alice.disconnect()
    alice.doc.getText('content').insert(0, 'a')
    bob.doc.getText('content').insert(0, 'b')
    await scene.settle([bob])
    await scene.core.environment.advance(AWAY_MS)
    alice.connect(scene.room)
    await scene.settle()
  }
  await settled()
}

const stored = async () =>
  (
    await scene.core.storage.conflicts({ patterns: [{ exact: id('doc') }], before: null, limit: 2 * BOUND })
  ).toReversed()
const openOnes = async () => (await stored()).filter(({ state }) => state.status === 'open')

describe('the bound of open conflicts', () => {
  it('[CONF-9] past it the newest loss is kept, and the oldest gives way to it, and everyone is told', async () => {
    const reads = scene.core.storage.calls('conflicts')
    await comeBack(BOUND)
    // Within it a return costs no more than being compared with what was raised before.
    expect(scene.core.storage.calls('conflicts') - reads).toBe(BOUND)
    const [first, ...others] = await stored()
    expect(await openOnes()).toHaveLength(BOUND)
    await comeBack(1)
    const [closedOne, ...rest] = await stored()
    expect(rest.slice(0, -1)).toEqual(others)
    expect(rest.at(-1)).toMatchObject({ kind: 'concurrent-edit', author: 'alice', state: { status: 'open' } })
    const comment = 'Its author has 100 newer open conflicts here.'
    const state = { status: 'superseded', closedAt: scene.core.environment.now(), closedBy: 'alice', comment }
    expect(closedOne).toEqual({ ...first, state, revision: 2 })
    // What it holds can be read still.
    const { id, incoming } = first ?? expect.fail()
    expect(await scene.core.storage.content(id, incoming.hash ?? '')).toBe('astart')
    const events = await scene.core.storage.events(toSequence(0), 500)
    expect(events.slice(-2)).toMatchObject([
      { type: 'parley.conflict.detected', data: { conflict: rest.at(-1)?.id } },
      { type: 'parley.conflict.superseded', data: { conflict: first?.id, by: 'alice' } },
    ])
  })

  it('[CONF-9] counts each principal for itself', async () => {
    await comeBack(BOUND)
    ;[alice, bob] = [bob, alice]
    await comeBack(1)
    expect(await openOnes()).toHaveLength(BOUND + 1)
  })

  it('[CONF-9] what a full disk left undone is made up for by the next conflict', async () => {
    await comeBack(BOUND)
    const { storage } = scene.core
    const stop = storage.onCommitted(({ events }) => {
      if (events.some(({ type }) => type === 'parley.conflict.detected')) storage.failNext(1)
    })
    await comeBack(1)
    stop()
    expect(await openOnes()).toHaveLength(BOUND + 1)
    await comeBack(1)
    expect(await openOnes()).toHaveLength(BOUND)
    expect((await stored()).slice(0, 3).map(({ state }) => state.status)).toEqual(['superseded', 'superseded', 'open'])
  })
})
