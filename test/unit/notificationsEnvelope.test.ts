import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toSequence, toVersion, trustedDocumentId } from '../../server/foundation/ids.ts'
import {
  formatCursor,
  parseCursor,
  toChangedEvent,
  toCloudEvent,
  type Cursor,
} from '../../server/notifications/envelope.ts'
import { eventMark } from '../../server/model/event.ts'
import { MAX_CURSOR_LENGTH } from '../../server/notifications/request.ts'
import { aHead, anEvent, id } from '../support/fakeFeed.ts'

const epoch = 'epocha'
const safe = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const documentId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$/)
const told = fc.record({ stamp: safe, process: fc.stringMatching(/^[a-z2-7]{6}$/) })
const mark = fc.stringMatching(/^[0-9a-z]{7}$/)
const cursors: fc.Arbitrary<Cursor> = fc
  .record({ sequence: safe, mark, told: fc.option(told), document: fc.option(documentId), version: safe })
  .map((raw) => ({
    sequence: toSequence(raw.sequence),
    mark: raw.mark,
    told: raw.told,
    change:
      raw.told === null || raw.document === null || raw.version === 0
        ? null
        : { document: trustedDocumentId(raw.document), version: toVersion(raw.version), mark: raw.mark },
  }))

const MARK = '0abc123'

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

describe('cursors', () => {
  it('[NOTE-2] every cursor that is handed out is understood when it comes back', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        const text = formatCursor(epoch, cursor)
        expect(parseCursor(text, epoch)).toEqual(cursor)
        expect(text.length).toBeLessThanOrEqual(MAX_CURSOR_LENGTH)
        // It travels in URLs and header lines as it stands.
        expect(text).toMatch(/^[A-Za-z0-9._:~-]+$/)
      }),
    )
  })

  it('[NOTE-2] cursors are ordered as strings like their places in the feed', () => {
    fc.assert(
      fc.property(cursors, cursors, (a, other) => {
        // One event has one mark.
        const b = other.sequence === a.sequence ? { ...other, mark: a.mark } : other
        const byPlace = a.sequence - b.sequence || (a.told?.stamp ?? -1) - (b.told?.stamp ?? -1)
        if (byPlace !== 0) expect(compare(formatCursor(epoch, a), formatCursor(epoch, b))).toBe(Math.sign(byPlace))
      }),
    )
  })

  it('[OPS-7] a cursor of another epoch is recognised as foreign, never taken for one of this', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(parseCursor(formatCursor('other7', cursor), epoch)).toBe('foreign')
      }),
    )
  })

  it('[NOTE-2] what is not exactly a cursor is refused', () => {
    const good = formatCursor(epoch, { sequence: toSequence(7), mark: MARK, told: null, change: null })
    const change = formatCursor(epoch, {
      sequence: toSequence(7),
      mark: MARK,
      told: { stamp: 5, process: 'abcdef' },
      change: { document: id('a~3'), version: toVersion(3), mark: MARK },
    })
    for (const bad of [
      '',
      '7',
      epoch,
      `${epoch}.`,
      `${epoch}.7`,
      `${good} `,
      ` ${good}`,
      `${good}\n`,
      `${epoch}.0000000000A`,
      `${epoch}..00000000007`,
      `${good}0`,
      `${good}~`,
      `${epoch}.zzzzzzzzzzz`,
      `${good}~00000000005`,
      `${good}~00000000005.abcdef~`,
      `${good}~00000000005.abcdef~a`,
      `${good}~00000000005.abcdef~a~0`,
      `${good}~00000000005.abcdef~a~03`,
      `${good}~00000000005.abcdef~a~99999999999999999`,
      `${good}~00000000005.abcdef~.bad~3`,
      `${good}~zzzzzzzzzzz.abcdef~a~3`,
      change.replace('.0', ':0'),
      `${good}0`,
      good.slice(0, -1),
      `${change}0`,
    ]) {
      expect(parseCursor(bad, epoch), bad).toBeNull()
    }
    expect(parseCursor(change, epoch)).toMatchObject({ change: { document: 'a~3', version: 3 } })
  })

  it('[OPS-7] a cursor of before there were marks is foreign', () => {
    const tail = '~00000000005.abcdef'
    for (const text of ['', tail, `${tail}~a~3`].map((end) => `${epoch}.00000000007${end}`)) {
      expect(parseCursor(text, epoch), text).toBe('foreign')
    }
    expect(parseCursor(`${epoch}.00000000007.${MARK}${tail}~a~3`, epoch)).toBe('foreign')
  })

  it('[OPS-7] the mark of an event is of all that it tells', () => {
    const event = { ...anEvent('a', 'n'), sequence: toSequence(9), at: 1 }
    const others = [
      { at: 2 },
      { type: 'parley.document.created' as const },
      { document: id('b') },
      { data: { note: 'o' } },
    ]
    const marks = [event, ...others.map((other) => ({ ...event, ...other }))].map(eventMark)
    expect(new Set(marks).size).toBe(5)
  })
})

describe('CloudEvents', () => {
  it('[NOTE-1] a stored event is a CloudEvents 1.0 envelope whose id is its cursor', () => {
    const at = Date.UTC(2026, 10, 22, 8, 30)
    const event = toCloudEvent(
      { ...anEvent('team:notes', 'n'), sequence: toSequence(9), at },
      'https://parley.test',
      epoch,
    )
    expect(event).toEqual({
      specversion: '1.0',
      id: expect.stringMatching(/^epocha\.00000000009\.[0-9a-z]{7}$/),
      source: 'https://parley.test',
      type: 'parley.conflict.detected',
      subject: 'documents/team:notes',
      time: '2026-11-22T08:30:00.000Z',
      datacontenttype: 'application/json',
      data: { document: 'team:notes', note: 'n' },
    })
  })

  it('[NOTE-2] a change tells document, version and author, and no content', () => {
    const at = Date.UTC(2026, 10, 22, 8, 30)
    expect(toChangedEvent(aHead('a', 4, at), '/', 'the-cursor')).toEqual({
      specversion: '1.0',
      id: 'the-cursor',
      source: '/',
      type: 'parley.document.changed',
      subject: 'documents/a',
      time: '2026-11-22T08:30:00.000Z',
      datacontenttype: 'application/json',
      data: { document: 'a', kind: 'text', version: 4, by: 'alice', href: '/documents/a' },
    })
  })
})
