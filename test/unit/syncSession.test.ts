import { describe, expect, it } from 'vitest'
import { UpdatePile } from '../../server/documents/joinUpdates.ts'
import { toVersion } from '../../server/foundation/ids.ts'
import type { Knowledge } from '../../server/model/clientKnowledge.ts'
import { Brought } from '../../server/sync/brought.ts'
import { NO_VERSIONS, SeenVersions } from '../../server/sync/seenVersions.ts'
import { openSession, type PageFacts, type SessionEvent, type SessionState } from '../../server/sync/session.ts'
import { step } from '../../server/sync/sessionTable.ts'
import { shownOf, shownOnAnswerSent, shownOnQuestion, type Shown } from '../../server/sync/shown.ts'
import { around, typedBy } from '../support/sessionScene.ts'

const v = toVersion
const asked = new Map([[1, 2]])
const askedAgain = new Map([[1, 3]])

describe('what a session is shown', () => {
  const states = {
    syncing: { name: 'nothing' },
    answering: { name: 'answer', since: v(5), again: null },
    'asked again': { name: 'answer', since: v(5), again: askedAgain },
    live: { name: 'entries', since: v(5) },
  } as const satisfies Record<string, Shown>
  const answering = (since: number): Shown => ({ name: 'answer', since: v(since), again: null })
  const again: Shown = { ...states.answering, again: asked }
  type Cell = readonly [becomes: keyof typeof states | Shown, does: 'answer' | 'nothing']

  /** At version 8 it asks, at version 9 its answer is sent. */
  const table: Record<keyof typeof states, { readonly asks: Cell; readonly 'answer sent': Cell }> = {
    syncing: { asks: [answering(8), 'answer'], 'answer sent': ['syncing', 'nothing'] },
    answering: { asks: [again, 'nothing'], 'answer sent': ['live', 'nothing'] },
    'asked again': { asks: [again, 'nothing'], 'answer sent': [answering(9), 'answer'] },
    live: { asks: [answering(8), 'answer'], 'answer sent': ['live', 'nothing'] },
  }
  const cells = entries(table).flatMap(([state, row]) =>
    entries(row).map(([event, [becomes, does]]) => ({ state, event, becomes, does })),
  )

  it.each(cells)('[SYNC-2] $state, $event: $does', ({ state, event, becomes, does }) => {
    const next = event === 'asks' ? shownOnQuestion(states[state], asked, v(8)) : shownOnAnswerSent(states[state], v(9))
    expect(next.shown).toEqual(typeof becomes === 'string' ? states[becomes] : becomes)
    expect(next.answer === null ? 'nothing' : 'answer').toBe(does)
  })

  it.each([
    ['syncing', false, false],
    ['answering', false, true],
    ['asked again', false, true],
    ['live', false, true],
  ] as const)(
    '[SYNC-2] %s: an entry of its answer is not shown, a later one is where it has asked',
    (state, of, later) => {
      expect([v(5), v(6)].map((version) => shownOf(states[state], [version]).length === 1)).toEqual([of, later])
    },
  )

  it('[SYNC-2] is the answer to the newest question', () => {
    const first = shownOnQuestion({ name: 'nothing' }, asked, v(8))
    expect(first.answer).toEqual(asked)
    const second = shownOnQuestion(first.shown, askedAgain, v(9))
    const third = shownOnAnswerSent(second.shown, v(12))
    expect(third.answer).toEqual(askedAgain)
    expect(third.shown).toMatchObject({ name: 'answer', since: 12 })
  })
})

const knowledge: Knowledge = { by: 'versions', seen: v(3), own: [] }
const held = UpdatePile.EMPTY.with(typedBy(7))
const edits = { updates: [typedBy(8)], knowledge }
const silence = { after: v(5), stateVector: new Map([[1, 1]]) }
const page: PageFacts = {
  joinedMs: 0,
  isAnnounced: true,
  // Version 6 of another went out, and the second question is on its way behind it.
  seen: SeenVersions.upTo(v(5)).asked().sent(v(6), false, 0).asked(),
  earlier: new Map(),
  handedOn: new Set(),
  asked: [1, 2],
  listed: null,
}
const open = { shown: { name: 'entries', since: v(5) }, hasAnswered: true, page } as const
const due = { after: 'question', stateVector: asked } as const

const states = {
  watching: { name: 'watching', shown: open.shown, hasAnswered: false },
  syncing: { name: 'syncing', ...open, shown: { name: 'nothing' }, held, untilMs: 1, isPatient: true, deletes: null },
  arriving: { name: 'arriving', ...open, shown: { name: 'nothing' }, held, untilMs: 1, had: asked, deletes: null, due },
  present: { name: 'present', ...open, due },
  away: { name: 'away', ...open, held, untilMs: 1, knowledge, silence: null, due, confirmation: 1 },
  barred: { name: 'barred', ...open, held, untilMs: null, knowledge, silence, due: null },
  'taking-in': { name: 'taking-in', ...open, held, untilMs: null, merge: edits, silence: null, due },
  leaving: { name: 'leaving', merge: edits, held: UpdatePile.EMPTY },
  closed: { name: 'closed' },
} as const satisfies { readonly [Name in SessionState['name']]: Extract<SessionState, { name: Name }> }

const joined = { update: typedBy(8), knowledge }
const events = {
  asks: { type: 'asks', stateVector: askedAgain },
  brings: { type: 'brings', brought: new Brought(typedBy(9), 'update') },
  announces: { type: 'announces' },
  queries: { type: 'queries' },
  lists: { type: 'lists' },
  uses: { type: 'uses', client: 9, earlier: { sinceMs: 0, seen: v(2), sent: v(2) }, isSaid: true },
  ends: { type: 'ends', brokeOff: false },
  committed: { type: 'committed', versions: [v(7)], own: NO_VERSIONS },
  'lock-changed': { type: 'lock-changed' },
  'answer-sent': { type: 'answer-sent' },
  'answer-due': { type: 'answer-due' },
  gap: { type: 'gap', update: typedBy(9) },
  'goes-on': { type: 'goes-on', brought: new Brought(typedBy(9), 'update') },
  judged: { type: 'judged', at: v(6), joined, counts: true, merge: null },
  kept: { type: 'kept', joined },
  failed: { type: 'failed', code: 'content-too-large', reason: 'too large' },
  'proof-wanted': { type: 'proof-wanted' },
  probed: { type: 'probed' },
  waited: { type: 'waited' },
} as const satisfies { readonly [Type in SessionEvent['type']]: Extract<SessionEvent, { type: Type }> }

/** What it becomes, and what its room does. */
type Row = { readonly [Type in keyof typeof events]: string }

/** Every state, every event, on a document at version 6 that no lock bars, a minute after the session came. */
const table: { readonly [Name in keyof typeof states]: Row } = {
  watching: {
    asks: 'watching answer',
    brings: 'watching',
    announces: 'watching announce',
    queries: 'watching list-awareness',
    lists: 'watching',
    uses: 'watching',
    ends: 'closed',
    committed: 'watching show',
    'lock-changed': 'watching',
    'answer-sent': 'watching',
    'answer-due': 'watching',
    gap: 'watching',
    'goes-on': 'watching',
    judged: 'watching',
    kept: 'watching',
    failed: 'watching',
    'proof-wanted': 'watching',
    probed: 'watching',
    waited: 'watching',
  },
  syncing: {
    asks: 'arriving',
    brings: 'syncing',
    announces: 'syncing announce',
    queries: 'syncing list-awareness',
    lists: 'syncing',
    uses: 'syncing',
    ends: 'closed remember apply',
    committed: 'syncing',
    'lock-changed': 'syncing',
    'answer-sent': 'syncing',
    'answer-due': 'syncing',
    gap: 'syncing close',
    'goes-on': 'syncing',
    judged: 'syncing',
    kept: 'syncing',
    failed: 'syncing',
    'proof-wanted': 'syncing',
    probed: 'syncing ask-for-all',
    waited: 'syncing apply',
  },
  arriving: {
    asks: 'arriving',
    brings: 'arriving',
    announces: 'arriving announce',
    queries: 'arriving list-awareness',
    lists: 'arriving',
    uses: 'arriving',
    ends: 'leaving remember judge',
    committed: 'arriving',
    'lock-changed': 'arriving',
    'answer-sent': 'arriving',
    'answer-due': 'arriving',
    gap: 'arriving',
    'goes-on': 'arriving',
    judged: 'arriving',
    kept: 'arriving',
    failed: 'arriving',
    'proof-wanted': 'arriving',
    probed: 'arriving ask-for-all',
    waited: 'taking-in judge',
  },
  present: {
    asks: 'present answer',
    brings: 'away ask-for-all',
    announces: 'present announce',
    queries: 'present list-awareness',
    lists: 'present',
    uses: 'present',
    ends: 'closed remember',
    committed: 'present show want-proof',
    'lock-changed': 'present',
    'answer-sent': 'present',
    'answer-due': 'present answer',
    gap: 'away ask-for-all',
    'goes-on': 'away ask-for-all',
    judged: 'present',
    kept: 'present',
    failed: 'present',
    'proof-wanted': 'present',
    probed: 'present ask-for-all',
    waited: 'present',
  },
  away: {
    asks: 'away',
    brings: 'away',
    announces: 'away announce',
    queries: 'away list-awareness',
    lists: 'away',
    uses: 'away',
    ends: 'leaving remember judge',
    committed: 'away show want-proof',
    'lock-changed': 'away',
    'answer-sent': 'away',
    'answer-due': 'away answer',
    gap: 'away',
    'goes-on': 'away',
    judged: 'away',
    kept: 'away',
    failed: 'away',
    'proof-wanted': 'away',
    probed: 'away ask-for-all',
    waited: 'taking-in judge',
  },
  barred: {
    asks: 'barred',
    brings: 'barred',
    announces: 'barred announce',
    queries: 'barred list-awareness',
    lists: 'barred',
    uses: 'barred',
    ends: 'closed remember leave-behind',
    committed: 'barred',
    'lock-changed': 'away ask-for-all',
    'answer-sent': 'barred',
    'answer-due': 'barred',
    gap: 'barred',
    'goes-on': 'barred',
    judged: 'barred',
    kept: 'barred',
    failed: 'barred',
    'proof-wanted': 'barred',
    probed: 'barred ask-for-all',
    waited: 'barred',
  },
  'taking-in': {
    asks: 'taking-in',
    brings: 'taking-in',
    announces: 'taking-in announce',
    queries: 'taking-in list-awareness',
    lists: 'taking-in',
    uses: 'taking-in',
    ends: 'leaving remember',
    committed: 'taking-in show want-proof',
    'lock-changed': 'taking-in',
    'answer-sent': 'taking-in',
    'answer-due': 'taking-in',
    gap: 'taking-in',
    'goes-on': 'taking-in',
    judged: 'away apply turn-to-answer go-on',
    kept: 'away turn-to-answer go-on',
    failed: 'closed remember close',
    'proof-wanted': 'taking-in',
    probed: 'taking-in ask-for-all',
    waited: 'taking-in',
  },
  leaving: {
    asks: 'leaving',
    brings: 'leaving',
    announces: 'leaving',
    queries: 'leaving',
    lists: 'leaving',
    uses: 'leaving',
    ends: 'leaving',
    committed: 'leaving',
    'lock-changed': 'leaving',
    'answer-sent': 'leaving',
    'answer-due': 'leaving',
    gap: 'leaving',
    'goes-on': 'leaving',
    judged: 'closed apply',
    kept: 'closed',
    failed: 'closed give-up',
    'proof-wanted': 'leaving',
    probed: 'leaving',
    waited: 'leaving',
  },
  closed: {
    asks: 'closed',
    brings: 'closed',
    announces: 'closed',
    queries: 'closed',
    lists: 'closed',
    uses: 'closed',
    ends: 'closed',
    committed: 'closed',
    'lock-changed': 'closed',
    'answer-sent': 'closed',
    'answer-due': 'closed',
    gap: 'closed',
    'goes-on': 'closed',
    judged: 'closed',
    kept: 'closed',
    failed: 'closed',
    'proof-wanted': 'closed',
    probed: 'closed',
    waited: 'closed',
  },
}

const does = (state: SessionState, event: SessionEvent, room = around()): string => {
  const next = step(state, event, room)
  return [next.state.name, ...next.actions.map((action) => action.do)].join(' ')
}

describe('a session', () => {
  const cells = entries(table).flatMap(([state, row]) => entries(row).map(([event, cell]) => ({ state, event, cell })))

  it.each(cells)('[SYNC-2] $state, $event: $cell', ({ state, event, cell }) => {
    expect(does(states[state], events[event])).toBe(cell)
  })

  const present = { ...states.present, page: { ...page, seen: SeenVersions.upTo(v(6)) } }
  const lock = around({ isBarred: true })

  it.each([
    ['present, brings', present, events.brings, 'barred'],
    ['syncing, waited', states.syncing, events.waited, 'barred'],
    ['syncing, ends', states.syncing, events.ends, 'closed remember leave-behind'],
    ['arriving, waited', states.arriving, events.waited, 'taking-in keep'],
    ['arriving, ends', states.arriving, events.ends, 'closed remember leave-behind'],
    ['away and answered, waited', { ...states.away, due: null }, events.waited, 'barred'],
    ['barred, lock-changed', states.barred, events['lock-changed'], 'barred'],
    ['taking-in, judged', states['taking-in'], events.judged, 'taking-in keep'],
    ['taking-in and answered, judged', { ...states['taking-in'], due: null }, events.judged, 'barred'],
    ['taking-in, kept', states['taking-in'], events.kept, 'barred turn-to-answer'],
    ['leaving, judged', states.leaving, events.judged, 'closed leave-behind'],
    ['leaving with more, kept', { ...states.leaving, held }, events.kept, 'closed leave-behind'],
  ] as const)('[LOCK-4] %s, and a lock bars it: %s', (_, state, event, cell) => {
    expect(does(state, event, lock)).toBe(cell)
  })

  it.each([
    ['is shown nothing new', events.committed, 'taking-in'],
    ['is not answered', events.asks, 'taking-in'],
    ['is sent what it missed once its edits are in', events.judged, 'present apply turn-to-answer go-on'],
  ] as const)('[LOCK-4] that was barred and whose edits go in %s', (_, event, cell) => {
    expect(does({ ...states['taking-in'], silence, due: null }, event)).toBe(cell)
  })

  it.each([
    ['that is there', states['taking-in'], 'taking-in judge'],
    ['that has left', states.leaving, 'leaving judge'],
  ] as const)('[CONF-6] %s had everything, but others wrote meanwhile: it is looked at once more', (_, state, cell) => {
    expect(does(state, { ...events.judged, at: v(5) })).toBe(cell)
  })

  it('[SYNC-2] that leaves with more than went in has it looked at with that, and takes it in as one', () => {
    const more = step({ ...states.leaving, held }, events.judged, around())
    expect(more).toMatchObject({
      state: { name: 'leaving', merge: { updates: [typedBy(8), typedBy(7)], knowledge } },
      actions: [{ do: 'judge', edits: { updates: [typedBy(8), typedBy(7)], knowledge } }],
    })
  })

  it.each(['overloaded', 'storage-unavailable'] as const)(
    '[SYNC-2] that leaves edits which cannot go in for now (%s) has them wait on disk',
    (code) => {
      expect(does(states.leaving, { ...events.failed, code })).toBe('closed leave-behind')
    },
  )

  it('[CONF-6] is held where it edits without having seen what is no longer recent, else its edit is applied', () => {
    const recent = { ...states.present, page: { ...page, seen: SeenVersions.upTo(v(5)).sent(v(6), false, 59_000) } }
    expect([does(states.present, events.brings), does(recent, events.brings), does(present, events.brings)]).toEqual([
      'away ask-for-all',
      'present apply',
      'present apply',
    ])
  })

  it('[CONF-6] answers a question by all it has, which ends its absence', () => {
    const proof = { type: 'brings', brought: new Brought(Uint8Array.of(0, 0), 'sync-step-2') } as const
    expect(does(states.away, proof)).toBe('taking-in judge')
    expect(does({ ...states.away, confirmation: 2 }, proof)).toBe('away')
  })

  it('[CONF-6] that arrives is settled where it knows everything, else judged, and answered afterwards', () => {
    const arriving = { ...states.arriving, held: UpdatePile.EMPTY, page: { ...page, asked: [null] } }
    const first = { type: 'brings', brought: new Brought(typedBy(9), 'sync-step-2') } as const
    const remembered = {
      ...arriving,
      page: { ...arriving.page, earlier: new Map([[9, { sinceMs: 0, seen: v(6), sent: v(6) }]]) },
    }
    expect(does(remembered, first, around({ knowsAll: () => true }))).toBe('present apply turn-to-answer')
    // The log may tell more than it says of itself.
    expect(does(arriving, first, around({ knowsAll: () => true }))).toBe('taking-in judge')
    expect(does(arriving, first)).toBe('taking-in judge')
    expect(does({ ...arriving, held }, first)).toBe('taking-in judge')
  })

  it('[SYNC-4] that may only read is applied nothing of, and shown everything', () => {
    let state = openSession('read', 0)
    const actions: string[] = []
    for (const type of ['brings', 'asks', 'answer-sent', 'brings', 'committed'] as const) {
      const next = step(state, events[type], around())
      state = next.state
      actions.push(next.actions.map((action) => action.do).join(' '))
    }
    expect(actions).toEqual(['', 'answer', '', '', 'show'])
  })

  it('[LOCK-4] past what may be held is closed, and told so', () => {
    const tight = around({ limits: { ...around().limits, heldBytes: 1 } })
    expect(does(states.barred, events.brings, tight)).toBe('barred close')
    expect(does(states['taking-in'], events.brings, tight)).toBe('taking-in close')
    expect(does(states.away, events.brings, tight)).toBe('taking-in judge')
    expect(does(states.barred, events.brings, around({ waitingBytes: () => 1e9 }))).toBe('barred close')
  })
})

function entries<K extends string, V>(record: { readonly [Key in K]: V }): [K, V][] {
  return Object.entries(record) as [K, V][]
}
