import { describe, expect, it } from 'vitest'
import * as shapes from '../../client-demo/src/parley/shapes.ts'
import type { Conflict, Content } from '../../client-demo/src/parley/types.ts'
import { waysOf } from '../../client-demo/src/present/ways.ts'
import { chosenIn } from '../../client-demo/src/state/chosenIn.ts'
import { openedAgain } from '../../client-demo/src/state/openedAgain.ts'
import { ResolutionDrafts, type ResolutionDraft } from '../../client-demo/src/state/resolutionDrafts.ts'
import { conflictJson } from '../support/demoConflict.ts'
import { textsIn } from '../support/tabTexts.ts'

const conflictOf = (...args: Parameters<typeof conflictJson>): Conflict => shapes.conflict(conflictJson(...args), '')
const TEXT = { base: 'a\nb\nc\nd\ne\nf', current: 'a\nB\nc\nD\ne\nF', incoming: 'a\nbb\nc\ndd\ne\nff' }
const JSON_SIDES = { base: { k: 1, l: 1 }, current: { k: 2, l: 2 }, incoming: { k: 3, l: 3 } }
const resolved = { use: 'choices', by: 'bob', at: '2026-11-01T11:00:00Z', version: 4, comment: null }
const chosenOf = (conflict: Conflict, result: Content): readonly string[] => [...chosenIn(conflict, result).values()]

describe('what was chosen', () => {
  it.each([
    ['a\nbb\nc\nD\ne\nf', ['incoming', 'current', 'base']],
    ['a\nby hand\nc\nd\ne\nff', ['own', 'base', 'incoming']],
    ['a\nc\ndd\ne\nF\nmore', ['own', 'incoming', 'own']],
  ])('[DEMO-12] is read from the result %j', (result, chosen) => {
    const conflict = conflictOf(TEXT, { status: 'resolved', resolution: resolved })
    expect(chosenOf(conflict, result)).toEqual(chosen)
  })

  it('[DEMO-12] is read from a json result by pointer', () => {
    const conflict = conflictOf(JSON_SIDES, { status: 'resolved', resolution: resolved })
    expect(chosenOf(conflict, { k: 3, l: 2 })).toEqual(['incoming', 'current'])
    expect(chosenOf(conflict, { k: 9, l: 1 })).toEqual(['own', 'base'])
  })

  it('[DEMO-12] is the same everywhere where one side was taken', () => {
    const conflict = conflictOf(TEXT, { status: 'resolved', resolution: { ...resolved, use: 'incoming' } })
    expect(chosenOf(conflict, TEXT.incoming)).toEqual(['incoming', 'incoming', 'incoming'])
  })
})

describe('opening it again', () => {
  const dismissed = { status: 'dismissed', closedBy: 'bob', closedAt: resolved.at }

  it('[DEMO-12] sends a refused write once more, on its base', () => {
    expect(openedAgain(conflictOf(TEXT, dismissed))).toEqual({ content: TEXT.incoming, baseVersion: 1 })
  })

  it('[DEMO-12] sends edits that were merged on what stood just before the merge', () => {
    const live = conflictOf(TEXT, { ...dismissed, kind: 'concurrent-edit' })
    expect(openedAgain(live)).toEqual({ content: TEXT.incoming, baseVersion: 3 })
  })

  it.each([{ status: 'superseded' }, { status: 'expired' }, { ...dismissed, kind: 'invalid-merge' }])(
    '[DEMO-12] is not offered of %j',
    (changes) => expect(openedAgain(conflictOf(TEXT, changes))).toBeNull(),
  )
})

describe('the ways to close a conflict', () => {
  it.each([
    [{}, ['choices', 'current', 'incoming', 'hand', 'dismiss']],
    [{ merged: { clean: true } }, ['merged', 'current', 'incoming', 'hand', 'dismiss']],
    [{ kind: 'concurrent-edit' }, ['choices', 'current', 'incoming', 'merged', 'hand', 'dismiss']],
    [{ kind: 'invalid-merge' }, ['current', 'hand', 'dismiss']],
    [{ truncated: true, overlaps: [] }, ['current', 'incoming', 'dismiss']],
  ])('[DEMO-11] of %j are those the server takes', (changes, ways) => {
    expect(waysOf(conflictOf(TEXT, changes))).toEqual(ways)
  })
})

describe('drafts of resolutions', () => {
  const DRAFT: ResolutionDraft = {
    way: 'hand',
    picks: [{ id: 'L2', at: '[]', pick: { from: 'own', text: 'x' } }],
    ownTexts: [{ id: 'L2', text: 'x' }],
    own: { text: 'y', version: 3, content: 'z' },
    comment: 'why',
  }
  it('[DEMO-13] are read again after a reload, by the one who wrote them', () => {
    const items = new Map<string, string>()
    new ResolutionDrafts(textsIn(items, 10_000)).of('ada', 'cfl_1').put(DRAFT)
    const again = new ResolutionDrafts(textsIn(items, 10_000))
    expect(again.of('ada', 'cfl_1').get()).toEqual(DRAFT)
    expect(again.of('ben', 'cfl_1').get()).toBeNull()
  })

  it('[DEMO-13] stay in the page where the browser has no room, and leaving it is asked about', () => {
    const drafts = new ResolutionDrafts(textsIn(new Map(), 10))
    const keeper = drafts.of('ada', 'cfl_1')
    keeper.put(DRAFT)
    expect(keeper.get()).toEqual(DRAFT)
    expect(drafts.hasUnsavedEdits).toBe(true)
    keeper.put(null)
    expect(drafts.hasUnsavedEdits).toBe(false)
    expect(keeper.get()).toBeNull()
  })

  it('[DEMO-13] that another page version wrote are left out', () => {
    const items = new Map([['parley.resolution.ada.cfl_1', '{"way":"by magic"}']])
    expect(new ResolutionDrafts(textsIn(items, 10_000)).of('ada', 'cfl_1').get()).toBeNull()
  })
})
