import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findBreak, sufficesToTakeBack, type PastValidity } from '../../server/conflicts/validity.ts'
import { toPrincipalId, toVersion } from '../../server/foundation/ids.ts'

/** A log whose rows end at these versions, each valid or not; it counts what is judged. */
function pastOf(rows: readonly { readonly version: number; readonly valid: boolean }[], enoughAfter = Infinity) {
  let judged = 0
  const at = (version: number): number => rows.findIndex((row) => row.version >= version)
  const past: PastValidity = {
    isEnough: () => judged >= enoughAfter,
    rowAt: async (version) => ({
      version: toVersion(rows[at(version)]?.version ?? expect.fail()),
      firstVersion: toVersion((rows[at(version) - 1]?.version ?? 0) + 1),
      author: toPrincipalId(`p${rows[at(version)]?.version}`),
    }),
    isValidAt: async (version) => {
      judged += 1
      const row = rows[at(version)] ?? expect.fail()
      expect(row.version).toBe(version)
      return row.valid
    },
  }
  return { past, judged: () => judged }
}

const rowsOf = (valid: readonly boolean[]) => valid.map((one, n) => ({ version: n + 1, valid: one }))
const FIRST = toVersion(1)

describe('the entry that broke a content', () => {
  it('[CONF-8] is one with a valid content before it and an invalid one after, whatever the log', async () => {
    const log = fc.array(fc.record({ step: fc.integer({ min: 1, max: 5 }), valid: fc.boolean() }), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(log, async (entries) => {
        let version = 1
        const rows = [{ version, valid: true }]
        for (const { step, valid } of entries) rows.push({ version: (version += step), valid })
        rows.push({ version: version + 1, valid: false })
        const found = await findBreak(pastOf(rows).past, FIRST, toVersion(version + 1))
        const index = rows.findIndex((row) => row.version === found.after)
        expect(rows[index]).toMatchObject({ valid: false })
        expect(rows[index - 1]).toEqual({ version: found.before, valid: true })
        expect(found.author).toBe(`p${found.after}`)
      }),
    )
  })

  it('[CONF-8] is found by some thirty judgements among ten thousand entries', async () => {
    const { past, judged } = pastOf(rowsOf(Array.from({ length: 10_000 }, (_, n) => n < 1_234)))
    expect(await findBreak(past, FIRST, toVersion(10_000))).toEqual({ before: 1_234, after: 1_235, author: 'p1235' })
    expect(judged()).toBeLessThan(30)
  })

  it('[CONF-8] is looked for no longer than it may be', async () => {
    const rows = rowsOf(Array.from({ length: 100 }, (_, n) => n < 50))
    expect(await findBreak(pastOf(rows, 2).past, FIRST, toVersion(100))).toEqual({
      before: 96,
      after: 97,
      author: 'p97',
    })
    const late = await findBreak(pastOf(rows, 8).past, FIRST, toVersion(100))
    expect([rows[late.before - 1]?.valid, rows[late.after - 1]?.valid]).toEqual([true, false])
  })
})

describe('taking one entry back', () => {
  const sides = { current: { a: 1, b: 1 }, incoming: { a: 'x', b: 1 } }
  const isNumber = (content: unknown): boolean => typeof (content as { a: unknown }).a === 'number'

  it.each([
    ['does where others wrote elsewhere', { a: 'x', b: 2 }, true],
    ['does not where the place was written again', { a: 'xy', b: 1 }, false],
  ])('[CONF-8] %s', async (_, newest, suffices) => {
    expect(await sufficesToTakeBack(sides, newest, isNumber)).toBe(suffices)
  })

  it('[CONF-8] does not where what is left is invalid too', async () => {
    expect(await sufficesToTakeBack(sides, { a: 'x', b: 2 }, (left) => isNumber(left) && !('b' in Object(left)))).toBe(
      false,
    )
  })
})
