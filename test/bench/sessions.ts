import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import type { Running } from '../support/process.ts'
import { caller } from '../support/server.ts'
import { connectClient, type BenchClient } from './client.ts'
import { startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

/** Longer than anything here takes on a busy machine. */
const PATIENCE_MS = 180_000
/** SPEC DOC-10. */
const MAX_IDS = 262_144

/**
 * `npm run soak -- sessions`: documents of very many edit sessions, with stock clients (SPEC DOC-10, SYNC-9). Prints how long
 * each step takes, client and server on one machine; false where somebody was shut out or saw something else.
 */
export async function soakSessions(): Promise<boolean> {
  const problems: string[] = []
  await withFolder(async (folder) => {
    const scene = new Scene(folder, problems)
    await scene.start()
    await eightThousand(scene)
    await eightyFiveThousand(scene)
    await overTheYears(scene)
    await tooMany(scene)
    await scene.stop()
  })
  for (const problem of problems) console.log(`  wrong: ${problem}`)
  return problems.length === 0
}

/** A document of 8,000 sessions with deletions, which took a stock client 11 to 14 s to open. */
async function eightThousand(scene: Scene): Promise<void> {
  const bringer = await scene.stock('8k')
  Y.applyUpdate(bringer.doc, Y.encodeStateAsUpdate(withSessions(new Y.Doc(), 0, 8_000)))
  await scene.version('8k', 2)
  const late = await scene.timed('8,000 sessions: a stock client opens it', () => scene.stock('8k'))
  scene.expectSame('8k', bringer, late)
  scene.closeAll()
}

/** As one update of 1.4 MB. */
async function eightyFiveThousand(scene: Scene): Promise<void> {
  const [bringer, witness] = [await scene.stock('85k'), await scene.stock('85k')]
  const update = Y.encodeStateAsUpdate(withSessions(new Y.Doc(), 0, 85_000))
  await scene.timed('85,000 in one update: a witness has all of it', async () => {
    Y.applyUpdate(bringer.doc, update)
    await until(() => witness.text.length === bringer.text.length)
  })
  const late = await scene.timed('85,000: a stock client opens it', () => scene.stock('85k'))
  await scene.timed('85,000: three are back after a restart', async () => {
    await scene.restart()
    await Promise.all([bringer, witness, late].map((one) => until(() => one.provider.synced)))
  })
  late.text.insert(0, 'still ')
  await until(() => bringer.text.length === late.text.length)
  scene.expectSame('85k', bringer, witness, late, await scene.stock('85k'))
  scene.closeAll()
}

/** 170,000 in ten years. */
async function overTheYears(scene: Scene): Promise<void> {
  const doc = new Y.Doc()
  await scene.timed('170,000: ten clients bring 17,000 each', async () => {
    for (let year = 0; year < 10; year++) {
      const since = Y.encodeStateVector(doc)
      withSessions(doc, year * 17_000, (year + 1) * 17_000)
      const writer = await scene.stock('170k')
      Y.applyUpdate(writer.doc, Y.encodeStateAsUpdate(doc, since))
      await scene.version('170k', year + 2)
      scene.closeAll()
    }
  })
  const reader = await scene.timed('170,000: a stock client opens it', () => scene.stock('170k'))
  await scene.timed('170,000: what it types is stored', async () => {
    reader.text.insert(3, 'by hand')
    await scene.version('170k', 12)
  })
  await scene.timed('170,000: a write over REST, seen by it', async () => {
    await scene.patch('170k', [{ insert: 'by rest ' }], 12)
    await until(() => reader.text.toString().startsWith('by rest '))
  })
  reader.provider.disconnect()
  reader.text.insert(0, 'offline ')
  await scene.timed('170,000: it comes back with what it typed offline', async () => {
    reader.provider.connect()
    await scene.version('170k', 14)
  })
  await scene.timed('170,000: it is back after a restart', async () => {
    await scene.restart()
    await until(() => reader.provider.synced)
  })
  scene.expectSame('170k', reader, await scene.stock('170k'))
  scene.closeAll()
}

/** One id more than there may be is refused, to its sender alone. */
async function tooMany(scene: Scene): Promise<void> {
  const [witness, sender] = [await scene.stock('many'), await scene.stock('many')]
  const doc = new Y.Doc()
  doc.transact(() => {
    for (let client = 1; client <= MAX_IDS + 1; client++) {
      doc.clientID = client
      doc.getText('content').insert(0, 'x')
    }
  })
  const update = Y.encodeStateAsUpdate(doc)
  const closed = new Promise<number>((resolve) => sender.provider.on('closed', ({ code }) => resolve(code)))
  await scene.timed(`${MAX_IDS + 1} in one update: refused`, async () => {
    Y.applyUpdate(sender.doc, update)
    const code = await Promise.race([closed, delay(PATIENCE_MS, 0)])
    if (code !== 4413) scene.problems.push(`too many ids were answered with ${code}`)
  })
  witness.text.insert(0, 'goes on')
  await scene.version('many', 2)
  scene.expectSame('many', witness, await scene.stock('many'))
  scene.closeAll()
}

/** So many clients, each of which wrote ten characters at the end and took one of them out. */
function withSessions(doc: Y.Doc, from: number, to: number): Y.Doc {
  const text = doc.getText('content')
  doc.transact(() => {
    for (let client = from; client < to; client++) {
      doc.clientID = client * 12_007 + 7
      text.insert(text.length, '0123456789')
      text.delete(text.length - 5, 1)
    }
  })
  return doc
}

class Scene {
  readonly problems: string[]
  readonly #folder: string
  readonly #clients = new Set<BenchClient>()
  #parley: Running | null = null
  #token = ''

  constructor(folder: string, problems: string[]) {
    this.#folder = folder
    this.problems = problems
  }

  async start(): Promise<void> {
    this.#token = await benchToken()
    this.#parley = await startParley(this.#folder)
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
    for (const { provider } of this.#clients) provider.serverUrl = this.#syncUrl()
  }

  async stop(): Promise<void> {
    await this.#parley?.stop()
  }

  async stock(id: string): Promise<BenchClient> {
    const client = connectClient(this.#syncUrl(), id, { token: this.#token })
    client.provider.on('closed', ({ code }) => {
      if (id !== 'many') this.problems.push(`a client of ${id} was shut out with ${code}`)
    })
    this.#clients.add(client)
    await client.synced()
    return client
  }

  closeAll(): void {
    for (const client of this.#clients) client.destroy()
    this.#clients.clear()
  }

  async timed<T>(what: string, step: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    const made = await step()
    console.log(`  ${(performance.now() - startedMs).toFixed(0).padStart(8)} ms  ${what}`)
    return made
  }

  /** Waits until a document has that version. */
  async version(id: string, version: number): Promise<void> {
    await until(async () => {
      const { body } = await this.#rest().get(`/documents?pattern=${id}`)
      return Number(body.items?.[0]?.version ?? 0) >= version
    })
  }

  async patch(id: string, delta: unknown, baseVersion: number): Promise<void> {
    const headers = { 'content-type': 'application/vnd.parley.delta+json' }
    const { status } = await this.#rest().patch(`/documents/${id}/content?baseVersion=${baseVersion}`, delta, headers)
    if (status !== 200) this.problems.push(`a write of ${id} was answered with ${status}`)
  }

  expectSame(id: string, first: BenchClient, ...others: readonly BenchClient[]): void {
    for (const other of others) {
      if (other.text.toString() !== first.text.toString()) this.problems.push(`two clients of ${id} differ`)
    }
  }

  #rest() {
    return caller(() => this.#parley?.url ?? '', this.#token)
  }

  #syncUrl(): string {
    return `${(this.#parley?.url ?? '').replace('http', 'ws')}/sync`
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now()
  while (!(await isSo())) {
    if (performance.now() - startedMs > PATIENCE_MS) throw new Error('the server takes too long')
    await delay(20)
  }
}
