import { describe, expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import { CONFLICT_POLICIES, type ConflictPolicy } from '../../server/model/document.ts'
import { comparedHere } from '../../server/content/comparing.ts'
import { judgeCurrent, judgeStale, type Judgement } from '../../server/documents/judge.ts'

describe('[WRITE-2] a write on the current version', () => {
  it.each<[string, Content, Content, Judgement['do']]>([
    ['the same text', 'a\n', 'a\n', 'nothing'],
    ['another text', 'a\n', 'a', 'write'],
    ['the same JSON with other member order', { a: 1, b: { c: [1], d: 2 } }, { b: { d: 2, c: [1] }, a: 1 }, 'nothing'],
    ['JSON with other element order', { a: [1, 2] }, { a: [2, 1] }, 'write'],
    ['a null in place of nothing', {}, { a: null }, 'write'],
    ['a number in place of its text', { a: 1 }, { a: '1' }, 'write'],
    ['an empty array in place of an empty object', { a: {} }, { a: [] }, 'write'],
  ])('%s', (_name, current, incoming, wanted) => {
    expect(judgeCurrent(current, incoming).do).toBe(wanted)
  })

  it('[WRITE-2] is stored as it was sent', () => {
    expect(judgeCurrent('a', 'b')).toEqual({ do: 'write', outcome: 'written', content: 'b' })
  })
})

/** What came between, and what the writer wants, as contents of both kinds. */
const CONTENTS = {
  text: {
    base: 'one\ntwo\nthree\n',
    disjoint: { current: 'ONE\ntwo\nthree\n', incoming: 'one\ntwo\nTHREE\n', merged: 'ONE\ntwo\nTHREE\n' },
    overlapping: { current: 'one\n2\nthree\n', incoming: 'one\nII\nthree\n' },
  },
  json: {
    base: { a: 1, b: 2 },
    disjoint: { current: { a: 9, b: 2 }, incoming: { a: 1, b: 8 }, merged: { a: 9, b: 8 } },
    overlapping: { current: { a: 9, b: 2 }, incoming: { a: 8, b: 2 } },
  },
} satisfies Record<string, { base: Content; disjoint: object; overlapping: object }>

/** How the current content came about. */
type Move = 'equal to incoming' | 'not moved' | 'moved elsewhere' | 'moved in the same place'
const MOVES: readonly Move[] = ['equal to incoming', 'not moved', 'moved elsewhere', 'moved in the same place']

function sides(kind: 'text' | 'json', move: Move): { base: Content; current: Content; incoming: Content } {
  const { base, disjoint, overlapping } = CONTENTS[kind]
  switch (move) {
    case 'equal to incoming':
      return { base, current: overlapping.current, incoming: overlapping.current }
    case 'not moved':
      return { base, current: base, incoming: overlapping.incoming }
    case 'moved elsewhere':
      return { base, current: disjoint.current, incoming: disjoint.incoming }
    case 'moved in the same place':
      return { base, ...overlapping }
  }
}

type Outcome = 'nothing' | 'written' | 'merged' | 'overwrite' | 'refuse' | 'refuse-for-good' | 'refuse-version'

/** SPEC WRITE-4 to WRITE-6: every cell. Strict is `If-Match`, whatever the policy. */
const TABLE: Record<Move, Record<ConflictPolicy | 'strict', Outcome>> = {
  'equal to incoming': {
    strict: 'nothing',
    manual: 'nothing',
    merge: 'nothing',
    'incoming-wins': 'nothing',
    'current-wins': 'nothing',
  },
  'not moved': {
    strict: 'refuse-version',
    manual: 'written',
    merge: 'written',
    'incoming-wins': 'written',
    'current-wins': 'written',
  },
  'moved elsewhere': {
    strict: 'refuse',
    manual: 'refuse',
    merge: 'merged',
    'incoming-wins': 'overwrite',
    'current-wins': 'refuse-for-good',
  },
  'moved in the same place': {
    strict: 'refuse',
    manual: 'refuse',
    merge: 'refuse',
    'incoming-wins': 'overwrite',
    'current-wins': 'refuse-for-good',
  },
}

const outcomeOf = (judgement: Judgement): Outcome => (judgement.do === 'write' ? judgement.outcome : judgement.do)

const CELLS = MOVES.flatMap((move) =>
  (['text', 'json'] as const).flatMap((kind) =>
    CONFLICT_POLICIES.flatMap((policy) => [true, false].map((strict) => ({ move, kind, policy, strict }))),
  ),
)

const { merge } = comparedHere

describe('[WRITE-4] [WRITE-5] [WRITE-6] a write on a stale version: content × policy × strict', () => {
  it.each(CELLS)('$kind, $move, policy $policy, strict $strict', async ({ move, kind, policy, strict }) => {
    const input = sides(kind, move)
    const judgement = await judgeStale({ ...input, strict, policy, isKeepable: async () => true, merge })
    expect(outcomeOf(judgement)).toBe(TABLE[move][strict ? 'strict' : policy])
    if (judgement.do !== 'write') return
    const wanted = judgement.outcome === 'merged' ? CONTENTS[kind].disjoint.merged : input.incoming
    expect(judgement.content).toEqual(wanted)
  })

  it('[WRITE-6] a merge that could not be kept is for a person to look at', async () => {
    const asked: Content[] = []
    const judgement = await judgeStale({
      ...sides('json', 'moved elsewhere'),
      strict: false,
      policy: 'merge',
      isKeepable: async (content) => {
        asked.push(content)
        return false
      },
      merge,
    })
    expect(judgement).toEqual({ do: 'refuse' })
    expect(asked).toEqual([{ a: 9, b: 8 }])
  })

  it('[WRITE-6] only the equality of contents counts, not their member order', async () => {
    const stale = { base: { a: 1, b: [1] }, current: { b: [1], a: 1 }, incoming: { a: 2, b: [1] } }
    const judged = async (strict: boolean): Promise<Outcome> =>
      outcomeOf(await judgeStale({ ...stale, strict, policy: 'manual', isKeepable: async () => true, merge }))
    expect([await judged(false), await judged(true)]).toEqual(['written', 'refuse-version'])
  })
})
