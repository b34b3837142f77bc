import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesPattern, parsePattern, trustedDocumentId, type Pattern } from '../../server/foundation/ids.ts'
import type { ParleyError } from '../../server/foundation/problems.ts'
import { CHANGED, EVENT_TYPES, STORED_EVENT_TYPES } from '../../server/model/event.ts'
import { idOf, parseClientFrame } from '../../server/notifications/frames.ts'
import { MAX_PATTERNS, parseQuery, parseRequest } from '../../server/notifications/request.ts'
import { disjointPatterns, SubscriberIndex } from '../../server/notifications/subscriberIndex.ts'
import type { JsonValue } from '../../server/content/content.ts'

const epoch = 'epocha'
const query = (text: string, others: string[] = ['token']) => parseQuery(new URLSearchParams(text), epoch, others)

const codeOf = (task: () => unknown): string => {
  try {
    task()
  } catch (error) {
    return (error as ParleyError).code
  }
  return 'none'
}

describe('what a subscriber asks for', () => {
  it('[NOTE-2] without documents everything, without events all but changes, without since from now', () => {
    const request = parseRequest({}, epoch)
    expect(request.patterns).toEqual([{ prefix: '' }])
    expect([...request.types]).toEqual([...STORED_EVENT_TYPES])
    expect(request.since).toBeNull()
  })

  it('[NOTE-2] events takes full types and refuses any other', () => {
    expect([...parseRequest({ events: EVENT_TYPES }, epoch).types]).toEqual([...EVENT_TYPES])
    expect([...parseRequest({ events: [CHANGED] }, epoch).types]).toEqual([CHANGED])
    for (const events of [['changed'], ['detected'], [CHANGED, 'nonsense'], [''], [], ['parley.*'], ['__proto__']]) {
      expect(
        codeOf(() => parseRequest({ events }, epoch)),
        events.join(),
      ).toBe('invalid-request')
    }
  })

  it('[NOTE-2] documents takes ids and prefixes and refuses any other', () => {
    expect(parseRequest({ documents: ['b', 'team:*'] }, epoch).patterns).toEqual([{ prefix: 'team:' }, { exact: 'b' }])
    for (const documents of [
      [''],
      ['a', '**'],
      ['a*b'],
      ['*a'],
      ['a b'],
      ['x'.repeat(129)],
      [],
      Array(MAX_PATTERNS + 1).fill('a'),
    ]) {
      expect(
        codeOf(() => parseRequest({ documents }, epoch)),
        documents.join().slice(0, 20),
      ).toBe('invalid-request')
    }
  })

  it('[NOTE-2] a malformed cursor is refused, one of another epoch is not', () => {
    expect(codeOf(() => parseRequest({ since: 'nonsense' }, epoch))).toBe('invalid-cursor')
    expect(codeOf(() => parseRequest({ since: '' }, epoch))).toBe('invalid-cursor')
    expect(codeOf(() => parseRequest({ since: 'e.'.repeat(100_000) }, epoch))).toBe('invalid-cursor')
    expect(parseRequest({ since: 'other.00000000007' }, epoch).since).toBe('foreign')
    expect(parseRequest({ since: 'epocha.00000000007.0abc123' }, epoch).since).toEqual({
      sequence: 7,
      mark: '0abc123',
      told: null,
      change: null,
    })
  })

  it('[NOTE-2] a query asks for a subscription by any of its three parameters', () => {
    expect(query('')).toBeNull()
    expect(query('token=abc')).toBeNull()
    expect(query('documents=a,b*')?.patterns).toEqual([{ prefix: 'b' }, { exact: 'a' }])
    expect(query('token=abc&since=epocha.00000000000')?.patterns).toEqual([{ prefix: '' }])
    expect([...(query(`events=${CHANGED},parley.conflict.resolved`)?.types ?? [])]).toEqual([
      CHANGED,
      'parley.conflict.resolved',
    ])
  })

  it('[NOTE-2] unknown, repeated and malformed parameters are refused', () => {
    for (const text of [
      'document=a',
      'documents=a&documents=b',
      'token=a&token=b',
      'documents=',
      'documents=a,',
      'events=',
    ]) {
      expect(
        codeOf(() => query(text)),
        text,
      ).toBe('invalid-request')
    }
    expect(codeOf(() => query('since='))).toBe('invalid-cursor')
    expect(codeOf(() => query('waitSeconds=5'))).toBe('invalid-request')
    expect(query('waitSeconds=5', ['waitSeconds'])).toBeNull()
  })
})

describe('frames of a client', () => {
  it('[NOTE-2] the four frames are taken as they are written', () => {
    for (const frame of [
      { type: 'authenticate', token: 'abc' },
      { type: 'subscribe', id: '1', documents: ['a', 'b*'], events: [CHANGED], since: 'x' },
      { type: 'subscribe', id: '1' },
      { type: 'unsubscribe', id: '1' },
      { type: 'ping' },
    ]) {
      expect(parseClientFrame(frame)).toEqual(frame)
    }
  })

  it('[NOTE-2] anything else is refused with a problem that says why', () => {
    const bad: JsonValue[] = [
      null,
      'ping',
      7,
      [],
      ['ping'],
      {},
      { type: null },
      { type: 'constructor' },
      { type: 'welcome' },
      { type: 'ping', extra: 1 },
      { type: 'authenticate' },
      { type: 'authenticate', token: '' },
      { type: 'authenticate', token: 5 },
      { type: 'authenticate', token: 'x'.repeat(8_193) },
      { type: 'subscribe' },
      { type: 'subscribe', id: '' },
      { type: 'subscribe', id: 7 },
      { type: 'subscribe', id: 'x'.repeat(65) },
      { type: 'subscribe', id: '1', documents: 'a' },
      { type: 'subscribe', id: '1', documents: [] },
      { type: 'subscribe', id: '1', documents: [7] },
      { type: 'subscribe', id: '1', documents: Array(MAX_PATTERNS + 1).fill('a') },
      { type: 'subscribe', id: '1', documents: null },
      { type: 'subscribe', id: '1', events: 'x' },
      { type: 'subscribe', id: '1', since: 7 },
      { type: 'subscribe', id: '1', pattern: 'a' },
      { type: 'unsubscribe' },
      { type: 'unsubscribe', id: null },
    ]
    for (const frame of bad) {
      expect(
        codeOf(() => parseClientFrame(frame)),
        JSON.stringify(frame).slice(0, 60),
      ).toBe('invalid-request')
    }
  })

  it('an error names the frame it answers where the frame has a usable id', () => {
    expect(idOf({ type: 'subscribe', id: 'a', documents: 7 })).toBe('a')
    for (const value of [null, [], {}, { id: 7 }, { id: '' }, { id: 'x'.repeat(65) }]) expect(idOf(value)).toBeNull()
  })
})

describe('the index of subscribers', () => {
  const letters = fc.stringMatching(/^[ab:]{0,4}$/)
  const pattern: fc.Arbitrary<Pattern> = fc.oneof(
    letters.map((prefix) => ({ prefix })),
    letters.map((text) => ({ exact: trustedDocumentId(`a${text}`) })),
  )
  const document = letters.map((text) => trustedDocumentId(`a${text}`))

  it('[NOTE-2] disjoint patterns match the same documents, each by one pattern', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 8 }), document, (patterns, one) => {
        const matches = disjointPatterns(patterns).filter((each) => matchesPattern(each, one)).length
        expect(matches).toBe(patterns.some((each) => matchesPattern(each, one)) ? 1 : 0)
      }),
    )
  })

  it('[NOTE-2] finds exactly the subscribers whose patterns match, each once, and forgets those that left', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ patterns: fc.array(pattern, { maxLength: 4 }), leaves: fc.boolean() }), { maxLength: 8 }),
        document,
        (subscribers, one) => {
          const index = new SubscriberIndex<number>()
          subscribers.forEach(({ patterns }, n) => index.add(disjointPatterns(patterns), n))
          subscribers.forEach(({ patterns, leaves }, n) => leaves && index.remove(disjointPatterns(patterns), n))
          const wanted = subscribers.flatMap(({ patterns, leaves }, n) =>
            !leaves && patterns.some((each) => matchesPattern(each, one)) ? [n] : [],
          )
          expect([...index.matching(one)].toSorted()).toEqual(wanted)
        },
      ),
    )
  })

  it('[API-6] `*` matches every id and a prefix ends where it is written', () => {
    const everything = parsePattern('*')
    expect(everything).toEqual({ prefix: '' })
    const index = new SubscriberIndex<string>()
    index.add([{ prefix: 'team:' }], 'team')
    expect([...index.matching(trustedDocumentId('team:'))]).toEqual(['team'])
    expect([...index.matching(trustedDocumentId('team'))]).toEqual([])
  })
})
