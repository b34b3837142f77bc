import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Type } from '@fastify/type-provider-typebox'
import { Value } from 'typebox/value'
import { startProcess, type Running } from '../support/process.ts'
import { connectClient } from './client.ts'
import { median, percentile, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const KEYSTROKES = 400
/** Until the engine has compiled what runs, in the servers and in the clients. */
const WARM_UP_KEYSTROKES = 4_000
const ROUNDS = 6

type Peer = 'parley' | 'reference' | 'hocuspocus'

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
    const type: Record<Peer, (room: string, count: number) => Promise<number[]>> = {
      parley: (room, count) => typeAndWatch(`${socketUrl(parley)}/sync`, room, { token }, count),
      reference: (room, count) => typeAndWatch(socketUrl(reference), room, {}, count),
      hocuspocus: (room, count) => typeIntoHocuspocus(socketUrl(hocuspocus), room, count),
    }
    const times: Record<Peer, number[]> = { parley: [], reference: [], hocuspocus: [] }
    const ratios: Record<'reference' | 'hocuspocus', number[]> = { reference: [], hocuspocus: [] }
    for (const peer of ['parley', 'reference'] as const) await type[peer]('warm-up', WARM_UP_KEYSTROKES)
    for (let round = 0; round < ROUNDS; round++) {
      const mine = await type.parley(`keys-${round}`, KEYSTROKES)
      times.parley.push(...mine)
      for (const peer of ['reference', 'hocuspocus'] as const) {
        const theirs = await type[peer](`keys-${round}`, KEYSTROKES)
        times[peer].push(...theirs)
        ratios[peer].push(median(mine) / median(theirs))
      }
    }
    await Promise.all([parley.stop(), reference.stop(), hocuspocus.stop()])
    for (const [name, all] of Object.entries(times)) {
      console.log(`  ${name.padEnd(10)} p50 ${median(all).toFixed(3)} ms   p99 ${percentile(all, 0.99).toFixed(3)} ms`)
    }
    console.log(`  ratio of medians to the reference ${median(ratios.reference).toFixed(2)} (wanted: at most 2)`)
    console.log(`  ratio of medians to Hocuspocus    ${median(ratios.hocuspocus).toFixed(2)}`)
  })
}

/** Its client starts anew each time, so the first half of what it types only warms it up. */
async function typeIntoHocuspocus(url: string, room: string, count: number): Promise<number[]> {
  const script = 'test/bench/peers/hocuspocusKeystrokes.mjs'
  const { stdout } = await promisify(execFile)(process.execPath, [script, url, room, String(2 * count)])
  return Value.Parse(Type.Array(Type.Number()), JSON.parse(stdout)).slice(count)
}

const socketUrl = (server: Running): string => server.url.replace('http', 'ws')

/** Milliseconds from each insert in one client to its arrival in the other. */
async function typeAndWatch(
  url: string,
  room: string,
  params: Record<string, string>,
  keystrokes: number,
): Promise<number[]> {
  const [typist, reader] = [connectClient(url, room, params), connectClient(url, room, params)]
  await Promise.all([typist.synced(), reader.synced()])
  const times: number[] = []
  for (let index = 0; index < keystrokes; index++) {
    const start = performance.now()
    const arrived = new Promise<void>((resolve) => reader.doc.once('update', () => resolve()))
    typist.text.insert(index, 'x')
    await arrived
    times.push(performance.now() - start)
    // Every so often a breath, as a typist takes one; between clients in a rush only queues are measured.
    if (index % 4 === 0) await delay(1)
  }
  for (const client of [typist, reader]) client.destroy()
  return times
}
