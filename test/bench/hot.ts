import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startProcess } from '../support/process.ts'
import { WaitLimit } from '../support/waitFor.ts'
import { Connection } from './httpLoad.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const WRITERS = 64
/** Until the engine has compiled most of what runs, which etcd needs not, and before tens of thousands of conflicts are open. */
const WARM_UP_SECONDS = 10
const SECONDS = 2
const ROUNDS = 3
/** One principal has at most a hundred open conflicts on a document: then a writer goes on as another one. */
const REFUSALS_AS_ONE = 90
const ETCD_PORTS = { client: 23_790, peer: 23_800 }

/** What one attempt came to, and the version to try on next. */
interface Attempt {
  readonly won: boolean
  readonly next: number
}

/** One hot key: tries to move it on from a version. */
type Swap = (connection: Connection, writer: number, version: number) => Promise<Attempt>

/** The token of another principal each time; null where there are none. */
type NextToken = () => Promise<string | null>

interface Rate {
  readonly won: number
  readonly lost: number
}

/**
 * One document that 64 writers write on the newest version they know: answers a second, won (200) and lost (a whole 409,
 * with its conflict kept), against compare-and-swap of one key of etcd, and of plain fastify and better-sqlite3.
 */
export async function hot(): Promise<void> {
  await withFolder(async (folder) => {
    const parley = await startParley(folder)
    const floor = await startProcess('test/bench/peers/floor.mjs', [join(folder, 'floor.db')])
    const etcd = await startEtcd(join(folder, 'etcd'))
    let principals = 0
    const another: NextToken = () => benchToken(`writer-${(principals += 1)}`)
    const nobody: NextToken = async () => null
    const peers: [name: string, measure: (seconds: number) => Promise<Rate>][] = [
      ['parley', (seconds) => rateOf(new URL(parley.url), another, swapDocument, seconds)],
      ['floor', (seconds) => rateOf(new URL(floor.url), nobody, swapRow, seconds)],
    ]
    if (etcd === null) console.log('  etcd is not on PATH: measured without it')
    else peers.push(['etcd', (seconds) => rateOf(new URL(etcd.url), nobody, swapKey, seconds)])
    const rates = new Map(peers.map(([name]) => [name, [] as Rate[]]))
    for (const [, measure] of peers) await measure(WARM_UP_SECONDS)
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, measure] of peers) rates.get(name)?.push(await measure(SECONDS))
    }
    await Promise.all([parley.stop(), floor.stop(), etcd?.stop()])
    for (const [name, measured] of rates) {
      const [won, lost] = [median(measured.map((one) => one.won)), median(measured.map((one) => one.lost))]
      console.log(`  ${name.padEnd(7)} ${Math.round(won + lost)}/s, of them won ${Math.round(won)}/s`)
    }
    for (const [name, measured] of rates) {
      if (name === 'parley') continue
      const ratios = measured.map((one, round) => sum(rates.get('parley')?.[round]) / sum(one))
      console.log(`  against ${name}: ${median(ratios).toFixed(2)}${name === 'etcd' ? ' (wanted: at least 1)' : ''}`)
    }
  })
}

const sum = (rate: Rate | undefined): number => (rate === undefined ? Number.NaN : rate.won + rate.lost)

async function rateOf(url: URL, nextToken: NextToken, swap: Swap, seconds: number): Promise<Rate> {
  const tokens = await Promise.all(Array.from({ length: WRITERS }, () => nextToken()))
  // All begin on the newest version, as the writers that they are have gone on from one to the next.
  const looking = new Connection(url, await nextToken())
  const { next: newest } = await swap(looking, 0, 0)
  looking.close()
  const until = performance.now() + seconds * 1000
  const counts = { won: 0, lost: 0 }
  await Promise.all(
    tokens.map(async (token, writer) => {
      let connection = new Connection(url, token)
      let version = newest
      let refusals = 0
      while (performance.now() < until) {
        const attempt = await swap(connection, writer, version)
        version = attempt.next
        counts[attempt.won ? 'won' : 'lost'] += 1
        refusals = attempt.won ? 0 : refusals + 1
        if (token === null || refusals < REFUSALS_AS_ONE) continue
        connection.close()
        connection = new Connection(url, await nextToken())
        refusals = 0
      }
      connection.close()
    }),
  )
  return { won: counts.won / seconds, lost: counts.lost / seconds }
}

const contentOf = (writer: number, version: number): string =>
  `A small document.\nWriter ${writer} saw version ${version}.\nThe end.`

const swapDocument: Swap = async (connection, writer, version) => {
  const body = { content: contentOf(writer, version), baseVersion: version }
  const answer = await connection.exchange('PUT', '/documents/hot', body)
  const told = JSON.parse(answer.body)
  if (answer.status < 300) return { won: true, next: told.version }
  if (answer.status !== 409) throw new Error(`PUT answered ${answer.status}: ${answer.body}`)
  if (told.conflict.id === null) throw new Error('A conflict was not kept.')
  return { won: false, next: told.conflict.current.version }
}

const swapRow: Swap = async (connection, writer, version) => {
  const body = { content: contentOf(writer, version), baseVersion: version }
  const answer = await connection.exchange('PUT', '/documents/hot', body)
  return { won: answer.status < 300, next: JSON.parse(answer.body).version }
}

const KEY = Buffer.from('hot').toString('base64')

const swapKey: Swap = async (connection, writer, version) => {
  const value = Buffer.from(contentOf(writer, version)).toString('base64')
  const { body } = await connection.exchange('POST', '/v3/kv/txn', {
    compare: [{ key: KEY, target: 'MOD', result: 'EQUAL', mod_revision: String(version) }],
    success: [{ request_put: { key: KEY, value } }],
    failure: [{ request_range: { key: KEY } }],
  })
  const { succeeded = false, header, responses = [] } = JSON.parse(body)
  const known = responses[0]?.response_range?.kvs?.[0]?.mod_revision
  return { won: succeeded, next: Number(succeeded ? header.revision : (known ?? 0)) }
}

/** A server of its own, as it is configured by default; null where there is none on this machine. */
async function startEtcd(folder: string): Promise<{ url: string; stop: () => Promise<void> } | null> {
  const url = `http://127.0.0.1:${ETCD_PORTS.client}`
  const peer = `http://127.0.0.1:${ETCD_PORTS.peer}`
  const own = ['--data-dir', folder, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`]
  const child = spawn(
    'etcd',
    [...own, '--listen-client-urls', url, '--advertise-client-urls', url, '--listen-peer-urls', peer],
    { stdio: 'ignore' },
  )
  const failed = once(child, 'error').then(() => false)
  const ready = isUp(url, child)
  if (!(await Promise.race([ready, failed]))) return null
  return {
    url,
    stop: async () => {
      child.kill()
      await once(child, 'exit')
    },
  }
}

async function isUp(url: string, child: ChildProcess): Promise<boolean> {
  const limit = new WaitLimit(() => 'etcd to be up')
  while (child.exitCode === null) {
    const answer = await fetch(`${url}/health`).catch(() => null)
    if (answer?.ok) {
      limit.end()
      return true
    }
    await limit.race(new Promise<void>((resolve) => setTimeout(resolve, 100)))
  }
  return false
}
