import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ListedConflict, Page } from '../../client-demo/src/parley/types.ts'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import { Absence } from '../../client-demo/src/state/absence.ts'
import { ConflictList } from '../../client-demo/src/state/conflictList.ts'
import { NameBook } from '../../client-demo/src/state/names.ts'
import { Notices } from '../../client-demo/src/state/notices.ts'
import { conflictJson } from '../support/demoConflict.ts'
import { deferred } from '../support/deferred.ts'

const SIDES = { base: 'Monday', current: 'Tuesday', incoming: 'Friday' }

/** The window of ada, and a server where an edit of `author` was merged with one of ben. */
function window(author = 'ada') {
  const own = conflictJson(SIDES, {
    kind: 'concurrent-edit',
    incoming: {
      version: null,
      etag: null,
      authors: [author],
      content: SIDES.incoming,
      href: '/conflicts/cfl_1/incoming',
    },
    merged: { clean: false, version: 3, content: 'FridayTuesday' },
  })
  const server = { hold: Promise.resolve(), isReachable: true, lists: true }
  const rest = {
    listConflicts: async (): Promise<Page<ListedConflict>> => {
      await server.hold
      if (!server.isReachable) throw new Error('unreachable')
      return { items: server.lists ? [shapes.conflict(own, '')] : [] }
    },
    getConflict: async () => shapes.conflict(own, ''),
  }
  const absence = new Absence({ document: 'notes', rest, self: 'ada', known: () => [], version: () => 1 })
  const nameBook = new NameBook()
  nameBook.introduce('ada')
  const notices = new Notices()
  const list = new ConflictList({ rest, document: 'notes', nameBook, notices, show: () => {}, absence })
  const data = { conflict: 'cfl_1', kind: 'concurrent-edit', author }
  const event = { id: '1', type: 'parley.conflict.detected', subject: 'documents/notes', time: '', data }
  return {
    server,
    absence,
    goAway: () => {
      absence.begin('line')
      absence.wrote([{ insert: 'Friday' }])
    },
    hear: async () => {
      list.receive(event)
      await vi.advanceTimersByTimeAsync(0)
    },
    notices: () => notices.store.value.map(({ text }) => text),
  }
}

const OWN_NEWS = ['New conflict: You came back with offline edits.']

describe('[DEMO-3] what became of edits that waited', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is told once where its news come before all is known to be stored', async () => {
    const { absence, goAway, hear, notices } = window()
    goAway()
    await hear()
    expect(notices()).toEqual([])
    await absence.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(absence.returned.value?.conflictId).toBe('cfl_1')
    expect(notices()).toEqual([])
  })

  it('is told once where its news come while it is being found out', async () => {
    const { server, absence, goAway, hear, notices } = window()
    const slow = deferred()
    server.hold = slow.promise
    goAway()
    const ended = absence.end()
    await hear()
    slow.resolve()
    await ended
    await vi.advanceTimersByTimeAsync(0)
    expect([absence.returned.value?.conflictId, notices()]).toEqual(['cfl_1', []])
  })

  it('is told once where its news come last, even after it was dismissed', async () => {
    const { absence, goAway, hear, notices } = window()
    goAway()
    await absence.end()
    absence.dismiss()
    await hear()
    expect(notices()).toEqual([])
  })

  it('is told by a notice where it could not be found out', async () => {
    const { server, absence, goAway, hear, notices } = window()
    server.isReachable = false
    goAway()
    await hear()
    await absence.end()
    await vi.advanceTimersByTimeAsync(0)
    expect([absence.returned.value?.isSure, notices()]).toEqual([false, OWN_NEWS])
  })

  it('is told by a notice in another window of the same person', async () => {
    const { hear, notices } = window()
    await hear()
    expect(notices()).toEqual(OWN_NEWS)
  })

  it('is told once where edits wait again before it is found out', async () => {
    const { server, absence, goAway, hear, notices } = window()
    const [first, second] = [deferred(), deferred()]
    server.hold = first.promise
    goAway()
    const ended = absence.end()
    server.hold = second.promise
    goAway()
    const endedAgain = absence.end()
    await hear()
    server.lists = false
    first.resolve()
    await ended
    await vi.advanceTimersByTimeAsync(0)
    expect([absence.returned.value?.conflictId, notices()]).toEqual([null, []])
    server.lists = true
    second.resolve()
    await endedAgain
    await vi.advanceTimersByTimeAsync(0)
    expect([absence.returned.value?.conflictId, notices()]).toEqual(['cfl_1', []])
  })

  it('keeps the news of another window of the same person waiting for some seconds, and not for as long as edits wait', async () => {
    const { goAway, hear, notices } = window()
    goAway()
    await hear()
    await vi.advanceTimersByTimeAsync(9_000)
    expect(notices()).toEqual([])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(notices()).toEqual(OWN_NEWS)
  })

  it('keeps no news of others waiting', async () => {
    const { goAway, hear, notices } = window('ben')
    goAway()
    await hear()
    expect(notices()).toEqual(['New conflict: ben came back with offline edits.'])
  })
})
