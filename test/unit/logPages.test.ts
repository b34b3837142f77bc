import { afterEach, expect, it } from 'vitest'
import * as Y from 'yjs'
import { showConflict } from '../../server/conflicts/show.ts'
import { readHistory } from '../../server/conflicts/history.ts'
import { divide } from '../../server/documents/knowledge.ts'
import { workOutSides } from '../../server/documents/offlineSides.ts'
import { OpenReaches } from '../../server/documents/openReaches.ts'
import { contentAt, effectsInSteps } from '../../server/documents/past.ts'
import { Replicas } from '../../server/documents/replicas.ts'
import { toVersion, type Version } from '../../server/foundation/ids.ts'
import { LogCompactor } from '../../server/history/compactor.ts'
import { HistoryReader } from '../../server/history/reader.ts'
import type { Knowledge } from '../../server/model/clientKnowledge.ts'
import type { ConflictRecord } from '../../server/model/conflict.ts'
import { LOG_PAGE_BYTES } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { ALICE, BOB, Editor, id, LIMITS, startCore, type DocumentCore } from '../support/documentCore.ts'
import { oneRowPages } from '../support/oneRowPages.ts'
import { newConflict } from '../support/storageSamples.ts'
import { withTurns } from '../support/turns.ts'

const DOC = id('doc')
const DAY_MS = 24 * 3600 * 1000
const LINES = 60

let core: DocumentCore
afterEach(() => core.stop())

/** The text with these lines otherwise. */
function textWith(lines: Readonly<Record<number, string>>): string {
  return Array.from({ length: LINES }, (_, n) => lines[n] ?? `line ${n}`).join('\n')
}

/** Bob writes one line after the other, so that all of them differ at the end. */
async function writeLines(count: number): Promise<void> {
  core = await startCore()
  await core.create('doc', textWith({}))
  const lines: Record<number, string> = {}
  const writes: Promise<unknown>[] = []
  for (let n = 0; n < count; n += 1) {
    lines[n % LINES] = `bob ${n}`
    writes.push(core.write('doc', textWith(lines), { version: n + 1 }, BOB))
  }
  await Promise.all(writes)
}

/** What is answered where pages are as large as may be, once it was answered the same where each is one row. */
async function bothWays<T>(ask: (storage: Storage) => Promise<T>): Promise<T> {
  const [whole, byOne] = [await ask(core.storage), await ask(oneRowPages<Storage>(core.storage))]
  expect(byOne).toEqual(whole)
  return whole
}

it('[OPS-8] [CONF-6] a log divides at what a client has, however few entries a page of it holds', async () => {
  await writeLines(40)
  const { replica, release } = await core.lease('doc')
  const editor = new Editor(replica)
  const knowledge: Knowledge = {
    by: 'clocks',
    clocks: Y.decodeStateVector(Y.encodeStateVector(editor.doc)),
    deletes: new Map(),
    sentUpTo: toVersion(41),
    brought: new Map(),
    broughtUpdate: null,
  }
  await Promise.all(range(41, 239).map((n) => core.write('doc', textWith({ 3: `bob ${n}` }), { version: n }, BOB)))
  const update = editor.insert(0, 'alice ')
  const ways: Knowledge[] = [
    knowledge,
    { by: 'versions', seen: toVersion(41), own: v(50, 51, 120) },
    { by: 'versions', seen: toVersion(239), own: [] },
    { by: 'stored', seen: toVersion(200) },
  ]
  for (const way of ways) {
    const divided = await bothWays((storage) => divide(storage, replica, { author: ALICE, knowledge: way }))
    const first = way.by === 'clocks' ? 41 : way.seen
    expect(divided.prefix).toBe(first)
    expect(divided.later.map((entry) => entry.version)).toEqual(v(...range(first + 1, 240)))
  }
  await bothWays(async (storage) => {
    const found = await divide(storage, replica, { author: ALICE, knowledge })
    const { base, incoming } = await workOutSides(storage, replica.head, { divide: found, knowledge, update })
    expect([String(base).startsWith('bob 0'), String(incoming).startsWith('alice bob 0')]).toEqual([true, true])
    return { base, incoming }
  })
  release()
})

const v = (...numbers: number[]): Version[] => numbers.map(toVersion)
const range = (from: number, upTo: number): number[] => Array.from({ length: upTo - from + 1 }, (_, n) => from + n)

it('[OPS-8] [CONF-1] a conflict tells all that came between, however few entries a page of the log holds', async () => {
  await writeLines(90)
  await core.write('doc', textWith({ 5: 'alice' }), { version: 2, onConflict: 'manual' }, ALICE)
  const [record] = await core.storage.conflicts({ patterns: [{ exact: DOC }], before: null, limit: 1 })
  if (!record) throw new Error('it was refused')
  const { between } = await bothWays((storage) => readHistory(storage, record))
  expect(between.map(({ version }) => version)).toEqual(range(3, 91))
  const shown = await bothWays(async (storage) => showConflict(storage, record, { contents: true }))
  expect(shown.overlaps).toHaveLength(2)
})

it('[OPS-8] [WRITE-7] where open conflicts reach is followed, however few entries a page of the log holds', async () => {
  await writeLines(10)
  const end = textWith({ 0: 'bob 0' }).length
  const conflicts = [reaching([0, 20]), reaching([end - 20, end])]
  const touched = await bothWays((storage) => {
    const read = (after: Version) => storage.effects(DOC, after, toVersion(11), 11 - after)
    return new OpenReaches().touchedBy(conflicts, { version: toVersion(11), effect: null }, read)
  })
  expect(touched).toEqual([conflicts[0]])
})

/** An open conflict that reaches so far in the text of version 2. */
const reaching = (span: readonly [number, number]): ConflictRecord =>
  newConflict(DOC, { reach: { version: toVersion(2), reach: { text: [span] } } })

it('[OPS-8] [HIST-4] a log is packed and joined as it would be, however few entries a page of it holds', async () => {
  const compacted: unknown[] = []
  for (const wrap of [(storage: Storage) => storage, oneRowPages<Storage>]) {
    core = await startCore()
    await core.create('doc', '')
    const { replica, release } = await core.lease('doc')
    const editor = new Editor(replica, 77)
    const typed: Promise<unknown>[] = []
    for (let n = 0; n < 600; n += 1) {
      core.environment.jump(1_000)
      typed.push(replica.applyLive(editor.insert(n, String(n % 10)), n % 50 < 25 ? ALICE : BOB))
    }
    await Promise.all(typed)
    release()
    core.environment.jump(2 * DAY_MS)
    const storage = wrap(core.storage)
    const told = { onJoined: () => undefined, onUnexpected: () => expect.fail() }
    const { environment } = core
    await new LogCompactor({ storage, environment, ageMs: DAY_MS, intervalMs: DAY_MS, ...told }).compact(DOC)
    compacted.push(await core.storage.versions(DOC, toVersion(0), toVersion(601), 1_000))
    if (compacted.length === 1) await core.stop()
  }
  expect(compacted[1]).toEqual(compacted[0])
  expect(compacted[0]).toHaveLength(27)
})

it('[OPS-8] [HIST-6] [HIST-7] the past is read whole, however few entries a page of the log holds', async () => {
  await writeLines(150)
  const contents = await bothWays((storage) =>
    Promise.all(range(1, 151).map((version) => contentAt(storage, DOC, 'text', toVersion(version)))),
  )
  expect(new Set(contents).size).toBe(151)
  const blame = await bothWays((storage) => new HistoryReader(storage).blame(DOC, false))
  expect(blame.version).toBe(151)
  await bothWays((storage) => new HistoryReader(storage).diff(DOC, false, { from: 2, to: 140 }))
})

it('[OPS-8] whoever reads large entries lets others go first after each page', async () => {
  core = await startCore({ limits: { maxBytes: 2 * LOG_PAGE_BYTES } })
  await core.create('doc', '')
  const large = (n: number): string => `${n}`.repeat(LOG_PAGE_BYTES / 2)
  for (let n = 1; n < 9; n += 1) await core.write('doc', large(n), { version: n }, BOB)
  const { replica, release } = await core.lease('doc')
  const [first, last] = [toVersion(1), toVersion(9)]
  const knowledge: Knowledge = { by: 'versions', seen: first, own: [] }
  const pages = 4
  const divided = await withTurns(() => divide(core.storage, replica, { author: ALICE, knowledge }))
  expect(divided.answer.later).toHaveLength(8)
  expect(divided.turns).toBeGreaterThanOrEqual(pages)
  const walked = await withTurns(async () => {
    const versions: number[] = []
    for await (const { version } of effectsInSteps(core.storage, DOC, first, last)) versions.push(version)
    return versions
  })
  expect(walked.answer).toEqual(range(2, 9))
  expect(walked.turns).toBeGreaterThanOrEqual(pages - 1)
  const read = (after: Version) => core.storage.effects(DOC, after, last, 8)
  const written = { version: last, effect: null }
  const followed = await withTurns(() => new OpenReaches().touchedBy([reaching([0, 1])], written, read))
  expect(followed.turns).toBeGreaterThanOrEqual(pages - 1)
  release()
})

it('[OPS-8] a document is loaded whole, with a turn for others after each page of its log', async () => {
  await writeLines(20)
  const { committer, environment } = core
  const storage = oneRowPages<Storage>(core.storage)
  const parts = { storage, committer, environment, limits: LIMITS, idleMs: DAY_MS, budgetBytes: 1024 * 1024 }
  const { answer, turns } = await withTurns(() => new Replicas(parts).lease(DOC))
  if (!('replica' in answer)) throw new Error('it lives')
  expect(answer.replica.content()).toBe((await core.reader.read(DOC)).content)
  expect(turns).toBeGreaterThanOrEqual(20)
  answer.release()
})
