import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConflictExpirer } from '../../server/conflicts/expiring.ts'
import { ConflictSettler } from '../../server/conflicts/settling.ts'
import { answering } from '../../server/api/questions.ts'
import { DocumentPurger } from '../../server/documents/purge.ts'
import { Jobs } from '../../server/foundation/jobs.ts'
import { type PrincipalId, toPrincipalId, toSequence } from '../../server/foundation/ids.ts'
import type { ConflictQuery } from '../../server/storage/conflicts.ts'
import { deskHere } from '../../server/threads/desk.ts'
import { ALICE, BOB, id, inDatabase, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

/** What one act closes. */
const AT_ONCE = 100
/** Each has as many open conflicts as anybody may have. */
const AUTHORS = ['ann', 'ben', 'cat'].map(toPrincipalId)
const OPEN = AUTHORS.length * 100

let core: DocumentCore
let expirer: ConflictExpirer
let jobs: Jobs
let unexpected: unknown[]
beforeEach(async () => {
  core = await startCore()
  unexpected = []
  startExpirer()
})
afterEach(async () => {
  await expirer.close()
  await jobs.stop()
  await core.stop()
  expect(unexpected).toEqual([])
})

function startExpirer(): void {
  jobs = new Jobs(core.environment, (_, error) => unexpected.push(error))
  expirer = new ConflictExpirer(core)
}

/** Lets the job do all that it has to do. */
async function expireAll(): Promise<void> {
  if (jobs.states().length === 0) expirer.start(jobs)
  await core.environment.advance(1)
  while (jobs.states().some(({ isRunning }) => isRunning)) await settled()
}

/** Everybody is refused a hundred writes on the newest version but one of a document that is there. */
async function refuseWrites(version: number, authors: readonly PrincipalId[] = AUTHORS, each = 100): Promise<void> {
  await core.write('doc', `of bob, on ${version}`, { version }, BOB)
  for (const author of authors) {
    // Each is an act of its own; those that come at once share a commit.
    const writes = Array.from({ length: each }, (_, n) =>
      core.write('doc', `${author} ${n} on ${version}`, { version, onConflict: 'manual' }, author),
    )
    for (const write of await Promise.all(writes)) {
      expect(write).toMatchObject({ status: 'refused', refusal: { stored: true } })
    }
  }
}

async function openMany(): Promise<void> {
  await core.create('doc', 'one')
  await refuseWrites(1)
}

function find(query: Partial<ConflictQuery> = {}) {
  return core.storage.conflicts({ patterns: [{ exact: id('doc') }], before: null, limit: 5_000, ...query })
}

const idsOf = async (query?: Partial<ConflictQuery>) => (await find(query)).map((record) => record.id)

/** How many are stored as open, whatever they count as. */
function storedOpen(): number {
  let count: unknown
  inDatabase(core, (database) => {
    count = database.prepare("SELECT count(*) FROM conflicts WHERE status = 'open'").pluck().get()
  })
  return Number(count)
}

/** Of the acts from one on, how many conflicts each closed. */
const closedBy = (from: number) => core.storage.acts.slice(from).map(({ conflicts }) => conflicts.length)

const expiredEvents = async () =>
  (await core.storage.events(toSequence(0), 5_000))
    .filter(({ type }) => type === 'parley.conflict.expired')
    .map(({ data }) => data['conflict'])

describe('deleting a document of very many open conflicts', () => {
  it('[OPS-8] [CONF-4] closes the newest of them in its act, and the others in acts that are as small', async () => {
    await openMany()
    const ids = await idsOf()
    const acts = core.storage.acts.length
    await core.remove('doc')
    expect(closedBy(acts)).toEqual([AT_ONCE])
    expect(await expiredEvents()).toEqual(ids.slice(0, AT_ONCE))
    await expireAll()
    expect(closedBy(acts)).toEqual([AT_ONCE, AT_ONCE, AT_ONCE])
    expect(storedOpen()).toBe(0)
    expect((await expiredEvents()).toSorted()).toEqual(ids.toSorted())
    expect(await core.storage.expiringDocuments()).toEqual([])
    await expireAll()
    expect(closedBy(acts)).toHaveLength(3)
  })

  it('[OPS-8] is one small act also where a transaction deletes several documents', async () => {
    await openMany()
    await core.create('other', 'one')
    const acts = core.storage.acts.length
    const intent = { type: 'unconditional' } as const
    const deleting = ['doc', 'other'].map((document) => ({
      do: 'delete' as const,
      document: id(document),
      change: { document: id(document), author: ALICE, intent },
    }))
    expect(await core.transactor.perform(deleting, ALICE)).toMatchObject({ status: 'committed' })
    expect(closedBy(acts)).toEqual([AT_ONCE / 2])
    expect(await find({ statuses: ['open'] })).toEqual([])
    await expireAll()
    expect(storedOpen()).toBe(0)
  })

  it('[CONF-4] makes no difference to readers between those that are closed and those that are to be', async () => {
    await openMany()
    const before = await find()
    const counts = await core.storage.openConflictCounts([id('doc')])
    expect(counts.get(id('doc'))).toBe(OPEN)
    await core.remove('doc')
    expect(storedOpen()).toBe(OPEN - AT_ONCE)
    const state = { status: 'expired', closedAt: core.environment.now(), closedBy: ALICE, comment: null }
    const expired = before.map((record) => ({ ...record, state, revision: 2 }))
    const look = async () => {
      expect(await find()).toEqual(expired)
      expect(await find({ statuses: ['expired'] })).toEqual(expired)
      expect(await find({ statuses: ['expired'], patterns: [{ prefix: '' }] })).toEqual(expired)
      expect(await find({ statuses: ['dismissed', 'expired'], author: AUTHORS[0] ?? ALICE })).toHaveLength(100)
      for (const patterns of [[{ exact: id('doc') }], [{ prefix: '' }]])
        expect(await find({ statuses: ['open'], patterns })).toEqual([])
      expect(await find({ statuses: ['open'], author: AUTHORS[0] ?? ALICE })).toEqual([])
      expect(await core.storage.conflict(before.at(-1)?.id ?? expect.fail())).toEqual(expired.at(-1))
    }
    await look()
    core.environment.jump(5_000)
    await expireAll()
    expect(storedOpen()).toBe(0)
    await look()
  })

  it('[CONF-4] goes on after a crash, and tells of each once', async () => {
    await openMany()
    const ids = await idsOf()
    await core.remove('doc')
    core = await core.restart()
    startExpirer()
    expect(storedOpen()).toBe(OPEN - AT_ONCE)
    expect(await find({ statuses: ['open'] })).toEqual([])
    await expireAll()
    expect(storedOpen()).toBe(0)
    expect((await expiredEvents()).toSorted()).toEqual(ids.toSorted())
  })

  it('[CONF-4] tries again where the disk was full', async () => {
    await openMany()
    await core.remove('doc')
    core.storage.failNext(1)
    await expireAll()
    expect(unexpected.splice(0)).toHaveLength(1)
    expect(storedOpen()).toBe(OPEN - AT_ONCE)
    await core.environment.advance(1_000)
    while (jobs.states().some(({ isRunning }) => isRunning)) await settled()
    expect(storedOpen()).toBe(0)
  })
})

describe('a document that lives again while conflicts of its earlier life are to be closed', () => {
  it('[DOC-6] [CONF-4] has none of them, and keeps its own', async () => {
    await openMany()
    const former = await idsOf()
    await core.remove('doc')
    const deletedAt = core.environment.now()
    core.environment.jump(1_000)
    await core.create('doc', 'anew')
    expect((await core.storage.openConflictCounts([id('doc')])).size).toBe(0)
    // Nobody is refused because of them (CONF-9), and they are compared with nothing that is written.
    await refuseWrites(4)
    const own = await idsOf({ statuses: ['open'] })
    expect(own).toHaveLength(OPEN)
    expect((await core.storage.openConflictCounts([id('doc')])).get(id('doc'))).toBe(OPEN)
    await expireAll()
    expect(await idsOf({ statuses: ['open'] })).toEqual(own)
    expect((await expiredEvents()).toSorted()).toEqual(former.toSorted())
    for (const { state } of await find({ statuses: ['expired'] })) expect(state).toMatchObject({ closedAt: deletedAt })
    expect(storedOpen()).toBe(OPEN)
  })

  it.each([0, 50, 200])('[CONF-4] is deleted again with %i: each expired with its own deletion', async (own) => {
    await openMany()
    await core.remove('doc')
    const first = core.environment.now()
    core.environment.jump(1_000)
    await core.create('doc', 'anew')
    await refuseWrites(4, AUTHORS.slice(0, 2), own / 2)
    await core.lifecycle.remove({ document: id('doc'), author: BOB, intent: { type: 'unconditional' } })
    const second = core.environment.now()
    const ends = async () => {
      const found = (await find()).map(({ state }) => ('closedBy' in state ? [state.closedAt, state.closedBy] : state))
      expect(found.slice(0, own)).toEqual(Array.from({ length: own }, () => [second, BOB]))
      expect(found.slice(own)).toEqual(Array.from({ length: OPEN }, () => [first, ALICE]))
    }
    await ends()
    await expireAll()
    await ends()
    expect(storedOpen()).toBe(0)
    expect(await core.storage.expiringDocuments()).toEqual([])
  })

  it('[CONF-9] forgets what was looked at while the deletion was on its way to the disk', async () => {
    await core.create('doc', 'one')
    await refuseWrites(1, [...AUTHORS, ALICE])
    let look = (): void => undefined
    const mayLook = new Promise<void>((resolve) => (look = resolve))
    const looking = core.acts.preview([id('doc')], async ([found]) => {
      await mayLook
      if (found !== undefined && !('absent' in found)) await found.openConflicts(AUTHORS[0] ?? ALICE)
      return { outcome: null, plans: [] }
    })
    await settled()
    core.committer.openStaleWrites?.forget(id('doc'))
    const letGo = core.storage.hold()
    const removed = core.remove('doc')
    await settled()
    look()
    await settled()
    letGo()
    await removed
    await looking.catch(() => undefined)
    await core.create('doc', 'anew')
    await refuseWrites(4, AUTHORS.slice(0, 1))
  })
})

describe('a purge while conflicts are to be closed', () => {
  const change = { document: id('doc'), author: ALICE, intent: { type: 'unconditional' } } as const

  it('[HIST-5] tells of none of them any more', async () => {
    await openMany()
    await core.remove('doc')
    const told = (await expiredEvents()).length
    expect(told).toBe(AT_ONCE)
    const purger = new DocumentPurger(core, core.lifecycle)
    const purging = purger.purge(change)
    await expireAll()
    await purging
    await core.create('doc', 'anew')
    await refuseWrites(4, AUTHORS.slice(0, 1), 3)
    await expireAll()
    expect(await expiredEvents()).toEqual([])
    expect(await idsOf()).toHaveLength(3)
    expect(await idsOf({ statuses: ['open'] })).toHaveLength(3)
    expect(await core.storage.expiringDocuments()).toEqual([])
  })

  it('[HIST-5] of a living document leaves nothing to be closed', async () => {
    await openMany()
    await core.lifecycle.purge(change)
    expect(await core.storage.expiringDocuments()).toEqual([])
    await core.create('doc', 'anew')
    await core.remove('doc')
    await expireAll()
    expect(await core.storage.expiringDocuments()).toEqual([])
    expect(await expiredEvents()).toEqual([])
  })

  it('[HIST-5] is not overtaken by an act that was planned before it', async () => {
    await openMany()
    await core.remove('doc')
    const expired = await core.storage.expiringConflicts(id('doc'), AT_ONCE)
    await core.acts.performUnloaded(id('doc'), async () => {
      const head = (await core.storage.head(id('doc'))) ?? expect.fail()
      const purge = { ...head }
      return {
        outcome: null,
        plans: [
          {
            document: id('doc'),
            version: head.version,
            entry: null,
            conflicts: [],
            contents: new Map(),
            events: [],
            purge,
          },
        ],
      }
    })
    const late = { at: 0, appends: [], contents: new Map(), events: [] }
    const conflicts = expired.map((record) => ({ op: 'update', record }) as const)
    expect(await core.storage.commit({ ...late, conflicts })).toMatchObject({ status: 'conflict-moved' })
  })
})

it('[WRITE-7] what is still to be compared with a conflict of a deleted document is compared no more', async () => {
  await openMany()
  const marked = (await find()).at(-1) ?? expect.fail()
  const unsettled = { ...marked, unsettled: [marked.current.version ?? expect.fail()], revision: 2 }
  const act = { at: 0, appends: [], contents: new Map(), events: [] }
  await core.storage.commit({ ...act, conflicts: [{ op: 'update', record: unsettled }] })
  await core.remove('doc')
  await core.create('doc', 'anew')
  const settler = new ConflictSettler({ ...core, desk: deskHere(answering(core.storage)) })
  settler.start(jobs)
  await expireAll()
  await settler.close()
  expect(await core.storage.conflict(marked.id)).toMatchObject({ state: { status: 'expired' } })
})
