import { afterEach, describe, expect, it } from 'vitest'
import { ConflictResolver } from '../../server/conflicts/resolve.ts'
import type { Content } from '../../server/content/content.ts'
import { comparedHere } from '../../server/content/comparing.ts'
import { type Effect, effectBetween, effectOfWrite } from '../../server/content/effect.ts'
import type { Choice } from '../../server/content/merge.ts'
import type { WriteResult } from '../../server/documents/planWrite.ts'
import { comparingTexts, TextComparer, type TextQuestion } from '../../server/documents/textComparer.ts'
import { toVersion } from '../../server/foundation/ids.ts'
import { settled } from '../support/manualEnvironment.ts'
import { ALICE, BOB, type DocumentCore, Editor, id, startCore } from '../support/documentCore.ts'
import { eventually } from '../support/waitFor.ts'

/** Long enough that half of its lines are not compared in passing. */
const LINES = 30_000
const line = (n: number, by = 'line'): string => `${by} ${n} of a long text\n`
const text = (by: (n: number) => string | undefined): string =>
  Array.from({ length: LINES }, (_, n) => line(n, by(n))).join('')

const BASE = text(() => undefined)
const HALF = text((n) => (n % 2 === 0 ? 'alice' : undefined))
const FIRST = text((n) => (n === 1 ? 'bob' : undefined))
const BOTH = text((n) => (n === 1 ? 'bob' : n % 2 === 0 ? 'alice' : undefined))
const OVERLAPPING = text((n) => (n % 1_000 === 0 ? 'bob' : undefined))

/** Too many to be handed over. */
const many = (long: string): Content => ({ long, list: Array.from({ length: 5_000 }, (_, n) => n + long.length) })

const MANY = Array.from({ length: 5_000 }, (_, n) => n)
const withMany = (long: string): Content => ({ long, list: MANY })

/** A desk beside the event loop as far as anybody can tell; `meanwhile` happens while it compares. */
function beside(meanwhile: (question: TextQuestion) => Promise<void> | void = () => undefined) {
  const asked: TextQuestion['ask'][] = []
  const comparer = new TextComparer({
    async ask(question) {
      asked.push(question.ask)
      const answer = await comparingTexts(question, null)
      await meanwhile(question)
      return answer
    },
    close: async () => undefined,
  })
  return { comparer, asked }
}

describe('[OPS-8] texts that are compared for somebody', () => {
  const choices = new Map<string, Choice>([
    ['L1', 'incoming'],
    ['P/notes/0/text/L1', 'incoming'],
  ])
  const inJson = (text: string): Content => ({ notes: [{ title: 'stays', text }] })

  it.each([
    ['a text', (text: string): Content => text],
    ['a json content', inJson],
  ])('[OPS-8] are compared beside the event loop if they are long, in %s, to the same end', async (_what, made) => {
    const { comparer, asked } = beside()
    const comparing = comparer.askedBy('alice')
    const sides = { base: made(BASE), current: made(OVERLAPPING), incoming: made(HALF) }
    expect(await comparing.merge(sides)).toEqual(comparedHere.merge(sides))
    expect(await comparing.mergeReaching(sides)).toEqual(comparedHere.mergeReaching(sides))
    expect(await comparing.mergeWith(sides, choices)).toEqual(comparedHere.mergeWith(sides, choices))
    expect(await comparing.effectBetween(made(BASE), made(HALF))).toEqual(effectBetween(made(BASE), made(HALF)))
    expect(await comparing.aheadOfWrite(made(BASE), made(HALF))).toEqual(effectOfWrite(made(BASE), made(HALF)))
    const live = { ...sides, merged: made(HALF), seen: made(BOTH) }
    const by = { texts: ['/notes/0/text'], wholes: [] }
    expect(await comparing.liveOverlaps(live, by)).toEqual(comparedHere.liveOverlaps(live, by))
    expect(await comparing.rewriteLive(live, by, 'current')).toEqual(comparedHere.rewriteLive(live, by, 'current'))
    expect(await comparing.rewriteLive(live, by, choices)).toEqual(comparedHere.rewriteLive(live, by, choices))
    const merges = ['merge', 'reach', 'settle', 'effect', 'effect']
    expect(asked).toEqual([...merges, 'find-live', 'rewrite-live', 'rewrite-live'])
  })

  it('[OPS-8] are found beside the event loop also where a live merge was of very many values', async () => {
    const { comparer, asked } = beside()
    const comparing = comparer.askedBy('alice')
    const list = (by: string): Content => ({
      list: Array.from({ length: 5_000 }, (_, n) => (n % 2 === 0 ? n : `${by}${n}`)),
    })
    const seen = { list: ['new', ...Array.from({ length: 5_000 }, (_, n) => (n % 2 === 0 ? n : `b${n}`))] }
    const live = { base: list(''), current: list('a'), incoming: list('b'), merged: list('b'), seen }
    const by = { texts: [], wholes: [] }
    expect(await comparing.liveOverlaps(live, by)).toEqual(comparedHere.liveOverlaps(live, by))
    const rewritten = await comparing.rewriteLive(live, by, 'current')
    expect(rewritten).toEqual({ errors: [], content: { list: ['new', ...Reflect.get(Object(list('a')), 'list')] } })
    expect(asked).toEqual(['find-live', 'rewrite-live'])
  })

  it.each([
    ['', true],
    ['!', false],
  ])(
    '[OPS-8] come back with their first overlaps, and with what is true of all: the last ends in %j',
    async (last, blanksOnly) => {
      const lines = (blanks: string, end = ''): string =>
        Array.from({ length: 9_000 }, (_, n) => `line ${n}${n % 2 === 0 ? '' : blanks}${n === 8_999 ? end : ''}`).join(
          '\n',
        )
      const comparing = beside().comparer.askedBy('alice')
      const sides = { base: lines(''), current: lines(' '), incoming: lines('  ', last) }
      const merged = await comparing.mergeReaching(sides)
      expect([merged.clean, merged.overlaps.length, merged.blanksOnly]).toEqual([false, 1_001, blanksOnly])
      expect((await comparing.merge(sides)).overlaps).toHaveLength(4_500)
    },
  )

  it.each([
    ['short', line(1), line(2)],
    ['long and changed in one place', BASE, FIRST],
    ['long and only put in', '', BASE],
    ['long and only taken out', `${BASE}${HALF}`, BASE],
    ['of very many values', many(BASE), many(HALF)],
    ['of very many values, most of which stay the same objects', withMany(BASE), withMany(HALF)],
  ])('[OPS-8] wait for nothing where they are %s', (_what, from, to) => {
    const { comparer, asked } = beside()
    const comparing = comparer.askedBy('alice')
    expect(comparing.aheadOfWrite(from, to)).toBeNull()
    expect(comparing.effectBetween(from, to)).toEqual(effectBetween(from, to))
    expect(asked).toEqual([])
  })
})

describe('[OPS-8] acts on long texts', () => {
  let core: DocumentCore
  afterEach(() => core.stop())

  const outcomeOf = (result: WriteResult): string => (result.status === 'done' ? result.outcome : result.status)
  const contentOf = async (): Promise<unknown> => (await core.reader.read(id('doc'))).content

  it('[OPS-8] are worked out before their tick: a write, one that is merged, one that is refused, and its resolution', async () => {
    const { comparer, asked } = beside()
    core = await startCore({ comparer, limits: { maxBytes: 10 * 1024 * 1024 } })
    await core.create('doc', BASE)
    const seen: [outcome: string, asked: readonly string[]][] = []
    const note = (result: WriteResult): void => void seen.push([outcomeOf(result), asked.splice(0)])
    note(await core.write('doc', FIRST, { version: 1 }, BOB))
    note(await core.write('doc', HALF, { version: 1, onConflict: 'merge' }))
    expect(await contentOf()).toBe(BOTH)
    const refused = await core.write('doc', OVERLAPPING, { version: 1, onConflict: 'manual' }, BOB)
    note(refused)
    const conflict = refused.status === 'refused' ? refused.refusal.record.id : null
    const { storage, environment, schemas } = core
    const limits = { maxBytes: 10 * 1024 * 1024, maxDepth: 64, maxNodes: 100_000 }
    const shower = { show: () => Promise.reject(new Error('nothing is shown')) }
    const resolver = new ConflictResolver({ storage, environment, limits, schemas, shower }, core.acts)
    const way = { use: 'incoming' } as const
    const request = { ask: 'resolve', baseVersion: toVersion(3), way, comment: null } as const
    const shown = { contents: false, by: BOB, linkBase: '' } as const
    expect(conflict).not.toBeNull()
    if (conflict !== null) await resolver.perform(conflict, { by: BOB, request, shown })
    seen.push(['resolved', asked.splice(0)])
    expect(await contentOf()).toBe(OVERLAPPING)
    expect(seen).toEqual([
      ['written', []],
      ['merged', ['merge', 'effect']],
      ['refused', ['reach']],
      ['resolved', ['merge', 'effect']],
    ])
  })

  it('[OPS-8] stand although somebody types all the while they are compared', async () => {
    let typed = 0
    const { comparer, asked } = beside(async () => {
      const { replica, release } = await core.lease('doc')
      await replica.applyLive(new Editor(replica).insert(0, `${++typed} `), BOB)
      release()
    })
    core = await startCore({ comparer, limits: { maxBytes: 10 * 1024 * 1024 } })
    await core.create('doc', BASE)
    expect(outcomeOf(await core.write('doc', HALF, 'unconditional'))).toBe('written')
    expect(asked).toEqual(['effect', 'effect', 'effect'])
    expect([typed, await contentOf()]).toEqual([3, HALF])
  })

  it('[OPS-8] keep nobody from a document while their author has others compared', async () => {
    const held: (() => void)[] = []
    const { comparer } = beside(() => new Promise<void>((resolve) => held.push(resolve)))
    core = await startCore({ comparer, limits: { maxBytes: 10 * 1024 * 1024 } })
    for (const document of ['own', 'shared']) await core.create(document, BASE)
    const first = core.write('own', HALF, { version: 1 })
    await eventually(() => expect(held).toHaveLength(1))
    const second = core.write('shared', HALF, 'unconditional')
    await settled()
    expect(outcomeOf(await core.write('shared', FIRST, { version: 1 }, BOB))).toBe('written')
    held.shift()?.()
    expect(outcomeOf(await first)).toBe('written')
    await eventually(() => expect(held).toHaveLength(1))
    held.shift()?.()
    expect(outcomeOf(await second)).toBe('written')
  })

  it('[OPS-8] are done however many one author asks for at once, one after the other', async () => {
    let [atOnce, most] = [0, 0]
    const { comparer } = beside(async () => {
      most = Math.max(most, ++atOnce)
      await settled()
      atOnce -= 1
    })
    core = await startCore({ comparer, limits: { maxBytes: 10 * 1024 * 1024 } })
    const documents = Array.from({ length: 105 }, (_, n) => `doc${n}`)
    const [one, other] = [`b${'a'.repeat(262_200)}b`, `c${'a'.repeat(262_200)}c`]
    for (const document of documents) await core.create(document, one)
    const writes = await Promise.all(documents.map((document) => core.write(document, other, { version: 1 })))
    expect([new Set(writes.map(outcomeOf)), most]).toEqual([new Set(['written']), 1])
  })

  it.each<[string, Content, Content, Effect]>([
    ['a text', BASE, HALF, { kind: 'text', delta: [-BASE.length, HALF] }],
    ['a json content', { t: BASE }, { t: HALF }, { kind: 'json', edits: [{ at: ['t'], value: HALF }] }],
  ])(
    '[OPS-8] [DOC-8] do to %s what was found while it was compared, and nothing else',
    async (_what, from, to, effect) => {
      const comparer = new TextComparer({ ask: async () => ({ ask: 'effect', effect }), close: async () => undefined })
      core = await startCore({ comparer, limits: { maxBytes: 10 * 1024 * 1024 } })
      await core.create('doc', from)
      await core.write('doc', to, { version: 1 }, ALICE)
      const [entry] = await core.storage.effects(id('doc'), toVersion(1), toVersion(2), 10)
      expect([entry?.effect, await contentOf()]).toEqual([effect, to])
    },
  )

  it('[OPS-8] find out anew what they do where that was found for another content', async () => {
    const wrong: Effect = { kind: 'text', delta: [-BASE.length, 'wrong'] }
    core = await startCore({ limits: { maxBytes: 10 * 1024 * 1024 } })
    await core.create('doc', 'old')
    const { replica, release } = await core.lease('doc')
    const by = { author: ALICE, at: 0, origin: 'write' } as const
    expect(replica.stageContent('new', by, { from: BASE, effect: wrong })?.append.entry.effect).toEqual(
      effectOfWrite('old', 'new'),
    )
    expect(replica.content()).toBe('new')
    release()
  })
})
