import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { CONTENT, Page, plain, type Kind } from './linePage.ts'
import { Relay } from './relay.ts'
import type { Caller } from './server.ts'
import { Victim } from './victim.ts'
import { eventually } from './waitFor.ts'

/** Short, so that an absence worth judging is one too. */
const WINDOW_MS = 150

/** Of alice's Yjs client id among those of the others, which are of chance. */
const ORDERS = [
  ['text', 1],
  ['text', 0xff_ff_ff_fe],
  ['json', 1],
  ['json', 0xff_ff_ff_fe],
] as const

/** A server of these scenes, not yet started. */
export const returningServer = (): Victim => new Victim({ PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(WINDOW_MS) })

/** Alice, who was away and comes back with edits where somebody else has written; her frames pass a relay. */
export class Returning {
  readonly id: string
  readonly kind: Kind
  readonly relay: Relay
  readonly alice: Page
  readonly onlooker: Page
  readonly #rest: Caller

  private constructor(rest: Caller, id: string, kind: Kind, relay: Relay, alice: Page, onlooker: Page) {
    this.#rest = rest
    this.id = id
    this.kind = kind
    this.relay = relay
    this.alice = alice
    this.onlooker = onlooker
  }

  static async open(server: Victim, id: string, kind: Kind, client: number): Promise<Returning> {
    const rest = await server.as('rest')
    await rest.post('/documents', { id, kind, content: CONTENT[kind] })
    const relay = await Relay.start(server.url)
    const alice = new Page({ url: relay.url, id, token: await server.token('alice'), client })
    const reads = { '*': ['read'] }
    const onlooker = new Page({ url: server.url, id, token: await server.token('onlooker', reads) })
    const one = new Returning(rest, id, kind, relay, alice, onlooker)
    await eventually(() => expect([alice.isSynced(), onlooker.isSynced()]).toEqual([true, true]))
    return one
  }

  /** Both write in one place, one of them without the other's knowledge. */
  async write(): Promise<void> {
    const { id, kind, alice } = this
    alice.provider.disconnect()
    await pause(WINDOW_MS + 30)
    const bob = { two: 'by bob', four: 'by bob' }
    const content = kind === 'text' ? 'one\nby bob\nsix\nby bob\nfive' : { ...(CONTENT.json as object), ...bob }
    expect((await this.#rest.put(`/documents/${id}`, { content, baseVersion: 1 })).status).toBe(200)
    alice.edit(kind, 'same', 'alice')
  }

  async isSettled(): Promise<void> {
    const { alice, onlooker } = this
    await eventually(() => {
      expect(alice.isSynced()).toBe(true)
      expect(onlooker.snapshot()).toEqual(alice.snapshot())
    })
  }

  /** Of each conflict, oldest first, what was called so on its three sides. */
  async found(called: 'two' | 'four'): Promise<unknown[][]> {
    const { items } = (await this.#rest.get(`/conflicts?document=${this.id}`)).body
    const all: unknown[][] = []
    for (const { id } of items.toReversed()) {
      const { base, current, incoming } = (await this.#rest.get(`/conflicts/${id}`)).body
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

/** In the life of a return: when its line ends. */
export const MOMENTS = {
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
    await eventually(() => expect(onlooker.doc.store.clients.has(writer), said()).toBe(true))
  },
} as const

export type Moment = keyof typeof MOMENTS

/** In every order of the ids, up to the moment; all of them then meet their end. */
async function upTo(server: Victim, name: string, moment: Moment): Promise<Returning[]> {
  const all = await Promise.all(ORDERS.map(([kind, client], n) => Returning.open(server, `${name}-${n}`, kind, client)))
  await Promise.all(all.map((one) => one.write()))
  await Promise.all(all.map((one) => MOMENTS[moment](one)))
  return all
}

/** What befalls all of them. */
export type End = (all: readonly Returning[]) => Promise<void>

/** Each has one conflict of what it wrote before it met its end. */
export async function expectOneConflict(server: Victim, name: string, moment: Moment, end: End): Promise<void> {
  const all = await upTo(server, name, moment)
  await end(all)
  await Promise.all(all.map((one) => one.isSettled()))
  const found = await Promise.all(all.map((one) => one.found('two')))
  expect(found).toEqual(ORDERS.map(() => [['two', 'by bob', 'by alice']]))
  await Promise.all(all.map((one) => one.close()))
}

/** What each writes once its edits are in the log, and before it has our answer, is judged as well. */
export async function expectJudgedToo(server: Victim, name: string, end: End): Promise<void> {
  const all = await upTo(server, name, 'once its edits are in the log, and it has no answer')
  for (const { alice, kind } of all) alice.edit(kind, 'other', 'alice')
  await Promise.all(all.map(({ relay }) => relay.isRead()))
  await end(all)
  await Promise.all(all.map((one) => one.isSettled()))
  const four = await Promise.all(all.map((one) => one.found('four')))
  expect(four.map((found) => found.at(-1))).toEqual(ORDERS.map(() => ['four', 'by bob', 'by alice']))
  expect(Math.max(...four.map((found) => found.length))).toBeLessThanOrEqual(1)
  await Promise.all(all.map((one) => one.close()))
}
