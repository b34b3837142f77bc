import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { LiveScene, WINDOW_MS } from '../support/liveScene.ts'
import { SimulatedClient } from '../support/simulatedClient.ts'

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
