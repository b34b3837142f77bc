import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { contentAt } from '../../server/documents/past.ts'
import { BLOCK_VERSIONS } from '../../server/model/document.ts'
import { toPrincipalId, toVersion, type PrincipalId } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { Jobs } from '../../server/foundation/jobs.ts'
import { LogCompactor } from '../../server/history/compactor.ts'
import { yieldTurn } from '../../server/foundation/turns.ts'
import { HistoryReader } from '../../server/history/reader.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { VersionFacts } from '../../server/storage/history.ts'
import { codeOf, Editor, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { eventually } from '../support/waitFor.ts'

const DAY_MS = 24 * 3600 * 1000
const DOC = id('doc')
const [ANN, BOB] = [toPrincipalId('ann'), toPrincipalId('bob')]

let core: DocumentCore
let compactor: LogCompactor
afterEach(async () => {
  await core.stop()
})

function startCompactor(storage: Storage = core.storage): LogCompactor {
  const onUnexpected = (error: unknown): never => {
    throw error
  }
  compactor = new LogCompactor({
    storage,
    environment: core.environment,
    ageMs: DAY_MS,
    intervalMs: DAY_MS,
    onJoined: () => undefined,
    onUnexpected,
  })
  return compactor
}

/** Keystrokes that share a commit: what each waits for on the disk is not what is looked at here. */
const TOGETHER = 50

/** Types keystrokes of authors in turn, a few seconds apart; every so often a REST write comes between. */
async function typeLog(keystrokes: number, options: { restEvery?: number; turnEvery?: number } = {}): Promise<void> {
  core = await startCore()
  await core.create('doc', 'first line\nsecond line\n')
  const { replica, release } = await core.lease('doc')
  const editors = new Map<PrincipalId, Editor>([ANN, BOB].map((author) => [author, new Editor(replica)]))
  const typed: Promise<unknown>[] = []
  for (let n = 0; n < keystrokes; n++) {
    const author = Math.floor(n / (options.turnEvery ?? 40)) % 2 === 0 ? ANN : BOB
    const editor = editors.get(author)
    if (!editor) throw new Error('both have one')
    Y.applyUpdate(editor.doc, Y.encodeStateAsUpdate(replica.doc))
    const update = editor.update((doc) => {
      const text = doc.getText('content')
      const at = (n * 7_919) % (text.length + 1)
      if (n % 5 === 4 && at < text.length) text.delete(at, 1)
      else text.insert(at, n % 11 === 0 ? '\n' : String.fromCharCode(97 + (n % 26)))
    })
    core.environment.jump(3_000)
    typed.push(replica.applyLive(update, author))
    if (typed.length === TOGETHER) await Promise.all(typed.splice(0))
    if (options.restEvery !== undefined && n % options.restEvery === options.restEvery - 1) {
      await core.write('doc', `${String(replica.content())}rest ${n}\n`, { version: replica.appliedVersion })
    }
  }
  await Promise.all(typed)
  release()
}

const facts = async (): Promise<readonly VersionFacts[]> =>
  core.storage.versions(DOC, toVersion(0), toVersion(100_000), 100_000)

/** Content at each of these versions, by version. */
async function contentsAt(versions: readonly number[]): Promise<Map<number, unknown>> {
  const contents = new Map<number, unknown>()
  for (const version of versions) contents.set(version, await contentAt(core.storage, DOC, 'text', toVersion(version)))
  return contents
}

async function compactAll(): Promise<void> {
  core.environment.jump(2 * DAY_MS)
  await compactor.compact(DOC)
}

describe('compaction of a log', () => {
  it('[HIST-2] [HIST-6] is not noticed by who reads the history meanwhile', async () => {
    await typeLog(330)
    startCompactor()
    const history = new HistoryReader(core.storage)
    const last = (await core.storage.head(DOC))?.version ?? 0
    // Line by line: neighbouring lines of one version are one item, and versions are joined.
    const blamed = async (): Promise<unknown> =>
      (await history.blame(DOC, false)).places.flatMap((place) =>
        'lines' in place ? Array.from({ length: place.lines.end - place.lines.start }, () => place.by?.author) : [],
      )
    const read = async (): Promise<unknown> => [await history.diff(DOC, false, { from: 1, to: last }), await blamed()]
    const before = await read()
    const compacting = { isOver: false }
    const done = compactAll().then(() => (compacting.isOver = true))
    let reads = 0
    while (!compacting.isOver && reads < 1_000) {
      expect(await read()).toEqual(before)
      reads += 1
      // The compactor has its turns between those of the event loop.
      await yieldTurn()
    }
    await done
    expect(reads).toBeGreaterThan(0)
    expect((await facts()).length).toBeLessThan(300)
  })

  it('[HIST-4] keeps the content of every kept version, blame and differences, and takes none by REST', async () => {
    await typeLog(700, { restEvery: 97 })
    startCompactor()
    await core.storage.setLabel(DOC, toVersion(50), 'fifty')
    const before = await facts()
    const contents = await contentsAt(before.map((one) => one.version))
    const history = new HistoryReader(core.storage)
    const blame = await history.blame(DOC, true)
    await compactAll()
    const after = await facts()
    expect(after.length).toBeLessThan(before.length / 10)
    for (const { version, origin } of before) {
      const isKept = after.some((one) => one.version === version)
      if (origin !== 'live' || version === 50 || version === before[0]?.version) expect(isKept).toBe(true)
    }
    expect(await contentsAt(after.map((one) => one.version))).toEqual(
      new Map([...contents].filter(([version]) => after.some((one) => one.version === version))),
    )
    // Each line belongs to the same author, and to the version that its own became part of.
    const keptFor = (version: number): number =>
      after.findLast((one) => one.version >= version && one.firstVersion <= version)?.version ?? 0
    const byLine = (places: typeof blame.places) =>
      places.flatMap((place) =>
        'lines' in place
          ? Array.from({ length: place.lines.end - place.lines.start }, () => [
              place.by?.author,
              keptFor(place.by?.version ?? 0),
            ])
          : [],
      )
    const afterwards = await history.blame(DOC, true)
    expect(byLine(afterwards.places)).toEqual(byLine(blame.places))
    expect(afterwards.places.every((place) => after.some((one) => one.version === place.by?.version))).toBe(true)
  })

  it('[HIST-4] leaves differences between kept versions as they were, with their authors', async () => {
    await typeLog(400, { restEvery: 61, turnEvery: 7 })
    startCompactor()
    const history = new HistoryReader(core.storage)
    const before = await facts()
    const diffs = new Map<string, unknown>()
    const kept = before.filter((one) => one.origin !== 'live').map((one) => one.version)
    for (const from of kept) {
      for (const to of kept) diffs.set(`${from} ${to}`, await history.diff(DOC, true, { from, to }))
    }
    await compactAll()
    expect((await facts()).length).toBeLessThan(before.length / 3)
    for (const from of kept) {
      for (const to of kept) expect(await history.diff(DOC, true, { from, to })).toEqual(diffs.get(`${from} ${to}`))
    }
  })

  it('[HIST-4] waits until entries are a day old, and works block by block behind the newest', async () => {
    await typeLog(3 * BLOCK_VERSIONS)
    startCompactor()
    const before = await facts()
    await compactor.compact(DOC)
    expect(await facts()).toEqual(before)
    expect(await core.storage.logState(DOC)).toMatchObject({ packed: 2 * BLOCK_VERSIONS, joined: 0 })
    core.environment.jump(DAY_MS - 3 * BLOCK_VERSIONS * 3_000 + BLOCK_VERSIONS * 3_000)
    await compactor.compact(DOC)
    const after = await facts()
    expect(await core.storage.logState(DOC)).toMatchObject({ joined: BLOCK_VERSIONS })
    expect(after.filter((one) => one.version > BLOCK_VERSIONS)).toEqual(
      before.filter((one) => one.version > BLOCK_VERSIONS),
    )
    expect(after.length).toBeLessThan(before.length - BLOCK_VERSIONS / 2)
    await compactAll()
    expect(await core.storage.logState(DOC)).toMatchObject({ joined: before[0]?.version, dueAt: null })
  })

  it('[HIST-4] goes on with what is typed later, and does nothing twice', async () => {
    await typeLog(30)
    startCompactor()
    await compactAll()
    const first = await facts()
    expect(first.length).toBeLessThan(10)
    const writes = core.storage.calls('rewrite')
    await compactor.compact(DOC)
    expect(core.storage.calls('rewrite')).toBe(writes)
    const { replica } = await core.lease('doc')
    const editor = new Editor(replica)
    for (let n = 0; n < 20; n++) await replica.applyLive(editor.insert(n, 'z'), ANN)
    await compactAll()
    const second = await facts()
    expect(second.slice(-first.length)).toEqual(first)
    expect(second.length).toBe(first.length + 1)
    expect(await contentAt(core.storage, DOC, 'text', replica.committedVersion)).toBe(replica.content())
  })

  it('[HIST-4] goes on by itself: what is old is joined at the next look at all documents', async () => {
    await typeLog(30)
    startCompactor()
    const before = (await facts()).length
    const jobs = new Jobs(core.environment, (_, error) => {
      throw error
    })
    compactor.start(jobs)
    await core.environment.advance(DAY_MS - 1)
    expect((await facts()).length).toBe(before)
    await core.environment.advance(DAY_MS)
    await eventually(async () => expect((await facts()).length).toBeLessThan(before / 2))
    await jobs.stop()
  })

  it('[HIST-4] leaves a log that loads to the same document, for any state vector', async () => {
    await typeLog(300, { restEvery: 50 })
    const { replica } = await core.lease('doc')
    const [content, state] = [replica.content(), Y.encodeStateVector(replica.doc)]
    const half = new Y.Doc()
    const updates = await core.storage.entries(DOC, toVersion(0), toVersion(150), 150)
    for (const { update } of updates) if (update.length > 0) Y.applyUpdate(half, update)
    startCompactor()
    await compactAll()
    core = await core.restart()
    startCompactor()
    const again = await core.lease('doc')
    expect(again.replica.content()).toBe(content)
    expect(Y.encodeStateVector(again.replica.doc)).toEqual(state)
    Y.applyUpdate(half, Y.encodeStateAsUpdate(again.replica.doc, Y.encodeStateVector(half)))
    expect(half.getText('content').toString()).toBe(content)
  })

  it('[WRITE-1] a write on a version that is part of another is refused, with the nearest kept', async () => {
    await typeLog(30)
    startCompactor()
    await compactAll()
    const ranges = (await facts()).filter((one) => one.firstVersion < one.version)
    const range = ranges[0]
    if (!range) throw new Error('some versions became one')
    const gone = toVersion(range.version - 1)
    const write = core.write('doc', 'mine', { version: gone })
    await expect(write).rejects.toMatchObject({
      code: 'base-compacted',
      extras: { current: 31, nearest: range.version },
    })
    const firstGone = core.write('doc', 'mine', { version: range.firstVersion })
    await expect(firstGone).rejects.toMatchObject({ extras: { nearest: range.firstVersion - 1 } })
    const history = new HistoryReader(core.storage)
    await expect(history.version(DOC, true, gone)).rejects.toMatchObject({
      code: 'version-compacted',
      extras: { nearest: range.version },
    })
    expect(await core.storage.conflicts({ patterns: [{ exact: DOC }], before: null, limit: 9 })).toEqual([])
  })

  it('[HIST-4] of json keeps every content and every author', async () => {
    core = await startCore()
    await core.create('doc', { list: [1, 2, 3], text: 'a text that is long enough to be edited by deltas' })
    const { replica } = await core.lease('doc')
    const editor = new Editor(replica)
    for (let n = 0; n < 60; n++) {
      const author = Math.floor(n / 10) % 2 === 0 ? ANN : BOB
      const update = editor.update((doc) => {
        const root = doc.getMap('content')
        if (n % 3 === 0) root.set(`k${n % 7}`, n)
        else if (n % 3 === 1) (root.get('list') as Y.Array<number>).insert(n % 3, [n])
        else (root.get('list') as Y.Array<number>).delete(0, 1)
      })
      core.environment.jump(2_000)
      await replica.applyLive(update, author)
    }
    startCompactor()
    const before = await facts()
    const history = new HistoryReader(core.storage)
    const authorsOf = async () =>
      (await history.blame(DOC, true)).places.map((place) => ['pointer' in place && place.pointer, place.by?.author])
    const contents = new Map<number, unknown>()
    for (const { version } of before) contents.set(version, await contentAt(core.storage, DOC, 'json', version))
    const authors = await authorsOf()
    const diff = await history.diff(DOC, true, { from: 1, to: 61 })
    await compactAll()
    const after = await facts()
    expect(after.length).toBeLessThan(10)
    for (const { version } of after) {
      expect(await contentAt(core.storage, DOC, 'json', version)).toEqual(contents.get(version))
    }
    // More may be named together now, never someone else.
    const whose = new Map((await authorsOf()).map(([pointer, author]) => [pointer, author]))
    for (const [pointer, author] of authors) {
      const above = [...whose.keys()].filter((one) => String(pointer).startsWith(String(one)))
      expect(above.map((one) => whose.get(one))).toContain(author)
    }
    expect(await history.diff(DOC, true, { from: 1, to: 61 })).toEqual(diff)
  })
})

describe('a crash', () => {
  it('[HIST-4] [OPS-6] at any step leaves every content as it was, and the next run finishes', async () => {
    await typeLog(2 * BLOCK_VERSIONS + 40, { restEvery: 90 })
    const before = await facts()
    const contents = await contentsAt(before.map((one) => one.version))
    core.environment.jump(2 * DAY_MS)
    for (let step = 1; ; step++) {
      const broken = failingAt(core.storage, step)
      startCompactor(broken.storage)
      const code = await codeOf(compactor.compact(DOC).then(() => Promise.reject(new ParleyError('internal', 'done'))))
      const kept = await facts()
      for (const { version } of kept) {
        expect(await contentAt(core.storage, DOC, 'text', version)).toBe(contents.get(version))
      }
      if (code === 'internal') break
      expect([code, broken.failed()]).toEqual(['storage-unavailable', true])
    }
    expect((await facts()).length).toBeLessThan(before.length / 10)
  })
})

/** A storage whose n-th write for a compaction fails. */
function failingAt(storage: Storage, step: number): { storage: Storage; failed: () => boolean } {
  let writes = 0
  let failed = false
  const fail = (): void => {
    writes += 1
    if (writes !== step) return
    failed = true
    throw new ParleyError('storage-unavailable', 'The disk is full, says the test.')
  }
  const broken = Object.assign(Object.create(storage) as Storage, {
    rewrite: async (...args: Parameters<Storage['rewrite']>) => {
      fail()
      return storage.rewrite(...args)
    },
    setLogProgress: async (...args: Parameters<Storage['setLogProgress']>) => {
      fail()
      return storage.setLogProgress(...args)
    },
  })
  return { storage: broken, failed: () => failed }
}
