import { Connection } from './httpLoad.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const WARM_UP_SECONDS = 3
const SECONDS = 1
const ROUNDS = 7

/** A transaction over two documents against two single writes, one after the other, in the same run. */
export async function transactions(): Promise<void> {
  await withFolder(async (folder) => {
    const token = await benchToken()
    const parley = await startParley(folder)
    const url = new URL(parley.url)
    for (const connections of [1, 16]) {
      await pairMs(url, token, connections, 'transaction', WARM_UP_SECONDS)
      await pairMs(url, token, connections, 'single', WARM_UP_SECONDS)
      const rounds: { transaction: number; single: number }[] = []
      for (let round = 0; round < ROUNDS; round++) {
        rounds.push({
          transaction: await pairMs(url, token, connections, 'transaction', SECONDS),
          single: await pairMs(url, token, connections, 'single', SECONDS),
        })
      }
      const ratio = median(rounds.map((one) => one.transaction / one.single))
      console.log(`  ${connections} at a time`)
      console.log(`    a transaction of two documents  ${median(rounds.map((one) => one.transaction)).toFixed(2)} ms`)
      console.log(`    two single writes               ${median(rounds.map((one) => one.single)).toFixed(2)} ms`)
      console.log(`    ratio                           ${ratio.toFixed(2)} (wanted: at most 1.5)`)
    }
    await parley.stop()
  })
}

/** What two writes to small documents cost, in milliseconds: each connection has a pair of its own. */
async function pairMs(
  url: URL,
  token: string,
  connections: number,
  how: 'transaction' | 'single',
  seconds: number,
): Promise<number> {
  const open = Array.from({ length: connections }, () => new Connection(url, token))
  const started = performance.now()
  const until = started + seconds * 1000
  let pairs = 0
  await Promise.all(
    open.map(async (connection, index) => {
      const ids = ['a', 'b'].map((side) => `tx-${side}-${index}-${Math.floor(started)}`)
      for (let version = 0; performance.now() < until; version++) {
        await writePair(connection, ids, version, how)
        pairs += 1
      }
    }),
  )
  const elapsedMs = performance.now() - started
  for (const connection of open) connection.close()
  return (elapsedMs * connections) / pairs
}

async function writePair(
  connection: Connection,
  ids: readonly string[],
  version: number,
  how: 'transaction' | 'single',
): Promise<void> {
  const body = { content: `A small document.\nIts second line says ${version}.\nThe end.`, baseVersion: version }
  if (how === 'transaction') {
    const operations = ids.map((document) => ({ action: 'put', document, ...body }))
    assertDone(await connection.send('POST', '/transactions', { operations, commit: true }))
  } else {
    for (const id of ids) assertDone(await connection.put(`/documents/${id}`, body))
  }
}

function assertDone(status: number): void {
  if (status >= 300) throw new Error(`A write answered ${status}`)
}
