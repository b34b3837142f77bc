/**
 * `npm run soak [minutes]`: people come, type, go offline and come back while programs write and merge, on the server
 * as it is shipped; `npm run soak -- lines`: lines that fail for long (lines.ts); `npm run soak -- sessions`: documents of very many edit sessions
 * (sessions.ts). Prints its memory as it goes; fails when two readers of a document ever end up with different texts.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Running } from '../support/process.ts'
import { connectClient } from './client.ts'
import { soakLines } from './lines.ts'
import { soakSlowLines } from './slowLines.ts'
import { startParley, withFolder } from './processes.ts'
import { soakSessions } from './sessions.ts'
import { benchToken } from './token.ts'

if (process.argv[2] === 'sessions') process.exit((await soakSessions()) ? 0 : 1)
if (process.argv[2] === 'slow') process.exit((await soakSlowLines()) ? 0 : 1)
if (process.argv[2] === 'lines') process.exit((await soakLines(process.argv.slice(3).map(Number))) ? 0 : 1)

const minutes = Number(process.argv[2] ?? 10)
const DOCUMENTS = 20
const TYPISTS = 8
/** Long enough for a visit to be more than a handshake, short enough for some thousands of them in an hour. */
const KEYSTROKES_A_VISIT = 40

await withFolder(async (folder) => {
  const parley = await startParley(folder)
  const token = await benchToken('soak')
  const until = performance.now() + minutes * 60_000
  const report = setInterval(() => console.log(`  ${residentMebibytes(parley)} MiB resident`), 30_000)
  const tasks = Array.from({ length: TYPISTS }, (_, typist) => visit(parley, token, typist, until))
  const visits = await Promise.all([...tasks, rewrite(parley, token, until)])
  clearInterval(report)
  for (let index = 0; index < DOCUMENTS; index++) await expectOneText(parley, token, `soak-${index}`)
  console.log(
    `  ${visits.reduce((sum, count) => sum + count)} visits and writes, ${residentMebibytes(parley)} MiB resident at the end`,
  )
  await parley.stop()
})

/** Opens a document, types, drops the line in the middle, comes back, leaves. Answers how often. */
async function visit(parley: Running, token: string, typist: number, until: number): Promise<number> {
  let visits = 0
  for (; performance.now() < until; visits++) {
    const client = connectClient(socketUrl(parley), `soak-${(typist + visits) % DOCUMENTS}`, { token })
    await client.synced()
    for (let key = 0; key < KEYSTROKES_A_VISIT; key++) {
      if (key === KEYSTROKES_A_VISIT / 2) client.provider.disconnect()
      if (key === (KEYSTROKES_A_VISIT * 3) / 4) client.provider.connect()
      client.text.insert(Math.floor(client.text.length / 2), `${typist}`)
      await delay(2)
    }
    await client.synced()
    client.destroy()
  }
  return visits
}

/** Cuts documents back to a bounded size, as programs that merge into what people type. */
async function rewrite(parley: Running, token: string, until: number): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  let writes = 0
  for (; performance.now() < until; writes++) {
    const url = `${parley.url}/documents/soak-${writes % DOCUMENTS}`
    const seen = await fetch(url, { headers })
    if (seen.ok) {
      const { content, version }: { content: string; version: number } = JSON.parse(await seen.text())
      const body = JSON.stringify({ content: content.slice(-2_000), baseVersion: version, onConflict: 'merge' })
      const answer = await fetch(url, { method: 'PUT', headers, body })
      if (answer.status >= 500) throw new Error(`PUT answered ${answer.status}`)
    }
    await delay(20)
  }
  return writes
}

async function expectOneText(parley: Running, token: string, id: string): Promise<void> {
  const client = connectClient(socketUrl(parley), id, { token })
  await client.synced()
  const answer = await fetch(`${parley.url}/documents/${id}/content`, { headers: { authorization: `Bearer ${token}` } })
  if ((await answer.text()) !== client.text.toString()) throw new Error(`${id} has two texts`)
  client.destroy()
}

function socketUrl(parley: Running): string {
  return `${parley.url.replace('http', 'ws')}/sync`
}

function residentMebibytes(parley: Running): number {
  const status = readFileSync(`/proc/${parley.process.pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}
