import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Type } from '@fastify/type-provider-typebox'
import { Value } from 'typebox/value'
import { startProcess, type Running } from '../support/process.ts'
import { connectClient } from './client.ts'
import { median, percentile, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

/** Until the engine has compiled what runs, in the servers and in the clients. */
const WARM_UP_KEYSTROKES = 8_000
const ROUNDS = 6

interface Manner {
  readonly name: string
  readonly keystrokes: number
  /** Between two keystrokes; null: a breath of 1 ms after every fourth, for without any only queues are measured. */
  readonly pauseMs: number | null
}

/** As fast typists type, and as programs do: then nothing has time to fall asleep, neither process nor processor. */
const TYPED: Manner = { name: 'typed, 16 a second', keystrokes: 50, pauseMs: 60 }
const RUSHED: Manner = { name: 'in a rush, one right after the other', keystrokes: 400, pauseMs: null }

type Peer = 'parley' | 'reference' | 'hocuspocus'
type Typists = Record<Peer, (room: string, manner: Manner) => Promise<number[]>>

/**
 * A keystroke from one stock client to another: Parley with an fsync between, the reference server and Hocuspocus with
 * none. The last speaks another protocol, whose stock client types in a process of its own.
 */
export async function keystrokes(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder)
    const reference = await startProcess('test/bench/peers/yWebsocketServer.mjs', [])
    const hocuspocus = await startProcess('test/bench/peers/hocuspocusServer.mjs', [])
    const type: Typists = {
      parley: (room, manner) => typeAndWatch(`${socketUrl(parley)}/sync`, room, { token }, manner),
      reference: (room, manner) => typeAndWatch(socketUrl(reference), room, {}, manner),
      hocuspocus: (room, manner) => typeIntoHocuspocus(socketUrl(hocuspocus), room, manner),
    }
    const warmUp: Manner = { ...RUSHED, keystrokes: WARM_UP_KEYSTROKES }
    for (const peer of ['parley', 'reference'] as const) await type[peer]('warm-up', warmUp)
    for (const manner of [TYPED, RUSHED]) await compare(type, manner)
    await Promise.all([parley.stop(), reference.stop(), hocuspocus.stop()])
  })
}

async function compare(type: Typists, manner: Manner): Promise<void> {
  const times: Record<Peer, number[]> = { parley: [], reference: [], hocuspocus: [] }
  const ratios: Record<'reference' | 'hocuspocus', number[]> = { reference: [], hocuspocus: [] }
  for (let round = 0; round < ROUNDS; round++) {
    const room = `${manner.pauseMs === null ? 'rushed' : 'typed'}-${round}`
    const mine = await type.parley(room, manner)
    times.parley.push(...mine)
    for (const peer of ['reference', 'hocuspocus'] as const) {
      const theirs = await type[peer](room, manner)
      times[peer].push(...theirs)
      ratios[peer].push(median(mine) / median(theirs))
    }
  }
  console.log(`  ${manner.name}`)
  for (const [name, all] of Object.entries(times)) {
    console.log(`    ${name.padEnd(10)} p50 ${median(all).toFixed(3)} ms   p99 ${percentile(all, 0.99).toFixed(3)} ms`)
  }
  console.log(`    ratio of medians to the reference ${median(ratios.reference).toFixed(2)} (wanted: at most 2)`)
  console.log(`    ratio of medians to Hocuspocus    ${median(ratios.hocuspocus).toFixed(2)}`)
}

/** Its client starts anew each time, so it first types as many that do not count, in a rush. */
async function typeIntoHocuspocus(
  url: string,
  room: string,
  { keystrokes: count, pauseMs }: Manner,
): Promise<number[]> {
  const script = 'test/bench/peers/hocuspocusKeystrokes.mjs'
  const parameters = [script, url, room, String(count), String(pauseMs ?? '')]
  const { stdout } = await promisify(execFile)(process.execPath, parameters)
  return Value.Parse(Type.Array(Type.Number()), JSON.parse(stdout))
}

const socketUrl = (server: Running): string => server.url.replace('http', 'ws')

/** Milliseconds from each insert in one client to its arrival in the other. */
async function typeAndWatch(
  url: string,
  room: string,
  params: Record<string, string>,
  { keystrokes: count, pauseMs }: Manner,
): Promise<number[]> {
  const [typist, reader] = [connectClient(url, room, params), connectClient(url, room, params)]
  await Promise.all([typist.synced(), reader.synced()])
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    const start = performance.now()
    const arrived = new Promise<void>((resolve) => reader.doc.once('update', () => resolve()))
    typist.text.insert(index, 'x')
    await arrived
    times.push(performance.now() - start)
    if (pauseMs !== null) await delay(pauseMs)
    else if (index % 4 === 0) await delay(1)
  }
  for (const client of [typist, reader]) client.destroy()
  return times
}
