import { describe, expect, it, vi } from 'vitest'
import * as Y from 'yjs'
import { ProblemError, Rest } from '../../client-demo/src/parley/rest.ts'
import type { Document, OwnLock, WriteAnswer } from '../../client-demo/src/parley/types.ts'
import { DocumentLock } from '../../client-demo/src/state/documentLock.ts'
import { DraftSaver } from '../../client-demo/src/state/draftSaver.ts'
import { HeadStart } from '../../client-demo/src/state/headStart.ts'
import * as drafts from '../../client-demo/src/state/jsonDraft.ts'
import { takeKept } from '../../client-demo/src/state/keptEdits.ts'
import { Shelf } from '../../client-demo/src/state/shelf.ts'
import { TabTexts } from '../../client-demo/src/state/tabTexts.ts'
import { deferred } from '../support/deferred.ts'
import { textsIn } from '../support/tabTexts.ts'

const LIFE = { root: 'content', createdAt: '2026-11-30T10:00:00Z' }
const LATER = { ...LIFE, createdAt: '2026-11-30T11:00:00Z' }
const ground = { version: 1, etag: 'e-1', text: '{}' }
const draft = { text: '{"a": 1}', from: ground, latest: ground, status: 'edited', conflictId: null } as const
const stateOf = (text: string, root = LIFE.root): Uint8Array => {
  const doc = new Y.Doc()
  doc.getText(root).insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}
const refusal = (code: string, status: number): ProblemError =>
  new ProblemError({ code, status, title: code, detail: 'In words.', retryable: false })

describe('[DEMO-1] what is unsaved when the page goes', () => {
  it('is there for the page that comes in its place, once', () => {
    const storage = textsIn(new Map())
    const shelf = new Shelf(storage)
    const text = { life: LIFE, state: new Uint8Array([0, 200, 7]) }
    shelf.put('menu', { life: LIFE, draft })
    shelf.add({ hasUnsavedEdits: true, unsaved: () => ({ id: 'trip', kept: text }) })
    shelf.keep()
    const next = new Shelf(storage)
    expect(next.take('menu')).toEqual({ life: LIFE, draft })
    expect(next.take('menu')).toBeNull()
    expect(next.take('trip')).toEqual(text)
    expect(new Shelf(storage).take('trip')).toBeNull()
  })

  it('is left where it cannot be read or has no room', () => {
    const storage = textsIn(new Map([['parley.unsaved', '{"kept": 7}']]))
    expect(new Shelf(storage).take('menu')).toBeNull()
    const full = new Shelf(textsIn(new Map(), 0))
    full.put('menu', { life: LIFE, draft })
    expect(() => full.keep()).not.toThrow()
  })

  it('counts as unsaved until it is taken up, and the list knows of which document it is', () => {
    const storage = textsIn(new Map())
    const before = new Shelf(storage)
    before.add({ hasUnsavedEdits: true, unsaved: () => ({ id: 'trip', kept: { life: LIFE, state: stateOf('x') } }) })
    before.keep()
    const shelf = new Shelf(storage)
    expect(shelf.hasUnsavedEdits).toBe(true)
    expect([...shelf.held.value]).toEqual(['trip'])
    shelf.take('trip')
    expect(shelf.hasUnsavedEdits).toBe(false)
    expect([...shelf.held.value]).toEqual([])
  })

  it('is known to the list for as long as a text that was left waits to be sent', () => {
    const shelf = new Shelf(textsIn(new Map()))
    const holder = { id: 'trip', hasUnsavedEdits: true }
    shelf.add(holder)
    expect([...shelf.held.value]).toEqual(['trip'])
    shelf.remove(holder)
    expect([...shelf.held.value]).toEqual([])
  })
})

describe('[DEMO-1] [DEMO-8] what was kept of an earlier life of a document', () => {
  it.each([
    ['a text', { life: LIFE, state: stateOf('Monday') }, 'Monday'],
    ['a text of another root', { life: { ...LATER, root: 'body' }, state: stateOf('Monday', 'body') }, 'Monday'],
    ['a draft', { life: LIFE, draft }, '{"a": 1}'],
  ])('goes into no other, and is there to be copied: %s', (_, kept, text) => {
    const storage = textsIn(new Map())
    const shelf = new Shelf(storage)
    shelf.put('trip', kept)
    expect(takeKept(shelf, 'trip', LATER)).toBeNull()
    expect(shelf.left.value.get('trip')).toBe(text)
    expect(shelf.hasUnsavedEdits).toBe(true)
    shelf.keep()
    const next = new Shelf(storage)
    expect(next.left.value.get('trip')).toBe(text)
    next.discard('trip')
    expect(next.hasUnsavedEdits).toBe(false)
  })

  it('is gone on from in the same', () => {
    const shelf = new Shelf(textsIn(new Map()))
    const kept = { life: LIFE, state: stateOf('Monday') }
    shelf.put('trip', kept)
    expect(takeKept(shelf, 'trip', { ...LIFE })).toBe(kept)
    expect(shelf.left.value.size).toBe(0)
  })
})

describe('[DEMO-1] a draft that is left while it is being saved', () => {
  function saving() {
    const answer = deferred<WriteAnswer>()
    const shelf = new Shelf(textsIn(new Map()))
    const saver = new DraftSaver({
      id: 'menu',
      rest: { putContent: () => answer.promise },
      draft,
      lockToken: () => null,
      onWritten: () => {},
      onRefused: () => {},
    })
    const saved = saver.save().catch(() => {})
    saver.leaveOn(shelf, LIFE)
    return { answer, shelf, saver, saved }
  }
  const written = { id: 'menu', version: 2, etag: 'e-2', outcome: 'written' }

  it('is unsaved no more once it is stored', async () => {
    const { answer, shelf, saved } = saving()
    expect(shelf.hasUnsavedEdits).toBe(true)
    answer.resolve(written)
    await saved
    expect(shelf.hasUnsavedEdits).toBe(false)
  })

  it('stays with what was typed since', async () => {
    const { answer, shelf, saver, saved } = saving()
    saver.draft.update((value) => drafts.edit(value, '{"a": '))
    answer.resolve(written)
    await saved
    expect(shelf.take('menu')).toMatchObject({ draft: { text: '{"a": ', status: 'edited', from: { version: 2 } } })
  })

  it('stays where it could not be stored', async () => {
    const { answer, shelf, saved } = saving()
    answer.reject(new Error('offline'))
    await saved
    expect(shelf.take('menu')).toMatchObject({ draft: { text: '{"a": 1}', status: 'edited' } })
  })

  it('is not put back for whoever took it up meanwhile', async () => {
    const { answer, shelf, saved } = saving()
    shelf.take('menu')
    answer.reject(new Error('offline'))
    await saved
    expect(shelf.take('menu')).toBeNull()
  })
})

describe('[DEMO-2] the lock of a document', () => {
  const own: OwnLock = { owner: 'ada', fence: 7, token: 'key', expiresAt: '2999-01-01T00:00:00Z' }

  function lock(
    answers: Partial<Record<'acquireLock' | 'renewLock' | 'releaseLock', () => Promise<unknown>>>,
    room = Infinity,
  ) {
    const items = new Map<string, string>()
    const rest = new Rest({ baseUrl: '', token: { current: async () => '', renew: async () => '' } })
    const getLock = vi.spyOn(rest, 'getLock').mockResolvedValue(null)
    vi.spyOn(rest, 'acquireLock').mockResolvedValue(own)
    for (const [name, answer] of Object.entries(answers)) {
      vi.spyOn(rest, name as 'renewLock').mockImplementation(answer as () => Promise<OwnLock>)
    }
    const storage = new TabTexts(textsIn(items, room))
    const one = new DocumentLock({ document: 'trip', rest, storage, self: () => 'ada' })
    return { one, items, getLock }
  }

  it('shows that it is held also where the browser has no room to keep its token', async () => {
    const { one, items } = lock({}, 3)
    await one.acquire()
    expect(one.held.value).toMatchObject({ isOwn: true, token: 'key' })
    expect(items.size).toBe(0)
    one.close()
  })

  it('leaves no token behind once it is released', async () => {
    const { one, items } = lock({ releaseLock: async () => undefined })
    await one.acquire()
    expect(items.size).toBe(1)
    await one.release()
    expect([items.size, one.held.value]).toEqual([0, null])
    one.close()
  })

  it('is read anew where it could not be renewed', async () => {
    const { one, getLock } = lock({ renewLock: () => Promise.reject(refusal('lock-lost', 409)) })
    await one.acquire()
    await expect(one.renew()).rejects.toThrow()
    await expect.poll(() => getLock.mock.calls.length).toBe(1)
    await expect.poll(() => one.held.value).toBeNull()
    one.close()
  })
})

describe('[DEMO-16] a document that is asked for while the code of its editor comes', () => {
  const document = (version: number) => ({ version }) as Document

  it('is handed out once; later it is read as it is then', async () => {
    let version = 0
    const start = new HeadStart({ getDocument: async () => document(++version) })
    start.begin('trip')
    expect((await start.read('trip')).version).toBe(1)
    expect((await start.read('trip')).version).toBe(2)
    start.begin('trip')
    expect((await start.read('menu')).version).toBe(4)
  })

  it('is read again where that failed: nobody was signed in yet', async () => {
    const answers = [Promise.reject(new Error('signed out')), Promise.resolve(document(1))]
    const start = new HeadStart({ getDocument: () => answers.shift() ?? Promise.reject(new Error('nothing more')) })
    start.begin('trip')
    expect((await start.read('trip')).version).toBe(1)
  })
})
