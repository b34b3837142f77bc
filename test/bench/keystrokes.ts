import { setTimeout as delay } from 'node:timers/promises'
import { startProcess, type Running } from '../support/process.ts'
import { connectClient } from './client.ts'
import { median, percentile, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const KEYSTROKES = 400
/** Until the engine has compiled what runs, in the servers and in the clients. */
const WARM_UP_KEYSTROKES = 4_000
const ROUNDS = 6

/** A keystroke from one stock client to another: Parley with an fsync between, the reference server with none. */
export async function keystrokes(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder)
    const reference = await startProcess('test/bench/peers/yWebsocketServer.mjs', [])
    const times: Record<'parley' | 'reference', number[]> = { parley: [], reference: [] }
    const ratios: number[] = []
    await typeAndWatch(`${socketUrl(parley)}/sync`, 'warm-up', { token }, WARM_UP_KEYSTROKES)
    await typeAndWatch(socketUrl(reference), 'warm-up', {}, WARM_UP_KEYSTROKES)
    for (let round = 0; round < ROUNDS; round++) {
      const mine = await typeAndWatch(`${socketUrl(parley)}/sync`, `keys-${round}`, { token }, KEYSTROKES)
      const theirs = await typeAndWatch(socketUrl(reference), `keys-${round}`, {}, KEYSTROKES)
      times.parley.push(...mine)
      times.reference.push(...theirs)
      ratios.push(median(mine) / median(theirs))
    }
    await Promise.all([parley.stop(), reference.stop()])
    for (const [name, all] of Object.entries(times)) {
      console.log(`  ${name.padEnd(10)} p50 ${median(all).toFixed(3)} ms   p99 ${percentile(all, 0.99).toFixed(3)} ms`)
    }
    console.log(`  ratio of medians ${median(ratios).toFixed(2)} (wanted: at most 2)`)
  })
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
