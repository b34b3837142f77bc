import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { LiveScene } from '../support/liveScene.ts'
import { SimulatedClient } from '../support/simulatedClient.ts'

/** As after a restart: what each had seen is remembered by nobody. */
describe.each([
  ['lower', 3],
  ['higher', 7],
])('a client with the %s id of which the server remembers nothing', (_, aliceId) => {
  let scene: LiveScene
  afterEach(() => scene.stop())

  /** Has all there is, and is in no session. */
  function away(name: string, clientId: number): SimulatedClient {
    const client = new SimulatedClient(name, clientId, scene.replica.head.kind)
    Y.applyUpdate(client.doc, Y.encodeStateAsUpdate(scene.replica.doc))
    scene.clients.push(client)
    return client
  }

  it('[CONF-6] brings a value in place of one that somebody has deleted: found', async () => {
    scene = await LiveScene.start({ title: 'old', other: 1 })
    const [alice, bob] = [away('alice', aliceId), await scene.join('bob', 5)]
    bob.doc.getMap('content').delete('title')
    await scene.settle([bob])
    alice.doc.getMap('content').set('title', 'by alice')
    alice.connect(scene.room)
    await scene.settle()
    expect(await scene.conflicts()).toMatchObject([
      {
        base: { content: { title: 'old', other: 1 } },
        current: { content: { other: 1 }, authors: ['bob'] },
        incoming: { content: { title: 'by alice', other: 1 } },
      },
    ])
  })

  it('[CONF-7] goes on where it deleted something itself before: nothing is raised', async () => {
    scene = await LiveScene.start('one\ntwo\nthree')
    const before = away('alice', aliceId)
    before.connect(scene.room)
    await scene.settle()
    before.doc.getText('content').delete(4, 2)
    await scene.settle()
    before.disconnect()
    const alice = away('alice', 9)
    alice.doc.getText('content').insert(4, 'tw')
    alice.connect(scene.room)
    await scene.settle()
    expect(scene.content).toBe('one\ntwo\nthree')
    expect(await scene.conflicts()).toEqual([])
  })

  it('[CONF-6] comes together with another such one: whoever is second is judged by what the first brought', async () => {
    scene = await LiveScene.start({ title: 'old' })
    const [alice, bob] = [away('alice', aliceId), away('bob', 5)]
    for (const { doc, name } of [alice, bob]) doc.getMap('content').set('title', `by ${name}`)
    for (const one of [alice, bob]) one.connect(scene.room)
    for (const one of [alice, bob]) one.deliverUp()
    for (const one of [alice, bob]) one.deliverDown()
    for (const one of [alice, bob]) one.deliverUp()
    await scene.settle()
    expect(await scene.conflicts()).toMatchObject([{ base: { content: { title: 'old' } } }])
  })
})
