import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running } from '../support/process.ts'
import { RATES_NEVER_MET } from '../support/rates.ts'
import { freePort } from '../support/realProxies.ts'
import { putsPerSecond } from './httpLoad.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const CONNECTIONS = 32
const WARM_UP_SECONDS = 8
const SECONDS = 1
/** A round differs from the next by a tenth; of so many the median does by a hundredth. */
const ROUNDS = 50
/** Of Linux, on every machine there is. */
const TICK_US = 10_000

type Variables = Readonly<Record<string, string>>

interface Toll {
  readonly what: string
  readonly with: Variables
  readonly without: Variables
  readonly wanted: number
}

const tollsOf = (metricsPort: number): readonly Toll[] => [
  {
    what: 'rate limits',
    with: RATES_NEVER_MET,
    without: Object.fromEntries(Object.keys(RATES_NEVER_MET).map((name) => [name, '0'])),
    wanted: 1.05,
  },
  {
    what: 'metrics and logs',
    with: { PARLEY_METRICS_PORT: String(metricsPort), PARLEY_LOG_LEVEL: 'info' },
    without: { PARLEY_LOG_LEVEL: 'silent' },
    wanted: 1.02,
  },
]

/**
 * What a conditional PUT pays for what can be turned off: processor's time of the server, its threads included, of two servers
 * of one run that differ in nothing else, in turns.
 */
export async function tolls(): Promise<void> {
  for (const toll of tollsOf(await freePort())) await withFolder((folder) => measure(folder, toll))
}

async function measure(folder: string, toll: Toll): Promise<void> {
  const token = await benchToken()
  const start = (which: 'with' | 'without'): Promise<Running> =>
    startParley(folder, [], { PARLEY_DATABASE: join(folder, `${which}.db`), ...toll[which] })
  const [dear, cheap] = [await start('with'), await start('without')]
  const costs: { dear: number; cheap: number }[] = []
  for (const server of [dear, cheap]) await putsPerSecond(new URL(server.url), token, CONNECTIONS, WARM_UP_SECONDS)
  for (let round = 0; round < ROUNDS; round++) {
    // In turns, which of the two comes first, because the machine slows down and speeds up.
    const first = round % 2 === 0 ? await costOfPut(dear, token) : null
    const second = await costOfPut(cheap, token)
    costs.push({ dear: first ?? (await costOfPut(dear, token)), cheap: second })
  }
  await Promise.all([dear.stop(), cheap.stop()])
  const ratios = costs.map((cost) => cost.dear / cost.cheap).toSorted((a, b) => a - b)
  const [low, high] = [ratios[Math.floor(ROUNDS / 4)], ratios[Math.floor((ROUNDS * 3) / 4)]]
  console.log(
    `  ${toll.what.padEnd(17)} ${median(costs.map((cost) => cost.dear)).toFixed(0)} us a PUT, ` +
      `${median(costs.map((cost) => cost.cheap)).toFixed(0)} without: ${median(ratios).toFixed(3)} ` +
      `(half of the rounds between ${low?.toFixed(3)} and ${high?.toFixed(3)}; wanted: at most ${toll.wanted})`,
  )
}

async function costOfPut(server: Running, token: string): Promise<number> {
  const before = processorUs(server)
  const rate = await putsPerSecond(new URL(server.url), token, CONNECTIONS, SECONDS)
  return (processorUs(server) - before) / (rate * SECONDS)
}

/** User and system time of the process so far; Linux only. */
function processorUs({ process: { pid } }: Running): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the command, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}
