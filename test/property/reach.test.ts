import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Content, JsonObject, JsonValue } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { mergeReaching } from '../../server/content/merge.ts'
import { reachAfter } from '../../server/content/reach.ts'
import { broughtBy, touchesOverlap } from '../../server/documents/superseded.ts'

/** Texts of lines that differ from each other, edited line by line; each content is an edit of the one before. */
const edits = fc.array(fc.tuple(fc.nat(40), fc.nat(3), fc.array(fc.nat(30), { maxLength: 3 })), { maxLength: 3 })
type Edits = readonly (readonly [number, number, readonly number[]])[]

let fresh = 0
const line = (n: number): string => (n < 4 ? `often ${n}` : `line ${n} number ${(fresh += 1)}`)

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

const histories = fc.tuple(edits, edits, edits, fc.array(edits, { maxLength: 6 }))

describe('[WRITE-7] where a refused write reaches', () => {
  it('[WRITE-7] is followed through what is written to a text', () => {
    fc.assert(
      fc.property(histories, ([first, theirs, mine, later]) => {
        const base = editedText(Array.from({ length: 20 }, (_, n) => `first ${n}`).join('\n'), first)
        let current = editedText(base, theirs)
        const contents = later.map((made) => (current = editedText(current, made)))
        follows(base, editedText(base, theirs), editedText(base, mine), contents)
      }),
      { numRuns: 400 },
    )
  })

  it('[WRITE-7] is followed through what is written to a json content', () => {
    fc.assert(
      fc.property(histories, ([first, theirs, mine, later]) => {
        const start = {
          list: Array.from({ length: 12 }, (_, n) => ({ n: `first ${n}` })),
          'key 0': 1,
          'key 1': { a: 1 },
        }
        const base = editedJson(start, first)
        const current = editedJson(base, theirs)
        let newest = current
        const contents = later.map((made) => (newest = editedJson(newest, made)))
        follows(base, current, editedJson(base, mine), contents)
      }),
      { numRuns: 400 },
    )
  })

  it('[WRITE-7] is touched by few of the edits', () => {
    const base = Array.from({ length: 1_000 }, (_, n) => `line ${n}`)
    const at = (n: number, what: string): string => base.with(n, what).join('\n')
    const { reach } = mergeReaching(base.join('\n'), at(500, 'theirs'), at(500, 'mine'))
    const touching = base.flatMap((_, n) => {
      const after = base.with(500, 'theirs').with(n, 'later').join('\n')
      return reachAfter(reach, effectBetween(at(500, 'theirs'), after)) === null ? [n] : []
    })
    expect(touching).toEqual([499, 500])
  })
})
