import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { merge } from '../../server/content/merge.ts'
import { LiveScene, plain } from '../support/liveScene.ts'
import type { SimulatedClient } from '../support/simulatedClient.ts'

interface Recorded {
  readonly endContent: string
  readonly numAgents: number
  readonly txns: readonly Txn[]
}

/** What one person typed at one moment. `parents`: what they had on their screen, as indexes of earlier ones. */
interface Txn {
  readonly parents: readonly number[]
  readonly agent: number
  readonly time: string
  readonly patches: readonly (readonly [position: number, deleted: number, inserted: string])[]
}

const RECORDED: Recorded = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/clownschool.json.gz', import.meta.url))).toString(),
)

/** For each moment the newest moment of each person that was on the screen of who typed. */
function screens({ txns, numAgents }: Recorded): number[][] {
  const known: number[][] = []
  for (const [index, { parents, agent }] of txns.entries()) {
    const screen = Array.from({ length: numAgents }, () => -1)
    for (const parent of parents) {
      for (const [who, newest] of (known[parent] ?? []).entries()) screen[who] = Math.max(screen[who] ?? -1, newest)
    }
    screen[agent] = index
    known.push(screen)
  }
  return known
}

/** Positions count code points, which are UTF-16 units in a text without surrogates. */
function type(client: SimulatedClient, { patches }: Txn): void {
  const text = client.doc.getText('content')
  client.doc.transact(() => {
    for (const [position, deleted, inserted] of patches) {
      const at = Math.min(position, text.length)
      const length = Math.min(deleted, text.length - at)
      if (length > 0) text.delete(at, length)
      if (inserted !== '') text.insert(at, inserted)
    }
  })
}

/** Replays the recording through the server: everybody sees at each moment exactly what they saw then. */
class Replay {
  readonly #scene: LiveScene
  readonly #clients: readonly SimulatedClient[]
  readonly #next: number[][]
  /** Per person: updates it must have before its next moment, and may have until then. */
  readonly #bounds: number[]
  #nowMs: number

  constructor(scene: LiveScene, clients: readonly SimulatedClient[]) {
    this.#scene = scene
    this.#clients = clients
    this.#nowMs = Date.parse(RECORDED.txns[0]?.time ?? '')
    const known = screens(RECORDED)
    this.#next = clients.map((_, who) =>
      RECORDED.txns.flatMap(({ agent }, index) => {
        if (agent !== who) return []
        return [Math.max(-1, ...(known[index] ?? []).filter((_newest, other) => other !== who))]
      }),
    )
    this.#bounds = clients.map((_, who) => this.#bound(who))
  }

  async moment(index: number): Promise<void> {
    const txn = RECORDED.txns[index]
    const client = txn && this.#clients[txn.agent]
    if (!txn || !client) throw new Error(`there is no moment ${index}`)
    await this.#until(Date.parse(txn.time))
    type(client, txn)
    this.#next[txn.agent]?.shift()
    this.#bounds[txn.agent] = this.#bound(txn.agent)
    await this.#deliver()
  }

  /** The entry of moment n is the update n + 1 of the log, and of everybody's screen. */
  #bound(who: number): number {
    const [next] = this.#next[who] ?? []
    return next === undefined ? Number.POSITIVE_INFINITY : next + 1
  }

  async #until(ms: number): Promise<void> {
    if (ms <= this.#nowMs) return
    await this.#scene.core.environment.advance(ms - this.#nowMs)
    this.#nowMs = ms
    await this.#deliver()
  }

  async #deliver(): Promise<void> {
    const { replica } = this.#scene
    for (const client of this.#clients) client.deliverUp()
    await replica.whenCommitted(replica.appliedVersion)
    for (const [who, client] of this.#clients.entries()) client.deliverDown(this.#bounds[who])
    for (const client of this.#clients) client.deliverUp()
  }
}

/** The recording knows whole seconds only, so what is 2 s old may seem 3. */
const LIMITS = { windowMs: 3_000 }

async function start(): Promise<{ scene: LiveScene; clients: SimulatedClient[]; replay: Replay }> {
  const scene = await LiveScene.start('', LIMITS)
  const clients: SimulatedClient[] = []
  for (let who = 0; who < RECORDED.numAgents; who += 1) clients.push(await scene.join(`person ${who}`, 100 + who))
  return { scene, clients, replay: new Replay(scene, clients) }
}

/** Replaying all of it takes a minute; the first part has as much of everything. */
const MOMENTS = Number(process.env['CLOWN_MOMENTS'] ?? 6_000)
const MINUTES_10 = 10 * 60 * 1000

describe('people typing together for an hour', () => {
  it('[CONF-7] raise nothing, replayed with what each saw at each moment', { timeout: 400_000 }, async () => {
    const { scene, clients, replay } = await start()
    for (let index = 0; index < Math.min(MOMENTS, RECORDED.txns.length); index += 1) await replay.moment(index)
    await scene.settle()
    for (const client of clients) expect(plain(client, 'text')).toBe(scene.content)
    if (MOMENTS >= RECORDED.txns.length) expect(scene.content).toBe(RECORDED.endContent)
    expect(await scene.conflicts()).toEqual([])
    expect(scene.replica.appliedVersion).toBe(1 + Math.min(MOMENTS, RECORDED.txns.length))
    await scene.stop()
  })

  it(
    '[CONF-6] one of them cut off for ten minutes: the overlaps of the three texts',
    { timeout: 400_000 },
    async () => {
      const { scene, clients, replay } = await start()
      const from = 1_500
      for (let index = 0; index < from; index += 1) await replay.moment(index)
      await scene.settle()
      const [stays, leaves] = [clients[0], clients[2]]
      if (!stays || !leaves) throw new Error('three people typed')
      await scene.pass(5_000)
      leaves.disconnect()
      const base = plain(leaves, 'text')
      const end = Date.parse(RECORDED.txns[from]?.time ?? '') + MINUTES_10
      for (const txn of RECORDED.txns.slice(from).filter(({ time }) => Date.parse(time) < end)) {
        const client = clients[txn.agent]
        if (!client) throw new Error('somebody typed')
        type(client, txn)
        client.deliverUp()
      }
      await scene.settle()
      const [current, incoming] = [scene.content, plain(leaves, 'text')]
      expect(new Set([base, current, incoming]).size).toBe(3)
      leaves.connect(scene.room)
      await scene.settle()
      const [conflict, ...more] = await scene.conflicts()
      expect(more).toEqual([])
      expect(conflict?.base.content).toBe(base)
      expect(conflict?.current.content).toBe(current)
      expect(conflict?.incoming.content).toBe(incoming)
      expect(conflict?.merged.content).toBe(plain(stays, 'text'))
      const ids = (overlaps: readonly object[]): unknown[] => overlaps.map((overlap) => 'id' in overlap && overlap.id)
      expect(ids(conflict?.overlaps ?? [])).toEqual(ids(merge(base, current, incoming).overlaps))
      await scene.stop()
    },
  )
})
