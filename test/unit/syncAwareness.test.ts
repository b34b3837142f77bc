import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import {
  Awareness,
  decodeAwareness,
  awarenessBodies,
  encodeEntry,
  MAX_STATE_BYTES,
  type AwarenessMember,
} from '../../server/sync/awareness.ts'
import { awarenessBody, fromHex, readAwareness } from '../support/rawClient.ts'

const LAST_CLOCK = 2 ** 31 - 1

const member = (name: string, hasAnswered = true, mayWrite = true): AwarenessMember => ({
  principal: toPrincipalId(name),
  hasAnswered,
  mayWrite,
})
const entry = (client: number, clock: number, state: unknown = { name: `user ${client}` }) => ({
  client,
  clock,
  state: JSON.stringify(state),
})
const gone = (client: number, clock: number) => entry(client, clock, null)

describe('decodeAwareness', () => {
  it('[SYNC-5] reads what a client sends', () => {
    expect(decodeAwareness(Uint8Array.of(0))).toEqual([])
    const body = awarenessBody([
      { client: 7, clock: 3, state: { cursor: { at: 1 } } },
      { client: 8, clock: 0, state: null },
    ])
    expect(decodeAwareness(body)).toEqual([
      { client: 7, clock: 3, state: '{"cursor":{"at":1}}' },
      { client: 8, clock: 0, state: 'null' },
    ])
  })

  it.each([
    ['a number', 42],
    ['a string', 'x'],
    ['an array', [1]],
    ['a boolean', true],
    ['a forbidden key', JSON.parse('{"a":{"__proto__":{"isAdmin":true}}}')],
  ])('[SYNC-5] refuses %s as a state', (_name, state) => {
    expect(decodeAwareness(awarenessBody([{ client: 7, clock: 1, state }]))).toBeNull()
  })

  it('[SYNC-5] refuses a forbidden key however it is written, and takes it as a value', () => {
    const bodyOf = (state: string): Uint8Array =>
      awarenessBodies([encodeEntry({ client: 1, clock: 1, state })])[0] ?? Uint8Array.of(0)
    expect(decodeAwareness(bodyOf(String.raw`{"a":{"\u005f_proto__":1}}`))).toBeNull()
    expect(decodeAwareness(bodyOf('{"name":"__proto__"}'))).toHaveLength(1)
    expect(decodeAwareness(bodyOf(String.raw`{"name":"a\nb"}`))).toHaveLength(1)
    expect(decodeAwareness(bodyOf(String.raw`["\u005f"]`))).toBeNull()
  })

  it('[SYNC-5] refuses all for one bad entry, a clock out of range, bytes that are too few or too many', () => {
    const good = awarenessBody([{ client: 7, clock: LAST_CLOCK, state: {} }])
    expect(decodeAwareness(good)).toHaveLength(1)
    expect(decodeAwareness(awarenessBody([{ client: 7, clock: LAST_CLOCK + 1, state: {} }]))).toBeNull()
    expect(decodeAwareness(Uint8Array.of(...good, 0))).toBeNull()
    expect(decodeAwareness(good.subarray(0, -1))).toBeNull()
    expect(decodeAwareness(Uint8Array.of(2, ...good.subarray(1)))).toBeNull()
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    expect(
      decodeAwareness(awarenessBodies([encodeEntry({ client: 1, clock: 1, state: deep })])[0] ?? Uint8Array.of(0)),
    ).toBeNull()
    expect(decodeAwareness(awarenessBody([{ client: 1, clock: 1, state: { x: 'y'.repeat(1024 * 1024) } }]))).toBeNull()
  })

  const file = new URL('../fixtures/hostile-vectors.json', import.meta.url)
  const vectors = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
  it.each(vectors.filter(([name]) => name.startsWith('awareness')))('[SYNC-5] refuses %s', (_name, hex) => {
    expect(decodeAwareness(fromHex(hex))).toBeNull()
  })
})

describe('awareness bodies', () => {
  it('[SYNC-9] writes what clients read, in messages of bounded size', () => {
    const entries = Array.from({ length: 40 }, (_, i) => entry(i, 1, { text: 'x'.repeat(10_000) }))
    const bodies = awarenessBodies(entries.map(encodeEntry))
    expect(bodies.length).toBeGreaterThan(2)
    expect(Math.max(...bodies.map((body) => body.length))).toBeLessThan(160 * 1024)
    expect(bodies.flatMap(readAwareness).map((one) => one.client)).toEqual(entries.map((one) => one.client))
    expect(awarenessBodies([])).toEqual([])
  })
})

describe('awareness of a room', () => {
  it('[SYNC-5] binds an id to the connection that first announced it', () => {
    const awareness = new Awareness()
    const [alice, bob] = [member('alice'), member('bob')]
    expect(awareness.announce(alice, [entry(1, 5)], 0)).toEqual([entry(1, 5)])
    expect(awareness.announce(bob, [entry(1, 6, { name: 'not alice' }), entry(2, 1)], 0)).toEqual([entry(2, 1)])
    expect(awareness.announce(bob, [gone(1, 7)], 0)).toEqual([])
    expect(awareness.states(member('carol'))).toEqual([entry(1, 5), entry(2, 1)])
    expect(awareness.states(bob)).toEqual([entry(1, 5)])
  })

  it('[SYNC-5] gives a connection one id', () => {
    const awareness = new Awareness()
    const alice = member('alice')
    expect(awareness.hasId(alice)).toBe(false)
    expect(awareness.announce(alice, [entry(1, 1), entry(2, 1), entry(3, 1)], 0)).toEqual([entry(1, 1)])
    expect(awareness.hasId(alice)).toBe(true)
    expect(awareness.announce(alice, [entry(4, 1)], 0)).toEqual([])
  })

  it('[SYNC-5] takes newer clocks only, and an end on the same clock', () => {
    const awareness = new Awareness()
    const alice = member('alice')
    awareness.announce(alice, [entry(1, 5)], 0)
    expect(awareness.announce(alice, [entry(1, 5, { late: true })], 0)).toEqual([])
    expect(awareness.announce(alice, [entry(1, 4)], 0)).toEqual([])
    expect(awareness.announce(alice, [gone(1, 4)], 0)).toEqual([])
    expect(awareness.announce(alice, [gone(1, 5)], 0)).toEqual([gone(1, 5)])
    expect(awareness.announce(alice, [gone(1, 5)], 0)).toEqual([])
    expect(awareness.states(member('bob'))).toEqual([])
    expect(awareness.announce(alice, [entry(1, 6)], 0)).toEqual([entry(1, 6)])
  })

  it('[SYNC-5] does not take a state past its bound', () => {
    const awareness = new Awareness()
    const alice = member('alice')
    const state = (bytes: number) => ({ client: 1, clock: 1, state: JSON.stringify({ x: 'y'.repeat(bytes - 8) }) })
    expect(state(MAX_STATE_BYTES).state).toHaveLength(MAX_STATE_BYTES)
    expect(awareness.announce(alice, [state(MAX_STATE_BYTES + 1)], 0)).toEqual([])
    expect(awareness.announce(alice, [state(MAX_STATE_BYTES)], 0)).toHaveLength(1)
  })

  it('[SYNC-5] removes the state when its connection ends', () => {
    const awareness = new Awareness()
    const [alice, bob] = [member('alice'), member('bob')]
    awareness.announce(alice, [entry(1, 5)], 0)
    expect(awareness.leave(alice)).toEqual([gone(1, 5)])
    expect(awareness.leave(alice)).toEqual([])
    expect(awareness.leave(bob)).toEqual([])
    expect(awareness.states(bob)).toEqual([])
  })

  it('[SYNC-5] tells nobody of the end of one who had ended already', () => {
    const awareness = new Awareness()
    const alice = member('alice')
    awareness.announce(alice, [entry(1, 5)], 0)
    awareness.announce(alice, [gone(1, 6)], 0)
    expect(awareness.leave(alice)).toEqual([])
  })

  it('[SYNC-5] lets a newer connection of the same principal take the id over', () => {
    const awareness = new Awareness()
    const [older, newer] = [member('alice'), member('alice', false)]
    awareness.announce(older, [entry(1, 5)], 0)
    expect(awareness.announce(newer, [entry(1, 5)], 0)).toEqual([entry(1, 5)])
    expect(awareness.announce(older, [entry(1, 6)], 0)).toEqual([])
    expect(awareness.leave(older)).toEqual([])
    expect(awareness.states(member('bob'))).toEqual([entry(1, 5)])
    expect(awareness.leave(newer)).toEqual([gone(1, 5)])
  })

  it('[SYNC-5] takes an echo for an echo, also from another connection of the same principal', () => {
    const awareness = new Awareness()
    const [alice, viewer, bob] = [member('alice'), member('alice'), member('bob')]
    awareness.announce(alice, [entry(1, 5)], 0)
    expect(awareness.announce(viewer, [entry(1, 5)], 0)).toEqual([])
    expect(awareness.announce(bob, [entry(1, 5)], 0)).toEqual([])
    awareness.leave(alice)
    expect(awareness.announce(viewer, [entry(1, 5)], 0), 'after its end').toEqual([])
    expect(awareness.announce(bob, [entry(1, 5), gone(1, 5)], 0), 'after its end').toEqual([])
    expect(awareness.states(bob)).toEqual([])
    expect(awareness.announce(viewer, [entry(9, 1)], 0), 'its own id').toEqual([entry(9, 1)])
  })

  it('[SYNC-5] lets someone come back under the id, if nobody else can mean it on the same clock, and tells a newer one', () => {
    const awareness = new Awareness()
    const before = member('alice')
    awareness.announce(before, [entry(1, 5)], 0)
    awareness.leave(before)
    expect(awareness.announce(member('bob', false), [entry(1, 5)], 0)).toEqual([])
    expect(awareness.announce(member('alice', false), [entry(1, 5)], 0), 'clients take no old clock').toEqual([
      entry(1, 6),
    ])
  })

  it('[SYNC-5] shows a writer whose id a reader has announced with the largest clock, or had', () => {
    for (const isThere of [true, false]) {
      const awareness = new Awareness()
      const reader = member('mallory', true, false)
      const told = awareness.announce(reader, [entry(1, LAST_CLOCK)], 0)[0]?.clock ?? 0
      if (!isThere) awareness.leave(reader)
      const alice = member('alice', false)
      const shown = awareness.announce(alice, [entry(1, 6, { name: 'alice' })], 0)
      expect(shown).toEqual([entry(1, told + 1, { name: 'alice' })])
      expect(awareness.announce(reader, [entry(1, LAST_CLOCK, { name: 'not alice' })], 0)).toEqual([])
      expect(awareness.announce(alice, [entry(1, 7)], 0)[0]?.clock).toBeGreaterThan(told + 1)
      expect(awareness.leave(reader), 'its end removes nobody').toEqual([])
    }
  })

  it('[SYNC-5] does not let a reader take the id of somebody else who left', () => {
    const awareness = new Awareness()
    const alice = member('alice')
    awareness.announce(alice, [entry(1, 5)], 0)
    awareness.leave(alice)
    expect(awareness.announce(member('mallory', false, false), [entry(1, LAST_CLOCK)], 0)).toEqual([])
    expect(awareness.announce(member('alice', false), [entry(1, 5)], 0)).toEqual([entry(1, 6)])
  })

  it('[SYNC-5] frees an id for its owner after somebody else had taken it', () => {
    const awareness = new Awareness()
    const mallory = member('mallory')
    awareness.announce(mallory, [entry(1, 9)], 0)
    expect(awareness.announce(member('alice', false), [entry(1, 10)], 0)).toEqual([])
    awareness.leave(mallory)
    expect(awareness.announce(member('alice', false), [entry(1, 10)], 0)).toEqual([entry(1, 10)])
  })

  it('[SYNC-5] remembers a bounded number of those who left', () => {
    const awareness = new Awareness()
    const bob = member('bob')
    for (let client = 1; client <= 1025; client++) {
      const passing = member('alice')
      awareness.announce(passing, [entry(client, 5)], 0)
      awareness.leave(passing)
    }
    expect(awareness.announce(bob, [entry(2, 5)], 0), 'remembered').toEqual([])
    expect(awareness.announce(bob, [entry(1, 5)], 0), 'forgotten').toEqual([entry(1, 5)])
  })

  describe('of an id under which somebody has written', () => {
    const owned = () => new Awareness((client) => (client === 1 ? toPrincipalId('alice') : null))

    it('[SYNC-5] nobody else is seen under it, however long its owner is away', () => {
      const awareness = owned()
      expect(awareness.announce(member('mallory'), [entry(1, 9)], 0)).toEqual([])
      expect(awareness.announce(member('bob'), [entry(1, 1)], 0)).toEqual([])
      expect(awareness.announce(member('alice', false), [entry(1, 1)], 0)).toEqual([entry(1, 1)])
    })

    it('[SYNC-5] its owner is seen at once, whoever announced it meanwhile and left', () => {
      const awareness = owned()
      const page = member('mallory', false)
      expect(awareness.announce(page, [entry(1, 2 ** 20)], 0)).toHaveLength(1)
      awareness.leave(page)
      expect(awareness.announce(member('alice', false), [entry(1, 1)], 0)).toHaveLength(1)
    })

    it('[SYNC-5] a page that says first of all that it goes on under it is seen as somebody else', () => {
      const awareness = owned()
      expect(awareness.announce(member('signed in', false), [entry(1, 2)], 0)).toEqual([entry(1, 2)])
    })
  })
})
