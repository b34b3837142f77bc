import { describe, expect, it } from 'vitest'
import { readHistory } from '../../server/conflicts/history.ts'
import { decided, proposed } from '../../server/conflicts/proposals.ts'
import { comparedHere } from '../../server/content/comparing.ts'
import { resolvedContentOf } from '../../server/conflicts/resolvedContent.ts'
import type { Content } from '../../server/content/content.ts'
import { effectBetween } from '../../server/content/effect.ts'
import { merge as wholeMerge, mergeReaching as merge } from '../../server/content/merge.ts'
import { newConflictId, newProposalId } from '../../server/documents/conflictIds.ts'
import { newStaleWrite, refreshed } from '../../server/documents/staleWrite.ts'
import { verdictOn } from '../../server/documents/superseded.ts'
import { parseDocumentId, toIncarnation, toPrincipalId, toProposalId, toVersion } from '../../server/foundation/ids.ts'
import { closed, type ConflictRecord } from '../../server/model/conflict.ts'
import type { Origin } from '../../server/model/document.ts'
import type { EntryEffect } from '../../server/storage/log.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'

const alice = toPrincipalId('alice')
const AT = Date.UTC(2026, 10, 22)

function record(merged = merge('a\nb', 'a\nB', 'a\nbb'), versions: [number, number] = [1, 2]): ConflictRecord {
  return newStaleWrite({
    id: newConflictId(new ManualEnvironment(AT)),
    document: parseDocumentId('doc') ?? expect.fail(),
    documentKind: 'text',
    incarnation: toIncarnation('abc'),
    author: alice,
    at: AT,
    baseVersion: toVersion(versions[0]),
    currentVersion: toVersion(versions[1]),
    incomingHash: 'hash',
    merge: merged,
    state: { status: 'open' },
  })
}

describe('the record of a stale write', () => {
  it('[CONF-4] keeps where overlaps are, not what stands there, and of very many the first 1,000', () => {
    const kept = record()
    expect(kept.places).toEqual([{ id: expect.any(String), lines: expect.any(Object) }])
    expect(JSON.stringify(kept)).not.toContain('bb')
    const side = (value: number) => Object.fromEntries(Array.from({ length: 1_500 }, (_, n) => [`k${n}`, value]))
    const merged = merge(side(1), side(2), side(3))
    expect(wholeMerge(side(1), side(2), side(3)).overlaps).toHaveLength(1_500)
    const many = record(merged)
    expect(many.places).toHaveLength(1_000)
    expect(many.places[0]).toEqual({ id: merged.overlaps[0]?.id, pointer: '/k0' })
    expect(many.clean).toBe(false)
  })

  it('[CONF-4] stays small where keys are long', () => {
    const side = (value: number) => ({
      ['k'.repeat(10_000)]: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [n, value])),
    })
    const merged = merge(side(1), side(2), side(3))
    expect(merged.overlaps).toHaveLength(100)
    expect(record(merged).places).not.toHaveLength(0)
    expect(JSON.stringify(record(merged)).length).toBeLessThan(70_000)
  })

  it('[WRITE-7] seen from a newer version is the same conflict, one revision on', () => {
    const seen = refreshed(record(), { version: toVersion(7), merge: merge('a\nb', 'A\nb', 'a\nbb') })
    expect(seen).toEqual({
      ...record(),
      id: seen.id,
      current: { version: 7, hash: null },
      reach: { version: 7, reach: merge('a\nb', 'A\nb', 'a\nbb').reach },
      places: [],
      clean: true,
      revision: 2,
    })
    expect(seen.id).toBe(record().id)
  })

  it('[RES-1] once closed rejects what was pending, and leaves what was decided', () => {
    const proposal = {
      id: toProposalId('prp_1'),
      use: 'incoming',
      hash: 'h',
      baseVersion: toVersion(2),
      by: alice,
      at: AT,
      comment: null,
      status: 'pending',
      decidedBy: null,
      decidedAt: null,
      decisionComment: null,
    } as const
    const accepted = {
      ...proposal,
      id: toProposalId('prp_2'),
      status: 'accepted',
      decidedBy: alice,
      decidedAt: 5,
    } as const
    const bob = toPrincipalId('bob')
    const ended = closed(
      { ...record(), proposals: [proposal, accepted] },
      { status: 'dismissed', closedAt: 9, closedBy: bob, comment: null },
    )
    expect(ended.proposals).toEqual([{ ...proposal, status: 'rejected', decidedBy: bob, decidedAt: 9 }, accepted])
    expect(ended.revision).toBe(2)
  })

  it('[RES-1] takes 20 pending proposals, and 200 in all, however many were rejected', () => {
    const by = toPrincipalId('bob')
    const propose = (to: ConflictRecord) => {
      const id = toProposalId(`prp_${to.proposals.length}`)
      return proposed(to, { id, use: 'incoming', hash: 'h', baseVersion: toVersion(2), by, at: AT, comment: null })
    }
    let full = record()
    for (let n = 0; n < 20; n++) full = propose(full).record
    expect(() => propose(full)).toThrow('20 proposals can be pending')
    let worn = record()
    for (let n = 0; n < 200; n++) {
      const { record: kept, proposal } = propose(worn)
      const rejection = { status: 'rejected', by: alice, at: AT + n, comment: 'no' } as const
      worn = decided(kept, proposal, rejection).record
      expect(worn.proposals[n]).toEqual({
        ...proposal,
        status: 'rejected',
        decidedBy: alice,
        decidedAt: AT + n,
        decisionComment: 'no',
      })
    }
    expect(worn.revision).toBe(401)
    expect(() => propose(worn)).toThrow('200 proposals in all')
  })

  it('[CONF-4] ids sort by time and have the form the API promises', () => {
    const environment = new ManualEnvironment(AT)
    const first = newConflictId(environment)
    environment.jump(1)
    const second = newConflictId(environment)
    expect(first).toMatch(/^cfl_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(newProposalId(environment)).toMatch(/^prp_[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(first < second).toBe(true)
    const ids = new Set(Array.from({ length: 1_000 }, () => newConflictId(environment)))
    expect(ids.size).toBe(1_000)
  })
})

describe('what a resolution wants', () => {
  const conflict = { base: 'a\nb\nc', incoming: 'a\nbb\ncc' }
  const wanted = (lookedAt: Content, way: Parameters<typeof resolvedContentOf>[2]) =>
    resolvedContentOf(conflict, lookedAt, way, comparedHere)

  it('[RES-1] is what was looked at, the whole incoming content, or the content sent', async () => {
    expect(await wanted('x', { use: 'current' })).toEqual({ ok: true, content: 'x' })
    expect(await wanted('x', { use: 'incoming' })).toEqual({ ok: true, content: 'a\nbb\ncc' })
    expect(await wanted('x', { use: 'content', content: 'y' })).toEqual({ ok: true, content: 'y' })
  })

  it('[RES-5] is nothing where sides overlap and no choice was made', async () => {
    expect(await wanted('A\nb\nc', { use: 'merged' })).toEqual({ ok: true, content: 'A\nbb\ncc' })
    const [overlap] = merge(conflict.base, 'a\nB\nc', conflict.incoming).overlaps
    const named = { overlap: overlap?.id, message: expect.stringMatching(/\S/) }
    expect(await wanted('a\nB\nc', { use: 'merged' })).toEqual({ ok: false, errors: [named] })
    expect(await wanted('a\nB\nc', { use: 'choices', choices: new Map() })).toEqual({ ok: false, errors: [named] })
    const choices = new Map([[overlap?.id ?? '', 'current'] as const])
    expect(await wanted('a\nB\nc', { use: 'choices', choices })).toMatchObject({ ok: true })
    expect(await wanted('a\nb\nc', { use: 'choices', choices })).toMatchObject({
      ok: false,
      errors: [{ overlap: overlap?.id }],
    })
  })
})

describe('superseding', () => {
  const judge = (base: Content, incoming: Content, before: Content, after: Content): boolean =>
    verdictOn({ base, incoming }, { before, effect: effectBetween(before, after), after }).isSettled

  it('[WRITE-7] happens at an overlap, above or below it, or where nothing of incoming is left to merge', () => {
    const base = { a: { x: 1, y: 1 }, b: 1 }
    const incoming = { a: { x: 3, y: 1 }, b: 1 }
    const before = { a: { x: 2, y: 1 }, b: 1 }
    expect(judge(base, incoming, before, { a: { x: 9, y: 1 }, b: 1 })).toBe(true)
    expect(judge(base, incoming, before, { b: 1 })).toBe(true)
    expect(judge(base, incoming, before, { a: { x: { deep: 1 }, y: 1 }, b: 1 })).toBe(true)
    expect(judge(base, incoming, before, incoming)).toBe(true)
    expect(judge(base, incoming, before, { a: { x: 2, y: 5 }, b: 1 })).toBe(false)
    expect(judge(base, incoming, before, { a: { x: 2, y: 1 }, b: 5 })).toBe(false)
    expect(judge('a\nb', 'a\nb', 'A\nb', 'A\nB')).toBe(true)
    expect(judge('a\nb\nc', 'a\nb\nC', 'A\nb\nc', 'A\nB\nc')).toBe(false)
  })
})

describe('the history of a conflict', () => {
  /** A log in memory that counts how often it is read. */
  function logOf(origins: readonly Origin[], effectOf: (version: number) => EntryEffect['effect'] = () => null) {
    const entries = origins.map((origin, n): EntryEffect => {
      const version = toVersion(n + 1)
      return { version, author: toPrincipalId(`p${n + 1}`), at: AT, origin, effect: effectOf(n + 1) }
    })
    const log = {
      reads: 0,
      effects: (_: unknown, after: number, upTo: number, limit: number) => {
        log.reads += 1
        return Promise.resolve(entries.filter(({ version }) => version > after && version <= upTo).slice(0, limit))
      },
    }
    return log
  }
  const writes = (count: number): Origin[] => ['create', ...Array.from({ length: count - 1 }, () => 'write' as const)]
  const between = (versions: [number, number]): ConflictRecord => record(undefined, versions)

  it('[CONF-1] is read at once where little came between', async () => {
    const log = logOf(writes(10))
    const history = await readHistory(log, between([4, 9]))
    expect(history.between.map(({ version }) => version)).toEqual([5, 6, 7, 8, 9])
    expect(history).toMatchObject({ baseAuthors: ['p4'], isWhole: true })
    expect(log.reads).toBe(1)
  })

  it('[CONF-1] of a write on nothing starts where the incarnation does', async () => {
    const log = logOf(['create', 'write', 'delete', 'create', 'write', 'restore', 'write'])
    const history = await readHistory(log, between([0, 7]))
    expect(history.between.map(({ version }) => version)).toEqual([4, 5, 6, 7])
    expect(history).toMatchObject({ baseAuthors: [], isWhole: true })
    expect((await readHistory(log, between([0, 2]))).between.map(({ version }) => version)).toEqual([1, 2])
  })

  it('[CONF-1] pages back over long histories without a gap, and names who made the base in any case', async () => {
    const log = logOf(writes(12_000))
    const whole = await readHistory(log, between([3_000, 12_000]))
    expect(whole.between.map(({ version }) => version)).toEqual(Array.from({ length: 9_000 }, (_, n) => n + 3_001))
    expect(whole).toMatchObject({ baseAuthors: ['p3000'], isWhole: true })
    const cut = await readHistory(log, between([5, 12_000]))
    expect(cut.between.at(-1)?.version).toBe(12_000)
    expect(cut.between.length).toBeGreaterThanOrEqual(10_000)
    expect(cut.between.length).toBeLessThan(10_100)
    expect(cut).toMatchObject({ baseAuthors: ['p5'], isWhole: false })
  })

  it('[CONF-1] stops where effects are too large to be held together', async () => {
    const large = { kind: 'text', delta: ['x'.repeat(1024 * 1024)] } as const
    const log = logOf(writes(400), () => large)
    const history = await readHistory(log, between([1, 400]))
    expect(history.isWhole).toBe(false)
    expect(history.between.length).toBeLessThan(64)
    expect(history.between.at(-1)?.version).toBe(400)
    expect(log.reads).toBeLessThanOrEqual(3)
  })
})
