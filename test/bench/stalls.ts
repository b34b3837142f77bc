import { Type } from '@fastify/type-provider-typebox'
import { Value } from 'typebox/value'
import type { Running } from '../support/process.ts'
import { caller } from '../support/server.ts'
import { startParley, withFolder } from './processes.ts'
import type { StallingAct } from './stallingAct.ts'
import { LIVE_ACTS } from './stallsLive.ts'
import { REST_ACTS } from './stallsRest.ts'
import { benchToken } from './token.ts'

const HOOK = ['--import', new URL('stallHook.mjs', import.meta.url).href]
/** SPEC OPS-8. */
const WANTED_MS = 100
/** For one act. What it needs is made before. */
const LIMIT_MS = 60_000
/** For that. */
const PATIENCE_MS = 300_000

/** One list for each part of the server. */
const ACTS: readonly StallingAct[] = [...LIVE_ACTS, ...REST_ACTS]

/** `STALLS='paste|blame'` in the environment: only the acts whose names hold one of these. */
const wanted = new RegExp(process.env['STALLS'] ?? '')

/** OPS-8: how long one person's act makes everybody else wait, by kind of act and by size. */
export async function stalls(): Promise<void> {
  for (const act of ACTS.filter(({ name }) => wanted.test(name))) {
    for (const size of act.sizes) {
      const ms = await longestStall(act, size)
      const shown = ms === Number.POSITIVE_INFINITY ? `> ${LIMIT_MS}` : ms.toFixed(0)
      console.log(`  ${shown.padStart(8)} ms${ms > WANTED_MS ? ' !' : '  '}  ${act.name.replace('#', String(size))}`)
    }
  }
  console.log(`  (wanted: at most ${WANTED_MS} ms, as SPEC OPS-8 says)`)
}

/** Infinity where it takes longer than anybody waits. */
async function longestStall(act: StallingAct, size: number): Promise<number> {
  let ms = Number.POSITIVE_INFINITY
  await withFolder(async (folder) => {
    const parley = await startParley(folder, HOOK)
    try {
      ms = await measured(parley, act, size)
    } catch (error) {
      if (parley.process.signalCode !== 'SIGKILL') throw error
    }
    await parley.stop()
  })
  return ms
}

async function measured(parley: Running, act: StallingAct, size: number): Promise<number> {
  const token = await benchToken()
  const writer = caller(() => parley.url, token)
  const stopAfter = (ms: number): NodeJS.Timeout => setTimeout(() => parley.process.kill('SIGKILL'), ms)
  const patience = stopAfter(PATIENCE_MS)
  // The first run of anything is slow, until the engine has compiled it.
  const endWarmUp = await (await act.prepare({ parley, token, writer, id: 'warm-up' }, Math.ceil(size / 10)))()
  endWarmUp()
  const perform = await act.prepare({ parley, token, writer, id: 'counted' }, size)
  await stallOf(parley)
  clearTimeout(patience)
  const limit = stopAfter(LIMIT_MS)
  const end = await perform()
  const ms = await stallOf(parley)
  clearTimeout(limit)
  end()
  return ms
}

const Stall = Type.Object({ ms: Type.Number() })

/** The longest stall since this was last asked. */
function stallOf({ process: child }: Running): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the server has ended')))
    let output = ''
    const hear = (chunk: Buffer): void => {
      output += String(chunk)
      const line = /stall (\{.*\})/.exec(output)?.[1]
      if (line === undefined) return
      child.stdout?.off('data', hear)
      resolve(Value.Parse(Stall, JSON.parse(line)).ms)
    }
    child.stdout?.on('data', hear)
    child.kill('SIGUSR2')
  })
}
