import { join } from 'node:path'
import { putsPerSecond } from './httpLoad.ts'
import { startProcess } from '../support/process.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const CONNECTIONS = 64
/** Until the engine has compiled what runs: a server is measured as it is after its first minute, not its first second. */
const WARM_UP_SECONDS = 15
const SECONDS = 4
const ROUNDS = 5

/** Accepted conditional PUTs, fsynced before each answer, against plain fastify and better-sqlite3 doing the same. */
export async function puts(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder)
    const floor = await startProcess('test/bench/peers/floor.mjs', [join(folder, 'floor.db')])
    const rates: { parley: number; floor: number }[] = []
    await putsPerSecond(new URL(parley.url), token, CONNECTIONS, WARM_UP_SECONDS)
    await putsPerSecond(new URL(floor.url), null, CONNECTIONS, WARM_UP_SECONDS)
    for (let round = 0; round < ROUNDS; round++) {
      rates.push({
        parley: await putsPerSecond(new URL(parley.url), token, CONNECTIONS, SECONDS),
        floor: await putsPerSecond(new URL(floor.url), null, CONNECTIONS, SECONDS),
      })
    }
    await Promise.all([parley.stop(), floor.stop()])
    const ratio = median(rates.map((rate) => rate.parley / rate.floor))
    console.log(`  parley ${Math.round(median(rates.map((rate) => rate.parley)))}/s`)
    console.log(`  floor  ${Math.round(median(rates.map((rate) => rate.floor)))}/s`)
    console.log(`  ratio  ${ratio.toFixed(2)} (wanted: at least 0.33)`)
  })
}
