import { spawn, type ChildProcess } from 'node:child_process'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { invariant } from '../../server/foundation/assert.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const READERS = 500
const READER_PROCESSES = 2
const WRITERS = [1, 5]
/** A person who types fast. */
const KEYS_A_SECOND = 10
/** Until the questions of the time before are answered. */
const SETTLING_MS = 1_500
const MEASURED_MS = 5_000
const ROUNDS = 6

type Switch = 'on' | 'off'

/** What those may do who look on. */
const LOOKING_ON = ['read', 'write'] as const

/**
 * What questions of proof of sight cost: processor's time of the server, its threads included, for each delivery of a
 * keystroke, in a room of 500 stock editors that look on. In turns with and without, in one room of one server. Who may only
 * read is never asked; who may write is, once a second.
 */
export async function sight(): Promise<void> {
  for (const access of LOOKING_ON)
    for (const writers of WRITERS) await withFolder((folder) => room(folder, access, writers))
}

async function room(folder: string, access: (typeof LOOKING_ON)[number], writers: number): Promise<void> {
  const socket = join(folder, 'switch')
  const flags = ['--import', './test/bench/sightHook.mjs']
  // The hook finds what it switches in the modules only.
  const parley = await startParley(folder, flags, { BENCH_SWITCH: socket }, 'dist/modules/server/main.js')
  const url = `${parley.url.replace('http', 'ws')}/sync`
  const token = await benchToken()
  const typists = Array.from({ length: writers }, () => new Typist(url, token))
  await Promise.all(typists.map((typist) => typist.synced()))
  const readers = new Readers(url, access === 'write' ? token : await benchToken('reader', ['read']))
  await readers.ready()
  const costs = await rounds(socket, typists)
  await delay(SETTLING_MS)
  const keys = typists.reduce((sum, typist) => sum + typist.typed, 0)
  const shown = await readers.shortest()
  for (const typist of typists) typist.stop()
  readers.stop()
  await parley.stop()
  if (shown < keys) throw new Error(`only ${shown} of ${keys} keystrokes were shown to everybody`)
  const ratio = median(costs.on.map((cost, n) => cost / (costs.off[n] ?? Number.NaN)))
  const [on, off] = [costs.on, costs.off].map((all) => median(all).toFixed(1))
  const who = `${READERS} who may ${access === 'read' ? 'only read' : 'write'}, ${writers} who write${writers === 1 ? 's' : ''}`
  console.log(
    `  ${who.padEnd(34)} ${on} us a delivery, ${off} without questions: ${ratio.toFixed(3)} (wanted: at most 1.05)`,
  )
}

/** Microseconds a delivery; the first pair only warms up. */
async function rounds(socket: string, typists: readonly Typist[]): Promise<Record<Switch, number[]>> {
  const costs: Record<Switch, number[]> = { on: [], off: [] }
  for (let round = 0; round <= ROUNDS; round++) {
    // In turns, which of the two comes first, because the machine slows down and speeds up.
    const order: readonly Switch[] = round % 2 === 0 ? ['on', 'off'] : ['off', 'on']
    for (const which of order) {
      const cost = await costOf(which, socket, typists)
      if (round > 0) costs[which].push(cost)
    }
  }
  return costs
}

async function costOf(which: Switch, socket: string, typists: readonly Typist[]): Promise<number> {
  await turn(which, socket)
  await typing(typists, SETTLING_MS)
  const before = await turn(which, socket)
  const keys = await typing(typists, MEASURED_MS)
  return ((await turn(which, socket)) - before) / (keys * (READERS + typists.length))
}

/** Everybody types at their pace; answers how many keys. */
async function typing(typists: readonly Typist[], ms: number): Promise<number> {
  const spacingMs = 1_000 / (KEYS_A_SECOND * typists.length)
  const startMs = performance.now()
  const count = Math.floor(ms / spacingMs)
  for (let n = 0; n < count; n++) {
    await delay(startMs + n * spacingMs - performance.now())
    typists[n % typists.length]?.type()
  }
  await delay(startMs + ms - performance.now())
  return count
}

/** Turns the questions on or off; answers the processor's time of the server so far, in microseconds. */
function turn(which: Switch, socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: `/${which}` }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += String(chunk)))
      response.on('end', () => resolve(Number(text)))
    })
    asked.on('error', reject).end()
  })
}

class Typist {
  typed = 0
  readonly #doc = new Y.Doc()
  readonly #provider: WebsocketProvider

  constructor(url: string, token: string) {
    // The provider's types know the browser's WebSocket only.
    const WebSocketPolyfill = WebSocket as unknown as typeof globalThis.WebSocket
    this.#provider = new WebsocketProvider(url, 'sight', this.#doc, {
      params: { token },
      disableBc: true,
      WebSocketPolyfill,
    })
  }

  async synced(): Promise<void> {
    while (!this.#provider.synced) await delay(20)
  }

  type(): void {
    const text = this.#doc.getText('content')
    text.insert(text.length, 'x')
    this.typed += 1
  }

  stop(): void {
    this.#provider.destroy()
    this.#doc.destroy()
  }
}

/** Editors in processes of their own. */
class Readers {
  readonly #processes: readonly { readonly child: ChildProcess; readonly lines: Interface }[]

  constructor(url: string, token: string) {
    const count = String(READERS / READER_PROCESSES)
    this.#processes = Array.from({ length: READER_PROCESSES }, () => {
      const args = ['test/bench/sightReaders.mjs', url, 'sight', token, count]
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
      invariant(child.stdout !== null, 'it is a pipe')
      return { child, lines: createInterface({ input: child.stdout }) }
    })
  }

  async ready(): Promise<void> {
    await this.#nextLines()
  }

  /** How much the one shows that shows the least. */
  async shortest(): Promise<number> {
    const lines = this.#nextLines()
    for (const { child } of this.#processes) child.stdin?.write('\n')
    return Math.min(...(await lines).map(Number))
  }

  stop(): void {
    for (const { child, lines } of this.#processes) {
      lines.close()
      child.kill()
    }
  }

  #nextLines(): Promise<string[]> {
    return Promise.all(
      this.#processes.map(({ lines }) => new Promise<string>((resolve) => lines.once('line', resolve))),
    )
  }
}
