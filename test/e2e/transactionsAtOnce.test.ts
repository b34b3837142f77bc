import { describe, expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { verdict } from '../support/documents.ts'
import type { Caller } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { codes, commit, transactionServer } from '../support/transactions.ts'
import { eventually } from '../support/waitFor.ts'

const { server, alice, bob, contentOf, versionOf } = transactionServer()

describe('[TX-4] nobody sees half', () => {
  it('[TX-4] readers at any moment find all of a transaction or nothing of it', async () => {
    const [one, two] = [await server.create({ n: 0 }), await server.create({ n: 0 })]
    const running = new AbortController()
    const seen: [number, number][] = []
    const reader = async (): Promise<void> => {
      while (!running.signal.aborted) {
        // Read in this order, the second can only be as new as the first or newer.
        const first = (await bob.get(`/documents/${one}`)).body.content.n
        const second = (await bob.get(`/documents/${two}`)).body.content.n
        seen.push([first, second])
      }
    }
    const readers = [reader(), reader()]
    for (let n = 1; n <= 40; n++) {
      const put = (document: string) => ({ action: 'put', document, content: { n }, baseVersion: n })
      expectStatus(await commit(alice, [put(two), put(one)]), 200)
    }
    running.abort()
    await Promise.all(readers)
    expect(seen.length).toBeGreaterThan(10)
    expect(seen.filter(([first, second]) => second < first)).toEqual([])
  })

  it('[TX-4] its events are stored as one, and while it waits for the disk nobody sees anything', async () => {
    const [one, two] = [await server.create('x'), await server.create('y')]
    const created = server.newId()
    const release = server.storage.hold()
    const acts = server.storage.acts.length
    const running = commit(alice, [
      { action: 'put', document: one, content: 'X', baseVersion: 1 },
      { action: 'delete', document: two, baseVersion: 1 },
      { action: 'create', document: created, kind: 'text' },
    ])
    while (server.storage.acts.length === acts) await new Promise((resolve) => setImmediate(resolve))
    expect((await bob.get(`/documents/${created}`)).status).toBe(404)
    expect((await bob.get('/documents')).body.items.map((item: { id: string }) => item.id)).not.toContain(created)
    release()
    expectStatus(await running, 200)
    expect(server.storage.acts.at(-1)?.events.map((event) => [event.type, event.document])).toEqual([
      ['parley.document.deleted', two],
      ['parley.document.created', created],
    ])
  })

  it('[TX-4] live editors get their parts after the one commit', async () => {
    const [one, two] = [await server.create('one two three'), await server.create('four')]
    const address = `${server.url.replace('http', 'ws')}/sync`
    const clients = await Promise.all(
      [one, two].map(async (id) => new StockClient(address, id, { token: bob.token }).synced()),
    )
    try {
      const release = server.storage.hold()
      const acts = server.storage.acts.length
      const running = commit(alice, [
        { action: 'put', document: one, content: 'one 2 three', baseVersion: 1 },
        { action: 'put', document: two, content: 'IV', baseVersion: 1 },
      ])
      while (server.storage.acts.length === acts) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(clients.map((client) => client.text.toString())).toEqual(['one two three', 'four'])
      release()
      expectStatus(await running, 200)
      await clients[0]?.shows('one 2 three')
      await clients[1]?.shows('IV')
      // And what is typed is to a transaction what it is to a write: a change that it did not know.
      clients[0]?.text.insert(0, '> ')
      await eventually(async () => expect(await versionOf(one)).toBe(3))
      const stale = await commit(alice, [
        { action: 'put', document: two, content: 'V', baseVersion: 2 },
        { action: 'put', document: one, content: 'uno 2 three', baseVersion: 2 },
      ])
      expect([verdict(stale), codes(stale)]).toEqual(['409 transaction-conflict', [null, 'version-conflict']])
      expect(clients.map((client) => client.text.toString())).toEqual(['> one 2 three', 'IV'])
    } finally {
      for (const client of clients) client.destroy()
    }
  })

  it('[TX-1] pairs in opposite order never wait for each other, and each version has one winner', async () => {
    const [one, two] = [await server.create({ n: 0 }), await server.create({ n: 0 })]
    const increment = async (by: Caller, order: readonly string[], mark: number): Promise<number> => {
      let done = 0
      for (let tried = 0; tried < 30; tried++) {
        const current = await Promise.all(order.map(async (id) => (await by.get(`/documents/${id}`)).body))
        const operations = current.map(({ id, version, content }) => ({
          action: 'put',
          document: id,
          // Marked, for the same content twice would be no change.
          content: { n: content.n + 1, mark: `${mark} ${tried}` },
          baseVersion: version,
        }))
        const { status } = await commit(by, operations)
        expect([200, 409]).toContain(status)
        if (status === 200) done += 1
      }
      return done
    }
    const orders = [
      [one, two],
      [two, one],
      [one, two],
      [two, one],
    ]
    const counts = await Promise.all(orders.map((order, n) => increment(n % 2 === 0 ? alice : bob, order, n)))
    const total = counts.reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThan(0)
    expect([await contentOf(one), await contentOf(two)]).toMatchObject([{ n: total }, { n: total }])
    expect([await versionOf(one), await versionOf(two)]).toEqual([total + 1, total + 1])
  })
})
