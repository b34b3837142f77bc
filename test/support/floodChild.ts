/**
 * A whole server in a process of its own whose events a test makes, and whose memory it measures. A message of the
 * parent names the numbers of the events that shall be committed, as one act; the answer comes when they are on disk.
 * `node --expose-gc --import tsx floodChild.ts DATABASE SECRET`
 */
import { startApp } from '../../server/app.ts'
import { readConfig } from '../../server/config.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { trustedDocumentId } from '../../server/foundation/ids.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { RATES_NEVER_MET } from './rates.ts'
import { newAct } from './storageSamples.ts'

export interface FloodOrder {
  readonly numbers: readonly number[]
  /** Characters of filler in each event. */
  readonly bytes: number
  /** Whether garbage goes before the memory is told, so that what is left is what is held. */
  readonly collect: boolean
}
export interface FloodNews {
  readonly url: string
  /** Memory of the process, in bytes. */
  readonly rss: number
}

const [database, secret] = process.argv.slice(2)
const read = readConfig({
  PARLEY_PORT: '0',
  PARLEY_DATABASE: database,
  PARLEY_SECRET: secret,
  PARLEY_LOG_LEVEL: 'warn',
  ...RATES_NEVER_MET,
})
if ('problem' in read) throw new Error(read.problem)
let storage: Storage | null = null
const wrapStorage = (opened: Storage): Storage => (storage = opened)
const app = await startApp(read.config, systemEnvironment, { writer: 'inline', wrapStorage })

const tell = (): void => void process.send?.({ url: app.url, rss: process.memoryUsage.rss() } satisfies FloodNews)

async function flood({ numbers, bytes, collect }: FloodOrder): Promise<void> {
  const document = trustedDocumentId('flood')
  const filler = 'x'.repeat(bytes)
  const events = numbers.map((n) => ({ type: 'parley.conflict.detected', document, data: { n, filler } }) as const)
  await storage?.commit(newAct({ at: Date.now(), events }))
  if (collect) globalThis.gc?.()
  tell()
}

process.on('message', (order: FloodOrder) => void flood(order))
process.on('disconnect', () => process.exit())
tell()
