import * as Y from 'yjs'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeEffect } from '../../server/content/effect.ts'
import { clockRanges } from '../../server/documents/clockRanges.ts'
import type { Authorship, Replica } from '../../server/documents/replica.ts'
import { CHECKPOINT_INTERVAL, SNAPSHOT_INTERVAL, SNAPSHOT_UPDATE_BYTES } from '../../server/documents/startingPoints.ts'
import { contentAt } from '../../server/documents/past.ts'
import { toVersion, type Version } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import {
  ALICE,
  BOB,
  codeOf,
  Editor,
  id,
  startCore,
  type CoreOptions,
  type DocumentCore,
} from '../support/documentCore.ts'
import { settled } from '../support/manualEnvironment.ts'
import { rawUpdate } from '../support/rawUpdate.ts'

let core: DocumentCore
afterEach(() => core.stop())

async function opened(content: string | Record<string, never>, options: CoreOptions = {}) {
  core = await startCore(options)
  await core.create('doc', content)
  return core.lease('doc')
}

const by = (at = 0): Authorship => ({ author: ALICE, at, origin: 'write' })
const nothingElse = { at: 0, conflicts: [], contents: new Map(), events: [] }

/** Whether a promise has settled by now. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  await settled()
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending
}

describe('Replica: staging', () => {
  it('[DOC-8] content that is there already makes no entry', async () => {
    const { replica } = await opened('one\ntwo\n')
    expect(replica.stageContent('one\ntwo\n', by())).toBeNull()
    expect(replica.appliedVersion).toBe(1)
  })

  it('an entry is the next version, with its effect and the clocks it uses', async () => {
    const { replica } = await opened('one\ntwo\n')
    const clock = Y.getState(replica.doc.store, replica.doc.clientID)
    const staged = replica.stageContent('one\nTWO\n', { author: BOB, at: 77, origin: 'write' })
    expect(staged?.append).toMatchObject({
      expected: 1,
      head: { version: 2, updatedAt: 77, updatedBy: 'bob', createdBy: 'alice', deletedAt: null },
      entry: { version: 2, author: 'bob', at: 77, origin: 'write', effect: { kind: 'text' } },
    })
    expect(clockRanges(staged?.append.entry.update ?? new Uint8Array(0))).toEqual({
      structs: [{ client: replica.doc.clientID, clock, length: 3 }],
      deletes: [{ client: replica.doc.clientID, clock: 4, length: 3 }],
    })
  })

  it('the log alone gives the content', async () => {
    const { replica } = await opened('')
    for (const content of ['a', 'ab👩‍👩‍👧', '', 'new\nlines\n']) {
      const staged = replica.stageContent(content, by())
      if (staged) await core.committer.commit([staged], nothingElse)
    }
    const doc = new Y.Doc()
    for (const entry of await core.storage.entries(id('doc'), toVersion(0), replica.appliedVersion, 100)) {
      if (entry.update.length > 0) Y.applyUpdate(doc, entry.update)
    }
    expect(doc.getText('content').toJSON()).toBe('new\nlines\n')
    expect(replica.content()).toBe('new\nlines\n')
  })

  it('a settings entry carries no Yjs bytes and no effect', async () => {
    const { replica } = await opened('text')
    const { append } = replica.stageSettings({ conflictPolicy: 'merge', schema: null }, by())
    expect(append).toMatchObject({ head: { conflictPolicy: 'merge', version: 2 }, entry: { effect: null } })
    expect(append.entry.update).toHaveLength(0)
  })

  it('nothing follows the entry that ends an incarnation', async () => {
    const { replica } = await opened('text')
    replica.stageDelete(by(5))
    expect(replica.appliedHead).toMatchObject({ version: 2, deletedAt: 5 })
    expect(() => replica.stageContent('more', by())).toThrow(/Invariant/)
    expect(() => replica.stageSettings({ conflictPolicy: 'merge', schema: null }, by())).toThrow(/Invariant/)
  })
})

describe('Replica: checkpoints and snapshots', () => {
  it('brings a checkpoint at creation, at every interval and with every large entry, and no others', async () => {
    const { replica } = await opened('')
    const checkpoints: number[] = []
    const commits: Promise<unknown>[] = []
    const write = (content: string): void => {
      const staged = replica.stageContent(content, by())
      if (!staged) throw new Error('nothing changed')
      if ('checkpoint' in staged.append) checkpoints.push(staged.append.head.version)
      commits.push(core.committer.commit([staged], nothingElse))
    }
    write('x'.repeat(40 * 1024))
    while (replica.appliedVersion < CHECKPOINT_INTERVAL + 1) write(`${replica.appliedVersion}`)
    await Promise.all(commits)
    expect(checkpoints).toEqual([2, CHECKPOINT_INTERVAL])
    expect((await core.storage.checkpoint(id('doc'), toVersion(1)))?.content).toBe('')
    const at = await core.storage.checkpoint(id('doc'), toVersion(CHECKPOINT_INTERVAL + 1))
    expect(at).toEqual({ version: CHECKPOINT_INTERVAL, content: `${CHECKPOINT_INTERVAL - 1}` })
  })

  it('large entries cost in proportion to what they change: no checkpoint before a quarter of the content is new', async () => {
    core = await startCore()
    await core.create('doc', 'x'.repeat(1024 * 1024))
    const { replica } = await core.lease('doc')
    const checkpoints: number[] = []
    for (let n = 0; n < 18; n++) {
      const content = String(replica.content()) + String(n % 10).repeat(33 * 1024)
      const staged = replica.stageContent(content, by()) ?? expect.fail()
      if ('checkpoint' in staged.append) checkpoints.push(staged.append.head.version)
      await core.committer.commit([staged], nothingElse)
    }
    expect(checkpoints).toEqual([12])
    const old = await contentAt(core.storage, id('doc'), 'text', toVersion(9))
    expect(old.length).toBe(1024 * 1024 + 8 * 33 * 1024)
  })

  it('a small update with a large effect brings a checkpoint too', async () => {
    const lines = Array.from({ length: 3_000 }, (_, n) => `${n} ${'x'.repeat(20)}`)
    const { replica } = await opened(lines.join('\n'))
    const editor = new Editor(replica)
    const update = editor.update((doc) => {
      const text = doc.getText('content')
      for (let at = lines.join('\n').length - 1; at > 0; at -= 25) text.delete(at, 1)
    })
    expect(update.length).toBeLessThan(32 * 1024)
    await replica.applyLive(update, BOB)
    const append = core.storage.acts.at(-1)?.appends[0]
    expect(encodeEffect(append?.entry.effect ?? null)?.length).toBeGreaterThan(32 * 1024)
    expect(append?.checkpoint).toBe(editor.doc.getText('content').toJSON())
  })

  it('takes a snapshot where few entries hold many bytes, counted from the last one on, through a reload too', async () => {
    const { replica } = await opened('')
    const snapshots: number[] = []
    const rewrite = async (by: Replica, letter: string, bytes: number): Promise<void> => {
      const staged = by.stageContent(letter.repeat(bytes), { author: ALICE, at: 0, origin: 'write' })
      if (!staged) throw new Error('nothing changed')
      if (staged.snapshot) snapshots.push(staged.snapshot.version)
      await core.committer.commit([staged], nothingElse)
    }
    const third = Math.ceil(SNAPSHOT_UPDATE_BYTES / 3)
    for (const letter of ['a', 'b', 'c', 'd']) await rewrite(replica, letter, third)
    expect(snapshots).toEqual([4])
    await rewrite(replica, 'e', third)
    core = await core.restart()
    const { replica: loaded } = await core.lease('doc')
    await rewrite(loaded, 'f', third)
    expect(snapshots).toEqual([4, 7])
    core = await core.restart()
    expect((await core.lease('doc')).replica.content()).toBe('f'.repeat(third))
  })

  it('takes a snapshot at every interval', async () => {
    const { replica } = await opened('')
    const versions: number[] = []
    const commits: Promise<unknown>[] = []
    while (replica.appliedVersion < 2 * SNAPSHOT_INTERVAL + 5) {
      const staged = replica.stageContent(`${replica.appliedVersion}`, by())
      if (!staged) throw new Error('nothing changed')
      if (staged.snapshot) versions.push(staged.snapshot.version)
      commits.push(core.committer.commit([staged], nothingElse))
    }
    await Promise.all(commits)
    expect(versions).toEqual([SNAPSHOT_INTERVAL, 2 * SNAPSHOT_INTERVAL])
    const stored = await core.storage.snapshot(id('doc'))
    expect(stored?.version).toBe(2 * SNAPSHOT_INTERVAL)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, stored?.state ?? new Uint8Array())
    expect(doc.getText('content').toJSON()).toBe(`${2 * SNAPSHOT_INTERVAL - 1}`)
  })
})

describe('[SYNC-2] Replica: nobody is shown what is not on disk', () => {
  it('waits for the commit, and tells of it in order', async () => {
    const { replica } = await opened('')
    const shown: number[] = []
    replica.onCommitted(({ version }) => shown.push(version))
    const release = core.storage.hold()
    const first = replica.stageContent('a', by())
    const second = replica.stageSettings({ conflictPolicy: 'merge', schema: null }, by())
    const third = replica.stageContent('ab', by())
    if (!first || !third) throw new Error('nothing changed')
    const commits = [first, second, third].map((staged) => core.committer.commit([staged], nothingElse))
    const resolved: Version[] = []
    // Asked for in another order than they come.
    const waiting = [4, 2, 3, 1].map((n) => replica.whenCommitted(toVersion(n)).then(() => resolved.push(toVersion(n))))
    await settled()
    expect([replica.appliedVersion, replica.committedVersion, shown, resolved]).toEqual([4, 1, [], [1]])
    release()
    await Promise.all([...commits, ...waiting])
    expect(resolved).toEqual([1, 2, 3, 4])
    expect(shown).toEqual([2, 4])
    expect(replica.head).toMatchObject({ version: 4, conflictPolicy: 'merge' })
  })

  it('a version on disk is not held up by one that is not', async () => {
    const { replica } = await opened('')
    const release = core.storage.hold()
    const first = replica.stageContent('a', by())
    if (!first) throw new Error('nothing changed')
    const commit = core.committer.commit([first], nothingElse)
    const late = replica.whenCommitted(toVersion(9))
    late.catch(() => undefined)
    const mine = replica.whenCommitted(toVersion(2))
    release()
    await commit
    await mine
    expect(await isPending(late)).toBe(true)
  })

  it('[SYNC-2] a failed commit ends the replica and all who wait for it', async () => {
    const { replica } = await opened('kept')
    const ended: string[] = []
    const shown: number[] = []
    replica.onEnded((problem) => ended.push(problem.code))
    replica.onCommitted(({ version }) => shown.push(version))
    const release = core.storage.hold()
    core.storage.failNext(1)
    const staged = [replica.stageContent('lost', by()), replica.stageContent('lost too', by())]
    const commits = staged.map((one) => (one ? core.committer.commit([one], nothingElse) : Promise.reject(new Error())))
    const waiting = replica.whenCommitted(toVersion(3))
    const results = Promise.allSettled([...commits, waiting])
    release()
    const [first, second, third] = await results
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'storage-unavailable' } })
    // What was built on the lost entry finds the log where it was.
    expect(second).toMatchObject({ status: 'fulfilled', value: { status: 'stale', version: 1 } })
    expect(third).toMatchObject({ status: 'rejected', reason: { code: 'storage-unavailable' } })
    expect([ended, shown]).toEqual([['storage-unavailable'], []])
    expect(await codeOf(replica.whenCommitted(toVersion(3)))).toBe('storage-unavailable')
    expect(() => replica.stageContent('more', by())).toThrow(ParleyError)
    expect(await codeOf(replica.applyLive(new Uint8Array([0, 0]), BOB))).toBe('storage-unavailable')
    expect((await core.reader.read(id('doc'))).content).toBe('kept')
  })

  it('ends once, whatever ends it', async () => {
    const { replica } = await opened('')
    const ended: string[] = []
    const stop = replica.onEnded((problem) => ended.push(`first ${problem.code}`))
    replica.onEnded((problem) => ended.push(`second ${problem.code}`))
    stop()
    replica.end(new ParleyError('overloaded', 'one'))
    replica.end(new ParleyError('internal', 'two'))
    expect(ended).toEqual(['second overloaded'])
    expect(replica.ended?.code).toBe('overloaded')
  })

  it('a deleted document ends with its last version', async () => {
    const { replica } = await opened('')
    const ended: ParleyError[] = []
    replica.onEnded((problem) => ended.push(problem))
    await core.committer.commit([replica.stageDelete(by(5))], nothingElse)
    expect(ended).toMatchObject([{ code: 'document-deleted', extras: { lastVersion: 2 } }])
  })
})

describe('Replica: live updates', () => {
  it('[SYNC-2] an update is an entry once it is on disk', async () => {
    const { replica } = await opened('ab')
    const editor = new Editor(replica)
    const release = core.storage.hold()
    const applied = replica.applyLive(editor.insert(1, 'X'), BOB)
    expect(await isPending(applied)).toBe(true)
    expect([replica.content(), replica.head.version]).toEqual(['aXb', 1])
    release()
    expect(await applied).toBe(2)
    const [entry] = await core.storage.entries(id('doc'), toVersion(1), toVersion(2), 1)
    expect(entry).toMatchObject({ author: 'bob', origin: 'live', version: 2 })
  })

  it('an update that brings nothing makes no entry', async () => {
    const { replica } = await opened('ab')
    const editor = new Editor(replica)
    const update = editor.insert(1, 'X')
    expect(await replica.applyLive(update, BOB)).toBe(2)
    expect(await replica.applyLive(update, BOB)).toBeNull()
    expect(replica.appliedVersion).toBe(2)
  })

  it('[SYNC-6] an update that costs too much to place is refused, and the document loaded anew', async () => {
    const { replica } = await opened('ab')
    await replica.applyLive(new Editor(replica).insert(2, '!'), BOB)
    const structs = Array.from({ length: 4_000 }, (_, i) => ({ text: 'x', client: 1_000_000 - i }))
    const chain = structs.map((_, i) => ({ text: 'a', ...(i > 0 ? { origin: [1, i - 1] as const } : {}) }))
    const sections = structs.map(({ text, client }, i) => ({
      client,
      structs: [{ text, right: [1, 3_999 - i] as const }],
    }))
    const update = rawUpdate([{ client: 1, structs: chain }, ...sections])
    expect(await codeOf(replica.applyLive(update, BOB))).toBe('content-too-complex')
    expect(replica.ended?.code).toBe('overloaded')
    const again = (await core.lease('doc')).replica
    expect(await again.applyLive(new Editor(again).insert(2, 'c'), BOB)).toBe(3)
    expect(again.content()).toBe('abc!')
  })

  it('a deleted passage of a formatted text is one entry: the server tidies nothing up of its own accord', async () => {
    const { replica } = await opened('one two three')
    const editor = new Editor(replica)
    await replica.applyLive(
      editor.update((doc) => doc.getText('content').format(4, 3, { bold: true })),
      BOB,
    )
    // As a careless client would: the marks around the passage stay.
    const sent = rawUpdate([], [[replica.doc.clientID, 4, 3]])
    await replica.applyLive(sent, BOB)
    expect(replica.appliedVersion).toBe(3)
    expect(replica.content()).toBe('one  three')
    const kept = core.storage.acts.at(-1)?.appends[0]?.entry.update ?? new Uint8Array(0)
    expect(clockRanges(kept)).toEqual(clockRanges(sent))
  })

  it('[DOC-10] an update past a limit never touches the replica, which goes on', async () => {
    const { replica } = await opened('', { limits: { maxBytes: 1024 } })
    const editor = new Editor(replica)
    expect(await replica.applyLive(editor.insert(0, 'x'.repeat(1000)), BOB)).toBe(2)
    const before = Y.encodeStateVector(replica.doc)
    const tooMuch = new Editor(replica).insert(0, 'y'.repeat(25))
    expect(await codeOf(replica.applyLive(tooMuch, BOB))).toBe('content-too-large')
    expect(Y.encodeStateVector(replica.doc)).toEqual(before)
    expect(await replica.applyLive(new Editor(replica).insert(0, 'z'.repeat(24)), BOB)).toBe(3)
    expect(replica.content()).toBe(`${'z'.repeat(24)}${'x'.repeat(1000)}`)
  })

  it('[DOC-10] many small updates cannot creep past the limit', async () => {
    const { replica } = await opened('', { limits: { maxBytes: 1024 } })
    const editor = new Editor(replica)
    let refused = 0
    for (let i = 0; i < 300; i++) {
      // Five bytes of content each, more than its own share of an update when written as JSON.
      try {
        await replica.applyLive(editor.insert(0, '👍\n'), BOB)
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error
        expect(error.code).toBe('content-too-large')
        refused += 1
        break
      }
    }
    expect(refused).toBe(1)
    expect(Buffer.byteLength(String(replica.content()))).toBe(1020)
  })

  it('[DOC-10] node and byte limits hold for json, whatever form the values come in', async () => {
    const { replica } = await opened({}, { limits: { maxNodes: 50, maxBytes: 2048 } })
    const many = new Editor(replica).update((doc) =>
      doc.getMap('content').set(
        'a',
        Array.from({ length: 60 }, () => null),
      ),
    )
    expect(await codeOf(replica.applyLive(many, BOB))).toBe('content-too-complex')
    const escapes = new Editor(replica).update((doc) => doc.getMap('content').set('a', '\u0001'.repeat(400)))
    expect(await codeOf(replica.applyLive(escapes, BOB))).toBe('content-too-large')
    const fine = new Editor(replica).update((doc) => doc.getMap('content').set('a', [1, 2, 3]))
    expect(await replica.applyLive(fine, BOB)).toBe(2)
    expect(replica.content()).toEqual({ a: [1, 2, 3] })
  })

  it('[SYNC-6] bytes that Yjs chokes on end the replica, never the log', async () => {
    const { replica } = await opened('kept')
    const release = core.storage.hold()
    const before = replica.applyLive(new Editor(replica).insert(4, '!'), ALICE)
    const broken = replica.applyLive(new Uint8Array([1, 1, 1, 0, 4, 1]), BOB)
    expect(await codeOf(broken)).toBe('invalid-request')
    release()
    expect(await before).toBe(2)
    expect((await core.reader.read(id('doc'))).content).toBe('kept!')
  })

  it('[DOC-6] an update that meets a deletion on its way is refused only once that is certain', async () => {
    const { replica } = await opened('x')
    const update = new Editor(replica).insert(0, 'late ')
    const release = core.storage.hold()
    const removed = core.committer.commit([replica.stageDelete(by(5))], nothingElse)
    const live = replica.applyLive(update, BOB)
    live.catch(() => undefined)
    expect(await isPending(live)).toBe(true)
    release()
    await removed
    expect(await codeOf(live)).toBe('document-deleted')
    expect((await core.storage.head(id('doc')))?.version).toBe(2)
  })

  it('[DOC-6] a deletion that fails does not tell anyone that the document is gone', async () => {
    const { replica } = await opened('x')
    const update = new Editor(replica).insert(0, 'late ')
    const release = core.storage.hold()
    core.storage.failNext(1)
    const removed = core.committer.commit([replica.stageDelete(by(5))], nothingElse)
    const live = replica.applyLive(update, BOB)
    live.catch(() => undefined)
    release()
    expect(await codeOf(removed)).toBe('storage-unavailable')
    expect(await codeOf(live)).toBe('storage-unavailable')
    expect((await core.reader.read(id('doc'))).content).toBe('x')
  })
})
