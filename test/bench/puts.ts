import { join } from 'node:path'
import { putsPerSecond } from './httpLoad.ts'
import { startProcess } from '../support/process.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const CONNECTIONS = 64
const SECONDS = 4
const ROUNDS = 3

/** Accepted conditional PUTs, fsynced before each answer, against plain fastify and better-sqlite3 doing the same. */
export async function puts(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder)
    const floor = await startProcess('test/bench/peers/floor.mjs', [join(folder, 'floor.db')])
    const rates: { parley: number; floor: number }[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const measured = {
        parley: await putsPerSecond(new URL(parley.url), token, CONNECTIONS, SECONDS),
        floor: await putsPerSecond(new URL(floor.url), null, CONNECTIONS, SECONDS),
      }
      // The first round warms both up.
      if (round > 0) rates.push(measured)
    }
    await Promise.all([parley.stop(), floor.stop()])
    const ratio = median(rates.map((rate) => rate.parley / rate.floor))
    console.log(`  parley ${Math.round(median(rates.map((rate) => rate.parley)))}/s`)
    console.log(`  floor  ${Math.round(median(rates.map((rate) => rate.floor)))}/s`)
    console.log(`  ratio  ${ratio.toFixed(2)} (wanted: at least 0.33)`)
  })
}
