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

const RECORDED: Recorded = inTime(
  JSON.parse(gunzipSync(readFileSync(new URL('../fixtures/clownschool.json.gz', import.meta.url))).toString()),
)

/** The recording lists runs of one person; here are the moments as they followed each other, parents first. */
function inTime({ txns, ...rest }: Recorded): Recorded {
  const queues = Array.from({ length: rest.numAgents }, (_, who) =>
    txns.flatMap((txn, i) => (txn.agent === who ? [i] : [])),
  )
  const places = new Map<number, number>()
  const ordered: Txn[] = []
  const isReady = (i: number): boolean => txns[i]?.parents.every((parent) => places.has(parent)) ?? false
  while (ordered.length < txns.length) {
    const ready = queues.flatMap(([i]) => (i !== undefined && isReady(i) ? [i] : []))
    const [first] = ready.toSorted((a, b) => (txns[a]?.time ?? '').localeCompare(txns[b]?.time ?? '') || a - b)
    const txn = first === undefined ? undefined : txns[first]
    if (first === undefined || !txn) throw new Error('the recording has a circle')
    queues[txn.agent]?.shift()
    places.set(first, ordered.length)
    ordered.push({ ...txn, parents: txn.parents.map((parent) => places.get(parent) ?? -1) })
  }
  return { ...rest, txns: ordered }
}

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

/**
 * Replays the recording through the server: everybody has at each moment exactly what they had then. Where two typed at
 * one place at one time, Yjs orders it otherwise than the recording did.
 */
class Replay {
  readonly #scene: LiveScene
  readonly #clients: readonly SimulatedClient[]
  readonly #next: number[][]
  /** Entries of the log after each moment; a moment that deletes what is gone already makes none. */
  readonly #entries: number[] = []
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
  }

  async moment(index: number): Promise<void> {
    const txn = RECORDED.txns[index]
    const client = txn && this.#clients[txn.agent]
    if (!txn || !client) throw new Error(`there is no moment ${index}`)
    await this.#until(Date.parse(txn.time))
    const before = this.#scene.replica.appliedVersion
    type(client, txn)
    client.deliverUp()
    const made = this.#scene.replica.appliedVersion - before
    this.#entries.push((this.#entries.at(-1) ?? 0) + made)
    this.#next[txn.agent]?.shift()
    await this.#deliver()
  }

  /** How many updates may be on a screen before its next moment. */
  #bound(who: number): number {
    const [next] = this.#next[who] ?? []
    if (next === undefined) return Number.POSITIVE_INFINITY
    let newest = next
    // What it typed itself comes back at once; the next thing of somebody else waits.
    while (RECORDED.txns[newest + 1]?.agent === who) newest += 1
    return newest < 0 ? 0 : (this.#entries[Math.min(newest, this.#entries.length - 1)] ?? 0)
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
    for (const [who, client] of this.#clients.entries()) client.deliverDown(this.#bound(who))
    for (const client of this.#clients) client.deliverUp()
  }
}

/** The recording knows whole seconds only: what is 2 s old may seem 3. */
const LIMITS = { windowMs: 3_000 }

async function start(): Promise<{ scene: LiveScene; clients: SimulatedClient[]; replay: Replay }> {
  const scene = await LiveScene.start('', LIMITS)
  const clients: SimulatedClient[] = []
  for (let who = 0; who < RECORDED.numAgents; who += 1) clients.push(await scene.join(`person ${who}`, 100 + who))
  return { scene, clients, replay: new Replay(scene, clients) }
}

/** Of 23,136, which take minutes (CLOWN_MOMENTS); the first part has as much of everything. */
const MOMENTS = Number(process.env['CLOWN_MOMENTS'] ?? 3_000)
const MINUTES_10 = 10 * 60 * 1000

describe('people typing together for an hour', () => {
  it('[CONF-7] raise nothing, replayed with what each saw at each moment', { timeout: 400_000 }, async () => {
    const { scene, clients, replay } = await start()
    for (let index = 0; index < Math.min(MOMENTS, RECORDED.txns.length); index += 1) await replay.moment(index)
    await scene.settle()
    for (const client of clients) expect(plain(client, 'text')).toBe(scene.content)
    if (MOMENTS >= RECORDED.txns.length) expect(scene.content).toHaveLength(RECORDED.endContent.length)
    expect((await scene.conflicts()).map(({ base, current }) => [base.version, current.version])).toEqual([])
    expect(scene.replica.appliedVersion).toBeGreaterThan(0.9 * Math.min(MOMENTS, RECORDED.txns.length))
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
      await scene.pass(MINUTES_10)
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
