import { join } from 'node:path'
import { startProcess, type Running } from '../support/process.ts'
import { median, startParley, withFolder } from './processes.ts'

const ROUNDS = 9

/** From the start of a process to its first word that it listens: as shipped, as the modules of its source, and the floor. */
export async function starts(): Promise<void> {
  await withFolder(async (folder) => {
    const shipped: number[] = []
    const modules: number[] = []
    const floor: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      shipped.push(await startMs(() => startParley(folder)))
      modules.push(await startMs(() => startParley(folder, [], {}, 'dist/modules/server/main.js')))
      floor.push(await startMs(() => startProcess('test/bench/peers/floor.mjs', [join(folder, `floor${round}.db`)])))
    }
    console.log(`  shipped  ${Math.round(median(shipped))} ms`)
    console.log(`  modules  ${Math.round(median(modules))} ms`)
    console.log(`  floor    ${Math.round(median(floor))} ms`)
    const ratio = median(shipped.map((ms, round) => ms / (floor[round] ?? Number.NaN)))
    console.log(`  ratio    ${ratio.toFixed(2)} (wanted: at most 4)`)
  })
}

async function startMs(start: () => Promise<Running>): Promise<number> {
  const startedMs = performance.now()
  const running = await start()
  const tookMs = performance.now() - startedMs
  await running.stop()
  return tookMs
}
