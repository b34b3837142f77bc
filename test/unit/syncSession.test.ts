import { describe, expect, it } from 'vitest'
import { toVersion } from '../../server/foundation/ids.ts'
import { openSession, step, type SessionEvent, type SessionState } from '../../server/sync/session.ts'

const v = toVersion
const asked = new Map([[1, 2]])
const askedAgain = new Map([[1, 3]])

const open = { access: 'write', hasAnswered: false } as const
const states = {
  syncing: { name: 'syncing', ...open },
  answering: { name: 'answering', ...open, since: v(5), again: null },
  'asked again': { name: 'answering', ...open, since: v(5), again: askedAgain },
  live: { name: 'live', ...open, since: v(5) },
  closed: { name: 'closed' },
} as const satisfies Record<string, SessionState>

const events = {
  asks: { type: 'asks', stateVector: asked, version: v(8) },
  'answer sent': { type: 'answer-sent', version: v(9) },
  brings: { type: 'brings' },
  announces: { type: 'announces' },
  queries: { type: 'queries' },
  'committed 5': { type: 'committed', version: v(5) },
  'committed 6': { type: 'committed', version: v(6) },
  ends: { type: 'ends' },
} as const satisfies Record<string, SessionEvent>

type Cell = readonly [becomes: keyof typeof states | SessionState, does: string]

const answering = (since: number): SessionState => ({ name: 'answering', ...open, since: v(since), again: null })
const answered = <S extends SessionState>(state: S): S => ({ ...state, hasAnswered: true })
const again = { ...states.answering, again: asked }

/** Every state, every event: what it becomes, and what is done. */
const table: Record<keyof typeof states, Record<keyof typeof events, Cell>> = {
  syncing: {
    asks: [answering(8), 'answer'],
    'answer sent': ['syncing', 'nothing'],
    brings: [answered(states.syncing), 'apply'],
    announces: ['syncing', 'announce'],
    queries: ['syncing', 'list-awareness'],
    'committed 5': ['syncing', 'nothing'],
    'committed 6': ['syncing', 'nothing'],
    ends: ['closed', 'leave'],
  },
  answering: {
    asks: [again, 'nothing'],
    'answer sent': ['live', 'nothing'],
    brings: [answered(states.answering), 'apply'],
    announces: ['answering', 'announce'],
    queries: ['answering', 'list-awareness'],
    'committed 5': ['answering', 'nothing'],
    'committed 6': ['answering', 'show'],
    ends: ['closed', 'leave'],
  },
  'asked again': {
    asks: [again, 'nothing'],
    'answer sent': [answering(9), 'answer'],
    brings: [answered(states['asked again']), 'apply'],
    announces: ['asked again', 'announce'],
    queries: ['asked again', 'list-awareness'],
    'committed 5': ['asked again', 'nothing'],
    'committed 6': ['asked again', 'show'],
    ends: ['closed', 'leave'],
  },
  live: {
    asks: [answering(8), 'answer'],
    'answer sent': ['live', 'nothing'],
    brings: [answered(states.live), 'apply'],
    announces: ['live', 'announce'],
    queries: ['live', 'list-awareness'],
    'committed 5': ['live', 'nothing'],
    'committed 6': ['live', 'show'],
    ends: ['closed', 'leave'],
  },
  closed: {
    asks: ['closed', 'nothing'],
    'answer sent': ['closed', 'nothing'],
    brings: ['closed', 'nothing'],
    announces: ['closed', 'nothing'],
    queries: ['closed', 'nothing'],
    'committed 5': ['closed', 'nothing'],
    'committed 6': ['closed', 'nothing'],
    ends: ['closed', 'nothing'],
  },
}

const entries = <K extends string, V>(record: Record<K, V>): [K, V][] => Object.entries(record) as [K, V][]
const cells = entries(table).flatMap(([state, row]) =>
  entries(row).map(([event, [becomes, does]]) => ({ state, event, becomes, does })),
)

describe('a session', () => {
  it.each(cells)('[SYNC-2] $state, $event: $does', ({ state, event, becomes, does }) => {
    const next = step(states[state], events[event])
    expect(next.state).toEqual(typeof becomes === 'string' ? states[becomes] : becomes)
    expect(next.action.do).toBe(does)
  })

  it('[SYNC-2] answers the newest question', () => {
    const first = step(openSession('write'), events.asks)
    expect(first.action).toEqual({ do: 'answer', stateVector: asked })
    const second = step(first.state, { type: 'asks', stateVector: askedAgain, version: v(9) })
    const third = step(second.state, { type: 'answer-sent', version: v(12) })
    expect(third.action).toEqual({ do: 'answer', stateVector: askedAgain })
    expect(third.state).toMatchObject({ name: 'answering', since: 12 })
  })

  it('[SYNC-4] applies nothing of a session that may only read, and shows it everything', () => {
    let state = openSession('read')
    const actions: string[] = []
    for (const event of [events.brings, events.asks, events['answer sent'], events.brings]) {
      const next = step(state, event)
      state = next.state
      actions.push(next.action.do)
    }
    expect(actions).toEqual(['nothing', 'answer', 'nothing', 'nothing'])
    expect(step(state, { type: 'committed', version: v(9) }).action.do).toBe('show')
  })
})
