import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { align } from '../../server/content/align.ts'
import type { JsonObject } from '../../server/content/content.ts'
import { applyEffect, decodeEffect, effectBetween, effectPointers, encodeEffect } from '../../server/content/effect.ts'
import { canonicalJson, contentBytes, contentEquals, contentHash } from '../../server/content/equal.ts'
import { applyJsonEdits, jsonEdits } from '../../server/content/jsonEdits.ts'
import { measureContent } from '../../server/content/limits.ts'
import { parsePointer, toPointer, valueAt } from '../../server/content/pointer.ts'
import { shortestEdits } from '../../server/content/shortestEdits.ts'
import { rewriteDelta, textDelta } from '../../server/content/compareText.ts'
import { applyTextDelta, composeDeltas, type TextDelta } from '../../server/content/textDelta.ts'
import { jsonObject, jsonValue, text, unicodeText } from '../support/contentArbitraries.ts'

const RUNS = { numRuns: 300 }

const anyText = (): fc.Arbitrary<string> => fc.oneof(text(), unicodeText())

/** The pieces of a text that a delta keeps and deletes, and those it inserts. */
function pieces(from: string, delta: TextDelta): string[] {
  let at = 0
  const cut = delta.map((item) => {
    if (typeof item === 'string') return item
    at += Math.abs(item)
    return from.slice(at - Math.abs(item), at)
  })
  return [...cut, from.slice(at)]
}

/** The length of a longest common subsequence, by the textbook table. */
function commonLength(a: readonly unknown[], b: readonly unknown[]): number {
  let row = Array.from({ length: b.length + 1 }, () => 0)
  for (const left of a) {
    const next = [0]
    for (const [j, right] of b.entries()) {
      next.push(left === right ? (row[j] ?? 0) + 1 : Math.max(row[j + 1] ?? 0, next[j] ?? 0))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

describe('align', () => {
  const tokens = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 14 })

  it('[CONF-2] runs lead from base to side, are maximal, and keep as much as any script can', () => {
    fc.assert(
      fc.property(tokens, tokens, (base, side) => {
        const runs = align(base, side)
        const rebuilt: string[] = []
        let kept = 0
        let at = 0
        for (const [index, run] of runs.entries()) {
          if (index > 0) expect(run.base[0]).toBeGreaterThan(at)
          kept += run.base[0] - at
          rebuilt.push(...base.slice(at, run.base[0]), ...side.slice(...run.side))
          at = run.base[1]
        }
        rebuilt.push(...base.slice(at))
        expect(rebuilt).toEqual(side)
        expect(kept + base.length - at).toBe(commonLength(base, side))
      }),
      RUNS,
    )
  })

  it('[CONF-2] common prefix and suffix are never part of a run', () => {
    fc.assert(
      fc.property(tokens, tokens, tokens, tokens, (prefix, suffix, base, side) => {
        for (const run of align([...prefix, ...base, ...suffix], [...prefix, ...side, ...suffix])) {
          expect(run.base[0]).toBeGreaterThanOrEqual(prefix.length)
          expect(run.side[0]).toBeGreaterThanOrEqual(prefix.length)
        }
      }),
      RUNS,
    )
  })

  it('[CONF-2] is the same for the same input, whatever stands around', () => {
    fc.assert(
      fc.property(tokens, tokens, (base, side) => {
        const shift = (run: { base: readonly [number, number]; side: readonly [number, number] }) => ({
          base: run.base.map((i) => i + 1),
          side: run.side.map((i) => i + 1),
        })
        expect(align(['<', ...base, '>'], ['<', ...side, '>'])).toEqual(align(base, side).map(shift))
      }),
      RUNS,
    )
  })
})

describe('shortestEdits', () => {
  /** How few deletions and insertions lead from each prefix of one to each prefix of the other. */
  function distances(base: Int32Array, side: Int32Array): number[][] {
    const table: number[][] = []
    for (let i = 0; i <= base.length; i += 1) {
      const row: number[] = []
      for (let j = 0; j <= side.length; j += 1) {
        const kept = i > 0 && j > 0 && base[i - 1] === side[j - 1] ? (table[i - 1]?.[j - 1] ?? 0) : Infinity
        row.push(i + j === 0 ? 0 : Math.min(kept, 1 + (table[i - 1]?.[j] ?? Infinity), 1 + (row[j - 1] ?? Infinity)))
      }
      table.push(row)
    }
    return table
  }

  it('[CONF-2] within a limit of edits keeps what the path keeps that gets furthest', () => {
    const sequence = fc.array(fc.nat(3), { maxLength: 12 }).map((values) => Int32Array.from(values))
    fc.assert(
      fc.property(sequence, sequence, fc.nat(12), (base, side, maxEdits) => {
        const { blocks, complete } = shortestEdits(base, side, maxEdits, { left: Infinity })
        const table = distances(base, side)
        const distance = table[base.length]?.[side.length] ?? Infinity
        expect(complete).toBe(distance <= maxEdits)
        const edits = Math.min(distance, maxEdits)
        const reached = table.flatMap((row, i) =>
          row.map((least, j) => (least <= edits && (i + j - edits) % 2 === 0 ? i + j : 0)),
        )
        const kept = blocks.reduce((sum, block) => sum + block.length, 0)
        expect(kept).toBe(Math.max(0, (Math.max(...reached) - edits) / 2))
        let at = { base: 0, side: 0 }
        for (const block of blocks) {
          expect(block.base).toBeGreaterThanOrEqual(at.base)
          expect(block.side).toBeGreaterThanOrEqual(at.side)
          at = { base: block.base + block.length, side: block.side + block.length }
          expect(base.slice(block.base, at.base)).toEqual(side.slice(block.side, at.side))
        }
        expect(at.base).toBeLessThanOrEqual(base.length)
        expect(at.side).toBeLessThanOrEqual(side.length)
      }),
      RUNS,
    )
  })
})

describe('text deltas', () => {
  it('[DOC-9] lead from one text to the other and split no surrogate pair', () => {
    fc.assert(
      fc.property(anyText(), anyText(), (from, to) => {
        const delta = textDelta(from, to)
        expect(applyTextDelta(from, delta)).toBe(to)
        for (const piece of pieces(from, delta)) expect(piece.isWellFormed()).toBe(true)
        if (from === to) expect(delta).toEqual([])
      }),
      RUNS,
    )
  })

  it('[DOC-8] of a write leave whole words only, unless it only adds or only takes out', () => {
    const isLetter = (character: string | undefined): boolean => /^[\p{L}\p{N}\p{M}_]$/u.test(character ?? '')
    const isIdeograph = (character: string | undefined): boolean => /^\p{sc=Han}$/u.test(character ?? '')
    const characterAt = (text: string, at: number): string | undefined => [...text.slice(at, at + 2)][0]
    const characterBefore = (text: string, at: number): string | undefined =>
      [...text.slice(Math.max(0, at - 2), at)].at(-1)
    const isCut = (text: string, at: number): boolean => {
      const [before, after] = [characterBefore(text, at), characterAt(text, at)]
      return isLetter(before) && isLetter(after) && !isIdeograph(before) && !isIdeograph(after)
    }
    fc.assert(
      fc.property(anyText(), anyText(), (from, to) => {
        const delta = rewriteDelta(from, to)
        expect(applyTextDelta(from, delta)).toBe(to)
        for (const piece of pieces(from, delta)) expect(piece.isWellFormed()).toBe(true)
        const isPlain = !delta.some((item) => typeof item === 'string') || !delta.some((item) => Number(item) < 0)
        if (isPlain) return
        let [fromAt, toAt] = [0, 0]
        for (const item of delta) {
          const isKept = typeof item === 'number' && item > 0
          if (isKept && fromAt > 0) expect(isCut(from, fromAt) || isCut(to, toAt)).toBe(false)
          fromAt += typeof item === 'number' ? Math.abs(item) : 0
          toAt += isKept ? item : typeof item === 'string' ? item.length : 0
          if (isKept) expect(isCut(from, fromAt) || isCut(to, toAt)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('[DOC-8] never change more than replacing what lies between the common ends', () => {
    fc.assert(
      fc.property(anyText(), anyText(), anyText(), anyText(), (before, after, from, to) => {
        const delta = textDelta(before + from + after, before + to + after)
        const size = delta.reduce<number>(
          (sum, item) => sum + (typeof item === 'string' ? item.length : Math.max(0, -item)),
          0,
        )
        expect(size).toBeLessThanOrEqual(from.length + to.length)
      }),
      RUNS,
    )
  })

  it('compose to one that does the same, in normal form', () => {
    fc.assert(
      fc.property(anyText(), anyText(), anyText(), (a, b, c) => {
        const composed = composeDeltas(textDelta(a, b), textDelta(b, c))
        expect(applyTextDelta(a, composed)).toBe(c)
        const kinds = composed
          .map((item) => (typeof item === 'string' ? 'insert' : item > 0 ? 'keep' : 'remove'))
          .join(' ')
        expect(kinds).not.toMatch(/keep keep|remove remove|insert insert|insert remove|keep$/)
      }),
      RUNS,
    )
  })

  it('composing is associative', () => {
    fc.assert(
      fc.property(fc.array(text(), { minLength: 4, maxLength: 4 }), (texts) => {
        const [x, y, z] = texts.slice(1).map((to, i) => textDelta(texts[i] ?? '', to))
        if (!x || !y || !z) return
        expect(composeDeltas(composeDeltas(x, y), z)).toEqual(composeDeltas(x, composeDeltas(y, z)))
      }),
      RUNS,
    )
  })
})

describe('json', () => {
  it('[DOC-8] edits lead from one content to the other, and are none between equal ones', () => {
    fc.assert(
      fc.property(jsonObject(), jsonObject(), (from, to) => {
        const before = JSON.stringify([from, to])
        const edits = jsonEdits(from, to)
        expect(contentEquals(applyJsonEdits(from, edits), to)).toBe(true)
        expect(edits.length === 0).toBe(contentEquals(from, to))
        expect(JSON.stringify([from, to])).toBe(before)
      }),
      RUNS,
    )
  })

  it('[CONF-2] every touched pointer lies on the way to something that differs', () => {
    fc.assert(
      fc.property(jsonObject(), jsonObject(), (from, to) => {
        const effect = effectBetween(from, to)
        for (const pointer of effectPointers(effect)) expect(parsePointer(pointer)).not.toBeNull()
        expect(effectPointers(effect).length > 0).toBe(effect !== null)
      }),
      RUNS,
    )
  })

  it('equality, canonical form and hash agree, and size is that of the JSON', () => {
    fc.assert(
      fc.property(jsonObject(), jsonObject(), (a, b) => {
        const equal = contentEquals(a, b)
        expect(contentEquals(b, a)).toBe(equal)
        expect(canonicalJson(a) === canonicalJson(b)).toBe(equal)
        expect(contentHash(a) === contentHash(b)).toBe(equal)
        expect(contentEquals(a, JSON.parse(canonicalJson(a)))).toBe(true)
        expect(measureContent(a).bytes).toBe(contentBytes(a))
      }),
      RUNS,
    )
  })

  it('pointers survive being written and read', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('~', '/', '~1', '~0', ''))), (path) => {
        expect(parsePointer(toPointer(path))).toEqual(path)
      }),
      RUNS,
    )
    fc.assert(
      fc.property(fc.string(), jsonValue(), (key, value) => {
        if (key === '__proto__') return
        const holder: JsonObject = { [key]: { '': value } }
        expect(valueAt(holder, toPointer([key, '']))).toEqual({ present: true, value })
      }),
      RUNS,
    )
  })
})

describe('effects', () => {
  it('survive being stored', () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(anyText(), anyText()), fc.tuple(jsonObject(), jsonObject())), ([from, to]) => {
        const effect = effectBetween(from, to)
        const stored = decodeEffect(encodeEffect(effect))
        expect(stored).toEqual(effect)
        expect(contentEquals(applyEffect(from, stored), to)).toBe(true)
      }),
      RUNS,
    )
  })
})
