import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { eventually } from '../support/waitFor.ts'

let server: TestServer
let rest: Caller
beforeAll(async () => {
  server = await startTestServer()
  rest = await server.as('rest')
})
const opened: StockClient[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy()
})
afterAll(() => server.stop())

async function editor(id: string, name: string, doc = new Y.Doc(), isTab = false): Promise<StockClient> {
  const url = `${server.url.replace(/^http/, 'ws')}/sync`
  const client = new StockClient(url, id, { token: await server.token(name) }, doc, isTab)
  opened.push(client)
  return client.synced()
}

const isStored = (id: string, text: string): Promise<void> =>
  eventually(async () => expect((await rest.get(`/documents/${id}/content`)).body).toBe(text))

/** No close at all is more than they are promised, and what they get. */
const areThere = (...clients: StockClient[]): void => expect(clients.flatMap((one) => one.closeCodes)).toEqual([])

describe('editors that hand on what others write', () => {
  it.each(['alice', 'bob'])(
    '[SYNC-6] (two providers on one page, of alice and of %s) stay, and go on',
    async (other) => {
      const id = `page-of-two-${other}`
      const doc = new Y.Doc()
      const [first, second] = [await editor(id, 'alice', doc), await editor(id, other, doc)]
      const carol = await editor(id, 'carol')
      first.text.insert(0, 'by the page')
      await carol.shows('by the page')
      carol.text.insert(0, 'carol ')
      await first.shows('carol by the page')
      second.text.insert(6, 'and ')
      await carol.shows('carol and by the page')
      second.provider.disconnect()
      first.text.insert(0, 'still ')
      await isStored(id, 'still carol and by the page')
      second.provider.connect()
      await second.synced()
      first.provider.disconnect()
      second.text.insert(0, 'now ')
      await isStored(id, 'now still carol and by the page')
      expect([...first.closeCodes, ...second.closeCodes].filter((code) => code >= 4400)).toEqual([])
      areThere(carol)
    },
  )

  it('[SYNC-6] (sibling tabs of two people) stay, however fast both type', async () => {
    const id = 'sibling-tabs'
    const [alice, bob] = [await editor(id, 'alice', new Y.Doc(), true), await editor(id, 'bob', new Y.Doc(), true)]
    for (let n = 0; n < 50; n++) {
      alice.text.insert(0, 'a')
      bob.text.insert(bob.text.length, 'b')
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually(async () => {
      const stored = String((await rest.get(`/documents/${id}/content`)).body)
      expect([...stored].toSorted().join('')).toBe('a'.repeat(50) + 'b'.repeat(50))
      expect([alice.text.toString(), bob.text.toString()]).toEqual([stored, stored])
    })
    areThere(alice, bob)
  })

  it('[SYNC-6] lose nothing of their own where they leave before the others have sent what it builds on', async () => {
    const id = 'leaves-first'
    const [alice, bob] = [await editor(id, 'alice'), await editor(id, 'bob')]
    bob.text.insert(0, '.')
    await alice.shows('.')
    bob.provider.disconnect()
    bob.text.insert(0, 'by bob')
    // As two tabs of one browser hand each other what they write.
    Y.applyUpdate(alice.doc, Y.encodeStateAsUpdate(bob.doc))
    alice.text.insert(6, ' and alice')
    const carol = await editor(id, 'carol')
    carol.text.insert(carol.text.length, ' carol')
    await alice.shows('by bob and alice. carol')
    alice.destroy()
    await isStored(id, '. carol')
    bob.provider.connect()
    await isStored(id, 'by bob and alice. carol')
    await bob.shows('by bob and alice. carol')
    areThere(carol)
  })
})
