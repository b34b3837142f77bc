import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Content, JsonObject, JsonValue } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { mergeReaching } from '../../server/content/merge.ts'
import type { JsonEdit } from '../../server/content/jsonEdits.ts'
import { reachAfter } from '../../server/content/reach.ts'
import { broughtBy, touchesOverlap } from '../../server/documents/superseded.ts'

/** Texts of lines that differ from each other, edited line by line; each content is an edit of the one before. */
const edits = fc.array(fc.tuple(fc.nat(40), fc.nat(3), fc.array(fc.nat(30), { maxLength: 3 })), { maxLength: 3 })
type Edits = readonly (readonly [number, number, readonly number[]])[]

let fresh = 0
/** So many kinds of line are the same wherever they stand. */
const OFTEN = 4
const line = (n: number): string => (n < OFTEN ? `often ${n}` : `line ${n} number ${(fresh += 1)}`)

function editedText(text: string, made: Edits): string {
  const lines = text.split('\n')
  for (const [at, remove, insert] of made) lines.splice(at % (lines.length + 1), remove, ...insert.map(line))
  return lines.join('\n')
}

/** A list and members, edited one by one. */
function editedJson(content: JsonObject, made: Edits): JsonObject {
  const { list, ...rest } = structuredClone(content)
  const elements: JsonValue[] = Array.isArray(list) ? list : []
  const members: JsonObject = rest
  for (const [at, remove, insert] of made) {
    if (at % 3 === 0) elements.splice(at % (elements.length + 1), remove, ...insert.map((n) => ({ n: line(n) })))
    else if (at % 3 === 1 && insert.length === 0) delete members[`key ${at % 7}`]
    else members[`key ${at % 7}`] = { of: insert.map(line) }
  }
  return { ...members, list: elements }
}

const bringsNothing = (base: Content, incoming: Content, after: Content): boolean =>
  broughtBy({ base, incoming }, { after }).isSettled

/** An edit that touches nothing of the reach neither touches an overlap, nor makes that incoming brings nothing. */
function follows(base: Content, current: Content, incoming: Content, later: readonly Content[]): void {
  let { reach } = mergeReaching(base, current, incoming)
  let before = current
  for (const after of later) {
    const effect = effectBetween(before, after)
    const next = reachAfter(reach, effect)
    if (next !== null) {
      expect(touchesOverlap({ base, incoming }, { before, effect })).toBe(false)
      expect(bringsNothing(base, incoming, after)).toBe(bringsNothing(base, incoming, before))
    }
    reach = next ?? mergeReaching(base, after, incoming).reach
    before = after
  }
}

type Histories = readonly [first: Edits, theirs: Edits, mine: Edits, later: readonly Edits[]]
const histories = fc.tuple(edits, edits, edits, fc.array(edits, { maxLength: 6 }))
const RUNS = 400

/** Follows a reach from a start that is first edited, as base, then by both sides, and then on. */
function followsEdits<T extends Content>(
  edited: (content: T, made: Edits) => T,
  start: T,
  [first, theirs, mine, later]: Histories,
): void {
  const base = edited(start, first)
  const current = edited(base, theirs)
  let newest = current
  const contents = later.map((made) => (newest = edited(newest, made)))
  follows(base, current, edited(base, mine), contents)
}

/** Without the lines that stand in many places: which of several equal ones was changed is open, wherever it is changed. */
const differing = (made: Edits): Edits => made.map(([at, remove, insert]) => [at, remove, insert.map((n) => n + OFTEN)])

const numbered = (count: number, what: string): string[] => Array.from({ length: count }, (_, n) => `${what} ${n}`)

/** Found by chance: mine removes a line, and of the lines below it another one comes to correspond to one of theirs. */
const LINES_THAT_CORRESPOND_ANEW: Histories = [
  [[1, 0, [10]]],
  [],
  [[0, 1, []]],
  [
    [
      [0, 0, [4]],
      [1, 2, []],
    ],
    [[1, 2, []]],
    [[20, 0, [10]]],
  ],
]

/** Found by chance: two lines above become equal to those that both sides changed, and another one of them corresponds. */
const LINES_THAT_BECOME_EQUAL: Histories = [
  [
    [15, 2, [0]],
    [0, 3, []],
  ],
  [
    [7, 3, [0, 0]],
    [27, 3, [0, 0]],
  ],
  [[30, 1, []]],
  [
    [[39, 2, [0]]],
    [
      [0, 0, [0]],
      [24, 1, [1]],
    ],
  ],
]

describe('[WRITE-7] where a refused write reaches', () => {
  it('[WRITE-7] is followed through what is written to a text', () => {
    const start = numbered(20, 'first').join('\n')
    fc.assert(
      fc.property(histories, (made) => followsEdits(editedText, start, made)),
      { numRuns: RUNS, examples: [[LINES_THAT_CORRESPOND_ANEW], [LINES_THAT_BECOME_EQUAL]] },
    )
  })

  it('[WRITE-7] is followed through what is written to a text whose lines are alike', () => {
    const start = numbered(8, 'line of number').join('\n')
    const edited = (text: string, made: Edits): string => editedText(text, differing(made))
    fc.assert(
      fc.property(histories, (made) => followsEdits(edited, start, made)),
      { numRuns: RUNS },
    )
  })

  it('[WRITE-7] is followed through what is written to a json content', () => {
    const start = { list: numbered(12, 'first').map((n) => ({ n })), 'key 0': 1, 'key 1': { a: 1 } }
    fc.assert(
      fc.property(histories, (made) => followsEdits(editedJson, start, made)),
      { numRuns: RUNS },
    )
  })

  it('[WRITE-7] is followed through what is written to a short list of elements that differ', () => {
    const inList = ({ list = [] }: JsonObject, made: Edits): JsonObject =>
      editedJson(
        { list },
        differing(made).map(([at, remove, insert]) => [at * 3, remove, insert]),
      )
    fc.assert(
      fc.property(histories, (made) => followsEdits(inList, { list: numbered(6, 'first') }, made)),
      { numRuns: RUNS },
    )
  })

  it('[WRITE-7] is touched where another line comes to correspond, so that incoming brings nothing', () => {
    const base = ['title', 'item one', 'item two', 'end']
    const current = ['item zero', 'item one!', 'item two!', 'end'].join('\n')
    const after = ['item zero', 'item one!', 'end'].join('\n')
    const incoming = base.slice(1).join('\n')
    expect(bringsNothing(base.join('\n'), incoming, current)).toBe(false)
    expect(bringsNothing(base.join('\n'), incoming, after)).toBe(true)
    const { reach } = mergeReaching(base.join('\n'), current, incoming)
    expect(reachAfter(reach, effectBetween(current, after))).toBeNull()
  })

  it('[WRITE-7] is touched where elements no longer pair by index, so that the overlap grows', () => {
    const base = { list: ['a', 'b', 'c', 'd', 'e'] }
    const incoming = { list: ['a', 'b', 'c', 'd', 'mine'] }
    const current = { list: ['a', 'B', 'C', 'D', 'theirs'] }
    const shorter = { list: ['a', 'C', 'D', 'theirs'] }
    follows(base, current, incoming, [shorter, { list: ['a', 'later', 'D', 'theirs'] }])
    const { reach } = mergeReaching(base, current, incoming)
    expect(reachAfter(reach, effectBetween(current, shorter))).toBeNull()
  })

  it('[WRITE-7] is where it has come to after elements before it came or went', () => {
    const reach = { json: [['l', [5, 6]] as const] }
    const [longer, same] = [
      [0, 0],
      [1, 1, 1, 1],
    ].map((insert): JsonEdit => ({ at: ['l'], index: 0, remove: 0, insert }))
    const set = (index: number): JsonEdit => ({ at: ['l', index], value: 'written' })
    const after = (...edits: (JsonEdit | undefined)[]) =>
      reachAfter(reach, { kind: 'json', edits: edits.filter((edit) => edit !== undefined) })
    expect([after(longer, set(7)), after(same, set(9))]).toEqual([null, null])
    expect(after(longer, set(5))).toEqual({ json: [['l', [7, 8]]] })
  })

  it('[WRITE-7] is touched by few of the edits', () => {
    const base = Array.from({ length: 1_000 }, (_, n) => `line ${n}`)
    const at = (n: number, what: string): string => base.with(n, what).join('\n')
    const { reach } = mergeReaching(base.join('\n'), at(500, 'theirs'), at(500, 'mine'))
    const touching = base.flatMap((_, n) => {
      const after = base.with(500, 'theirs').with(n, 'later').join('\n')
      return reachAfter(reach, effectBetween(at(500, 'theirs'), after)) === null ? [n] : []
    })
    expect(touching).toEqual([498, 499, 500, 501, 502])
  })
})
