import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Type } from '@fastify/type-provider-typebox'
import { Value } from 'typebox/value'
import { startProcess } from '../support/process.ts'
import { startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const SIZES = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 800, 1_000]
/** From when on people notice that others type. */
const P99_MS = 100
const ROUND_MS = 6_000

const Latency = Type.Object({ p50: Type.Number(), p99: Type.Number(), keys: Type.Number() })
type Latency = { readonly p50: number; readonly p99: number; readonly keys: number }

/**
 * How many people may be in one room where everybody types five keys a second, so that of these 99 in 100 are with the others
 * within 100 ms: Parley, with an fsync between, and Hocuspocus with none.
 */
export async function crowd(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder, [])
    const hocuspocus = await startProcess('test/bench/peers/hocuspocusServer.mjs', [])
    const most: Record<string, number> = { parley: 0, hocuspocus: 0 }
    for (const people of SIZES) {
      const urls = { parley: `${parley.url}/sync`, hocuspocus: hocuspocus.url }
      for (const [peer, url] of Object.entries(urls)) {
        // Who was past the bound at half as many is not asked again.
        if ((most[peer] ?? 0) < people / 2 && people > 100) continue
        const { p50, p99 } = await betterOfTwo((room) =>
          round(peer, url.replace('http', 'ws'), { token, people, room: `crowd-${people}-${room}` }),
        )
        if (p99 <= P99_MS) most[peer] = people
        console.log(
          `  ${String(people).padStart(5)} people  ${peer.padEnd(10)} p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms`,
        )
      }
    }
    console.log(`  at p99 of at most ${P99_MS} ms: Parley ${most['parley']} people, Hocuspocus ${most['hocuspocus']}`)
    await Promise.all([parley.stop(), hocuspocus.stop()])
  })
}

/** A machine that others use as well is at times too busy for anybody: who misses the bound tries once more. */
async function betterOfTwo(measure: (room: string) => Promise<Latency>): Promise<Latency> {
  const first = await measure('first')
  if (first.p99 <= P99_MS) return first
  const second = await measure('second')
  return second.p99 < first.p99 ? second : first
}

interface Crowd {
  readonly token: string
  readonly people: number
  readonly room: string
}

async function round(peer: string, url: string, { token, people, room }: Crowd): Promise<Latency> {
  const parameters = ['test/bench/crowdTypists.mjs', peer, url, room, token, String(people), String(ROUND_MS)]
  const { stdout } = await promisify(execFile)(process.execPath, parameters)
  return Value.Parse(Latency, JSON.parse(stdout))
}
