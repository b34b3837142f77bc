import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { contentEquals } from '../../server/content/equal.ts'
import { edit } from '../support/linePage.ts'
import { LiveScene, plain } from '../support/liveScene.ts'
import { settled } from '../support/manualEnvironment.ts'
import type { SimulatedClient } from '../support/simulatedClient.ts'

const CONTENT = {
  text: 'one\ntwo\nsix\nfour\nfive',
  json: { one: 'one', two: 'two', six: 'six', four: 'four', five: 'five' },
}
type Key = keyof typeof CONTENT.json

/** It has brought its edits, and writes on before it has our answer. */
describe.each([
  ['text', 'lower', 3],
  ['text', 'higher', 7],
  ['json', 'lower', 3],
  ['json', 'higher', 7],
] as const)('a client of a %s with the %s id that returned', (kind, _, aliceId) => {
  let scene: LiveScene
  let alice: SimulatedClient
  afterEach(() => scene.stop())

  const quiet = async (): Promise<void> => {
    for (let n = 0; n < 5; n++) await settled()
    await scene.room.settled()
    await scene.core.committer.settled(scene.replica.id)
  }

  /** Bob has written in two places, and what she wrote in one of them, with more, is taken in; our answer is on its way. */
  const returned = async (more: () => void): Promise<void> => {
    scene = await LiveScene.start(CONTENT[kind], {}, { limits: { maxBytes: 4 * 1024 * 1024 } })
    alice = await scene.join('alice', aliceId)
    const bob = await scene.join('bob', 5)
    await scene.pass(2_000)
    alice.disconnect()
    await scene.core.environment.advance(60_000)
    bob.doc.transact(() => {
      edit(bob.doc, kind, 'same', 'bob')
      rewrite(bob.doc, 'four', 'by bob')
    })
    await scene.settle([bob])
    edit(alice.doc, kind, 'same', 'alice')
    more()
    alice.connect(scene.room)
    alice.deliverUp()
    alice.deliverDown()
    alice.deliverUp()
    await quiet()
    expect(await scene.conflicts()).toHaveLength(1)
  }

  /** She writes on, and the server takes that in. */
  const goesOn = async (writes: () => void): Promise<void> => {
    writes()
    alice.deliverUp()
    await quiet()
  }

  const comesBack = async (): Promise<void> => {
    alice.disconnect()
    await quiet()
    alice.connect(scene.room)
    await scene.settle()
    expect(alice.closed).toBeNull()
    expect(contentEquals(plain(alice, kind), scene.content)).toBe(true)
    expect(Y.encodeStateVector(alice.doc)).toEqual(Y.encodeStateVector(scene.replica.doc))
  }

  const rewrite = (doc: Y.Doc, key: Key, value: string): void => {
    if (kind === 'json') return void doc.getMap('content').set(key, value)
    const text = doc.getText('content')
    const at = text.toString().indexOf(key)
    text.delete(at, key.length)
    text.insert(at, value)
  }

  /** What each conflict's base, current and incoming say in a place. */
  const sides = async (key: Key): Promise<unknown[][]> => {
    const said = (content: unknown): unknown =>
      kind === 'json' ? Object(content)[key] : String(content).split('\n')[Object.keys(CONTENT.json).indexOf(key)]
    const found: unknown[][] = []
    for (const { base, current, incoming } of await scene.sides()) found.push([base, current, incoming].map(said))
    return found
  }

  it('[CONF-6] has what it wrote before it had our answer in its conflict, also where its line is cut', async () => {
    await returned(() => undefined)
    await goesOn(() => edit(alice.doc, kind, 'other', 'alice'))
    await comesBack()
    expect(await sides('two')).toEqual([['two', 'by bob', 'by alice']])
    expect(await sides('four')).toEqual([['four', 'by bob', 'by alice']])
  })

  it.each([
    ['its return alone', 1_200_000, 0],
    ['what it goes on with', 0, 1_200_000],
    ['both together', 600_000, 600_000],
  ])('[CONF-6] has all of it in its conflict where %s brings over 1 MiB', async (_what, first, second) => {
    await returned(() => first > 0 && rewrite(alice.doc, 'six', 'x'.repeat(first)))
    await goesOn(() => {
      edit(alice.doc, kind, 'other', 'alice')
      if (second > 0) rewrite(alice.doc, 'five', 'y'.repeat(second))
    })
    await goesOn(() => rewrite(alice.doc, 'one', 'alice too'))
    await comesBack()
    expect(await sides('two')).toEqual([['two', 'by bob', 'by alice']])
    expect(await sides('four')).toEqual([['four', 'by bob', 'by alice']])
    expect(await sides('one')).toEqual([['one', 'one', 'alice too']])
    const [six, five] = [await sides('six'), await sides('five')]
    expect(six.map((side) => side.map((value) => String(value).length))).toEqual([[3, 3, first || 3]])
    expect(five.map((side) => side.map((value) => String(value).length))).toEqual([[4, 4, second || 4]])
  })
})
