import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import { startConflictServer } from '../support/conflicts.ts'
import { Draws, RandomEdits } from '../support/randomEdits.ts'
import type { Answer } from '../support/server.ts'
import { AnotherOrder, expectedMerge, sorted, undone, type Side } from '../support/threeWay.ts'
import { suiteServer } from '../support/suite.ts'

const RUNS = 60
const NUMBERS = 150
const USES = ['current', 'incoming', 'merged', 'content', 'choices'] as const

const server = suiteServer(startConflictServer)
const bob = server.caller('bob')
const alice = server.caller('alice')
const rita = server.caller('rita', { '*': ['read', 'resolve'] })
const will = server.caller('will', { '*': ['read', 'write'] })

const equal = (a: Content, b: Content): boolean => sorted(a) === sorted(b)

describe('a resolution', () => {
  it('[RES-4] never undoes what others wrote between the look and the resolution', async () => {
    const numbers = fc.array(fc.nat(10_000), { minLength: NUMBERS, maxLength: NUMBERS })
    let applied = 0
    let refused = 0
    const property = async (drawn: readonly number[]): Promise<void> => {
      const outcome = await resolveAfterEdits(new Draws(drawn))
      applied += outcome === 'applied' ? 1 : 0
      refused += outcome === 'refused' ? 1 : 0
    }
    const judged = (drawn: readonly number[]) => property(drawn).catch(skipAnotherOrder)
    await fc.assert(fc.asyncProperty(numbers, judged), { numRuns: RUNS, endOnFailure: true })
    // Both ways to end have been seen.
    expect(applied).toBeGreaterThan(5)
    expect(refused).toBeGreaterThan(2)
  })
})

function skipAnotherOrder(error: unknown): void {
  if (!(error instanceof AnotherOrder)) throw error
  fc.pre(false)
}

async function resolveAfterEdits(draws: Draws): Promise<'applied' | 'refused' | 'no conflict'> {
  const id = server.newId()
  const kind = draws.oneOf(['text', 'json'] as const)
  const edits = new RandomEdits(draws)
  const base = edits.start(kind)
  const write = async (content: Content, baseVersion: number): Promise<Answer> =>
    bob.put(`/documents/${id}`, { content, baseVersion })
  expect((await bob.post('/documents', { id, kind, content: base })).status).toBe(201)
  const { version: lookedAt, content: seen } = await editTimes(1 + draws.below(2), { version: 1, content: base })
  const incoming = edits.edit(base)
  const stale = await alice.put(`/documents/${id}`, { content: incoming, baseVersion: 1 })
  if (stale.status !== 409) return 'no conflict'
  const conflictId: string = stale.body.conflict.id

  const use = draws.oneOf(USES)
  const { overlaps, content: merged } = expectedMerge(base, seen, incoming)
  if (use === 'merged' && overlaps.length > 0) return 'no conflict'
  const picks = overlaps.map(() => draws.oneOf(['base', 'current', 'incoming'] as const))
  const own = edits.edit(seen)
  const body = {
    conflictId,
    baseVersion: lookedAt,
    use,
    ...(use === 'content' ? { content: own } : {}),
    ...(use === 'choices' ? { choices: Object.fromEntries(overlaps.map((name, n) => [idOf(name), picks[n]])) } : {}),
  }
  const chosen = expectedMerge(base, seen, incoming, (n): Side => picks[n] ?? 'current').content
  const target = { current: seen, incoming, merged, content: own, choices: chosen }[use]

  const isProposed = draws.below(3) === 0
  const proposal = isProposed ? await will.post('/resolve-conflict', body) : null
  if (proposal) expect(proposal.status, JSON.stringify(proposal.body)).toBe(202)
  const now = await editTimes(draws.below(5), { version: lookedAt, content: seen })
  const answer = await rita.post(
    '/resolve-conflict',
    proposal ? { conflictId, accept: proposal.body.proposal.id } : body,
  )

  const expected = expectedMerge(seen, now.content, target)
  const after = (await rita.get(`/documents/${id}`)).body
  if (expected.overlaps.length > 0) {
    expect([answer.status, answer.body.code]).toEqual([409, 'version-conflict'])
    expect(answer.body.conflict).toMatchObject({ id: conflictId, status: 'open', current: now })
    expect({ version: after.version, content: after.content }).toEqual(now)
    return 'refused'
  }
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  expect(after.content).toEqual(expected.content)
  expect(undone(seen, now.content, after.content)).toEqual([])
  expect(after.version).toBe(now.version + (equal(now.content, expected.content) ? 0 : 1))
  expect(answer.body.conflict.resolution).toMatchObject({ use, by: 'rita', version: after.version })
  return 'applied'

  /** So many edits by bob, each on the current version. */
  async function editTimes(times: number, from: { version: number; content: Content }) {
    let { version, content } = from
    for (let n = 0; n < times; n++) {
      const next = edits.edit(content)
      const written = await write(next, version)
      expect(written.status).toBe(200)
      version = written.body.version
      content = next
    }
    return { version, content }
  }
}

const idOf = (overlap: string): string => (/^[0-9]/.test(overlap) ? `L${overlap}` : `P${overlap}`)
