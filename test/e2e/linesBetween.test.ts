import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CONTENT, Page, plain, type Kind } from '../support/linePage.ts'
import { Relay } from '../support/relay.ts'
import type { Caller } from '../support/server.ts'
import { Victim } from '../support/victim.ts'

/** Short, so that an absence worth judging is one too. */
const WINDOW_MS = 150
const PATIENCE = { timeout: 30_000, interval: 20 }

/** Of alice's Yjs client id among those of the others, which are of chance. */
const ORDERS = [
  ['text', 1],
  ['text', 0xff_ff_ff_fe],
  ['json', 1],
  ['json', 0xff_ff_ff_fe],
] as const

const server = new Victim({ PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(WINDOW_MS) })
let rest: Caller
beforeAll(async () => {
  await server.start()
  rest = await server.as('rest')
})
afterAll(() => server.dispose())

/** Alice, who was away and comes back with edits where somebody else has written; her frames pass a relay. */
class Returning {
  readonly id: string
  readonly kind: Kind
  readonly relay: Relay
  readonly alice: Page
  readonly onlooker: Page

  private constructor(id: string, kind: Kind, relay: Relay, alice: Page, onlooker: Page) {
    this.id = id
    this.kind = kind
    this.relay = relay
    this.alice = alice
    this.onlooker = onlooker
  }

  static async open(id: string, kind: Kind, client: number): Promise<Returning> {
    await rest.post('/documents', { id, kind, content: CONTENT[kind] })
    const relay = await Relay.start(server.url)
    const alice = new Page({ url: relay.url, id, token: await server.token('alice'), client })
    const reads = { '*': ['read'] }
    const onlooker = new Page({ url: server.url, id, token: await server.token('onlooker', reads) })
    const one = new Returning(id, kind, relay, alice, onlooker)
    await vi.waitFor(() => expect([alice.isSynced(), onlooker.isSynced()]).toEqual([true, true]), PATIENCE)
    return one
  }

  /** Both write in one place, one of them without the other's knowledge. */
  async write(): Promise<void> {
    const { id, kind, alice } = this
    alice.provider.disconnect()
    await pause(WINDOW_MS + 30)
    const bob = { two: 'by bob', four: 'by bob' }
    const content = kind === 'text' ? 'one\nby bob\nsix\nby bob\nfive' : { ...(CONTENT.json as object), ...bob }
    expect((await rest.put(`/documents/${id}`, { content, baseVersion: 1 })).status).toBe(200)
    alice.edit(kind, 'same', 'alice')
  }

  async isSettled(): Promise<void> {
    const { alice, onlooker } = this
    await vi.waitFor(() => {
      expect(alice.isSynced()).toBe(true)
      expect(onlooker.snapshot()).toEqual(alice.snapshot())
    }, PATIENCE)
  }

  /** Of each conflict, oldest first, what was called so on its three sides. */
  async found(called: 'two' | 'four'): Promise<unknown[][]> {
    const { items } = (await rest.get(`/conflicts?document=${this.id}`)).body
    const all: unknown[][] = []
    for (const { id } of items.toReversed()) {
      const { base, current, incoming } = (await rest.get(`/conflicts/${id}`)).body
      const line = called === 'two' ? 1 : 3
      const said = ({ content }: { content: never }): unknown =>
        this.kind === 'text' ? String(content).split('\n')[line] : content[called]
      all.push([base, current, incoming].map(said))
    }
    return all
  }

  async close(): Promise<void> {
    this.alice.destroy()
    this.onlooker.destroy()
    await this.relay.close()
  }
}

const MOMENTS = {
  'before its edits have left': async ({ relay, alice, kind }: Returning) => {
    relay.stopAt('answer')
    const leaves = relay.sent('answer')
    alice.provider.connect()
    await leaves
    await relay.isRead()
    // It has asked, and who had an answer would bring both as one.
    expect(JSON.stringify(plain(alice.doc, kind))).not.toContain('by bob')
  },
  'while its edits arrive': async ({ relay, alice }: Returning) => {
    const leaves = relay.sent('answer')
    alice.provider.connect()
    await leaves
  },
  'once its edits are in the log, and it has no answer': async ({ relay, alice, onlooker, kind }: Returning) => {
    // Our question it has to see, else it brings nothing.
    const leaves = relay.sent('answer')
    alice.provider.connect()
    await leaves
    relay.silence()
    const said = (): string => JSON.stringify(kind === 'text' ? onlooker.doc.getText('content') : onlooker.doc.toJSON())
    const writer = alice.doc.clientID
    await vi.waitFor(() => expect(onlooker.doc.store.clients.has(writer), said()).toBe(true), PATIENCE)
  },
} as const

const ENDS = {
  'the line is cut': async (all: readonly Returning[]) => all.forEach(({ relay }) => relay.cut()),
  'the server is killed': async (all: readonly Returning[]) => {
    await server.kill()
    for (const { relay } of all) relay.cut()
    await server.start()
  },
} as const

describe('a returning editor', () => {
  let count = 0
  const cases = Object.keys(ENDS).flatMap((end) => Object.keys(MOMENTS).map((moment) => [end, moment] as const))

  it.each(cases as [keyof typeof ENDS, keyof typeof MOMENTS][])(
    '[CONF-6] has one conflict where %s %s',
    { timeout: 60_000 },
    async (end, moment) => {
      count += 1
      const all = await Promise.all(
        ORDERS.map(([kind, client], n) => Returning.open(`between-${count}-${n}`, kind, client)),
      )
      await Promise.all(all.map((one) => one.write()))
      await Promise.all(all.map((one) => MOMENTS[moment](one)))
      await ENDS[end](all)
      await Promise.all(all.map((one) => one.isSettled()))
      const found = await Promise.all(all.map((one) => one.found('two')))
      expect(found).toEqual(ORDERS.map(() => [['two', 'by bob', 'by alice']]))
      await Promise.all(all.map((one) => one.close()))
    },
  )

  it.each(Object.keys(ENDS) as (keyof typeof ENDS)[])(
    '[CONF-6] has what it wrote before it had our answer judged too, where %s then',
    { timeout: 60_000 },
    async (end) => {
      const all = await Promise.all(
        ORDERS.map(([kind, client], n) => Returning.open(`on-${end.replaceAll(' ', '-')}-${n}`, kind, client)),
      )
      await Promise.all(all.map((one) => one.write()))
      await Promise.all(all.map((one) => MOMENTS['once its edits are in the log, and it has no answer'](one)))
      for (const { alice, kind } of all) alice.edit(kind, 'other', 'alice')
      await Promise.all(all.map(({ relay }) => relay.isRead()))
      await ENDS[end](all)
      await Promise.all(all.map((one) => one.isSettled()))
      const four = await Promise.all(all.map((one) => one.found('four')))
      expect(four.map((found) => found.at(-1))).toEqual(ORDERS.map(() => ['four', 'by bob', 'by alice']))
      expect(Math.max(...four.map((found) => found.length))).toBeLessThanOrEqual(1)
      await Promise.all(all.map((one) => one.close()))
    },
  )
})
