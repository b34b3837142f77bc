import { Type } from '@fastify/type-provider-typebox'
import { Value } from 'typebox/value'
import type { Running } from '../support/process.ts'
import { caller } from '../support/server.ts'
import { startParley, withFolder } from './processes.ts'
import type { StallingAct } from './stallingAct.ts'
import { HOSTILE_ACTS } from './stallsHostile.ts'
import { LIVE_ACTS } from './stallsLive.ts'
import { REST_ACTS } from './stallsRest.ts'
import { STORED_ACTS } from './stallsStored.ts'
import { benchToken } from './token.ts'

const HOOK = ['--import', new URL('stallHook.mjs', import.meta.url).href]
/** SPEC OPS-8. */
const WANTED_MS = 100
/** For one act. What it needs is made before. */
const LIMIT_MS = 60_000
/** For that. */
const PATIENCE_MS = 300_000

/** One list for each part of the server. */
const ACTS: readonly StallingAct[] = [...LIVE_ACTS, ...REST_ACTS, ...HOSTILE_ACTS, ...STORED_ACTS]

/** `STALLS='paste|blame'` in the environment: only the acts whose names hold one of these. */
const wanted = new RegExp(process.env['STALLS'] ?? '')

/** OPS-8: how long one person's act makes everybody else wait, by kind of act and by size. */
export async function stalls(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  for (const act of ACTS.filter(({ name }) => wanted.test(name))) {
    for (const size of act.sizes) {
      const stall = await longestStall(act, size)
      const shown = (ms: number | undefined): string => (ms === undefined ? `> ${LIMIT_MS}` : ms.toFixed(0)).padStart(8)
      const mark = (stall?.busyMs ?? LIMIT_MS) > WANTED_MS ? ' !' : '  '
      console.log(`  ${shown(stall?.busyMs)} ms${mark} ${shown(stall?.ms)} ms  ${act.name.replace('#', String(size))}`)
    }
  }
  console.log('  (of the processor, and by the clock)')
  console.log(`  (wanted: at most ${WANTED_MS} ms, as SPEC OPS-8 says)`)
}

/** Null where it takes longer than anybody waits. */
async function longestStall(act: StallingAct, size: number): Promise<Stall | null> {
  let stall: Stall | null = null
  await withFolder(async (folder) => {
    const parley = await startParley(folder, HOOK)
    // However the bench ends, its server does not outlive it.
    const end = (): void => void parley.process.kill('SIGKILL')
    process.once('exit', end)
    try {
      stall = await measured(parley, act, size)
    } catch (error) {
      if (parley.process.signalCode !== 'SIGKILL') throw error
    } finally {
      await parley.stop()
      process.off('exit', end)
    }
  })
  return stall
}

async function measured(parley: Running, act: StallingAct, size: number): Promise<Stall> {
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
  const stall = await stallOf(parley)
  clearTimeout(limit)
  end()
  return stall
}

/** By the clock, and in the processor's time. */
const Stall = Type.Object({ ms: Type.Number(), busyMs: Type.Number() })
type Stall = Type.Static<typeof Stall>

/** The longest stall since this was last asked. */
function stallOf({ process: child }: Running): Promise<Stall> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the server has ended')))
    let output = ''
    const hear = (chunk: Buffer): void => {
      output += String(chunk)
      const line = /stall (\{.*\})/.exec(output)?.[1]
      if (line === undefined) return
      child.stdout?.off('data', hear)
      resolve(Value.Parse(Stall, JSON.parse(line)))
    }
    child.stdout?.on('data', hear)
    child.kill('SIGUSR2')
  })
}
