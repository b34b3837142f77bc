import { describe, expect, it } from 'vitest'
import { ORIGINS, type Origin } from '../../server/model/document.ts'
import { toPrincipalId, toVersion, type Version } from '../../server/foundation/ids.ts'
import { blockEnd, joinable, packable, type Row } from '../../server/history/planCompaction.ts'

const MINUTE_MS = 60_000
const row = (version: number, more: Partial<Omit<Row, 'author'>> & { author?: string; origin?: Origin } = {}): Row => ({
  version: toVersion(version),
  at: version * 1_000,
  origin: 'live',
  ...more,
  author: toPrincipalId(more.author ?? 'ann'),
})
const NONE: ReadonlySet<Version> = new Set()
const versions = (runs: readonly (readonly Row[])[]): number[][] => runs.map((run) => run.map((one) => one.version))

describe('what may become one version', () => {
  it('[HIST-4] is what one author typed, one after the other', () => {
    const rows = [row(1), row(2), row(3, { author: 'bob' }), row(4), row(5)]
    expect(versions(joinable(rows, NONE))).toEqual([[1, 2], [3], [4, 5]])
    expect(joinable([], NONE)).toEqual([])
  })

  it('[HIST-4] lies within five minutes, from the first to the last', () => {
    const at = (minutes: number): number => minutes * MINUTE_MS
    const rows = [0, 2, 4, 5, 5.001, 9, 10.01].map((minutes, index) => row(index + 1, { at: at(minutes) }))
    expect(versions(joinable(rows, NONE))).toEqual([[1, 2, 3, 4], [5, 6], [7]])
    const back = [row(1, { at: at(3) }), row(2, { at: at(2) })]
    expect(versions(joinable(back, NONE))).toEqual([[1], [2]])
  })

  it('[HIST-4] is never what REST made, nor next to it', () => {
    for (const origin of ORIGINS.filter((one) => one !== 'live')) {
      const rows = [row(1), row(2, { origin }), row(3, { origin }), row(4)]
      expect(versions(joinable(rows, NONE))).toEqual([[1], [2], [3], [4]])
    }
  })

  it('[HIST-4] ends with a version that has to stay, and takes no row that is several already', () => {
    const rows = [row(1), row(2), row(3), row(4)]
    expect(versions(joinable(rows, new Set([toVersion(2)])))).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(versions(joinable(rows, new Set([toVersion(1), toVersion(3)])))).toEqual([[1], [2, 3], [4]])
    const several = [row(3, { firstVersion: toVersion(1) }), row(4), row(7, { firstVersion: toVersion(5) }), row(8)]
    expect(versions(joinable(several, NONE))).toEqual([[3], [4], [7], [8]])
  })
})

describe('what is packed together', () => {
  it('[HIST-4] is bounded in bytes, and leaves large rows out', () => {
    const sized = (...sizes: number[]) => sizes.map((bytes, index) => ({ ...row(index + 1), bytes }))
    const KIB = 1024
    expect(versions(packable(sized(10, 20, 33 * KIB, 30)))).toEqual([[1, 2], [4]])
    expect(versions(packable(sized(...Array.from({ length: 10 }, () => 30 * KIB))))).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8],
      [9, 10],
    ])
    expect(packable([])).toEqual([])
  })

  it('[HIST-4] lies within a block', () => {
    expect([1, 255, 256, 257, 512].map(blockEnd)).toEqual([256, 256, 256, 512, 512])
  })
})
