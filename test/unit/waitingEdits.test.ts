import * as Y from 'yjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OfflineMergeJudge } from '../../server/conflicts/offlineMergeJudge.ts'
import { WaitingEditsKeeper, type LeftEdits, type WaitingEditsParts } from '../../server/documents/waitingEdits.ts'
import type { Head } from '../../server/model/document.ts'
import { toLockHash, toPrincipalId, toVersion, type PrincipalId } from '../../server/foundation/ids.ts'
import { Jobs } from '../../server/foundation/jobs.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { documentUnlocked } from '../../server/model/events.ts'
import { ALICE, BOB, Editor, id, startCore, type DocumentCore } from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'

const DOC = id('doc')
const TOKEN = toLockHash('of the lock')
const RETRY_MS = 1_000

let core: DocumentCore
beforeEach(async () => {
  core = await startCore()
  await core.create('doc', 'a')
})
afterEach(() => core.stop())

function open(changes: Partial<WaitingEditsParts> = {}) {
  const { storage, committer, replicas, environment } = core
  const judge = new OfflineMergeJudge(storage, committer, environment)
  const onRefused = vi.fn<WaitingEditsParts['onRefused']>()
  const left = new WaitingEditsKeeper({
    storage,
    committer,
    replicas,
    environment,
    jobs: new Jobs(environment, (_, error) => {
      throw error
    }),
    prepare: (replica, one) => judge.prepare(replica, one),
    malformed: () => null,
    refusal: () => null,
    onRefused,
    onUnexpected: (error) => {
      throw error
    },
    ...changes,
  })
  return { left, onRefused }
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) {
    await core.environment.advance(0)
    await settled()
  }
}

interface Leaving {
  readonly head: Head
  readonly one: LeftEdits
  readonly update: Uint8Array
}

/** What one leaves that knew the document as it is now and inserted this. */
async function leaving(text: string, author: PrincipalId = BOB, at = 0): Promise<Leaving> {
  const lease = await core.lease('doc')
  const { head } = lease.replica
  const update = new Editor(lease.replica).insert(at, text)
  lease.release()
  const knowledge = { by: 'versions', seen: head.version, own: [] } as const
  return { head, one: { author, tokenHash: null, knowledge, updates: [update], handedOn: [] }, update }
}

async function lock(owner = ALICE): Promise<void> {
  const fence = (await core.storage.lock(DOC)).fence + 1
  const write = { op: 'acquire', document: DOC, fence, owner, tokenHash: TOKEN, ttlMs: 600_000, lapsed: false } as const
  const act = { at: 0, conflicts: [], contents: new Map(), events: [], locks: [write] }
  expect((await core.committer.commit([], act)).status).toBe('committed')
  const lease = await core.lease('doc')
  lease.replica.lock.see(await core.storage.lock(DOC))
  lease.release()
}

async function unlock(): Promise<void> {
  const held = await core.storage.lock(DOC)
  if (held.name !== 'held') throw new Error('it is held')
  const write = { op: 'end', document: DOC, fence: held.fence } as const
  const events = [documentUnlocked(DOC, held, 'released', ALICE)]
  await core.committer.commit([], { at: 0, conflicts: [], contents: new Map(), events, locks: [write] })
}

const content = async (): Promise<unknown> => {
  const lease = await core.lease('doc')
  try {
    return lease.replica.content()
  } finally {
    lease.release()
  }
}
const waiting = async (): Promise<number> => (await core.storage.waiting({ document: DOC, after: 0, limit: 99 })).length
const storedRows = async (): Promise<number> =>
  (await core.storage.waiting({ document: DOC, after: 0, limit: 500 })).length
const conflicts = async (): Promise<number> =>
  (await core.storage.conflicts({ patterns: [{ exact: DOC }], before: null, limit: 99 })).length

describe('[LOCK-4] what a session left behind a lock', () => {
  it('[LOCK-4] is on disk at once, counted, and taken in at the end of the lock, in the order in which it was left', async () => {
    const { left } = open()
    await lock()
    const first = await leaving('1')
    const second = await leaving('2', BOB, 1)
    for (const { head, one } of [first, second]) void left.keep(head, one)
    const bytes = first.update.length + second.update.length
    expect(left.bytes(DOC)).toBe(bytes)
    await quiet()
    expect([await waiting(), left.bytes(DOC), await content()]).toEqual([2, bytes, 'a'])
    await unlock()
    await quiet()
    expect([await waiting(), left.bytes(DOC), await content()]).toEqual([0, 0, '1a2'])
    const entries = await core.storage.entries(DOC, toVersion(1), toVersion(9), 9)
    expect(entries.map(({ author, origin }) => [author, origin])).toEqual([
      [BOB, 'live'],
      [BOB, 'live'],
    ])
  })

  it('[LOCK-4] goes in when the lock passes to its author, and to nobody else', async () => {
    const { left } = open()
    await lock()
    const [bobs, carols] = [await leaving('b'), await leaving('c', toPrincipalId('carol'))]
    for (const { head, one } of [bobs, carols]) void left.keep(head, one)
    await quiet()
    await unlock()
    await lock(BOB)
    await quiet()
    expect([await waiting(), String(await content()).includes('b')]).toEqual([1, true])
    expect(left.bytes(DOC)).toBe(carols.update.length)
  })

  it('[LOCK-4] is kept as soon as storage takes it; closing waits for that', async () => {
    let refusals = 2
    const { storage } = core
    const { left } = open({
      storage: new Proxy(storage, {
        get: (target, name) =>
          name === 'keepWaiting' && refusals-- > 0
            ? () => Promise.reject(new ParleyError('storage-unavailable', 'The disk is full, says the test.'))
            : Reflect.get(target, name),
      }),
    })
    await lock()
    const { head, one, update } = await leaving('x')
    void left.keep(head, one)
    await quiet()
    expect([await waiting(), left.bytes(DOC)]).toEqual([0, update.length])
    let isClosed = false
    const closing = left.close().then(() => (isClosed = true))
    await core.environment.advance(RETRY_MS)
    await quiet()
    expect([await waiting(), isClosed]).toEqual([0, false])
    await core.environment.advance(RETRY_MS)
    await closing
    expect(await waiting()).toBe(1)
  })

  it('[LOCK-4] [CONF-6] goes in once with its conflict, however often storage refuses, also after a restart', async () => {
    const { left } = open()
    await lock()
    const { head, one, update } = await leaving('x')
    void left.keep(head, one)
    await quiet()
    const lease = await core.lease('doc')
    const passing = { by: 'request', tokenHash: TOKEN } as const
    const staged = lease.replica.stageContent('b', { author: ALICE, at: 0, origin: 'write', pass: passing })
    if (!staged) throw new Error('another content')
    await core.committer.commit([staged], { at: 0, conflicts: [], contents: new Map(), events: [] })
    lease.release()
    await unlockFailing(2)
    expect([await waiting(), await content(), await conflicts()]).toEqual([1, 'b', 0])
    await left.close()
    core = await core.restart()
    const next = open()
    await next.left.start()
    expect(next.left.bytes(DOC)).toBe(update.length)
    await quiet()
    expect([await waiting(), await conflicts()]).toEqual([0, 1])
    const after = await content()
    expect(after).toContain('x')
    await next.left.close()
    core = await core.restart()
    const last = open()
    await last.left.start()
    await quiet()
    expect([await content(), await conflicts(), last.left.bytes(DOC)]).toEqual([after, 1, 0])
  })

  /** The lock ends, and so many of the acts that follow fail. */
  async function unlockFailing(count: number): Promise<void> {
    await unlock()
    core.storage.failNext(count)
    await quiet()
  }

  it('[LOCK-4] is tried again when storage refused', async () => {
    const { left } = open()
    await lock()
    const { head, one } = await leaving('x')
    void left.keep(head, one)
    await quiet()
    await unlockFailing(1)
    expect([await waiting(), await content()]).toEqual([1, 'a'])
    await core.environment.advance(RETRY_MS)
    await quiet()
    expect([await waiting(), await content()]).toEqual([0, 'xa'])
  })

  it('[LOCK-4] brings nothing where its author brought the same before, and waits no more', async () => {
    const { left } = open()
    const { head, one, update } = await leaving('x')
    const lease = await core.lease('doc')
    await lease.replica.applyLive(update, BOB)
    lease.release()
    void left.keep(head, one)
    await quiet()
    expect([await waiting(), await content(), (await core.storage.head(DOC))?.version]).toEqual([0, 'xa', 2])
  })

  it('[LOCK-4] [SYNC-6] is given up where its own bytes rule it out, and that is told', async () => {
    const { left, onRefused } = open({ malformed: () => new ParleyError('invalid-request', 'says the test') })
    const { head, one } = await leaving('x')
    void left.keep(head, one)
    await quiet()
    expect([await waiting(), left.bytes(DOC), await content()]).toEqual([0, 0, 'a'])
    expect(onRefused.mock.calls).toMatchObject([[{ document: DOC, author: BOB }, { code: 'invalid-request' }]])
  })

  it('[LOCK-4] waits for what it builds on, which was left behind it', async () => {
    const { left, onRefused } = open({ refusal: (replica, { update }) => gapIn(replica.doc, update) })
    await lock()
    const lease = await core.lease('doc')
    const { head } = lease.replica
    const editor = new Editor(lease.replica)
    const [first, second] = [editor.insert(0, 'one '), editor.insert(4, 'two ')]
    lease.release()
    const { one } = await leaving('')
    for (const update of [second, first]) void left.keep(head, { ...one, updates: [update] })
    await quiet()
    await unlock()
    await quiet()
    expect([await waiting(), await content(), onRefused.mock.calls]).toEqual([0, 'one two a', []])
  })

  it('[SYNC-6] goes in soon after what it builds on was written, however long it waited for that', async () => {
    const { left, onRefused } = open({ refusal: (replica, { update }) => gapIn(replica.doc, update) })
    const lease = await core.lease('doc')
    const { head } = lease.replica
    const editor = new Editor(lease.replica)
    const [first, second] = [editor.insert(0, 'one '), editor.insert(4, 'two ')]
    const { one } = await leaving('')
    void left.keep(head, { ...one, updates: [second] })
    await quiet()
    await core.environment.advance(3_600_000)
    await quiet()
    expect([await waiting(), await content()]).toEqual([1, 'a'])
    await lease.replica.applyLive(first, BOB)
    await core.environment.advance(10_000)
    await quiet()
    expect([await waiting(), await content(), onRefused.mock.calls]).toEqual([0, 'one two a', []])
    lease.release()
  })

  it('[LOCK-4] waits until who keeps it out is gone, and until then takes no room from others', async () => {
    let isUsed = true
    const used = new ParleyError('invalid-request', 'a Yjs client id that somebody else uses')
    const { left, onRefused } = open({ refusal: () => (isUsed ? used : null) })
    const { head, one } = await leaving('x')
    void left.keep(head, one)
    await quiet()
    await core.environment.advance(3_600_000)
    await quiet()
    expect([await waiting(), left.bytes(DOC), await content()]).toEqual([1, 0, 'a'])
    isUsed = false
    await core.environment.advance(600_000)
    await quiet()
    expect([await waiting(), await content(), onRefused.mock.calls]).toEqual([0, 'xa', []])
  })

  it('[LOCK-4] may wait so for long, but of one author not without end: the oldest is given up', async () => {
    const { left, onRefused } = open({ refusal: () => new ParleyError('missing-dependencies', 'says the test') })
    const { head, one } = await leaving('x')
    void left.keep(head, { ...one, author: toPrincipalId('carol') })
    for (let n = 0; n < 102; n++) void left.keep(head, one)
    await quiet()
    await quiet()
    expect(onRefused.mock.calls.map(([{ author, position }]) => [author, position])).toEqual([
      [BOB, 3],
      [BOB, 2],
    ])
    expect(await storedRows()).toBe(101)
  })

  it('[LOCK-4] [DOC-6] goes with the document, kept or on its way', async () => {
    const { left, onRefused } = open()
    await lock()
    const { head, one } = await leaving('x')
    void left.keep(head, one)
    await quiet()
    await unlock()
    // The end of the lock is heard first, and the deletion overtakes it.
    await core.remove('doc')
    void left.keep(head, one)
    await quiet()
    expect([await waiting(), left.bytes(DOC), onRefused.mock.calls]).toEqual([0, 0, []])
  })
})

function gapIn(doc: Y.Doc, update: Uint8Array): ParleyError | null {
  const isGap = Y.decodeUpdate(update).structs.some(({ id }) => id.clock > Y.getState(doc.store, id.client))
  return isGap ? new ParleyError('missing-dependencies', 'a gap') : null
}
