import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { edit } from '../support/linePage.ts'
import { LiveScene, plain } from '../support/liveScene.ts'
import { settled } from '../support/manualEnvironment.ts'

const CONTENT = {
  text: 'one\ntwo\nsix\nfour\nfive',
  json: { one: 'one', two: 'two', six: 'six', four: 'four', five: 'five' },
}

/** It has brought its edits, and writes on before it has our answer. */
describe.each([
  ['text', 'lower', 3],
  ['text', 'higher', 7],
  ['json', 'lower', 3],
  ['json', 'higher', 7],
] as const)('a client of a %s with the %s id that returned', (kind, _, aliceId) => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  it('[CONF-6] has what it wrote before it had our answer in its conflict, also where its line is cut', async () => {
    scene = await LiveScene.start(CONTENT[kind])
    const [alice, bob] = [await scene.join('alice', aliceId), await scene.join('bob', 5)]
    await scene.pass(2_000)
    alice.disconnect()
    await scene.core.environment.advance(60_000)
    bob.doc.transact(() => {
      edit(bob.doc, kind, 'same', 'bob')
      if (kind === 'json') bob.doc.getMap('content').set('four', 'by bob')
      else {
        const text = bob.doc.getText('content')
        const at = text.toString().indexOf('four')
        text.delete(at, 4)
        text.insert(at, 'by bob')
      }
    })
    await scene.settle([bob])
    edit(alice.doc, kind, 'same', 'alice')
    alice.connect(scene.room)
    alice.deliverUp()
    alice.deliverDown()
    alice.deliverUp()
    const quiet = async (): Promise<void> => {
      for (let n = 0; n < 5; n++) await settled()
      await scene.room.settled()
      await scene.core.committer.settled(scene.replica.id)
    }
    await quiet()
    expect(await scene.conflicts()).toHaveLength(1)
    edit(alice.doc, kind, 'other', 'alice')
    alice.deliverUp()
    await quiet()
    alice.disconnect()
    await quiet()
    alice.connect(scene.room)
    await scene.settle()
    expect(plain(alice, kind)).toEqual(scene.content)
    expect(Y.encodeStateVector(alice.doc)).toEqual(Y.encodeStateVector(scene.replica.doc))
    const said = (content: unknown, key: 'two' | 'four'): unknown =>
      kind === 'json' ? Object(content)[key] : String(content).split('\n')[key === 'two' ? 1 : 3]
    const found = await scene.conflicts()
    const sides = (key: 'two' | 'four'): unknown[] =>
      found.map(({ base, current, incoming }) => [base, current, incoming].map((side) => said(side?.content, key)))
    expect(sides('two')).toEqual([['two', 'by bob', 'by alice']])
    expect(sides('four')).toEqual([['four', 'by bob', 'by alice']])
  })
})
