import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { contentAt } from '../../server/documents/past.ts'
import { CHECKPOINT_INTERVAL } from '../../server/documents/startingPoints.ts'
import type { Environment } from '../../server/foundation/environment.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { toIncarnation, toPrincipalId, toVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import { LogCompactor } from '../../server/history/compactor.ts'
import { HistoryReader } from '../../server/history/reader.ts'
import { openSqlite } from '../../server/storage/sqlite/open.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { median, percentile, withFolder } from './processes.ts'

/** The recording as gzipped JSON (`automerge-paper.json.gz`, 259,778 keystrokes); else its first 20,000 are used. */
const WHOLE = process.env['PARLEY_BENCH_PAPER'] ?? ''
const FIXTURE = new URL('../fixtures/automerge-paper-20000.json.gz', import.meta.url)

type Patch = [position: number, deleted: number, inserted: string]

const ID = trustedDocumentId('paper')
const AUTHOR = toPrincipalId('typist')
/** Commits that share an fsync while the paper is typed; each keystroke is an entry of its own, the hard case. */
const BURST = 512
const READS = 300
const COMPACTED_ENTRIES = 100_000
const DAY_MS = 24 * 3600 * 1000
const KEYSTROKE_MS = 300

/** A clock that the bench moves, so that keystrokes have times of their own. */
class MovedClock implements Environment {
  ms = Date.UTC(2026, 0, 1)
  now = (): number => this.ms
  monotonicMs = systemEnvironment.monotonicMs.bind(systemEnvironment)
  after = systemEnvironment.after.bind(systemEnvironment)
  randomBytes = systemEnvironment.randomBytes.bind(systemEnvironment)
}

/** Content at any version, size, and compaction of a paper typed keystroke by keystroke (SPEC HIST-2, HIST-4). */
export async function history(): Promise<void> {
  const paper = readPaper()
  await measure(paper)
  // What is asked of a compaction is asked of so many entries; a longer one meets longer pauses of the collector.
  if (paper.length > COMPACTED_ENTRIES) await measure(paper.slice(0, COMPACTED_ENTRIES))
}

async function measure(patches: readonly Patch[]): Promise<void> {
  await withFolder(async (folder) => {
    const environment = new MovedClock()
    const file = join(folder, 'history.db')
    const workerUrl = new URL('../../dist/server/worker.js', import.meta.url)
    const storage = await openSqlite({ file, writer: 'adaptive', environment }, { workerUrl })
    const onUnexpected = (error: unknown): never => {
      throw error
    }
    const compactor = new LogCompactor({
      storage,
      environment,
      ageMs: DAY_MS,
      intervalMs: DAY_MS,
      onJoined: () => undefined,
      onUnexpected,
    })
    const started = performance.now()
    const typed = await typePaper(storage, environment, patches)
    const seconds = (performance.now() - started) / 1_000
    console.log(`  ${patches.length} keystrokes, an entry each, typed in ${seconds.toFixed(1)} s`)
    await compactor.compact(ID)
    await reportSize(storage, file, typed.updateBytes, 'packed')
    await reportReads(storage, typed)
    environment.ms += 2 * DAY_MS
    await reportStall(compactor, patches.length)
    await reportSize(storage, file, typed.updateBytes, 'compacted')
    await reportReads(storage, typed)
    await storage.close()
  })
}

interface Typed {
  readonly version: number
  readonly updateBytes: number
  /** What the document was at some versions. */
  readonly samples: ReadonlyMap<number, string>
}

function readPaper(): readonly Patch[] {
  const isWhole = WHOLE !== '' && existsSync(WHOLE)
  const json = JSON.parse(gunzipSync(readFileSync(isWhole ? WHOLE : FIXTURE)).toString()) as {
    patches?: Patch[]
    txns?: { patches: Patch[] }[]
  }
  return json.patches ?? json.txns?.flatMap((txn) => txn.patches) ?? []
}

/** Hands each keystroke to storage as the server does: the update, what it did, and checkpoints where they are due. */
async function typePaper(storage: Storage, environment: MovedClock, patches: readonly Patch[]): Promise<Typed> {
  const editor = new Y.Doc()
  const text = editor.getText('content')
  let update: Uint8Array = new Uint8Array(0)
  editor.on('update', (bytes: Uint8Array) => (update = bytes))
  let updateBytes = 0
  const samples = new Map<number, string>()
  const start = { incarnation: toIncarnation('paper'), kind: 'text', root: 'content', deletedAt: null } as const
  const made = { createdAt: environment.ms, createdBy: AUTHOR, updatedBy: AUTHOR, conflictPolicy: 'manual' } as const
  let waiting: Promise<unknown>[] = []
  for (const [index, [at, deleted, inserted]] of patches.entries()) {
    editor.transact(() => {
      if (deleted > 0) text.delete(at, deleted)
      if (inserted !== '') text.insert(at, inserted)
    })
    updateBytes += update.length
    environment.ms += KEYSTROKE_MS
    const version = toVersion(index + 1)
    const delta = [at, -deleted, inserted].filter((item) => item !== 0 && item !== '')
    const origin = index === 0 ? 'create' : 'live'
    const entry = {
      version,
      author: AUTHOR,
      at: environment.ms,
      origin,
      update,
      effect: { kind: 'text', delta },
    } as const
    const versions = { version, firstVersion: toVersion(1), updatedAt: environment.ms }
    const head = { ...start, ...made, ...versions, id: ID, schema: null }
    const isCheckpoint = index === 0 || version % CHECKPOINT_INTERVAL === 0
    const append = { head, expected: toVersion(index), entry, ...(isCheckpoint ? { checkpoint: text.toString() } : {}) }
    const act = { at: environment.ms, appends: [append], conflicts: [], contents: new Map(), events: [] }
    waiting.push(storage.commit(act))
    if (index % 9_973 === 0) samples.set(version, text.toString())
    if (waiting.length < BURST) continue
    await Promise.all(waiting)
    waiting = []
  }
  await Promise.all(waiting)
  return { version: toVersion(patches.length), updateBytes, samples }
}

async function reportReads(storage: Storage, { version, samples }: Typed): Promise<void> {
  const times: number[] = []
  const works: number[] = []
  let asked = 0
  for (let n = 0; n < READS; n++) {
    const wanted = toVersion(1 + ((n * 7_919 * 31) % version))
    const kept = (await storage.versionAt(ID, wanted))?.version ?? wanted
    const [start, work] = [performance.now(), threadWorkMs()]
    const content = await contentAt(storage, ID, 'text', kept)
    times.push(performance.now() - start)
    works.push(threadWorkMs() - work)
    asked += String(content).length
  }
  for (const [at, expected] of samples) {
    if ((await storage.versionAt(ID, toVersion(at)))?.version !== at) continue
    const content = await contentAt(storage, ID, 'text', toVersion(at))
    if (content !== expected) throw new Error(`The content at version ${at} is not what was typed`)
  }
  const worst = Math.max(...times).toFixed(1)
  console.log(
    `  content at a version: p50 ${median(times).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms, worst ${worst} ms (wanted: within 50), of work p99 ${percentile(works, 0.99).toFixed(1)} ms, ${(asked / READS / 1024).toFixed(0)} KiB each`,
  )
  const start = performance.now()
  await new HistoryReader(storage).blame(ID, false)
  console.log(`  blame of the whole: ${((performance.now() - start) / 1_000).toFixed(1)} s`)
}

async function reportSize(storage: Storage, file: string, updateBytes: number, what: string): Promise<void> {
  await storage.writable()
  const sqlite = (await import('better-sqlite3')).default
  const connection = new sqlite(file)
  connection.pragma('wal_checkpoint(PASSIVE)')
  const pages = Number(connection.pragma('page_count', { simple: true }))
  const free = Number(connection.pragma('freelist_count', { simple: true }))
  const size = Number(connection.pragma('page_size', { simple: true }))
  const tables = connection
    .prepare<[], { name: string; bytes: number }>(
      'SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 4',
    )
    .all()
  connection.close()
  const used = (pages - free) * size
  const ratio = (used / updateBytes).toFixed(2)
  const parts = tables.map(({ name, bytes }) => `${name} ${(bytes / 1e6).toFixed(1)}`).join(', ')
  console.log(
    `  ${what}: ${(used / 1e6).toFixed(1)} MB in use (${parts}), ${ratio} × the updates (wanted: under 3); file ${(statSync(file).size / 1e6).toFixed(1)} MB`,
  )
}

/**
 * The longest the loop stood still while everything was compacted: by the clock, which on a busy machine counts what
 * others did meanwhile, and by what this thread itself worked.
 */
async function reportStall(compactor: LogCompactor, entries: number): Promise<void> {
  const started = performance.now()
  const longest = { wallMs: 0, workMs: 0 }
  let last = { wallMs: performance.now(), workMs: threadWorkMs() }
  let isRunning = true
  const probe = (): void => {
    const now = { wallMs: performance.now(), workMs: threadWorkMs() }
    longest.wallMs = Math.max(longest.wallMs, now.wallMs - last.wallMs)
    longest.workMs = Math.max(longest.workMs, now.workMs - last.workMs)
    last = now
    if (isRunning) setImmediate(probe)
  }
  setImmediate(probe)
  await compactor.compact(ID)
  isRunning = false
  const seconds = (performance.now() - started) / 1_000
  console.log(
    `  compaction of ${entries} entries: ${seconds.toFixed(1)} s, longest stall ${longest.workMs.toFixed(1)} ms of work (wanted: at most 10), ${longest.wallMs.toFixed(1)} ms by the clock`,
  )
}

/** What the main thread has worked so far, as Linux counts it; by the clock elsewhere. */
function threadWorkMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6
  } catch {
    return performance.now()
  }
}
