import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from '@fastify/type-provider-typebox'
import { Value } from 'typebox/value'
import { caller, type Caller } from '../support/server.ts'
import { startProcess, type Running } from '../support/process.ts'
import { subscribeMany, type Subscribers } from '../support/subscribers.ts'
import { median, startParley, withFolder } from './processes.ts'
import { benchToken } from './token.ts'

const COUNTS = [1_000, 5_000]
/** A principal may have 100 open conflicts on a document. */
const WARM_UP_ROUNDS = 20
const ROUNDS = 25
const MEMORY_SUBSCRIBERS = 5_000
const HOOK = ['--import', new URL('memoryHook.mjs', import.meta.url).href]
const BARE = fileURLToPath(new URL('broadcastServer.mjs', import.meta.url))
const ofParley = { marker: '"type":"parley.conflict.detected"', welcome: '"type":"subscribed"' }
const ofBare = { ...ofParley, welcome: '' }

/** A refused write's way to the last of many subscribers, and what an idle one costs; both against a bare ws server. */
export async function notifications(): Promise<void> {
  for (const count of COUNTS) await fanOut(count)
  await memory()
}

/** Milliseconds of one round: until the answer, from the answer to the last subscriber, and both together. */
interface Round {
  readonly answer: number
  readonly afterwards: number
  readonly total: number
}

async function fanOut(count: number): Promise<void> {
  await withFolder(async (folder) => {
    const parley = await startParley(folder)
    const bare = await startProcess(BARE, [])
    const writer = caller(() => parley.url, await benchToken('writer'))
    for (const id of ['hot', 'alone']) await makeStale(writer, id)
    const tokenFile = await tokensIn(folder, count)
    const hot = await subscribeMany(notificationsOf(parley), { ...ofParley, count, tokenFile })
    const sockets = await subscribeMany(bare.url, { ...ofBare, count })
    const payload = await capture(writer)
    const rounds = { parley: [] as Round[], bare: [] as Round[], alone: [] as number[] }
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const mine = await timed(hot, () => refuseAWrite(writer, 'hot', round))
      const theirs = await timed(sockets, () => fetch(bare.url, { method: 'POST', body: payload }))
      const start = performance.now()
      await refuseAWrite(writer, 'alone', round)
      if (round < 0) continue
      rounds.parley.push(mine)
      rounds.bare.push(theirs)
      rounds.alone.push(performance.now() - start)
    }
    for (const one of [hot, sockets]) one.process.disconnect()
    await Promise.all([parley.stop(), bare.stop()])
    report(count, rounds.parley, rounds.bare, median(rounds.alone))
  })
}

function report(count: number, parley: readonly Round[], bare: readonly Round[], alone: number): void {
  const line = (name: string, rounds: readonly Round[]): void => {
    const [answer, afterwards, total] = (['answer', 'afterwards', 'total'] as const).map((key) =>
      median(rounds.map((round) => round[key])).toFixed(1),
    )
    console.log(`  ${name} answered in ${answer} ms, the last told ${afterwards} ms later, in all ${total} ms`)
  }
  console.log(`  ${count} subscribers`)
  line('parley', parley)
  line('bare  ', bare)
  console.log(`  a refused write of which nobody is told: ${alone.toFixed(1)} ms`)
  const ratios = parley.map((mine, n) => (mine.total - alone) / (bare[n]?.total ?? Number.NaN))
  console.log(`  ratio of all but that write to the bare broadcast: ${median(ratios).toFixed(2)} (wanted: at most 1.3)`)
}

/** A document whose version 1 is a stale base. */
async function makeStale(writer: Caller, id: string): Promise<void> {
  await writer.post('/documents', { id, kind: 'text', content: 'one\n' })
  await writer.put(`/documents/${id}`, { content: 'two\n', baseVersion: 1 })
}

async function refuseAWrite(writer: Caller, id: string, round: number): Promise<void> {
  const { status } = await writer.put(`/documents/${id}`, { content: `refused ${round}\n`, baseVersion: 1 })
  if (status !== 409) throw new Error(`the write was answered with ${status}`)
}

/** The frame that tells of a refused write, as text: what the bare server sends too. */
async function capture(writer: Caller): Promise<string> {
  const { cursor } = (await writer.get('/conflict-notifications')).body
  await makeStale(writer, 'cap')
  await refuseAWrite(writer, 'cap', 0)
  const { body } = await writer.get(`/conflict-notifications?documents=cap&since=${encodeURIComponent(cursor)}`)
  return `{"type":"event","subscriptions":["query"],"event":${JSON.stringify(body.events.at(-1))}}`
}

async function timed(subscribers: Subscribers, act: () => Promise<unknown>): Promise<Round> {
  const told = subscribers.told()
  const start = process.hrtime.bigint()
  await act()
  const answered = process.hrtime.bigint()
  const last = await told
  const ms = (from: bigint, to: bigint): number => Number(to - from) / 1e6
  return { answer: ms(start, answered), afterwards: ms(answered, last), total: ms(start, last) }
}

/** A token for each subscriber, a line each: people do not share theirs. */
async function tokensIn(folder: string, count: number): Promise<string> {
  const file = join(folder, 'tokens')
  const tokens = await Promise.all(Array.from({ length: count }, (_, n) => benchToken(`subscriber-${n}`)))
  writeFileSync(file, tokens.join('\n'))
  return file
}

const notificationsOf = (parley: Running): string => `${parley.url}/conflict-notifications?documents=hot`

const Memory = Type.Object({ used: Type.Number(), rss: Type.Number() })

async function memory(): Promise<void> {
  await withFolder(async (folder) => {
    const parley = await startParley(folder, ['--expose-gc', ...HOOK])
    const bare = await startProcess('--expose-gc', [...HOOK, BARE])
    const tokenFile = await tokensIn(folder, MEMORY_SUBSCRIBERS)
    const mine = await cost(parley, () =>
      subscribeMany(notificationsOf(parley), { ...ofParley, count: MEMORY_SUBSCRIBERS, tokenFile }),
    )
    const theirs = await cost(bare, () => subscribeMany(bare.url, { ...ofBare, count: MEMORY_SUBSCRIBERS }))
    await Promise.all([parley.stop(), bare.stop()])
    const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`
    console.log(`  an idle subscriber: ${kib(mine.used)} (rss ${kib(mine.rss)})`)
    console.log(`  a bare ws socket:   ${kib(theirs.used)} (rss ${kib(theirs.rss)})`)
    console.log(`  above the socket's own cost: ${kib(mine.used - theirs.used)} (wanted: under 15)`)
  })
}

/** What each of the subscribers costs the server. */
async function cost(server: Running, connect: () => Promise<Subscribers>): Promise<{ used: number; rss: number }> {
  const before = await memoryOf(server)
  const subscribers = await connect()
  const after = await memoryOf(server)
  subscribers.process.disconnect()
  await once(subscribers.process, 'exit')
  const each = (key: 'used' | 'rss'): number => (after[key] - before[key]) / MEMORY_SUBSCRIBERS
  return { used: each('used'), rss: each('rss') }
}

async function memoryOf(server: Running): Promise<{ used: number; rss: number }> {
  let output = ''
  const told = new Promise<unknown>((resolve) => {
    server.process.stdout?.on('data', (chunk: Buffer) => {
      output += String(chunk)
      const line = /memory (\{.*\})/.exec(output)?.[1]
      if (line !== undefined) resolve(JSON.parse(line))
    })
  })
  server.process.kill('SIGUSR2')
  return Value.Parse(Memory, await told)
}
