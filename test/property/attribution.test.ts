import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Attribution, soughtOverlap } from '../../server/content/attribution.ts'
import type { Content, JsonValue } from '../../server/content/content.ts'
import { effectBetween, type Effect } from '../../server/content/effect.ts'
import { authorsOf, handOf, newestOf, type Mark } from '../../server/content/hands.ts'
import { merge, type JsonOverlap, type TextOverlap } from '../../server/content/merge.ts'
import { BlameBuilder } from '../../server/history/blame.ts'
import { DiffBuilder } from '../../server/history/diff.ts'
import { jsonObject, lines } from '../support/contentArbitraries.ts'

/** A line, an element, or a member: with who put it there, and for how long it stood. No two are alike. */
interface Item {
  readonly name: string
  readonly key: string
  readonly from: Mark
  until: Mark | null
}

/** One entry: something is put in, taken out or put in the place of something else. */
interface Step {
  readonly author: string
  readonly act: 'add' | 'remove' | 'replace'
  readonly at: number
  readonly key: number
}

const steps = (most: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      author: fc.constantFrom('ann', 'bob', 'cat', 'dan'),
      act: fc.constantFrom('add', 'add', 'remove', 'replace'),
      at: fc.nat(1_000),
      key: fc.nat(7),
    }),
    { minLength: 1, maxLength: most },
  )

/** A history kept the naive way: every item that ever stood, and what stood at each version. */
interface Told {
  /** What stood at each version, in order; version 0 is nothing. */
  readonly standing: readonly (readonly Item[])[]
  readonly marks: readonly Mark[]
}

/** `keyed`: items have keys of which each is there once, as members do. */
function tell(all: readonly Step[], keyed: boolean): Told {
  const standing: Item[][] = [[]]
  const marks: Mark[] = []
  for (const step of all) {
    const by: Mark = { version: marks.length + 1, author: step.author, at: marks.length }
    const items = [...(standing.at(-1) ?? [])]
    const key = `k${step.key}`
    const named = (): Item => ({ name: `l${by.version}`, key, from: by, until: null })
    const known = items.findIndex((item) => item.key === key)
    const index = keyed && known >= 0 ? known : Math.floor((step.at / 1_001) * (items.length + 1))
    const isThere = keyed ? known >= 0 : index < items.length
    if (step.act !== 'add' && !isThere) continue
    const gone = items.splice(index, step.act === 'add' && !(keyed && isThere) ? 0 : 1)
    for (const item of gone) item.until = by
    if (step.act !== 'remove') items.splice(index, 0, named())
    marks.push(by)
    standing.push(items)
  }
  return { standing, marks }
}

/**
 * Those who must be named where a comparison shows these names to have become those; and those who may be: who changed
 * what lies between the same two items that stayed, for the comparison pairs the rest as it likes; who took out what
 * came in between, and who put that there, where something of it may have stayed.
 */
function expected(shape: Shape, told: Told, [from, to]: readonly [number, number], was: string[], is: string[]) {
  const [base, now, between] = [told.standing[from] ?? [], told.standing[to] ?? [], passing(told, from, to)]
  const gone = base.filter((item) => was.includes(item.name) && !is.includes(item.name))
  const come = now.filter((item) => is.includes(item.name) && !was.includes(item.name))
  const behind = (items: { gone: readonly Item[]; come: readonly Item[] }): string[] => [
    ...items.come.map((item) => item.from.author),
    ...items.gone.map((item) => item.until?.author ?? ''),
  ]
  const newest = Math.max(...gone.map((item) => item.until?.version ?? 0), ...come.map((item) => item.from.version))
  const must = new Set(behind({ gone, come }))
  const blocks = new Set([
    ...gone.map((item) => blockOf(base, now, item)),
    ...come.map((item) => blockOf(now, base, item)),
  ])
  const around = {
    gone: base.filter((item) => !now.includes(item) && blocks.has(blockOf(base, now, item))),
    come: now.filter((item) => !base.includes(item) && blocks.has(blockOf(now, base, item))),
  }
  const took = between.map((item) => item.until?.author ?? '')
  const put = shape.isAlike ? between.map((item) => item.from.author) : []
  return { newest, must: [...must], may: [...must, ...behind(around), ...took, ...put] }
}

/** How many of the items before this one the other side has too: what changed between two that stayed is one block. */
const blockOf = (items: readonly Item[], others: readonly Item[], item: Item): number =>
  items.slice(0, items.indexOf(item)).filter((one) => others.includes(one)).length

/** What came after one version and went before another. */
function passing({ standing }: Told, from: number, to: number): Item[] {
  const [base, now] = [new Set(standing[from]), new Set(standing[to])]
  return [...new Set(standing.slice(from, to + 1).flat())].filter((item) => !base.has(item) && !now.has(item))
}

function expectAuthors(found: readonly string[], { must, may }: { must: string[]; may: string[] }): void {
  expect(found.length).toBeGreaterThan(0)
  for (const author of must) expect(found).toContain(author)
  for (const author of found) expect(may).toContain(author)
}

interface Shape {
  readonly keyed: boolean
  /** What is put in the place of something else may have parts in common with it. */
  readonly isAlike?: true
  contentOf(items: readonly Item[]): Content
}
const ALIKE: Shape = { keyed: false, isAlike: true, contentOf: (items) => items.map((item) => item.name).join('\n') }
/** No two lines have a character in common but for their ends. */
const UNLIKE: Shape = {
  keyed: false,
  isAlike: true,
  contentOf: (items) =>
    items.map(({ name }) => String.fromCodePoint(0x4e00 + Number(name.slice(1))).repeat(3)).join('\n'),
}
const LIST: Shape = { keyed: false, contentOf: (items) => ({ l: items.map((item) => item.name) }) }
const OBJECTS: Shape = {
  keyed: false,
  isAlike: true,
  contentOf: (items) => ({ l: items.map(({ name }) => ({ x: { y: name } })) }),
}
const MEMBERS: Shape = {
  keyed: true,
  contentOf: (items) => ({ m: Object.fromEntries(items.map((item) => [item.key, item.name])) }),
}

const effectsOf = (told: Told, shape: Shape): Effect[] =>
  told.standing
    .slice(1)
    .map((items, i) => effectBetween(shape.contentOf(told.standing[i] ?? []), shape.contentOf(items)))

/** The names in a value, wherever. */
function namesIn(value: JsonValue | undefined): string[] {
  const unlike = JSON.stringify(value ?? null).replaceAll(
    /([\u4e00-\u9fff])\1*/g,
    (name) => `l${name.charCodeAt(0) - 0x4e00}`,
  )
  return unlike.match(/l\d+/g) ?? []
}

describe.each([
  ['lines of a text', UNLIKE],
  ['lines that begin alike', ALIKE],
  ['elements of an array', LIST],
  ['objects in an array', OBJECTS],
  ['members of an object', MEMBERS],
])('of %s, against a history that keeps the author of each', (_, shape) => {
  it('[HIST-6] blame names the entry that put each there', () => {
    fc.assert(
      fc.property(steps(16), (all) => {
        const told = tell(all, shape.keyed)
        const builder = new BlameBuilder(shape.contentOf([]))
        effectsOf(told, shape).forEach((effect, i) => builder.apply(effect, told.marks[i] ?? expect.fail()))
        const items = told.standing.at(-1) ?? []
        for (const { by, ...place } of builder.build().places) {
          const named =
            'lines' in place
              ? items.slice(place.lines.start - 1, place.lines.end - 1)
              : items.filter((item, i) => {
                  const at = shape.keyed ? `/m/${item.key}` : `/l/${i}`
                  return `${place.pointer}/`.startsWith(`${at}/`) || `${at}/`.startsWith(`${place.pointer}/`)
                })
          for (const item of named) expect(by?.version).toBe(item.from.version)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('[HIST-2] a difference names who put there what stands, and who took out what stood', () => {
    fc.assert(
      fc.property(steps(14), fc.nat(), fc.nat(), (all, a, b) => {
        const told = tell(all, shape.keyed)
        const count = told.standing.length
        const [from, to] = [a % count, b % count].sort((x, y) => x - y) as [number, number]
        const [base, now] = [told.standing[from] ?? [], told.standing[to] ?? []]
        const builder = new DiffBuilder(shape.contentOf(base), shape.contentOf(now))
        effectsOf(told, shape)
          .slice(from, to)
          .forEach((effect, i) => builder.apply(effect, told.marks[from + i] ?? expect.fail()))
        const diff = builder.build(false)
        const differences = 'hunks' in diff ? diff.hunks : diff.changes
        for (const { from: was, to: is, authors } of differences) {
          expectAuthors(authors, expected(shape, told, [from, to], namesIn(valueOf(was)), namesIn(valueOf(is))))
        }
      }),
      { numRuns: 250 },
    )
  })

  it('[CONF-2] an overlap names who is behind its current side, and of a json place the newest of them', () => {
    fc.assert(
      fc.property(steps(12), fc.nat(), steps(3), (all, a, mine) => {
        const told = tell(all, shape.keyed)
        const to = told.standing.length - 1
        const from = a % told.standing.length
        const [base, now] = [told.standing[from] ?? [], told.standing[to] ?? []]
        const sides = [base, now, staleOf(base, mine, shape.keyed)].map((items) => shape.contentOf(items))
        const [baseContent = '', current = '', incoming = ''] = sides
        const attribution = new Attribution(baseContent)
        effectsOf(told, shape)
          .slice(from)
          .forEach((effect, i) => attribution.apply(effect, told.marks[from + i] ?? expect.fail()))
        for (const overlap of merge(baseContent, current, incoming).overlaps) {
          const hands = attribution.handsOf(soughtOverlap(overlap))
          const [was, is] = [namesIn(sideOf(overlap, 'base')), namesIn(sideOf(overlap, 'current'))]
          const { newest, ...authors } = expected(shape, told, [from, to], was, is)
          expectAuthors(authorsOf(hands), authors)
          expect(newestOf(hands)?.version).toBeGreaterThanOrEqual(newest)
        }
      }),
      { numRuns: 250 },
    )
  })
})

/** What somebody makes of the base who knows of nothing since. */
function staleOf(base: readonly Item[], mine: readonly Step[], keyed: boolean): Item[] {
  const items = [...base]
  for (const [n, step] of mine.entries()) {
    const key = `k${step.key}`
    const index = keyed
      ? items.findIndex((item) => item.key === key)
      : Math.min(items.length, Math.floor((step.at / 1_001) * (items.length + 1)))
    const item: Item = { name: `l9${n}9`, key, from: { version: 0, author: 'eve', at: 0 }, until: null }
    if (index === -1) items.push(item)
    else items.splice(index, step.act === 'add' && !keyed ? 0 : 1, ...(step.act === 'remove' ? [] : [item]))
  }
  return items
}

const valueOf = (side: string | { present: boolean; value?: JsonValue }): JsonValue | undefined =>
  typeof side === 'string' ? side : side.value

function sideOf(overlap: TextOverlap | JsonOverlap, side: 'base' | 'current'): JsonValue | undefined {
  return valueOf(overlap[side])
}

const contents = (one: fc.Arbitrary<Content>): fc.Arbitrary<[Content, Content, Content]> => fc.tuple(one, one, one)

describe('[CONF-2] one entry between base and current', () => {
  const by: Mark = { version: 2, author: 'bob', at: 2 }
  it.each(['text', 'json'] as const)('is alone behind the current side of every overlap (%s)', (kind) => {
    let found = 0
    fc.assert(
      fc.property(kind === 'text' ? contents(lines()) : contents(jsonObject()), ([base, current, incoming]) => {
        const attribution = new Attribution(base)
        attribution.apply(effectBetween(base, current), by)
        for (const overlap of merge(base, current, incoming).overlaps) {
          found += 1
          expect(attribution.handsOf(soughtOverlap(overlap))).toEqual([handOf(by)])
        }
      }),
      { numRuns: 300 },
    )
    expect(found).toBeGreaterThan(30)
  })
})
