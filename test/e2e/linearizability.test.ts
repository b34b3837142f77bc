import { expect, it } from 'vitest'
import { expectStatus } from '../support/conflicts.ts'
import { startDocumentServer } from '../support/documents.ts'
import { checkHistory, type Observation } from '../support/linearizability.ts'
import { seededChance } from '../support/seededChance.ts'
import type { Answer, Caller } from '../support/server.ts'
import { suiteServer } from '../support/suite.ts'

const CLIENTS = 8
const WRITES = 5_000
const DOCUMENTS = 24
const SEED = Number(process.env['LINEARIZABILITY_SEED'] ?? 20_261_122)

const server = suiteServer(() => startDocumentServer({ PARLEY_LOG_LEVEL: 'silent' }))

/** One client: chooses what to do by its own seed, and notes what it asked for, what it got, and when. */
class Client {
  readonly #name: string
  readonly #by: Caller
  readonly #chance: (below: number) => number
  readonly #ids: readonly string[]
  readonly #note: (observation: Observation) => void
  readonly #known = new Map<string, number>()
  #count = 0

  constructor(
    name: string,
    by: Caller,
    seed: number,
    ids: readonly string[],
    note: (observation: Observation) => void,
  ) {
    this.#name = name
    this.#by = by
    this.#chance = seededChance(seed)
    this.#ids = ids
    this.#note = note
  }

  /** Performs one thing; answers how many writes it tried. */
  async step(): Promise<number> {
    const what = this.#chance(100)
    if (what < 55) return this.#write(this.#any())
    if (what < 85) return this.#transact()
    if (what < 90) return this.#lockAndWrite(this.#any())
    await this.#read(this.#any())
    return 0
  }

  #any(): string {
    return this.#ids[this.#chance(this.#ids.length)] ?? ''
  }

  /** Unique, so that it tells which write a reader has met. */
  #content(): { mark: string } {
    return { mark: `${this.#name} ${++this.#count}` }
  }

  /** The version to build on: mostly a fresh one, sometimes one from long ago. */
  async #base(id: string): Promise<number> {
    const known = this.#known.get(id)
    return known !== undefined && this.#chance(10) < 2 ? known : this.#read(id)
  }

  async #read(id: string): Promise<number> {
    const start = performance.now()
    const { body } = expectStatus(await this.#by.get(`/documents/${id}`), 200)
    this.#known.set(id, body.version)
    const read = { id, version: body.version, mark: body.content.mark }
    this.#note({ kind: 'read', start, end: performance.now(), ...read })
    return body.version
  }

  async #write(id: string, headers: Record<string, string> = {}): Promise<number> {
    const baseVersion = await this.#base(id)
    const content = this.#content()
    const start = performance.now()
    const answer = await this.#by.put(
      `/documents/${id}`,
      { content, baseVersion },
      { prefer: 'return=minimal', ...headers },
    )
    this.#noteWrite(start, answer, [{ id, base: baseVersion, mark: content.mark }], (body) => [body.version])
    return 1
  }

  /** Two or three documents in an order of its own. */
  async #transact(): Promise<number> {
    const ids = [...new Set([this.#any(), this.#any(), this.#any()])]
    const wanted: { id: string; base: number; mark: string }[] = []
    for (const id of ids) wanted.push({ id, base: await this.#base(id), mark: this.#content().mark })
    const operations = wanted.map(({ id, base, mark }) => ({
      action: 'put',
      document: id,
      content: { mark },
      baseVersion: base,
    }))
    const start = performance.now()
    const answer = await this.#by.post('/transactions', { operations, commit: true }, { prefer: 'return=minimal' })
    this.#noteWrite(start, answer, wanted, (body) => body.operations.map((one: { version: number }) => one.version))
    return ids.length
  }

  #noteWrite(
    start: number,
    { status, body }: Answer,
    writes: readonly { id: string; base: number; mark: string }[],
    versions: (body: Answer['body']) => readonly number[],
  ): void {
    expect([200, 409, 423]).toContain(status)
    const outcome = status === 200 ? { versions: versions(body) } : { refusedWith: status }
    this.#note({ kind: 'write', start, end: performance.now(), writes, ...outcome })
    if (status === 200) for (const [n, { id }] of writes.entries()) this.#known.set(id, versions(body)[n] ?? 0)
  }

  /** Nobody else may write between its hearing that it has the lock and its asking to release it. */
  async #lockAndWrite(id: string): Promise<number> {
    const locked = await this.#by.post(`/documents/${id}/lock`, { ttlSeconds: 60, waitSeconds: 5 })
    expect([201, 423]).toContain(locked.status)
    if (locked.status === 423) return 0
    const start = performance.now()
    const token = { 'lock-token': String(locked.body.token) }
    const version = await this.#read(id)
    const writes = (await this.#write(id, token)) + (await this.#write(id, token))
    this.#note({ kind: 'lock', start, end: performance.now(), id, by: this.#name, from: version })
    expectStatus(await this.#by.delete(`/documents/${id}/lock`, token), 204)
    return writes
  }
}

it('[WRITE-3] [TX-4] [LOCK-2] eight clients, 5,000 conditional writes, locks and transactions: the history is linearizable', async () => {
  const ids = await Promise.all(Array.from({ length: DOCUMENTS }, () => server.create({ mark: 'first' })))
  const history: Observation[] = []
  const note = (observation: Observation): void => void history.push(observation)
  let left = WRITES
  const run = async (n: number): Promise<void> => {
    const client = new Client(`client${n}`, await server.as(`client${n}`), SEED + n, ids, note)
    while (left > 0) {
      const tried = await client.step()
      left -= tried
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => run(n)))
  const reader = await server.as('reader')
  const logs = new Map(
    await Promise.all(ids.map(async (id) => [id, (await reader.get(`/documents/${id}`)).body] as const)),
  )
  const { wins, refusals, transactions, reads, locks } = checkHistory(history, logs, `seed ${SEED}`)
  // A history without contention would prove nothing.
  expect(wins).toBeGreaterThan(WRITES / 4)
  expect(refusals).toBeGreaterThan(100)
  expect(transactions).toBeGreaterThan(200)
  expect(reads).toBeGreaterThan(1_000)
  expect(locks).toBeGreaterThan(20)
})
